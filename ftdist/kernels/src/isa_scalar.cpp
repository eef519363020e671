#define FTDIST_NAMESPACE scalar
#define FTDIST_SCALAR
#include "executor.hpp"

namespace ftdist {

static bool scalar_supported() {
  return true;
}

extern const Isa ISA_SCALAR;
const Isa ISA_SCALAR = {"scalar", scalar::LANES, scalar::FUSED, scalar::PIXELS, scalar::WIDE_PIXELS,
                        scalar_supported, scalar::run, scalar::expand_weights, scalar::OPERATIONS.data(),
                        (int)scalar::OPERATIONS.size()};

}  // namespace ftdist
