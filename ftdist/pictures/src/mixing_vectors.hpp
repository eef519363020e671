// Rows of pixels mixed by wide vectors, where a machine has them: for mixing.cpp alone, which chooses,
// and whose flags it needs (no fused multiply-add).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "mixing.hpp"

namespace ftdist::pictures {

namespace {

// A row between two others. Bytes may be anything's: they are said to be nobody else's.
inline void between_two(const float* __restrict upper, const float* __restrict lower, float share,
                        size_t size, uint8_t* __restrict out) {
  const float rest = 1.0f - share;
  for (size_t value = 0; value < size; value++) {
    const auto rounded = static_cast<int32_t>((rest * upper[value] + share * lower[value]) + 0.5f);
    out[value] = static_cast<uint8_t>(rounded);
  }
}

#if defined(__x86_64__)
// Where the values from `first` on of a row that is resized along itself come from: in its bytes, from
// `begin` on and before `end`.
template <size_t Values>
struct Origins {
  size_t before[Values], after[Values];
  float rest[Values], share[Values];
  size_t begin = SIZE_MAX, end = 0;

  // Beyond the last value of `columns` it is repeated.
  Origins(const Taps& columns, const Band& band, size_t first) {
    size_t column = first / band.channels, channel = first % band.channels;
    for (size_t each = 0; each < Values; each++) {
      before[each] = static_cast<size_t>(columns.before[column]) * band.rows.pixel + channel;
      after[each] = static_cast<size_t>(columns.after[column]) * band.rows.pixel + channel;
      begin = std::min(begin, before[each]);
      end = std::max(end, after[each] + 1);
      share[each] = columns.share[column];
      rest[each] = 1.0f - columns.share[column];
      const bool last = channel + 1 == band.channels;
      if (last && column + 1 == columns.count) continue;
      channel = last ? 0 : channel + 1;
      column += last;
    }
  }
};

// Four values: those before them and those after them are picked of sixteen bytes at once, and
// multiplied at once. Of these bytes half begin at `begin` and half at `second`: pixels of three
// channels, of which four values need two and their neighbours, may lie anywhere.
struct Four {
  uint8_t places[16];
  float weights[8];
  size_t begin, second;
};

constexpr size_t kHalf = 8;

// What four values come of; false where it is more than two times eight bytes of the row.
bool find_four(const Origins<4>& from, size_t row_bytes, Four& found) {
  const auto within = [](size_t place, size_t begin) { return place >= begin && place - begin < kHalf; };
  found.begin = std::min(from.begin, row_bytes - kHalf);  // whoever reads eight stays within the row
  found.second = row_bytes - kHalf;
  const auto later = [&](size_t place) {
    if (!within(place, found.begin)) found.second = std::min(found.second, place);
  };
  std::for_each_n(from.before, 4, later);
  std::for_each_n(from.after, 4, later);
  std::fill_n(found.places, 16, uint8_t{0});
  for (size_t each = 0; each < 8; each++) {
    const size_t place = each < 4 ? from.before[each] : from.after[each - 4];
    const bool first = within(place, found.begin);
    if (!first && !within(place, found.second)) return false;
    found.places[each] = static_cast<uint8_t>(first ? place - found.begin : kHalf + place - found.second);
    found.weights[each] = each < 4 ? from.rest[each] : from.share[each - 4];
  }
  return true;
}

// Those of all values; empty where one comes of more.
std::vector<Four> find_fours(const Taps& columns, const Band& band) {
  const size_t size = columns.count * band.channels;
  const size_t row_bytes = (band.width - 1) * band.rows.pixel + band.channels;
  if (row_bytes < kHalf) return {};
  std::vector<Four> found((size + 3) / 4);
  for (size_t part = 0; part < found.size(); part++)
    if (!find_four(Origins<4>(columns, band, 4 * part), row_bytes, found[part])) return {};
  return found;
}

__attribute__((target("avx2"))) void across_by_fours(const uint8_t* row, const std::vector<Four>& parts,
                                                     float* to) {
  for (const Four& part : parts) {
    const auto half = [&](size_t at) {
      return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row + at));
    };
    const __m128i bytes = _mm_unpacklo_epi64(half(part.begin), half(part.second));
    const __m128i places = _mm_loadu_si128(reinterpret_cast<const __m128i*>(part.places));
    const __m256i picked = _mm256_cvtepu8_epi32(_mm_shuffle_epi8(bytes, places));
    const __m256 both = _mm256_mul_ps(_mm256_cvtepi32_ps(picked), _mm256_loadu_ps(part.weights));
    _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1)));
    to += 4;
  }
}

