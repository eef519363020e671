// Kernels that bring values to scale by what they find in whole axes: means and variances, and the
// sums of exponentials. What they find is added up in double precision and in one order: position by
// position, channel n of a set in lane n % 16, the lanes in order.
#pragma once
#include "reducing.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// A box of a map.
struct Box {
  int top, bottom, left, right, first, last;
};

// Calls `body` with up to WIDTH floats side by side, for all positions and channels of a box.
template <class Body>
static inline void each_block(const Program& program, const Kernel& kernel, const Call& call,
                              const Box& box, const Body& body) {
  for (int row = box.top; row < box.bottom; row++)
    for (int column = box.left; column < box.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      for (int channel = box.first; channel < box.last; channel += WIDTH)
        body(in + channel, smaller(WIDTH, box.last - channel));
    }
}

struct Lanes {
  double of[WIDTH] = {};

  // All lanes become the sum of all.
  void add_up() {
    double sum = 0;
    for (const double each : of) sum += each;
    for (double& each : of) each = sum;
  }
};

struct Moments {
  float mean[WIDTH], scale[WIDTH];
};

enum NormalizeKind : int32_t { OVER_MAP = 1, AROUND_ZERO = 2 };

// Mean, and 1 / sqrt(variance + epsilon), of each lane's values in a box, or of all of them.
static inline Moments moments(const Program& program, const Kernel& kernel, const Call& call,
                              const Box& box, bool joint, double count) {
  Lanes sums, squares;
  each_block(program, kernel, call, box, [&](const float* in, int here) {
    for (int lane = 0; lane < here; lane++) sums.of[lane] += (double)in[lane];
  });
  if (joint) sums.add_up();
  for (double& each : sums.of) each = kernel.kind & AROUND_ZERO ? 0 : each / count;
  each_block(program, kernel, call, box, [&](const float* in, int here) {
    for (int lane = 0; lane < here; lane++) {
      const double away = (double)in[lane] - sums.of[lane];
      squares.of[lane] += away * away;
    }
  });
  if (joint) squares.add_up();
  Moments found;
  for (int lane = 0; lane < WIDTH; lane++) {
    found.mean[lane] = (float)sums.of[lane];
    found.scale[lane] =
        (float)(1.0 / __builtin_sqrt(squares.of[lane] / count + (double)kernel.factor));
  }
  return found;
}

// Writes the channels [first, last) of positions; lane n has the moments of channel first + n.
static inline void write_normalized(const Program& program, const Kernel& kernel, const Call& call,
                                    const Box& box, const Moments& by) {
  for (int row = box.top; row < box.bottom; row++)
    for (int column = box.left; column < box.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      for (int channel = box.first; channel < box.last; channel += LANES) {
        const int here = smaller(LANES, box.last - channel), lane = (channel - box.first) % WIDTH;
        const Vec scale = load_part(program.weights + kernel.weights + channel, here);
        const Vec bias = load_part(program.weights + kernel.bias + channel, here);
        const Vec away = load_part(in + channel, here) - load(by.mean + lane);
        const Vec y = fma(away, load(by.scale + lane) * scale, bias);
        store_part(out + channel, activate(kernel.activation, y, splat(kernel.slope)), here);
      }
    }
}

// Channels [first, last) that share moments, or up to WIDTH that have some each.
static inline void normalize_channels(const Program& program, const Kernel& kernel,
                                      const Call& call, int first, int last, bool joint) {
  const Box own = {call.row, call.row + call.rows, kernel.left, kernel.right, first, last};
  const double each = joint ? last - first : 1;
  if (kernel.kind & OVER_MAP) {
    const Box all = {0, kernel.height, 0, kernel.width, first, last};
    const double count = each * kernel.height * kernel.width;
    write_normalized(program, kernel, call, own,
                     moments(program, kernel, call, all, joint, count));
    return;
  }
  for (int row = own.top; row < own.bottom; row++)
    for (int column = own.left; column < own.right; column++) {
      const Box one = {row, row + 1, column, column + 1, first, last};
      write_normalized(program, kernel, call, one,
                       moments(program, kernel, call, one, joint, each));
    }
}

static void normalize(const Program& program, const Kernel& kernel, const Call& call) {
  const int own = kernel.channels / kernel.groups;
  if (own == 1)
    for (int first = 0; first < kernel.channels; first += WIDTH)
      normalize_channels(program, kernel, call, first, smaller(first + WIDTH, kernel.channels),
                         false);
  else
    for (int first = 0; first < kernel.channels; first += own)
      normalize_channels(program, kernel, call, first, first + own, true);
}

