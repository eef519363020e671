// 3x3 convolution with stride 1 by Winograd's minimal filtering, F(M,3) for M = 2 and 4.
//
// A block of M x M outputs is A^T [ (G g G^T) * (B^T d B) ] A for d its (M+2) x (M+2) inputs (Lavin and
// Gray, arXiv:1509.09308): (M+2)^2 products a channel instead of 9 M^2. Blocks begin at multiples of M of
// the whole map's rows and columns, never at a tile's corner, and each product is summed over the
// input channels in order by fused multiply-adds, so no cut changes a bit. What a call does not want
// of a block is computed and dropped.
//
// A call takes `tiles` blocks at a time: it transforms their inputs into scratch, V;
// then for every TOGETHER_BLOCKS blocks of 16 output channels it multiplies
// (multiplying.hpp) into P[(M+2)^2][tiles][outputs] and transforms back, adds the bias, activates,
// takes the pool's maxima and writes. `size` is M.
#pragma once
#include "multiplying.hpp"
#include "pool.hpp"
#include "rules.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// The inputs of one block that lie on the map.
struct BlockInput {
  const float* in;  // of the block's first input, which may lie beside the map
  Taps rows, columns;
};

// One vector of channels of a block, whose inputs `load` gives: B^T d B to products `step` apart.
template <int M, class Load, class Store>
[[gnu::always_inline]] static inline void transform_inputs(const Load& load, const Store& put) {
  constexpr int SIDE = M + 2;
  Vec e[SIDE][SIDE];
  unrolled<SIDE>([&](auto x) __attribute__((always_inline)) {
    Minimal<M>::input([&](int y) __attribute__((always_inline)) { return load(y, x()); },
                      [&](int y, Vec v) __attribute__((always_inline)) { e[y][x] = v; });
  });
  unrolled<SIDE>([&](auto y) __attribute__((always_inline)) {
    Minimal<M>::input([&](int x) __attribute__((always_inline)) { return e[y][x]; },
                      [&](int x, Vec v) __attribute__((always_inline)) { put(y * SIDE + x, v); });
  });
}

template <int M>
static inline void transform_input(const BlockInput& block, const Buffer& from,
                                   const Inputs& inputs, int number) {
  constexpr int SIDE = M + 2;
  const bool whole = block.rows.first == 0 && block.rows.last == SIDE && block.columns.first == 0 &&
                     block.columns.last == SIDE;
  const int64_t row = from.row, pixel = from.pixel;
  const int channels = inputs.channels;
  const int64_t product_step = inputs.step;
  int channel = 0;
  for (; whole && channel + LANES <= channels; channel += LANES) {
    const float* in = block.in + channel;
    float* out = inputs.at(number, channel);
    transform_inputs<M>(
        [&](int y, int x) __attribute__((always_inline)) { return load(in + y * row + x * pixel); },
        [&](int i, Vec v) __attribute__((always_inline)) { store(out + i * product_step, v); });
  }
  for (; channel < channels; channel += LANES) {
    const int count = smaller(LANES, channels - channel);
    Vec d[SIDE][SIDE];
    for (int y = 0; y < SIDE; y++)
      for (int x = 0; x < SIDE; x++) {
        const bool there = y >= block.rows.first && y < block.rows.last &&
                           x >= block.columns.first && x < block.columns.last;
        d[y][x] = there ? load_part(block.in + y * row + x * pixel + channel, count) : splat(0.0f);
      }
    float* out = inputs.at(number, channel);
    transform_inputs<M>(
        [&](int y, int x) __attribute__((always_inline)) { return d[y][x]; },
        [&](int i, Vec v) __attribute__((always_inline)) {
          store_part(out + i * product_step, v, count);
        });
  }
}

// Where the outputs of one block go: positions of it that the call wants, counted in pooled ones.
struct BlockOutput {
  float* out;          // of the block's first pooled position
  const float* added;  // of a second map, or null
  int64_t row_step;
  int top, bottom, left, right;
};

