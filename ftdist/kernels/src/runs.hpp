// What P pixels add to their sums over a run of terms whose inputs lie side by side: for each term B
// blocks of 16 weights, `block_step` floats apart, times one input of every pixel, `step` floats
// apart. The terms are added in order, each by one fused multiply-add.
//
// Rounding errors grow by the root of the number of terms that are added one after another. So a sum of
// more than PARTIAL_TERMS is made of partial sums of so many, each begun from zero (the first from the
// bias), which are added in order. Layers of thousands of terms come out several times more exact.
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

// Sums over any number of terms, partial sums put together. `storage`: of P * N vectors.
template <int P, int N> struct LongSums {
  Sums<P, N> sums;  // of the terms since the last whole partial sum
  float* before;    // all partial sums before, if there are any
  int left = PARTIAL_TERMS;
  bool has_before = false;

  explicit LongSums(float* storage) : before(hidden(storage)) {}

  // As add_run, for `length` of 1 or more.
  template <int B>
  [[gnu::always_inline]] inline const float* add(const float* from, int64_t step, int length,
                                                 const float* weights, int64_t block_step,
                                                 Ahead& ahead) {
    while (true) {
      if (__builtin_expect(left == 0, 0)) begin_next();
      const int count = smaller(left, length);
      weights = add_run<P, B>(from, step, count, weights, block_step, sums, ahead);
      left -= count, length -= count, from += count;
      if (length == 0) return weights;
    }
  }

  [[gnu::always_inline]] inline void begin_next() {
    alignas(64) static const float ZEROS[LANES] = {};
    put_together();
    sums.each([&](Vec& sum, int i, int j) __attribute__((always_inline)) {
      store(before + (i * N + j) * LANES, sum);
      sum = load(hidden(ZEROS));
    });
    has_before = true;
    left = PARTIAL_TERMS;
  }

  [[gnu::always_inline]] inline void put_together() {
    if (!has_before) return;
    sums.each([&](Vec& sum, int i, int j) __attribute__((always_inline)) {
      sum = load(before + (i * N + j) * LANES) + sum;
    });
  }
};

}  // namespace ftdist::FTDIST_NAMESPACE
