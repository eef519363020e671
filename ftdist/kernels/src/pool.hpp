// Max and average pooling. Positions outside the map are never read: a maximum does not see them, an
// average counts them only when told to. NaN wins a maximum.
#pragma once
#include "rows.hpp"

namespace ftdist::FTDIST_NAMESPACE {

static inline Vec maximum(Vec best, Vec value) {
  const Vec either = value > best ? value : best;
  return value == value ? either : value;
}

template <bool MAX>
static inline Vec pool_window(const float* in, const Kernel& kernel, const Taps& rows,
                              const Taps& columns) {
  Vec result = splat(MAX ? -__builtin_inff() : 0.0f);
  for (int y = rows.first; y < rows.last; y++) {
    for (int x = columns.first; x < columns.last; x++) {
      const Vec value = load(in + y * kernel.dilation_y * kernel.in.row +
                             x * kernel.dilation_x * kernel.in.pixel);
      result = MAX ? maximum(result, value) : result + value;
    }
  }
  if (MAX) return result;
  const int seen = (rows.last - rows.first) * (columns.last - columns.first);
  const int area = kernel.kernel_height * kernel.kernel_width;
  return result / splat((float)(kernel.count_padding ? area : seen));
}

template <bool MAX>
static void pool(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++) {
    const int top = row * kernel.stride_y - kernel.pad_top;
    const Taps rows = taps_on_map(top, kernel.kernel_height, kernel.dilation_y, kernel.height);
    for (int column = kernel.left; column < kernel.right; column++) {
      const int left = column * kernel.stride_x - kernel.pad_left;
      const Taps columns = taps_on_map(left, kernel.kernel_width, kernel.dilation_x, kernel.width);
      const float* in = at(program, kernel.in, call.in_row, top, left);
      float* out = at(program, kernel.out, call.out_row, row, column);
      for (int channel = 0; channel < kernel.channels; channel += LANES)
        store_part(out + channel, pool_window<MAX>(in + channel, kernel, rows, columns),
                   smaller(LANES, kernel.channels - channel));
    }
  }
}

}  // namespace ftdist::FTDIST_NAMESPACE
