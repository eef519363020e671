// Activations on vectors. exp is our own polynomial, so that its bits are the same on every machine
// with fused multiply-add. NaN passes through each of them.
#pragma once
#include "program.hpp"
#include "simd.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// e^x = 2^n (1 + m) after Cephes' expf: x = n ln 2 + r, and 1 + m = e^r by a polynomial. Arguments
// are clamped to where the result is a normal number.
struct Exponential {
  Vec r, tail;  // 1 + m = 1 + (r + tail r^2)
  Vec power;    // 2^n
};

static inline Exponential split_exp(Vec x) {
  const Vec low = splat(-87.33654f), high = splat(88.0f);
  x = x < low ? low : x;
  x = x > high ? high : x;
  const Vec magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
  const Vec shifted = fma(x, splat(1.44269504088896341f), magic);
  const Vec n = shifted - magic;
  Vec r = fma(n, splat(-0.693359375f), x);
  r = fma(n, splat(2.12194440e-4f), r);
  Vec p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  const Int whole = bits<Int>(shifted) - bits<Int>(magic);
  return {r, p, bits<Vec>((whole + 127) << 23)};
}

static inline Vec exp(Vec x) {
  const Exponential e = split_exp(x);
  return fma(e.tail, e.r * e.r, e.r + splat(1.0f)) * e.power;
}

// e^x - 1, exact to rounding near 0 too.
static inline Vec expm1(Vec x) {
  const Exponential e = split_exp(x);
  const Vec m = fma(e.tail, e.r * e.r, e.r);
  return fma(m, e.power, e.power - splat(1.0f));
}

// ln x of a positive normal number, after Cephes' logf; NaN of what is below zero.
static inline Vec log(Vec x) {
  const Int whole = bits<Int>(x);
  const Int offset = whole - 0x3f3504f3;  // from sqrt(1/2) on: the exponent rounds there
  const Int exponent = offset >> 23;
  const Vec z = bits<Vec>(whole - (exponent << 23)) - splat(1.0f);
  Vec p = splat(7.0376836292e-2f);
  p = fma(p, z, splat(-1.1514610310e-1f));
  p = fma(p, z, splat(1.1676998740e-1f));
  p = fma(p, z, splat(-1.2420140846e-1f));
  p = fma(p, z, splat(1.4249322787e-1f));
  p = fma(p, z, splat(-1.6668057665e-1f));
  p = fma(p, z, splat(2.0000714765e-1f));
  p = fma(p, z, splat(-2.4999993993e-1f));
  p = fma(p, z, splat(3.3333331174e-1f));
  const Vec square = z * z;
  const Vec e = as_float(exponent);
  Vec y = fma(e, splat(-2.12194440e-4f), p * (square * z));
  y = fma(square, splat(-0.5f), y);
  const Vec result = fma(e, splat(0.693359375f), z + y);
  return x < splat(0.0f) ? splat(__builtin_nanf("")) : x != x ? x : result;
}

static inline Vec tanh(Vec x) {
  x = x > splat(20.0f) ? splat(20.0f) : x;
  const Vec e = expm1(x + x);
  return e / (e + splat(2.0f));
}

static inline Vec floor(Vec x) {
  const Vec most = splat(4194304.0f), magic = splat(12582912.0f);
  const Vec rounded = (x + magic) - magic;
  const Vec whole = rounded > x ? rounded - splat(1.0f) : rounded;
  return (x < most ? x > -most ? whole : x : x);
}

static inline Vec logistic(Vec x) { return splat(1.0f) / (splat(1.0f) + exp(-x)); }

// x tanh(ln(1 + e^x)) = x t / (t + 2) with t = e^x (e^x + 2).
static inline Vec mish(Vec x) {
  const Vec e = exp(x > splat(20.0f) ? splat(20.0f) : x);
  const Vec t = e * (e + splat(2.0f));
  return x * (t / (t + splat(2.0f)));
}

static inline Vec clamp6(Vec x) {
  return lesser(splat(6.0f), larger(splat(0.0f), x));
}

static inline Vec elu(Vec x) { return x >= splat(0.0f) ? x : expm1(x); }

// 0.5 x (1 + tanh(0.797885 x + 0.035677 x^3)), by the logistic function of twice the argument.
static inline Vec gelu(Vec x) {
  const Vec inner = fma(splat(0.035677f) * (x * x), x, splat(0.797885f) * x);
  return x * logistic(inner + inner);
}

// After N. Juffa: near 0 x times a polynomial, else 1 - e^p.
static inline Vec erf(Vec x) {
  const Vec size = x < splat(0.0f) ? -x : x, square = x * x;
  Vec far = fma(splat(-1.72853470e-5f), size, splat(3.83197126e-4f));
  const Vec more = fma(splat(-3.88396438e-3f), size, splat(2.42546219e-2f));
  far = fma(far, square, more);
  far = fma(far, size, splat(-1.06777877e-1f));
  far = fma(far, size, splat(-6.34846687e-1f));
  far = fma(far, size, splat(-1.28717512e-1f));
  far = fma(far, size, -size);
  far = splat(1.0f) - exp(far);
  far = x < splat(0.0f) ? -far : far;
  Vec near = fma(splat(-5.96761703e-4f), square, splat(4.99119423e-3f));
  near = fma(near, square, splat(-2.67681349e-2f));
  near = fma(near, square, splat(1.12819925e-1f));
  near = fma(near, square, splat(-3.76125336e-1f));
  near = fma(near, square, splat(1.28379166e-1f));
  near = fma(near, x, x);
  return size > splat(0.927734375f) ? size > splat(9.0f) ? x / size : far : near;
}

