#include "thalweg/core/isa.h"

#include <cstdlib>
#include <string_view>

namespace thalweg {
namespace {

bool offers(Isa isa) {
#if defined(THALWEG_AVX2)
  if (isa == Isa::Avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
#if defined(THALWEG_AVX512)
  if (isa == Isa::Avx512) {
    return offers(Isa::Avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return isa == Isa::Generic;
}

Isa choose() {
  const char* forced = std::getenv("THALWEG_ISA");
  for (Isa isa : {Isa::Avx512, Isa::Avx2, Isa::Generic}) {
    if (forced && offers(isa) && std::string_view(forced) == name(isa)) return isa;
  }
  for (Isa isa : {Isa::Avx512, Isa::Avx2}) {
    if (offers(isa)) return isa;
  }
  return Isa::Generic;
}

}  // namespace

Isa active_isa() {
  static const Isa isa = choose();
  return isa;
}

const char* name(Isa isa) {
  switch (isa) {
    case Isa::Avx512:
      return "avx512";
    case Isa::Avx2:
      return "avx2";
    default:
      return "generic";
  }
}

}  // namespace thalweg
