#define FTDIST_NAMESPACE avx2
#define FTDIST_AVX2
#include "executor.hpp"

namespace ftdist {

static bool avx2_supported() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

extern const Isa ISA_AVX2;
const Isa ISA_AVX2 = {"avx2", avx2::LANES, avx2::FUSED, avx2::PIXELS, avx2::WIDE_PIXELS,
                      avx2_supported, avx2::run, avx2::expand_weights, avx2::OPERATIONS.data(),
                      (int)avx2::OPERATIONS.size()};

}  // namespace ftdist
