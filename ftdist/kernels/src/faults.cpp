// Refuses programs that would touch memory outside their buffers, before a single call runs: a
// wrong offset is then one clear error instead of a corrupted result or a crash.
#include "program.hpp"

namespace ftdist {
namespace {

struct Rows {
  int64_t first, last;
};

struct Columns {
  int64_t first, last;
};

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// Kernels read whole vectors of channels: the arena ends with room for one more.
constexpr int64_t OVERREAD_BYTES = 64;

bool inside(const Program& program, const Buffer& buffer, int64_t first_row, Rows rows,
            Columns columns, int64_t channels, bool read) {
  if (rows.last <= rows.first || columns.last <= columns.first) return true;
  if (buffer.base < 0 || buffer.base >= program.base_count) return false;
  if (buffer.row < 0 || buffer.pixel < 0 || buffer.channel < 0 || channels < 1) return false;
  if (rows.first < first_row || columns.first < buffer.column) return false;
  if (columns.last > (int64_t)buffer.column + buffer.columns || buffer.offset < 0) return false;
  const int64_t last = buffer.offset + (rows.last - 1 - first_row) * buffer.row +
                       (columns.last - 1 - buffer.column) * buffer.pixel +
                       (channels - 1) * buffer.channel;
  const int64_t size = buffer.type == TYPE_UINT8 ? 1 : 4;
  const int64_t extra = read && buffer.base == 0 ? OVERREAD_BYTES : 0;
  return (last + 1) * size + extra <= program.base_bytes[buffer.base];
}

// The input positions that output positions [first, last) read, as far as they are on the map.
Rows window(int64_t first, int64_t last, int64_t stride, int64_t pad, int64_t kernel,
            int64_t dilation, int64_t size) {
  const int64_t start = first * stride - pad;
  const int64_t stop = (last - 1) * stride - pad + (kernel - 1) * dilation + 1;
  return {most(start, 0), least(stop, size)};
}

bool is_sane(const Program& program, const Kernel& k) {
  if (k.op < 0 || k.op >= OP_COUNT || k.activation < 0 || k.activation >= ACT_COUNT) return false;
  if (k.right <= k.left || k.channels < 1 || k.filters < 1 || k.groups < 1) return false;
  if (k.channels % k.groups || k.filters % k.groups) return false;
  if (k.kernel_height < 1 || k.kernel_width < 1 || k.stride_y < 1 || k.stride_x < 1) return false;
  if (k.dilation_y < 1 || k.dilation_x < 1 || k.out.type != TYPE_FLOAT32) return false;
  if (k.op != OP_COPY && (k.in.type != TYPE_FLOAT32 || k.out.channel != 1)) return false;
  if (k.op != OP_CONVOLUTION && k.op != OP_DEPTHWISE) return true;
  const int64_t blocks = (k.filters / k.groups + BLOCK - 1) / BLOCK;
  int64_t outputs = k.groups * blocks * BLOCK, depth = k.channels / k.groups;
  if (k.op == OP_DEPTHWISE) {
    if (k.filters != k.channels || k.groups != k.channels) return false;
    outputs = ((int64_t)k.channels + BLOCK - 1) / BLOCK * BLOCK, depth = 1;
  }
  const int64_t weights = outputs * depth * k.kernel_height * k.kernel_width;
  return k.weights >= 0 && k.bias >= 0 && k.weights + weights <= program.weight_count &&
         k.bias + outputs <= program.weight_count;
}

bool reads_inside(const Program& program, const Kernel& k, const Call& call) {
  const int64_t first = call.row, last = (int64_t)call.row + call.rows;
  Rows rows = {first, last};
  Columns columns = {k.left, k.right};
  switch (k.op) {
    case OP_CONVOLUTION: case OP_DEPTHWISE: {
      rows = window(first, last, k.stride_y, k.pad_top, k.kernel_height, k.dilation_y, k.height);
      columns = {(int64_t)k.left * k.stride_x - k.pad_left,
                 (int64_t)(k.right - 1) * k.stride_x - k.pad_left +
                     (int64_t)(k.kernel_width - 1) * k.dilation_x + 1};
      break;
    }
    case OP_MAX_POOL: case OP_AVERAGE_POOL: {
      rows = window(first, last, k.stride_y, k.pad_top, k.kernel_height, k.dilation_y, k.height);
      const Rows wide =
          window(k.left, k.right, k.stride_x, k.pad_left, k.kernel_width, k.dilation_x, k.width);
      columns = {wide.first, wide.last};
      break;
    }
    case OP_UPSAMPLE:
      rows = {first / k.stride_y, (last + k.stride_y - 1) / k.stride_y};
      columns = {k.left / k.stride_x, (k.right + k.stride_x - 1) / k.stride_x};
      break;
    case OP_REORG:
      rows = {first * k.stride_y, last * k.stride_y};
      columns = {(int64_t)k.left * k.stride_x, (int64_t)k.right * k.stride_x};
      break;
    case OP_REORG_DARKNET: {
      const bool whole = k.height / k.stride_y % k.stride_y != 0;
      const int64_t s = k.stride_y;
      rows = whole ? Rows{0, k.height}
                   : Rows{most(0, (first - s + 1) * s), least(k.height, (last + s - 1) * s)};
      columns = {(int64_t)k.left * k.stride_x, (int64_t)k.right * k.stride_x};
      break;
    }
    default: break;
  }
  if (k.op == OP_ADD &&
      !inside(program, k.in2, call.in2_row, rows, columns, k.channels, true))
    return false;
  return inside(program, k.in, call.in_row, rows, columns, k.channels, true);
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
    const Rows rows = {call.row, (int64_t)call.row + call.rows};
    const Columns columns = {kernel.out.column, (int64_t)kernel.out.column + kernel.out.columns};
    if (kernel.left < columns.first || kernel.right > columns.last)
      return "a call's columns lie outside its output buffer";
    if (!inside(program, kernel.out, call.out_row, rows, columns, kernel.filters, false))
      return "a call writes outside its buffer";
    if (!reads_inside(program, kernel, call)) return "a call reads outside its buffer";
  }
  return nullptr;
}

}  // namespace ftdist
