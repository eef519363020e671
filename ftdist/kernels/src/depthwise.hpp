// Depthwise convolution: every channel by its own window. Channels lie in the vector's lanes, a few
// pixels at a time keep the multipliers busy. Weights lie as [channels/16][ky][kx][16]; the order of
// the sum is that of the direct convolution.
#pragma once
#include "rows.hpp"
#include "rules.hpp"
#include "sums.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// P pixels by one vector of channels.
template <int P>
static inline void depthwise_pixels(const Program& program, const Kernel& kernel, const Call& call,
                                    const Taps& taps, int row, int column, int channel) {
  const int top = row * kernel.stride_y - kernel.pad_top;
  const int left = column * kernel.stride_x - kernel.pad_left;
  const int64_t step = kernel.stride_x * kernel.in.pixel;
  const int area = kernel.kernel_height * kernel.kernel_width;
  const float* weights = program.weights + kernel.weights +
                         (int64_t)(channel / BLOCK) * BLOCK * area + channel % BLOCK;
  Sums<P, 1> sums;
  const Vec bias = load(program.weights + kernel.bias + channel);
  sums.each([&](Vec& sum, int, int) __attribute__((always_inline)) { sum = bias; });
  for (int y = taps.first; y < taps.last; y++) {
    const float* in =
        at(program, kernel.in, call.in_row, top + y * kernel.dilation_y, left) + channel;
    for (int x = 0; x < kernel.kernel_width; x++) {
      const Vec tap = load(weights + (y * kernel.kernel_width + x) * BLOCK);
      const float* from = in + x * kernel.dilation_x * kernel.in.pixel;
      sums.each([&](Vec& sum, int i, int) __attribute__((always_inline)) {
        sum = fma(tap, load(from + i * step), sum);
      });
    }
  }
  float* out = at(program, kernel.out, call.out_row, row, column) + channel;
  const Epilogue end = {kernel.out.pixel, kernel.slope, kernel.activation,
                        smaller(LANES, kernel.channels - channel)};
  finish<P, 1>(out, sums, end);
}

static void depthwise(const Program& program, const Kernel& kernel, const Call& call) {
  constexpr int P = LANES == 1 ? 1 : 4;
  for (int row = call.row; row < call.row + call.rows; row++) {
    const Taps taps = taps_on_map(row * kernel.stride_y - kernel.pad_top, kernel.kernel_height,
                                  kernel.dilation_y, kernel.height);
    for (int channel = 0; channel < kernel.channels; channel += LANES) {
      int column = kernel.left;
      for (; column + P <= kernel.right; column += P)
        depthwise_pixels<P>(program, kernel, call, taps, row, column, channel);
      for (; column < kernel.right; column++)
        depthwise_pixels<1>(program, kernel, call, taps, row, column, channel);
    }
  }
}

static bool depthwise_fits(const Kernel& k) { return same_channels(k) && k.groups == k.channels; }

static WeightLayout depthwise_weights(const Kernel& k) { return {1, (double)k.filters, 1}; }

constexpr Operation DEPTHWISE[] = {
    {.name = "depthwise",
     .run = depthwise,
     .reads = reads_window,
     .fits = depthwise_fits,
     .weights = depthwise_weights,
     .activates = true,
     .vectors = true,
     .multiplies = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
