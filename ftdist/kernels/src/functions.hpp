// Functions of one value, each with up to two numbers of its own: `factor` and `shift`. NaN passes
// through each of them, but for those that make truth of it.
#pragma once
#include "angles.hpp"
#include "pairs.hpp"
#include "rows.hpp"
#include "rules.hpp"

namespace ftdist::FTDIST_NAMESPACE {

template <class Function> static inline Vec of_lanes(Vec x, const Function& function) {
  float lanes[LANES];
  store(lanes, x);
  for (float& each : lanes) each = function(each);
  return load(lanes);
}

// e^x over the whole range of floats: `exp` stops where its result is a normal number.
static inline Vec exp_far(Vec x) {
  const Vec half = exp(x * splat(0.5f)), within = exp(x);
  return x > splat(87.0f) ? half * half : x < splat(-87.0f) ? half * half : within;
}

// ln x of zero, of what is too small to be normal, and of infinity too.
static inline Vec log_far(Vec x) {
  const float infinite = __builtin_inff();
  const Vec tiny = log(x * splat(16777216.0f)) - splat(16.635532333438686f);
  const Vec found = x < splat(1.17549435e-38f) ? tiny : log(x);
  const Vec above = x == splat(infinite) ? splat(infinite) : found;
  return x == splat(0.0f) ? splat(-infinite) : x < splat(0.0f) ? splat(__builtin_nanf("")) : above;
}

// The nearest whole number, of two the even one.
static inline float round_one(float x) { return __builtin_rintf(x); }

template <int KIND> static inline Vec function_of(Vec x, Vec a, Vec b) {
  const Vec zero = splat(0.0f), one = splat(1.0f);
  if constexpr (KIND == FUNCTION_CLIP) {
    const Vec above = x < a ? a : x;
    return above > b ? b : above;
  }
  if constexpr (KIND == FUNCTION_ABS) return x < zero ? -x : x;
  if constexpr (KIND == FUNCTION_NEGATIVE) return -x;
  if constexpr (KIND == FUNCTION_SIGN) return x > zero ? one : x < zero ? -one : x;
  if constexpr (KIND == FUNCTION_FLOOR)
    return of_lanes(x, [](float each) { return __builtin_floorf(each); });
  if constexpr (KIND == FUNCTION_CEIL)
    return of_lanes(x, [](float each) { return __builtin_ceilf(each); });
  if constexpr (KIND == FUNCTION_ROUND) return of_lanes(x, round_one);
  if constexpr (KIND == FUNCTION_TRUNCATE)
    return of_lanes(x, [](float each) { return __builtin_truncf(each); });
  if constexpr (KIND == FUNCTION_SQRT)
    return of_lanes(x, [](float each) { return __builtin_sqrtf(each); });
  if constexpr (KIND == FUNCTION_RECIPROCAL) return one / x;
  if constexpr (KIND == FUNCTION_EXP) return exp_far(x);
  if constexpr (KIND == FUNCTION_LOG) return log_far(x);
  if constexpr (KIND == FUNCTION_ERF) return erf(x);
  if constexpr (KIND == FUNCTION_SOFTSIGN) return x / (one + (x < zero ? -x : x));
  if constexpr (KIND == FUNCTION_HARD_SIGMOID) {
    const Vec line = fma(a, x, b), above = line < zero ? zero : line;
    return above > one ? one : above;
  }
  if constexpr (KIND == FUNCTION_ELU) return x >= zero ? x : a * expm1(x);
  if constexpr (KIND == FUNCTION_SELU) return b * (x >= zero ? x : a * expm1(x));
  if constexpr (KIND == FUNCTION_CELU) return x >= zero ? x : a * expm1(x / a);
  if constexpr (KIND == FUNCTION_THRESHOLD) return x > a ? x : x != x ? x : zero;
  if constexpr (KIND == FUNCTION_SWISH) return x * logistic(a * x);
  if constexpr (KIND == FUNCTION_SHRINK)
    return x < -a ? x + b : x > a ? x - b : x != x ? x : zero;
  if constexpr (KIND == FUNCTION_TRUTH) return x == zero ? zero : one;
  if constexpr (KIND == FUNCTION_DIVIDE) return x / a;
  if constexpr (KIND == FUNCTION_POWER) return each_lane(x, a, power_one);
  if constexpr (KIND == FUNCTION_NOT) return x == zero ? one : zero;
  if constexpr (KIND == FUNCTION_SIN) return of_lanes(x, sine_one);
  if constexpr (KIND == FUNCTION_COS) return of_lanes(x, cosine_one);
  if constexpr (KIND == FUNCTION_TAN) return of_lanes(x, tangent_one);
  if constexpr (KIND == FUNCTION_ASIN) return of_lanes(x, arcsine_one);
  if constexpr (KIND == FUNCTION_ACOS) return of_lanes(x, arccosine_one);
  if constexpr (KIND == FUNCTION_ATAN) return of_lanes(x, arctangent_one);
  if constexpr (KIND == FUNCTION_SINH) return of_lanes(x, hyperbolic_sine_one);
  if constexpr (KIND == FUNCTION_COSH) return of_lanes(x, hyperbolic_cosine_one);
  if constexpr (KIND == FUNCTION_ASINH) return of_lanes(x, area_sine_one);
  if constexpr (KIND == FUNCTION_ACOSH) return of_lanes(x, area_cosine_one);
  if constexpr (KIND == FUNCTION_ATANH) return of_lanes(x, area_tangent_one);
}

template <int KIND>
static void function_all(const Program& program, const Kernel& k, const Call& call) {
  const bool alike = k.in.pixel == k.filters && k.out.pixel == k.filters;
  const int64_t columns = k.right - k.left, runs = alike ? 1 : columns;
  const int64_t count = columns * k.filters / runs;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int64_t run = 0; run < runs; run++) {
      const int column = k.left + (int)run;
      const float* in = at(program, k.in, call.in_row, row, column);
      float* out = at(program, k.out, call.out_row, row, column);
      for (int64_t first = 0; first < count; first += LANES) {
        const int here = (int)least(LANES, count - first);
        const Vec x = load_part(in + first, here);
        store_part(out + first, function_of<KIND>(x, splat(k.factor), splat(k.shift)), here);
      }
    }
}

template <int... KIND>
static inline void function_of_kind(const Program& program, const Kernel& kernel, const Call& call,
                                    std::integer_sequence<int, KIND...>) {
  static void (*const all[])(const Program&, const Kernel&, const Call&) = {function_all<KIND>...};
  all[kernel.kind](program, kernel, call);
}

static void function(const Program& program, const Kernel& kernel, const Call& call) {
  function_of_kind(program, kernel, call, std::make_integer_sequence<int, FUNCTION_COUNT>{});
}

static bool function_fits(const Kernel& k) {
  return same_channels(k) && k.kind >= 0 && k.kind < FUNCTION_COUNT;
}

constexpr Operation FUNCTIONS[] = {
    {.name = "function", .run = function, .reads = reads_position, .fits = function_fits},
};

}  // namespace ftdist::FTDIST_NAMESPACE
