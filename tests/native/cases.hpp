// Cases: a random layer as a program of one kernel and a few calls, its inputs placed at odd places
// in memory that is full of NaN, and what that memory must hold when the program has run.
#pragma once
#include <cstring>

#include "layers.hpp"

namespace check {

using ftdist::Buffer;
using ftdist::Call;
using Bytes = std::vector<unsigned char>;

constexpr uint32_t CANARY = 0xffc5a5a5;  // a NaN: it shows in every sum that reads it
constexpr int64_t OVERREAD_BYTES = 64;   // what some kernels may read after a buffer

// What of a map is in memory, and what of that is needed. Rows are those of each call.
struct Area {
  std::vector<Span> rows, needed_rows;
  Span columns = {0, 0}, needed_columns = {0, 0};
  int channels = 0;
};

// A map's rows in memory. The rows of each call lie in a stack of their own.
struct Placed {
  Area area;
  Buffer buffer = {};
  std::vector<int> first_rows;  // for each call the absolute row that would be stored first
  int64_t end_bytes = 0;        // where the last needed element ends, from the base
  int64_t overread = 0;         // bytes that may be read after that
};

struct Written {
  int base;
  int64_t byte;
  Output output;
};

struct Case {
  Layer layer;
  Kernel kernel;
  std::vector<Call> calls;
  std::vector<float> weights;
  std::vector<Bytes> bases;       // before the program runs
  std::vector<Bytes> after;       // when it has run
  std::vector<Written> written;   // the computed ones among the changed floats
  Placed in, in2, out;
  int64_t scratch_bytes = 0;      // in the arena: may hold anything when it has run
};

// How a map may lie in memory.
struct Style {
  bool bytes = false, planar = false, dense = false, overread = false;
  int base = 0;
};

inline int64_t element_index(const Placed& placed, int call, int row, int column, int channel) {
  const Buffer& b = placed.buffer;
  return b.offset + (row - placed.first_rows[call]) * b.row + (column - b.column) * b.pixel +
         channel * b.channel;
}

inline void put(Bytes& base, int64_t index, float value) {
  std::memcpy(base.data() + index * 4, &value, 4);
}

inline void grow(Bytes& base, int64_t size) {
  size_t at = base.size();
  base.resize(static_cast<size_t>(size));
  for (; at < base.size(); at++) base[at] = static_cast<unsigned char>(CANARY >> 8 * (at % 4));
}

// Reserves memory for an area.
inline Placed place(Random& random, std::vector<Bytes>& bases, const Area& area,
                    const Style& style) {
  Placed placed = {area, {}, {}, 0, style.overread ? OVERREAD_BYTES : 0};
  Buffer& b = placed.buffer;
  b.base = style.base;
  b.type = style.bytes ? ftdist::TYPE_UINT8 : ftdist::TYPE_FLOAT32;
  b.column = area.columns.first, b.columns = area.columns.size();
  int stacked = 0, last_needed = 0;
  for (size_t call = 0; call < area.rows.size(); call++) {
    stacked += random.within(0, 1);
    placed.first_rows.push_back(area.rows[call].first - stacked);
    stacked += area.rows[call].size();
    if (area.needed_rows[call].size())
      last_needed = area.needed_rows[call].last - 1 - placed.first_rows[call];
  }
  const int gap = style.dense ? 0 : random.within(0, 5);
  const int row_gap = random.within(0, 9);
  const int64_t size = style.bytes ? 1 : 4;
  b.pixel = style.planar ? 1 : area.channels + gap;
  b.row = b.columns * b.pixel + row_gap;
  b.channel = style.planar ? b.row * stacked + gap : 1;
  b.offset = static_cast<int64_t>(bases[style.base].size()) / size + random.within(0, 9);
  const auto end = [&](int row, int column) {
    return (b.offset + row * b.row + (column - b.column) * b.pixel +
            (area.channels - 1) * b.channel + 1) * size;
  };
  placed.end_bytes = end(last_needed, std::max(area.columns.first, area.needed_columns.last - 1));
  const int64_t most = end(std::max(0, stacked - 1), area.columns.last - 1) + placed.overread;
  grow(bases[style.base], (most + 3) / 4 * 4);
  return placed;
}

inline void fill(Case& c, const Placed& placed, const Map& map) {
  const Buffer& b = placed.buffer;
  Bytes& base = c.bases[b.base];
  for (size_t call = 0; call < c.calls.size(); call++)
    for (int row = placed.area.rows[call].first; row < placed.area.rows[call].last; row++)
      for (int column = b.column; column < b.column + b.columns; column++)
        for (int channel = 0; channel < map.channels; channel++) {
          const int64_t index = element_index(placed, static_cast<int>(call), row, column, channel);
          const float value = map.at(row, column, channel);
          if (b.type == ftdist::TYPE_UINT8)
            base[index] = static_cast<unsigned char>(value * 255.0f + 0.5f);
          else
            put(base, index, value);
        }
}

// Weights as [groups * blocks][ky][kx][channel of the group][16], or [blocks][ky][kx][16].
inline void pack(Random& random, Case& c) {
  const Layer& layer = c.layer;
  Kernel& k = c.kernel;
  const bool depthwise = k.op == ftdist::OP_DEPTHWISE, local = k.op == ftdist::OP_LOCAL;
  const int groups = depthwise ? 1 : local ? k.out_height * k.out_width : k.groups;
  const int depth = weight_depth(k);
  const int filters = static_cast<int>(layer.bias.size());
  const int own = filters / groups, blocks = (own + ftdist::BLOCK - 1) / ftdist::BLOCK;
  const int taps = k.kernel_height * k.kernel_width;
  const int outputs = groups * blocks * ftdist::BLOCK;
  const int64_t count = static_cast<int64_t>(outputs) * depth * taps;
  const int gap = random.within(0, 20);
  const bool bias_first = random.one_in(2) || !has_bias(k.op);
  k.bias = bias_first ? gap : gap + count;
  k.weights = bias_first ? gap + outputs : gap;
  float canary;
  std::memcpy(&canary, &CANARY, 4);
  c.weights.assign(static_cast<size_t>(gap), canary);
  c.weights.resize(static_cast<size_t>(gap + count + outputs), 0.0f);
  for (int filter = 0; filter < filters; filter++) {
    const int place = filter / own * blocks * ftdist::BLOCK + filter % own;
    const int block = place / ftdist::BLOCK, lane = place % ftdist::BLOCK;
    c.weights[k.bias + place] = layer.bias[filter];
    for (int ic = 0; ic < depth; ic++)
      for (int tap = 0; tap < taps; tap++)
        c.weights[k.weights + ((static_cast<int64_t>(block) * taps + tap) * depth + ic) *
                                  ftdist::BLOCK + lane] =
            layer.weights[(static_cast<size_t>(filter) * depth + ic) * taps + tap];
  }
}

// Transformed weights as [blocks][(size + 2)^2][channels][16], in a base of their own, and the bias.
inline void pack_transformed(Random& random, Case& c) {
  const Layer& layer = c.layer;
  Kernel& k = c.kernel;
  const int blocks = (k.filters + ftdist::BLOCK - 1) / ftdist::BLOCK, side = k.size + 2;
  const int64_t count = static_cast<int64_t>(blocks) * side * side * k.channels * ftdist::BLOCK;
  const int gap = random.within(0, 20);
  k.table = static_cast<int>(c.bases.size());
  k.weights = gap, k.bias = gap + count;
  c.bases.emplace_back();
  grow(c.bases[k.table], 4 * gap);
  c.bases[k.table].resize(static_cast<size_t>(4 * (gap + count + blocks * ftdist::BLOCK)), 0);
  for (int filter = 0; filter < k.filters; filter++) {
    const int block = filter / ftdist::BLOCK, lane = filter % ftdist::BLOCK;
    put(c.bases[k.table], k.bias + filter, layer.bias[filter]);
    for (int ic = 0; ic < k.channels; ic++)
      for (int product = 0; product < side * side; product++) {
        const float* taps = layer.weights.data() + (static_cast<size_t>(filter) * k.channels + ic) * 9;
        const int64_t at = (static_cast<int64_t>(block) * side * side + product) * k.channels + ic;
        put(c.bases[k.table], k.weights + at * ftdist::BLOCK + lane,
            naive_transformed(k.size, taps, product / side, product % side));
      }
  }
}

// Room in the arena for a kernel to work in, as much as it says it needs and no more.
inline void place_scratch(Random& random, Case& c) {
  const ftdist::Operation* operation = ftdist::find_operation(c.kernel.op);
  if (!operation->scratch) return;
  grow(c.bases[0], static_cast<int64_t>(c.bases[0].size()) + 4 * random.within(0, 9));
  c.kernel.scratch = static_cast<int64_t>(c.bases[0].size()) / 4;
  c.scratch_bytes = 4 * static_cast<int64_t>(operation->scratch(c.kernel));
  grow(c.bases[0], 4 * c.kernel.scratch + c.scratch_bytes);
}

// What memory must hold afterwards: the computed floats, zeros in the padding, all else as before.
inline void expect(Case& c) {
  c.after = c.bases;
  const Buffer& b = c.out.buffer;
  for (size_t call = 0; call < c.calls.size(); call++)
    for (int y = c.calls[call].row; y < c.calls[call].row + c.calls[call].rows; y++)
      for (int x = b.column; x < b.column + b.columns; x++)
        for (int channel = 0; channel < c.kernel.filters; channel++) {
          const int64_t at = element_index(c.out, static_cast<int>(call), y, x, channel);
          put(c.after[b.base], at, 0.0f);
          if (x < c.kernel.left || x >= c.kernel.right) continue;
          const Output output = naive(c.layer, y, x, channel);
          put(c.after[b.base], at, output.value);
          c.written.push_back({b.base, at * 4, output});
        }
}

// The rows and columns to produce: a tile of the output, small enough for slow machines.
inline void cut(Random& random, Case& c, Span& rows, Span& columns) {
  const Kernel& k = c.layer.kernel;
  const int beside = k.op == ftdist::OP_COPY ? random.within(0, 2) : 0;  // copies move padding too
  columns.first = random.within(-beside, c.layer.width - 1);
  columns.last = random.within(columns.first + 1, c.layer.width + beside);
  rows.first = random.within(0, c.layer.height - 1);
  rows.last = random.within(rows.first + 1, c.layer.height);
  const bool mixes = has_weights(k.op) || k.op == ftdist::OP_SOFTMAX ||
                     k.op == ftdist::OP_NORMALIZE_RESPONSES;
  const int64_t passes = k.op == ftdist::OP_WINOGRAD ? 16 : 1;  // it computes whole blocks
  const int64_t depth = passes * (mixes ? k.channels / k.groups : 1);
  const int64_t work = k.pool_height * k.pool_width * depth * k.kernel_height * k.kernel_width * k.filters;
  while (work * rows.size() * columns.size() > 300000 && rows.size() * columns.size() > 1)
    (rows.size() > 2 ? rows.last : columns.size() > 1 ? columns.last : rows.last) -= 1;
}

inline void make_calls(Random& random, Case& c, Span rows) {
  int row = rows.first;
  while (row < rows.last) {
    const int count = random.one_in(2) ? rows.last - row : random.within(1, rows.last - row);
    c.calls.push_back({0, row, count, 0, 0, 0});
    row += count;
  }
}

// Kernels that read whole vectors of channels need room after a map; the arena always has it.
inline bool reads_vectors(int op) {
  return op == ftdist::OP_DEPTHWISE || is_pool(op) || op == ftdist::OP_ADD ||
         op == ftdist::OP_ACTIVATE;
}

inline Style random_style(Random& random, int op, int other_base) {
  Style style;
  style.base = random.one_in(3) ? other_base : 0;
  if (op == ftdist::OP_COPY) style.planar = random.one_in(3);
  style.dense = op == ftdist::OP_ADD || op == ftdist::OP_ACTIVATE || random.one_in(3);
  return style;
}

inline void place_inputs(Random& random, Case& c, Span columns) {
  const Kernel& k = c.kernel;
  Area area;
  area.channels = k.channels;
  for (const Call& call : c.calls) {
    const Span rows = {call.row, call.row + call.rows};
    area.rows.push_back(rows_stored(c.layer, rows));
    area.needed_rows.push_back(rows_read(c.layer, rows));
  }
  area.needed_columns = columns_read(c.layer, columns);
  area.columns = columns_stored(c.layer, columns);
  if (!area.columns.size()) area.columns = {0, 1};
  area.columns.first -= random.within(0, 2);
  area.columns.last += random.within(0, 2);
  Style style = random_style(random, k.op, 1);
  style.bytes = k.op == ftdist::OP_COPY && random.one_in(2);
  style.overread = style.base == 0 || reads_vectors(k.op);
  if (style.bytes)
    for (float& value : c.layer.in.values)
      value = static_cast<float>(random.within(0, 255)) / 255.0f;
  if (style.bytes) {
    Kernel& seen = c.layer.kernel;
    seen.part = c.kernel.part = random.within(0, 1);
    for (int channel = 0; channel < ftdist::PICTURE_CHANNELS; channel++) {
      seen.mean[channel] = c.kernel.mean[channel] = 128.0f * random.fraction();
      seen.deviation[channel] = c.kernel.deviation[channel] = 1.0f + random.within(0, 254);
    }
  }
  c.in = place(random, c.bases, area, style);
  fill(c, c.in, c.layer.in);
  c.in2 = c.in;
  if (!reads_second(k.op) && !adds(k)) return;
  style.base = random.one_in(3) ? 2 : 0;
  style.overread = style.base == 0 || reads_vectors(k.op);
  if (adds(k)) {
    area = {{}, {}, columns, columns, k.filters};
    for (const Call& call : c.calls) area.rows.push_back({call.row, call.row + call.rows});
    area.needed_rows = area.rows;
  }
  if (k.op == ftdist::OP_MULTIPLY) {
    area.channels = k.in2_channels;
    const Span one = {0, 1};
    if (k.in2_height == 1)
      for (size_t call = 0; call < c.calls.size(); call++)
        area.rows[call] = area.needed_rows[call] = one;
    if (k.in2_width == 1) area.columns = area.needed_columns = one;
  }
  c.in2 = place(random, c.bases, area, style);
  fill(c, c.in2, c.layer.in2);
}

inline void place_output(Random& random, Case& c, Span columns) {
  const Style style = random_style(random, c.kernel.op, 3);
  Area area;
  area.channels = c.kernel.filters;
  for (const Call& call : c.calls) area.rows.push_back({call.row, call.row + call.rows});
  area.needed_rows = area.rows;
  area.columns = area.needed_columns = columns;
  if (!style.planar) {
    area.columns.first -= random.within(0, 2);
    area.columns.last += random.within(0, 2);
  }
  c.out = place(random, c.bases, area, style);
  if (is_accumulation(c.kernel.op) && c.kernel.part) fill(c, c.out, c.layer.so_far);
}

inline Case make_case(Random& random) {
  Case c;
  c.layer = random_layer(random);
  c.kernel = c.layer.kernel;
  c.bases.resize(4);
  Kernel& k = c.kernel;
  Span rows, columns;
  cut(random, c, rows, columns);
  make_calls(random, c, rows);
  k.left = columns.first, k.right = columns.last;
  place_inputs(random, c, columns);
  place_output(random, c, columns);
  k.in = c.in.buffer, k.in2 = c.in2.buffer, k.out = c.out.buffer;
  for (size_t call = 0; call < c.calls.size(); call++) {
    c.calls[call].in_row = c.in.first_rows[call];
    c.calls[call].in2_row = c.in2.first_rows[call];
    c.calls[call].out_row = c.out.first_rows[call];
  }
  place_scratch(random, c);
  if (k.op == ftdist::OP_WINOGRAD)
    pack_transformed(random, c);
  else if (has_weights(k.op))
    pack(random, c);
  expect(c);
  return c;
}

}  // namespace check
