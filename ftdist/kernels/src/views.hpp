// Views of dense maps: the elements that belong to output positions, one after another.
#pragma once
#include "rows.hpp"
#include "rules.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// The places of a view's elements as the numbers of some of its factors count up, the last fastest.
struct Odometer {
  const View& view;
  int first, last;  // factors [first, last)
  int32_t at[FACTORS] = {};
  int64_t offset = 0, offset2 = 0;

  Odometer(const View& of, int begin, int count) : view(of), first(begin), last(begin + count) {}

  // Goes to element number `index` of all.
  [[gnu::noinline]] void seek(int64_t index) {
    offset = offset2 = 0;
    for (int i = last - 1; i >= first; i--) {
      at[i] = (int32_t)(index % view.counts[i]);
      index /= view.counts[i];
      offset += at[i] * view.steps[i];
      offset2 += at[i] * view.steps2[i];
    }
  }

  inline void next() {
    const int i = last - 1;
    if (i < first) return;
    offset += view.steps[i], offset2 += view.steps2[i];
    if (++at[i] == view.counts[i]) carry();
  }

 private:
  // The last factor is through: it begins anew, and the one before it goes on.
  [[gnu::noinline]] void carry() {
    for (int i = last - 1; at[i] == view.counts[i];) {
      offset -= at[i] * view.steps[i], offset2 -= at[i] * view.steps2[i];
      at[i] = 0;
      if (--i < first) return;
      offset += view.steps[i], offset2 += view.steps2[i];
      at[i]++;
    }
  }
};

// The parts of a view.
static inline Odometer row_odometer(const View& v) { return {v, 0, v.rows}; }
static inline Odometer column_odometer(const View& v) { return {v, v.rows, v.columns}; }
static inline Odometer channel_odometer(const View& v) {
  return {v, v.rows + v.columns, v.channels};
}
static inline Odometer term_odometer(const View& v) {
  return {v, v.rows + v.columns + v.channels, v.terms};
}

// The elements that some factors have, as runs whose elements are evenly apart: the last factor.
struct Runs1 {
  int outer;        // factors before the last
  int64_t count;    // runs
  int length;
  int64_t step, step2;
};

static inline Runs1 runs_of(const View& v, int first, int count) {
  if (count == 0) return {0, 1, 1, 0, 0};
  Runs1 runs = {count - 1, 1, v.counts[first + count - 1], v.steps[first + count - 1],
                v.steps2[first + count - 1]};
  for (int i = first; i < first + count - 1; i++) runs.count *= v.counts[i];
  return runs;
}

// The first float of a dense map that is read as a whole.
static inline const float* dense(const Program& program, const Buffer& buffer, int first_row) {
  return at(program, buffer, first_row, 0, 0);
}

}  // namespace ftdist::FTDIST_NAMESPACE
