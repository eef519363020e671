// The header of a JPEG of the plainest kind, and where its data ends, for plainjpeg.py.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ftdist::pictures {

// `components` is 1 or 3, each with its sampling factors. The scan's data are at [begin, end), before a
// marker or the file's end.
struct PlainJpeg {
  size_t width = 0, height = 0, components = 0;
  size_t across[3] = {}, down[3] = {};
  size_t begin = 0, end = 0;
};

// Whether a file is such a JPEG: sequential, Huffman-coded, 8 bits, one scan, no restart markers, and
// nothing in its header that says how to show it (EXIF, XMP, several pictures). What is said of any
// other, or of a damaged one, is others' business. Source: ITU-T T.81, annex B.
bool plain_jpeg(const uint8_t* data, size_t size, PlainJpeg& found);

// Where the first marker from `start` on begins and ends: bytes of ones, and one that is neither zero
// nor ones. `size` twice where there is none.
struct Marker {
  size_t begin, end;
};
Marker next_marker(const uint8_t* data, size_t size, size_t start);

}  // namespace ftdist::pictures
