// Compiled without fused multiply-add: a machine that has it would round otherwise.
#include "mixing.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Elements of a vector and of zeros; GCC has Clang's word for it from version 12 on only.
#if defined(__clang__)
#define FTDIST_SHUFFLE(Type, from, ...) __builtin_shufflevector(from, Type{}, __VA_ARGS__)
#else
#define FTDIST_SHUFFLE(Type, from, ...) __builtin_shuffle(from, Type{}, Type{__VA_ARGS__})
#endif

namespace ftdist::pictures {

namespace {

constexpr int64_t kNone = -2;
constexpr size_t kPairFloats = 8;

typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));

// The bytes from `from` on.
inline Four four(const uint8_t* from) {
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
  return __builtin_convertvector(ints, Four);
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
  size_t column = 0;
  if constexpr (Channels == 3)  // four bytes at a time: the fourth is the next pixel's, and goes
    for (; column + 1 < columns.count; column++, to += 3) {
      const auto left = static_cast<size_t>(columns.before[column]);
      const auto right = static_cast<size_t>(columns.after[column]);
      if (!Padded && (left + 1 == band.width || right + 1 == band.width)) break;
      const Four share = Four{} + columns.share[column], rest = 1.0f - share;
      *reinterpret_cast<Four*>(to) =
          four(row.values + left * pixel) * rest + four(row.values + right * pixel) * share;
    }
  for (; column < columns.count; column++) {
    const float share = columns.share[column], rest = 1.0f - share;
    const uint8_t* left = row.values + static_cast<size_t>(columns.before[column]) * pixel;
    const uint8_t* right = row.values + static_cast<size_t>(columns.after[column]) * pixel;
    for (size_t channel = 0; channel < channels; channel++)
      *to++ = static_cast<float>(left[channel]) * rest + static_cast<float>(right[channel]) * share;
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

// A row between two others. Bytes may be anything's: they are said to be nobody else's.
inline __attribute__((always_inline)) void between_two(const float* __restrict upper,
                                                       const float* __restrict lower, float share,
                                                       size_t size, uint8_t* __restrict out) {
  const float rest = 1.0f - share;
  for (size_t value = 0; value < size; value++) {
    const auto rounded = static_cast<int32_t>((rest * upper[value] + share * lower[value]) + 0.5f);
    out[value] = static_cast<uint8_t>(rounded);
  }
}

#if defined(__x86_64__)
// What each of two pixels of four bytes, side by side, has of a pixel of the result, four times each:
// so that takes one load and one product. The row's last pixel comes with the one before it. False
// where pixels to be mixed do not lie side by side.
bool find_pairs(const Taps& columns, int32_t width, float* pairs) {
  for (size_t column = 0; column < columns.count; column++, pairs += kPairFloats) {
    const int32_t left = columns.before[column], right = columns.after[column];
    float share = columns.share[column], rest = 1.0f - share;
    const bool last = left == width - 1 && right == left && share == 0.0f && width > 1;
    if (right != left + 1 && !last) return false;
    if (last) std::swap(share, rest);
    std::fill_n(pairs, kPairFloats / 2, rest);
    std::fill_n(pairs + kPairFloats / 2, kPairFloats / 2, share);
  }
  return true;
}

__attribute__((target("avx2"))) void across_by_pairs(const Row& row, const Taps& columns, int32_t width,
                                                     const float* pairs, float* to) {
  const auto begin = [&](size_t column) {
    return row.values + 4 * static_cast<ptrdiff_t>(std::min(columns.before[column], width - 2));
  };
  const size_t last = columns.count - 1;
  for (size_t column = 0; column < last; column++, pairs += kPairFloats, to += 3) {
    const auto* bytes = reinterpret_cast<const __m128i*>(begin(column));
    const __m256 both =
        _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes))), _mm256_loadu_ps(pairs));
    _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1)));
  }
  const uint8_t* bytes = begin(last);  // four floats would be more than there is room for
  for (size_t channel = 0; channel < 3; channel++)
    to[channel] = static_cast<float>(bytes[channel]) * pairs[0] +
                  static_cast<float>(bytes[4 + channel]) * pairs[kPairFloats / 2];
}

// Sixteen values of a row that is resized along itself: they come of a window of the row's bytes.
struct Sixteen {
  uint8_t before[16], after[16];  // where in the window
  float rest[16], share[16];
  size_t begin;
  uint64_t in_window;
};

constexpr size_t kWindow = 64;

