// Refuses programs that would touch memory outside their buffers, before a single call runs: a
// wrong offset is then one clear error instead of a corrupted result or a crash.
#include <initializer_list>

#include "rules.hpp"

namespace ftdist {
namespace {

// The half-open range [first, last).
struct Span {
  int64_t first, last;
};

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// Some kernels read whole vectors of channels; the arena ends with room for one more.
constexpr int64_t OVERREAD_BYTES = 64;

// Kernels count rows and columns in 32 bits and add up three of them; nothing real is as far.
constexpr int64_t FAR = int64_t{1} << 29;

bool is_near(int64_t position) { return position > -FAR && position < FAR; }
bool is_near(Span span) { return is_near(span.first) && is_near(span.last); }

// Distances are taken in double precision: exact for whatever fits into memory, and never wrapped.
bool inside(const Program& program, const Buffer& buffer, int64_t first_row, Span rows,
            Span columns, int64_t channels, int64_t spare_bytes) {
  if (buffer.base < 0 || buffer.base >= program.base_count) return false;
  if (!is_near(first_row) || !is_near(buffer.column)) return false;
  if (rows.last <= rows.first || columns.last <= columns.first) return true;
  if (!is_near(rows) || !is_near(columns)) return false;
  if (buffer.row < 0 || buffer.pixel < 0 || buffer.channel < 0 || channels < 1) return false;
  if (rows.first < first_row || columns.first < buffer.column) return false;
  if (columns.last > (int64_t)buffer.column + buffer.columns || buffer.offset < 0) return false;
  const double last = (double)buffer.offset +
                      (double)(rows.last - 1 - first_row) * (double)buffer.row +
                      (double)(columns.last - 1 - buffer.column) * (double)buffer.pixel +
                      (double)(channels - 1) * (double)buffer.channel;
  const double size = buffer.type == TYPE_UINT8 ? 1 : 4;
  return (last + 1) * size + (double)spare_bytes <= (double)program.base_bytes[buffer.base];
}

// The input positions that output positions [first, last) span, on the map and beside it.
Span window(Span output, int64_t stride, int64_t pad, int64_t kernel, int64_t dilation) {
  return {output.first * stride - pad,
          (output.last - 1) * stride - pad + (kernel - 1) * dilation + 1};
}

Span clipped(Span span, int64_t size) { return {most(span.first, 0), least(span.last, size)}; }

bool sizes_are_sane(const Kernel& k) {
  for (const int64_t size :
       {k.height, k.width, k.left, k.right, k.channels, k.filters, k.groups, k.kernel_height,
        k.kernel_width, k.stride_y, k.stride_x, k.dilation_y, k.dilation_x, k.pad_top, k.pad_left,
        k.part, k.sample, k.size, k.in2_height, k.in2_width, k.in2_channels, k.out_height,
        k.out_width})
    if (!is_near(size)) return false;
  const bool pools = k.pool_height != 1 || k.pool_width != 1;
  if (pools && k.op != OP_CONVOLUTION) return false;
  if (k.pool_height < 1 || k.pool_height > POOL_MOST || k.pool_width < 1 ||
      k.pool_width > POOL_MOST)
    return false;
  if (k.right <= k.left || k.channels < 1 || k.filters < 1 || k.groups < 1) return false;
  if (k.kernel_height < 1 || k.kernel_width < 1 || k.stride_y < 1 || k.stride_x < 1) return false;
  return k.dilation_y >= 1 && k.dilation_x >= 1;
}

// Whether space to depth makes as many channels as it is said to.
bool blocks_fit(const Kernel& k) {
  const int64_t s = k.stride_y;
  if (k.stride_x != s || s * s > k.filters || k.filters != k.channels * s * s) return false;
  return k.op == OP_REORG || (k.channels % (s * s) == 0 && k.height % s == 0 && k.width % s == 0);
}

bool one_or(int32_t size, int32_t all) { return size == 1 || size == all; }

// Whether an operation makes as many channels as it is said to, of maps that suit each other.
bool channels_fit(const Kernel& k) {
  const bool same = k.filters == k.channels;
  const bool one_tap = k.kernel_height == 1 && k.kernel_width == 1;
  switch (k.op) {
    case OP_CONVOLUTION: return k.channels % k.groups == 0 && k.filters % k.groups == 0;
    case OP_DEPTHWISE: return same && k.groups == k.channels;
    case OP_LOCAL: return k.groups == 1 && k.out_height >= 1 && k.out_width >= 1;
    case OP_REORG:
    case OP_REORG_DARKNET: return blocks_fit(k);
    case OP_ACCUMULATE:
      return k.sample >= 1 && (k.part > 0 || (k.part == 0 && same));
    case OP_ACCUMULATE_WEIGHTED:
      return k.groups == 1 && k.sample >= 1 && k.part >= 0 && k.part < k.size && one_tap;
    case OP_MULTIPLY:
      return same && one_or(k.in2_height, k.height) && one_or(k.in2_width, k.width) &&
             one_or(k.in2_channels, k.channels);
    case OP_SOFTMAX:
      return same && k.channels % k.groups == 0 &&
             (one_tap || (k.kernel_height == k.height && k.kernel_width == k.width));
    case OP_NORMALIZE_RESPONSES: return same && k.size >= 1 && k.size / 2 < k.channels;
    case OP_DEPTH_TO_SPACE: {
      const int64_t s = k.stride_y;
      return k.stride_x == s && s * s <= k.channels && k.channels == k.filters * s * s;
    }
    case OP_MAX_CHANNELS: return k.filters <= k.channels;
    default: return same;
  }
}

// Whether an operation can read and write the layouts it is given.
bool layouts_fit(const Kernel& k) {
  if (k.out.type != TYPE_FLOAT32) return false;
  if (k.op == OP_COPY) {
    if (k.in.type != TYPE_FLOAT32 && k.in.type != TYPE_UINT8) return false;
    const bool padded = k.out.column != k.left || k.right - k.left != k.out.columns;
    return k.out.channel == 1 || !padded;  // padding is zeroed pixel by pixel
  }
  if (k.in.type != TYPE_FLOAT32 || k.in.channel != 1 || k.out.channel != 1) return false;
  const Rules& rules = RULES[k.op];
  if (rules.second && (k.in2.type != TYPE_FLOAT32 || k.in2.channel != 1)) return false;
  if (!rules.dense) return true;
  if (rules.second && k.in2.pixel != k.channels) return false;
  return k.in.pixel == k.channels && k.out.pixel == k.channels;
}

// How weights lie: groups of blocks of outputs, each with so many inputs.
struct WeightLayout {
  double groups, filters, depth;
};

WeightLayout weight_layout(const Kernel& k) {
  switch (k.op) {
    case OP_DEPTHWISE: return {1, (double)k.filters, 1};
    case OP_LOCAL:
      return {(double)k.out_height * k.out_width, (double)k.filters, (double)k.channels};
    case OP_ACCUMULATE_WEIGHTED: return {1, (double)k.filters, (double)k.size};
    default:
      return {(double)k.groups, (double)(k.filters / k.groups), (double)(k.channels / k.groups)};
  }
}

bool weights_are_inside(const Program& program, const Kernel& k) {
  const WeightLayout layout = weight_layout(k);
  const int64_t blocks = ((int64_t)layout.filters + BLOCK - 1) / BLOCK;
  const double outputs = layout.groups * (double)(blocks * BLOCK);
  const double weights = outputs * layout.depth * k.kernel_height * k.kernel_width;
  const double count = (double)program.weight_count;
  if (k.weights < 0 || k.bias < 0 || (double)k.weights + weights > count ||
      (double)k.bias + outputs > count)
    return false;
  if (!k.streamed) return true;
  const double window = (weights / (outputs / BLOCK) + BLOCK) * PIECE_BLOCKS;
  const bool streams = k.op == OP_CONVOLUTION || k.op == OP_LOCAL;
  return streams && program.file >= 0 && k.window >= 0 &&
         ((double)k.window + window) * sizeof(float) <= (double)program.base_bytes[0];
}

bool is_sane(const Program& program, const Kernel& k) {
  if (k.op < 0 || k.op >= OP_COUNT || k.activation < 0 || k.activation >= ACT_COUNT) return false;
  const Rules& rules = RULES[k.op];
  if (rules.reads == Reads::NOTHING) return false;
  if (k.activation != ACT_LINEAR && !rules.activates) return false;
  if (!sizes_are_sane(k) || !channels_fit(k) || !layouts_fit(k)) return false;
  if (k.streamed && !rules.weights) return false;
  return !rules.weights || weights_are_inside(program, k);
}

// The input positions that a kernel reads; false where they, or the output's, cannot be.
bool area_read(const Kernel& k, Span& rows, Span& columns) {
  switch (RULES[k.op].reads) {
    case Reads::NOTHING: return false;
    case Reads::POSITION: return true;
    case Reads::WINDOW:
    case Reads::MAP_WINDOW:
      if (k.op == OP_LOCAL && (rows.last > k.out_height || columns.first < 0 ||
                               columns.last > k.out_width))
        return false;
      rows = window(rows, k.stride_y, k.pad_top, k.kernel_height, k.dilation_y);
      columns = window(columns, k.stride_x, k.pad_left, k.kernel_width, k.dilation_x);
      if (!is_near(rows) || !is_near(columns)) return false;
      rows = clipped(rows, k.height);
      if (RULES[k.op].reads == Reads::MAP_WINDOW) columns = clipped(columns, k.width);
      return true;
    case Reads::REPEATED:
      rows = {rows.first / k.stride_y, (rows.last - 1) / k.stride_y + 1};
      columns = {columns.first / k.stride_x, (columns.last - 1) / k.stride_x + 1};
      return true;
    case Reads::BLOCKS:
      rows = {rows.first * k.stride_y, rows.last * k.stride_y};
      columns = {columns.first * k.stride_x, columns.last * k.stride_x};
      return true;
    case Reads::DARKNET_BLOCKS: {
      const int64_t s = k.stride_y;
      if (rows.last > k.height / s || columns.first < 0 || columns.last > k.width / s) return false;
      const bool straddles = k.height / s % s != 0;  // an output row mixes rows of two channels
      rows = straddles ? Span{0, k.height}
                       : clipped({(rows.first - s + 1) * s, (rows.last + s - 1) * s}, k.height);
      columns = {columns.first * s, columns.last * s};
      return true;
    }
    case Reads::SAMPLED: {
      if (columns.first < 0) return false;
      const int64_t s = k.sample;
      const auto read = [&](Span span, int64_t stride, int64_t size) {
        return clipped({(span.first + s - 1) / s * stride, (span.last - 1) / s * stride + 1}, size);
      };
      rows = read(rows, k.stride_y, k.height), columns = read(columns, k.stride_x, k.width);
      return true;
    }
    case Reads::SHIFTED:
      rows = {rows.first - k.pad_top, rows.last - k.pad_top};
      columns = {columns.first - k.pad_left, columns.last - k.pad_left};
      return true;
    case Reads::POSITION_OR_MAP:
      if (k.kernel_height == 1 && k.kernel_width == 1) return true;
      if (rows.last > k.height || columns.first < 0 || columns.last > k.width) return false;
      rows = {0, k.height}, columns = {0, k.width};
      return true;
  }
  return false;
}

bool reads_inside(const Program& program, const Kernel& k, const Call& call) {
  Span rows = {call.row, (int64_t)call.row + call.rows}, columns = {k.left, k.right};
  rows = {rows.first * k.pool_height, rows.last * k.pool_height};
  columns = {columns.first * k.pool_width, columns.last * k.pool_width};
  Span second_rows = rows, second_columns = columns;
  if (!area_read(k, rows, columns)) return false;
  if (k.op == OP_MULTIPLY && k.in2_height == 1) second_rows = {0, 1};
  if (k.op == OP_MULTIPLY && k.in2_width == 1) second_columns = {0, 1};
  const Rules& rules = RULES[k.op];
  const auto holds = [&](const Buffer& buffer, int64_t first_row, Span r, Span c, int64_t channels) {
    const int64_t spare = buffer.base == 0 || rules.vectors ? OVERREAD_BYTES : 0;
    return inside(program, buffer, first_row, r, c, channels, spare);
  };
  const int64_t channels2 = k.op == OP_MULTIPLY ? k.in2_channels : k.channels;
  return holds(k.in, call.in_row, rows, columns, k.channels) &&
         (!rules.second || holds(k.in2, call.in2_row, second_rows, second_columns, channels2));
}

}  // namespace

const char* find_fault(const Program& program, int64_t* faulty_call) {
  for (int64_t index = 0; index < program.kernel_count; index++)
    if (!is_sane(program, program.kernels[index])) {
      *faulty_call = index;
      return "a kernel's parameters are inconsistent";
    }
  for (int64_t index = 0; index < program.call_count; index++) {
    const Call& call = program.calls[index];
    *faulty_call = index;
    if (call.kernel < 0 || call.kernel >= program.kernel_count || call.rows < 1 || call.row < 0)
      return "a call names no kernel or no rows";
    const Kernel& kernel = program.kernels[call.kernel];
    const Span rows = {call.row, (int64_t)call.row + call.rows};
    const Span columns = {kernel.out.column, (int64_t)kernel.out.column + kernel.out.columns};
    if (kernel.left < columns.first || kernel.right > columns.last)
      return "a call's columns lie outside its output buffer";
    if (!inside(program, kernel.out, call.out_row, rows, columns, kernel.filters, 0))
      return "a call writes outside its buffer";
    if (!reads_inside(program, kernel, call)) return "a call reads outside its buffer";
  }
  return nullptr;
}

}  // namespace ftdist
