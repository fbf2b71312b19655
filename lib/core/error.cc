#include "thalweg/core/error.h"

namespace thalweg {
namespace {

std::string one_line(std::string_view where, std::string_view problem, std::string_view mend) {
  std::string line;
  if (!where.empty()) line.append(where).append(": ");
  line.append(problem);
  if (!mend.empty()) line.append("; ").append(mend);
  return line;
}

}  // namespace

Error::Error(std::string_view where, std::string_view problem, std::string_view mend)
    : std::runtime_error(one_line(where, problem, mend)), where_(where), problem_(problem), mend_(mend) {}

std::string place(std::string_view file, std::uint64_t line) {
  return std::string(file).append(":").append(std::to_string(line));
}

}  // namespace thalweg
