// The transform of Winograd's weights, some channels at a time: what is read goes through a small
// buffer, not through the mapping, whose pages would stay in memory.
#include "transform.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "program.hpp"

namespace ftdist {
namespace {

constexpr int MOST_CHANNELS = 32;

bool read_floats(int file, int64_t from, int64_t count, float* to) {
  char* at = reinterpret_cast<char*>(to);
  int64_t left = count * static_cast<int64_t>(sizeof(float));
  int64_t offset = from * static_cast<int64_t>(sizeof(float));
  while (left > 0) {
    const ssize_t got = pread(file, at, static_cast<size_t>(left), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return errno = ENODATA, false;
    at += got, offset += got, left -= got;
  }
  return true;
}

}  // namespace

int transform_weights(const Isa& isa, int file, int64_t from, int64_t blocks, int64_t channels,
                      int size, float* to) {
  float taps[9 * MOST_CHANNELS * BLOCK];
  for (int64_t block = 0; block < blocks; block++)
    for (int64_t first = 0; first < channels; first += MOST_CHANNELS) {
      const int64_t count = std::min<int64_t>(MOST_CHANNELS, channels - first);
      for (int tap = 0; tap < 9; tap++) {
        const int64_t at = from + ((block * 9 + tap) * channels + first) * BLOCK;
        if (!read_floats(file, at, count * BLOCK, taps + tap * count * BLOCK)) return errno;
      }
      isa.expand(taps, count * BLOCK, static_cast<int>(count), size,
                 to + transformed_floats(block, channels, size) + first * BLOCK, channels * BLOCK);
    }
  return 0;
}

}  // namespace ftdist
