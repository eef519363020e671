// Weights of 3x3 convolutions as Winograd's kernel reads them (winograd.hpp).
#pragma once
#include <cstdint>

namespace ftdist {

struct Isa;

// Floats of the transformed weights of so many blocks of 16 outputs; `size` is the side of a block
// of outputs, 2 or 4.
constexpr int64_t transformed_floats(int64_t blocks, int64_t channels, int64_t size) {
  return blocks * (size + 2) * (size + 2) * channels * 16;
}

// Reads weights [blocks][3][3][channels][16] from float `from` of a file on, and writes G g G^T as
// [blocks][(size + 2)^2][channels][16] (minimal.hpp). Returns 0 or the error number with which reading
// failed.
int transform_weights(const Isa& isa, int file, int64_t from, int64_t blocks, int64_t channels,
                      int size, float* to);

}  // namespace ftdist
