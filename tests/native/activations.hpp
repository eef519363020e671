// The activation functions one number at a time, and how far they are from libm's in double
// precision.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "program.hpp"

namespace check {

// e^x = 2^n (1 + m), m = r + tail r^2.
struct Exponential {
  float r, tail, power;
};

inline Exponential naive_split_exp(float x) {
  if (x < -87.33654f) x = -87.33654f;
  if (x > 88.0f) x = 88.0f;
  const float magic = 12582912.0f;
  const float n = std::fma(x, 1.44269504088896341f, magic) - magic;
  float r = std::fma(n, -0.693359375f, x);
  r = std::fma(n, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  for (const float next : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f,
                           5.0000001201e-1f})
    p = std::fma(p, r, next);
  return {r, p, std::ldexp(1.0f, std::isnan(n) ? 0 : static_cast<int>(n))};
}

inline float naive_exp(float x) {
  if (std::isnan(x)) return x;
  const Exponential e = naive_split_exp(x);
  const float square = e.r * e.r;
  return std::fma(e.tail, square, e.r + 1.0f) * e.power;
}

inline float naive_expm1(float x) {
  if (std::isnan(x)) return x;
  const Exponential e = naive_split_exp(x);
  const float square = e.r * e.r;
  return std::fma(std::fma(e.tail, square, e.r), e.power, e.power - 1.0f);
}

// After Cephes' logf, the argument's exponent by the bits that it has.
inline float naive_log(float x) {
  if (std::isnan(x)) return x;
  if (x < 0.0f) return std::nanf("");
  int32_t whole;
  std::memcpy(&whole, &x, 4);
  const int32_t exponent = (whole - 0x3f3504f3) >> 23;
  const int32_t reduced = static_cast<int32_t>(static_cast<uint32_t>(whole) -
                                               (static_cast<uint32_t>(exponent) << 23));
  float z;
  std::memcpy(&z, &reduced, 4);
  z = z - 1.0f;
  float p = 7.0376836292e-2f;
  for (const float next : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f,
                           1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f,
                           -2.4999993993e-1f, 3.3333331174e-1f})
    p = std::fma(p, z, next);
  const float square = z * z, cube = square * z, rest = p * cube;
  const float e = static_cast<float>(exponent);
  float y = std::fma(e, -2.12194440e-4f, rest);
  y = std::fma(square, -0.5f, y);
  return std::fma(e, 0.693359375f, z + y);
}

inline float naive_logistic(float x) { return 1.0f / (1.0f + naive_exp(-x)); }

// (e^x - 1) / (e^x + 1), arguments bounded so that nothing overflows.
inline float naive_half_tanh(float x) {
  const float e = naive_expm1(x > 40.0f ? 40.0f : x);
  return e / (e + 2.0f);
}

inline float naive_clamp6(float x) { return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x; }

inline float naive_floor(float x) {
  return x < 4194304.0f && x > -4194304.0f ? std::floor(x) + 0.0f : x;  // never minus zero
}

inline float naive_gelu(float x) {
  const float square = x * x, cubic = 0.035677f * square, linear = 0.797885f * x;
  const float inner = std::fma(cubic, x, linear);
  return x * naive_logistic(inner + inner);
}

inline float naive_plse(float x) {
  if (x < -4.0f) return (x + 4.0f) * 0.01f;
  return x > 4.0f ? std::fma(x - 4.0f, 0.01f, 1.0f) : std::fma(x, 0.125f, 0.5f);
}

inline float naive_stair(float x) {
  const float n = naive_floor(x), half = naive_floor(x * 0.5f);
  return n == half + half ? half : (x - n) + half;
}

inline float naive_mish(float x) {
  const float e = naive_exp(x > 20.0f ? 20.0f : x);
  const float t = e * (e + 2.0f);
  return x * (t / (t + 2.0f));
}

inline float naive_erf(float x) {
  if (std::isnan(x)) return x;
  const float size = std::fabs(x), square = x * x;
  if (size > 9.0f) return x / size;
  if (size > 0.927734375f) {
    float p = std::fma(-1.72853470e-5f, size, 3.83197126e-4f);
    p = std::fma(p, square, std::fma(-3.88396438e-3f, size, 2.42546219e-2f));
    for (const float next : {-1.06777877e-1f, -6.34846687e-1f, -1.28717512e-1f, -size})
      p = std::fma(p, size, next);
    return std::copysign(1.0f - naive_exp(p), x);
  }
  float p = -5.96761703e-4f;
  for (const float next : {4.99119423e-3f, -2.67681349e-2f, 1.12819925e-1f, -3.76125336e-1f,
                           1.28379166e-1f})
    p = std::fma(p, square, next);
  return std::fma(p, x, x);
}

