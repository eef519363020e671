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
};

}  // namespace ftdist::FTDIST_NAMESPACE
