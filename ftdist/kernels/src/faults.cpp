// Refuses programs that would touch memory outside their buffers, before a single call runs: a
// wrong offset is then one clear error instead of a corrupted result or a crash. What an operation
// may have and reads stands beside its kernel; here is what holds for all of them.
#include <initializer_list>

#include "rules.hpp"

namespace ftdist {
namespace {

// Distances are taken in double precision: exact for whatever fits into memory, and never wrapped.
bool inside(const Program& program, const Buffer& buffer, int64_t first_row, const Area& area,
            int64_t channels, int64_t spare_bytes) {
  const Span &rows = area.rows, &columns = area.columns;
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

bool sizes_are_sane(const Kernel& k, const Operation& operation) {
  for (const int64_t size :
       {k.height, k.width, k.left, k.right, k.channels, k.filters, k.groups, k.kernel_height,
        k.kernel_width, k.stride_y, k.stride_x, k.dilation_y, k.dilation_x, k.pad_top, k.pad_left,
        k.part, k.sample, k.size, k.in2_height, k.in2_width, k.in2_channels, k.out_height,
        k.out_width, k.kind})
    if (!is_near(size)) return false;
  const bool pools = k.pool_height != 1 || k.pool_width != 1;
  if (pools && !operation.pools) return false;
  if (k.pool_height < 1 || k.pool_height > POOL_MOST || k.pool_width < 1 ||
      k.pool_width > POOL_MOST)
    return false;
  if (k.right <= k.left || k.channels < 1 || k.filters < 1 || k.groups < 1) return false;
  if (k.kernel_height < 1 || k.kernel_width < 1 || k.stride_y < 1 || k.stride_x < 1) return false;
  return k.dilation_y >= 1 && k.dilation_x >= 1;
}

// Whether an operation can read and write the layouts it is given.
bool layouts_fit(const Kernel& k, const Operation& operation) {
  if (k.out.type != TYPE_FLOAT32) return false;
  if (operation.layouts) return operation.layouts(k);
  if (k.in.type != TYPE_FLOAT32 || k.in.channel != 1 || k.out.channel != 1) return false;
  const bool second = reads_second_map(operation, k);
  if (second && (k.in2.type != TYPE_FLOAT32 || k.in2.channel != 1)) return false;
  if (!operation.dense) return true;
  if (second && k.in2.pixel != k.channels) return false;
  return k.in.pixel == k.channels && k.out.pixel == k.channels;
}

int64_t product(const int32_t* counts, int count) {
  double all = 1;
  for (int i = 0; i < count; i++) all *= counts[i];
  return all < (double)FAR ? (int64_t)all : FAR;
}

// Whether all elements that a view has lie on a map of so many.
bool on_map(const View& view, int factors, int64_t from, const int64_t* steps, double elements) {
  double first = (double)from, last = (double)from;
  for (int i = 0; i < factors; i++) {
    const double far = (double)(view.counts[i] - 1) * (double)steps[i];
    (far < 0 ? first : last) += far;
  }
  return first >= 0 && last < elements;
}

bool is_dense(const Buffer& buffer, int64_t width, int64_t channels) {
  return buffer.type == TYPE_FLOAT32 && buffer.channel == 1 && buffer.pixel == channels &&
         buffer.row == width * channels && buffer.column == 0 && buffer.columns == width;
}

// Whether a kernel's view is there, makes what the kernel writes, and stays on the maps.
bool view_is_inside(const Program& program, const Kernel& k, const Operation& operation) {
  if (k.view < 0 || k.view >= program.view_count) return false;
  const View& v = program.views[k.view];
  int factors = 0;
  for (const int count : {v.rows, v.columns, v.channels, v.terms}) {
    if (count < 0 || count > FACTORS) return false;
    factors += count;
  }
  if (factors > FACTORS) return false;
  for (int i = 0; i < factors; i++)
    if (v.counts[i] < 1) return false;
  if (product(v.counts, v.rows) != k.out_height ||
      product(v.counts + v.rows, v.columns) != k.out_width ||
      product(v.counts + v.rows + v.columns, v.channels) != k.filters ||
      product(v.counts + v.rows + v.columns + v.channels, v.terms) >= FAR || k.height < 1 ||
      k.width < 1 || !is_dense(k.in, k.width, k.channels) ||
      !on_map(v, factors, v.first, v.steps, (double)k.height * k.width * k.channels))
    return false;
  if (!operation.reads_second) return true;
  return k.in2_height >= 1 && k.in2_width >= 1 && k.in2_channels >= 1 &&
         is_dense(k.in2, k.in2_width, k.in2_channels) &&
         on_map(v, factors, v.first2, v.steps2,
                (double)k.in2_height * k.in2_width * k.in2_channels);
}

// Floats of the arena into which streamed weights are read.
double window_floats(const Kernel& k, const WeightLayout& layout) {
  if (layout.window > 0) return layout.window;
  const double taps = layout.taps > 0 ? layout.taps : (double)k.kernel_height * k.kernel_width;
  return (layout.depth * taps + 1) * BLOCK * CHUNK_BLOCKS;
}

bool weights_are_inside(const Program& program, const Kernel& k, const Operation& operation) {
  const WeightLayout layout = operation.weights(k);
  const int64_t blocks = ((int64_t)layout.filters + BLOCK - 1) / BLOCK;
  const double outputs = layout.groups * (double)(blocks * BLOCK);
  const double taps = layout.taps > 0 ? layout.taps : (double)k.kernel_height * k.kernel_width;
  const double weights = outputs * layout.depth * taps;
  double count = (double)program.weight_count;
  if (layout.in_table) {
    if (k.table < 1 || k.table >= program.base_count) return false;
    count = (double)(program.base_bytes[k.table] / (int64_t)sizeof(float));
  }
  const double biases = layout.bias ? outputs : 0;
  if (k.weights < 0 || k.bias < 0 || (double)k.weights + weights > count ||
      (double)k.bias + biases > count)
    return false;
  const double arena = (double)(program.base_bytes[0] / (int64_t)sizeof(float));
  if (k.expanded < 0 || (double)k.expanded + layout.expanded > arena) return false;
  if (!k.streamed) return true;
  return !layout.in_table && operation.streams && program.file >= 0 && k.window >= 0 &&
         (double)k.window + window_floats(k, layout) <= arena;
}

bool is_sane(const Program& program, const Kernel& k) {
  const Operation* operation = find_operation(k.op);
  if (!operation || k.activation < 0 || k.activation >= ACT_COUNT) return false;
  if (!operation->run || !operation->reads || !operation->fits) return false;
  if (k.activation != ACT_LINEAR && !operation->activates) return false;
  if (!sizes_are_sane(k, *operation) || !operation->fits(k) || !layouts_fit(k, *operation))
    return false;
  if (k.streamed && !operation->weights) return false;
  if (operation->views && !view_is_inside(program, k, *operation)) return false;
  if (operation->scratch) {
    const double bytes = (double)sizeof(float) * ((double)k.scratch + operation->scratch(k));
    if (k.scratch < 0 || bytes > (double)program.base_bytes[0]) return false;
  }
  return !operation->weights || weights_are_inside(program, k, *operation);
}

// What a call makes.
Area made_by(const Kernel& k, const Call& call) {
  return {{call.row, (int64_t)call.row + call.rows}, {k.left, k.right}};
}

// What a kernel computes, of which its own pool, if it has one, makes that area.
Area before_pool(const Kernel& k, const Area& made) {
  return {{made.rows.first * k.pool_height, made.rows.last * k.pool_height},
          {made.columns.first * k.pool_width, made.columns.last * k.pool_width}};
}

bool reads_inside(const Program& program, const Kernel& k, const Call& call) {
  const Operation& operation = *find_operation(k.op);
  Area area = before_pool(k, made_by(k, call)), second = area;
  if (!operation.reads(k, area)) return false;
  const auto holds = [&](const Buffer& buffer, int64_t first_row, const Area& read,
                         int64_t channels) {
    const int64_t spare = buffer.base == 0 || operation.vectors ? OVERREAD_BYTES : 0;
    return inside(program, buffer, first_row, read, channels, spare);
  };
  if (!holds(k.in, call.in_row, area, k.channels)) return false;
  if (!reads_second_map(operation, k)) return true;
  const int64_t channels = operation.reads_second(k, second);
  return holds(k.in2, call.in2_row, second, channels);
}

// Floats of the arena, [first, last).
struct Floats {
  double first, last;

  bool meet(const Floats& other) const { return first < other.last && other.first < last; }
};

// What a kernel reads or writes of a buffer, where that is in the arena.
Floats floats_of(const Buffer& buffer, int64_t first_row, const Area& area, int64_t channels) {
  if (buffer.base != 0 || area.rows.last <= area.rows.first) return {0, 0};
  const double top = (double)buffer.offset + (double)(area.rows.first - first_row) * (double)buffer.row;
  const double rows = (double)(area.rows.last - 1 - area.rows.first) * (double)buffer.row;
  const double columns = (double)(buffer.columns - 1) * (double)buffer.pixel;
  return {top, top + rows + columns + (double)channels};
}

// Whether what a kernel works in is apart from its maps, and each such place from the others.
bool works_apart(const Kernel& k, const Call& call) {
  const Operation& operation = *find_operation(k.op);
  Floats places[3 + 3];
  int works = 0;
  const auto add = [&](int64_t at, double count) {
    if (count > 0) places[works++] = {(double)at, (double)at + count};
  };
  if (operation.scratch) add(k.scratch, operation.scratch(k));
  if (operation.weights) {
    const WeightLayout layout = operation.weights(k);
    add(k.expanded, layout.expanded);
    if (k.streamed) add(k.window, window_floats(k, layout));
  }
  if (works == 0) return true;
  const Area made = made_by(k, call);
  int all = works;
  places[all++] = floats_of(k.out, call.out_row, made, k.filters);
  Area area = before_pool(k, made), second = area;
  operation.reads(k, area);
  places[all++] = floats_of(k.in, call.in_row, area, k.channels);
  if (reads_second_map(operation, k)) {
    const int64_t channels = operation.reads_second(k, second);
    places[all++] = floats_of(k.in2, call.in2_row, second, channels);
  }
  for (int one = 0; one < works; one++)
    for (int other = one + 1; other < all; other++)
      if (places[one].meet(places[other])) return false;
  return true;
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
    if (!inside(program, kernel.out, call.out_row, {rows, columns}, kernel.filters, 0))
      return "a call writes outside its buffer";
    if (!reads_inside(program, kernel, call)) return "a call reads outside its buffer";
    if (!works_apart(kernel, call)) return "a kernel works where its maps or weights are";
  }
  return nullptr;
}

}  // namespace ftdist