template <int M>
static inline void transform_output(const float* products, int64_t product_step,
                                    const float* bias, const BlockOutput& block,
                                    const Kernel& kernel, const Epilogue& end) {
  constexpr int SIDE = M + 2;
  const bool whole = block.top == 0 && block.left == 0 &&
                     block.bottom == M / kernel.pool_height && block.right == M / kernel.pool_width;
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
    if (block.added)
      unrolled<M * M>([&](auto i) __attribute__((always_inline)) {
        constexpr int Y = i / M, X = i % M;
        if (Y < block.top || Y >= block.bottom || X < block.left || X >= block.right) return;
        const float* added =
            block.added + Y * kernel.in2.row + X * kernel.in2.pixel + channel;
        z[Y][X] = z[Y][X] + load_part(added, count);
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
      activate_all(end.activation, z[0], M * M, slope);
    }
    float* out = block.out + channel;
    const int down = kernel.pool_height, across = kernel.pool_width;
    if (whole && count == LANES && down * across == 1) {
      unrolled<M * M>([&](auto i) __attribute__((always_inline)) {
        store(out + (i / M) * block.row_step + (i % M) * end.pixel_step, z[i / M][i % M]);
      });
      continue;
    }
    if (whole && count == LANES && down * across == 4) {
      unrolled<M * M / 4>([&](auto i) __attribute__((always_inline)) {
        constexpr int Y = i / (M / 2) * 2, X = i % (M / 2) * 2;
        const Vec top = maximum(z[Y][X], z[Y][X + 1]);
        const Vec bottom = maximum(top, z[Y + 1][X]);
        store(out + Y / 2 * block.row_step + X / 2 * end.pixel_step,
              maximum(bottom, z[Y + 1][X + 1]));
      });
      continue;
    }
    for (int y = block.top; y < block.bottom; y++)
      for (int x = block.left; x < block.right; x++) {
        Vec best = z[y * down][x * across];
        if (down * across > 1) {
          best = splat(-__builtin_inff());
          for (int i = 0; i < down; i++)
            for (int j = 0; j < across; j++) best = maximum(best, z[y * down + i][x * across + j]);
        }
        store_part(out + y * block.row_step + x * end.pixel_step, best, count);
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
    return {at(program, kernel.out, call.out_row, row, column),
            kernel.kind ? at(program, kernel.in2, call.in2_row, row, column) : nullptr,
            kernel.out.row,
            larger(0, call.row - row), smaller(rows, call.row + call.rows - row),
            larger(0, kernel.left - column), smaller(columns, kernel.right - column)};
  }
};

template <int M>
static void winograd_by(const Program& program, const Kernel& kernel, const Call& call) {
  const Blocks<M> all(program, kernel, call);
  const int blocks = ceil_div(kernel.filters, BLOCK);
  float* scratch = reinterpret_cast<float*>(program.bases[0]) + kernel.scratch;
  float* out = scratch + input_floats(kernel);
  const int parts = ceil_div(all.count, kernel.tiles);
  for (int part = 0, first = 0; part < parts; part++) {
    const int count = ceil_div(all.count - first, parts - part);
    const Inputs inputs(kernel, scratch, count);
    for (int i = 0; i < count; i++)
      transform_input<M>(all.input(first + i), kernel.in, inputs, i);
    for (int block = 0, taken = 0; block < blocks; block += taken) {
      taken = smaller(TOGETHER_BLOCKS, blocks - block);
      const float* bias = multiply<M>(program, kernel, block, taken, inputs, out);
      if (!bias) return;
      const int width = taken * BLOCK;
      const Epilogue end = {kernel.out.pixel, kernel.slope, kernel.activation,
                            smaller(width, kernel.filters - block * BLOCK)};
      for (int i = 0; i < count; i++) {
        BlockOutput to = all.output(first + i);
        to.out += block * BLOCK;
        if (to.added) to.added += block * BLOCK;
        transform_output<M>(out + (int64_t)i * width, apart((int64_t)count * width), bias, to,
                            kernel, end);
      }
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
         addition_fits(k) && (k.size == 2 || k.size == 4) && k.tiles >= 1 && k.tiles <= MOST_TILES;
}

static WeightLayout winograd_weights(const Kernel& k) {
  const double taps = (double)(k.size + 2) * (k.size + 2), block = (double)k.channels * BLOCK;
  const bool in_table = k.table > 0;
  return {.groups = 1,
          .filters = (double)k.filters,
          .depth = (double)k.channels,
          .taps = in_table ? taps : 9,
          .in_table = in_table,
          .window = TOGETHER_BLOCKS * (9 * block + BLOCK),
          .expanded = in_table ? 0 : expanded_floats(k)};
}

static double winograd_scratch(const Kernel& k) {
  const int64_t outputs = (int64_t)k.tiles * smaller(ceil_div(k.filters, BLOCK), TOGETHER_BLOCKS) * BLOCK;
  return (double)input_floats(k) + (double)(k.size + 2) * (k.size + 2) * (double)apart(outputs);
}

constexpr Operation WINOGRAD[] = {
    {.name = "winograd",
     .run = winograd,
     .reads = winograd_reads,
     .fits = winograd_fits,
     .weights = winograd_weights,
     .scratch = winograd_scratch,
     .reads_second = reads_added,
     .activates = true,
     .streams = true,
     .pools = true,
     .multiplies = true,
     .may_add = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
