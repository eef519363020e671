// The transform of Winograd's weights, some channels at a time: what is read goes through a small
// buffer, not through the mapping, whose pages would stay in memory. packing.Winograd is the definition,
// and a test compares them to the bit: each expression is written there in the same order.
#include "transform.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ftdist {
namespace {

constexpr int LANES = 16, MOST_CHANNELS = 32;

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

// One value of each of 16 outputs: loops over them become vectors.
struct Lanes {
  double at[LANES];
};

template <typename Value> Lanes each(const Value& value) {
  Lanes made;
  for (int lane = 0; lane < LANES; lane++) made.at[lane] = value(lane);
  return made;
}

// G times a column of three: points 0, 1, -1 (2, -2) and infinity.
template <int M> void expand(const Lanes& a, const Lanes& b, const Lanes& c, Lanes* to, int step) {
  const Lanes sum = each([&](int lane) { return a.at[lane] + c.at[lane]; });
  if constexpr (M == 2) {
    to[0] = a;
    to[step] = each([&](int lane) { return (sum.at[lane] + b.at[lane]) * 0.5; });
    to[2 * step] = each([&](int lane) { return (sum.at[lane] - b.at[lane]) * 0.5; });
    to[3 * step] = c;
  } else {
    const Lanes even = each([&](int lane) { return a.at[lane] * (1.0 / 24) + c.at[lane] * (1.0 / 6); });
    const Lanes odd = each([&](int lane) { return b.at[lane] * (1.0 / 12); });
    to[0] = each([&](int lane) { return a.at[lane] * 0.25; });
    to[step] = each([&](int lane) { return (sum.at[lane] + b.at[lane]) * (-1.0 / 6); });
    to[2 * step] = each([&](int lane) { return (sum.at[lane] - b.at[lane]) * (-1.0 / 6); });
    to[3 * step] = each([&](int lane) { return even.at[lane] + odd.at[lane]; });
    to[4 * step] = each([&](int lane) { return even.at[lane] - odd.at[lane]; });
    to[5 * step] = c;
  }
}

// Of 16 outputs and one channel: weights [9], `step` floats apart, to [(M+2)^2], `to_step` apart.
template <int M> void transform_one(const float* from, int64_t step, float* to, int64_t to_step) {
  constexpr int SIDE = M + 2;
  Lanes rows[SIDE * 3], all[SIDE];
  for (int x = 0; x < 3; x++) {
    Lanes column[3];
    for (int y = 0; y < 3; y++) {
      const float* tap = from + (3 * y + x) * step;
      column[y] = each([&](int lane) { return static_cast<double>(tap[lane]); });
    }
    expand<M>(column[0], column[1], column[2], rows + x, 3);
  }
  for (int y = 0; y < SIDE; y++) {
    expand<M>(rows[3 * y], rows[3 * y + 1], rows[3 * y + 2], all, 1);
    for (int x = 0; x < SIDE; x++)
      for (int lane = 0; lane < LANES; lane++)
        to[(y * SIDE + x) * to_step + lane] = static_cast<float>(all[x].at[lane]);
  }
}

template <int M>
int transform(int file, int64_t from, int64_t blocks, int64_t channels, float* to) {
  float taps[9 * MOST_CHANNELS * LANES];
  for (int64_t block = 0; block < blocks; block++)
    for (int64_t first = 0; first < channels; first += MOST_CHANNELS) {
      const int64_t count = std::min<int64_t>(MOST_CHANNELS, channels - first);
      for (int tap = 0; tap < 9; tap++) {
        const int64_t at = from + ((block * 9 + tap) * channels + first) * LANES;
        if (!read_floats(file, at, count * LANES, taps + tap * count * LANES)) return errno;
      }
      float* own = to + transformed_floats(block, channels, M) + first * LANES;
      for (int64_t channel = 0; channel < count; channel++)
        transform_one<M>(taps + channel * LANES, count * LANES, own + channel * LANES,
                         channels * LANES);
    }
  return 0;
}

}  // namespace

int transform_weights(int file, int64_t from, int64_t blocks, int64_t channels, int size,
                      float* to) {
  return size == 2 ? transform<2>(file, from, blocks, channels, to)
                   : transform<4>(file, from, blocks, channels, to);
}

}  // namespace ftdist
