// Kernels that put the values of whole axes together. All sums are taken in double precision, in the
// order of the view's terms, so that they are right to rounding whatever they count.
#pragma once
#include "activation.hpp"
#include "pairs.hpp"
#include "tensors.hpp"

namespace ftdist::FTDIST_NAMESPACE {

constexpr int WIDTH = 16;  // outputs that are made side by side, on every instruction set

// The logarithm of one number that is not below zero.
static inline float log_one(double x) {
  const float value = (float)x;
  if (value == 0.0f) return -__builtin_inff();
  if (value == __builtin_inff()) return value;
  float lanes[LANES];
  store(lanes, log(splat(value)));
  return lanes[0];
}

// e to the power of `count` numbers side by side, at most WIDTH.
static inline void exp_all(float* x) {
  for (int lane = 0; lane < WIDTH; lane += LANES) store(x + lane, exp(load(x + lane)));
}

struct Folded {
  double value[WIDTH], index[WIDTH];
};

template <int KIND> static constexpr double first_value() {
  if (KIND == REDUCE_PRODUCT) return 1.0;
  if (KIND == REDUCE_MAX || KIND == REDUCE_ARG_MAX || KIND == REDUCE_ARG_MAX_LAST)
    return -__builtin_inf();
  if (KIND == REDUCE_MIN || KIND == REDUCE_ARG_MIN || KIND == REDUCE_ARG_MIN_LAST)
    return __builtin_inf();
  return 0.0;
}

// Whether a value comes before the best so far; NaN comes before all.
template <int KIND> static inline bool beats(double value, double best) {
  if (KIND == REDUCE_MAX || KIND == REDUCE_ARG_MAX) return value > best || (value != value && best == best);
  if (KIND == REDUCE_ARG_MAX_LAST) return value >= best || value != value;
  if (KIND == REDUCE_MIN || KIND == REDUCE_ARG_MIN) return value < best || (value != value && best == best);
  return value <= best || value != value;
}

template <int KIND>
static inline void fold(Folded& folded, const float* from, int64_t step, int count, int64_t index) {
  for (int lane = 0; lane < count; lane++) {
    const double x = (double)from[lane * step];
    double& value = folded.value[lane];
    if constexpr (KIND == REDUCE_PRODUCT) value *= x;
    else if constexpr (KIND == REDUCE_L1) value += x < 0 ? -x : x;
    else if constexpr (KIND == REDUCE_L2 || KIND == REDUCE_SUM_OF_SQUARES) value += x * x;
    else if constexpr (KIND == REDUCE_SUM || KIND == REDUCE_MEAN || KIND == REDUCE_LOG_SUM) value += x;
    else if (beats<KIND>(x, value)) {
      value = x;
      folded.index[lane] = (double)index;
    }
  }
}

// Calls `body` with the offset of each term, in order.
template <class Body> static inline void each_term(const View& v, const Body& body) {
  const int first = v.rows + v.columns + v.channels;
  const Runs1 runs = runs_of(v, first, v.terms);
  Odometer outer(v, first, runs.outer);
  int64_t index = 0;
  for (int64_t run = 0; run < runs.count; run++, outer.next())
    for (int i = 0; i < runs.length; i++, index++) body(outer.offset + i * runs.step, index);
}

// ln of the sum of exponentials, the largest taken off first.
static inline void log_sum_exp(const View& v, const float* from, int64_t step, int count,
                               float* out) {
  Folded largest, sum = {};
  for (double& each : largest.value) each = -__builtin_inf();
  each_term(v, [&](int64_t offset, int64_t index) {
    fold<REDUCE_MAX>(largest, from + offset, step, count, index);
  });
  each_term(v, [&](int64_t offset, int64_t) {
    float x[WIDTH] = {};
    for (int lane = 0; lane < count; lane++)
      x[lane] = from[offset + lane * step] - (float)largest.value[lane];
    exp_all(x);
    for (int lane = 0; lane < count; lane++) sum.value[lane] += (double)x[lane];
  });
  for (int lane = 0; lane < count; lane++) {
    const float most = (float)largest.value[lane];
    const bool finite = most - most == 0.0f;
    out[lane] = finite ? most + log_one(sum.value[lane]) : most;
  }
}

// So many outputs, at most WIDTH, that begin at `from` and lie `step` apart.
template <int KIND>
static void reduce_block(const View& v, const float* from, int64_t step, int count,
                                float* out) {
  if constexpr (KIND == REDUCE_LOG_SUM_EXP) return log_sum_exp(v, from, step, count, out);
  Folded folded = {};
  for (double& each : folded.value) each = first_value<KIND>();
  int64_t terms = 0;
  each_term(v, [&](int64_t offset, int64_t index) {
    fold<KIND>(folded, from + offset, step, count, index);
    terms = index + 1;
  });
  for (int lane = 0; lane < count; lane++) {
    const double value = folded.value[lane];
    if constexpr (KIND == REDUCE_MEAN) out[lane] = (float)(value / (double)terms);
    else if constexpr (KIND == REDUCE_L2) out[lane] = (float)__builtin_sqrt(value);
    else if constexpr (KIND == REDUCE_LOG_SUM) out[lane] = value < 0 ? __builtin_nanf("") : log_one(value);
    else if constexpr (KIND >= REDUCE_ARG_MAX) out[lane] = (float)folded.index[lane];
    else out[lane] = (float)value;
  }
}

typedef void (*Block)(const View&, const float*, int64_t, int, float*);

template <int... KIND>
static inline Block reduction(int kind, std::integer_sequence<int, KIND...>) {
  static const Block all[] = {reduce_block<KIND>...};
  return all[kind];
}

static void reduce(const Program& program, const Kernel& kernel, const Call& call) {
  const Block block = reduction(kernel.kind, std::make_integer_sequence<int, REDUCE_COUNT>{});
  const View& v = program.views[kernel.view];
  const float* in = dense(program, kernel.in, call.in_row);
  const Runs1 runs = runs_of(v, v.rows + v.columns, v.channels);
  Odometer rows = row_odometer(v), columns = column_odometer(v);
  Odometer outer(v, v.rows + v.columns, runs.outer);
  rows.seek(call.row);
  for (int row = call.row; row < call.row + call.rows; row++, rows.next()) {
    columns.seek(kernel.left);
    for (int column = kernel.left; column < kernel.right; column++, columns.next()) {
      const float* from = in + v.first + rows.offset + columns.offset;
      float* to = at(program, kernel.out, call.out_row, row, column);
      for (int64_t run = 0; run < runs.count; run++, outer.next(), to += runs.length)
        for (int first = 0; first < runs.length; first += WIDTH)
          block(v, from + outer.offset + first * runs.step, runs.step,
                smaller(WIDTH, runs.length - first), to + first);
    }
  }
}

static bool reduce_fits(const Kernel& k) {
  return view_fits(k) && k.kind >= 0 && k.kind < REDUCE_COUNT;
}

constexpr Operation REDUCING[] = {
    {.name = "reduce",
     .run = reduce,
     .reads = reads_whole,
     .fits = reduce_fits,
     .views = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
