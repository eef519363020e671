// Rows of pixels mixed by wide vectors, where a machine has them: for mixing.cpp alone, which chooses,
// and whose flags it needs (no fused multiply-add).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "mixing.hpp"

namespace ftdist::pictures {

namespace {

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
constexpr size_t kPairFloats = 8;

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

}  // namespace

}  // namespace ftdist::pictures
