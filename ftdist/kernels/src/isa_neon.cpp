#define FTDIST_NAMESPACE neon
#define FTDIST_NEON
#include "executor.hpp"

namespace ftdist {

static bool neon_supported() {
  return true;
}

extern const Isa ISA_NEON;
const Isa ISA_NEON = {"neon", neon::LANES, neon::FUSED, neon::PIXELS, neon::WIDE_PIXELS,
                      neon_supported, neon::run, neon::expand_weights, neon::OPERATIONS.data(),
                      (int)neon::OPERATIONS.size()};

}  // namespace ftdist
