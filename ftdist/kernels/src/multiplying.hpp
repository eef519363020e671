// The products of Winograd's convolution: for each of the (M+2)^2 positions of a block the transformed
// inputs V[(M+2)^2][blocks][channels] times the transformed weights G g G^T (minimal.hpp), summed over
// the channels in order.
//
// Light layers have their transformed weights in base `table`, as [filters/16][(M+2)^2][channels][16],
// and the bias behind them; one product after the other, so that what it needs of V stays in the second
// cache while the weights pass through the first. Where `table` is 0, weights are as the model file
// holds them, in memory or, streamed, read into the window; they are transformed in the arena, from
// `expanded` on, SLICE_CHANNELS channels at a time, for all products. Then they never leave the second
// cache, and a quarter of the bytes comes from beyond it.
#pragma once
#include "minimal.hpp"
#include "runs.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// Channels of V that lie together: those whose weights pass at one time.
static inline int slice_channels(const Kernel& k) {
  return k.table > 0 ? k.channels : smaller(SLICE_CHANNELS, k.channels);
}

// Floats of V for as many blocks as a kernel takes.
static inline int64_t input_floats(const Kernel& k) {
  const int own = slice_channels(k);
  return (int64_t)(k.size + 2) * (k.size + 2) * ceil_div(k.channels, own) *
         apart((int64_t)k.tiles * own);
}

// V for `count` blocks: [slices][(M+2)^2][count][channels of a slice], products `step` floats apart.
struct Inputs {
  float* from;
  int count, channels, slice;
  int64_t step, slice_step;

  Inputs(const Kernel& k, float* scratch, int blocks)
      : from(scratch), count(blocks), channels(k.channels), slice(slice_channels(k)),
        step(apart((int64_t)blocks * slice)), slice_step((k.size + 2) * (k.size + 2) * step) {}

  // Of the first product: where a block's values of a channel and the following ones go.
  float* at(int number, int channel) const {
    return from + channel / slice * slice_step + (int64_t)number * slice + channel % slice;
  }
};

// What P blocks of inputs, `in_step` apart, add to the sums of B blocks of outputs, which are at `out`.
struct Slice {
  int64_t in_step;
  int channels;
  int64_t block_step;  // floats of weights from a block of 16 output channels to the next
  int64_t out_step;
  bool begins;  // the sums, from zero
};

// Weights that are transformed next, as the model file holds them: of the first block of outputs, or
// null. They are asked for beside the products of those before them.
struct Coming {
  const float* taps;
  int64_t tap_step, block_step;
  int64_t floats;  // of each tap

  // What the products of number `number` of `count` of some blocks ask for.
  Next share(int number, int count, int block) const {
    const int parts = count / 9, tap = number / parts;
    if (!taps || tap >= 9) return {taps, 0, 0, 0, 1};
    const int64_t own = floats / parts;
    return {taps + block * block_step + tap * tap_step + number % parts * own, own, block_step, 0, 1};
  }
};

template <int P, int B>
static void add_products(const float* in, const float* weights, float* out, const Slice& slice,
                         Ahead ahead) {
  Sums<P, B * BLOCK / LANES> sums;
  sums.each([&](Vec& sum, int i, int j) __attribute__((always_inline)) {
    sum = slice.begins ? Vec{} : load(out + i * slice.out_step + j * LANES);
  });
  add_run<P, B>(in, slice.in_step, slice.channels, weights, slice.block_step, sums, ahead);
  sums.each([&](Vec& sum, int i, int j) __attribute__((always_inline)) {
    store(out + i * slice.out_step + j * LANES, sum);
  });
}

typedef void (*AddProducts)(const float*, const float*, float*, const Slice&, Ahead);

template <int B, int... P>
static inline AddProducts adds_products(int count, std::integer_sequence<int, P...>) {
  static const AddProducts table[] = {add_products<P + 1, B>...};
  return table[count - 1];
}

template <int B, int MOST>
static inline void product(const float* in, int count, const float* weights, float* out,
                           const Slice& slice, const Next& next) {
  const int parts = ceil_div(count, MOST);
  for (int part = 0, at = 0; part < parts; part++) {
    const int own = ceil_div(count - at, parts - part);
    adds_products<B>(own, std::make_integer_sequence<int, MOST>{})(
        in + at * slice.in_step, weights, out + at * slice.out_step, slice,
        next.share(part, parts, slice.channels));
    at += own;
  }
}

