// The executor: a loop over a program's calls, each an operation of a family's table. Compiled once an instruction set; the including file
// defines FTDIST_NAMESPACE and the set's own macro.
#pragma once
#include <time.h>

#include <array>

#include "channels.hpp"
#include "convolution.hpp"
#include "depthwise.hpp"
#include "functions.hpp"
#include "joining.hpp"
#include "local.hpp"
#include "moving.hpp"
#include "pool.hpp"
#include "normalizing.hpp"
#include "pairs.hpp"
#include "placing.hpp"
#include "products.hpp"
#include "recurrent.hpp"
#include "reducing.hpp"
#include "resampling.hpp"
#include "lists.hpp"
#include "sampling.hpp"
#include "selecting.hpp"
#include "tensors.hpp"
#include "transposed.hpp"
#include "unpooling.hpp"
#include "winograd.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// Whether a name comes before another in the order of their bytes.
constexpr bool comes_before(const char* a, const char* b) {
  while (*a && *a == *b) a++, b++;
  return *a < *b;
}

static inline int64_t now() {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// The operations of all families, sorted by name: an operation's number is its place.
template <size_t... N> constexpr auto sorted(const Operation (&... families)[N]) {
  std::array<Operation, (N + ...)> all = {};
  size_t count = 0;
  const auto insert = [&](const Operation& operation) {
    size_t at = count++;
    for (; at > 0 && comes_before(operation.name, all[at - 1].name); at--) all[at] = all[at - 1];
    all[at] = operation;
  };
  const auto insert_all = [&](const auto& family) {
    for (const Operation& operation : family) insert(operation);
  };
  (insert_all(families), ...);
  return all;
}

constexpr auto OPERATIONS = sorted(CHANNELS, CONVOLUTION, DEPTHWISE, FUNCTIONS, JOINING, LISTS, LOCAL, MOVING,
                                   NORMALIZING, PAIRS, PLACING, POOL, PRODUCTS, RECURRENT,
                                   REDUCING, RESAMPLING, SAMPLING, SELECTING, TENSORS, TRANSPOSED,
                                   UNPOOLING, WINOGRAD);

template <size_t N> constexpr bool differ(const std::array<Operation, N>& all) {
  for (size_t at = 1; at < N; at++)
    if (!comes_before(all[at - 1].name, all[at].name)) return false;
  return true;
}
static_assert(differ(OPERATIONS), "two operations have one name");

static inline int64_t macs(const Program& program, const Kernel& kernel, const Call& call) {
  if (!OPERATIONS[kernel.op].multiplies) return 0;
  if (OPERATIONS[kernel.op].views) return view_macs(program, kernel, call);
  const int64_t pixels = (int64_t)call.rows * kernel.pool_height * (kernel.right - kernel.left) *
                         kernel.pool_width;
  return pixels * kernel.filters *
         (kernel.channels / kernel.groups) * kernel.kernel_height * kernel.kernel_width;
}

// Asks for the first weights of the next call that streams some, while this one computes.
static void look_ahead(const Program& program, int64_t index) {
  constexpr int64_t FIRST_FLOATS = 1 << 18;
  for (index++; index < program.call_count; index++) {
    const Kernel& kernel = program.kernels[program.calls[index].kernel];
    if (kernel.streamed)
      return read_ahead(program, kernel.weights, FIRST_FLOATS);
  }
}

static void run(const Program& program) {
  int64_t before = now();
  for (int64_t index = 0; index < program.call_count; index++) {
    if (program.kernels[program.calls[index].kernel].streamed) look_ahead(program, index);
    const Call& call = program.calls[index];
    const Kernel& kernel = program.kernels[call.kernel];
    OPERATIONS[kernel.op].run(program, kernel, call);
    if (program.failure && *program.failure) return;
    zero_padding(program, kernel, call);
    const int64_t after = now();
    program.counters[call.kernel].nanoseconds += after - before;
    program.counters[call.kernel].macs += macs(program, kernel, call);
    before = after;
  }
}

}  // namespace ftdist::FTDIST_NAMESPACE
