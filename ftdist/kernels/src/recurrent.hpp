// Recurrent layers: each step of a sequence from what its input adds and from the state before it.
#pragma once
#include "activation.hpp"
#include "runs.hpp"
#include "selecting.hpp"

namespace ftdist::FTDIST_NAMESPACE {

enum CellKind : int32_t { CELL_LSTM, CELL_GRU, CELL_GRU_AFTER, CELL_TANH, CELL_RELU, CELL_COUNT };

constexpr int32_t CELL_MASK = 7, CELL_REVERSE = 8;  // of `kind`: which cell, from the last column on
constexpr int MOST_SUMS = 1 << 13;                  // what all gates of a cell have together

static inline int gates_of(int cell) { return cell == CELL_LSTM ? 4 : cell <= CELL_GRU_AFTER ? 3 : 1; }
static inline int states_of(int cell) { return cell == CELL_LSTM ? 2 : 1; }

// What the state adds to each gate: bias + weights * state, in the order of the state's values, in
// partial sums.
struct GateSums {
  alignas(64) float all[MOST_SUMS + BLOCK];

  // Those from `first` to the last one; a block's others with them.
  void of(const Program& program, const Kernel& k, const float* state, int first) {
    const int outputs = gates_of(k.kind & CELL_MASK) * k.size;
    for (int block = first / BLOCK; block * BLOCK < outputs; block++) {
      const float* weights = program.weights + k.weights + (int64_t)block * k.size * BLOCK;
      const float* bias = program.weights + k.bias + block * BLOCK;
      alignas(64) float before[BLOCK];
      LongSums<1, BLOCK / LANES> own(before);
      Ahead none = {weights, 0, 0};
      own.sums.each([&](Vec& sum, int, int j) { sum = load(bias + j * LANES); });
      own.template add<1>(state, 0, k.size, weights, 0, none);
      own.put_together();
      own.sums.each([&](Vec& sum, int, int j) { store(all + block * BLOCK + j * LANES, sum); });
    }
  }

  Vec gate(const float* in, int at, int count) const {  // with what the input adds
    return load_part(in + at, count) + load_part(all + at, count);
  }
};

static inline void lstm_step(GateSums& sums, int size, const float* in, const float* state, float* out) {
  for (int unit = 0; unit < size; unit += LANES) {
    const int count = smaller(LANES, size - unit);
    const auto gate = [&](int number) { return sums.gate(in, number * size + unit, count); };
    const Vec kept = logistic(gate(2)) * load_part(state + size + unit, count);
    const Vec cell = fma(logistic(gate(0)), tanh(gate(3)), kept);
    store_part(out + unit, logistic(gate(1)) * tanh(cell), count);
    store_part(out + size + unit, cell, count);
  }
}

// Gates: update, reset, hidden. Resetting comes before the hidden gate's product, or after it.
static void gru_step(const Program& program, const Kernel& k, GateSums& sums, const float* in,
                     const float* state, float* out) {
  const int size = k.size;
  const bool after = (k.kind & CELL_MASK) == CELL_GRU_AFTER;
  alignas(64) float update[MOST_SUMS / 3 + LANES], reset[MOST_SUMS / 3 + LANES];
  for (int unit = 0; unit < size; unit += LANES) {
    const int count = smaller(LANES, size - unit);
    store_part(update + unit, logistic(sums.gate(in, unit, count)), count);
    const Vec by = logistic(sums.gate(in, size + unit, count));
    store_part(reset + unit, after ? by : by * load_part(state + unit, count), count);
  }
  if (!after) sums.of(program, k, reset, 2 * size);
  for (int unit = 0; unit < size; unit += LANES) {
    const int count = smaller(LANES, size - unit), at = 2 * size + unit;
    const Vec own = load_part(in + at, count), before = load_part(sums.all + at, count);
    const Vec by = after ? load_part(reset + unit, count) : splat(1.0f);
    const Vec hidden = tanh(fma(by, before, own)), kept = load_part(update + unit, count);
    const Vec old = load_part(state + unit, count);
    store_part(out + unit, fma(kept, old - hidden, hidden), count);
  }
}

static inline void plain_step(GateSums& sums, int size, bool relu, const float* in, float* out) {
  for (int unit = 0; unit < size; unit += LANES) {
    const int count = smaller(LANES, size - unit);
    const Vec sum = sums.gate(in, unit, count);
    store_part(out + unit, relu ? larger(sum, splat(0.0f)) : tanh(sum), count);
  }
}

// Each row of a map is a sequence, each column a step; the second map has each row's first state.
static void recurrent(const Program& program, const Kernel& k, const Call& call) {
  const int cell = k.kind & CELL_MASK;
  GateSums sums;
  for (int row = call.row; row < call.row + call.rows; row++) {
    const float* state = at(program, k.in2, call.in2_row, row, 0);
    for (int number = 0; number < k.width; number++) {
      const int column = k.kind & CELL_REVERSE ? k.width - 1 - number : number;
      const float* in = at(program, k.in, call.in_row, row, column);
      float* out = at(program, k.out, call.out_row, row, column);
      sums.of(program, k, state, 0);
      if (cell == CELL_LSTM) lstm_step(sums, k.size, in, state, out);
      else if (cell <= CELL_GRU_AFTER) gru_step(program, k, sums, in, state, out);
      else plain_step(sums, k.size, cell == CELL_RELU, in, out);
      state = out;
    }
  }
}

static bool recurrent_fits(const Kernel& k) {
  const int cell = k.kind & CELL_MASK;
  if (k.kind < 0 || k.kind >= 2 * CELL_REVERSE || cell >= CELL_COUNT || k.size < 1) return false;
  const int64_t sums = (int64_t)gates_of(cell) * k.size, states = (int64_t)states_of(cell) * k.size;
  return sums <= MOST_SUMS && k.channels == sums && k.filters == states && one_tap(k) &&
         k.height >= 1 && k.width >= 1 && k.left == 0 && k.right == k.width &&
         k.in2_height == k.height && k.in2_width == 1 && k.in2_channels == states;
}

static bool recurrent_reads(const Kernel& k, Area& area) { return area.rows.last <= k.height; }

static int64_t recurrent_reads_second(const Kernel& k, Area& area) {
  area.columns = {0, 1};
  return k.in2_channels;
}

static WeightLayout recurrent_weights(const Kernel& k) {
  return {1, (double)k.channels, (double)k.size};
}

constexpr Operation RECURRENT[] = {
    {.name = "recurrent",
     .run = recurrent,
     .reads = recurrent_reads,
     .fits = recurrent_fits,
     .weights = recurrent_weights,
     .reads_second = recurrent_reads_second},
};

}  // namespace ftdist::FTDIST_NAMESPACE
