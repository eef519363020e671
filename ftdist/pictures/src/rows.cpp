#include "rows.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace ftdist::pictures {

void Lzw::expand(int code) {
  held_at_ = 0;
  held_size_ = code < kClear ? 1 : length_[code];
  for (size_t at = held_size_; at > 1; at--) {
    held_[at - 1] = last_[code];
    code = before_[code];
  }
  held_[0] = static_cast<uint8_t>(code);
}

bool Lzw::decode(Piece& piece) {
  for (;;) {
    const size_t room = static_cast<size_t>(piece.out_end - piece.out);
    const size_t now = std::min(room, held_size_ - held_at_);
    std::memcpy(piece.out, held_ + held_at_, now);
    piece.out += now, held_at_ += now;
    if (piece.out == piece.out_end || ended_) return true;
    while (bit_count_ < width_) {
      if (piece.in == piece.in_end) return true;
      bits_ = bits_ << 8 | *piece.in++;
      bit_count_ += 8;
    }
    bit_count_ -= width_;
    const int code = static_cast<int>(bits_ >> bit_count_ & ((1u << width_) - 1));
    if (code == kEnd) {
      ended_ = true;
    } else if (code == kClear) {
      next_ = kFirst, width_ = 9, previous_ = -1;
    } else if (previous_ < 0) {
      if (code >= kClear) return false;
      expand(code);
      previous_ = code;
    } else {
      if (code > next_ || (code == next_ && next_ == kCodes)) return false;
      if (code < next_) {
        expand(code);
      } else {  // the string before, and its first byte once more
        expand(previous_);
        held_[held_size_++] = held_[0];
      }
      if (next_ < kCodes) {
        before_[next_] = static_cast<uint16_t>(previous_);
        last_[next_] = held_[0];
        length_[next_] = static_cast<uint16_t>(1 + (previous_ < kClear ? 1 : length_[previous_]));
        next_++;
        if (next_ >= (1 << width_) - 1 && width_ < 12) width_++;
      }
      previous_ = code;
    }
  }
}

bool PackBits::decode(Piece& piece) {
  while (piece.out < piece.out_end) {
    const size_t room = static_cast<size_t>(piece.out_end - piece.out);
    if (repeat_ > 0 && !repeat_waits_) {
      const size_t now = std::min(repeat_, room);
      std::memset(piece.out, value_, now);
      piece.out += now, repeat_ -= now;
      continue;
    }
    if (piece.in == piece.in_end) return true;
    if (repeat_waits_) {
      value_ = *piece.in++;
      repeat_waits_ = false;
    } else if (literal_ > 0) {
      const size_t there = static_cast<size_t>(piece.in_end - piece.in);
      const size_t now = std::min({literal_, room, there});
      std::memcpy(piece.out, piece.in, now);
      piece.in += now, piece.out += now, literal_ -= now;
    } else {
      const uint8_t head = *piece.in++;
      if (head < 128) {
        literal_ = head + 1u;
      } else if (head > 128) {
        repeat_ = 257u - head;
        repeat_waits_ = true;
      }
    }
  }
  return true;
}

namespace {

uint8_t paeth(int left, int above, int corner) {
  const int by_left = std::abs(above - corner), by_above = std::abs(left - corner);
  const int by_corner = std::abs(left + above - 2 * corner);
  if (by_left <= by_above && by_left <= by_corner) return static_cast<uint8_t>(left);
  return static_cast<uint8_t>(by_above <= by_corner ? above : corner);
}

void undo(int filter, uint8_t* row, const uint8_t* above, size_t size, size_t pixel) {
  const auto at = [&](size_t index) { return index < pixel ? 0 : row[index - pixel]; };
  switch (filter) {
    case 1:
      for (size_t i = pixel; i < size; i++) row[i] = static_cast<uint8_t>(row[i] + row[i - pixel]);
      break;
    case 2:
      for (size_t i = 0; i < size; i++) row[i] = static_cast<uint8_t>(row[i] + above[i]);
      break;
    case 3:
      for (size_t i = 0; i < size; i++) row[i] = static_cast<uint8_t>(row[i] + (at(i) + above[i]) / 2);
      break;
    case 4:
      for (size_t i = 0; i < std::min(pixel, size); i++) row[i] = static_cast<uint8_t>(row[i] + above[i]);
      for (size_t i = pixel; i < size; i++)
        row[i] = static_cast<uint8_t>(row[i] + paeth(row[i - pixel], above[i], above[i - pixel]));
      break;
    default:
      break;
  }
}

}  // namespace

size_t unfilter(uint8_t* lines, size_t rows, size_t size, size_t pixel, uint8_t* above) {
  const uint8_t* before = above;
  size_t row = 0;
  for (; row < rows; row++, lines += size + 1) {
    if (lines[0] > 4) break;
    undo(lines[0], lines + 1, before, size, pixel);
    before = lines + 1;
  }
  if (before != above) std::memcpy(above, before, size);
  return row;
}

}  // namespace ftdist::pictures
