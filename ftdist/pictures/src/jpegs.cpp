#include "jpegs.hpp"

#include <cstring>

namespace ftdist::pictures {

namespace {

constexpr uint8_t kBaseline = 0xC0, kExtended = 0xC1, kHuffman = 0xC4;
constexpr uint8_t kScan = 0xDA, kQuantization = 0xDB, kRestartInterval = 0xDD;
constexpr uint8_t kFirstApplication = 0xE0, kLastApplication = 0xEF, kComment = 0xFE;
constexpr uint8_t kExif = kFirstApplication + 1, kSeveral = kFirstApplication + 2;
constexpr size_t kMostFactor = 4;

size_t number(const uint8_t* at) { return static_cast<size_t>(at[0]) << 8 | at[1]; }

// A frame's header without its length.
bool frame(const uint8_t* data, size_t size, PlainJpeg& found) {
  if (size < 6 || data[0] != 8) return false;
  found.height = number(data + 1);
  found.width = number(data + 3);
  found.components = data[5];
  if (found.components != 1 && found.components != 3) return false;
  if (size != 6 + 3 * found.components || found.width == 0 || found.height == 0) return false;
  for (size_t each = 0; each < found.components; each++) {
    const size_t across = data[7 + 3 * each] >> 4, down = data[7 + 3 * each] & 15;
    if (across < 1 || down < 1 || across > kMostFactor || down > kMostFactor) return false;
    found.across[each] = across;
    found.down[each] = down;
  }
  return true;
}

// Whether a segment of that kind changes nothing of how the picture is decoded and shown.
bool says_nothing(uint8_t kind, const uint8_t* data, size_t size) {
  if (kind == kSeveral) return size < 4 || std::memcmp(data, "MPF", 4) != 0;
  if (kind == kRestartInterval) return size == 2 && number(data) == 0;
  const bool application = kind >= kFirstApplication && kind <= kLastApplication;
  return kind == kComment || (application && kind != kExif);
}

}  // namespace

Marker next_marker(const uint8_t* data, size_t size, size_t start) {
  while (start < size) {
    const void* found = std::memchr(data + start, 0xFF, size - start);
    if (found == nullptr) break;
    const auto begin = static_cast<size_t>(static_cast<const uint8_t*>(found) - data);
    size_t end = begin;
    while (end < size && data[end] == 0xFF) end++;
    if (end < size && data[end] != 0) return {begin, end + 1};
    start = end;
  }
  return {size, size};
}

bool plain_jpeg(const uint8_t* data, size_t size, PlainJpeg& found) {
  if (size < 4 || data[0] != 0xFF || data[1] != 0xD8) return false;
  for (size_t at = 2; at + 4 <= size;) {
    const uint8_t kind = data[at + 1];
    const size_t length = number(data + at + 2);
    if (data[at] != 0xFF || length < 2 || at + 2 + length > size) return false;
    const uint8_t* const content = data + at + 4;
    at += 2 + length;
    if (kind == kBaseline || kind == kExtended) {
      if (found.width != 0 || !frame(content, length - 2, found)) return false;
    } else if (kind == kScan) {
      found.begin = at;
      found.end = next_marker(data, size, at).begin;
      return found.width != 0 && length > 2 && content[0] == found.components;
    } else if (kind != kHuffman && kind != kQuantization && !says_nothing(kind, content, length - 2)) {
      return false;
    }
  }
  return false;
}

}  // namespace ftdist::pictures
