// Where the maxima of a pool lay, and values that are put back there.
#pragma once
#include "pool.hpp"
#include "transposed.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// Of each window row * width + column of its first maximum; NaN is larger than all.
static void max_places(const Program& program, const Kernel& k, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++) {
    const int top = row * k.stride_y - k.pad_top;
    const Taps rows = taps_on_map(top, k.kernel_height, k.dilation_y, k.height);
    for (int column = k.left; column < k.right; column++) {
      const int left = column * k.stride_x - k.pad_left;
      const Taps columns = taps_on_map(left, k.kernel_width, k.dilation_x, k.width);
      float* out = at(program, k.out, call.out_row, row, column);
      for (int channel = 0; channel < k.channels; channel++) {
        float best = 0.0f;
        int place = -1;
        for (int y = rows.first; y < rows.last; y++)
          for (int x = columns.first; x < columns.last; x++) {
            const int from_row = top + y * k.dilation_y, from_column = left + x * k.dilation_x;
            const float value = at(program, k.in, call.in_row, from_row, from_column)[channel];
            if (place >= 0 && !(value > best) && (value == value || best != best)) continue;
            best = value, place = from_row * k.width + from_column;
          }
        out[channel] = (float)place;
      }
    }
  }
}

// The window of which a position is a tap, or -1 where it lies between windows or beside all.
static inline int window_of(int position, int stride, int extent, int count) {
  const int found = position / stride;
  return position % stride < extent && found < count ? found : -1;
}

static void unpool(const Program& program, const Kernel& k, const Call& call) {
  const int high = (k.kernel_height - 1) * k.dilation_y + 1;
  const int wide = (k.kernel_width - 1) * k.dilation_x + 1;
  for (int row = call.row; row < call.row + call.rows; row++) {
    const int y = window_of(row + k.pad_top, k.stride_y, high, k.height);
    for (int column = k.left; column < k.right; column++) {
      const int x = window_of(column + k.pad_left, k.stride_x, wide, k.width);
      float* out = at(program, k.out, call.out_row, row, column);
      const bool on_map = y >= 0 && x >= 0;
      const float place = (float)(row * k.out_width + column);
      const float* values = on_map ? at(program, k.in, call.in_row, y, x) : nullptr;
      const float* places = on_map ? at(program, k.in2, call.in2_row, y, x) : nullptr;
      for (int channel = 0; channel < k.channels; channel++)
        out[channel] = on_map && places[channel] == place ? values[channel] : 0.0f;
    }
  }
}

static bool unpool_fits(const Kernel& k) {
  return same_channels(k) && k.height >= 1 && k.width >= 1 && k.stride_y >= 1 && k.stride_x >= 1 &&
         k.pad_top >= 0 && k.pad_left >= 0 && k.in2_height == k.height && k.in2_width == k.width &&
         k.in2_channels == k.channels && k.out_height >= 1 && k.out_width >= 1 &&
         (double)k.out_height * k.out_width <= (double)(1 << 24);
}

static int64_t unpool_reads_second(const Kernel& k, Area& area) {
  return transposed_reads(k, area) ? k.in2_channels : 0;
}

static bool max_places_fits(const Kernel& k) {
  return same_channels(k) && (double)k.height * k.width <= (double)(1 << 24);
}

constexpr Operation UNPOOLING[] = {
    {.name = "max_places", .run = max_places, .reads = reads_map_window, .fits = max_places_fits},
    {.name = "unpool",
     .run = unpool,
     .reads = transposed_reads,
     .fits = unpool_fits,
     .reads_second = unpool_reads_second},
};

}  // namespace ftdist::FTDIST_NAMESPACE
