// Max and average pooling. Positions outside the map are never read: a maximum does not see them, an
// average counts them only when told to. NaN wins a maximum.
#pragma once
#include "rows.hpp"
#include "rules.hpp"

namespace ftdist::FTDIST_NAMESPACE {

static inline Vec maximum(Vec best, Vec value) {
  const Vec either = larger(value, best);  // the second where one is NaN
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

// The 2x2 maximum of windows that lie on the map, as most networks have it; in the same order.
static inline void max_2x2_row(const Kernel& kernel, const float* in, float* out, int pixels) {
  const int64_t down = kernel.in.row, right = kernel.in.pixel;
  for (int x = 0; x < pixels; x++, in += kernel.stride_x * right, out += kernel.out.pixel) {
    for (int channel = 0; channel < kernel.channels; channel += LANES) {
      const float* from = in + channel;
      const Vec top = maximum(load(from), load(from + right));
      const Vec bottom = maximum(load(from + down), load(from + down + right));
      store_part(out + channel, maximum(top, bottom), smaller(LANES, kernel.channels - channel));
    }
  }
}

static inline bool is_plain_2x2(const Kernel& kernel, const Call& call) {
  const int bottom = (call.row + call.rows - 1) * kernel.stride_y - kernel.pad_top + 2;
  const int right = (kernel.right - 1) * kernel.stride_x - kernel.pad_left + 2;
  return kernel.kernel_height == 2 && kernel.kernel_width == 2 && kernel.dilation_y == 1 &&
         kernel.dilation_x == 1 && call.row * kernel.stride_y >= kernel.pad_top &&
         kernel.left * kernel.stride_x >= kernel.pad_left && bottom <= kernel.height &&
         right <= kernel.width;
}

static void max_pool_2x2(const Program& program, const Kernel& kernel, const Call& call) {
  const int left = kernel.left * kernel.stride_x - kernel.pad_left;
  for (int row = call.row; row < call.row + call.rows; row++) {
    const int top = row * kernel.stride_y - kernel.pad_top;
    max_2x2_row(kernel, at(program, kernel.in, call.in_row, top, left),
                at(program, kernel.out, call.out_row, row, kernel.left),
                kernel.right - kernel.left);
  }
}

template <bool MAX>
static void pool(const Program& program, const Kernel& kernel, const Call& call) {
  if (MAX && is_plain_2x2(kernel, call)) return max_pool_2x2(program, kernel, call);
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

constexpr Operation POOL[] = {
    {.name = "max_pool",
     .run = pool<true>,
     .reads = reads_map_window,
     .fits = same_channels,
     .vectors = true},
    {.name = "average_pool",
     .run = pool<false>,
     .reads = reads_map_window,
     .fits = same_channels,
     .vectors = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
