// Rows of a picture resized along themselves and mixed, for resizing.py, which says what is wanted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ftdist::pictures {

// For `count` pixels of an axis of the result: the pixel before their place, the one after it, and
// that one's share.
struct Taps {
  const int32_t* before;
  const int32_t* after;
  const float* share;
  size_t count;
};

// Pixels of `channels` bytes, `pixel` bytes from one to the next.
struct Row {
  const uint8_t* values;
  size_t pixel;
};

// Rows of `width` pixels, `stride` bytes apart; row -1 is `above`.
struct Band {
  Row rows;
  Row above;
  size_t stride;
  size_t width;
  size_t channels;
};

// What `count` pixels of an axis of `target` are made of, of `source` ones: as Darknet has it, each
// operation rounded to float32 (resizing.py).
void find_taps(size_t source, size_t target, const int64_t* wanted, size_t count, int32_t* before,
               int32_t* after, float* share);

// How many floats mixing rows of so many pixels takes beside them.
size_t scratch_floats(size_t columns, size_t channels);

// Makes rows.count rows of columns.count pixels, `stride` bytes apart. Each value is (1 - share) * one + share * other, along the row, then between rows,
// every operation rounded to float32; then rounded to 8 bits.
void mix(const Band& band, const Taps& rows, const Taps& columns, float* scratch, uint8_t* out,
         size_t stride);

}  // namespace ftdist::pictures
