// A kernel that samples a map at places that another map names: a grid of them, of a picture or a volume.
#pragma once
#include "resampling.hpp"

namespace ftdist::FTDIST_NAMESPACE {

enum GridKind : int32_t { NEAREST = 1, CORNERS = 2, BORDER = 4, REFLECT = 8, CUBIC = 16 };

static inline float reflected(float x, float low, float high) {
  const float range = high - low;
  if (!(range > 0.0f)) return low;
  const float away = x < low ? low - x : x > high ? x - high : 0.0f;
  if (!(away > 0.0f) || away / range > 1e6f) return x < low || x > high ? low : x;
  const int times = (int)(away / range);
  const float rest = away - (float)times * range;
  const bool forward = (times % 2 == 0) == (x < low);
  return forward ? low + rest : high - rest;
}

// Where a coordinate from -1 to 1 lies on an axis of `size` positions.
static inline float grid_place(float x, int size, int kind) {
  const float last = (float)(size - 1);
  float place = kind & CORNERS ? (x + 1.0f) / 2.0f * last : ((x + 1.0f) * (float)size - 1.0f) / 2.0f;
  if (kind & CUBIC) {  // taps are brought back one by one, however far it is
    const float far = 1e6f;
    if (!(place > -far)) return -far;
    return place < far ? place : far;
  }
  if (kind & REFLECT)
    place = kind & CORNERS ? reflected(place, 0.0f, last) : reflected(place, -0.5f, last + 0.5f);
  if (kind & (BORDER | REFLECT)) place = place < 0.0f ? 0.0f : place > last ? last : place;
  if (!(place > -2.0f)) return -2.0f;
  return place < (float)size + 1.0f ? place : (float)size + 1.0f;
}

// Where a tap of a cubic sample is taken from; -1: it is nothing.
static inline int grid_tap(int position, int size, int kind) {
  if (position >= 0 && position < size) return position;
  if (kind & BORDER) return position < 0 ? 0 : size - 1;
  if (!(kind & REFLECT)) return -1;
  const float last = (float)(size - 1);
  const float place = kind & CORNERS ? reflected((float)position, 0.0f, last)
                                     : reflected((float)position, -0.5f, last + 0.5f);
  return larger(0, smaller((int)place, size - 1));
}

// `first` is the row where the frame begins that is sampled, `height` its rows.
static void cubic_sample(const Program& program, const Kernel& k, const Call& call, int first,
                         int height, float x, float y, float* out) {
  const float left = __builtin_floorf(x), top = __builtin_floorf(y);
  float across[4], down[4];
  keys_weights((double)(x - left), -0.75, across);
  keys_weights((double)(y - top), -0.75, down);
  for (int tap = 0; tap < 16; tap++) {
    const int row = grid_tap((int)top - 1 + tap / 4, height, k.kind);
    const int column = grid_tap((int)left - 1 + tap % 4, k.width, k.kind);
    if (row < 0 || column < 0) continue;
    const float* in = at(program, k.in, call.in_row, first + row, column);
    const float weight = down[tap / 4] * across[tap % 4];
    for (int channel = 0; channel < k.filters; channel++)
      out[channel] = fma_one(in[channel], weight, out[channel]);
  }
}

static inline bool is_volume(const Kernel& k) { return k.in2_channels == 3; }

// `size` frames lie one below the other, in the map as in the grid; or, where a place has a third
// coordinate, the slices of a volume in the map.
static void grid_sample(const Program& program, const Kernel& k, const Call& call) {
  const int height = k.height / k.size, corners = is_volume(k) ? 8 : 4;
  const int grid_height = larger(1, k.in2_height / k.size);
  for (int row = call.row; row < call.row + call.rows; row++) {
    const int frame = is_volume(k) ? 0 : smaller(row / grid_height, k.size - 1);
    const int first = frame * height;
    for (int column = k.left; column < k.right; column++) {
      const float* grid = at(program, k.in2, call.in2_row, row, column);
      float x = grid_place(grid[0], k.width, k.kind), y = grid_place(grid[1], height, k.kind);
      if (k.kind & NEAREST) x = __builtin_rintf(x), y = __builtin_rintf(y);
      const int left = (int)__builtin_floorf(x), top = (int)__builtin_floorf(y);
      const float right_part = x - (float)left, lower_part = y - (float)top;
      float z = is_volume(k) ? grid_place(grid[2], k.size, k.kind) : 0.0f;
      if (k.kind & NEAREST) z = __builtin_rintf(z);
      const int front = (int)__builtin_floorf(z);
      const float far_part = z - (float)front;
      float* out = at(program, k.out, call.out_row, row, column);
      __builtin_memset(out, 0, sizeof(float) * k.filters);
      if (k.kind & CUBIC) {
        cubic_sample(program, k, call, first, height, x, y, out);
        continue;
      }
      for (int corner = 0; corner < corners; corner++) {
        const int from_row = top + corner / 2 % 2, from_column = left + corner % 2;
        const int slice = front + corner / 4;
        const float weight = (corner / 2 % 2 ? lower_part : 1.0f - lower_part) *
                             (corner % 2 ? right_part : 1.0f - right_part) *
                             (corner / 4 ? far_part : 1.0f - far_part);
        if (weight == 0.0f || from_row < 0 || from_row >= height || from_column < 0 ||
            from_column >= k.width || slice < 0 || slice >= k.size)
          continue;
        const int from = is_volume(k) ? slice * height : first;
        const float* in = at(program, k.in, call.in_row, from + from_row, from_column);
        for (int channel = 0; channel < k.filters; channel++)
          out[channel] = fma_one(in[channel], weight, out[channel]);
      }
    }
  }
}

static bool grid_fits(const Kernel& k) {
  const bool places = is_volume(k) ? !(k.kind & CUBIC)
                                   : k.in2_channels == 2 && k.in2_height % larger(1, k.size) == 0;
  return same_channels(k) && places && k.height >= 1 && k.width >= 1 && k.kind >= 0 &&
         k.kind < 32 && k.size >= 1 && k.height % k.size == 0 && k.in2_height >= 1;
}

static bool grid_reads(const Kernel& k, Area& area) {
  area = {{0, k.height}, {0, k.width}};
  return true;
}

static int64_t grid_reads_second(const Kernel& k, Area&) { return k.in2_channels; }

constexpr Operation SAMPLING[] = {
    {.name = "grid_sample",
     .run = grid_sample,
     .reads = grid_reads,
     .fits = grid_fits,
     .reads_second = grid_reads_second},
};

}  // namespace ftdist::FTDIST_NAMESPACE
