#define FTDIST_NAMESPACE avx512
#define FTDIST_AVX512
#include "executor.hpp"

namespace ftdist {

static bool avx512_supported() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

extern const Isa ISA_AVX512;
const Isa ISA_AVX512 = {"avx512", avx512::LANES, avx512::FUSED, avx512::PIXELS, avx512::WIDE_PIXELS,
                        avx512_supported, avx512::run, avx512::expand_weights, avx512::OPERATIONS.data(),
                        (int)avx512::OPERATIONS.size()};

}  // namespace ftdist
