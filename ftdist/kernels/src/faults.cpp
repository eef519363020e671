// Refuses programs that would touch memory outside their buffers, before a single call runs: a
// wrong offset is then one clear error instead of a corrupted result or a crash.
#include <initializer_list>

#include "program.hpp"

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

bool is_pool(int32_t op) { return op == OP_MAX_POOL || op == OP_AVERAGE_POOL; }
bool is_reorg(int32_t op) { return op == OP_REORG || op == OP_REORG_DARKNET; }
bool has_weights(int32_t op) { return op == OP_CONVOLUTION || op == OP_DEPTHWISE; }
bool is_elementwise(int32_t op) { return op == OP_ADD || op == OP_ACTIVATE; }
bool reads_vectors(int32_t op) { return op == OP_DEPTHWISE || is_pool(op) || is_elementwise(op); }

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
        k.kernel_width, k.stride_y, k.stride_x, k.dilation_y, k.dilation_x, k.pad_top, k.pad_left})
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

// Whether an operation makes as many channels as it is said to.
bool channels_fit(const Kernel& k) {
  if (k.op == OP_CONVOLUTION) return k.channels % k.groups == 0 && k.filters % k.groups == 0;
  if (k.op == OP_DEPTHWISE && k.groups != k.channels) return false;
  if (!is_reorg(k.op)) return k.filters == k.channels;
  const int64_t s = k.stride_y;
  if (k.stride_x != s || s * s > k.filters || k.filters != k.channels * s * s) return false;
  return k.op == OP_REORG || (k.channels % (s * s) == 0 && k.height % s == 0 && k.width % s == 0);
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
  if (k.op == OP_ADD && (k.in2.type != TYPE_FLOAT32 || k.in2.channel != 1)) return false;
  if (k.op == OP_ADD && k.in2.pixel != k.channels) return false;
  return !is_elementwise(k.op) || (k.in.pixel == k.channels && k.out.pixel == k.channels);
}

bool weights_are_inside(const Program& program, const Kernel& k) {
  const bool depthwise = k.op == OP_DEPTHWISE;
  const int64_t groups = depthwise ? 1 : k.groups, depth = k.channels / k.groups;
  const int64_t blocks = (k.filters / groups + BLOCK - 1) / BLOCK;
  const double outputs = (double)groups * (double)(blocks * BLOCK);
  const double weights = outputs * (double)depth * k.kernel_height * k.kernel_width;
  const double count = (double)program.weight_count;
  if (k.weights < 0 || k.bias < 0 || (double)k.weights + weights > count ||
      (double)k.bias + outputs > count)
    return false;
  if (!k.streamed) return true;
  const double window = (weights / (outputs / BLOCK) + BLOCK) * PIECE_BLOCKS;
  return k.op == OP_CONVOLUTION && program.file >= 0 && k.window >= 0 &&
         ((double)k.window + window) * sizeof(float) <= (double)program.base_bytes[0];
}

bool is_sane(const Program& program, const Kernel& k) {
  if (k.op < 0 || k.op >= OP_COUNT || k.activation < 0 || k.activation >= ACT_COUNT) return false;
  const bool activates = has_weights(k.op) || is_elementwise(k.op);
  if (k.activation != ACT_LINEAR && !activates) return false;
  if (!sizes_are_sane(k) || !channels_fit(k) || !layouts_fit(k)) return false;
  return !has_weights(k.op) || weights_are_inside(program, k);
}

bool reads_inside(const Program& program, const Kernel& k, const Call& call) {
  Span rows = {call.row, (int64_t)call.row + call.rows}, columns = {k.left, k.right};
  rows = {rows.first * k.pool_height, rows.last * k.pool_height};
  columns = {columns.first * k.pool_width, columns.last * k.pool_width};
  if (has_weights(k.op) || is_pool(k.op)) {
    rows = window(rows, k.stride_y, k.pad_top, k.kernel_height, k.dilation_y);
    columns = window(columns, k.stride_x, k.pad_left, k.kernel_width, k.dilation_x);
    if (!is_near(rows) || !is_near(columns)) return false;
    rows = clipped(rows, k.height);
    if (is_pool(k.op)) columns = clipped(columns, k.width);
  } else if (k.op == OP_UPSAMPLE) {
    rows = {rows.first / k.stride_y, (rows.last - 1) / k.stride_y + 1};
    columns = {columns.first / k.stride_x, (columns.last - 1) / k.stride_x + 1};
  } else if (k.op == OP_REORG) {
    rows = {rows.first * k.stride_y, rows.last * k.stride_y};
    columns = {columns.first * k.stride_x, columns.last * k.stride_x};
  } else if (k.op == OP_REORG_DARKNET) {
    const int64_t s = k.stride_y;
    if (rows.last > k.height / s || columns.first < 0 || columns.last > k.width / s) return false;
    const bool straddles = k.height / s % s != 0;  // an output row mixes rows of two channels
    rows = straddles ? Span{0, k.height}
                     : clipped({(rows.first - s + 1) * s, (rows.last + s - 1) * s}, k.height);
    columns = {columns.first * s, columns.last * s};
  }
  const auto holds = [&](const Buffer& buffer, int64_t first_row) {
    const int64_t spare = buffer.base == 0 || reads_vectors(k.op) ? OVERREAD_BYTES : 0;
    return inside(program, buffer, first_row, rows, columns, k.channels, spare);
  };
  return holds(k.in, call.in_row) && (k.op != OP_ADD || holds(k.in2, call.in2_row));
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
