// What P pixels add to their sums over a run of terms whose inputs lie side by side: for each term B
// blocks of 16 weights, `block_step` floats apart, times one input of every pixel, `step` floats
// apart. The terms are added in order, each by one fused multiply-add.
#pragma once
#include "program.hpp"
#include "sums.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// Weights that are wanted later, of B blocks `block_step` floats apart: with each term they are asked
// for `step` floats further. So memory is busy all the time and never has many requests at one time.
struct Ahead {
  const float* weights;
  int64_t step, block_step;
};

// Weights that are used after those of a row of pixels, `floats` of each block: the row asks for part
// number `part` of `parts` of them.
struct Next {
  const float* weights;
  int64_t floats, block_step;
  int part, parts;

  // What block of pixels number `number` of the row's `count` asks for while it adds `terms`.
  Ahead share(int number, int count, int terms) const {
    if (!floats) return {weights, 0, 0};
    const int all = parts * count, floats_each = (int)floats / all;
    return {weights + (int64_t)(part * count + number) * floats_each,
            ceil_div(floats_each, larger(1, terms)), block_step};
  }
};

// LANES terms. A register holds so many inputs of a pixel, and NEON multiplies by any of them without
// spreading it first; two vectors of weights at a time leave registers for six pixels' inputs and sums.
template <int P, int B>
[[gnu::always_inline]] static inline void add_lanes(const float* from, int64_t step,
                                                    const float* weights, int64_t block_step,
                                                    Sums<P, B * BLOCK / LANES>& sums) {
  constexpr int PER_BLOCK = BLOCK / LANES, N = B * PER_BLOCK, SOME = smaller(2, N);
  Vec values[P];
  unrolled<P>([&](auto i) __attribute__((always_inline)) { values[i] = load(from + i * step); });
  unrolled<LANES>([&](auto term) __attribute__((always_inline)) {
    unrolled<N / SOME>([&](auto some) __attribute__((always_inline)) {
      Vec taps[SOME];
      unrolled<SOME>([&](auto k) __attribute__((always_inline)) {
        const int j = some * SOME + k;
        taps[k] = load(weights + term * BLOCK + (j / PER_BLOCK) * block_step +
                       (j % PER_BLOCK) * LANES);
      });
      unrolled<P>([&](auto i) __attribute__((always_inline)) {
        unrolled<SOME>([&](auto k) __attribute__((always_inline)) {
          Vec& sum = sums.of[i][some * SOME + k];
          sum = fma_by_lane<term>(taps[k], values[i], sum);
        });
      });
    });
  });
}

// `length` terms; returns the weights behind theirs, and moves `ahead` on.
template <int P, int B>
[[gnu::always_inline]] static inline const float* add_run(const float* from, int64_t step,
                                                          int length, const float* weights,
                                                          int64_t block_step,
                                                          Sums<P, B * BLOCK / LANES>& sums,
                                                          Ahead& ahead) {
  constexpr int PER_BLOCK = BLOCK / LANES, N = B * PER_BLOCK;
  int q = 0;
  if constexpr (BY_LANE)
    for (; q + LANES <= length; q += LANES, weights += LANES * BLOCK)
      add_lanes<P, B>(from + q, step, weights, block_step, sums);
  for (; q < length; q++, weights += BLOCK, ahead.weights += ahead.step) {
    unrolled<B>([&](auto block) __attribute__((always_inline)) {
      fetch(ahead.weights + block * ahead.block_step);
    });
    Vec taps[N];
    unrolled<N>([&](auto j) __attribute__((always_inline)) {
      taps[j] = load(weights + (j / PER_BLOCK) * block_step + (j % PER_BLOCK) * LANES);
    });
    unrolled<P>([&](auto i) __attribute__((always_inline)) {
      const Vec value = splat(from[i * step + q]);
      unrolled<N>([&](auto j) __attribute__((always_inline)) {
        sums.of[i][j] = fma(taps[j], value, sums.of[i][j]);
      });
    });
  }
  return weights;
}

}  // namespace ftdist::FTDIST_NAMESPACE
