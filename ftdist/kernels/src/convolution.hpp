// Direct convolution, 1x1 and general, any groups.
//
// One micro-kernel: `P` pixels of a row by `B` blocks of 16 output channels stay in registers while
// all taps and input channels stream past in the fixed order (ky, kx, ic), each product added by one
// fused multiply-add onto the bias. Weights lie as [filters/16][ky][kx][ic][16]. Columns outside the
// map are zeros stored beside the rows; rows outside the map are skipped. Where a pool takes the
// maximum of every 2x2 pixels and nobody else wants them, only the maxima are written: the pixels go
// to a scratch of some KB that stays in the first cache.
#pragma once
#include "pool.hpp"
#include "runs.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// The input of a block of pixels, as nested runs: rows, then runs of `length` contiguous floats.
struct Runs {
  int rows, runs, length;
  int64_t row_step, run_step, pixel_step;
  int64_t block_step;  // floats of weights from a block of 16 output channels to the next
};

template <int P, int B>
static void micro(const float* in, const Runs& runs, const float* weights, const float* bias,
                  float* out, const Epilogue& end) {
  constexpr int N = B * BLOCK / LANES;
  Sums<P, N> sums;
  sums.each([&](Vec& sum, int, int j) __attribute__((always_inline)) {
    sum = load(bias + j * LANES);
  });
  for (int y = 0; y < runs.rows; y++) {
    for (int x = 0; x < runs.runs; x++) {
      const float* from = in + y * runs.row_step + x * runs.run_step;
      weights = add_run<P, B>(from, runs.pixel_step, runs.length, weights, runs.block_step, sums);
    }
  }
  finish<P, N>(out, sums, end);
}

typedef void (*Micro)(const float*, const Runs&, const float*, const float*, float*,
                      const Epilogue&);

template <int B, int... P> static inline Micro pick(int pixels) {
  static const Micro table[] = {micro<P + 1, B>...};
  return table[pixels - 1];
}

template <int B> static inline Micro micro_for(int pixels) {
#if defined(FTDIST_AVX512)
  if constexpr (B == 2) return pick<2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11>(pixels);
  return pick<1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13>(pixels);
#elif defined(FTDIST_AVX2) || defined(FTDIST_NEON)
  return pick<1, 0, 1, 2, 3, 4, 5>(pixels);
#elif defined(FTDIST_SSE2)
  return pick<1, 0, 1>(pixels);
#else
  return pick<1, 0>(pixels);
#endif
}

// What one output row reads: its first input, the taps that lie on the map, and their weights.
struct Row {
  const float* in;
  const float* weights;
  Runs runs;
};

// One output row by B blocks of output channels.
template <int B, int MOST>
static inline void row_of_blocks(const Row& row, const float* bias, float* out, int pixels,
                                 const Epilogue& end) {
  const int parts = ceil_div(pixels, MOST);
  for (int part = 0, x = 0; part < parts; part++) {
    const int count = ceil_div(pixels - x, parts - part);
    micro_for<B>(count)(row.in + x * row.runs.pixel_step, row.runs, row.weights, bias,
                        out + x * end.pixel_step, end);
    x += count;
  }
}

// As that, but the maxima over windows of two rows or columns: `pixels` counts windows.
template <int B, int MOST>
static inline void row_of_maxima(const Row* rows, const Kernel& kernel, const float* bias,
                                 float* out, int pixels, const Epilogue& end) {
  constexpr int FLOATS = B * BLOCK, PAIRS = larger(1, MOST / POOL_MOST);
  alignas(64) float scratch[POOL_MOST][PAIRS * POOL_MOST * FLOATS];
  const int height = kernel.pool_height, width = kernel.pool_width;
  const Epilogue whole = {FLOATS, end.slope, end.activation, FLOATS};
  const int parts = ceil_div(pixels, PAIRS);
  for (int part = 0, done = 0; part < parts; part++) {
    const int count = ceil_div(pixels - done, parts - part);
    for (int y = 0; y < height; y++) {
      Row from = rows[y];
      from.in += done * width * from.runs.pixel_step;
      row_of_blocks<B, MOST>(from, bias, scratch[y], count * width, whole);
    }
    for (int i = 0; i < count; i++)
      for (int channel = 0; channel < end.channels; channel += LANES) {
        const int64_t first = (int64_t)i * width * FLOATS + channel;
        Vec best = splat(-__builtin_inff());
        for (int y = 0; y < height; y++)
          for (int x = 0; x < width; x++)
            best = maximum(best, load(scratch[y] + first + x * FLOATS));
        store_part(out + (done + i) * end.pixel_step + channel, best,
                   smaller(LANES, end.channels - channel));
      }
    done += count;
  }
}

