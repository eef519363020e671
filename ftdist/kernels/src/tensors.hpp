// Kernels that see maps as arrays of any rank.
#pragma once
#include "views.hpp"

namespace ftdist::FTDIST_NAMESPACE {

static inline void copy_run(const float* from, int64_t step, float* to, int count) {
  if (step == 1) {
    __builtin_memcpy(to, from, sizeof(float) * count);
    return;
  }
  for (int i = 0; i < count; i++) to[i] = from[i * step];
}

static void rearrange(const Program& program, const Kernel& kernel, const Call& call) {
  const View& v = program.views[kernel.view];
  const float* in = dense(program, kernel.in, call.in_row);
  const Runs1 runs = runs_of(v, v.rows + v.columns, v.channels);
  Odometer rows = row_odometer(v), columns = column_odometer(v);
  Odometer outer(v, v.rows + v.columns, runs.outer);
  rows.seek(call.row);
  for (int row = call.row; row < call.row + call.rows; row++, rows.next()) {
    columns.seek(kernel.left);
    for (int column = kernel.left; column < kernel.right; column++, columns.next()) {
      const float* from = in + v.first + rows.offset + columns.offset;
      float* to = at(program, kernel.out, call.out_row, row, column);
      for (int64_t run = 0; run < runs.count; run++, outer.next(), to += runs.length)
        copy_run(from + outer.offset, runs.step, to, runs.length);
    }
  }
}

// An index among the weights, whatever they hold.
static inline int index_at(const Program& program, const Kernel& kernel, int number, int size) {
  const float index = program.weights[kernel.weights + number];
  if (!(index > 0.0f)) return 0;
  return index < (float)(size - 1) ? (int)index : size - 1;
}

enum GatherAxis : int32_t { ALONG_ROWS, ALONG_COLUMNS, ALONG_CHANNELS };

static void gather(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++) {
    const int from_row =
        kernel.kind == ALONG_ROWS ? index_at(program, kernel, row, kernel.height) : row;
    for (int column = kernel.left; column < kernel.right; column++) {
      const int from_column =
          kernel.kind == ALONG_COLUMNS ? index_at(program, kernel, column, kernel.width) : column;
      const float* in = at(program, kernel.in, call.in_row, from_row, from_column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      if (kernel.kind == ALONG_CHANNELS)
        for (int channel = 0; channel < kernel.filters; channel++)
          out[channel] = in[index_at(program, kernel, channel, kernel.channels)];
      else
        __builtin_memcpy(out, in, sizeof(float) * kernel.filters);
    }
  }
}

// A map at its place in a larger one.
static void place(const Program& program, const Kernel& kernel, const Call& call) {
  const int top = larger(call.row, kernel.pad_top), left = larger(kernel.left, kernel.pad_left);
  const int bottom = smaller(call.row + call.rows, kernel.pad_top + kernel.height);
  const int right = smaller(kernel.right, kernel.pad_left + kernel.width);
  for (int row = top; row < bottom; row++)
    for (int column = left; column < right; column++)
      __builtin_memcpy(at(program, kernel.out, call.out_row, row, column),
                       at(program, kernel.in, call.in_row, row - kernel.pad_top,
                          column - kernel.pad_left),
                       sizeof(float) * kernel.channels);
}

static bool gather_reads(const Kernel& k, Area& area) {
  if (area.rows.last > k.out_height || area.columns.first < 0 || area.columns.last > k.out_width)
    return false;
  if (k.kind == ALONG_ROWS) area.rows = {0, k.height};
  if (k.kind == ALONG_COLUMNS) area.columns = {0, k.width};
  return true;
}

static bool gather_fits(const Kernel& k) {
  return k.kind >= ALONG_ROWS && k.kind <= ALONG_CHANNELS && one_tap(k) && k.out_height >= 1 &&
         k.out_width >= 1 && k.height >= 1 && k.width >= 1 &&
         (k.kind == ALONG_CHANNELS || same_channels(k));
}

static WeightLayout gather_weights(const Kernel& k) {
  const int32_t count[] = {k.out_height, k.out_width, k.filters};
  return {1, (double)count[k.kind], 1, false};
}

static bool place_reads(const Kernel& k, Area& area) {
  area = {clipped({area.rows.first - k.pad_top, area.rows.last - k.pad_top}, k.height),
          clipped({area.columns.first - k.pad_left, area.columns.last - k.pad_left}, k.width)};
  return true;
}

static bool place_fits(const Kernel& k) {
  return same_channels(k) && k.pad_top >= 0 && k.pad_left >= 0;
}

// The whole map, for any positions that there are.
static bool reads_whole(const Kernel& k, Area& area) {
  if (area.rows.last > k.out_height || area.columns.first < 0 || area.columns.last > k.out_width)
    return false;
  area = {{0, k.height}, {0, k.width}};
  return true;
}

static bool view_fits(const Kernel& k) { return k.groups == 1 && one_tap(k); }

constexpr Operation TENSORS[] = {
    {.name = "rearrange",
     .run = rearrange,
     .reads = reads_whole,
     .fits = view_fits,
     .views = true},
    {.name = "gather",
     .run = gather,
     .reads = gather_reads,
     .fits = gather_fits,
     .weights = gather_weights},
    {.name = "place", .run = place, .reads = place_reads, .fits = place_fits},
};

}  // namespace ftdist::FTDIST_NAMESPACE
