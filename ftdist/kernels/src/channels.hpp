// Activations, and kernels that mix the channels of a pixel or of a map. Sums go channel by
// channel, so that their order is the same for every width of vectors.
#pragma once
#include "activation.hpp"
#include "rows.hpp"
#include "rules.hpp"

namespace ftdist::FTDIST_NAMESPACE {

static void activation(const Program& program, const Kernel& kernel, const Call& call) {
  constexpr int AT_ONCE = 8;  // vectors
  const int64_t count = (int64_t)(kernel.right - kernel.left) * kernel.channels;
  for (int row = call.row; row < call.row + call.rows; row++) {
    const float* in = at(program, kernel.in, call.in_row, row, kernel.left);
    float* out = at(program, kernel.out, call.out_row, row, kernel.left);
    for (int64_t first = 0; first < count; first += AT_ONCE * LANES) {
      const int floats = (int)least(AT_ONCE * LANES, count - first);
      Vec values[AT_ONCE];
      for (int i = 0; i < floats; i += LANES) values[i / LANES] = load(in + first + i);
      activate_all(kernel.activation, values, ceil_div(floats, LANES), splat(kernel.slope));
      for (int i = 0; i < floats; i += LANES)
        store_part(out + first + i, values[i / LANES], smaller(LANES, floats - i));
    }
  }
}

static void prelu(const Program& program, const Kernel& kernel, const Call& call) {
  const float* slopes = program.weights + kernel.weights;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      for (int first = 0; first < kernel.channels; first += LANES) {
        const int count = smaller(LANES, kernel.channels - first);
        const Vec x = load_part(in + first, count);
        store_part(out + first, activate<ACT_LEAKY>(x, load(slopes + first)), count);
      }
    }
}

// What a softmax divides by, and what it takes off first so that nothing overflows.
struct Scale {
  float largest, sum;
};

static inline Vec softmax_term(const Kernel& kernel, const float* in, int count, float largest) {
  return exp((load_part(in, count) - splat(largest)) / splat(kernel.factor));
}

// Over channels [first, first + count) of the pixels of an area of the input map.
static inline Scale softmax_scale(const Program& program, const Kernel& kernel, const Call& call,
                                  int top, int bottom, int left, int right, int first, int count) {
  Scale scale = {-__builtin_inff(), 0.0f};
  double sum = 0.0;
  for (int row = top; row < bottom; row++)
    for (int column = left; column < right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column) + first;
      for (int channel = 0; channel < count; channel++)
        if (in[channel] > scale.largest) scale.largest = in[channel];
    }
  for (int row = top; row < bottom; row++)
    for (int column = left; column < right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column) + first;
      for (int channel = 0; channel < count; channel += LANES) {
        const int here = smaller(LANES, count - channel);
        float terms[LANES];
        store(terms, softmax_term(kernel, in + channel, here, scale.largest));
        for (int lane = 0; lane < here; lane++) sum += (double)terms[lane];
      }
    }
  scale.sum = (float)sum;
  return scale;
}

// A window of more than one position is the whole map: one sum for all of it.
static void softmax(const Program& program, const Kernel& kernel, const Call& call) {
  const bool whole = kernel.kernel_height > 1 || kernel.kernel_width > 1;
  const int own = kernel.channels / kernel.groups;
  for (int group = 0; group < kernel.groups; group++) {
    const int first = group * own;
    Scale scale = {};
    if (whole)
      scale = softmax_scale(program, kernel, call, 0, kernel.height, 0, kernel.width, first, own);
    for (int row = call.row; row < call.row + call.rows; row++)
      for (int column = kernel.left; column < kernel.right; column++) {
        if (!whole)
          scale = softmax_scale(program, kernel, call, row, row + 1, column, column + 1, first, own);
        const float* in = at(program, kernel.in, call.in_row, row, column) + first;
        float* out = at(program, kernel.out, call.out_row, row, column) + first;
        for (int channel = 0; channel < own; channel += LANES) {
          const int count = smaller(LANES, own - channel);
          const Vec term = softmax_term(kernel, in + channel, count, scale.largest);
          store_part(out + channel, term / splat(scale.sum), count);
        }
      }
  }
}

// kappa + alpha * the sum of squares around a channel; see NormalizeResponses for what Darknet (kind
// 0) leaves out.
static inline float response_norm(const Kernel& kernel, const float* in, int channel) {
  const int first = larger(0, channel - (kernel.size - 1) / 2);
  const int last = smaller(kernel.channels - 1, channel + kernel.size / 2);
  float sum = 0.0f;
  for (int each = first; each <= last; each++) sum = fma_one(in[each], in[each], sum);
  const float never = kernel.kind ? 0.0f : in[kernel.size / 2];
  return fma_one(kernel.factor, fma_one(-never, never, sum), kernel.shift);
}

static void normalize_responses(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      for (int first = 0; first < kernel.channels; first += LANES) {
        const int count = smaller(LANES, kernel.channels - first);
        float norms[LANES] = {};
        for (int lane = 0; lane < count; lane++)
          norms[lane] = response_norm(kernel, in, first + lane);
        const Vec power = exp(splat(-kernel.power) * log(load(norms)));
        store_part(out + first, load_part(in + first, count) * power, count);
      }
    }
}

static void max_channels(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      for (int filter = 0; filter < kernel.filters; filter++) {
        float best = -__builtin_inff();
        for (int channel = filter; channel < kernel.channels; channel += kernel.filters)
          if (in[channel] > best || in[channel] != in[channel]) best = in[channel];
        out[filter] = best;
      }
    }
}

// The same position, or the whole map where the window is that.
static bool softmax_reads(const Kernel& k, Area& area) {
  if (one_tap(k)) return true;
  if (area.rows.last > k.height || area.columns.first < 0 || area.columns.last > k.width)
    return false;
  area = {{0, k.height}, {0, k.width}};
  return true;
}

static bool softmax_fits(const Kernel& k) {
  const bool whole_map = k.kernel_height == k.height && k.kernel_width == k.width;
  return same_channels(k) && k.channels % k.groups == 0 && (one_tap(k) || whole_map);
}

static bool normalize_responses_fits(const Kernel& k) {
  return same_channels(k) && k.size >= 1 && (k.kind == 0 || k.kind == 1) &&
         (k.kind || k.size / 2 < k.channels);
}

static bool max_channels_fits(const Kernel& k) { return k.filters <= k.channels; }

static WeightLayout prelu_weights(const Kernel& k) { return {1, (double)k.filters, 1, false}; }

static bool prelu_fits(const Kernel& k) {
  return same_channels(k) && k.groups == 1 && one_tap(k);
}

constexpr Operation CHANNELS[] = {
    {.name = "activate",
     .run = activation,
     .reads = reads_position,
     .fits = same_channels,
     .activates = true,
     .dense = true,
     .vectors = true},
    {.name = "prelu",
     .run = prelu,
     .reads = reads_position,
     .fits = prelu_fits,
     .weights = prelu_weights},
    {.name = "softmax", .run = softmax, .reads = softmax_reads, .fits = softmax_fits},
    {.name = "normalize_responses",
     .run = normalize_responses,
     .reads = reads_position,
     .fits = normalize_responses_fits},
    {.name = "max_channels",
     .run = max_channels,
     .reads = reads_position,
     .fits = max_channels_fits},
};

}  // namespace ftdist::FTDIST_NAMESPACE
