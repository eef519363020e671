// What an operation says of itself beside its kernel: its name, and which programs it may be in.
//
// Each family's header ends with a table of these; the executor calls what stands there, and the
// check of programs (faults.cpp) asks it. An operation that is in no table is refused. All functions
// here are static: each instruction set is compiled by itself, and no code for one may reach another.
#pragma once
#include "program.hpp"

namespace ftdist {

// The half-open range [first, last).
struct Span {
  int64_t first, last;
};

// Rows and columns of a map.
struct Area {
  Span rows, columns;
};

// How weights lie: groups of blocks of outputs, each with so many inputs; a bias for each output.
struct WeightLayout {
  double groups, filters, depth;
  bool bias = true;
  double taps = 0;        // weights of an output and an input; 0: one for each position of the window
  bool in_table = false;  // in the base `table`, not in the model file
  double window = 0;      // floats of the arena that streaming takes; 0: a chunk as it lies
  double expanded = 0;    // floats of the arena in which they are made, from `expanded` on
};

struct Operation {
  const char* name = nullptr;
  void (*run)(const Program&, const Kernel&, const Call&) = nullptr;

  // Turns an area of the output into the area of the input that is read for it. False where there is
  // no such area: the output positions are none of the operation's.
  bool (*reads)(const Kernel&, Area&) = nullptr;

  // Whether sizes and parameters are sound: as many channels as it says, maps that suit each other.
  bool (*fits)(const Kernel&) = nullptr;

  // How its weights lie; null when it has none.
  WeightLayout (*weights)(const Kernel&) = nullptr;

  // Floats of the arena that it works in, from `scratch` on; null when it needs none.
  double (*scratch)(const Kernel&) = nullptr;

  // As `reads`, for the second map; null when it reads no second one. Returns its channels. Asked
  // only where the map is read: see reads_second_map().
  int64_t (*reads_second)(const Kernel&, Area&) = nullptr;

  // Whether it can read and write buffers laid out so; null asks for floats, channels side by side.
  bool (*layouts)(const Kernel&) = nullptr;

  bool activates = false;   // applies an activation at the end
  bool dense = false;       // takes rows as runs of floats: no gaps between the pixels
  bool vectors = false;     // reads whole vectors of channels
  bool streams = false;     // can read its weights piece by piece
  bool pools = false;       // can take the maximum of what it makes
  bool views = false;       // reads dense whole maps by a view of the program
  bool multiplies = false;  // its multiply-accumulates are counted
  bool may_add = false;     // reads the second map where `kind` is 1: adds it before the activation
};

static inline bool reads_second_map(const Operation& operation, const Kernel& kernel) {
  return operation.reads_second && (!operation.may_add || kernel.kind);
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static inline Span clipped(Span span, int64_t size) {
  return {most(span.first, 0), least(span.last, size)};
}

// Kernels count rows and columns in 32 bits and add up three of them; nothing real is as far.
constexpr int64_t FAR = int64_t{1} << 29;

constexpr int MOST_TILES = 1 << 16;  // blocks of positions that a kernel takes at once

static inline bool is_near(int64_t position) { return position > -FAR && position < FAR; }
static inline bool is_near(Span span) { return is_near(span.first) && is_near(span.last); }

// The input positions that output positions [first, last) span, on the map and beside it.
static inline Span window(Span output, int64_t stride, int64_t pad, int64_t kernel,
                          int64_t dilation) {
  return {output.first * stride - pad,
          (output.last - 1) * stride - pad + (kernel - 1) * dilation + 1};
}

static inline bool reads_position(const Kernel&, Area&) { return true; }

// A window; columns beside the map are stored as zeros.
static inline bool reads_window(const Kernel& k, Area& area) {
  area = {window(area.rows, k.stride_y, k.pad_top, k.kernel_height, k.dilation_y),
          window(area.columns, k.stride_x, k.pad_left, k.kernel_width, k.dilation_x)};
  if (!is_near(area.rows) || !is_near(area.columns)) return false;
  area.rows = clipped(area.rows, k.height);
  return true;
}

// A window as far as it lies on the map.
static inline bool reads_map_window(const Kernel& k, Area& area) {
  if (!reads_window(k, area)) return false;
  area.columns = clipped(area.columns, k.width);
  return true;
}

// One position for several.
static inline bool reads_repeated(const Kernel& k, Area& area) {
  area.rows = {area.rows.first / k.stride_y, (area.rows.last - 1) / k.stride_y + 1};
  area.columns = {area.columns.first / k.stride_x, (area.columns.last - 1) / k.stride_x + 1};
  return true;
}

// Of operations that may add a map to what they make: that map, and whether they can.
static inline int64_t reads_added(const Kernel& k, Area&) { return k.filters; }

static inline bool addition_fits(const Kernel& k) {
  return k.kind == 0 || (k.kind == 1 && k.pool_height * k.pool_width == 1);
}

static inline bool same_channels(const Kernel& k) { return k.filters == k.channels; }

static inline bool one_tap(const Kernel& k) { return k.kernel_height == 1 && k.kernel_width == 1; }

}  // namespace ftdist
