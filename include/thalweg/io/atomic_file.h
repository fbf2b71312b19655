/// @file
/// Files that are written whole or not at all.
///
///     AtomicFile file("crf.model");
///     file.append(header);
///     file.append(weights);
///     file.commit();  // until here "crf.model" is what it was before
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "thalweg/core/export.h"

namespace thalweg {

/// A file that appears, or replaces the one of that name, in one step: the bytes go to a temporary file in
/// the same folder; `commit` calls fsync, renames it over the path and calls fsync on the folder. Whoever
/// opens the path at any time, after a crash too, finds all of the old file or all of the new one. If
/// anything goes wrong before that, or there is no commit, the old file stays as it was and the temporary is
/// removed.
///
/// Several writers of one path do not disturb one another: each has its own temporary, and the last to commit
/// wins. The temporary is called `<path>.thalweg-tmp`, with a number behind it for a second writer at the
/// same time, and is locked (flock) as long as its writer lives. A process that is killed, or a power cut,
/// leaves it behind; the next writer of that path finds it unlocked and removes it, so there are never more
/// of them than there were writers at one time. (O_TMPFILE would leave less, but to replace a file it needs a
/// name for a moment all the same, and network file systems lack it.)
///
/// A file that is replaced hands on its permissions, and a symbolic link to a file stays one. A file that may
/// not be written is not replaced. What cannot be renamed over is written directly: devices and pipes
/// (/dev/null, a FIFO) and open descriptors (/dev/stdout, /dev/fd/3).
class THALWEG_EXPORT AtomicFile {
 public:
  /// @throws IoError if `path` is a folder or write-protected, or its folder is missing or read-only.
  explicit AtomicFile(const std::string& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Writes at the end. @throws IoError that names the path, the bytes it wanted to write and what the system
  /// said (disk full, file size limit); the temporary is then gone, and `commit` throws.
  void append(std::span<const std::byte> bytes);

  /// Puts the file in its place, once. @throws IoError; if it is the last step that failed (fsync of the
  /// folder), the new file is in place, whole, but might not survive a power cut.
  void commit();

 private:
  struct File;
  std::unique_ptr<File> file_;
};

/// `bytes` become the file `path`, as by AtomicFile.
THALWEG_EXPORT void write_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace thalweg
