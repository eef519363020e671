// The sums of a block of pixels in registers, and what becomes of them: activated and written.
#pragma once
#include "activation.hpp"

namespace ftdist::FTDIST_NAMESPACE {

struct Epilogue {
  int64_t pixel_step;
  float slope;
  int activation, channels;  // valid output channels, at most B * BLOCK
  int64_t added_step = 0;    // from pixel to pixel of what is added
};

// Sums of P pixels by N vectors of output channels; indexed by constants only, so that the compiler
// keeps them in registers.
template <int P, int N> struct Sums {
  Vec of[P][N];

  template <class Body> [[gnu::always_inline]] inline void each(const Body& body) {
    unrolled<P>([&](auto i) __attribute__((always_inline)) {
      unrolled<N>([&](auto j) __attribute__((always_inline)) { body(of[i][j], i(), j()); });
    });
  }
};

// `added`: of a second map, null where there is none.
template <int P, int N>
[[gnu::always_inline]] static inline void finish(float* out, Sums<P, N>& sums,
                                                 const Epilogue& end,
                                                 const float* added = nullptr) {
  const Vec slope = splat(end.slope);
  if (added)
    sums.each([&](Vec& sum, int i, int j) __attribute__((always_inline)) {
      const int here = smaller(LANES, end.channels - j * LANES);
      if (here > 0) sum = sum + load_part(added + i * end.added_step + j * LANES, here);
    });
  if (end.activation == ACT_LEAKY && end.slope > 0.0f && end.slope <= 1.0f) {
    // The larger of x and x * slope is leaky's value, bit for bit, for such slopes; one step less.
    sums.each([&](Vec& sum, int, int) __attribute__((always_inline)) {
      sum = larger(sum * slope, sum);
    });
  } else if (end.activation == ACT_RELU) {
    sums.each([&](Vec& sum, int, int) __attribute__((always_inline)) {
      sum = activate<ACT_RELU>(sum, slope);
    });
  } else if (end.activation == ACT_RELU6) {
    sums.each([&](Vec& sum, int, int) __attribute__((always_inline)) {
      sum = activate<ACT_RELU6>(sum, slope);
    });
  } else if (end.activation != ACT_LINEAR) {
    // Out of line, by way of memory: long functions would be there once for each sum.
    Vec values[P * N];
    sums.each([&](Vec& sum, int i, int j) __attribute__((always_inline)) {
      values[i * N + j] = sum;
    });
    activate_all(end.activation, values, P * N, slope);
    sums.each([&](Vec& sum, int i, int j) __attribute__((always_inline)) {
      sum = values[i * N + j];
    });
  }
  if (end.channels == N * LANES)
    return sums.each([&](Vec& sum, int i, int j) __attribute__((always_inline)) {
      store(out + i * end.pixel_step + j * LANES, sum);
    });
  sums.each([&](Vec& sum, int i, int j) __attribute__((always_inline)) {
    if (j * LANES < end.channels)
      store_part(out + i * end.pixel_step + j * LANES, sum,
                 smaller(LANES, end.channels - j * LANES));
  });
}

}  // namespace ftdist::FTDIST_NAMESPACE
