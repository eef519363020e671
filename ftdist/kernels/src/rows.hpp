// Where the rows of a call lie in memory.
#pragma once
#include "program.hpp"
#include "simd.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// A pointer to (absolute row, absolute column, channel 0) of a float32 buffer.
static inline float* at(const Program& program, const Buffer& buffer, int first_row, int row,
                        int column) {
  float* base = reinterpret_cast<float*>(program.bases[buffer.base]);
  return base + buffer.offset + (int64_t)(row - first_row) * buffer.row +
         (int64_t)(column - buffer.column) * buffer.pixel;
}

// Applies `act` to a row of floats that lie side by side, the last part of a vector included.
template <class Act> static inline void each_vector(float* to, int64_t count, Act act) {
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) store(to + i, act(i));
  if (i < count) store_part(to + i, act(i), (int)(count - i));
}

// Writes the zeros that consumers read as padding beside the produced columns.
static inline void zero_padding(const Program& program, const Kernel& kernel, const Call& call) {
  const Buffer& out = kernel.out;
  const int stop = out.column + out.columns;
  if (kernel.left == out.column && kernel.right == stop) return;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = out.column; column < stop; column++) {
      if (column == kernel.left) column = kernel.right;
      if (column < stop)
        __builtin_memset(at(program, out, call.out_row, row, column), 0,
                         sizeof(float) * kernel.filters);
    }
}

// The taps [first, last) of a window at `top` that lie on an axis of `size` positions.
struct Taps {
  int first, last;
};
static inline Taps taps_on_map(int top, int kernel, int dilation, int size) {
  const int first = top >= 0 ? 0 : ceil_div(-top, dilation);
  const int last = size <= top ? 0 : ceil_div(size - top, dilation);
  return {smaller(first, kernel), smaller(last, kernel)};
}

}  // namespace ftdist::FTDIST_NAMESPACE
