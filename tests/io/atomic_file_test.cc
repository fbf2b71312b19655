#include "thalweg/io/atomic_file.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "support/catch.h"
#include "support/child_process.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/io/array_file.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace fs = std::filesystem;

namespace {

using Names = std::set<std::string>;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

mode_t permissions(const std::string& path) {
  struct stat status = {};
  ::stat(path.c_str(), &status);
  return status.st_mode & 0777;
}

// What the IoError of writing `size` bytes to `path` says; empty if it goes well.
std::string complaint(const std::string& path, std::size_t size = 100) {
  try {
    write_file(path, std::vector<std::byte>(size));
  } catch (const IoError& error) {
    return error.what();
  }
  return {};
}

// In a child: what holds for everybody but root.
void become_nobody() {
  if (::getuid() == 0 && ::setuid(65534) != 0) ::_exit(kSkipped);
}

// In a child: gives it mounts of its own; who is not root must be mapped into a user namespace first.
bool may_mount() {
  const auto user = ::getuid();
  const auto group = ::getgid();
  if (::unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) return false;
  if (user != 0) {
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << user << ' ' << user << " 1";
    std::ofstream("/proc/self/gid_map") << group << ' ' << group << " 1";
  }
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

}  // namespace

TEST_CASE("a file is written, and replaced, whole", "[io][atomic_file]") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  write_file(path, bytes_of("old"));
  CHECK(content(path) == "old");
  {
    AtomicFile file(path);
    file.append(bytes_of("new "));
    file.append({});
    file.append(bytes_of("content"));
    CHECK(content(path) == "old");
    file.commit();
    CHECK(content(path) == "new content");
    CHECK_THROWS_AS(file.commit(), IoError);
    CHECK_THROWS_AS(file.append(bytes_of("more")), IoError);
  }
  write_file(path, {});
  CHECK(content(path).empty());
  CHECK(folder.names() == Names{"model"});
}

TEST_CASE("without a commit nothing happened", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file(folder / "model", bytes_of("old"));
  const auto interrupted = [&](const std::string& path) {
    AtomicFile file(path);
    file.append(bytes_of("new"));
    throw std::runtime_error("interrupted");
  };
  CHECK_THROWS_WITH(interrupted(folder / "model"), "interrupted");
  CHECK_THROWS_WITH(interrupted(folder / "other"), "interrupted");
  CHECK(content(folder / "model") == "old");
  CHECK(folder.names() == Names{"model"});
}

TEST_CASE("a path may be relative, and the working folder may change", "[io][atomic_file]") {
  const TemporaryFolder folder, elsewhere;
  CHECK(in_child([&] {
          if (::chdir(folder.path().c_str()) != 0) return 1;
          AtomicFile file("model");
          if (::chdir(elsewhere.path().c_str()) != 0) return 1;
          file.append(bytes_of("new"));
          file.commit();
          return 0;
        }) == 0);
  CHECK(content(folder / "model") == "new");
  CHECK(elsewhere.names().empty());
}

TEST_CASE("permissions and links of what is replaced stay", "[io][atomic_file]") {
  const TemporaryFolder folder;
  CHECK(in_child([&] {
          ::umask(027);
          write_file(folder / "fresh", bytes_of("x"));
          write_file(folder / "open", bytes_of("x"));
          write_file(folder / "closed", bytes_of("x"));
          fs::permissions(folder / "open", fs::perms{0666});
          fs::permissions(folder / "closed", fs::perms{0600});
          write_file(folder / "open", bytes_of("y"));
          write_file(folder / "closed", bytes_of("y"));
          return 0;
        }) == 0);
  CHECK(permissions(folder / "fresh") == 0640);
  CHECK(permissions(folder / "open") == 0666);
  CHECK(permissions(folder / "closed") == 0600);

  fs::create_directory(folder / "versions");
  write_file(folder / "versions/1", bytes_of("one"));
  fs::create_symlink("versions/1", folder / "latest");
  write_file(folder / "latest", bytes_of("two"));
  CHECK(fs::is_symlink(folder / "latest"));
  CHECK(content(folder / "versions/1") == "two");
  CHECK(fs::hard_link_count(folder / "versions/1") == 1);
}

// --- refusals