// Sixteen values of a row that is resized along itself: they come of a window of the row's bytes.
struct Sixteen {
  uint8_t before[16], after[16];  // where in the window
  float rest[16], share[16];
  size_t begin;
  uint64_t in_window;
};

constexpr size_t kWindow = 64;

// Those of all values; empty where some come of no window.
std::vector<Sixteen> find_windows(const Taps& columns, const Band& band) {
  const size_t size = columns.count * band.channels;
  std::vector<Sixteen> found((size + 15) / 16);
  for (size_t part = 0; part < found.size(); part++) {
    const Origins<16> from(columns, band, 16 * part);
    if (from.end - from.begin > kWindow) return {};
    Sixteen& sixteen = found[part];
    sixteen.begin = from.begin;
    sixteen.in_window = ~uint64_t{0} >> (kWindow - (from.end - from.begin));
    for (size_t each = 0; each < 16; each++) {
      sixteen.before[each] = static_cast<uint8_t>(from.before[each] - from.begin);
      sixteen.after[each] = static_cast<uint8_t>(from.after[each] - from.begin);
      sixteen.rest[each] = from.rest[each];
      sixteen.share[each] = from.share[each];
    }
  }
  return found;
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) inline __m512 sixteen_of(__m512i window,
                                                                              const uint8_t* places) {
  const __m512i at = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(places)));
  const __m128i bytes = _mm512_castsi512_si128(_mm512_permutexvar_epi8(at, window));
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void across_by_windows(
    const uint8_t* row, const std::vector<Sixteen>& parts, float* to) {
  for (const Sixteen& part : parts) {
    const __m512i window = _mm512_maskz_loadu_epi8(part.in_window, row + part.begin);
    const __m512 before = _mm512_mul_ps(sixteen_of(window, part.before), _mm512_loadu_ps(part.rest));
    const __m512 after = _mm512_mul_ps(sixteen_of(window, part.after), _mm512_loadu_ps(part.share));
    _mm512_storeu_ps(to, _mm512_add_ps(before, after));
    to += 16;
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

// Eight values between two others, rounded.
__attribute__((target("avx2"))) inline __m256i eight_between(const float* upper, const float* lower,
                                                             __m256 of_upper, __m256 of_lower) {
  const __m256 one = _mm256_mul_ps(of_upper, _mm256_loadu_ps(upper));
  const __m256 other = _mm256_mul_ps(of_lower, _mm256_loadu_ps(lower));
  return _mm256_cvttps_epi32(_mm256_add_ps(_mm256_add_ps(one, other), _mm256_set1_ps(0.5f)));
}

// What is left over at the end is for others.
__attribute__((target("avx2"))) size_t between_by_eight(const float* upper, const float* lower, float share,
                                                        size_t size, uint8_t* out) {
  const __m256 of_lower = _mm256_set1_ps(share), of_upper = _mm256_set1_ps(1.0f - share);
  const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);  // packing goes by halves
  size_t value = 0;
  for (; value + 32 <= size; value += 32) {
    const auto eight = [&](size_t at) __attribute__((target("avx2"))) {
      return eight_between(upper + value + at, lower + value + at, of_upper, of_lower);
    };
    const __m256i first = _mm256_packs_epi32(eight(0), eight(8));
    const __m256i second = _mm256_packs_epi32(eight(16), eight(24));
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(first, second), in_order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + value), bytes);
  }
  return value;
}

#endif

}  // namespace

}  // namespace ftdist::pictures
