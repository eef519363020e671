// Random layers: any channel count, any window, small maps. What a layer reads of its input is
// found by trying every tap, so that it owes nothing to the geometry of the planner or find_fault().
#pragma once
#include <algorithm>

#include "naive.hpp"
#include "random.hpp"

namespace check {

// The half-open range [first, last); empty when last <= first.
struct Span {
  int first, last;
  int size() const { return std::max(0, last - first); }
  void include(int position) {
    *this = size() ? Span{std::min(first, position), std::max(last, position + 1)}
                   : Span{position, position + 1};
  }
};

inline bool has_window(int op) {
  return op == ftdist::OP_CONVOLUTION || op == ftdist::OP_DEPTHWISE || op == ftdist::OP_MAX_POOL ||
         op == ftdist::OP_AVERAGE_POOL || op == ftdist::OP_LOCAL || op == ftdist::OP_WINOGRAD;
}
inline bool has_weights(int op) {
  return op == ftdist::OP_CONVOLUTION || op == ftdist::OP_DEPTHWISE || op == ftdist::OP_LOCAL ||
         op == ftdist::OP_ACCUMULATE_WEIGHTED || op == ftdist::OP_PRELU ||
         op == ftdist::OP_WINOGRAD || op == ftdist::OP_TRANSPOSED_CONVOLUTION;
}
inline bool has_bias(int op) { return has_weights(op) && op != ftdist::OP_PRELU; }

// What each weight of an output belongs to: channels of its group, or maps.
inline int weight_depth(const Kernel& k) {
  if (k.op == ftdist::OP_PRELU) return 1;
  return k.op == ftdist::OP_ACCUMULATE_WEIGHTED ? k.size : k.channels / k.groups;
}
inline bool is_accumulation(int op) {
  return op == ftdist::OP_ACCUMULATE || op == ftdist::OP_ACCUMULATE_WEIGHTED;
}
inline bool repeats(int op) {
  return op == ftdist::OP_UPSAMPLE || op == ftdist::OP_DEPTH_TO_SPACE;
}
inline bool resizes(int op) {
  return op == ftdist::OP_RESIZE_LINEAR || op == ftdist::OP_RESIZE_NEAREST;
}
inline bool reads_second(int op) { return op == ftdist::OP_ADD || op == ftdist::OP_MULTIPLY; }

// Whether an operation may add a second map to what it makes.
inline bool may_add(int op) { return op == ftdist::OP_CONVOLUTION || op == ftdist::OP_WINOGRAD; }
inline bool adds(const Kernel& k) { return may_add(k.op) && k.kind == 1; }
inline bool has_activation(int op) {
  return has_bias(op) || is_accumulation(op) || reads_second(op) || op == ftdist::OP_ACTIVATE;
}
inline bool reads_whole_map(const Kernel& k) {
  return k.op == ftdist::OP_SOFTMAX && (k.kernel_height > 1 || k.kernel_width > 1);
}

// The input positions that an accumulation adds to output positions of one axis.
inline Span added_positions(Span span, int sample, int stride, int size) {
  Span read = {0, 0};
  for (int at = span.first; at < span.last; at++)
    if (at % sample == 0 && at / sample * stride < size) read.include(at / sample * stride);
  return read;
}
inline bool is_pool(int op) { return op == ftdist::OP_MAX_POOL || op == ftdist::OP_AVERAGE_POOL; }

// Whether columns beside the map are left out, not read as zeros.
inline bool keeps_to_map(int op) { return is_pool(op) || op == ftdist::OP_WINOGRAD; }

// The positions of a convolution's own pool's windows; Winograd's are computed in whole blocks.
inline Span computed(const Kernel& k, Span span, int pool) {
  span = {span.first * pool, span.last * pool};
  if (k.op != ftdist::OP_WINOGRAD) return span;
  while (span.first % k.size) span.first--;
  while (span.last % k.size) span.last++;
  return span;
}

// The input rows that output rows `rows` read; rows outside the map are never read.
inline Span rows_read(const Layer& layer, Span rows) {
  const Kernel& k = layer.kernel;
  Span read = {0, 0};
  if (reads_whole_map(k)) return {0, k.height};
  if (is_accumulation(k.op)) return added_positions(rows, k.sample, k.stride_y, k.height);
  const auto include = [&](int row) {
    if (row >= 0 && row < k.height) read.include(row);
  };
  rows = computed(k, rows, k.pool_height);
  for (int y = rows.first; y < rows.last; y++) {
    if (has_window(k.op)) {
      for (int ky = 0; ky < k.kernel_height; ky++)
        include(y * k.stride_y - k.pad_top + ky * k.dilation_y);
    } else if (k.op == ftdist::OP_TRANSPOSED_CONVOLUTION) {
      for (int ky = 0; ky < k.kernel_height; ky++)
        include(met(y, k.pad_top, ky, k.dilation_y, k.stride_y, k.height));
    } else if (repeats(k.op)) {
      include(y / k.stride_y);
    } else if (resizes(k.op)) {
      const Beside row = row_beside(k, y);
      include(row.before);
      if (k.op == ftdist::OP_RESIZE_LINEAR) include(row.behind);
    } else if (k.op == ftdist::OP_CROP) {
      include(y - k.pad_top);
    } else if (k.op == ftdist::OP_REORG) {
      for (int part = 0; part < k.stride_y; part++) include(y * k.stride_y + part);
    } else if (k.op == ftdist::OP_REORG_DARKNET) {
      for (int x = 0; x < layer.width; x++)
        for (int c = 0; c < k.filters; c++) include(darknet_source(layer, y, x, c).row);
    } else {
      include(y);
    }
  }
  return read;
}

// The input columns that output columns `columns` read; a convolution reads its padding too.
inline Span columns_read(const Layer& layer, Span columns) {
  const Kernel& k = layer.kernel;
  Span read = {0, 0};
  if (reads_whole_map(k)) return {0, k.width};
  if (is_accumulation(k.op)) return added_positions(columns, k.sample, k.stride_x, k.width);
  columns = computed(k, columns, k.pool_width);
  for (int x = columns.first; x < columns.last; x++) {
    if (has_window(k.op)) {
      for (int kx = 0; kx < k.kernel_width; kx++) {
        const int column = x * k.stride_x - k.pad_left + kx * k.dilation_x;
        if (!keeps_to_map(k.op) || layer.in.has_column(column)) read.include(column);
      }
    } else if (k.op == ftdist::OP_TRANSPOSED_CONVOLUTION) {
      for (int kx = 0; kx < k.kernel_width; kx++) {
        const int column = met(x, k.pad_left, kx, k.dilation_x, k.stride_x, k.width);
        if (column >= 0) read.include(column);
      }
    } else if (repeats(k.op)) {
      read.include(x / k.stride_x);
    } else if (resizes(k.op)) {
      const Beside column = column_beside(k, x);
      read.include(column.before);
      if (k.op == ftdist::OP_RESIZE_LINEAR) read.include(column.behind);
    } else if (k.op == ftdist::OP_CROP) {
      read.include(x - k.pad_left);
    } else if (k.op == ftdist::OP_REORG || k.op == ftdist::OP_REORG_DARKNET) {
      for (int part = 0; part < k.stride_x; part++) read.include(x * k.stride_x + part);
    } else {
      read.include(x);
    }
  }
  return read;
}

// All between the first tap of the first output and the last of the last one, of a transposed
// convolution on an axis: also what no tap meets.
inline Span spread_stored(Span outputs, int pad, int kernel, int dilation, int stride, int size) {
  const int first = std::max(0, outputs.first + pad - (kernel - 1) * dilation);
  const int last = (outputs.last - 1 + pad) / stride + 1;
  return {std::min((first + stride - 1) / stride, size), std::min(last, size)};
}

// What a planner stores for those: everything between, as far as it is on the map.
inline Span rows_stored(const Layer& layer, Span rows) {
  const Kernel& k = layer.kernel;
  if (k.op == ftdist::OP_REORG_DARKNET) return {0, k.height};
  if (k.op == ftdist::OP_TRANSPOSED_CONVOLUTION)
    return spread_stored(rows, k.pad_top, k.kernel_height, k.dilation_y, k.stride_y, k.height);
  if (!has_window(k.op)) return rows_read(layer, rows);
  rows = computed(k, rows, k.pool_height);
  const int first = rows.first * k.stride_y - k.pad_top;
  const int extent = (k.kernel_height - 1) * k.dilation_y + 1;
  const int last = (rows.last - 1) * k.stride_y - k.pad_top + extent;
  return {std::clamp(first, 0, k.height), std::clamp(last, 0, k.height)};
}

inline Span columns_stored(const Layer& layer, Span columns) {
  const Kernel& k = layer.kernel;
  if (k.op == ftdist::OP_TRANSPOSED_CONVOLUTION)
    return spread_stored(columns, k.pad_left, k.kernel_width, k.dilation_x, k.stride_x, k.width);
  if (!keeps_to_map(k.op)) return columns_read(layer, columns);
  columns = computed(k, columns, k.pool_width);
  const int first = columns.first * k.stride_x - k.pad_left;
  const int extent = (k.kernel_width - 1) * k.dilation_x + 1;
  const int last = (columns.last - 1) * k.stride_x - k.pad_left + extent;
  return {std::clamp(first, 0, k.width), std::clamp(last, 0, k.width)};
}

// Sizes and padding of one axis of a window, and an input size that gives `outputs` positions.
struct AxisSizes {
  int kernel, stride, dilation, pad, size;
};
inline AxisSizes random_axis(Random& random, int outputs, bool three) {
  AxisSizes axis;
  axis.kernel = random.one_in(3) ? 1 : random.one_in(2) ? 3 : random.within(1, 5);
  axis.stride = random.one_in(3) ? random.within(2, 3) : 1;
  axis.dilation = random.one_in(4) ? random.within(2, 3) : 1;
  if (three) axis.kernel = 3, axis.stride = axis.dilation = 1;
  const int extent = (axis.kernel - 1) * axis.dilation + 1;
  axis.pad = random.within(0, extent);  // a whole window beside the map, even
  const int pad_after = random.within(0, extent);
  const int spare = random.within(0, axis.stride - 1);
  axis.size = (outputs - 1) * axis.stride + extent - axis.pad - pad_after + spare;
  axis.size = std::max(1, axis.size);
  return axis;
}

// What a map is filled with: numbers, some special ones among them, or little but zeros.
enum class Filling { NUMBERS, SPECIALS, ZEROS };

inline Filling random_filling(Random& random) {
  if (random.one_in(8)) return Filling::ZEROS;
  return random.one_in(6) ? Filling::SPECIALS : Filling::NUMBERS;
}

inline Map random_map(Random& random, const Kernel& k, int scale, Filling filling) {
  Map map = {k.height, k.width, k.channels, {}};
  map.values.resize(static_cast<size_t>(k.height) * k.width * k.channels);
  for (float& value : map.values) {
    value = random.fraction() * static_cast<float>(scale);
    if (filling == Filling::SPECIALS && random.one_in(50)) value = random.special();
    if (filling != Filling::ZEROS) continue;
    value = random.one_in(3) ? -1.0f : random.one_in(2) ? 0.0f : -0.0f;
  }
  return map;
}

inline int random_op(Random& random) {
  using namespace ftdist;
  static const int ops[] = {
      OP_CONVOLUTION, OP_CONVOLUTION, OP_CONVOLUTION, OP_CONVOLUTION, OP_CONVOLUTION,
      OP_CONVOLUTION, OP_WINOGRAD, OP_WINOGRAD, OP_WINOGRAD, OP_DEPTHWISE, OP_DEPTHWISE, OP_MAX_POOL, OP_AVERAGE_POOL, OP_ADD,
      OP_ACTIVATE, OP_COPY, OP_UPSAMPLE, OP_REORG, OP_REORG_DARKNET, OP_LOCAL, OP_LOCAL,
      OP_ACCUMULATE, OP_ACCUMULATE, OP_ACCUMULATE_WEIGHTED, OP_MULTIPLY, OP_SOFTMAX,
      OP_NORMALIZE_RESPONSES, OP_MAX_CHANNELS, OP_PRELU, OP_CROP, OP_DEPTH_TO_SPACE,
      OP_RESIZE_LINEAR, OP_RESIZE_LINEAR, OP_RESIZE_NEAREST, OP_TRANSPOSED_CONVOLUTION, OP_TRANSPOSED_CONVOLUTION};
  return ops[random.within(0, static_cast<int>(sizeof(ops) / sizeof(ops[0])) - 1)];
}

inline void set_channels(Random& random, Kernel& k) {
  k.groups = 1;
  const int most = random.one_in(2) ? 70 : 20;
  k.channels = k.filters = random.within(1, most);
  const int s = k.stride_y;
  if (k.op == ftdist::OP_DEPTHWISE) k.groups = k.channels;
  if (k.op == ftdist::OP_CONVOLUTION || k.op == ftdist::OP_TRANSPOSED_CONVOLUTION) {
    k.groups = random.one_in(3) ? random.within(2, 5) : 1;
    const int depth = random.within(1, most / k.groups);
    const int own = random.within(1, 70 / k.groups);
    k.channels = depth * k.groups;
    k.filters = own * k.groups;
  }
  if (is_accumulation(k.op)) {
    k.size = random.within(2, 4);
    k.part = random.within(0, k.size - 1);
    if (k.part || k.op == ftdist::OP_ACCUMULATE_WEIGHTED) k.filters = random.within(1, most);
  }
  if (k.op == ftdist::OP_WINOGRAD) {
    k.size = random.one_in(2) ? 2 : 4;
    k.tiles = random.within(1, 9);
    k.channels = random.within(1, 20);
    k.filters = random.within(1, most);
  }
  if (k.op == ftdist::OP_LOCAL) k.filters = random.within(1, 40);
  if (k.op == ftdist::OP_SOFTMAX) {
    k.groups = random.within(1, 3);
    k.channels = k.filters = k.groups * random.within(1, most / k.groups);
  }
  if (k.op == ftdist::OP_NORMALIZE_RESPONSES) k.size = random.within(1, 2 * k.channels - 1);
  if (k.op == ftdist::OP_DEPTH_TO_SPACE) {
    k.filters = random.within(1, 12);
    k.channels = k.filters * s * s;
  }
  if (k.op == ftdist::OP_MAX_CHANNELS) k.filters = random.within(1, k.channels);
  if (k.op == ftdist::OP_REORG_DARKNET) k.channels = random.within(1, 6) * s * s;
  if (k.op == ftdist::OP_REORG || k.op == ftdist::OP_REORG_DARKNET)
    k.filters = k.channels * s * s;
}

inline void set_sizes(Random& random, Layer& layer) {
  Kernel& k = layer.kernel;
  k.kernel_height = k.kernel_width = k.stride_y = k.stride_x = k.dilation_y = k.dilation_x = 1;
  k.pool_height = k.pool_width = k.sample = 1;
  k.factor = k.kept = 1.0f;
  layer.height = random.within(1, 8);
  layer.width = random.within(1, 40);
  k.height = layer.height, k.width = layer.width;
  if (has_window(k.op)) {
    const bool pools = k.op == ftdist::OP_CONVOLUTION || k.op == ftdist::OP_WINOGRAD;
    if (pools && random.one_in(3)) {
      k.pool_height = random.within(1, ftdist::POOL_MOST);
      k.pool_width = random.within(1, ftdist::POOL_MOST);
    }
    const bool three = k.op == ftdist::OP_WINOGRAD;
    const AxisSizes rows = random_axis(random, layer.height * k.pool_height, three);
    const AxisSizes columns = random_axis(random, layer.width * k.pool_width, three);
    k.kernel_height = rows.kernel, k.kernel_width = columns.kernel;
    k.stride_y = rows.stride, k.stride_x = columns.stride;
    k.dilation_y = rows.dilation, k.dilation_x = columns.dilation;
    k.pad_top = rows.pad, k.pad_left = columns.pad;
    k.height = rows.size, k.width = columns.size;
    k.count_padding = random.within(0, 1);
  } else if (k.op == ftdist::OP_TRANSPOSED_CONVOLUTION) {
    k.kernel_height = random.within(1, 4), k.kernel_width = random.within(1, 5);
    k.stride_y = random.within(1, 3), k.stride_x = random.within(1, 3);
    k.dilation_y = random.within(1, 2), k.dilation_x = random.within(1, 2);
    k.pad_top = random.within(0, 3), k.pad_left = random.within(0, 3);
    k.height = random.within(1, 1 + layer.height), k.width = random.within(1, 1 + layer.width);
  } else if (k.op == ftdist::OP_UPSAMPLE) {
    k.stride_y = random.within(1, 3);
    k.stride_x = random.within(1, 3);
    layer.height *= k.stride_y, layer.width *= k.stride_x;
    if (random.one_in(3)) k.factor = random.fraction(), k.shift = random.fraction();
  } else if (k.op == ftdist::OP_DEPTH_TO_SPACE) {
    k.stride_y = k.stride_x = random.within(1, 3);
    layer.height *= k.stride_y, layer.width *= k.stride_x;
  } else if (k.op == ftdist::OP_ACCUMULATE && random.one_in(2)) {
    const bool larger_map = random.one_in(2);
    const int step = random.within(2, 3);
    (larger_map ? k.stride_y : k.sample) = step;
    k.stride_x = k.stride_y;
    const auto added = [&](int size) { return larger_map ? size * step : std::max(1, size / step); };
    k.height = added(layer.height), k.width = added(layer.width);
    k.kept = random.fraction(), k.factor = random.fraction();
  } else if (k.op == ftdist::OP_CROP) {
    k.pad_top = -random.within(0, 3), k.pad_left = -random.within(0, 3);
    k.height = layer.height - k.pad_top + random.within(0, 2);
    k.width = layer.width - k.pad_left + random.within(0, 2);
    k.factor = 2.0f, k.shift = -1.0f;
  } else if (resizes(k.op)) {
    k.height = random.within(1, 9), k.width = random.within(1, 30);
    k.stride_y = random.within(1, 2 * k.height), k.dilation_y = random.within(1, 20);
    k.stride_x = random.within(1, 2 * k.width), k.dilation_x = random.within(1, 60);
    k.pad_top = random.within(-k.dilation_y, k.dilation_y);
    k.pad_left = random.within(-k.dilation_x, k.dilation_x);
  } else if (k.op == ftdist::OP_SOFTMAX) {
    k.factor = random.one_in(2) ? 1.0f : 2.5f;
    if (random.one_in(2)) k.kernel_height = k.height, k.kernel_width = k.width;
  } else if (k.op == ftdist::OP_NORMALIZE_RESPONSES) {
    k.factor = 0.01f, k.shift = 1.0f, k.power = 0.75f;
  } else if (k.op == ftdist::OP_REORG || k.op == ftdist::OP_REORG_DARKNET) {
    k.stride_y = k.stride_x = random.within(1, 3);
    k.height *= k.stride_y, k.width *= k.stride_x;
  }
}

inline Layer random_layer(Random& random) {
  Layer layer;
  Kernel& k = layer.kernel;
  k.op = random_op(random);
  set_sizes(random, layer);
  set_channels(random, k);
  if (has_activation(k.op)) k.activation = random.within(0, ftdist::ACT_COUNT - 1);
  k.slope = random.one_in(2) ? 0.1f : random.fraction();
  const int scale = 1 << (random.one_in(2) ? random.within(0, 7) : 0);
  Filling filling = random_filling(random);
  // The transforms double what is almost infinite: where that ends depends on the rounding.
  if (k.op == ftdist::OP_WINOGRAD && filling == Filling::SPECIALS) filling = Filling::NUMBERS;
  layer.in = random_map(random, k, scale, filling);
  if (k.op == ftdist::OP_ADD) layer.in2 = random_map(random, k, scale, filling);
  k.kind = may_add(k.op) && k.pool_height * k.pool_width == 1 && random.one_in(3);
  if (adds(k)) {
    Kernel added = k;
    added.height = layer.height, added.width = layer.width, added.channels = k.filters;
    layer.in2 = random_map(random, added, scale, filling);
  }
  if (k.op == ftdist::OP_MULTIPLY) {
    Kernel second = k;
    if (random.one_in(2)) second.height = second.width = 1;
    if (random.one_in(3)) second.channels = 1;
    k.in2_height = second.height, k.in2_width = second.width, k.in2_channels = second.channels;
    layer.in2 = random_map(random, second, scale, filling);
  }
  if (is_accumulation(k.op)) {
    Kernel sum = k;
    sum.height = layer.height, sum.width = layer.width, sum.channels = k.filters;
    layer.so_far = random_map(random, sum, scale, filling);
  }
  k.out_height = layer.height, k.out_width = layer.width;
  if (k.op == ftdist::OP_REORG_DARKNET) layer.sources = darknet_sources(k);
  if (!has_weights(k.op)) return layer;
  const int positions = k.op == ftdist::OP_LOCAL ? layer.height * layer.width : 1;
  const int depth = weight_depth(k);
  layer.bias.resize(static_cast<size_t>(positions) * k.filters);
  for (float& bias : layer.bias) bias = random.fraction();
  layer.weights.resize(layer.bias.size() * depth * k.kernel_height * k.kernel_width);
  for (float& weight : layer.weights) weight = random.fraction();
  return layer;
}

}  // namespace check
