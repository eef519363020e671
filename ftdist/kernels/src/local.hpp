// A convolution whose weights differ from position to position. Sums as in convolution.hpp: bias,
// then ky, kx, input channel, in partial sums.
#pragma once
#include "rows.hpp"
#include "rules.hpp"
#include "runs.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// One block of output channels at one position.
static inline void local_block(const Kernel& kernel, const float* in, const Taps& rows,
                               const float* weights, const float* bias, float* out,
                               const Epilogue& end) {
  constexpr int N = BLOCK / LANES;
  alignas(64) float before[N * LANES];
  LongSums<1, N> all(before);
  Ahead none = {weights, 0, 0};
  all.sums.each([&](Vec& sum, int, int j) { sum = load(bias + j * LANES); });
  weights += (int64_t)rows.first * kernel.kernel_width * kernel.channels * BLOCK;
  for (int y = rows.first; y < rows.last; y++)
    for (int x = 0; x < kernel.kernel_width; x++) {
      const float* from = in + y * kernel.dilation_y * kernel.in.row +
                          x * kernel.dilation_x * kernel.in.pixel;
      weights = all.template add<1>(from, 0, kernel.channels, weights, 0, none);
    }
  all.put_together();
  finish<1, N>(out, all.sums, end);
}

static void local(const Program& program, const Kernel& kernel, const Call& call) {
  const int blocks = ceil_div(kernel.filters, BLOCK);
  const int64_t step =
      (int64_t)kernel.kernel_height * kernel.kernel_width * kernel.channels * BLOCK;
  for (int row = call.row; row < call.row + call.rows; row++) {
    const int top = row * kernel.stride_y - kernel.pad_top;
    const Taps taps = taps_on_map(top, kernel.kernel_height, kernel.dilation_y, kernel.height);
    for (int column = kernel.left; column < kernel.right; column++) {
      const int left = column * kernel.stride_x - kernel.pad_left;
      const float* in = at(program, kernel.in, call.in_row, top, left);
      float* out = at(program, kernel.out, call.out_row, row, column);
      const int64_t position = (int64_t)row * kernel.out_width + column;
      for (int block = 0; block < blocks; block++) {
        const int64_t number = position * blocks + block;
        const int64_t place = kernel.weights + number * step;
        const int64_t bias_place = kernel.bias + number * BLOCK;
        const float* weights = program.weights + place;
        const float* bias = program.weights + bias_place;
        if (kernel.streamed) {
          float* window = reinterpret_cast<float*>(program.bases[0]) + kernel.window;
          if (!read_piece(program, {place, step, bias_place, BLOCK}, window)) return;
          read_ahead(program, place + step, step);
          weights = window, bias = window + step;
        }
        const Epilogue end = {kernel.out.pixel, kernel.slope, kernel.activation,
                              smaller(BLOCK, kernel.filters - block * BLOCK)};
        local_block(kernel, in, taps, weights, bias, out + block * BLOCK, end);
      }
    }
  }
}

static bool local_reads(const Kernel& k, Area& area) {
  if (area.rows.last > k.out_height || area.columns.first < 0 || area.columns.last > k.out_width)
    return false;
  return reads_window(k, area);
}

static bool local_fits(const Kernel& k) {
  return k.groups == 1 && k.out_height >= 1 && k.out_width >= 1;
}

static WeightLayout local_weights(const Kernel& k) {
  return {(double)k.out_height * k.out_width, (double)k.filters, (double)k.channels};
}

constexpr Operation LOCAL[] = {
    {.name = "local",
     .run = local,
     .reads = local_reads,
     .fits = local_fits,
     .weights = local_weights,
     .activates = true,
     .streams = true,
     .multiplies = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
