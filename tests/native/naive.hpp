// What each kernel computes, as plain loops over whole maps: one output element at a time, nothing
// packed, nothing placed. Sums are fused multiply-adds in the order bias, ky, kx, input channel.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "program.hpp"

namespace check {

using ftdist::Kernel;

// A whole feature map, (height, width, channels). Columns beside it are zero.
struct Map {
  int height = 0, width = 0, channels = 0;
  std::vector<float> values;

  bool has_column(int column) const { return column >= 0 && column < width; }
  float at(int row, int column, int channel) const {
    if (!has_column(column)) return 0.0f;
    return values[(static_cast<size_t>(row) * width + column) * channels + channel];
  }
};

// A layer before anything is packed or placed: of `kernel` the sizes count, not the buffers.
struct Layer {
  Kernel kernel = {};
  int height = 0, width = 0;    // of the output
  Map in, in2;
  std::vector<float> weights;   // [filters][channels / groups][ky][kx]
  std::vector<float> bias;      // [filters]
  std::vector<int> sources;     // Darknet's reorg: the input's flat index for each output's
};

struct Output {
  float value;
  float largest;  // of all sums on the way: what a rounding error is measured by
};

inline float naive_exp(float x) {
  if (std::isnan(x)) return x;
  if (x < -87.33654f) x = -87.33654f;
  if (x > 88.0f) x = 88.0f;
  const float magic = 12582912.0f;
  const float n = std::fma(x, 1.44269504088896341f, magic) - magic;
  float r = std::fma(n, -0.693359375f, x);
  r = std::fma(n, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  for (const float next : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f,
                           5.0000001201e-1f})
    p = std::fma(p, r, next);
  const float square = r * r;
  p = std::fma(p, square, r + 1.0f);
  return p * std::ldexp(1.0f, static_cast<int>(n));
}

inline float naive_clamp6(float x) { return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x; }

inline float naive_activate(int kind, float slope, float x) {
  switch (kind) {
    case ftdist::ACT_LEAKY: return x > 0.0f ? x : x * slope;
    case ftdist::ACT_RELU: return x < 0.0f ? 0.0f : x;
    case ftdist::ACT_RELU6: return naive_clamp6(x);
    case ftdist::ACT_LOGISTIC: return 1.0f / (1.0f + naive_exp(-x));
    case ftdist::ACT_SWISH: return x * (1.0f / (1.0f + naive_exp(-x)));
    case ftdist::ACT_MISH: {
      const float e = naive_exp(x > 20.0f ? 20.0f : x);
      const float t = e * (e + 2.0f);
      return x * (t / (t + 2.0f));
    }
    case ftdist::ACT_HARDSWISH: {
      const float scaled = x * naive_clamp6(x + 3.0f);
      return scaled / 6.0f;
    }
    default: return x;
  }
}

// The same functions by libm in double precision: how far off are ours?
inline double exact_activate(int kind, double x) {
  switch (kind) {
    case ftdist::ACT_LOGISTIC: return 1.0 / (1.0 + std::exp(-x));
    case ftdist::ACT_SWISH: return x / (1.0 + std::exp(-x));
    case ftdist::ACT_MISH: return x * std::tanh(std::log1p(std::exp(x)));
    default: return x * std::fmin(std::fmax(x + 3.0, 0.0), 6.0) / 6.0;
  }
}

inline Output naive_convolution(const Layer& layer, int y, int x, int filter) {
  const Kernel& k = layer.kernel;
  const int depth = k.channels / k.groups;
  const int first_channel = filter / (k.filters / k.groups) * depth;
  float sum = layer.bias[filter], largest = std::fabs(sum);
  for (int ky = 0; ky < k.kernel_height; ky++)
    for (int kx = 0; kx < k.kernel_width; kx++)
      for (int ic = 0; ic < depth; ic++) {
        const int row = y * k.stride_y - k.pad_top + ky * k.dilation_y;
        const int column = x * k.stride_x - k.pad_left + kx * k.dilation_x;
        if (row < 0 || row >= k.height) continue;
        const size_t weight =
            ((static_cast<size_t>(filter) * depth + ic) * k.kernel_height + ky) * k.kernel_width +
            kx;
        sum = std::fma(layer.in.at(row, column, first_channel + ic), layer.weights[weight], sum);
        largest = std::fmax(largest, std::fabs(sum));
      }
  return {sum, largest};
}

inline Output naive_pool(const Layer& layer, bool maximum, int y, int x, int channel) {
  const Kernel& k = layer.kernel;
  float result = maximum ? -std::numeric_limits<float>::infinity() : 0.0f, largest = 0.0f;
  int seen = 0;
  for (int ky = 0; ky < k.kernel_height; ky++)
    for (int kx = 0; kx < k.kernel_width; kx++) {
      const int row = y * k.stride_y - k.pad_top + ky * k.dilation_y;
      const int column = x * k.stride_x - k.pad_left + kx * k.dilation_x;
      if (row < 0 || row >= k.height || !layer.in.has_column(column)) continue;
      const float value = layer.in.at(row, column, channel);
      seen++;
      if (!maximum) result = result + value;
      if (maximum && (std::isnan(value) || value > result)) result = value;
      largest = std::fmax(largest, std::fabs(result));
    }
  if (maximum) return {result, largest};
  const int count = k.count_padding ? k.kernel_height * k.kernel_width : seen;
  return {result / static_cast<float>(count), largest};
}

// Darknet's reorg_cpu, which scatters; here it scatters where each value comes from.
inline std::vector<int> darknet_sources(const Kernel& k) {
  const int s = k.stride_y, depth = k.channels / (s * s);
  std::vector<int> sources(static_cast<size_t>(k.channels) * k.height * k.width);
  for (int c = 0; c < k.channels; c++)
    for (int j = 0; j < k.height; j++)
      for (int i = 0; i < k.width; i++) {
        const int offset = c / depth;
        const int column = i * s + offset % s, row = j * s + offset / s;
        sources[i + k.width * (j + k.height * c)] =
            column + k.width * s * (row + k.height * s * (c % depth));
      }
  return sources;
}

// Where an element of Darknet's reorg comes from, as {channel, row, column}.
struct Position {
  int channel, row, column;
};
inline Position darknet_source(const Layer& layer, int y, int x, int channel) {
  const Kernel& k = layer.kernel;
  const int flat = layer.sources[(channel * layer.height + y) * layer.width + x];
  return {flat / (k.width * k.height), flat / k.width % k.height, flat % k.width};
}

// Output element (y, x, channel) of a layer, before its activation.
inline Output naive_sum(const Layer& layer, int y, int x, int channel) {
  const Kernel& k = layer.kernel;
  const auto plain = [](float value) { return Output{value, std::fabs(value)}; };
  const int s = k.stride_y;
  switch (k.op) {
    case ftdist::OP_CONVOLUTION:
    case ftdist::OP_DEPTHWISE: return naive_convolution(layer, y, x, channel);
    case ftdist::OP_MAX_POOL: return naive_pool(layer, true, y, x, channel);
    case ftdist::OP_AVERAGE_POOL: return naive_pool(layer, false, y, x, channel);
    case ftdist::OP_ADD: return plain(layer.in.at(y, x, channel) + layer.in2.at(y, x, channel));
    case ftdist::OP_UPSAMPLE: return plain(layer.in.at(y / s, x / k.stride_x, channel));
    case ftdist::OP_REORG: {
      const int part = channel / k.channels;
      return plain(layer.in.at(y * s + part / s, x * s + part % s, channel % k.channels));
    }
    case ftdist::OP_REORG_DARKNET: {
      const Position from = darknet_source(layer, y, x, channel);
      return plain(layer.in.at(from.row, from.column, from.channel));
    }
    default: return plain(layer.in.at(y, x, channel));
  }
}

inline Output naive_activated(const Layer& layer, int y, int x, int channel) {
  const Output sum = naive_sum(layer, y, x, channel);
  const float value = naive_activate(layer.kernel.activation, layer.kernel.slope, sum.value);
  return {value, std::fmax(sum.largest, std::fabs(value))};
}

// As that; of a convolution that takes its pool along the largest element of a window.
inline Output naive(const Layer& layer, int y, int x, int channel) {
  const Kernel& k = layer.kernel;
  Output best = naive_activated(layer, y * k.pool_height, x * k.pool_width, channel);
  for (int part = 1; part < k.pool_height * k.pool_width; part++) {
    const Output next = naive_activated(layer, y * k.pool_height + part / k.pool_width,
                                        x * k.pool_width + part % k.pool_width, channel);
    if (std::isnan(next.value) || next.value > best.value) best.value = next.value;
    const bool finite = std::isfinite(next.largest);  // an infinite sum may lose to a finite one
    if (finite) best.largest = std::isfinite(best.largest) ? std::fmax(best.largest, next.largest)
                                                           : next.largest;
  }
  return best;
}

}  // namespace check
