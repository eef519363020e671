// Transposed convolution, any strides, dilations and groups: each output element gathers its taps.
//
// Output position o and tap k meet the input position (o + pad - k * dilation) / stride, where that
// is a whole number and on the map. Sums go bias, then ky, kx, input channel, over the taps that
// meet one, in partial sums (runs.hpp). Output pixels `stride` apart meet the same taps of
// neighbouring input pixels: as many of them by a block of 16 output channels stay in registers as in
// a convolution, whose weights lie so too.
#pragma once
#include "rows.hpp"
#include "rules.hpp"
#include "runs.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// The input position that a tap meets; false where there is none. `place`: o + pad - k * dilation.
static inline bool meets(int place, int stride, int size, int& position) {
  position = place / stride;
  return place >= 0 && place % stride == 0 && position < size;
}

// The taps that may meet a position of the map, first to last, where far more do not: constants that
// lie as maps are windows of a map's size over a single position.
static inline Span near_taps(int64_t place, int64_t stride, int64_t size, int64_t kernel,
                             int64_t dilation) {
  const int64_t beside = place - stride * size + 1;  // below the first place that is on the map
  return clipped({beside > 0 ? (beside + dilation - 1) / dilation : 0,
                  place < 0 ? 0 : place / dilation + 1}, kernel);
}

// One block of output channels: where its weights are, and the channels that it reads and writes.
struct SpreadBlock {
  const float *weights, *bias;
  int reads_from, writes_to, channels;
};

// P output pixels, a stride apart, whose taps are all on the map; or one anywhere.
template <int P>
static void spread_pixels(const Program& program, const Kernel& kernel, const Call& call,
                                 const SpreadBlock& block, int row, int column) {
  constexpr int N = BLOCK / LANES;
  const int depth = kernel.channels / kernel.groups;
  Ahead none = {block.weights, 0, 0};
  alignas(64) float before[P * N * LANES];
  LongSums<P, N> all(before);
  all.sums.each([&](Vec& sum, int, int j) __attribute__((always_inline)) {
    sum = load(block.bias + j * LANES);
  });
  const Span down = near_taps(row + kernel.pad_top, kernel.stride_y, kernel.height,
                              kernel.kernel_height, kernel.dilation_y);
  const Span across = near_taps(column + kernel.pad_left, kernel.stride_x, kernel.width,
                                kernel.kernel_width, kernel.dilation_x);
  for (int ky = (int)down.first; ky < down.last; ky++) {
    int y, x;
    if (!meets(row + kernel.pad_top - ky * kernel.dilation_y, kernel.stride_y, kernel.height, y))
      continue;
    for (int kx = (int)across.first; kx < across.last; kx++) {
      if (!meets(column + kernel.pad_left - kx * kernel.dilation_x, kernel.stride_x, kernel.width, x))
        continue;
      const float* from = at(program, kernel.in, call.in_row, y, x) + block.reads_from;
      const float* weights =
          block.weights + ((int64_t)ky * kernel.kernel_width + kx) * depth * BLOCK;
      all.template add<1>(from, kernel.in.pixel, depth, weights, 0, none);
    }
  }
  const Epilogue end = {kernel.stride_x * kernel.out.pixel, kernel.slope, kernel.activation,
                        block.channels};
  all.put_together();
  finish<P, N>(at(program, kernel.out, call.out_row, row, column) + block.writes_to, all.sums, end);
}

typedef void (*SpreadPixels)(const Program&, const Kernel&, const Call&, const SpreadBlock&, int,
                             int);

template <int... P>
static inline SpreadPixels pick_spread(int pixels, std::integer_sequence<int, P...>) {
  static const SpreadPixels table[] = {spread_pixels<P + 1>...};
  return table[pixels - 1];
}

// Pixels from `column` on, a stride apart, with all taps on the map: as many as are to be made, cut
// into parts of much the same size. One where there are none.
static inline int spread_pixel_count(const Kernel& kernel, int column) {
  const int stride = kernel.stride_x, place = column + kernel.pad_left;
  const int reach = (kernel.kernel_width - 1) * kernel.dilation_x;
  const int count = smaller(kernel.width - place / stride, ceil_div(kernel.right - column, stride));
  return place < reach || count < 1 ? 1 : ceil_div(count, ceil_div(count, PIXELS));
}

static void spread_block(const Program& program, const Kernel& kernel, const Call& call,
                         const SpreadBlock& block) {
  const int stride = kernel.stride_x;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int phase = 0; phase < smaller(stride, kernel.right - kernel.left); phase++)
      for (int64_t column = kernel.left + phase; column < kernel.right;) {
        const int pixels = spread_pixel_count(kernel, (int)column);
        const auto make = pick_spread(pixels, std::make_integer_sequence<int, PIXELS>{});
        make(program, kernel, call, block, row, (int)column);
        column += (int64_t)pixels * stride;
      }
}

static void transposed_convolution(const Program& program, const Kernel& kernel,
                                   const Call& call) {
  const int depth = kernel.channels / kernel.groups, own = kernel.filters / kernel.groups;
  const int blocks = ceil_div(own, BLOCK);
  const int64_t step = (int64_t)kernel.kernel_height * kernel.kernel_width * depth * BLOCK;
  for (int group = 0; group < kernel.groups; group++)
    for (int number = 0; number < blocks; number++) {
      const int64_t each = (int64_t)group * blocks + number;
      const int64_t place = kernel.weights + each * step, bias = kernel.bias + each * BLOCK;
      SpreadBlock block = {program.weights + place, program.weights + bias, group * depth,
                           group * own + number * BLOCK, smaller(BLOCK, own - number * BLOCK)};
      if (kernel.streamed) {
        float* window = reinterpret_cast<float*>(program.bases[0]) + kernel.window;
        if (!read_piece(program, {place, step, bias, BLOCK}, window)) return;
        read_ahead(program, place + step, step);
        block.weights = window, block.bias = window + step;
      }
      spread_block(program, kernel, call, block);
    }
}

// The input positions, on the map, that output positions [first, last) may meet.
static inline bool spread_reads(Span& output, int64_t stride, int64_t pad, int64_t kernel,
                                int64_t dilation, int64_t size) {
  const Span places = {output.first + pad - (kernel - 1) * dilation, output.last + pad};
  if (!is_near(places) || !is_near(output)) return false;
  output = clipped({places.first > 0 ? (places.first + stride - 1) / stride : 0,
                    (places.last - 1) / stride + 1}, size);
  return true;
}

static bool transposed_reads(const Kernel& k, Area& area) {
  return spread_reads(area.rows, k.stride_y, k.pad_top, k.kernel_height, k.dilation_y, k.height) &&
         spread_reads(area.columns, k.stride_x, k.pad_left, k.kernel_width, k.dilation_x, k.width);
}

static bool transposed_fits(const Kernel& k) {
  return k.channels % k.groups == 0 && k.filters % k.groups == 0;
}

static WeightLayout transposed_weights(const Kernel& k) {
  return {(double)k.groups, (double)(k.filters / k.groups), (double)(k.channels / k.groups)};
}

constexpr Operation TRANSPOSED[] = {
    {.name = "transposed_convolution",
     .run = transposed_convolution,
     .reads = transposed_reads,
     .fits = transposed_fits,
     .weights = transposed_weights,
     .activates = true,
     .streams = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
