// What each kernel computes, as plain loops over whole maps: one output element at a time, nothing
// packed, nothing placed. Sums are fused multiply-adds in the order bias, ky, kx, input channel; those
// of many terms are put together of partial sums.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "activations.hpp"
#include "operations.hpp"

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
  Map so_far;                   // of a sum: what the output holds already
  std::vector<float> weights;   // [filters][channels / groups][ky][kx]
  std::vector<float> bias;      // [filters]
  std::vector<int> sources;     // Darknet's reorg: the input's flat index for each output's
};

struct Output {
  float value;
  float largest;  // of all sums on the way: what a rounding error is measured by
};

// A sum that begins with a bias. After every `most` terms another partial sum begins, from zero.
struct Sum {
  float sum, largest;
  int most = ftdist::PARTIAL_TERMS, terms = 0;
  bool has_before = false;
  float before = 0.0f;

  explicit Sum(float bias) : sum(bias), largest(std::fabs(bias)) {}

  void add(float value, float weight) {
    if (terms == most) {
      before = total();
      has_before = true;
      sum = 0.0f, terms = 0;
    }
    sum = std::fma(value, weight, sum);
    terms++;
    largest = std::fmax(largest, std::fabs(total()));
  }
  float total() const { return has_before ? before + sum : sum; }
  Output output() const { return {total(), largest}; }
};

inline Output naive_convolution(const Layer& layer, int y, int x, int filter) {
  const Kernel& k = layer.kernel;
  const int depth = k.channels / k.groups;
  const int first_channel = filter / (k.filters / k.groups) * depth;
  const size_t place = k.op == ftdist::OP_LOCAL
                           ? (static_cast<size_t>(y) * k.out_width + x) * k.filters + filter
                           : static_cast<size_t>(filter);
  Sum sum(layer.bias[place]);
  if (k.op == ftdist::OP_DEPTHWISE) sum.most = std::numeric_limits<int>::max();
  for (int ky = 0; ky < k.kernel_height; ky++)
    for (int kx = 0; kx < k.kernel_width; kx++)
      for (int ic = 0; ic < depth; ic++) {
        const int row = y * k.stride_y - k.pad_top + ky * k.dilation_y;
        const int column = x * k.stride_x - k.pad_left + kx * k.dilation_x;
        if (row < 0 || row >= k.height) continue;
        const size_t weight =
            ((place * depth + ic) * k.kernel_height + ky) * k.kernel_width + kx;
        sum.add(layer.in.at(row, column, first_channel + ic), layer.weights[weight]);
      }
  return sum.output();
}

// G times a column of three.
inline void naive_expand(int size, const float* from, int step, float* to) {
  const float a = from[0], b = from[step], c = from[2 * step], sum = a + c;
  if (size == 2) {
    to[0] = a, to[1] = (sum + b) * 0.5f, to[2] = (sum - b) * 0.5f, to[3] = c;
    return;
  }
  const float even = a * (1.0f / 24) + c * (1.0f / 6), odd = b * (1.0f / 12);
  to[0] = a * 0.25f, to[1] = (sum + b) * (-1.0f / 6), to[2] = (sum - b) * (-1.0f / 6);
  to[3] = even + odd, to[4] = even - odd, to[5] = c;
}

// The transformed weight of a 3x3 window for product (row, column) of a block.
inline float naive_transformed(int size, const float* taps, int row, int column) {
  float rows[3][6], all[6];
  for (int x = 0; x < 3; x++) naive_expand(size, taps + x, 3, rows[x]);
  const float own[3] = {rows[0][row], rows[1][row], rows[2][row]};
  naive_expand(size, own, 1, all);
  return all[column];
}

// B^T times a column of inputs.
inline void naive_inputs(int size, const float* d, int step, float* to) {
  const float d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
  if (size == 2) {
    to[0] = d0 - d2, to[1] = d1 + d2, to[2] = d2 - d1, to[3] = d1 - d3;
    return;
  }
  const float d4 = d[4 * step], d5 = d[5 * step];
  const float a = std::fma(-4.0f, d2, d4), b = std::fma(-4.0f, d1, d3);
  const float c = d4 - d2, e = 2.0f * (d3 - d1);
  to[0] = std::fma(-5.0f, d2, std::fma(4.0f, d0, d4));
  to[1] = a + b, to[2] = a - b, to[3] = c + e, to[4] = c - e;
  to[5] = std::fma(-5.0f, d3, std::fma(4.0f, d1, d5));
}

