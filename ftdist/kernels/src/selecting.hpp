// Kernels that choose among values, and places that other values name: the largest ones, values by
// index, boxes that do not overlap, samples on a grid. They hold what they have found in the output.
#pragma once
#include "resampling.hpp"
#include "tensors.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// The best of values that come one after another, in order, and their places; of equal values the
// first comes first. NaN is larger than all. Values and places lie `step` floats apart.
struct Best {
  float *values, *places;
  int64_t step;
  int size;
  bool smallest;
  int found = 0;

  bool before(float value, float other) const {  // whether a value comes before another
    if (value != value || other != other) return smallest ? value == value : other == other;
    return smallest ? value < other : value > other;
  }

  void take(float value, int place) {
    if (found == size && !before(value, values[(found - 1) * step])) return;
    int at = found < size ? found++ : found - 1;
    for (; at > 0 && before(value, values[(at - 1) * step]); at--)
      values[at * step] = values[(at - 1) * step], places[at * step] = places[(at - 1) * step];
    values[at * step] = value, places[at * step] = (float)place;
  }
};

// The `size` best channels in order, then their numbers.
static void top_channels(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      Best best = {out, out + kernel.size, 1, kernel.size, kernel.kind != 0};
      for (int channel = 0; channel < kernel.channels; channel++) best.take(in[channel], channel);
    }
}

enum CumulativeKind : int32_t { EXCLUSIVE = 1, REVERSE = 2 };

static void cumulate_channels(const Program& program, const Kernel& kernel, const Call& call) {
  const int step = kernel.kind & REVERSE ? -1 : 1;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      double sum = 0;
      int channel = step > 0 ? 0 : kernel.channels - 1;
      for (int count = 0; count < kernel.channels; count++, channel += step) {
        const double next = sum + (double)in[channel];
        out[channel] = (float)(kernel.kind & EXCLUSIVE ? sum : next);
        sum = next;
      }
    }
}

// An index that a map holds: from the end where it is below zero, the nearest where it is beside.
static inline int index_of(float value, int size) {
  if (value < 0.0f) value += (float)size;
  if (!(value > 0.0f)) return 0;
  return value < (float)(size - 1) ? (int)value : size - 1;
}

constexpr int32_t ROWS_OR_ZEROS = 4;  // a kind of gather_by: rows, zeros where an index is below zero

static void gather_columns_by(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const float index = *at(program, kernel.in2, call.in2_row, 0, column);
      __builtin_memcpy(at(program, kernel.out, call.out_row, row, column),
                       at(program, kernel.in, call.in_row, row, index_of(index, kernel.width)),
                       sizeof(float) * kernel.filters);
    }
}

static void gather_by(const Program& program, const Kernel& kernel, const Call& call) {
  if (kernel.kind == ALONG_COLUMNS) return gather_columns_by(program, kernel, call);
  for (int row = call.row; row < call.row + call.rows; row++) {
    const bool rows = kernel.kind != ALONG_CHANNELS;
    const float index = rows ? *at(program, kernel.in2, call.in2_row, row, 0) : 0.0f;
    const int from_row = rows ? index_of(index, kernel.height) : row;
    for (int column = kernel.left; column < kernel.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, from_row, column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      if (kernel.kind == ROWS_OR_ZEROS && !(index >= 0.0f)) {
        __builtin_memset(out, 0, sizeof(float) * kernel.filters);
        continue;
      }
      if (rows) {
        __builtin_memcpy(out, in, sizeof(float) * kernel.filters);
        continue;
      }
      const float* by = at(program, kernel.in2, call.in2_row, row, column);
      for (int channel = 0; channel < kernel.filters; channel++)
        out[channel] = in[index_of(by[channel], kernel.channels)];
    }
  }
}

struct Corners {
  float top, left, bottom, right;

  float area() const { return (bottom - top) * (right - left); }
};

// A box by two opposite corners, or (`centered`) by its centre, width and height.
static inline Corners corners_of(const float* box, bool centered) {
  if (centered) {
    const float half_width = box[2] / 2, half_height = box[3] / 2;
    return {box[1] - half_height, box[0] - half_width, box[1] + half_height, box[0] + half_width};
  }
  const auto low = [](float a, float b) { return a < b ? a : b; };
  const auto high = [](float a, float b) { return a < b ? b : a; };
  return {low(box[0], box[2]), low(box[1], box[3]), high(box[0], box[2]), high(box[1], box[3])};
}

static inline bool overlap(const Corners& a, const Corners& b, float most) {
  const float height = (a.bottom < b.bottom ? a.bottom : b.bottom) - (a.top > b.top ? a.top : b.top);
  const float width = (a.right < b.right ? a.right : b.right) - (a.left > b.left ? a.left : b.left);
  if (!(height > 0.0f) || !(width > 0.0f)) return false;
  const float shared = height * width, all = a.area() + b.area() - shared;
  return a.area() > 0.0f && b.area() > 0.0f && all > 0.0f && shared / all > most;
}

