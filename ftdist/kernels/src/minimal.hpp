// The transforms of minimal filtering, F(M,3): of inputs, of outputs and of weights (Lavin and Gray,
// arXiv:1509.09308), with the points 0, 1, -1 (2, -2) and infinity. In vectors of channels or filters;
// the order of each expression is part of what defines the bits.
#pragma once
#include "program.hpp"
#include "simd.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// The transforms of one row or column of a block; points 0, 1, -1 (2, -2) and infinity.
template <int M> struct Minimal;

template <> struct Minimal<2> {
  template <class In, class Out> static inline void input(const In& d, const Out& o) {
    o(0, d(0) - d(2));
    o(1, d(1) + d(2));
    o(2, d(2) - d(1));
    o(3, d(1) - d(3));
  }
  template <class In, class Out> static inline void output(const In& m, const Out& o) {
    o(0, m(0) + m(1) + m(2));
    o(1, m(1) - m(2) - m(3));
  }
};

template <> struct Minimal<4> {
  template <class In, class Out> static inline void input(const In& d, const Out& o) {
    const Vec two = splat(2.0f), four = splat(4.0f), five = splat(5.0f);
    const Vec d0 = d(0), d1 = d(1), d2 = d(2), d3 = d(3), d4 = d(4), d5 = d(5);
    o(0, fma(-five, d2, fma(four, d0, d4)));
    const Vec a = fma(-four, d2, d4), b = fma(-four, d1, d3);
    o(1, a + b);
    o(2, a - b);
    const Vec c = d4 - d2, e = two * (d3 - d1);
    o(3, c + e);
    o(4, c - e);
    o(5, fma(-five, d3, fma(four, d1, d5)));
  }
  template <class In, class Out> static inline void output(const In& m, const Out& o) {
    const Vec two = splat(2.0f), four = splat(4.0f), eight = splat(8.0f);
    const Vec m1 = m(1), m2 = m(2), m3 = m(3), m4 = m(4);
    const Vec a = m1 + m2, b = m1 - m2, g = m3 + m4, h = m3 - m4;
    o(0, m(0) + a + g);
    o(1, fma(two, h, b));
    o(2, fma(four, g, a));
    o(3, fma(eight, h, b) + m(5));
  }
};

// G times a column of three, to `put`; packing.Winograd has the same expressions in the same order, and
// a test compares them to the bit.
template <int M, class Put>
[[gnu::always_inline]] static inline void expand(Vec a, Vec b, Vec c, const Put& put) {
  const Vec sum = a + c;
  if constexpr (M == 2) {
    const Vec half = splat(0.5f);
    put(0, a);
    put(1, (sum + b) * half);
    put(2, (sum - b) * half);
    put(3, c);
  } else {
    const Vec sixth = splat(1.0f / 6), less = splat(-1.0f / 6);
    const Vec even = a * splat(1.0f / 24) + c * sixth, odd = b * splat(1.0f / 12);
    put(0, a * splat(0.25f));
    put(1, (sum + b) * less);
    put(2, (sum - b) * less);
    put(3, even + odd);
    put(4, even - odd);
    put(5, c);
  }
}

// Weights of 16 outputs: taps [3][3][channels][16] to G g G^T, [(M+2)^2][channels][16], with `tap_step`
// floats from one tap to the next and `to_step` from one product to the next.
template <int M>
static void expand_block(const float* taps, int64_t tap_step, int channels, float* to,
                         int64_t to_step) {
  constexpr int SIDE = M + 2;
  for (int64_t at = 0; at < (int64_t)channels * BLOCK; at += LANES) {
    Vec rows[SIDE][3];
    unrolled<3>([&](auto x) __attribute__((always_inline)) {
      const auto tap = [&](int y) { return load(taps + (3 * y + x) * tap_step + at); };
      expand<M>(tap(0), tap(1), tap(2),
                [&](int y, Vec v) __attribute__((always_inline)) { rows[y][x] = v; });
    });
    unrolled<SIDE>([&](auto y) __attribute__((always_inline)) {
      expand<M>(rows[y][0], rows[y][1], rows[y][2],
                [&](int x, Vec v) __attribute__((always_inline)) {
                  store(to + (y * SIDE + x) * to_step + at, v);
                });
    });
  }
}

static void expand_weights(const float* taps, int64_t tap_step, int channels, int size, float* to,
                           int64_t to_step) {
  if (size == 2) return expand_block<2>(taps, tap_step, channels, to, to_step);
  expand_block<4>(taps, tap_step, channels, to, to_step);
}

// Floats from a product to the next: an odd number of cache lines, or all of them would compete for
// the same places of a cache.
constexpr int64_t apart(int64_t floats) { return 16 * ((floats + 15) / 16 | 1); }

}  // namespace ftdist::FTDIST_NAMESPACE