enum SoftmaxAxes : int32_t { OVER_ROWS = 1, OVER_COLUMNS = 2, OVER_CHANNELS = 4, LOGARITHM = 8 };

struct Exponentials {
  float largest[WIDTH], sum[WIDTH];
};

static inline Exponentials exponentials(const Program& program, const Kernel& kernel,
                                        const Call& call, const Box& box, bool joint) {
  Exponentials found;
  for (float& each : found.largest) each = -__builtin_inff();
  each_block(program, kernel, call, box, [&](const float* in, int here) {
    for (int lane = 0; lane < here; lane++)
      if (in[lane] > found.largest[lane]) found.largest[lane] = in[lane];
  });
  if (joint) {
    float most = found.largest[0];
    for (const float each : found.largest) most = each > most ? each : most;
    for (float& each : found.largest) each = most;
  }
  Lanes sums;
  each_block(program, kernel, call, box, [&](const float* in, int here) {
    float x[WIDTH] = {};
    for (int lane = 0; lane < here; lane++) x[lane] = in[lane] - found.largest[lane];
    exp_all(x);
    for (int lane = 0; lane < here; lane++) sums.of[lane] += (double)x[lane];
  });
  if (joint) sums.add_up();
  for (int lane = 0; lane < WIDTH; lane++)
    found.sum[lane] = kernel.kind & LOGARITHM ? log_one(sums.of[lane]) : (float)sums.of[lane];
  return found;
}

static inline void write_softmax(const Program& program, const Kernel& kernel, const Call& call,
                                 const Box& box, const Exponentials& by) {
  for (int row = box.top; row < box.bottom; row++)
    for (int column = box.left; column < box.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      for (int channel = box.first; channel < box.last; channel += LANES) {
        const int here = smaller(LANES, box.last - channel), lane = (channel - box.first) % WIDTH;
        const Vec x = load_part(in + channel, here) - load(by.largest + lane);
        const Vec sum = load(by.sum + lane);
        store_part(out + channel, kernel.kind & LOGARITHM ? x - sum : exp(x) / sum, here);
      }
    }
}

static void softmax_along(const Program& program, const Kernel& kernel, const Call& call) {
  const bool rows = kernel.kind & OVER_ROWS, columns = kernel.kind & OVER_COLUMNS;
  const bool channels = kernel.kind & OVER_CHANNELS;
  const int bottom = call.row + call.rows, wide = channels ? kernel.channels : WIDTH;
  for (int row = call.row; row < bottom; row = rows ? bottom : row + 1)
    for (int column = kernel.left; column < kernel.right; column = columns ? kernel.right : column + 1)
      for (int channel = 0; channel < kernel.channels; channel += wide) {
        const int last = smaller(kernel.channels, channel + wide);
        const Box all = {rows ? 0 : row, rows ? kernel.height : row + 1, columns ? 0 : column,
                         columns ? kernel.width : column + 1, channel, last};
        const Box own = {row, rows ? bottom : row + 1, column, columns ? kernel.right : column + 1,
                         channel, last};
        write_softmax(program, kernel, call, own,
                      exponentials(program, kernel, call, all, channels));
      }
}

static bool normalize_reads(const Kernel& k, Area& area) {
  if (!(k.kind & OVER_MAP)) return true;
  if (area.rows.last > k.height || area.columns.first < 0 || area.columns.last > k.width)
    return false;
  area = {{0, k.height}, {0, k.width}};
  return true;
}

static bool normalize_fits(const Kernel& k) {
  return same_channels(k) && k.channels % k.groups == 0 && one_tap(k) &&
         k.kind >= 0 && k.kind < 4;
}

static WeightLayout normalize_weights(const Kernel& k) { return {1, (double)k.filters, 1}; }

static bool softmax_along_reads(const Kernel& k, Area& area) {
  if (area.rows.last > k.height || area.columns.first < 0 || area.columns.last > k.width)
    return false;
  if (k.kind & OVER_ROWS) area.rows = {0, k.height};
  if (k.kind & OVER_COLUMNS) area.columns = {0, k.width};
  return true;
}

static bool softmax_along_fits(const Kernel& k) {
  return same_channels(k) && k.kind > 0 && k.kind < 16 && (k.kind & ~LOGARITHM);
}

constexpr Operation NORMALIZING[] = {
    {.name = "normalize",
     .run = normalize,
     .reads = normalize_reads,
     .fits = normalize_fits,
     .weights = normalize_weights,
     .activates = true},
    {.name = "softmax_along",
     .run = softmax_along,
     .reads = softmax_along_reads,
     .fits = softmax_along_fits},
};

}  // namespace ftdist::FTDIST_NAMESPACE
