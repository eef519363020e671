// Depthwise convolution: every channel by its own window. Channels lie in the vector's lanes, a few
// pixels at a time keep the multipliers busy. Weights lie as [channels/16][ky][kx][16]; the order of
// the sum is that of the direct convolution.
//
// Every product needs an input and a tap, and loads are no cheaper than products. So the usual
// windows (3x3 and 5x5, strides of 1 and 2) are computed for several pixels of two rows at once: an
// input that is loaded serves all windows that it lies in. Channels are the inner loop, because a
// pixel's channels lie side by side.
#pragma once
#include "rows.hpp"
#include "rules.hpp"
#include "sums.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// Pixels and rows of outputs whose sums are in registers at one time.
constexpr int DEPTHWISE_PIXELS = LANES == 1 ? 1 : 4;
constexpr int DEPTHWISE_ROWS = LANES == 16 ? 2 : 1;  // by the registers that there are
constexpr int DEPTHWISE_WHOLE_ROWS = 4;

// A block of outputs: its first input, which may lie above the map, and its first output.
struct DepthwiseBlock {
  const float* in;
  float* out;
  int first, last;  // input rows that lie on the map, counted from `in`
};

// The sums of ROWS x P pixels by windows of SIZE x SIZE, for one vector of channels.
template <int SIZE, int STRIDE, int ROWS, int P> struct DepthwiseSums {
  static constexpr int IN_ROWS = (ROWS - 1) * STRIDE + SIZE, IN_COLUMNS = (P - 1) * STRIDE + SIZE;
  Sums<P, 1> rows[ROWS];

  [[gnu::always_inline]] inline void begin(Vec bias) {
    unrolled<ROWS>([&](auto r) __attribute__((always_inline)) {
      rows[r].each([&](Vec& sum, int, int) __attribute__((always_inline)) { sum = bias; });
    });
  }

  // What input row Q, whose columns `column` gives, adds to the rows whose windows it lies in.
  template <int Q, class Column>
  [[gnu::always_inline]] inline void add(const Column& column, const float* weights) {
    Vec values[IN_COLUMNS];
    unrolled<IN_COLUMNS>([&](auto x) __attribute__((always_inline)) { values[x] = column(x); });
    unrolled<ROWS>([&](auto r) __attribute__((always_inline)) {
      constexpr int Y = Q - r() * STRIDE;
      if constexpr (Y >= 0 && Y < SIZE)
        FTDIST_UNROLL for (int x = 0; x < SIZE; x++) {
          const Vec tap = load(weights + (Y * SIZE + x) * BLOCK);
          FTDIST_UNROLL for (int i = 0; i < P; i++)
            rows[r].of[i][0] = fma(tap, values[i * STRIDE + x], rows[r].of[i][0]);
        }
    });
  }

  [[gnu::always_inline]] inline void end(const Kernel& kernel, float* out, int channel) {
    const Epilogue end = {kernel.out.pixel, kernel.slope, kernel.activation,
                          smaller(LANES, kernel.channels - channel)};
    unrolled<ROWS>([&](auto r) __attribute__((always_inline)) {
      finish<P, 1>(out + r * kernel.out.row + channel, rows[r], end);
    });
  }
};

// ROWS x P pixels, all channels, by windows of SIZE x SIZE.
template <int SIZE, int STRIDE, int ROWS, int P>
static void depthwise_block(const Program& program, const Kernel& kernel,
                            const DepthwiseBlock& block) {
  typedef DepthwiseSums<SIZE, STRIDE, ROWS, P> Own;
  const int64_t down = kernel.in.row, right = kernel.in.pixel;
  for (int channel = 0; channel < kernel.channels; channel += LANES) {
    const float* weights = program.weights + kernel.weights +
                           (int64_t)(channel / BLOCK) * BLOCK * SIZE * SIZE + channel % BLOCK;
    Own sums;
    sums.begin(load(program.weights + kernel.bias + channel));
    unrolled<Own::IN_ROWS>([&](auto q) __attribute__((always_inline)) {
      if (q < block.first || q >= block.last) return;
      const float* from = block.in + q * down + channel;
      const auto column = [&](int x)
                              __attribute__((always_inline)) { return load(from + x * right); };
      sums.template add<q()>(column, weights);
    });
    sums.end(kernel, block.out, channel);
  }
}

// As that where all rows of the windows lie on the map, for sets with as many registers as NEON, which
// hold the taps of 3x3 too. Each row has a pointer that goes along the channels, each column a distance
// that stays: nothing is reckoned between the loads.
template <int SIZE, int STRIDE, int ROWS, int P>
static void depthwise_whole(const Program& program, const Kernel& kernel,
                            const DepthwiseBlock& block) {
  typedef DepthwiseSums<SIZE, STRIDE, ROWS, P> Own;
  constexpr int TAPS = SIZE * SIZE;
  const float* rows[Own::IN_ROWS];  // of the channels that are next
  int64_t columns[Own::IN_COLUMNS];
  unrolled<Own::IN_ROWS>([&](auto q) { rows[q] = block.in + q * kernel.in.row; });
  unrolled<Own::IN_COLUMNS>([&](auto x) { columns[x] = x * kernel.in.pixel; });
  const float* weights = program.weights + kernel.weights;
  const float* biases = program.weights + kernel.bias;
  for (int channel = 0; channel < kernel.channels; channel += LANES) {
    Own sums;
    sums.begin(load(biases + channel));
    unrolled<Own::IN_ROWS>([&](auto q) __attribute__((always_inline)) {
      const auto column = [&](int x)
                              __attribute__((always_inline)) { return load(rows[q] + columns[x]); };
      sums.template add<q()>(column, weights);
    });
    sums.end(kernel, block.out, channel);
    unrolled<Own::IN_ROWS>([&](auto q) __attribute__((always_inline)) { rows[q] += LANES; });
    weights += (channel + LANES) % BLOCK ? LANES : TAPS * BLOCK - BLOCK + LANES;
  }
}

