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

// Weights are transformed in double precision and rounded once: packing.Winograd and transform.cpp
// have the same expressions in the same order, and a test compares them to the bit. LANES outputs at a
// time lie side by side.
struct Doubles {
  double of[BLOCK];
};

template <class Body>
[[gnu::always_inline]] static inline Doubles each_lane(const Body& body) {
  Doubles result;
  for (int lane = 0; lane < BLOCK; lane++) result.of[lane] = body(lane);
  return result;
}

// G times a column of three.
template <int M>
[[gnu::always_inline]] static inline void expand(const Doubles& a, const Doubles& b,
                                                 const Doubles& c, Doubles* to, int step) {
  const auto put = [&](int at, const auto& body) {
    to[at * step] = each_lane(body);
  };
  if constexpr (M == 2) {
    to[0] = a;
    put(1, [&](int i) { return (a.of[i] + c.of[i] + b.of[i]) * 0.5; });
    put(2, [&](int i) { return (a.of[i] + c.of[i] - b.of[i]) * 0.5; });
    to[3 * step] = c;
  } else {
    put(0, [&](int i) { return a.of[i] * 0.25; });
    put(1, [&](int i) { return (a.of[i] + c.of[i] + b.of[i]) * (-1.0 / 6); });
    put(2, [&](int i) { return (a.of[i] + c.of[i] - b.of[i]) * (-1.0 / 6); });
    put(3, [&](int i) {
      return (a.of[i] * (1.0 / 24) + c.of[i] * (1.0 / 6)) + b.of[i] * (1.0 / 12);
    });
    put(4, [&](int i) {
      return (a.of[i] * (1.0 / 24) + c.of[i] * (1.0 / 6)) - b.of[i] * (1.0 / 12);
    });
    to[5 * step] = c;
  }
}

// One block of 16 outputs: taps [3][3][channels][16] to [(M+2)^2][channels][16].
template <int M> static void transform_block(const float* taps, int channels, float* to) {
  constexpr int SIDE = M + 2;
  const int64_t step = (int64_t)channels * BLOCK;
  for (int channel = 0; channel < channels; channel++, taps += BLOCK, to += BLOCK) {
    Doubles rows[SIDE * 3], all[SIDE];
    for (int x = 0; x < 3; x++) {
      const auto tap = [&](int y) {
        return each_lane([&](int i) { return (double)taps[(3 * y + x) * step + i]; });
      };
      expand<M>(tap(0), tap(1), tap(2), rows + x, 3);
    }
    for (int y = 0; y < SIDE; y++) {
      expand<M>(rows[3 * y], rows[3 * y + 1], rows[3 * y + 2], all, 1);
      for (int x = 0; x < SIDE; x++)
        for (int i = 0; i < BLOCK; i++) to[(y * SIDE + x) * step + i] = (float)all[x].of[i];
    }
  }
}

// Floats from a product to the next: an odd number of cache lines, or all of them would compete for
// the same places of a cache.
constexpr int64_t apart(int64_t floats) { return 16 * ((floats + 15) / 16 | 1); }

}  // namespace ftdist::FTDIST_NAMESPACE
