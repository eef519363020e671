// The instruction sets that this build holds, best first; CMake says which.
#include "rules.hpp"

namespace ftdist {

#if defined(FTDIST_BUILD_X86)
extern const Isa ISA_AVX512, ISA_AVX2, ISA_SSE2;
#endif
#if defined(FTDIST_BUILD_NEON)
extern const Isa ISA_NEON;
#endif
extern const Isa ISA_SCALAR;

const Isa* const ISAS[] = {
#if defined(FTDIST_BUILD_X86)
    &ISA_AVX512, &ISA_AVX2, &ISA_SSE2,
#endif
#if defined(FTDIST_BUILD_NEON)
    &ISA_NEON,
#endif
    &ISA_SCALAR};
const int ISA_COUNT = sizeof(ISAS) / sizeof(ISAS[0]);

const Operation* find_operation(int32_t number) {
  const bool known = number >= 0 && number < ISA_SCALAR.operation_count;
  return known ? &ISA_SCALAR.operations[number] : nullptr;
}

}  // namespace ftdist
