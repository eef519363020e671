// Kernels that put maps together: the steps of a sum, and products with a map that may be broadcast.
#pragma once
#include "activation.hpp"
#include "rows.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// A pixel of a sum so far, its channels from `first` on.
template <bool WEIGHTED>
static inline Vec sum_so_far(const Program& program, const Kernel& kernel, const float* out,
                             int first, int count) {
  if (kernel.part) return load_part(out + first, count);
  return WEIGHTED ? load(program.weights + kernel.bias + first) : splat(0.0f);
}

// Adds a pixel of the map to a pixel of the sum; `in` is null where the map has none for it.
template <bool WEIGHTED>
static inline void accumulate_pixel(const Program& program, const Kernel& kernel, const float* in,
                                    float* out) {
  const int added = in ? smaller(kernel.channels, kernel.filters) : 0;
  const float* weights = program.weights + kernel.weights + kernel.part * BLOCK;
  for (int first = 0; first < kernel.filters; first += LANES) {
    const int count = smaller(LANES, kernel.filters - first);
    const Vec sum = sum_so_far<WEIGHTED>(program, kernel, out, first, count);
    if (added - first < count) store_part(out + first, sum, count);
    if (first >= added) continue;
    const int here = smaller(LANES, added - first);
    Vec value = load_part(in + first, here);
    if (WEIGHTED)
      value = fma(load(weights + first / BLOCK * kernel.size * BLOCK + first % BLOCK), value, sum);
    else if (kernel.part)
      value = fma(splat(kernel.factor), value, splat(kernel.kept) * sum);
    store_part(out + first, value, here);
  }
}

static inline void activate_pixel(const Kernel& kernel, float* out) {
  for (int first = 0; first < kernel.filters; first += LANES) {
    const int count = smaller(LANES, kernel.filters - first);
    const Vec value = load_part(out + first, count);
    store_part(out + first, activate(kernel.activation, value, splat(kernel.slope)), count);
  }
}

template <bool WEIGHTED>
static void accumulate(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const int from_row = row / kernel.sample * kernel.stride_y;
      const int from_column = column / kernel.sample * kernel.stride_x;
      const bool there = row % kernel.sample == 0 && column % kernel.sample == 0 &&
                         from_row < kernel.height && from_column < kernel.width;
      float* out = at(program, kernel.out, call.out_row, row, column);
      accumulate_pixel<WEIGHTED>(
          program, kernel,
          there ? at(program, kernel.in, call.in_row, from_row, from_column) : nullptr, out);
      if (kernel.activation != ACT_LINEAR) activate_pixel(kernel, out);
    }
}

static void multiply(const Program& program, const Kernel& kernel, const Call& call) {
  const bool one_row = kernel.in2_height == 1, one_column = kernel.in2_width == 1;
  const bool one_channel = kernel.in2_channels == 1;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      const float* by = at(program, kernel.in2, call.in2_row, one_row ? 0 : row,
                           one_column ? 0 : column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      for (int first = 0; first < kernel.filters; first += LANES) {
        const int count = smaller(LANES, kernel.filters - first);
        const Vec factor = one_channel ? splat(*by) : load_part(by + first, count);
        const Vec product = load_part(in + first, count) * factor;
        store_part(out + first, activate(kernel.activation, product, splat(kernel.slope)), count);
      }
    }
}

}  // namespace ftdist::FTDIST_NAMESPACE
