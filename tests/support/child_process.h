/// @file
/// What a test may not do to its own process (limits, other users, being killed) it does in a forked child.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <utility>

namespace thalweg::testing {

/// Starts `body`, whose int becomes the exit code; 99 if it throws. @return the child's id
template <class Body>
pid_t start_child(Body&& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    ::_exit(std::forward<Body>(body)());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child: %s\n", error.what());
  } catch (...) {
  }
  ::_exit(99);
}

/// The exit code of a child, or minus the signal that ended it.
inline int wait_for(pid_t child) {
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return 98;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

template <class Body>
int in_child(Body&& body) {
  return wait_for(start_child(std::forward<Body>(body)));
}

/// An exit code for "cannot be tried here".
inline constexpr int kSkipped = 77;

}  // namespace thalweg::testing