// A^T times a column of products.
inline void naive_outputs(int size, const float* m, int step, float* to) {
  if (size == 2) {
    to[0] = m[0] + m[step] + m[2 * step], to[1] = m[step] - m[2 * step] - m[3 * step];
    return;
  }
  const float m1 = m[step], m2 = m[2 * step], m3 = m[3 * step], m4 = m[4 * step];
  const float a = m1 + m2, b = m1 - m2, g = m3 + m4, h = m3 - m4;
  to[0] = m[0] + a + g, to[1] = std::fma(2.0f, h, b), to[2] = std::fma(4.0f, g, a);
  to[3] = std::fma(8.0f, h, b) + m[5 * step];
}

// Blocks of outputs are anchored to the whole map; a product is summed over the channels in order.
inline Output naive_winograd(const Layer& layer, int y, int x, int filter) {
  const Kernel& k = layer.kernel;
  const int size = k.size, side = size + 2;
  const int top = y / size * size - k.pad_top, left = x / size * size - k.pad_left;
  float products[36] = {}, largest = 0.0f;
  for (int channel = 0; channel < k.channels; channel++) {
    float d[36], e[36], v[6];
    for (int row = 0; row < side; row++)
      for (int column = 0; column < side; column++) {
        const bool there = top + row >= 0 && top + row < k.height;
        d[row * side + column] = there ? layer.in.at(top + row, left + column, channel) : 0.0f;
      }
    for (int column = 0; column < side; column++) {
      naive_inputs(size, d + column, side, v);
      for (int row = 0; row < side; row++) e[row * side + column] = v[row];
    }
    for (int row = 0; row < side; row++) {
      naive_inputs(size, e + row * side, 1, v);
      for (int column = 0; column < side; column++) {
        const float* taps = layer.weights.data() + (static_cast<size_t>(filter) * k.channels + channel) * 9;
        float& product = products[row * side + column];
        product = std::fma(naive_transformed(size, taps, row, column), v[column], product);
        largest = std::fmax(largest, std::fabs(product));
      }
    }
  }
  float rows[24], row_of[4], made[4];
  for (int column = 0; column < side; column++) {
    naive_outputs(size, products + column, side, row_of);
    for (int row = 0; row < size; row++) rows[row * side + column] = row_of[row];
  }
  naive_outputs(size, rows + y % size * side, 1, made);
  const float sum = made[x % size] + layer.bias[static_cast<size_t>(filter)];
  return {sum, std::fmax(largest, std::fabs(sum))};
}

// The input position that a tap of a transposed convolution meets; -1 where there is none.
inline int met(int output, int pad, int tap, int dilation, int stride, int size) {
  const int place = output + pad - tap * dilation;
  return place >= 0 && place % stride == 0 && place / stride < size ? place / stride : -1;
}