// 0.5 x (1 + erf(x / sqrt(2))).
static inline Vec gelu_exact(Vec x) {
  const Vec half = x * splat(0.5f);
  return fma(half, erf(x * splat(0.70710678118654752f)), half);
}

// ln(1 + e^x), as the larger of x and 0 plus ln(1 + e^-|x|), whose rounding of 1 + e is undone.
static inline Vec softplus(Vec x) {
  const Vec e = exp(x < splat(0.0f) ? x : -x), sum = splat(1.0f) + e, own = sum - splat(1.0f);
  const Vec rest = own == splat(0.0f) ? e : log(sum) * (e / own);
  return (x > splat(0.0f) ? x : splat(0.0f)) + rest;
}

static inline Vec hard_mish(Vec x) {
  const Vec curve = fma(x * splat(0.5f), x, x);
  const Vec below = x <= splat(-2.0f) ? splat(0.0f) : curve;
  return x > splat(0.0f) ? x : below;
}

static inline Vec hard_tan(Vec x) {
  x = x < splat(-1.0f) ? splat(-1.0f) : x;
  return x > splat(1.0f) ? splat(1.0f) : x;
}

static inline Vec lhtan(Vec x) {
  const Vec above = x > splat(1.0f) ? fma(x - splat(1.0f), splat(0.001f), splat(1.0f)) : x;
  return x < splat(0.0f) ? x * splat(0.001f) : above;
}

// 2 / (1 + e^-x) - 1.
static inline Vec loggy(Vec x) {
  x = x > splat(40.0f) ? splat(40.0f) : x;
  const Vec e = expm1(x);
  return e / (e + splat(2.0f));
}

static inline Vec plse(Vec x) {
  const Vec middle = fma(x, splat(0.125f), splat(0.5f));
  const Vec above = fma(x - splat(4.0f), splat(0.01f), splat(1.0f));
  const Vec upper = x > splat(4.0f) ? above : middle;
  return x < splat(-4.0f) ? (x + splat(4.0f)) * splat(0.01f) : upper;
}

static inline Vec ramp(Vec x) {
  return fma(x, splat(0.1f), x > splat(0.0f) ? x : splat(0.0f));
}

static inline Vec stair(Vec x) {
  const Vec n = floor(x), half = floor(x * splat(0.5f));
  return n == half + half ? half : (x - n) + half;
}

template <int KIND> static inline Vec activate(Vec x, Vec slope) {
  if constexpr (KIND == ACT_LEAKY) return x > splat(0.0f) ? x : x * slope;
  if constexpr (KIND == ACT_RELU) return larger(splat(0.0f), x);
  if constexpr (KIND == ACT_RELU6) return clamp6(x);
  if constexpr (KIND == ACT_LOGISTIC) return logistic(x);
  if constexpr (KIND == ACT_SWISH) return x * logistic(x);
  if constexpr (KIND == ACT_MISH) return mish(x);
  if constexpr (KIND == ACT_HARDSWISH) return x * clamp6(x + splat(3.0f)) / splat(6.0f);
  if constexpr (KIND == ACT_TANH) return tanh(x);
  if constexpr (KIND == ACT_ELU) return elu(x);
  if constexpr (KIND == ACT_SELU)
    return (x >= splat(0.0f) ? splat(1.0507f) : splat(1.0507f * 1.6732f)) * elu(x);
  if constexpr (KIND == ACT_GELU) return gelu(x);
  if constexpr (KIND == ACT_HARDMISH) return hard_mish(x);
  if constexpr (KIND == ACT_HARDTAN) return hard_tan(x);
  if constexpr (KIND == ACT_LHTAN) return lhtan(x);
  if constexpr (KIND == ACT_LOGGY) return loggy(x);
  if constexpr (KIND == ACT_PLSE) return plse(x);
  if constexpr (KIND == ACT_RAMP) return ramp(x);
  if constexpr (KIND == ACT_STAIR) return stair(x);
  if constexpr (KIND == ACT_GELU_EXACT) return gelu_exact(x);
  if constexpr (KIND == ACT_SOFTPLUS) return softplus(x);
  return x;
}

// All values of an array: one after another they keep the multipliers busy, where a long function of
// a single one would wait for its own steps.
template <int KIND> static void activate_all(Vec* values, int count, Vec slope) {
  for (int i = 0; i < count; i++) values[i] = activate<KIND>(values[i], slope);
}

typedef void (*ActivateAll)(Vec*, int, Vec);

template <int... KINDS>
static inline ActivateAll activation_of_all(int kind, std::integer_sequence<int, KINDS...>) {
  static const ActivateAll table[] = {activate_all<KINDS>...};
  return table[kind];
}

static inline void activate_all(int kind, Vec* values, int count, Vec slope) {
  activation_of_all(kind, std::make_integer_sequence<int, ACT_COUNT>{})(values, count, slope);
}

// One vector: the usual activations in line, all others by a call.
static inline Vec activate(int kind, Vec x, Vec slope) {
  if (kind == ACT_LINEAR) return x;
  if (kind == ACT_RELU) return activate<ACT_RELU>(x, slope);
  if (kind == ACT_LEAKY) return activate<ACT_LEAKY>(x, slope);
  if (kind == ACT_RELU6) return activate<ACT_RELU6>(x, slope);
  activate_all(kind, &x, 1, slope);
  return x;
}

}  // namespace ftdist::FTDIST_NAMESPACE
