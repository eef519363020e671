// Two maps put together value by value, either of which may have one row, column or channel for all.
#pragma once
#include <cmath>

#include "activation.hpp"
#include "rows.hpp"
#include "rules.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// By repeated squares where the exponent is a small whole number, else e^(b ln |a|).
static inline float power_one(float a, float b) {
  if (b == 0.0f || a == 1.0f) return 1.0f;
  if (a != a || b != b) return a + b;
  const bool whole = __builtin_floorf(b) == b;
  if (whole && b >= -64.0f && b <= 64.0f) {
    double result = 1, square = (double)a;
    for (int left = (int)(b < 0 ? -b : b); left; left >>= 1, square *= square)
      if (left & 1) result *= square;
    return (float)(b < 0 ? 1 / result : result);
  }
  if (b == 0.5f) return __builtin_sqrtf(a);
  if (a < 0.0f && !whole) return __builtin_nanf("");
  const float size = a < 0.0f ? -a : a;
  const float infinite = __builtin_inff();
  if (size == 0.0f || size == infinite) return (size == 0.0f) == (b > 0.0f) ? 0.0f : infinite;
  float lanes[LANES];
  store(lanes, log(splat(size)));
  const float exponent = lanes[0] * b;
  if (exponent > 88.7f) return infinite;
  if (exponent < -87.3f) return 0.0f;
  store(lanes, exp(splat(exponent)));
  const bool odd = a < 0.0f && std::fmod(b, 2.0f) != 0.0f;
  return odd ? -lanes[0] : lanes[0];
}

// What is left of a division; `floors`: it has the sign of the divisor.
static inline float remainder_one(float a, float b, bool floors) {
  const float left = std::fmod(a, b);
  return floors && left != 0.0f && (left < 0.0f) != (b < 0.0f) ? left + b : left;
}

template <class Function> static inline Vec each_lane(Vec a, Vec b, const Function& function) {
  float x[LANES], y[LANES];
  store(x, a), store(y, b);
  for (int lane = 0; lane < LANES; lane++) x[lane] = function(x[lane], y[lane]);
  return load(x);
}

template <int KIND> static inline Vec combine(Vec a, Vec b) {
  const Vec zero = splat(0.0f), one = splat(1.0f);
  if constexpr (KIND == PAIR_ADD) return a + b;
  if constexpr (KIND == PAIR_SUBTRACT) return a - b;
  if constexpr (KIND == PAIR_MULTIPLY) return a * b;
  if constexpr (KIND == PAIR_DIVIDE) return a / b;
  if constexpr (KIND == PAIR_MAXIMUM) return a != a ? a : a > b ? a : b;
  if constexpr (KIND == PAIR_MINIMUM) return a != a ? a : a < b ? a : b;
  if constexpr (KIND == PAIR_POWER) return each_lane(a, b, power_one);
  if constexpr (KIND == PAIR_EQUAL) return a == b ? one : zero;
  if constexpr (KIND == PAIR_GREATER) return a > b ? one : zero;
  if constexpr (KIND == PAIR_GREATER_OR_EQUAL) return a >= b ? one : zero;
  if constexpr (KIND == PAIR_LESS) return a < b ? one : zero;
  if constexpr (KIND == PAIR_LESS_OR_EQUAL) return a <= b ? one : zero;
  if constexpr (KIND == PAIR_AND) return a != zero ? (b != zero ? one : zero) : zero;
  if constexpr (KIND == PAIR_OR) return a != zero ? one : b != zero ? one : zero;
  if constexpr (KIND == PAIR_XOR)
    return a != zero ? (b != zero ? zero : one) : (b != zero ? one : zero);
  if constexpr (KIND == PAIR_MODULO)
    return each_lane(a, b, [](float x, float y) { return remainder_one(x, y, true); });
  if constexpr (KIND == PAIR_REMAINDER)
    return each_lane(a, b, [](float x, float y) { return remainder_one(x, y, false); });
  if constexpr (KIND == PAIR_WHERE) return b != zero ? a : zero;
  if constexpr (KIND == PAIR_UNLESS) return b != zero ? zero : a;
}

// Floats side by side; an operand that is `one` value counts for all.
template <int KIND>
static inline void combine_run(const Kernel& kernel, const float* a, bool one_a, const float* b,
                               bool one_b, float* out, int64_t count) {
  for (int64_t first = 0; first < count; first += LANES) {
    const int here = (int)least(LANES, count - first);
    const Vec x = one_a ? splat(*a) : load_part(a + first, here);
    const Vec y = one_b ? splat(*b) : load_part(b + first, here);
    store_part(out + first,
               activate(kernel.activation, combine<KIND>(x, y), splat(kernel.slope)), here);
  }
}

template <int KIND>
static void pair_all(const Program& program, const Kernel& k, const Call& call) {
  const bool one_a = k.channels == 1, one_b = k.in2_channels == 1;
  const bool alike = k.width == k.out_width && k.in2_width == k.out_width && one_a == one_b &&
                     k.in.pixel == k.filters && k.in2.pixel == k.filters &&
                     k.out.pixel == k.filters;
  for (int row = call.row; row < call.row + call.rows; row++) {
    const int row_a = k.height == 1 ? 0 : row, row_b = k.in2_height == 1 ? 0 : row;
    if (alike) {
      combine_run<KIND>(k, at(program, k.in, call.in_row, row_a, k.left), false,
                        at(program, k.in2, call.in2_row, row_b, k.left), false,
                        at(program, k.out, call.out_row, row, k.left),
                        (int64_t)(k.right - k.left) * k.filters);
      continue;
    }
    for (int column = k.left; column < k.right; column++)
      combine_run<KIND>(
          k, at(program, k.in, call.in_row, row_a, k.width == 1 ? 0 : column), one_a,
          at(program, k.in2, call.in2_row, row_b, k.in2_width == 1 ? 0 : column), one_b,
          at(program, k.out, call.out_row, row, column), k.filters);
  }
}

typedef void (*Run)(const Program&, const Kernel&, const Call&);

template <int... KIND>
static inline Run pair_of(int kind, std::integer_sequence<int, KIND...>) {
  static const Run all[] = {pair_all<KIND>...};
  return all[kind];
}

static void pair(const Program& program, const Kernel& kernel, const Call& call) {
  pair_of(kernel.kind, std::make_integer_sequence<int, PAIR_COUNT>{})(program, kernel, call);
}

static inline bool one_of(int32_t size, int32_t all) { return size == 1 || size == all; }

static bool pair_fits(const Kernel& k) {
  return k.kind >= 0 && k.kind < PAIR_COUNT && one_of(k.height, k.out_height) &&
         one_of(k.width, k.out_width) && one_of(k.channels, k.filters) &&
         one_of(k.in2_height, k.out_height) && one_of(k.in2_width, k.out_width) &&
         one_of(k.in2_channels, k.filters);
}

static bool pair_reads(const Kernel& k, Area& area) {
  if (k.height == 1) area.rows = {0, 1};
  if (k.width == 1) area.columns = {0, 1};
  return true;
}

static int64_t pair_reads_second(const Kernel& k, Area& area) {
  if (k.in2_height == 1) area.rows = {0, 1};
  if (k.in2_width == 1) area.columns = {0, 1};
  return k.in2_channels;
}

constexpr Operation PAIRS[] = {
    {.name = "pair",
     .run = pair,
     .reads = pair_reads,
     .fits = pair_fits,
     .reads_second = pair_reads_second,
     .activates = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