inline Output naive_transposed(const Layer& layer, int y, int x, int filter) {
  const Kernel& k = layer.kernel;
  const int depth = k.channels / k.groups;
  const int first_channel = filter / (k.filters / k.groups) * depth;
  Sum sum(layer.bias[filter]);
  for (int ky = 0; ky < k.kernel_height; ky++)
    for (int kx = 0; kx < k.kernel_width; kx++)
      for (int ic = 0; ic < depth; ic++) {
        const int row = met(y, k.pad_top, ky, k.dilation_y, k.stride_y, k.height);
        const int column = met(x, k.pad_left, kx, k.dilation_x, k.stride_x, k.width);
        if (row < 0 || column < 0) continue;
        const size_t weight =
            ((static_cast<size_t>(filter) * depth + ic) * k.kernel_height + ky) * k.kernel_width + kx;
        sum.add(layer.in.at(row, column, first_channel + ic), layer.weights[weight]);
      }
  return sum.output();
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

// One step of a sum: what the output holds so far, and the map that is added.
inline Output naive_accumulate(const Layer& layer, int y, int x, int channel) {
  const Kernel& k = layer.kernel;
  const bool weighted = k.op == ftdist::OP_ACCUMULATE_WEIGHTED;
  const float begun = weighted ? layer.bias[channel] : 0.0f;
  const float so_far = k.part ? layer.so_far.at(y, x, channel) : begun;
  const int row = y / k.sample * k.stride_y, column = x / k.sample * k.stride_x;
  float result = so_far;
  if (y % k.sample == 0 && x % k.sample == 0 && row < k.height && column < k.width &&
      channel < k.channels) {
    const float value = layer.in.at(row, column, channel);
    const float kept = k.kept * so_far;
    if (weighted)
      result = std::fma(layer.weights[channel * k.size + k.part], value, so_far);
    else
      result = k.part ? std::fma(k.factor, value, kept) : value;
  }
  return {result, std::fmax(std::fabs(so_far), std::fabs(result))};
}

// Terms are summed in double precision, channel by channel.
inline Output naive_softmax(const Layer& layer, int y, int x, int channel) {
  const Kernel& k = layer.kernel;
  const bool whole = k.kernel_height > 1 || k.kernel_width > 1;
  const int own = k.channels / k.groups, first = channel / own * own;
  const auto each = [&](const auto& body) {
    for (int row = whole ? 0 : y; row < (whole ? k.height : y + 1); row++)
      for (int column = whole ? 0 : x; column < (whole ? k.width : x + 1); column++)
        for (int c = first; c < first + own; c++) body(layer.in.at(row, column, c));
  };
  float largest = -std::numeric_limits<float>::infinity();
  each([&](float value) { largest = value > largest ? value : largest; });
  double sum = 0.0;
  each([&](float value) { sum += static_cast<double>(naive_exp((value - largest) / k.factor)); });
  const float term = naive_exp((layer.in.at(y, x, channel) - largest) / k.factor);
  return {term / static_cast<float>(sum), 1.0f};
}

inline Output naive_normalize(const Layer& layer, int y, int x, int channel) {
  const Kernel& k = layer.kernel;
  float sum = 0.0f;
  for (int c = channel - (k.size - 1) / 2; c <= channel + k.size / 2; c++) {
    if (c < 0 || c >= k.channels) continue;
    const float value = layer.in.at(y, x, c);
    sum = std::fma(value, value, sum);
  }
  const float never = layer.in.at(y, x, k.size / 2);
  const float norm = std::fma(k.factor, std::fma(-never, never, sum), k.shift);
  const float power = naive_exp(-k.power * naive_log(norm));
  const float result = layer.in.at(y, x, channel) * power;
  const float lost = 1.0f + k.power * k.factor * sum / std::fabs(norm);  // where squares cancel
  return {result, std::fabs(result) * lost};
}

inline float naive_max_channels(const Layer& layer, int y, int x, int filter) {
  float best = -std::numeric_limits<float>::infinity();
  for (int c = filter; c < layer.kernel.channels; c += layer.kernel.filters) {
    const float value = layer.in.at(y, x, c);
    if (std::isnan(value) || value > best) best = value;
  }
  return best;
}

inline float naive_product(const Layer& layer, int y, int x, int channel) {
  const Kernel& k = layer.kernel;
  const float by = layer.in2.at(k.in2_height == 1 ? 0 : y, k.in2_width == 1 ? 0 : x,
                                k.in2_channels == 1 ? 0 : channel);
  return layer.in.at(y, x, channel) * by;
}

// The input positions before and behind the place of an output position of a resize.
struct Beside {
  int before, behind;
  float weight;
};
inline Beside beside(int position, int stride, int pad, int dilation, int size) {
  int64_t place = static_cast<int64_t>(position) * stride + pad, first = 0;
  while (place < 0) place += dilation, first--;
  first += place / dilation;
  const float weight = static_cast<float>(place % dilation) / static_cast<float>(dilation);
  const auto on_map = [&](int64_t at) {
    return static_cast<int>(std::clamp<int64_t>(at, 0, size - 1));
  };
  return {on_map(first), on_map(first + 1), weight};
}
inline Beside row_beside(const Kernel& k, int y) {
  return beside(y, k.stride_y, k.pad_top, k.dilation_y, k.height);
}
inline Beside column_beside(const Kernel& k, int x) {
  return beside(x, k.stride_x, k.pad_left, k.dilation_x, k.width);
}

inline Output naive_resize(const Layer& layer, int y, int x, int channel) {
  const Beside row = row_beside(layer.kernel, y), column = column_beside(layer.kernel, x);
  const auto value = [&](int at, int place) { return layer.in.at(at, place, channel); };
  if (layer.kernel.op == ftdist::OP_RESIZE_NEAREST) {
    const float nearest = value(row.before, column.before);
    return {nearest, std::fabs(nearest)};
  }
  const auto mixed = [](float before, float behind, float weight) {
    return std::fma(weight, behind - before, before);
  };
  const float a = value(row.before, column.before), b = value(row.before, column.behind);
  const float c = value(row.behind, column.before), d = value(row.behind, column.behind);
  const float largest = std::fmax(std::fmax(std::fabs(a), std::fabs(b)),
                                  std::fmax(std::fabs(c), std::fabs(d)));
  return {mixed(mixed(a, b, column.weight), mixed(c, d, column.weight), row.weight), largest};
}

// Output element (y, x, channel) of a layer, before its activation.
inline Output naive_sum(const Layer& layer, int y, int x, int channel) {
  const Kernel& k = layer.kernel;
  const auto plain = [](float value) { return Output{value, std::fabs(value)}; };
  const int s = k.stride_y;
  using namespace ftdist;
  if (k.op == OP_CONVOLUTION || k.op == OP_WINOGRAD) {
    Output made = k.op == OP_CONVOLUTION ? naive_convolution(layer, y, x, channel)
                                         : naive_winograd(layer, y, x, channel);
    if (k.kind == 1) made.value += layer.in2.at(y, x, channel);
    return {made.value, std::fmax(made.largest, std::fabs(made.value))};
  }
  if (k.op == OP_LOCAL || k.op == OP_DEPTHWISE) return naive_convolution(layer, y, x, channel);
  if (k.op == OP_TRANSPOSED_CONVOLUTION) return naive_transposed(layer, y, x, channel);
  if (k.op == OP_MAX_POOL) return naive_pool(layer, true, y, x, channel);
  if (k.op == OP_AVERAGE_POOL) return naive_pool(layer, false, y, x, channel);
  if (k.op == OP_ADD) return plain(layer.in.at(y, x, channel) + layer.in2.at(y, x, channel));
  if (k.op == OP_UPSAMPLE) {
    const float value = layer.in.at(y / s, x / k.stride_x, channel);
    return plain(k.factor == 1.0f ? value : std::fma(value, k.factor, k.shift));
  }
  if (k.op == OP_ACCUMULATE || k.op == OP_ACCUMULATE_WEIGHTED)
    return naive_accumulate(layer, y, x, channel);
  if (k.op == OP_MULTIPLY) return plain(naive_product(layer, y, x, channel));
  if (k.op == OP_PRELU) {
    const float value = layer.in.at(y, x, channel);
    return plain(value > 0.0f ? value : value * layer.weights[channel]);
  }
  if (k.op == OP_SOFTMAX) return naive_softmax(layer, y, x, channel);
  if (k.op == OP_NORMALIZE_RESPONSES) return naive_normalize(layer, y, x, channel);
  if (k.op == OP_MAX_CHANNELS) return plain(naive_max_channels(layer, y, x, channel));
  if (k.op == OP_RESIZE_LINEAR || k.op == OP_RESIZE_NEAREST)
    return naive_resize(layer, y, x, channel);
  if (k.op == OP_DEPTH_TO_SPACE) {
    const int part = y % s * s + x % s;
    return plain(layer.in.at(y / s, x / s, part * k.filters + channel));
  }
  if (k.op == OP_CROP)
    return plain(std::fma(layer.in.at(y - k.pad_top, x - k.pad_left, channel), k.factor, k.shift));
  if (k.op == OP_REORG) {
    const int part = channel / k.channels;
    return plain(layer.in.at(y * s + part / s, x * s + part % s, channel % k.channels));
  }
  if (k.op == OP_REORG_DARKNET) {
    const Position from = darknet_source(layer, y, x, channel);
    return plain(layer.in.at(from.row, from.column, from.channel));
  }
  if (k.op == OP_COPY && k.deviation[0] > 0) {  // a picture
    const float value = layer.in.at(y, x, k.part ? k.channels - 1 - channel : channel);
    const int own = channel < PICTURE_CHANNELS ? channel : 0;
    return plain((std::round(value * 255.0f) - k.mean[own]) / k.deviation[own]);
  }
  return plain(layer.in.at(y, x, channel));
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
