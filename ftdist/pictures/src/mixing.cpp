// Compiled without fused multiply-add: a machine that has it would round otherwise.
#include "mixing.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

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

void between(const float* upper, const float* lower, float share, size_t size, uint8_t* out) {
  between_two(upper, lower, share, size, out);
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

__attribute__((target("avx2"))) void between_by_eight(const float* upper, const float* lower, float share,
                                                      size_t size, uint8_t* out) {
  between_two(upper, lower, share, size, out);
}
#endif

}  // namespace

void find_taps(size_t source, size_t target, const int64_t* wanted, size_t count, int32_t* before,
               int32_t* after, float* share) {
  const auto last = static_cast<int64_t>(source) - 1, end = static_cast<int64_t>(target) - 1;
  const float scale = static_cast<float>(last) / static_cast<float>(std::max<int64_t>(end, 1));
  for (size_t at = 0; at < count; at++) {
    const float place = static_cast<float>(wanted[at]) * scale;
    int64_t first = std::min(static_cast<int64_t>(place), last);
    share[at] = place - static_cast<float>(first);
    if (wanted[at] == end || first == last) {
      first = last;
      share[at] = 0.0f;
    }
    before[at] = static_cast<int32_t>(first);
    after[at] = static_cast<int32_t>(std::min(first + 1, last));
  }
}

size_t scratch_floats(size_t columns, size_t channels) { return columns * (2 * channels + kPairFloats); }

void mix(const Band& band, const Taps& rows, const Taps& columns, float* scratch, uint8_t* out,
         size_t stride) {
  const size_t size = columns.count * band.channels;
  auto* between_rows = &between;
  [[maybe_unused]] bool paired = false;
#if defined(__x86_64__)
  static const bool has_eight = __builtin_cpu_supports("avx2");
  float* const pairs = scratch + 2 * size;
  const auto width = static_cast<int32_t>(band.width);
  if (has_eight) {
    between_rows = &between_by_eight;
    paired = band.channels == 3 && band.rows.pixel == 4 && size > 0 && find_pairs(columns, width, pairs);
  }
#endif
  const auto along_a_row = [&](int64_t number, float* to) {
#if defined(__x86_64__)
    if (paired && number >= 0) return across_by_pairs(row_of(band, number), columns, width, pairs, to);
#endif
    across(band, number, columns, to);
  };
  float* held[2] = {scratch, scratch + size};
  int64_t held_row[2] = {kNone, kNone};
  for (size_t at = 0; at < rows.count; at++) {
    const int64_t upper = rows.before[at], lower = rows.after[at];
    if (held_row[1] == upper) {  // a lower row is the next one's upper one, mostly
      std::swap(held[0], held[1]);
      held_row[1] = held_row[0];
      held_row[0] = upper;
    }
    const int64_t wanted[2] = {upper, lower};
    for (int each = 0; each < 2; each++)
      if (held_row[each] != wanted[each]) {
        along_a_row(wanted[each], held[each]);
        held_row[each] = wanted[each];
      }
    between_rows(held[0], held[1], rows.share[at], size, out);
    out += stride;
  }
}

}  // namespace ftdist::pictures
