// Direct convolution, 1x1 and general, any groups.
//
// One micro-kernel: `P` pixels of a row by `B` blocks of 16 output channels stay in registers while
// all taps and input channels stream past in the fixed order (ky, kx, ic), each product added by one
// fused multiply-add onto the bias; many of them in partial sums (runs.hpp). Weights lie as
// [filters/16][ky][kx][ic][16]. Columns outside the map are zeros stored beside the rows; rows outside
// the map are skipped. Where a pool takes the maximum of every 2x2 pixels and nobody else wants them,
// only the maxima are written: the pixels go to a scratch of some KB that stays in the first cache.
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
                  float* out, const float* added, const Epilogue& end, Ahead ahead) {
  constexpr int N = B * BLOCK / LANES;
  alignas(64) float before[P * N * LANES];
  LongSums<P, N> all(before);
  all.sums.each([&](Vec& sum, int, int j) __attribute__((always_inline)) {
    sum = load(bias + j * LANES);
  });
  for (int y = 0; y < runs.rows; y++) {
    for (int x = 0; x < runs.runs; x++) {
      const float* from = in + y * runs.row_step + x * runs.run_step;
      weights = all.template add<B>(from, runs.pixel_step, runs.length, weights, runs.block_step,
                                    ahead);
    }
  }
  all.put_together();
  finish<P, N>(out, all.sums, end, added);
}

typedef void (*Micro)(const float*, const Runs&, const float*, const float*, float*, const float*,
                      const Epilogue&, Ahead);

template <int B, int... P> static inline Micro pick(int pixels) {
  static const Micro table[] = {micro<P + 1, B>...};
  return table[pixels - 1];
}

template <int B> static inline Micro micro_for(int pixels) {
#if defined(FTDIST_AVX512)
  return pick<B, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13>(pixels);
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
  Next next;
};

