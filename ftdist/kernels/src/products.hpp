// Matrix products of two maps, read by a view: each output is the sum over the terms of an element of
// the first map times one of the second, added in the order of the terms by fused multiply-adds; of many
// terms in partial sums (runs.hpp).
//
// 16 outputs that follow one another in the channels share the first map's element; of the second map
// a block of 16 columns by some terms is packed where the first cache holds it, and all positions
// that read it go past. Each such block is a partial sum; their sum stands in the output.
#pragma once
#include "sums.hpp"
#include "tensors.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// Output positions of a call, row by row, and what they read.
struct Positions {
  const Kernel& kernel;
  Odometer rows, columns;
  int row, column;

  Positions(const Program& program, const Kernel& k, const Call& call)
      : kernel(k),
        rows(row_odometer(program.views[k.view])),
        columns(column_odometer(program.views[k.view])),
        row(call.row),
        column(k.left) {
    rows.seek(row);
    columns.seek(column);
  }

  int64_t offset() const { return rows.offset + columns.offset; }
  int64_t offset2() const { return rows.offset2 + columns.offset2; }

  void next() {
    columns.next();
    if (++column < kernel.right) return;
    column = kernel.left;
    columns.seek(column);
    row++;
    rows.next();
  }
};

// A block of the second map: 16 columns side by side for each of the terms.
struct Packed {
  alignas(64) float values[PARTIAL_TERMS * BLOCK];
  int64_t terms[PARTIAL_TERMS];  // where in the first map they are read
  int count;
};

static inline void pack(const float* from, const int64_t* columns, int count, Odometer& terms,
                        Packed& packed) {
  const bool side_by_side = count == BLOCK && columns[BLOCK - 1] - columns[0] == BLOCK - 1 &&
                            columns[1] - columns[0] == 1;
  for (int k = 0; k < packed.count; k++, terms.next()) {
    float* to = packed.values + k * BLOCK;
    const float* row = from + terms.offset2;
    packed.terms[k] = terms.offset;
    if (side_by_side) {
      __builtin_memcpy(to, row + columns[0], sizeof(float) * BLOCK);
      continue;
    }
    for (int j = 0; j < BLOCK; j++) to[j] = j < count ? row[columns[j]] : 0.0f;
  }
}

struct Rows {
  const float* in[PIXELS];
  float* out[PIXELS];
};

template <int P> static void product_block(const Rows& rows, const Packed& packed, bool begins,
                                           int channels) {
  constexpr int N = BLOCK / LANES;
  Sums<P, N> sums;
  sums.each([&](Vec& sum, int, int) __attribute__((always_inline)) { sum = splat(0.0f); });
  const float* values = packed.values;
  for (int k = 0; k < packed.count; k++, values += BLOCK) {
    const int64_t term = packed.terms[k];
    unrolled<P>([&](auto i) __attribute__((always_inline)) {
      const Vec value = splat(rows.in[i][term]);
      unrolled<N>([&](auto j) __attribute__((always_inline)) {
        sums.of[i][j] = fma(load(values + j * LANES), value, sums.of[i][j]);
      });
    });
  }
  sums.each([&](Vec& sum, int i, int j) __attribute__((always_inline)) {
    const int here = smaller(LANES, channels - j * LANES);
    if (here <= 0) return;
    float* const out = rows.out[i] + j * LANES;
    store_part(out, begins ? sum : load_part(out, here) + sum, here);
  });
}

typedef void (*ProductBlock)(const Rows&, const Packed&, bool, int);

template <int... P> static inline ProductBlock product_for(int rows, std::integer_sequence<int, P...>) {
  static const ProductBlock table[] = {product_block<P + 1>...};
  return table[rows - 1];
}

// All positions of a run, which read the same of the second map, by a packed block.
static inline void product_run(const Program& program, const Kernel& kernel, const Call& call,
                               Positions position, int64_t positions, const float* in,
                               const Packed& packed, int channel, bool begins) {
  const int channels = smaller(BLOCK, kernel.filters - channel);
  while (positions > 0) {
    const int count = (int)least(positions, PIXELS);
    Rows rows;
    for (int i = 0; i < count; i++, position.next()) {
      rows.in[i] = in + position.offset();
      rows.out[i] = at(program, kernel.out, call.out_row, position.row, position.column) + channel;
    }
    product_for(count, std::make_integer_sequence<int, PIXELS>{})(rows, packed, begins,
                                                                 channels);
    positions -= count;
  }
}

static void product(const Program& program, const Kernel& kernel, const Call& call) {
  const View& v = program.views[kernel.view];
  const float* a = dense(program, kernel.in, call.in_row) + v.first;
  const float* b = dense(program, kernel.in2, call.in2_row) + v.first2;
  int64_t terms = 1, left = (int64_t)call.rows * (kernel.right - kernel.left);
  for (int i = v.rows + v.columns + v.channels; i < v.rows + v.columns + v.channels + v.terms; i++)
    terms *= v.counts[i];
  Positions position(program, kernel, call);
  Packed packed;
  while (left > 0) {
    const Positions begin = position;
    int64_t run = 0;
    while (run < left && position.offset2() == begin.offset2()) run++, position.next();
    Odometer channels = channel_odometer(v);
    for (int channel = 0; channel < kernel.filters; channel += BLOCK) {
      int64_t columns[BLOCK];
      const int count = smaller(BLOCK, kernel.filters - channel);
      for (int j = 0; j < count; j++, channels.next()) columns[j] = channels.offset2;
      Odometer all = term_odometer(v);
      for (int64_t term = 0; term < terms; term += PARTIAL_TERMS) {
        packed.count = (int)least(PARTIAL_TERMS, terms - term);
        pack(b + begin.offset2(), columns, count, all, packed);
        product_run(program, kernel, call, begin, run, a, packed, channel, term == 0);
      }
    }
    left -= run;
  }
}

static inline int64_t view_macs(const Program& program, const Kernel& kernel, const Call& call) {
  const View& v = program.views[kernel.view];
  int64_t found = (int64_t)call.rows * (kernel.right - kernel.left) * kernel.filters;
  for (int i = v.rows + v.columns + v.channels; i < v.rows + v.columns + v.channels + v.terms; i++)
    found *= v.counts[i];
  return found;
}

static int64_t product_reads_second(const Kernel& k, Area& area) {
  area = {{0, k.in2_height}, {0, k.in2_width}};
  return k.in2_channels;
}

constexpr Operation PRODUCTS[] = {
    {.name = "product",
     .run = product,
     .reads = reads_whole,
     .fits = view_fits,
     .reads_second = product_reads_second,
     .views = true,
     .multiplies = true},
};

}  // namespace ftdist::FTDIST_NAMESPACE
