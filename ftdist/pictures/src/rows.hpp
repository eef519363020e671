// What undoing a picture file's codings needs a loop over bytes for; rows/*.py reads the files.
//
// Each reads its input in pieces and keeps what it must between two of them, so that one strip of any
// length is decoded with a few KiB. Damaged input never leaves the buffers: it ends with false.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ftdist::pictures {

// A piece of input and room for output; both move on as they are used.
struct Piece {
  const uint8_t* in;
  const uint8_t* in_end;
  uint8_t* out;
  uint8_t* out_end;
};

// TIFF's LZW (TIFF 6.0, section 13): codes of 9 to 12 bits, the highest bit first.
class Lzw {
 public:
  // False where a code is none that an encoder could have written.
  bool decode(Piece& piece);
  bool ended() const { return ended_; }

 private:
  static constexpr int kClear = 256, kEnd = 257, kFirst = 258, kCodes = 4096;

  void expand(int code);

  uint16_t before_[kCodes] = {};
  uint16_t length_[kCodes] = {};
  uint8_t last_[kCodes] = {};
  uint8_t held_[kCodes + 1] = {};  // a string that is being handed out
  size_t held_at_ = 0, held_size_ = 0;
  int next_ = kFirst, width_ = 9, previous_ = -1;
  uint32_t bits_ = 0;
  int bit_count_ = 0;
  bool ended_ = false;
};

// TIFF's PackBits (section 9): runs and literal bytes.
class PackBits {
 public:
  bool decode(Piece& piece);

 private:
  size_t literal_ = 0, repeat_ = 0;
  bool repeat_waits_ = false;
  uint8_t value_ = 0;
};

// Undoes PNG's filters (ISO 15948, 9.2) in `lines` of a filter byte and `size` bytes each; `above`,
// `size` bytes, is the row before, and becomes the last one. Gives the number of rows that have a
// filter that there is.
size_t unfilter(uint8_t* lines, size_t rows, size_t size, size_t pixel, uint8_t* above);

// Adds up `count` samples of each row of `rows`, each to the one `step` before (TIFF's predictor 2).
template <typename T>
void accumulate(T* values, size_t rows, size_t count, size_t step) {
  for (size_t row = 0; row < rows; row++, values += count)
    for (size_t at = step; at < count; at++) values[at] = static_cast<T>(values[at] + values[at - step]);
}

}  // namespace ftdist::pictures
