// Compiled without fused multiply-add: a machine that has it would round otherwise.
#include "mixing.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "mixing_vectors.hpp"

// Elements of a vector and of zeros; GCC has Clang's word for it from version 12 on only.
#if defined(__clang__)
#define FTDIST_SHUFFLE(Type, from, ...) __builtin_shufflevector(from, Type{}, __VA_ARGS__)
#else
#define FTDIST_SHUFFLE(Type, from, ...) __builtin_shuffle(from, Type{}, Type{__VA_ARGS__})
#endif

namespace ftdist::pictures {

namespace {

constexpr int64_t kNone = -2;
constexpr size_t kMostLanes = 16;

typedef float Floats __attribute__((vector_size(16), aligned(4), may_alias));

// The bytes from `from` on.
inline Floats four(const uint8_t* from) {
  typedef uint8_t Bytes __attribute__((vector_size(16)));
  typedef uint16_t Words __attribute__((vector_size(16)));
  typedef int32_t Ints __attribute__((vector_size(16)));
  int32_t bits;
  std::memcpy(&bits, from, sizeof bits);
  // Zeros between the bytes, and again: one instruction each.
  const auto bytes = reinterpret_cast<Bytes>(Ints{bits});
  const auto words = reinterpret_cast<Words>(
      FTDIST_SHUFFLE(Bytes, bytes, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
  const auto ints = reinterpret_cast<Ints>(FTDIST_SHUFFLE(Words, words, 0, 8, 1, 9, 2, 10, 3, 11));
  return __builtin_convertvector(ints, Floats);
}

Row row_of(const Band& band, int64_t number) {
  if (number < 0) return band.above;
  return {band.rows.values + static_cast<size_t>(number) * band.stride, band.rows.pixel};
}

// One row of the band, resized along itself; of `Channels` bytes a pixel, or, if that is 0, of the
// band's. `Padded`: a pixel has a byte more, which nobody reads.
template <size_t Channels, bool Padded>
void along(const Band& band, const Row& row, const Taps& columns, float* to) {
  const size_t channels = Channels == 0 ? band.channels : Channels;
  const size_t pixel = Padded ? Channels + 1 : row.pixel;
  const auto at = [&](int32_t place) { return row.values + static_cast<size_t>(place) * pixel; };
  const auto plainly = [&](size_t column, size_t stop) {
    for (; column < stop; column++) {
      const float share = columns.share[column], rest = 1.0f - share;
      for (size_t channel = 0; channel < channels; channel++)
        to[column * channels + channel] = static_cast<float>(at(columns.before[column])[channel]) * rest +
                                          static_cast<float>(at(columns.after[column])[channel]) * share;
    }
  };
  if constexpr (Channels == 3) {
    // Four bytes at a time: the fourth is the next pixel's, and goes. Behind the last one is none, and
    // the last value's place is followed by none.
    const auto last = static_cast<int32_t>(band.width) - 1;
    const auto alone = [&](size_t column) { return std::max(columns.before[column], columns.after[column]) == last; };
    size_t first = 0, stop = std::max<size_t>(columns.count, 1) - 1;
    while (first < stop && alone(first)) first++;
    while (first < stop && alone(stop - 1)) stop--;
    plainly(0, first);
    for (size_t column = first; column < stop; column++) {
      const Floats share = Floats{} + columns.share[column], rest = 1.0f - share;
      const Floats before = four(at(columns.before[column])), after = four(at(columns.after[column]));
      *reinterpret_cast<Floats*>(to + 3 * column) = before * rest + after * share;
    }
    plainly(stop, columns.count);
  } else {
    plainly(0, columns.count);
  }
}

void across(const Band& band, int64_t number, const Taps& columns, float* to) {
  const Row row = row_of(band, number);
  if (band.channels == 3 && row.pixel == 4)
    along<3, true>(band, row, columns, to);
  else if (band.channels == 3)
    along<3, false>(band, row, columns, to);
  else if (band.channels == 1)
    along<1, false>(band, row, columns, to);
  else
    along<0, false>(band, row, columns, to);
}

// Lanes of the widest vectors that are used here, of `most`.
size_t lanes_of(size_t most) {
#if defined(__x86_64__)
  static const bool eight = __builtin_cpu_supports("avx2");
  static const bool sixteen = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                              __builtin_cpu_supports("avx512vbmi");
  if (sixteen && most >= 16) return 16;
  if (eight && most >= 8) return 8;
#endif
  return std::min<size_t>(most, 4);
}

void between(const float* upper, const float* lower, float share, size_t size, uint8_t* out,
             [[maybe_unused]] size_t lanes) {
  size_t made = 0;
#if defined(__x86_64__)
  if (lanes == 8) made = between_by_eight(upper, lower, share, size, out);
  if (lanes == 16) made = between_by_sixteen(upper, lower, share, size, out);
#endif
  between_two(upper + made, lower + made, share, size - made, out + made);
}

// For pixels of an axis of the result: what they are made of.
class AxisTaps {
 public:
  explicit AxisTaps(const Axis& axis)
      : before_(static_cast<size_t>(axis.length)), after_(before_.size()), share_(before_.size()) {
    const int64_t last = axis.source - 1, end = axis.target - 1;
    const float scale = static_cast<float>(last) / static_cast<float>(std::max<int64_t>(end, 1));
    for (size_t at = 0; at < before_.size(); at++) {
      const int64_t along = axis.first + axis.step * static_cast<int64_t>(at);
      const int64_t wanted = std::min(std::max<int64_t>(along, 0), end);
      const float place = static_cast<float>(wanted) * scale;
      int64_t first = std::min(static_cast<int64_t>(place), last);
      share_[at] = place - static_cast<float>(first);
      if (wanted == end || first == last) {
        first = last;
        share_[at] = 0.0f;
      }
      before_[at] = static_cast<int32_t>(first);
      after_[at] = static_cast<int32_t>(std::min(first + 1, last));
    }
  }

  Taps taps() const { return {before_.data(), after_.data(), share_.data(), before_.size()}; }

 private:
  std::vector<int32_t> before_, after_;
  std::vector<float> share_;
};

// Rows of a band, resized along themselves; of which two are kept: the lower one of a pair is the
// next one's upper one, mostly.
class ResizedRows {
 public:
  ResizedRows(const Band& band, const Taps& columns, [[maybe_unused]] size_t lanes)
      : band_(band), columns_(columns), size_(columns.count * band.channels) {
#if defined(__x86_64__)
    if (lanes == 16) windows_ = find_windows(columns, band);
    if (lanes >= 8 && windows_.empty()) fours_ = find_fours(columns, band);
#endif
    room_ = (size_ + kMostLanes - 1) / kMostLanes * kMostLanes;
    held_.resize(2 * room_);
  }

  // Good until the one after the next is asked for.
  const float* row(int64_t number) {
    if (number_[latest_] != number) latest_ = 1 - latest_;
    float* const held = held_.data() + latest_ * room_;
    if (number_[latest_] == number) return held;
    number_[latest_] = number;
#if defined(__x86_64__)
    const uint8_t* const bytes = row_of(band_, number).values;
    if (number >= 0 && !windows_.empty()) {
      across_by_windows(bytes, windows_, held);
      return held;
    }
    if (number >= 0 && !fours_.empty()) {
      across_by_fours(bytes, fours_, held);
      return held;
    }
#endif
    across(band_, number, columns_, held);
    return held;
  }

  size_t size() const { return size_; }

 private:
  const Band& band_;
  const Taps columns_;
  const size_t size_;
  size_t room_;
  std::vector<float> held_;
#if defined(__x86_64__)
  std::vector<Sixteen> windows_;
  std::vector<Four> fours_;
#endif
  int64_t number_[2] = {kNone, kNone};
  size_t latest_ = 0;
};

// A row's pixels as they are.
void copy(const Row& row, const Taps& columns, size_t channels, uint8_t* out) {
  const auto first = columns.count > 0 ? columns.before[0] : 0;
  const bool in_a_row = columns.count > 0 && row.pixel == channels &&
                        columns.before[columns.count - 1] - first == static_cast<int64_t>(columns.count) - 1;
  if (in_a_row) {
    std::memcpy(out, row.values + static_cast<size_t>(first) * channels, columns.count * channels);
    return;
  }
  for (size_t column = 0; column < columns.count; column++, out += channels) {
    const uint8_t* from = row.values + static_cast<size_t>(columns.before[column]) * row.pixel;
    for (size_t channel = 0; channel < channels; channel++) out[channel] = from[channel];
  }
}

// Puts a row's pixels where they belong, if that is not side by side.
void scatter(const uint8_t* row, size_t count, size_t channels, const Result& to, uint8_t* out) {
  for (size_t column = 0; column < count; column++, out += to.pixel, row += channels)
    for (size_t channel = 0; channel < channels; channel++) out[channel] = row[channel];
}

}  // namespace

void resize(const Band& band, int64_t first, const Axis& rows, const Axis& columns, const Result& out,
            size_t most_lanes) {
  const size_t lanes = lanes_of(most_lanes);
  const AxisTaps row_taps(rows), column_taps(columns);
  const Taps down = row_taps.taps(), along = column_taps.taps();
  const auto height = static_cast<int64_t>(band.height);
  const bool mixes = rows.source != rows.target || columns.source != columns.target;
  const bool tight = out.pixel == static_cast<int64_t>(band.channels);
  ResizedRows resized(band, along, lanes);
  std::vector<uint8_t> apart(tight ? 0 : resized.size());
  for (size_t each = 0; each < down.count; each++) {
    const size_t at = rows.step > 0 ? each : down.count - 1 - each;  // as the picture's rows come
    const int64_t upper = down.before[at] - first, lower = down.after[at] - first;
    const int64_t needed = down.share[at] > 0.0f ? lower : upper;
    if (needed < 0 || needed >= height) continue;
    uint8_t* const place = out.values + static_cast<int64_t>(at) * out.stride;
    uint8_t* const made = tight ? place : apart.data();
    if (mixes) {
      const float* one = resized.row(upper);
      const float* other = resized.row(needed);  // has no share, if it is not the lower one
      between(one, other, down.share[at], resized.size(), made, lanes);
    } else {
      copy(row_of(band, upper), along, band.channels, made);
    }
    if (!tight) scatter(made, along.count, band.channels, out, place);
  }
}

}  // namespace ftdist::pictures