TEST_CASE("a path that cannot be written is named with the mend", "[io][atomic_file]") {
  const TemporaryFolder folder;
  CHECK(complaint(folder.path()) == folder.path() + ": is a folder; give the name of a file");
  CHECK_THAT(complaint(folder.path() + "/"), ContainsSubstring("is a folder"));
  CHECK_THAT(complaint(""), ContainsSubstring("is a folder"));
  CHECK(complaint(folder / "missing/model") == (folder / "missing/model") +
                                                   ": cannot open its folder (No such file or directory); "
                                                   "check the folder or choose another path");
  CHECK_THAT(complaint(folder / std::string(250, 'a')), ContainsSubstring("File name too long"));
  CHECK(folder.names().empty());
}

TEST_CASE("read-only folders and files are left alone", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file(folder / "model", bytes_of("old"));
  const auto as_nobody = [&](std::string_view says) {
    return in_child([&] {
      become_nobody();
      return complaint(folder / "model").find(says) == std::string::npos ? 1 : 0;
    });
  };
  fs::permissions(folder / "model", fs::perms{0666});
  fs::permissions(folder.path(), fs::perms{0555});
  CHECK(as_nobody("cannot create a file in its folder (Permission denied); make the folder writable") == 0);
  fs::permissions(folder.path(), fs::perms{0777});
  fs::permissions(folder / "model", fs::perms{0444});
  CHECK(as_nobody("cannot be replaced (Permission denied); make it writable") == 0);
  fs::permissions(folder.path(), fs::perms{0666});
  CHECK(as_nobody("(Permission denied)") == 0);
  fs::permissions(folder.path(), fs::perms{0755});
  CHECK(content(folder / "model") == "old");
  CHECK(folder.names() == Names{"model"});
}

TEST_CASE("a file size limit and a full disk leave the old file and no litter", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file(folder / "model", bytes_of("old"));
  CHECK(in_child([&] {
          ::signal(SIGXFSZ, SIG_IGN);
          const rlimit megabyte{1 << 20, 1 << 20};
          ::setrlimit(RLIMIT_FSIZE, &megabyte);
          AtomicFile file(folder / "model");
          const std::vector<std::byte> part(400000);
          file.append(part), file.append(part);
          try {
            file.append(part);
            return 1;
          } catch (const IoError& error) {
            if (std::string_view(error.what())
                    .find("cannot write 151424 bytes at byte 1048576 (File too large); "
                          "free some space or choose another path") == std::string_view::npos)
              return 2;
          }
          if (folder.names() != Names{"model"}) return 3;
          try {
            file.commit();  // must not put half a file in place
            return 4;
          } catch (const IoError&) {
          }
          return 0;
        }) == 0);

  const int full_disk = in_child([&] {
    fs::create_directory(folder / "small");
    if (!may_mount() || ::mount("tmpfs", (folder / "small").c_str(), "tmpfs", 0, "size=1m") != 0)
      return kSkipped;
    write_file(folder / "small/model", bytes_of("old"));
    if (complaint(folder / "small/model", 2 << 20).find("(No space left on device)") == std::string::npos)
      return 1;
    if (content(folder / "small/model") != "old") return 2;
    if (!complaint(folder / "small/model", 900 << 10).empty())
      return 3;  // the space of the temporary is free again
    return std::distance(fs::directory_iterator(folder / "small"), {}) == 1 ? 0 : 4;
  });
  CHECK((full_disk == 0 || full_disk == kSkipped));
  if (full_disk == kSkipped) WARN("no tmpfs can be mounted here");
  fs::remove(folder / "small");
  CHECK(content(folder / "model") == "old");
  CHECK(folder.names() == Names{"model"});
}

// --- what is written directly

TEST_CASE("devices, pipes and open descriptors are written directly", "[io][atomic_file]") {
  const TemporaryFolder folder;
  CHECK(complaint("/dev/null").empty());
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(complaint("/dev/full") ==
        "/dev/full: cannot write 100 bytes at byte 0 (No space left on device); free some space or choose "
        "another path");

  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const pid_t writer = start_child([&] {
    write_file(folder / "pipe", bytes_of("through a pipe"));
    return 0;
  });
  CHECK(content(folder / "pipe") == "through a pipe");
  CHECK(wait_for(writer) == 0);

  const auto to_stdout = [&](const std::string& path, int flags) {
    return in_child([&] {
      const int out = ::open((folder / "out").c_str(), O_WRONLY | O_CREAT | flags, 0600);
      if (::dup2(out, STDOUT_FILENO) < 0 || ::write(out, "before ", 7) != 7) return 1;
      write_file(path, bytes_of("model"));
      return ::write(out, " after", 6) == 6 ? 0 : 2;
    });
  };
  CHECK(to_stdout("/dev/stdout", O_APPEND) == 0);
  CHECK(content(folder / "out") == "before model after");
  CHECK(to_stdout("/proc/self/fd/1", O_APPEND | O_TRUNC) == 0);
  CHECK(content(folder / "out") == "before model after");
  CHECK(folder.names() == Names{"out", "pipe"});
}

