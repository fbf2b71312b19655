/// @file
/// Under sanitizers tests run some twenty times slower; the longest do less there.
#pragma once

namespace thalweg::testing {

#if defined(THALWEG_SANITIZED)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace thalweg::testing
