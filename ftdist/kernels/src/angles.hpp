// Functions of angles and their relatives, one value at a time in doubles: no network needs many of
// them. Their own series, not the system's library, so that all machines agree to the bit.
#pragma once
#include <cstdint>
#include <cstring>

namespace ftdist::FTDIST_NAMESPACE {

constexpr double HALF_TURN = 3.14159265358979323846;
constexpr double LN_2 = 0.69314718055994530942;

// A polynomial in x, the highest coefficient first.
template <int COUNT> static inline double polynomial(const double (&all)[COUNT], double x) {
  double sum = all[0];
  for (int at = 1; at < COUNT; at++) sum = __builtin_fma(sum, x, all[at]);
  return sum;
}

// x less the nearest multiple of a quarter turn, whose number modulo 4 is `quarter`. Exact enough
// for floats up to 2^50; what is larger is no angle any more, and any result of -1..1 will do.
static inline double reduced_angle(double x, int& quarter) {
  const double number = __builtin_rint(x * (2 / HALF_TURN));
  double rest = __builtin_fma(-number, 1.57079632679489655800, x);
  rest = __builtin_fma(-number, 6.12323399573676603587e-17, rest);
  quarter = (int)(number - 4 * __builtin_floor(number * 0.25));
  const double most = HALF_TURN / 4;
  return rest > most ? most : rest < -most ? -most : rest;
}

static inline double sine_near(double x) {
  constexpr double all[] = {1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880,
                            -1.0 / 5040,      1.0 / 120,       -1.0 / 6};
  const double square = x * x;
  return __builtin_fma(polynomial(all, square) * square, x, x);
}

static inline double cosine_near(double x) {
  constexpr double all[] = {-1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320,
                            -1.0 / 720,         1.0 / 24,        -1.0 / 2,       1.0};
  return polynomial(all, x * x);
}

// The sine of an angle so many quarter turns further on; NaN of what is infinite.
static inline double sine_from(double x, int more) {
  if (!(x - x == 0)) return x - x;
  int quarter;
  const double rest = reduced_angle(x, quarter);
  const int place = (quarter + more) & 3;
  const double found = place & 1 ? cosine_near(rest) : sine_near(rest);
  return place & 2 ? -found : found;
}

static inline float sine_one(float x) { return (float)sine_from(x, 0); }
static inline float cosine_one(float x) { return (float)sine_from(x, 1); }
static inline float tangent_one(float x) { return (float)(sine_from(x, 0) / sine_from(x, 1)); }

static inline double arctangent(double x) {
  if (x != x) return x;
  const double size = x < 0 ? -x : x;
  double part = size > 1 ? 1 / size : size, start = 0;
  if (part > 0.41421356237309503) {
    part = (part - 1) / (part + 1);
    start = HALF_TURN / 4;
  }
  double sum = 0;
  const double square = part * part;
  for (int term = 27; term >= 3; term -= 2)
    sum = __builtin_fma(sum, square, (term & 2 ? -1.0 : 1.0) / term);
  double found = start + __builtin_fma(sum * square, part, part);
  if (size > 1) found = HALF_TURN / 2 - found;
  return x < 0 ? -found : found;
}

static inline double arcsine(double x) {
  return arctangent(x / __builtin_sqrt((1 - x) * (1 + x)));
}

static inline float arctangent_one(float x) { return (float)arctangent(x); }
static inline float arcsine_one(float x) { return (float)arcsine(x); }
static inline float arccosine_one(float x) { return (float)(HALF_TURN / 2 - arcsine(x)); }

// e^x for -200..200, to which it is cut: beyond a float is infinite or zero.
static inline double power_of_e(double x) {
  x = x > 200 ? 200 : x < -200 ? -200 : x;
  const double number = __builtin_rint(x / LN_2);
  double rest = __builtin_fma(-number, LN_2, x), sum = 1;
  for (int term = 13; term > 0; term--) sum = __builtin_fma(sum, rest / term, 1.0);
  const int64_t bits = (int64_t)(number + 1023) << 52;
  double scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return sum * scale;
}

// ln x of a normal number above zero.
static inline double logarithm(double x) {
  int64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  int64_t number = (bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffff) | (int64_t)1023 << 52;
  std::memcpy(&x, &bits, sizeof x);
  if (x > 1.4142135623730951) {
    x *= 0.5;
    number++;
  }
  const double part = (x - 1) / (x + 1), square = part * part;
  double sum = 0;
  for (int term = 21; term >= 3; term -= 2) sum = __builtin_fma(sum, square, 1.0 / term);
  return __builtin_fma((double)number, LN_2, 2 * __builtin_fma(sum * square, part, part));
}

static inline float hyperbolic_sine_one(float x) {
  const double size = x < 0 ? -x : x;
  if (!(size > 1e-4)) return x;
  const double power = power_of_e(size), found = (power - 1 / power) / 2;
  return (float)(x < 0 ? -found : found);
}

static inline float hyperbolic_cosine_one(float x) {
  if (x != x) return x;
  const double power = power_of_e(x);
  return (float)((power + 1 / power) / 2);
}

static inline float area_sine_one(float x) {
  const double size = x < 0 ? -x : x;
  if (!(size > 1e-4) || size - size != 0) return x;
  const double found = logarithm(size + __builtin_sqrt(size * size + 1));
  return (float)(x < 0 ? -found : found);
}

static inline float area_cosine_one(float x) {
  if (!(x >= 1)) return __builtin_nanf("");
  const double wide = x;
  return x - x != 0 ? x : (float)logarithm(wide + __builtin_sqrt((wide - 1) * (wide + 1)));
}

static inline float area_tangent_one(float x) {
  const double wide = x, size = wide < 0 ? -wide : wide;
  if (!(size > 1e-4)) return x;
  if (size > 1) return __builtin_nanf("");
  if (size == 1) return x * __builtin_inff();
  return (float)(logarithm((1 + wide) / (1 - wide)) / 2);
}

}  // namespace ftdist::FTDIST_NAMESPACE
