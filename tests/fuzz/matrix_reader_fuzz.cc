// Any bytes as a matrix: rows of finite numbers, or an InputError.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "thalweg/core/error.h"
#include "thalweg/io/matrix_reader.h"

using namespace thalweg;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    MatrixReader reader = MatrixReader::of_memory({reinterpret_cast<const char*>(data), size}, "fuzz");
    std::vector<float> row(static_cast<std::size_t>(reader.columns()));
    while (reader.next(row)) {
      for (const float x : row)
        if (!std::isfinite(x)) std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
