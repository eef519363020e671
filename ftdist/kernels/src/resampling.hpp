// Kernels that take rows and columns from elsewhere: cubic resizing, and padding by what is on the map.
#pragma once
#include "moving.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// Four positions of an axis, all on the map, and what each of them counts.
struct Cubic {
  int at[4];
  float weight[4];
};

// Keys' weights of the four positions around a place that is `part` behind the second of them.
static inline void keys_weights(double part, double a, float* weights) {
  const auto far = [a](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  const auto near = [a](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  weights[0] = (float)far(1 + part), weights[1] = (float)near(part);
  weights[2] = (float)near(1 - part), weights[3] = (float)far(2 - part);
}

// The place of an output position is (stride * i + pad) / dilation. `only_inside`: what lies beside
// the map counts nothing, and the others share its part.
static inline Cubic cubic(int64_t position, int64_t stride, int64_t pad, int64_t dilation,
                          int64_t size, double a, bool only_inside) {
  const int64_t place = position * stride + pad;
  const int64_t first = place / dilation - (place % dilation < 0);
  Cubic found;
  keys_weights((double)(place - first * dilation) / (double)dilation, a, found.weight);
  double sum = 0;
  for (int tap = 0; tap < 4; tap++) {
    const int64_t from = first - 1 + tap;
    if (only_inside && (from < 0 || from >= size)) found.weight[tap] = 0;
    found.at[tap] = (int)most(0, least(from, size - 1));
    sum += (double)found.weight[tap];
  }
  for (float& each : found.weight)
    if (only_inside) each = (float)((double)each / sum);
  return found;
}

static void resize_cubic(const Program& program, const Kernel& k, const Call& call) {
  const double a = (double)k.factor;
  for (int row = call.row; row < call.row + call.rows; row++) {
    const Cubic y = cubic(row, k.stride_y, k.pad_top, k.dilation_y, k.height, a, k.kind);
    for (int column = k.left; column < k.right; column++) {
      const Cubic x = cubic(column, k.stride_x, k.pad_left, k.dilation_x, k.width, a, k.kind);
      float* out = at(program, k.out, call.out_row, row, column);
      for (int first = 0; first < k.channels; first += LANES) {
        const int count = smaller(LANES, k.channels - first);
        Vec total = splat(0.0f);
        for (int down = 0; down < 4; down++) {
          Vec line = splat(0.0f);
          for (int across = 0; across < 4; across++) {
            const float* in = at(program, k.in, call.in_row, y.at[down], x.at[across]);
            line = fma(load_part(in + first, count), splat(x.weight[across]), line);
          }
          total = fma(line, splat(y.weight[down]), total);
        }
        store_part(out + first, total, count);
      }
    }
  }
}

enum PadKind : int32_t { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP, PAD_COUNT };

// What a position beside the map or on it is taken from.
static inline int64_t padded_from(int64_t position, int64_t size, int kind) {
  if (position >= 0 && position < size) return position;
  if (kind == PAD_CONSTANT || kind == PAD_EDGE || size == 1) return position < 0 ? 0 : size - 1;
  const int64_t period = kind == PAD_WRAP ? size : 2 * (size - 1);
  const int64_t left = position % period, phase = left < 0 ? left + period : left;
  return phase < size ? phase : period - phase;
}

static void pad(const Program& program, const Kernel& k, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++) {
    const int y = row - k.pad_top, from_row = (int)padded_from(y, k.height, k.kind);
    for (int column = k.left; column < k.right; column++) {
      const int x = column - k.pad_left;
      float* out = at(program, k.out, call.out_row, row, column);
      if (k.kind == PAD_CONSTANT && (y < 0 || y >= k.height || x < 0 || x >= k.width)) {
        for (int channel = 0; channel < k.filters; channel++) out[channel] = k.factor;
        continue;
      }
      const int from_column = (int)padded_from(x, k.width, k.kind);
      __builtin_memcpy(out, at(program, k.in, call.in_row, from_row, from_column),
                       sizeof(float) * k.filters);
    }
  }
}

static bool cubic_reads(const Kernel& k, Area& area) {
  const auto read = [](Span span, int64_t stride, int64_t pad, int64_t dilation, int64_t size) {
    const Cubic first = cubic(span.first, stride, pad, dilation, size, 0, false);
    const Cubic last = cubic(span.last - 1, stride, pad, dilation, size, 0, false);
    return Span{first.at[0], last.at[3] + 1};
  };
  if (k.height < 1 || k.width < 1 || !is_near(area.rows) || !is_near(area.columns)) return false;
  area = {read(area.rows, k.stride_y, k.pad_top, k.dilation_y, k.height),
          read(area.columns, k.stride_x, k.pad_left, k.dilation_x, k.width)};
  return true;
}

constexpr int64_t MOST_PADDED = int64_t{1} << 20;  // positions of an axis that are looked at

static bool pad_reads(const Kernel& k, Area& area) {
  const auto read = [&](Span& span, int64_t before, int64_t size) {
    if (!is_near(span) || span.last - span.first > MOST_PADDED) return false;
    Span found = {size, 0};
    for (int64_t position = span.first; position < span.last; position++) {
      const int64_t from = padded_from(position - before, size, k.kind);
      found = {least(found.first, from), most(found.last, from + 1)};
    }
    span = found;
    return true;
  };
  return k.height >= 1 && k.width >= 1 && read(area.rows, k.pad_top, k.height) &&
         read(area.columns, k.pad_left, k.width);
}

static bool pad_fits(const Kernel& k) {
  return same_channels(k) && k.kind >= 0 && k.kind < PAD_COUNT;
}

constexpr Operation RESAMPLING[] = {
    {.name = "resize_cubic",
     .run = resize_cubic,
     .reads = cubic_reads,
     .fits = same_channels},
    {.name = "pad", .run = pad, .reads = pad_reads, .fits = pad_fits},
};

}  // namespace ftdist::FTDIST_NAMESPACE