typedef void (*DepthwisePixels)(const Program&, const Kernel&, const DepthwiseBlock&);

template <int SIZE, int STRIDE, int ROWS, int... P>
static inline DepthwisePixels depthwise_for(int pixels, std::integer_sequence<int, P...>) {
  static const DepthwisePixels table[] = {depthwise_block<SIZE, STRIDE, ROWS, P + 1>...};
  return table[pixels - 1];
}

// Output rows from `row` on, and their columns from `column` on.
template <int STRIDE>
static inline DepthwiseBlock depthwise_place(const Program& program, const Kernel& kernel,
                                             const Call& call, int row, int column, int in_rows) {
  const int top = row * STRIDE - kernel.pad_top;
  return {at(program, kernel.in, call.in_row, top, column * STRIDE - kernel.pad_left),
          at(program, kernel.out, call.out_row, row, column), larger(0, -top),
          smaller(in_rows, kernel.height - top)};
}

// ROWS rows from `row` on, from a column on.
template <int SIZE, int STRIDE, int ROWS>
static inline void depthwise_rows(const Program& program, const Kernel& kernel, const Call& call,
                                  int row, int column) {
  const int in_rows = (ROWS - 1) * STRIDE + SIZE;
  const int parts = ceil_div(kernel.right - column, DEPTHWISE_PIXELS);
  for (int part = 0; part < parts; part++) {
    const int count = ceil_div(kernel.right - column, parts - part);
    depthwise_for<SIZE, STRIDE, ROWS>(
        count, std::make_integer_sequence<int, DEPTHWISE_PIXELS>{})(
        program, kernel, depthwise_place<STRIDE>(program, kernel, call, row, column, in_rows));
    column += count;
  }
}

// The columns of some rows from `row` on that can be computed by whole windows, as many as there are at
// one time; returns the column after them.
template <int SIZE, int STRIDE>
static inline int depthwise_inside(const Program& program, const Kernel& kernel, const Call& call,
                                   int row) {
  constexpr int ROWS = DEPTHWISE_WHOLE_ROWS, P = DEPTHWISE_PIXELS;
  constexpr int IN_ROWS = (ROWS - 1) * STRIDE + SIZE;
  const int top = row * STRIDE - kernel.pad_top;
  int column = kernel.left;
  if (top < 0 || top + IN_ROWS > kernel.height) return column;
  for (; column + P <= kernel.right; column += P)
    depthwise_whole<SIZE, STRIDE, ROWS, P>(
        program, kernel, depthwise_place<STRIDE>(program, kernel, call, row, column, IN_ROWS));
  return column;
}

template <int SIZE, int STRIDE>
static void depthwise_usual(const Program& program, const Kernel& kernel, const Call& call) {
  const int stop = call.row + call.rows;
  int row = call.row;
  if constexpr (BY_LANE)
    for (; row + DEPTHWISE_WHOLE_ROWS <= stop; row += DEPTHWISE_WHOLE_ROWS) {
      const int column = depthwise_inside<SIZE, STRIDE>(program, kernel, call, row);
      for (int own = row; own < row + DEPTHWISE_WHOLE_ROWS; own++)
        depthwise_rows<SIZE, STRIDE, 1>(program, kernel, call, own, column);
    }
  for (; row + DEPTHWISE_ROWS <= stop; row += DEPTHWISE_ROWS)
    depthwise_rows<SIZE, STRIDE, DEPTHWISE_ROWS>(program, kernel, call, row, kernel.left);
  for (; row < stop; row++)
    depthwise_rows<SIZE, STRIDE, 1>(program, kernel, call, row, kernel.left);
}

// P pixels by one vector of channels, by a window of any size.
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

static void depthwise_any(const Program& program, const Kernel& kernel, const Call& call) {
  constexpr int P = DEPTHWISE_PIXELS;
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

static void depthwise(const Program& program, const Kernel& kernel, const Call& call) {
  const auto is = [&](int size, int stride) {
    return kernel.kernel_height == size && kernel.kernel_width == size &&
           kernel.stride_y == stride && kernel.stride_x == stride && kernel.dilation_y == 1 &&
           kernel.dilation_x == 1;
  };
  const auto run = is(3, 1)   ? depthwise_usual<3, 1>
                   : is(3, 2) ? depthwise_usual<3, 2>
                   : is(5, 1) ? depthwise_usual<5, 1>
                   : is(5, 2) ? depthwise_usual<5, 2>
                              : depthwise_any;
  run(program, kernel, call);
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
