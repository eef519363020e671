// Small files read at once, for plainjpeg.py.
#pragma once

#include <cstddef>
#include <string>

namespace ftdist::pictures {

// Reads a file that begins so and has no more than `most` bytes; false of any other, of what is no
// file, and of what cannot be read.
bool read_small(const char* path, const std::string& beginning, size_t most, std::string& content);

}  // namespace ftdist::pictures