// The next best box of a class after `last`, of which those at or below the threshold are none.
static inline int next_best(const float* scores, int count, int last, float threshold) {
  int best = -1;
  for (int i = 0; i < count; i++) {
    if (!(scores[i] > threshold) || (best >= 0 && !(scores[i] > scores[best]))) continue;
    const bool after = last < 0 || scores[i] < scores[last] || (scores[i] == scores[last] && i > last);
    if (after) best = i;
  }
  return best;
}

// Boxes (1, N, 4), scores (1, classes, N): (0, class, box) of those chosen, class by class, then -1.
static void suppress(const Program& program, const Kernel& kernel, const Call& call) {
  const float* boxes = dense(program, kernel.in, call.in_row);
  const float* all_scores = dense(program, kernel.in2, call.in2_row);
  float* const out = at(program, kernel.out, call.out_row, 0, 0);
  const bool centered = kernel.kind;
  int chosen = 0;
  for (int label = 0; label < kernel.in2_width; label++) {
    const float* scores = all_scores + (int64_t)label * kernel.width;
    const int first = chosen;
    int last = next_best(scores, kernel.width, -1, kernel.shift);
    for (; last >= 0 && chosen - first < kernel.size;
         last = next_best(scores, kernel.width, last, kernel.shift)) {
      const Corners box = corners_of(boxes + 4 * last, centered);
      bool free = true;
      for (int i = first; i < chosen && free; i++)
        free = !overlap(corners_of(boxes + 4 * (int)out[i * kernel.out.pixel + 2], centered), box,
                        kernel.factor);
      if (!free) continue;
      float* to = out + chosen++ * kernel.out.pixel;
      to[0] = 0.0f, to[1] = (float)label, to[2] = (float)last;
    }
  }
  for (; chosen < kernel.out_width; chosen++)
    for (int i = 0; i < 3; i++) out[chosen * kernel.out.pixel + i] = -1.0f;
}

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

static bool top_fits(const Kernel& k) {
  return k.size >= 1 && k.size <= k.channels && k.filters == 2 * (int64_t)k.size &&
         (k.kind == 0 || k.kind == 1);
}

static bool cumulate_fits(const Kernel& k) { return same_channels(k) && k.kind >= 0 && k.kind < 4; }

static bool gather_by_fits(const Kernel& k) {
  if (k.kind == ALONG_ROWS || k.kind == ROWS_OR_ZEROS)
    return same_channels(k) && k.height >= 1 && k.in2_channels == 1 && k.in2_width == 1;
  if (k.kind == ALONG_COLUMNS)
    return same_channels(k) && k.width >= 1 && k.in2_height == 1 && k.in2_channels == 1;
  return k.kind == ALONG_CHANNELS && k.in2_channels == k.filters;
}

static bool gather_by_reads(const Kernel& k, Area& area) {
  if (k.kind == ALONG_COLUMNS) area.columns = {0, k.width};
  else if (k.kind != ALONG_CHANNELS) area.rows = {0, k.height};
  return true;
}

static int64_t gather_by_reads_second(const Kernel& k, Area& area) {
  if (k.kind == ALONG_COLUMNS) area.rows = {0, 1};
  else if (k.kind != ALONG_CHANNELS) area.columns = {0, 1};
  return k.in2_channels;
}

static bool is_dense_row(const Buffer& buffer, int64_t channels) {
  return buffer.pixel == channels && buffer.column == 0;
}

static bool suppress_fits(const Kernel& k) {
  return k.channels == 4 && k.filters == 3 && k.height == 1 && k.width >= 1 && k.size >= 1 &&
         k.in2_height == 1 && k.in2_width >= 1 && k.in2_channels == k.width && k.left == 0 &&
         k.right == k.out_width && (int64_t)k.size * k.in2_width <= k.out_width &&
         is_dense_row(k.in, 4) && is_dense_row(k.in2, k.width);
}

static bool suppress_reads(const Kernel& k, Area& area) {
  if (area.rows.first != 0 || area.rows.last != 1) return false;
  area = {{0, 1}, {0, k.width}};
  return true;
}

static int64_t suppress_reads_second(const Kernel& k, Area& area) {
  area = {{0, 1}, {0, k.in2_width}};
  return k.in2_channels;
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

constexpr Operation SELECTING[] = {
    {.name = "top_channels", .run = top_channels, .reads = reads_position, .fits = top_fits},
    {.name = "cumulate_channels",
     .run = cumulate_channels,
     .reads = reads_position,
     .fits = cumulate_fits},
    {.name = "gather_by",
     .run = gather_by,
     .reads = gather_by_reads,
     .fits = gather_by_fits,
     .reads_second = gather_by_reads_second},
    {.name = "suppress",
     .run = suppress,
     .reads = suppress_reads,
     .fits = suppress_fits,
     .reads_second = suppress_reads_second},
    {.name = "grid_sample",
     .run = grid_sample,
     .reads = grid_reads,
     .fits = grid_fits,
     .reads_second = grid_reads_second},
};

}  // namespace ftdist::FTDIST_NAMESPACE