// --- others at the same time

TEST_CASE("writers of one path do not disturb one another", "[io][atomic_file]") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  std::optional<AtomicFile> first(path), second(path), third(path);
  CHECK(folder.names() == Names{"model.thalweg-tmp", "model.thalweg-tmp2", "model.thalweg-tmp3"});
  first->append(bytes_of("first"));
  second->append(bytes_of("second"));
  third->append(bytes_of("third"));
  second->commit();
  CHECK(content(path) == "second");
  first->commit();
  CHECK(content(path) == "first");
  third.reset();
  CHECK(content(path) == "first");
  CHECK(folder.names() == Names{"model"});
}

TEST_CASE("of many threads that write and read, every reader sees a whole file", "[io][atomic_file]") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  constexpr FileFormat kFormat{"test", 1, 0};
  const auto write = [&](std::uint32_t value) {
    const std::vector<std::uint32_t> values(1000 + value, value);
    ArrayFileWriter writer(kFormat);
    writer.add("values", values);
    writer.write(path);
  };
  write(0);
  std::atomic<int> writing{4}, failures{0};
  std::vector<std::thread> threads;
  for (std::uint32_t w = 1; w <= 4; ++w) {
    threads.emplace_back([&, w] {
      try {
        for (int round = 0; round < 50; ++round) write(w);
      } catch (const Error&) {
        ++failures;
      }
      --writing;
    });
  }
  while (writing > 0) {
    const ArrayFile file = ArrayFile::open(path, kFormat);
    const auto values = file.array<std::uint32_t>("values");
    if (values.size() != 1000 + values.front() || values.back() != values.front()) ++failures;
  }
  for (auto& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(folder.names() == Names{"model"});
}

TEST_CASE("leftovers of the killed are removed, what others made is not", "[io][atomic_file]") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  std::ofstream(path + ".thalweg-tmp") << "half a mod";
  write_file(path, bytes_of("whole"));
  CHECK(folder.names() == Names{"model"});

  // Neither a link nor a folder is followed or removed, and the file behind the link stays as it was.
  write_file(folder / "precious", bytes_of("precious"));
  fs::create_symlink("precious", path + ".thalweg-tmp");
  fs::create_directory(path + ".thalweg-tmp2");
  write_file(path, bytes_of("again"));
  CHECK(content(path) == "again");
  CHECK(content(folder / "precious") == "precious");
  CHECK(folder.names() == Names{"model", "model.thalweg-tmp", "model.thalweg-tmp2", "precious"});

  for (int n = 3; n <= 64; ++n) fs::create_directory(path + ".thalweg-tmp" + std::to_string(n));
  CHECK(complaint(path) ==
        path + ": has 64 unfinished temporaries beside it; remove " + path + ".thalweg-tmp*");
}

TEST_CASE("a writer killed at any time leaves the old or the new file", "[io][atomic_file]") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  constexpr FileFormat kFormat{"test", 1, 0};
  const auto write = [&](std::uint32_t round) {
    const std::vector<std::uint32_t> values(50000, round);
    ArrayFileWriter writer(kFormat);
    writer.add("values", values);
    writer.write(path);
  };
  write(0);
  Rng rng(1);
  int leftovers = 0;
  for (std::uint32_t round = 1; round <= 40; ++round) {
    const pid_t child = start_child([&] {
      for (;;) write(round);
      return 0;
    });
    std::this_thread::sleep_for(std::chrono::microseconds(rng.below(10000)));
    REQUIRE(::kill(child, SIGKILL) == 0);
    REQUIRE(wait_for(child) == -SIGKILL);
    const ArrayFile file = ArrayFile::open(path, kFormat);
    const auto values = file.array<std::uint32_t>("values", {50000});
    CHECK(values.front() <= round);
    CHECK(values.front() == values.back());
    const Names names = folder.names();
    CHECK((names == Names{"model"} || names == Names{"model", "model.thalweg-tmp"}));
    leftovers += names.size() > 1;
  }
  CHECK(leftovers > 0);  // else nobody was killed while writing
  write(41);
  CHECK(folder.names() == Names{"model"});
}
