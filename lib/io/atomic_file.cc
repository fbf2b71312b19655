#include "thalweg/io/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "io/descriptor.h"
#include "thalweg/core/error.h"

namespace thalweg {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxTemporaries = 64;                      // writers of one path at one time
constexpr std::size_t kMaxWrite = std::size_t{1} << 30;  // some systems refuse more in one call

// Under these names an open descriptor is opened again. Where it is a file, a rename would replace that file
// behind the back of whoever holds it.
bool names_descriptor(std::string_view path) {
  return path == "/dev/stdout" || path == "/dev/stderr" || path.starts_with("/dev/fd/") ||
         path.starts_with("/proc/");
}

bool is_file_called(int fd, int folder, const std::string& name) {
  struct stat open, named;
  return ::fstat(fd, &open) == 0 && ::fstatat(folder, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

// Removes the temporary of a writer that was killed. While we hold its lock nobody else removes or renames
// it, so between the comparison and the removal the name cannot pass to another file. False if a living
// writer holds it.
bool remove_leftover(int folder, const std::string& name) {
  const Descriptor fd(::openat(folder, name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return errno == ENOENT;
  return ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && is_file_called(fd.get(), folder, name) &&
         ::unlinkat(folder, name.c_str(), 0) == 0;
}

}  // namespace

struct AtomicFile::File {
  explicit File(const std::string& given);
  ~File() { discard(); }

  void open_directly();
  void open_folder(const fs::path& parent);
  void open_temporary(mode_t mode);
  void write(std::span<const std::byte> bytes);
  void commit();
  void discard();
  [[noreturn]] void fail(const std::string& problem);

  std::string path;
  std::string name, temporary;  // in the folder; empty when the path is written directly, or at the end
  Descriptor folder, out;
  std::uint64_t written = 0;
};

AtomicFile::File::File(const std::string& given) : path(given) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status) || fs::path(path).filename().empty())
    throw IoError(path, "is a folder", "give the name of a file");
  const bool replaces = fs::is_regular_file(status);
  if (names_descriptor(path) || (fs::exists(status) && !replaces)) {
    open_directly();
    return;
  }
  // A rename needs no right to write the old file; whoever took that right away did not want it replaced.
  if (replaces && ::access(path.c_str(), W_OK) != 0)
    throw IoError(path, fmt::format("cannot be replaced ({})", system_message(errno)),
                  "make it writable or choose another path");

  fs::path target = fs::canonical(path, error);
  if (error) target = path;
  name = target.filename().string();
  open_folder(target.parent_path());
  const mode_t mode = replaces ? static_cast<mode_t>(status.permissions()) & 0777 : 0666;
  open_temporary(mode);
  if (replaces) ::fchmod(out.get(), mode);  // gives back what the umask took; not all file systems can
}

void AtomicFile::File::open_directly() {
  out = Descriptor(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY));
  if (!out)
    throw IoError(path, fmt::format("cannot be opened for writing ({})", system_message(errno)),
                  "choose another path");
}

void AtomicFile::File::open_folder(const fs::path& parent) {
  folder = Descriptor(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder)
    throw IoError(path, fmt::format("cannot open its folder ({})", system_message(errno)),
                  "check the folder or choose another path");
}

void AtomicFile::File::open_temporary(mode_t mode) {
  for (int number = 1; number <= kMaxTemporaries;) {
    std::string candidate = name + ".thalweg-tmp" + (number > 1 ? std::to_string(number) : "");
    Descriptor fd(::openat(folder.get(), candidate.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd && errno != EEXIST)
      throw IoError(path, fmt::format("cannot create a file in its folder ({})", system_message(errno)),
                    "make the folder writable or choose another path");
    if (!fd) {
      if (!remove_leftover(folder.get(), candidate)) ++number;
      continue;
    }
    // Another writer may have taken it for a leftover before it was locked. File systems without locks go
    // unlocked: the name is ours alone all the same, only leftovers then stay.
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) continue;
    if (!is_file_called(fd.get(), folder.get(), candidate)) continue;
    temporary = std::move(candidate);
    out = std::move(fd);
    return;
  }
  throw IoError(path, fmt::format("has {} unfinished temporaries beside it", kMaxTemporaries),
                fmt::format("remove {}.thalweg-tmp*", path));
}

void AtomicFile::File::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(out.get(), bytes.data(), std::min(bytes.size(), kMaxWrite));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const std::string reason = system_message(errno);
      fail(fmt::format("cannot write {} bytes at byte {} ({})", bytes.size(), written, reason));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    written += static_cast<std::uint64_t>(count);
  }
}

void AtomicFile::File::commit() {
  if (!out) fail("is closed: it was committed before, or writing it failed");
  if (!name.empty()) {
    if (::fsync(out.get()) != 0)
      fail(fmt::format("cannot bring {} bytes to the disk ({})", written, system_message(errno)));
    if (::renameat(folder.get(), temporary.c_str(), folder.get(), name.c_str()) != 0)
      fail(fmt::format("cannot be put in place ({})", system_message(errno)));
    temporary.clear();
    // EINVAL: a file system that has no fsync for folders.
    if (::fsync(folder.get()) != 0 && errno != EINVAL)
      fail(fmt::format("is written, but its folder cannot be brought to the disk ({})",
                       system_message(errno)));
  }
  out = Descriptor();  // fsync has reported all that close could
}

void AtomicFile::File::fail(const std::string& problem) {
  discard();
  throw IoError(path, problem, "free some space or choose another path");
}

void AtomicFile::File::discard() {
  if (!temporary.empty()) ::unlinkat(folder.get(), temporary.c_str(), 0);
  temporary.clear();
  out = Descriptor();
}

AtomicFile::AtomicFile(const std::string& path) : file_(std::make_unique<File>(path)) {}
AtomicFile::~AtomicFile() = default;

void AtomicFile::append(std::span<const std::byte> bytes) { file_->write(bytes); }

void AtomicFile::commit() { file_->commit(); }

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.append(bytes);
  file.commit();
}

}  // namespace thalweg
