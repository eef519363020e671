// 3x3 convolution with stride 1 by Winograd's minimal filtering, F(M,3) for M = 2 and 4.
//
// A block of M x M outputs is A^T [ (G g G^T) * (B^T d B) ] A for d its (M+2) x (M+2) inputs (Lavin and
// Gray, arXiv:1509.09308): (M+2)^2 products a channel instead of 9 M^2. Blocks begin at multiples of M of
// the whole map's rows and columns, never at a tile's corner, and each product is summed over the
// input channels in order by fused multiply-adds, so no cut changes a bit. What a call does not want
// of a block is computed and dropped.
//
// A call takes `tiles` blocks at a time: it transforms their inputs into scratch, V[(M+2)^2][tiles]
// [channels]; then for every one or two blocks of 16 output channels it multiplies (the micro-kernel of
// the direct convolution) into P[(M+2)^2][tiles][outputs] and transforms back, adds the bias,
// activates, takes the pool's maxima and writes. Transformed weights G g G^T (transform.cpp) lie in
// base `table` as [filters/16][(M+2)^2][channels][16], and the bias behind them. `size` is M.
#pragma once
#include "convolution.hpp"
#include "rules.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// The transforms of one row or column of a block; points 0, 1, -1 (2, -2) and infinity.
template <int M> struct Minimal;

template <> struct Minimal<2> {
  template <class In, class Out> static inline void input(const In& d, const Out& o) {
    o(0, d(0) - d(2));
    o(1, d(1) + d(2));
    o(2, d(2) - d(1));
    o(3, d(1) - d(3));
  }
  template <class In, class Out> static inline void output(const In& m, const Out& o) {
    o(0, m(0) + m(1) + m(2));
    o(1, m(1) - m(2) - m(3));
  }
};

template <> struct Minimal<4> {
  template <class In, class Out> static inline void input(const In& d, const Out& o) {
    const Vec two = splat(2.0f), four = splat(4.0f), five = splat(5.0f);
    const Vec d0 = d(0), d1 = d(1), d2 = d(2), d3 = d(3), d4 = d(4), d5 = d(5);
    o(0, fma(-five, d2, fma(four, d0, d4)));
    const Vec a = fma(-four, d2, d4), b = fma(-four, d1, d3);
    o(1, a + b);
    o(2, a - b);
    const Vec c = d4 - d2, e = two * (d3 - d1);
    o(3, c + e);
    o(4, c - e);
    o(5, fma(-five, d3, fma(four, d1, d5)));
  }
  template <class In, class Out> static inline void output(const In& m, const Out& o) {
    const Vec two = splat(2.0f), four = splat(4.0f), eight = splat(8.0f);
    const Vec m1 = m(1), m2 = m(2), m3 = m(3), m4 = m(4);
    const Vec a = m1 + m2, b = m1 - m2, g = m3 + m4, h = m3 - m4;
    o(0, m(0) + a + g);
    o(1, fma(two, h, b));
    o(2, fma(four, g, a));
    o(3, fma(eight, h, b) + m(5));
  }
};

// The inputs of one block that lie on the map.
struct BlockInput {
  const float* in;  // of the block's first input, which may lie beside the map
  Taps rows, columns;
};

template <int M>
[[gnu::always_inline]] static inline void transform_input(const BlockInput& block, const Buffer& from,
                                                          int channels, float* to,
                                                          int64_t product_step) {
  constexpr int SIDE = M + 2;
  const bool whole = block.rows.first == 0 && block.rows.last == SIDE && block.columns.first == 0 &&
                     block.columns.last == SIDE;
  for (int channel = 0; channel < channels; channel += LANES) {
    const int count = smaller(LANES, channels - channel);
    Vec d[SIDE][SIDE], e[SIDE][SIDE];
    if (whole && count == LANES) {
      unrolled<SIDE>([&](auto y) __attribute__((always_inline)) {
        unrolled<SIDE>([&](auto x) __attribute__((always_inline)) {
          d[y][x] = load(block.in + y * from.row + x * from.pixel + channel);
        });
      });
    } else {
      for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
          const bool there = y >= block.rows.first && y < block.rows.last &&
                             x >= block.columns.first && x < block.columns.last;
          d[y][x] = there ? load_part(block.in + y * from.row + x * from.pixel + channel, count)
                          : splat(0.0f);
        }
    }
    unrolled<SIDE>([&](auto x) __attribute__((always_inline)) {
      Minimal<M>::input([&](int y) __attribute__((always_inline)) { return d[y][x]; },
                        [&](int y, Vec v) __attribute__((always_inline)) { e[y][x] = v; });
    });
    unrolled<SIDE>([&](auto y) __attribute__((always_inline)) {
      Minimal<M>::input(
          [&](int x) __attribute__((always_inline)) { return e[y][x]; },
          [&](int x, Vec v) __attribute__((always_inline)) {
            store_part(to + (y * SIDE + x) * product_step + channel, v, count);
          });
    });
  }
}

