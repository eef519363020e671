// Kernels of lists of open length: a row whose first columns are entries, and a map that counts them.
#pragma once
#include "selecting.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// How many entries the second map says that a list has.
static inline int entries(const Program& program, const Kernel& kernel, const Call& call) {
  const float count = *at(program, kernel.in2, call.in2_row, 0, 0);
  if (!(count > 0.0f)) return 0;
  return count < (float)kernel.width ? (int)count : kernel.width;
}

static void non_zero(const Program& program, const Kernel& kernel, const Call& call) {
  float* const out = at(program, kernel.out, call.out_row, 0, 0);
  const int64_t pixel = kernel.out.pixel;
  int found = 0, place = 0;
  for (int row = 0; row < kernel.height; row++)
    for (int column = 0; column < kernel.width; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      for (int channel = 0; channel < kernel.channels; channel++, place++)
        if (in[channel] != 0.0f) out[found++ * pixel] = (float)place;
    }
  for (; found < kernel.out_width; found++) out[found * pixel] = -1.0f;
}

static void fill(const Program& program, const Kernel& kernel, const Call& call) {
  const int count = entries(program, kernel, call);
  for (int column = 0; column < kernel.width; column++) {
    float* out = at(program, kernel.out, call.out_row, 0, column);
    if (column < count)
      __builtin_memcpy(out, at(program, kernel.in, call.in_row, 0, column),
                       sizeof(float) * kernel.filters);
    else
      for (int channel = 0; channel < kernel.filters; channel++) out[channel] = kernel.factor;
  }
}

static void top_of_list(const Program& program, const Kernel& kernel, const Call& call) {
  const int count = entries(program, kernel, call);
  float* const out = at(program, kernel.out, call.out_row, 0, 0);
  Best best = {out, out + 1, kernel.out.pixel, kernel.out_width, kernel.kind != 0};
  for (int column = 0; column < count; column++)
    best.take(*at(program, kernel.in, call.in_row, 0, column), column);
  for (int column = best.found; column < kernel.out_width; column++)
    for (int i = 0; i < 2; i++) out[column * kernel.out.pixel + i] = 0.0f;
}

// The only row, and all of its columns.
static bool reads_list(const Kernel& k, Area& area) {
  if (area.rows.first != 0 || area.rows.last != 1) return false;
  area = {{0, k.height}, {0, k.width}};
  return true;
}

static int64_t reads_count(const Kernel&, Area& area) {
  area = {{0, 1}, {0, 1}};
  return 1;
}

static bool makes_list(const Kernel& k) {
  return k.height >= 1 && k.width >= 1 && k.left == 0 && k.right == k.out_width;
}

static bool non_zero_fits(const Kernel& k) {
  return makes_list(k) && k.filters == 1 &&
         (double)k.height * k.width * k.channels == (double)k.out_width;
}

static bool list_fits(const Kernel& k) {
  return makes_list(k) && k.height == 1 && k.in2_height == 1 && k.in2_width == 1 &&
         k.in2_channels == 1;
}

static bool fill_fits(const Kernel& k) {
  return list_fits(k) && same_channels(k) && k.out_width == k.width;
}

static bool top_of_list_fits(const Kernel& k) {
  return list_fits(k) && k.channels == 1 && k.filters == 2 && k.out_width <= k.width &&
         (k.kind == 0 || k.kind == 1);
}

constexpr Operation LISTS[] = {
    {.name = "non_zero", .run = non_zero, .reads = reads_list, .fits = non_zero_fits},
    {.name = "fill",
     .run = fill,
     .reads = reads_list,
     .fits = fill_fits,
     .reads_second = reads_count},
    {.name = "top_of_list",
     .run = top_of_list,
     .reads = reads_list,
     .fits = top_of_list_fits,
     .reads_second = reads_count},
};

}  // namespace ftdist::FTDIST_NAMESPACE
