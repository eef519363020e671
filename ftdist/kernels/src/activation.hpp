// Activations on vectors. exp is our own polynomial, so that its bits are the same on every machine
// with fused multiply-add. NaN passes through each of them.
#pragma once
#include "program.hpp"
#include "simd.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// e^x after Cephes' expf: x = n ln 2 + r, a polynomial in r, times 2^n by the exponent's bits.
// Arguments are clamped to where the result is a normal number.
static inline Vec exp(Vec x) {
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
  p = fma(p, r * r, r + splat(1.0f));
  const Int whole = bits<Int>(shifted) - bits<Int>(magic);
  return p * bits<Vec>((whole + 127) << 23);
}

static inline Vec logistic(Vec x) { return splat(1.0f) / (splat(1.0f) + exp(-x)); }

// x tanh(ln(1 + e^x)) = x t / (t + 2) with t = e^x (e^x + 2).
static inline Vec mish(Vec x) {
  const Vec e = exp(x > splat(20.0f) ? splat(20.0f) : x);
  const Vec t = e * (e + splat(2.0f));
  return x * (t / (t + splat(2.0f)));
}

static inline Vec clamp6(Vec x) {
  x = x < splat(0.0f) ? splat(0.0f) : x;
  return x > splat(6.0f) ? splat(6.0f) : x;
}

template <int KIND> static inline Vec activate(Vec x, Vec slope) {
  if constexpr (KIND == ACT_LEAKY) return x > splat(0.0f) ? x : x * slope;
  if constexpr (KIND == ACT_RELU) return x < splat(0.0f) ? splat(0.0f) : x;
  if constexpr (KIND == ACT_RELU6) return clamp6(x);
  if constexpr (KIND == ACT_LOGISTIC) return logistic(x);
  if constexpr (KIND == ACT_SWISH) return x * logistic(x);
  if constexpr (KIND == ACT_MISH) return mish(x);
  if constexpr (KIND == ACT_HARDSWISH) return x * clamp6(x + splat(3.0f)) / splat(6.0f);
  return x;
}

static inline Vec activate(int kind, Vec x, Vec slope) {
  switch (kind) {
    case ACT_LEAKY: return activate<ACT_LEAKY>(x, slope);
    case ACT_RELU: return activate<ACT_RELU>(x, slope);
    case ACT_RELU6: return activate<ACT_RELU6>(x, slope);
    case ACT_LOGISTIC: return activate<ACT_LOGISTIC>(x, slope);
    case ACT_SWISH: return activate<ACT_SWISH>(x, slope);
    case ACT_MISH: return activate<ACT_MISH>(x, slope);
    case ACT_HARDSWISH: return activate<ACT_HARDSWISH>(x, slope);
    default: return x;
  }
}

}  // namespace ftdist::FTDIST_NAMESPACE