// One output row by B blocks of output channels; `added` to it where that is not null.
template <int B, int MOST>
static inline void row_of_blocks(const Row& row, const float* bias, float* out, const float* added,
                                 int pixels, const Epilogue& end) {
  const int parts = ceil_div(pixels, MOST), terms = row.runs.rows * row.runs.runs * row.runs.length;
  for (int part = 0, x = 0; part < parts; part++) {
    const int count = ceil_div(pixels - x, parts - part);
    micro_for<B>(count)(row.in + x * row.runs.pixel_step, row.runs, row.weights, bias,
                        out + x * end.pixel_step, added ? added + x * end.added_step : nullptr,
                        end, row.next.share(part, parts, terms));
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
      row_of_blocks<B, MOST>(from, bias, scratch[y], nullptr, count * width, whole);
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
                           const float* added, const Epilogue& end) {
  const int pixels = kernel.right - kernel.left;
  if (kernel.pool_height * kernel.pool_width == 1)
    row_of_blocks<B, MOST>(*rows, bias, out, added, pixels, end);
  else
    row_of_maxima<B, MOST>(rows, kernel, bias, out, pixels, end);
}

// What is the same for all rows of a layer.
struct Layer {
  const Program& program;
  const Kernel& kernel;
  int group_in, group_out, blocks;  // of each group
  int column;                       // of the first input that the first output reads
  int64_t row_taps;                 // weights of an output for a row of its window
  Runs runs;

  Layer(const Program& p, const Kernel& k)
      : program(p),
        kernel(k),
        group_in(k.channels / k.groups),
        group_out(k.filters / k.groups),
        blocks(ceil_div(group_out, BLOCK)),
        column(k.left * k.pool_width * k.stride_x - k.pad_left),
        row_taps((int64_t)k.kernel_width * group_in) {
    const bool merged = k.dilation_x == 1 && k.in.pixel == group_in;
    runs.runs = merged ? 1 : k.kernel_width;
    runs.length = merged ? (int)row_taps : group_in;
    runs.row_step = k.dilation_y * k.in.row;
    runs.run_step = k.dilation_x * k.in.pixel;
    runs.pixel_step = k.stride_x * k.in.pixel;
    runs.block_step = k.kernel_height * row_taps * BLOCK;
  }
};

// Up to two blocks of outputs that are made together.
struct Panel {
  int group, block, width;  // `block`: the first one, of its group; `width`: blocks
  const float *weights, *bias;
};

// Null weights where the file does not give them.
static inline Panel panel_of(const Layer& layer, int group, int block) {
  const Program& program = layer.program;
  const Kernel& kernel = layer.kernel;
  const int width = WIDE_PIXELS > 0 && block + 1 < layer.blocks ? 2 : 1;
  const int64_t first = (int64_t)group * layer.blocks + block;  // counted over all groups
  const int64_t place = kernel.weights + first * layer.runs.block_step;
  const int64_t bias = kernel.bias + first * BLOCK;
  if (!kernel.streamed)
    return {group, block, width, program.weights + place, program.weights + bias};
  const Piece piece = {place, width * layer.runs.block_step, bias, width * BLOCK};
  float* window = reinterpret_cast<float*>(program.bases[0]) + kernel.window;
  if (!read_piece(program, piece, window)) return {group, block, width, nullptr, nullptr};
  read_ahead(program, place + piece.weight_count, piece.weight_count);
  return {group, block, width, window, window + piece.weight_count};
}

// The rows of a call, or of a band of it, by one panel.
static inline void panel_rows(const Layer& layer, const Panel& panel, const Call& call) {
  const Program& program = layer.program;
  const Kernel& kernel = layer.kernel;
  Runs runs = layer.runs;
  const int64_t floats = panel.width * runs.block_step;
  const bool asks = !kernel.streamed && floats >= LEAST_AHEAD && floats <= MOST_AHEAD;
  const int outputs = layer.group_out - panel.block * BLOCK;
  const Epilogue end = {kernel.out.pixel, kernel.slope, kernel.activation,
                        smaller(outputs, panel.width * BLOCK), kernel.in2.pixel};
  const int channel = panel.group * layer.group_out + panel.block * BLOCK;
  for (int row = call.row; row < call.row + call.rows; row++) {
    Row rows[POOL_MOST];
    for (int y = 0; y < kernel.pool_height; y++) {
      const int top = (row * kernel.pool_height + y) * kernel.stride_y - kernel.pad_top;
      const Taps taps = taps_on_map(top, kernel.kernel_height, kernel.dilation_y, kernel.height);
      runs.rows = larger(0, taps.last - taps.first);
      const int in_row = runs.rows ? top + taps.first * kernel.dilation_y : call.in_row;
      rows[y] = {at(program, kernel.in, call.in_row, in_row, layer.column) +
                     panel.group * layer.group_in,
                 panel.weights + taps.first * layer.row_taps * BLOCK,
                 runs,
                 {panel.weights + (asks ? floats : 0), asks ? runs.block_step : 0, runs.block_step,
                  (row - call.row) * kernel.pool_height + y, call.rows * kernel.pool_height}};
    }
    float* out = at(program, kernel.out, call.out_row, row, kernel.left) + channel;
    const float* added =
        kernel.kind ? at(program, kernel.in2, call.in2_row, row, kernel.left) + channel : nullptr;
    if constexpr (WIDE_PIXELS > 0) {
      if (panel.width == 2) {
        one_row<2, WIDE_PIXELS>(rows, kernel, panel.bias, out, added, end);
        continue;
      }
    }
    one_row<1, PIXELS>(rows, kernel, panel.bias, out, added, end);
  }
}

// Rows that all panels make before the next ones are begun. Where maps are larger than the second cache
// and weights are not, that keeps what a panel reads and writes of them near for the next panel.
static inline int band_rows(const Layer& layer, const Call& call) {
  constexpr int64_t NEAR = 96 << 10, NEAR_WEIGHTS = 144 << 10;  // floats
  const Kernel& k = layer.kernel;
  const int64_t panels = (int64_t)k.groups * layer.blocks;
  if (k.streamed || panels * layer.runs.block_step > NEAR_WEIGHTS) return call.rows;
  const int64_t row = k.in.row * k.stride_y * k.pool_height + k.out.row;
  return row * call.rows <= NEAR ? call.rows : larger(1, (int)(NEAR / row));
}

static void convolution(const Program& program, const Kernel& kernel, const Call& call) {
  const Layer layer(program, kernel);
  const int bands = ceil_div(call.rows, band_rows(layer, call));
  Call band = call;
  for (int number = 0; number < bands; number++, band.row += band.rows) {
    band.rows = ceil_div(call.row + call.rows - band.row, bands - number);
    for (int group = 0; group < kernel.groups; group++)
      for (int block = 0; block < layer.blocks;) {
        const Panel panel = panel_of(layer, group, block);
        if (!panel.weights) return;
        panel_rows(layer, panel, band);
        block += panel.width;
      }
  }
}

static bool convolution_fits(const Kernel& k) {
  return k.channels % k.groups == 0 && k.filters % k.groups == 0 && addition_fits(k);
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
     .reads_second = reads_added,
     .activates = true,
     .streams = true,
     .pools = true,
     .multiplies = true,
     .may_add = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