// Where the outputs of one block go: positions of it that the call wants, counted in pooled ones.
struct BlockOutput {
  float* out;  // of the block's first pooled position
  int64_t row_step;
  int top, bottom, left, right;
};

template <int M>
static inline void transform_output(const float* products, int64_t product_step,
                                    const float* bias, const BlockOutput& block,
                                    const Kernel& kernel, const Epilogue& end) {
  constexpr int SIDE = M + 2;
  for (int channel = 0; channel < end.channels; channel += LANES) {
    const int count = smaller(LANES, end.channels - channel);
    Vec e[M][SIDE], z[M][M];
    unrolled<SIDE>([&](auto x) __attribute__((always_inline)) {
      Minimal<M>::output(
          [&](int y) __attribute__((always_inline)) {
            return load(products + (y * SIDE + x) * product_step + channel);
          },
          [&](int y, Vec v) __attribute__((always_inline)) { e[y][x] = v; });
    });
    const Vec shift = load(bias + channel), slope = splat(end.slope);
    unrolled<M>([&](auto y) __attribute__((always_inline)) {
      Minimal<M>::output([&](int x) __attribute__((always_inline)) { return e[y][x]; },
                         [&](int x, Vec v) __attribute__((always_inline)) { z[y][x] = v + shift; });
    });
    if (end.activation == ACT_LEAKY && end.slope > 0.0f && end.slope <= 1.0f) {
      unrolled<M * M>([&](auto i) __attribute__((always_inline)) {
        Vec& v = z[i / M][i % M];
        v = larger(v * slope, v);
      });
    } else if (end.activation == ACT_RELU) {
      unrolled<M * M>([&](auto i) __attribute__((always_inline)) {
        Vec& v = z[i / M][i % M];
        v = activate<ACT_RELU>(v, slope);
      });
    } else if (end.activation != ACT_LINEAR) {
      for (int i = 0; i < M * M; i++)
        z[i / M][i % M] = activate_rarely(end.activation, z[i / M][i % M], slope);
    }
    const int down = kernel.pool_height, across = kernel.pool_width;
    for (int y = block.top; y < block.bottom; y++)
      for (int x = block.left; x < block.right; x++) {
        Vec best = z[y * down][x * across];
        if (down * across > 1) {
          best = splat(-__builtin_inff());
          for (int i = 0; i < down; i++)
            for (int j = 0; j < across; j++) best = maximum(best, z[y * down + i][x * across + j]);
        }
        store_part(block.out + y * block.row_step + x * end.pixel_step + channel, best, count);
      }
  }
}

// The blocks of a call, counted row by row.
template <int M> struct Blocks {
  const Program& program;
  const Kernel& kernel;
  const Call& call;
  int first_row, first_column, across, count;

  Blocks(const Program& p, const Kernel& k, const Call& c) : program(p), kernel(k), call(c) {
    const int top = c.row * k.pool_height, bottom = (c.row + c.rows) * k.pool_height;
    const int left = k.left * k.pool_width, right = k.right * k.pool_width;
    first_row = top / M;
    first_column = left / M;
    across = ceil_div(right, M) - first_column;
    count = (ceil_div(bottom, M) - first_row) * across;
  }

  BlockInput input(int number) const {
    const int row = (first_row + number / across) * M - kernel.pad_top;
    const int column = (first_column + number % across) * M - kernel.pad_left;
    const Taps rows = taps_on_map(row, M + 2, 1, kernel.height);
    const Taps columns = taps_on_map(column, M + 2, 1, kernel.width);
    return {at(program, kernel.in, call.in_row, row, column), rows, columns};
  }

  BlockOutput output(int number) const {
    const int rows = M / kernel.pool_height, columns = M / kernel.pool_width;
    const int row = (first_row + number / across) * rows;
    const int column = (first_column + number % across) * columns;
    return {at(program, kernel.out, call.out_row, row, column), kernel.out.row,
            larger(0, call.row - row), smaller(rows, call.row + call.rows - row),
            larger(0, kernel.left - column), smaller(columns, kernel.right - column)};
  }
};

