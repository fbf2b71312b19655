/// @file
/// What the POSIX parts of this room share.
#pragma once

#include <unistd.h>

#include <string>
#include <system_error>
#include <utility>

namespace thalweg {

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// What the system says about an errno; unlike strerror, safe in threads.
inline std::string system_message(int error) { return std::generic_category().message(error); }

}  // namespace thalweg
