// Compiled without fused multiply-add: a machine that has it would round otherwise.
#include "mixing.hpp"

namespace ftdist::pictures {

namespace {

constexpr int64_t kNone = -2;

// One row of the band, resized along itself; of `Channels` bytes a pixel, or, if that is 0, of the
// band's.
template <size_t Channels>
void along(const Band& band, int64_t row, const Taps& columns, float* to) {
  const size_t channels = Channels == 0 ? band.channels : Channels;
  const size_t stride = band.width * channels;
  const uint8_t* from = row < 0 ? band.above : band.rows + static_cast<size_t>(row) * stride;
  for (size_t column = 0; column < columns.count; column++) {
    const float share = columns.share[column], rest = 1.0f - share;
    const uint8_t* left = from + static_cast<size_t>(columns.before[column]) * channels;
    const uint8_t* right = from + static_cast<size_t>(columns.after[column]) * channels;
    for (size_t channel = 0; channel < channels; channel++)
      *to++ = static_cast<float>(left[channel]) * rest + static_cast<float>(right[channel]) * share;
  }
}

void across(const Band& band, int64_t row, const Taps& columns, float* to) {
  if (band.channels == 3)
    along<3>(band, row, columns, to);
  else if (band.channels == 1)
    along<1>(band, row, columns, to);
  else
    along<0>(band, row, columns, to);
}

}  // namespace

void mix(const Band& band, const Taps& rows, const Taps& columns, float* scratch, uint8_t* out) {
  const size_t size = columns.count * band.channels;
  float* held[2] = {scratch, scratch + size};
  int64_t held_row[2] = {kNone, kNone};
  for (size_t at = 0; at < rows.count; at++) {
    const int64_t upper = rows.before[at], lower = rows.after[at];
    if (held_row[1] == upper) {  // a lower row is the next one's upper one, mostly
      float* const other = held[0];
      held[0] = held[1];
      held[1] = other;
      held_row[1] = held_row[0];
      held_row[0] = upper;
    }
    const int64_t wanted[2] = {upper, lower};
    for (int each = 0; each < 2; each++)
      if (held_row[each] != wanted[each]) {
        across(band, wanted[each], columns, held[each]);
        held_row[each] = wanted[each];
      }
    const float share = rows.share[at], rest = 1.0f - share;
    for (size_t value = 0; value < size; value++)
      *out++ = static_cast<uint8_t>((rest * held[0][value] + share * held[1][value]) + 0.5f);
  }
}

}  // namespace ftdist::pictures
