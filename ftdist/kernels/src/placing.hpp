// Kernels that put values where indices and boxes say: updates of some slices of a map, and what lies
// within regions of interest.
#pragma once
#include "resampling.hpp"
#include "selecting.hpp"

namespace ftdist::FTDIST_NAMESPACE {

enum ScatterKind : int32_t {
  SCATTER_SET, SCATTER_ADD, SCATTER_MULTIPLY, SCATTER_MAX, SCATTER_MIN, SCATTER_COUNT
};

static inline float scattered(int kind, float old, float update) {
  if (kind == SCATTER_ADD) return old + update;
  if (kind == SCATTER_MULTIPLY) return old * update;
  if (kind == SCATTER_MAX) return old > update || old != old ? old : update;
  if (kind == SCATTER_MIN) return old < update || old != old ? old : update;
  return update;
}

static inline int64_t update_count(const Kernel& k) {
  return (int64_t)k.in2_height * k.in2_width * k.in2_channels / k.size;
}

// The first map, of which slices of `size` floats are updated by those of the second, in order; the
// numbers of the slices stand among the weights. One beside the map is left out.
static void scatter(const Program& program, const Kernel& k, const Call& call) {
  const int64_t line = (int64_t)k.width * k.channels;
  const int64_t top = call.row * line, bottom = top + call.rows * line;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = 0; column < k.width; column++)
      __builtin_memcpy(at(program, k.out, call.out_row, row, column),
                       at(program, k.in, call.in_row, row, column), sizeof(float) * k.channels);
  const float* updates = at(program, k.in2, call.in2_row, 0, 0);
  const int64_t slices = k.height * line / k.size, count = update_count(k);
  for (int64_t number = 0; number < count; number++, updates += k.size) {
    const float index = program.weights[k.weights + number];
    if (!(index >= 0.0f) || !(index < (float)slices)) continue;
    const int64_t start = (int64_t)index * k.size;
    const int64_t stop = least(start + k.size, bottom);
    for (int64_t flat = most(start, top); flat < stop; flat++) {
      float* out = at(program, k.out, call.out_row, (int)(flat / line),
                      (int)(flat % line / k.channels)) + flat % k.channels;
      *out = scattered(k.kind, *out, updates[flat - start]);
    }
  }
}

// The first map, a row, some of whose columns are updated by entries of the second, in order: each is
// the number of a column and then its values. What is no such number is left out.
static void scatter_by(const Program& program, const Kernel& k, const Call& call) {
  for (int column = 0; column < k.width; column++)
    __builtin_memcpy(at(program, k.out, call.out_row, 0, column),
                     at(program, k.in, call.in_row, 0, column), sizeof(float) * k.channels);
  for (int entry = 0; entry < k.in2_width; entry++) {
    const float* update = at(program, k.in2, call.in2_row, 0, entry);
    if (!(*update >= 0.0f) || !(*update < (float)k.width)) continue;
    float* out = at(program, k.out, call.out_row, 0, (int)*update);
    for (int channel = 0; channel < k.channels; channel++)
      out[channel] = scattered(k.kind, out[channel], update[1 + channel]);
  }
}

enum RegionKind : int32_t { REGION_MAX = 1, REGION_HALF_PIXEL = 2 };

constexpr float MOST_SAMPLES = 1024.0f;  // of one bin, on one axis

// One axis of a region of interest: where it begins, and its bins.
struct Bins {
  float start, size;
  int samples;

  float place(int bin, int sample) const {
    return start + (float)bin * size + ((float)sample + 0.5f) * size / (float)samples;
  }
};

static inline Bins bins_of(const Kernel& k, float from, float to, int count) {
  const float offset = k.kind & REGION_HALF_PIXEL ? 0.5f : 0.0f;
  const float start = from * k.factor - offset;
  float size = to * k.factor - offset - start;
  if (!(k.kind & REGION_HALF_PIXEL)) size = size > 1.0f ? size : 1.0f;
  const float wanted = k.size > 0 ? (float)k.size : __builtin_ceilf(size / (float)count);
  const float samples = wanted < 1.0f ? 0.0f : wanted < MOST_SAMPLES ? wanted : MOST_SAMPLES;
  return {start, size / (float)count, wanted == wanted ? (int)samples : 0};
}

// The two positions of an axis around a place, and what the second counts; none beside the map.
struct Beside {
  int before, behind;
  float part;
};

static inline bool beside(float place, int size, Beside& found) {
  if (!(place >= -1.0f) || !(place <= (float)size)) return false;
  place = place > 0.0f ? place : 0.0f;
  const int before = smaller((int)place, size - 1);
  found = {before, smaller(before + 1, size - 1), before == size - 1 ? 0.0f : place - (float)before};
  return true;
}

static void roi_align(const Program& program, const Kernel& k, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = k.left; column < k.right; column++) {
      const float* region = at(program, k.in2, call.in2_row, row / k.kernel_height, 0);
      const Bins down = bins_of(k, region[1], region[3], k.kernel_height);
      const Bins across = bins_of(k, region[0], region[2], k.kernel_width);
      const int samples = down.samples * across.samples;
      float* out = at(program, k.out, call.out_row, row, column);
      const bool max = k.kind & REGION_MAX;
      for (int channel = 0; channel < k.filters; channel++)
        out[channel] = max && samples > 0 ? -__builtin_inff() : 0.0f;
      for (int sample = 0; sample < samples; sample++) {
        const float top = down.place(row % k.kernel_height, sample / across.samples);
        const float left = across.place(column, sample % across.samples);
        Beside y, x;
        const bool on_map = beside(top, k.height, y) && beside(left, k.width, x);
        for (int channel = 0; channel < k.filters; channel++) {
          float corners[4] = {};
          if (on_map)
            for (int corner = 0; corner < 4; corner++) {
              const float* in = at(program, k.in, call.in_row, corner / 2 ? y.behind : y.before,
                                   corner % 2 ? x.behind : x.before);
              corners[corner] = in[channel] * (corner / 2 ? y.part : 1.0f - y.part) *
                                (corner % 2 ? x.part : 1.0f - x.part);
            }
          for (const float each : corners)
            if (!max) out[channel] += each;
            else if (each > out[channel]) out[channel] = each;
        }
      }
      for (int channel = 0; channel < k.filters; channel++)
        if (!max && samples > 1) out[channel] /= (float)samples;
    }
}