inline float naive_softplus(float x) {
  const float e = naive_exp(-std::fabs(x)), sum = 1.0f + e, own = sum - 1.0f;
  return std::fmax(x, 0.0f) + (own == 0.0f ? e : naive_log(sum) * (e / own));
}

inline float naive_activate(int kind, float slope, float x) {
  switch (kind) {
    case ftdist::ACT_LEAKY: return x > 0.0f ? x : x * slope;
    case ftdist::ACT_RELU: return x < 0.0f ? 0.0f : x;
    case ftdist::ACT_RELU6: return naive_clamp6(x);
    case ftdist::ACT_LOGISTIC: return naive_logistic(x);
    case ftdist::ACT_SWISH: return x * naive_logistic(x);
    case ftdist::ACT_MISH: return naive_mish(x);
    case ftdist::ACT_HARDSWISH: {
      const float scaled = x * naive_clamp6(x + 3.0f);
      return scaled / 6.0f;
    }
    case ftdist::ACT_TANH: return naive_half_tanh(x > 20.0f ? 40.0f : x + x);
    case ftdist::ACT_ELU: return x >= 0.0f ? x : naive_expm1(x);
    case ftdist::ACT_SELU:
      return x >= 0.0f ? 1.0507f * x : 1.0507f * 1.6732f * naive_expm1(x);
    case ftdist::ACT_GELU: return naive_gelu(x);
    case ftdist::ACT_HARDMISH:
      return x > 0.0f ? x : x <= -2.0f ? 0.0f : std::fma(x * 0.5f, x, x);
    case ftdist::ACT_HARDTAN: return x < -1.0f ? -1.0f : x > 1.0f ? 1.0f : x;
    case ftdist::ACT_LHTAN:
      return x < 0.0f ? x * 0.001f : x > 1.0f ? std::fma(x - 1.0f, 0.001f, 1.0f) : x;
    case ftdist::ACT_LOGGY: return naive_half_tanh(x);
    case ftdist::ACT_PLSE: return naive_plse(x);
    case ftdist::ACT_RAMP: return std::fma(x, 0.1f, x > 0.0f ? x : 0.0f);
    case ftdist::ACT_STAIR: return naive_stair(x);
    case ftdist::ACT_GELU_EXACT:
      return std::fma(x * 0.5f, naive_erf(x * 0.70710678118654752f), x * 0.5f);
    case ftdist::ACT_SOFTPLUS: return std::isnan(x) ? x : naive_softplus(x);
    default: return x;
  }
}

// The same functions by libm in double precision: how far off are ours?
inline double exact_activate(int kind, double x) {
  switch (kind) {
    case ftdist::ACT_LOGISTIC: return 1.0 / (1.0 + std::exp(-x));
    case ftdist::ACT_SWISH: return x / (1.0 + std::exp(-x));
    case ftdist::ACT_MISH: return x * std::tanh(std::log1p(std::exp(x)));
    case ftdist::ACT_HARDSWISH: return x * std::fmin(std::fmax(x + 3.0, 0.0), 6.0) / 6.0;
    case ftdist::ACT_TANH: return std::tanh(x);
    case ftdist::ACT_ELU: return x >= 0 ? x : std::expm1(x);
    case ftdist::ACT_SELU: return x >= 0 ? 1.0507 * x : 1.0507 * 1.6732 * std::expm1(x);
    case ftdist::ACT_GELU: {
      const double inner = 0.797885 * x + 0.035677 * x * x * x;
      return x / (1.0 + std::exp(-2.0 * inner));
    }
    case ftdist::ACT_HARDMISH: return x > 0 ? x : x > -2 ? x * x / 2 + x : 0;
    case ftdist::ACT_HARDTAN: return std::fmin(std::fmax(x, -1.0), 1.0);
    case ftdist::ACT_LHTAN: return x < 0 ? 0.001 * x : x > 1 ? 0.001 * (x - 1) + 1 : x;
    case ftdist::ACT_LOGGY: return std::tanh(x / 2);
    case ftdist::ACT_PLSE:
      return x < -4 ? 0.01 * (x + 4) : x > 4 ? 0.01 * (x - 4) + 1 : 0.125 * x + 0.5;
    case ftdist::ACT_RAMP: return (x > 0 ? x : 0) + 0.1 * x;
    case ftdist::ACT_GELU_EXACT: return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    case ftdist::ACT_SOFTPLUS: return std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
    case ftdist::ACT_STAIR: {
      const double n = std::floor(x), half = std::floor(x / 2);
      return n == 2 * half ? half : (x - n) + half;
    }
    default: return x;
  }
}

}  // namespace check
