/// @file
/// What an error says.
#pragma once

#include <string>

/// The message of the E that `action()` throws; anything else passes through, and nothing is "no error".
template <class E, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  return "no error";
}
