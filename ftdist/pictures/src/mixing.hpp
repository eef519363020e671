// Pictures resized as their rows come by, for resizing.py, which says what is wanted.
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

// `height` rows of `width` pixels, `stride` bytes apart; row -1 is `above`.
struct Band {
  Row rows;
  Row above;
  size_t stride;
  size_t height;
  size_t width;
  size_t channels;
};

// Some of the `target` pixels that the `source` ones of an axis become: `length` of them, from number
// `first` on, `step` (1 or -1) apart. Beside the axis the pixel at its end is repeated.
struct Axis {
  int64_t source;
  int64_t target;
  int64_t first;
  int64_t length;
  int64_t step;
};

// Pixels to be made, side by side or not.
struct Result {
  uint8_t* values;
  int64_t stride;
  int64_t pixel;
};

// Makes those rows of a resized picture that a band of it, whose first row is number `first`, is the
// last to be needed for. Each value is (1 - share) * one + share * other, along the row, then between
// rows, as Darknet has it: every operation rounded to float32 (resizing.py); then rounded to 8 bits.
// Vectors have `most_lanes` values at most: all give the same.
void resize(const Band& band, int64_t first, const Axis& rows, const Axis& columns, const Result& out,
            size_t most_lanes);

}  // namespace ftdist::pictures
