#define FTDIST_NAMESPACE sse2
#define FTDIST_SSE2
#include "executor.hpp"

namespace ftdist {

static bool sse2_supported() {
  return true;
}

extern const Isa ISA_SSE2;
const Isa ISA_SSE2 = {"sse2", sse2::LANES, sse2::FUSED, sse2::PIXELS, sse2::WIDE_PIXELS,
                      sse2_supported, sse2::run, sse2::expand_weights, sse2::OPERATIONS.data(),
                      (int)sse2::OPERATIONS.size()};

}  // namespace ftdist
