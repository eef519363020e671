// Kernels that choose among values, and places that other values name: the largest ones, values by
// index, boxes that do not overlap. They hold what they have found in the output.
#pragma once
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

// Of the first map, and of the second one, a row, all of it.
static bool reads_row(const Kernel& k, Area& area) {
  if (area.rows.first != 0 || area.rows.last != 1) return false;
  area = {{0, 1}, {0, k.width}};
  return true;
}

static int64_t reads_second_row(const Kernel& k, Area& area) {
  area = {{0, 1}, {0, k.in2_width}};
  return k.in2_channels;
}

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
     .reads = reads_row,
     .fits = suppress_fits,
     .reads_second = reads_second_row},
};

}  // namespace ftdist::FTDIST_NAMESPACE