// What the values from `first` on of `size` are made of; false where no window holds it.
bool find_window(const Taps& columns, const Band& band, size_t first, size_t size, Sixteen& found) {
  size_t before[16], after[16], end = 0;
  found.begin = SIZE_MAX;
  for (size_t each = 0; each < 16; each++) {
    const size_t value = std::min(first + each, size - 1);
    const size_t column = value / band.channels, channel = value % band.channels;
    before[each] = static_cast<size_t>(columns.before[column]) * band.rows.pixel + channel;
    after[each] = static_cast<size_t>(columns.after[column]) * band.rows.pixel + channel;
    found.begin = std::min(found.begin, before[each]);
    end = std::max(end, after[each] + 1);
    found.share[each] = columns.share[column];
    found.rest[each] = 1.0f - columns.share[column];
  }
  if (end - found.begin > kWindow) return false;
  for (size_t each = 0; each < 16; each++) {
    found.before[each] = static_cast<uint8_t>(before[each] - found.begin);
    found.after[each] = static_cast<uint8_t>(after[each] - found.begin);
  }
  found.in_window = ~uint64_t{0} >> (kWindow - (end - found.begin));
  return true;
}

// Those of all values; false where some come of no window, or there are none.
bool find_windows(const Taps& columns, const Band& band, std::vector<Sixteen>& found) {
  const size_t size = columns.count * band.channels;
  found.resize((size + 15) / 16);
  for (size_t part = 0; part < found.size(); part++)
    if (!find_window(columns, band, 16 * part, size, found[part])) {
      found.clear();
      return false;
    }
  return size > 0;
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) inline __m512 sixteen_of(__m512i window,
                                                                              const uint8_t* places) {
  const __m512i at = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(places)));
  const __m128i bytes = _mm512_castsi512_si128(_mm512_permutexvar_epi8(at, window));
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void across_by_windows(
    const uint8_t* row, const std::vector<Sixteen>& parts, size_t size, float* to) {
  for (const Sixteen& part : parts) {
    const __m512i window = _mm512_maskz_loadu_epi8(part.in_window, row + part.begin);
    const __m512 before = _mm512_mul_ps(sixteen_of(window, part.before), _mm512_loadu_ps(part.rest));
    const __m512 after = _mm512_mul_ps(sixteen_of(window, part.after), _mm512_loadu_ps(part.share));
    const auto made = static_cast<__mmask16>(size < 16 ? (1u << size) - 1 : 0xffffu);
    _mm512_mask_storeu_ps(to, made, _mm512_add_ps(before, after));
    to += 16;
    size -= 16;
  }
}

// What is left over at the end is for others.
__attribute__((target("avx512f"))) size_t between_by_sixteen(const float* upper, const float* lower,
                                                             float share, size_t size, uint8_t* out) {
  const __m512 of_lower = _mm512_set1_ps(share), of_upper = _mm512_set1_ps(1.0f - share);
  const __m512 half = _mm512_set1_ps(0.5f);
  size_t value = 0;
  for (; value + 16 <= size; value += 16) {
    const __m512 one = _mm512_mul_ps(of_upper, _mm512_loadu_ps(upper + value));
    const __m512 other = _mm512_mul_ps(of_lower, _mm512_loadu_ps(lower + value));
    const __m512i rounded = _mm512_cvttps_epi32(_mm512_add_ps(_mm512_add_ps(one, other), half));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + value), _mm512_cvtepi32_epi8(rounded));
  }
  return value;
}

__attribute__((target("avx2"))) void between_by_eight(const float* upper, const float* lower, float share,
                                                      size_t size, uint8_t* out) {
  between_two(upper, lower, share, size, out);
}

#endif

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
  if (lanes == 8) return between_by_eight(upper, lower, share, size, out);
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
      : band_(band), columns_(columns), size_(columns.count * band.channels), held_(2 * size_) {
#if defined(__x86_64__)
    if (lanes == 16 && find_windows(columns, band, windows_)) return;
    if (lanes < 8 || band.channels != 3 || band.rows.pixel != 4 || size_ == 0) return;
    pairs_.resize(columns.count * kPairFloats);
    paired_ = find_pairs(columns, static_cast<int32_t>(band.width), pairs_.data());
#endif
  }

  // Good until the one after the next is asked for.
  const float* row(int64_t number) {
    if (number_[latest_] != number) latest_ = 1 - latest_;
    float* const held = held_.data() + latest_ * size_;
    if (number_[latest_] == number) return held;
    number_[latest_] = number;
#if defined(__x86_64__)
    if (!windows_.empty() && number >= 0) {
      across_by_windows(row_of(band_, number).values, windows_, size_, held);
      return held;
    }
    if (paired_ && number >= 0) {
      const auto width = static_cast<int32_t>(band_.width);
      across_by_pairs(row_of(band_, number), columns_, width, pairs_.data(), held);
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
  std::vector<float> held_;
#if defined(__x86_64__)
  std::vector<Sixteen> windows_;
#endif
  std::vector<float> pairs_;
  bool paired_ = false;
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