// All products of `count` blocks of inputs over a slice of their channels with the weights of `taken`
// blocks of outputs, [taken][(M+2)^2][channels][16], products `step` floats apart. Meanwhile `coming`
// weights are asked for; or, where these are used as they lie, those of the next product.
template <int M>
static inline void products(const Inputs& inputs, int first, const float* weights, int64_t step,
                            int taken, float* out, const Coming* coming) {
  constexpr int COUNT = (M + 2) * (M + 2);
  const int count = inputs.count, channels = smaller(inputs.slice, inputs.channels - first);
  const int64_t width = taken * BLOCK, output_step = apart(count * width);
  const Slice slice = {inputs.slice, channels, COUNT * step, width, first == 0};
  const int64_t behind = 2 * step <= MOST_AHEAD ? step : 0;
  for (int i = 0; i < COUNT; i++) {
    const float* from = inputs.at(0, first) + i * inputs.step;
    float* to = out + i * output_step;
    const auto own = [&](int block) { return weights + i * step + block * slice.block_step; };
    const auto next = [&](int block) -> Next {
      if (coming) return coming->share(i, COUNT, block);
      return {own(block) + behind, behind, slice.block_step, 0, 1};
    };
    int block = 0;
    if constexpr (WIDE_PIXELS > 0)
      for (; block + 1 < taken; block += 2)
        product<2, WIDE_PIXELS>(from, count, own(block), to + block * BLOCK, slice, next(block));
    for (; block < taken; block++)
      product<1, PIXELS>(from, count, own(block), to + block * BLOCK, slice, next(block));
  }
}

// Floats in which a kernel transforms weights.
static inline double expanded_floats(const Kernel& k) {
  const double taps = (double)(k.size + 2) * (k.size + 2);
  return TOGETHER_BLOCKS * taps * (double)apart(smaller(SLICE_CHANNELS, k.channels) * BLOCK);
}

// Weights and biases of some blocks of outputs as the model file holds them; null where it does not.
struct Given {
  const float *taps, *bias;
};

static inline Given given_weights(const Program& program, const Kernel& kernel, int block,
                                  int taken) {
  const int64_t own = (int64_t)9 * kernel.channels * BLOCK;
  const Piece piece = {kernel.weights + block * own, taken * own,
                       kernel.bias + (int64_t)block * BLOCK, taken * BLOCK};
  if (!kernel.streamed) return {program.weights + piece.weights, program.weights + piece.bias};
  float* window = reinterpret_cast<float*>(program.bases[0]) + kernel.window;
  if (!read_piece(program, piece, window)) return {nullptr, nullptr};
  read_ahead(program, piece.weights + piece.weight_count, piece.weight_count);
  return {window, window + piece.weight_count};
}

// The weights of the channels from `channel` on, or, behind the last one, of the blocks of outputs behind
// these. None of streamed ones: they are read first.
static inline Coming coming_after(const Kernel& kernel, const Given& given, int block, int taken,
                                  int channel) {
  const int64_t tap = (int64_t)kernel.channels * BLOCK;
  const bool goes_on = channel < kernel.channels;
  const bool last = !goes_on && (block + taken) * BLOCK >= kernel.filters;
  if (kernel.streamed || last) return {nullptr, 0, 0, 0};
  const int first = goes_on ? channel : 0;
  const int64_t floats = (int64_t)smaller(SLICE_CHANNELS, kernel.channels - first) * BLOCK;
  return {given.taps + (goes_on ? first * BLOCK : taken * 9 * tap), tap, 9 * tap, floats};
}

// All products of the inputs with the weights of `taken` blocks of outputs from number `block` on.
// Returns their biases; null when the file did not give the weights.
template <int M>
static inline const float* multiply(const Program& program, const Kernel& kernel, int block,
                                    int taken, const Inputs& inputs, float* out) {
  constexpr int COUNT = (M + 2) * (M + 2);
  const int64_t tap = (int64_t)kernel.channels * BLOCK;
  if (kernel.table > 0) {
    const float* table = reinterpret_cast<const float*>(program.bases[kernel.table]);
    products<M>(inputs, 0, table + kernel.weights + block * COUNT * tap, tap, taken, out, nullptr);
    return table + kernel.bias + (int64_t)block * BLOCK;
  }
  const Given given = given_weights(program, kernel, block, taken);
  if (!given.taps) return nullptr;
  float* expanded = reinterpret_cast<float*>(program.bases[0]) + kernel.expanded;
  for (int first = 0; first < kernel.channels; first += inputs.slice) {
    const int channels = smaller(inputs.slice, kernel.channels - first);
    const int64_t step = apart((int64_t)channels * BLOCK);
    for (int i = 0; i < taken; i++)
      expand_block<M>(given.taps + i * 9 * tap + first * BLOCK, tap, channels,
                      expanded + i * COUNT * step, step);
    const Coming coming = coming_after(kernel, given, block, taken, first + channels);
    products<M>(inputs, first, expanded, step, taken, out, &coming);
  }
  return given.bias;
}

}  // namespace ftdist::FTDIST_NAMESPACE
