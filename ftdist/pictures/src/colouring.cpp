// Compiled without fused multiply-add: a machine that has it would round otherwise.
#include "colouring.hpp"

#include <algorithm>
#include <cmath>

namespace ftdist::pictures {

namespace {

// ITU-T T.871.
constexpr float kMiddle = 128.0f;
constexpr float kRed = 1.402f, kGreenBlue = -0.344136f, kGreenRed = -0.714136f, kBlue = 1.772f;

uint8_t sample(float value) {
  return static_cast<uint8_t>(std::nearbyint(std::min(std::max(value, 0.0f), 255.0f)));
}

}  // namespace

void colour(const uint8_t* grey, const uint8_t* chroma, size_t width, const Taps& rows,
            const Taps& columns, float* scratch, uint8_t* out) {
  for (size_t row = 0; row < rows.count; row++) {
    const float down = rows.share[row], rest = 1.0f - down;
    const uint8_t* upper = chroma + static_cast<size_t>(rows.before[row]) * width * 2;
    const uint8_t* lower = chroma + static_cast<size_t>(rows.after[row]) * width * 2;
    for (size_t at = 0; at < width * 2; at++)
      scratch[at] = static_cast<float>(upper[at]) * rest + static_cast<float>(lower[at]) * down;
    for (size_t column = 0; column < columns.count; column++) {
      const float along = columns.share[column], left = 1.0f - along;
      const float* one = scratch + static_cast<size_t>(columns.before[column]) * 2;
      const float* other = scratch + static_cast<size_t>(columns.after[column]) * 2;
      const float blue = one[0] * left + other[0] * along - kMiddle;
      const float red = one[1] * left + other[1] * along - kMiddle;
      const float luma = static_cast<float>(*grey++);
      *out++ = sample(luma + kRed * red);
      *out++ = sample(luma + kGreenBlue * blue + kGreenRed * red);
      *out++ = sample(luma + kBlue * blue);
    }
  }
}

}  // namespace ftdist::pictures
