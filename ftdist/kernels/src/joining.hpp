// Kernels that put maps together: the steps of a sum, and products with a map that may be broadcast.
#pragma once
#include "activation.hpp"
#include "rows.hpp"
#include "rules.hpp"

namespace ftdist::FTDIST_NAMESPACE {

static void add(const Program& program, const Kernel& kernel, const Call& call) {
  const int64_t count = (int64_t)(kernel.right - kernel.left) * kernel.channels;
  for (int row = call.row; row < call.row + call.rows; row++) {
    const float* a = at(program, kernel.in, call.in_row, row, kernel.left);
    const float* b = at(program, kernel.in2, call.in2_row, row, kernel.left);
    each_vector(at(program, kernel.out, call.out_row, row, kernel.left), count, [&](int64_t i) {
      return activate(kernel.activation, load(a + i) + load(b + i), splat(kernel.slope));
    });
  }
}

// A pixel of a sum so far, its channels from `first` on.
template <bool WEIGHTED>
static inline Vec sum_so_far(const Program& program, const Kernel& kernel, const float* out,
                             int first, int count) {
  if (kernel.part) return load_part(out + first, count);
  return WEIGHTED ? load(program.weights + kernel.bias + first) : splat(0.0f);
}

// Adds a pixel of the map to a pixel of the sum; `in` is null where the map has none for it.
template <bool WEIGHTED>
static inline void accumulate_pixel(const Program& program, const Kernel& kernel, const float* in,
                                    float* out) {
  const int added = in ? smaller(kernel.channels, kernel.filters) : 0;
  const float* weights = program.weights + kernel.weights + kernel.part * BLOCK;
  for (int first = 0; first < kernel.filters; first += LANES) {
    const int count = smaller(LANES, kernel.filters - first);
    const Vec sum = sum_so_far<WEIGHTED>(program, kernel, out, first, count);
    if (added - first < count) store_part(out + first, sum, count);
    if (first >= added) continue;
    const int here = smaller(LANES, added - first);
    Vec value = load_part(in + first, here);
    if (WEIGHTED)
      value = fma(load(weights + first / BLOCK * kernel.size * BLOCK + first % BLOCK), value, sum);
    else if (kernel.part)
      value = fma(splat(kernel.factor), value, splat(kernel.kept) * sum);
    store_part(out + first, value, here);
  }
}

static inline void activate_pixel(const Kernel& kernel, float* out) {
  for (int first = 0; first < kernel.filters; first += LANES) {
    const int count = smaller(LANES, kernel.filters - first);
    const Vec value = load_part(out + first, count);
    store_part(out + first, activate(kernel.activation, value, splat(kernel.slope)), count);
  }
}

template <bool WEIGHTED>
static void accumulate(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const int from_row = row / kernel.sample * kernel.stride_y;
      const int from_column = column / kernel.sample * kernel.stride_x;
      const bool there = row % kernel.sample == 0 && column % kernel.sample == 0 &&
                         from_row < kernel.height && from_column < kernel.width;
      float* out = at(program, kernel.out, call.out_row, row, column);
      accumulate_pixel<WEIGHTED>(
          program, kernel,
          there ? at(program, kernel.in, call.in_row, from_row, from_column) : nullptr, out);
      if (kernel.activation != ACT_LINEAR) activate_pixel(kernel, out);
    }
}

static void multiply(const Program& program, const Kernel& kernel, const Call& call) {
  const bool one_row = kernel.in2_height == 1, one_column = kernel.in2_width == 1;
  const bool one_channel = kernel.in2_channels == 1;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      const float* by = at(program, kernel.in2, call.in2_row, one_row ? 0 : row,
                           one_column ? 0 : column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      for (int first = 0; first < kernel.filters; first += LANES) {
        const int count = smaller(LANES, kernel.filters - first);
        const Vec factor = one_channel ? splat(*by) : load_part(by + first, count);
        const Vec product = load_part(in + first, count) * factor;
        store_part(out + first, activate(kernel.activation, product, splat(kernel.slope)), count);
      }
    }
}

// Every stride-th position, of which every sample-th output position reads one.
static bool accumulate_reads(const Kernel& k, Area& area) {
  if (area.columns.first < 0) return false;
  const int64_t s = k.sample;
  const auto read = [&](Span span, int64_t stride, int64_t size) {
    return clipped({(span.first + s - 1) / s * stride, (span.last - 1) / s * stride + 1}, size);
  };
  area = {read(area.rows, k.stride_y, k.height), read(area.columns, k.stride_x, k.width)};
  return true;
}

static bool accumulate_fits(const Kernel& k) {
  return k.sample >= 1 && (k.part > 0 || (k.part == 0 && same_channels(k)));
}

static bool accumulate_weighted_fits(const Kernel& k) {
  return k.groups == 1 && k.sample >= 1 && k.part >= 0 && k.part < k.size && one_tap(k);
}

static WeightLayout accumulate_weights(const Kernel& k) {
  return {1, (double)k.filters, (double)k.size};
}

static int64_t add_reads_second(const Kernel& k, Area&) { return k.channels; }

static bool one_or(int32_t size, int32_t all) { return size == 1 || size == all; }

static bool multiply_fits(const Kernel& k) {
  return same_channels(k) && one_or(k.in2_height, k.height) && one_or(k.in2_width, k.width) &&
         one_or(k.in2_channels, k.channels);
}

static int64_t multiply_reads_second(const Kernel& k, Area& area) {
  if (k.in2_height == 1) area.rows = {0, 1};
  if (k.in2_width == 1) area.columns = {0, 1};
  return k.in2_channels;
}

constexpr Operation JOINING[] = {
    {.name = "add",
     .run = add,
     .reads = reads_position,
     .fits = same_channels,
     .reads_second = add_reads_second,
     .activates = true,
     .dense = true,
     .vectors = true},
    {.name = "accumulate",
     .run = accumulate<false>,
     .reads = accumulate_reads,
     .fits = accumulate_fits,
     .activates = true},
    {.name = "accumulate_weighted",
     .run = accumulate<true>,
     .reads = accumulate_reads,
     .fits = accumulate_weighted_fits,
     .weights = accumulate_weights,
     .activates = true},
    {.name = "multiply",
     .run = multiply,
     .reads = reads_position,
     .fits = multiply_fits,
     .reads_second = multiply_reads_second,
     .activates = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
