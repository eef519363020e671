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

// Rows of `width` pixels of `channels` bytes; row -1 is `above`.
struct Band {
  const uint8_t* rows;
  const uint8_t* above;
  size_t width;
  size_t channels;
};

// Makes rows.count rows of columns.count pixels. `scratch` holds two of them, in floats. Each value
// is (1 - share) * one + share * other, along the row, then between rows, every operation rounded
// to float32; then rounded to 8 bits.
void mix(const Band& band, const Taps& rows, const Taps& columns, float* scratch, uint8_t* out);

}  // namespace ftdist::pictures
