/// @file
/// Typed errors that say where, what, and how to mend it.
///
/// Three kinds of failure are kept apart. A caller's bug breaks a documented `@pre` and is an assertion. Bad
/// input (a file, an option, a model) throws one of the types below, and only at the library's boundary. An
/// expected outcome (not converged, no labelling is allowed) is a value in the result and never an exception.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "thalweg/core/export.h"

namespace thalweg {

/// Base of everything the library throws on purpose. `what()` is one line: `where: what; mend`.
class THALWEG_EXPORT Error : public std::runtime_error {
 public:
  Error(std::string_view where, std::string_view problem, std::string_view mend);

  const std::string& where() const { return where_; }  ///< A place: `train.conll:812`, an option, a field.
  const std::string& problem() const { return problem_; }  ///< What is wrong there.
  const std::string& mend() const { return mend_; }        ///< What to do about it; may be empty.

 private:
  std::string where_, problem_, mend_;
};

/// The content of an input is wrong: a ragged column file, a bad template, not UTF-8, not a number.
class THALWEG_EXPORT InputError : public Error {
 public:
  using Error::Error;
};

/// A model file is damaged, truncated, hostile, or of a version this build does not read.
class THALWEG_EXPORT ModelError : public Error {
 public:
  using Error::Error;
};

/// The operating system refused: no such file, no permission, disk full.
class THALWEG_EXPORT IoError : public Error {
 public:
  using Error::Error;
};

/// An option is out of range or does not go with another; `where()` is the option's name.
class THALWEG_EXPORT OptionError : public Error {
 public:
  using Error::Error;
};

/// `file:line`, the place most input errors name.
THALWEG_EXPORT std::string place(std::string_view file, std::uint64_t line);

}  // namespace thalweg