// The positions of a bin on one axis of a region whose edges lie on whole positions.
static inline Span bin(float from, float to, float scale, int bins, int number, int size) {
  const float first = __builtin_roundf(from * scale), last = __builtin_roundf(to * scale);
  if (!(first > -FAR && first < FAR && last > -FAR && last < FAR)) return {0, 0};
  const float length = last - first + 1.0f > 1.0f ? last - first + 1.0f : 1.0f;
  const float each = length / (float)bins;
  const int64_t start = (int64_t)__builtin_floorf((float)number * each) + (int64_t)first;
  const int64_t stop = (int64_t)__builtin_ceilf((float)(number + 1) * each) + (int64_t)first;
  return clipped({start < size ? start : size, stop > 0 ? stop : 0}, size);
}

static void roi_pool(const Program& program, const Kernel& k, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = k.left; column < k.right; column++) {
      const float* region = at(program, k.in2, call.in2_row, row / k.kernel_height, 0);
      const int high = k.kernel_height, number = row % high;
      const Span rows = bin(region[1], region[3], k.factor, high, number, k.height);
      const Span columns = bin(region[0], region[2], k.factor, k.kernel_width, column, k.width);
      float* out = at(program, k.out, call.out_row, row, column);
      const bool empty = rows.first >= rows.last || columns.first >= columns.last;
      for (int channel = 0; channel < k.filters; channel++)
        out[channel] = empty ? 0.0f : -__builtin_inff();
      for (int64_t y = rows.first; y < rows.last; y++)
        for (int64_t x = columns.first; x < columns.last; x++) {
          const float* in = at(program, k.in, call.in_row, (int)y, (int)x);
          for (int channel = 0; channel < k.filters; channel++)
            out[channel] = scattered(SCATTER_MAX, in[channel], out[channel]);
        }
    }
}

static bool scatter_fits(const Kernel& k) {
  const int64_t updates = (int64_t)k.in2_height * k.in2_width * k.in2_channels;
  const int64_t line = (int64_t)k.in2_width * k.in2_channels;
  return same_channels(k) && one_tap(k) && k.height >= 1 && k.width >= 1 && k.size >= 1 &&
         k.in2_height >= 1 && k.in2_width >= 1 && k.in2_channels >= 1 && updates % k.size == 0 &&
         (int64_t)k.height * k.width * k.channels % k.size == 0 && k.left == 0 &&
         k.right == k.width && k.kind >= 0 && k.kind < SCATTER_COUNT &&
         is_dense_row(k.in2, k.in2_channels) && k.in2.row == line;
}

static bool scatter_reads(const Kernel& k, Area& area) { return area.rows.last <= k.height; }

static int64_t scatter_reads_second(const Kernel& k, Area& area) {
  area = {{0, k.in2_height}, {0, k.in2_width}};
  return k.in2_channels;
}

static WeightLayout scatter_weights(const Kernel& k) {
  return {1, (double)update_count(k), 1, false};
}

static bool scatter_by_fits(const Kernel& k) {
  return same_channels(k) && k.height == 1 && k.width >= 1 && k.left == 0 && k.right == k.width &&
         k.in2_height == 1 && k.in2_width >= 1 && k.in2_channels == (int64_t)k.channels + 1 &&
         k.kind >= 0 && k.kind < SCATTER_COUNT;
}

static bool roi_fits(const Kernel& k) {
  return same_channels(k) && k.height >= 1 && k.width >= 1 && k.in2_channels == 4 &&
         k.in2_width == 1 && k.size >= 0 && k.size <= MOST_SAMPLES && k.kind >= 0 && k.kind < 4;
}

static bool roi_reads(const Kernel& k, Area& area) {
  area = {{0, k.height}, {0, k.width}};
  return true;
}

static int64_t roi_reads_second(const Kernel& k, Area& area) {
  area = {{area.rows.first / k.kernel_height, (area.rows.last - 1) / k.kernel_height + 1}, {0, 1}};
  return 4;
}

constexpr Operation PLACING[] = {
    {.name = "scatter",
     .run = scatter,
     .reads = scatter_reads,
     .fits = scatter_fits,
     .weights = scatter_weights,
     .reads_second = scatter_reads_second},
    {.name = "scatter_by",
     .run = scatter_by,
     .reads = reads_row,
     .fits = scatter_by_fits,
     .reads_second = reads_second_row},
    {.name = "roi_pool",
     .run = roi_pool,
     .reads = roi_reads,
     .fits = roi_fits,
     .reads_second = roi_reads_second},
    {.name = "roi_align",
     .run = roi_align,
     .reads = roi_reads,
     .fits = roi_fits,
     .reads_second = roi_reads_second},
};

}  // namespace ftdist::FTDIST_NAMESPACE