template <int B, int MOST>
static inline void one_row(const Row* rows, const Kernel& kernel, const float* bias, float* out,
                           const Epilogue& end) {
  const int pixels = kernel.right - kernel.left;
  if (kernel.pool_height * kernel.pool_width == 1)
    row_of_blocks<B, MOST>(*rows, bias, out, pixels, end);
  else
    row_of_maxima<B, MOST>(rows, kernel, bias, out, pixels, end);
}

static void convolution(const Program& program, const Kernel& kernel, const Call& call) {
  const int group_in = kernel.channels / kernel.groups;
  const int group_out = kernel.filters / kernel.groups;
  const int blocks = ceil_div(group_out, BLOCK);
  const int64_t row_taps = (int64_t)kernel.kernel_width * group_in;
  const bool merged = kernel.dilation_x == 1 && kernel.in.pixel == group_in;
  Runs runs;
  runs.runs = merged ? 1 : kernel.kernel_width;
  runs.length = merged ? (int)row_taps : group_in;
  runs.row_step = kernel.dilation_y * kernel.in.row;
  runs.run_step = kernel.dilation_x * kernel.in.pixel;
  runs.pixel_step = kernel.stride_x * kernel.in.pixel;
  runs.block_step = kernel.kernel_height * row_taps * BLOCK;
  const int column = kernel.left * kernel.pool_width * kernel.stride_x - kernel.pad_left;
  for (int group = 0; group < kernel.groups; group++) {
    for (int block = 0; block < blocks;) {
      const bool wide = WIDE_PIXELS > 0 && block + 1 < blocks;
      const int first = group * blocks + block;  // counted over all groups
      const int64_t place = kernel.weights + first * runs.block_step;
      const float* weights = program.weights + place;
      const float* bias = program.weights + kernel.bias + (int64_t)first * BLOCK;
      if (kernel.streamed) {
        const int blocks_wide = wide ? 2 : 1;
        const Piece piece = {place, blocks_wide * runs.block_step,
                             kernel.bias + (int64_t)first * BLOCK, blocks_wide * BLOCK};
        float* window = reinterpret_cast<float*>(program.bases[0]) + kernel.window;
        if (!read_piece(program, piece, window)) return;
        read_ahead(program, place + piece.weight_count, piece.weight_count);
        weights = window;
        bias = window + piece.weight_count;
      }
      const int left_over = group_out - block * BLOCK;
      const Epilogue end = {kernel.out.pixel, kernel.slope, kernel.activation,
                            smaller(left_over, wide ? 2 * BLOCK : BLOCK)};
      for (int row = call.row; row < call.row + call.rows; row++) {
        Row rows[POOL_MOST];
        for (int y = 0; y < kernel.pool_height; y++) {
          const int top =
              (row * kernel.pool_height + y) * kernel.stride_y - kernel.pad_top;
          const Taps taps =
              taps_on_map(top, kernel.kernel_height, kernel.dilation_y, kernel.height);
          runs.rows = larger(0, taps.last - taps.first);
          const int in_row = runs.rows ? top + taps.first * kernel.dilation_y : call.in_row;
          rows[y] = {at(program, kernel.in, call.in_row, in_row, column) + group * group_in,
                     weights + taps.first * row_taps * BLOCK, runs};
        }
        float* out = at(program, kernel.out, call.out_row, row, kernel.left) + group * group_out +
                     block * BLOCK;
        if constexpr (WIDE_PIXELS > 0) {
          if (wide) {
            one_row<2, WIDE_PIXELS>(rows, kernel, bias, out, end);
            continue;
          }
        }
        one_row<1, PIXELS>(rows, kernel, bias, out, end);
      }
      block += wide ? 2 : 1;
    }
  }
}

static bool convolution_fits(const Kernel& k) {
  return k.channels % k.groups == 0 && k.filters % k.groups == 0;
}

static WeightLayout convolution_weights(const Kernel& k) {
  return {(double)k.groups, (double)(k.filters / k.groups), (double)(k.channels / k.groups)};
}

constexpr Operation CONVOLUTION[] = {
    {.name = "convolution",
     .run = convolution,
     .reads = reads_window,
     .fits = convolution_fits,
     .weights = convolution_weights,
     .activates = true,
     .streams = true,
     .pools = true,
     .multiplies = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