template <int M, int B, int MOST>
static inline void products(const float* inputs, int blocks, int channels, const float* weights,
                            float* out) {
  constexpr int COUNT = (M + 2) * (M + 2), WIDTH = B * BLOCK;
  alignas(64) static const float nothing[WIDTH] = {};
  const int64_t product = (int64_t)channels * BLOCK;
  Row row = {inputs, weights, {1, 1, channels, 0, 0, channels, COUNT * product}};
  const Epilogue end = {WIDTH, 0.0f, ACT_LINEAR, WIDTH};
  for (int i = 0; i < COUNT; i++) {
    row_of_blocks<B, MOST>(row, nothing, out, blocks, end);
    row.in += (int64_t)blocks * channels;
    row.weights += product;
    out += blocks * WIDTH;
  }
}

template <int M>
static void winograd_by(const Program& program, const Kernel& kernel, const Call& call) {
  constexpr int COUNT = (M + 2) * (M + 2);
  const Blocks<M> all(program, kernel, call);
  const float* table = reinterpret_cast<const float*>(program.bases[kernel.table]);
  float* inputs = reinterpret_cast<float*>(program.bases[0]) + kernel.scratch;
  const int channels = kernel.channels, blocks = ceil_div(kernel.filters, BLOCK);
  const int64_t block_step = (int64_t)COUNT * channels * BLOCK;
  const int parts = ceil_div(all.count, kernel.tiles);
  for (int part = 0, first = 0; part < parts; part++) {
    const int count = ceil_div(all.count - first, parts - part);
    float* out = inputs + (int64_t)COUNT * kernel.tiles * channels;
    for (int i = 0; i < count; i++)
      transform_input<M>(all.input(first + i), kernel.in, channels, inputs + (int64_t)i * channels,
                         (int64_t)count * channels);
    for (int block = 0; block < blocks;) {
      const bool wide = WIDE_PIXELS > 0 && block + 1 < blocks;
      const int width = (wide ? 2 : 1) * BLOCK;
      const float* weights = table + kernel.weights + block * block_step;
      const float* bias = table + kernel.bias + (int64_t)block * BLOCK;
      if constexpr (WIDE_PIXELS > 0) {
        if (wide) products<M, 2, WIDE_PIXELS>(inputs, count, channels, weights, out);
      }
      if (!wide) products<M, 1, PIXELS>(inputs, count, channels, weights, out);
      const Epilogue end = {kernel.out.pixel, kernel.slope, kernel.activation,
                            smaller(width, kernel.filters - block * BLOCK)};
      for (int i = 0; i < count; i++) {
        BlockOutput to = all.output(first + i);
        to.out += block * BLOCK;
        transform_output<M>(out + (int64_t)i * width, (int64_t)count * width, bias, to, kernel, end);
      }
      block += wide ? 2 : 1;
    }
    first += count;
  }
}

static void winograd(const Program& program, const Kernel& kernel, const Call& call) {
  return kernel.size == 2 ? winograd_by<2>(program, kernel, call)
                          : winograd_by<4>(program, kernel, call);
}

// The positions that whole blocks span, counted from 0.
static inline Span whole_blocks(Span span, int64_t size) {
  return {span.first / size * size, (span.last + size - 1) / size * size};
}

static bool winograd_reads(const Kernel& k, Area& area) {
  if (area.rows.first < 0 || area.columns.first < 0) return false;
  area = {whole_blocks(area.rows, k.size), whole_blocks(area.columns, k.size)};
  return reads_map_window(k, area);
}

static bool winograd_fits(const Kernel& k) {
  const bool plain = k.stride_y == 1 && k.stride_x == 1 && k.dilation_y == 1 && k.dilation_x == 1;
  return plain && k.kernel_height == 3 && k.kernel_width == 3 && k.groups == 1 &&
         (k.size == 2 || k.size == 4) && k.tiles >= 1 && k.tiles <= MOST_TILES;
}

static WeightLayout winograd_weights(const Kernel& k) {
  return {.groups = 1,
          .filters = (double)k.filters,
          .depth = (double)k.channels,
          .taps = (double)(k.size + 2) * (k.size + 2),
          .in_table = true};
}

static double winograd_scratch(const Kernel& k) {
  return (double)(k.size + 2) * (k.size + 2) * k.tiles * ((double)k.channels + 2 * BLOCK);
}

constexpr Operation WINOGRAD[] = {
    {.name = "winograd",
     .run = winograd,
     .reads = winograd_reads,
     .fits = winograd_fits,
     .weights = winograd_weights,
     .scratch = winograd_scratch,
     .activates = true,
     .pools = true,
     .multiplies = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
