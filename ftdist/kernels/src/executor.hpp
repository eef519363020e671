// The executor: a loop over a program's calls. Compiled once an instruction set; the including file
// defines FTDIST_NAMESPACE and the set's own macro.
#pragma once
#include <time.h>

#include "channels.hpp"
#include "convolution.hpp"
#include "depthwise.hpp"
#include "joining.hpp"
#include "local.hpp"
#include "pointwise.hpp"
#include "pool.hpp"

namespace ftdist::FTDIST_NAMESPACE {

static inline int64_t now() {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static inline int64_t macs(const Kernel& kernel, const Call& call) {
  if (kernel.op != OP_CONVOLUTION && kernel.op != OP_DEPTHWISE && kernel.op != OP_LOCAL) return 0;
  const int64_t pixels = (int64_t)call.rows * kernel.pool_height * (kernel.right - kernel.left) *
                         kernel.pool_width;
  return pixels * kernel.filters *
         (kernel.channels / kernel.groups) * kernel.kernel_height * kernel.kernel_width;
}

static void run_call(const Program& program, const Kernel& kernel, const Call& call) {
  switch (kernel.op) {
    case OP_COPY: copy(program, kernel, call); break;
    case OP_CONVOLUTION: convolution(program, kernel, call); break;
    case OP_DEPTHWISE: depthwise(program, kernel, call); break;
    case OP_MAX_POOL: pool<true>(program, kernel, call); break;
    case OP_AVERAGE_POOL: pool<false>(program, kernel, call); break;
    case OP_ADD: add(program, kernel, call); break;
    case OP_ACTIVATE: activation(program, kernel, call); break;
    case OP_UPSAMPLE: upsample(program, kernel, call); break;
    case OP_REORG: reorg(program, kernel, call); break;
    case OP_REORG_DARKNET: reorg_darknet(program, kernel, call); break;
    case OP_LOCAL: local(program, kernel, call); break;
    case OP_ACCUMULATE: accumulate<false>(program, kernel, call); break;
    case OP_ACCUMULATE_WEIGHTED: accumulate<true>(program, kernel, call); break;
    case OP_MULTIPLY: multiply(program, kernel, call); break;
    case OP_SOFTMAX: softmax(program, kernel, call); break;
    case OP_NORMALIZE_RESPONSES: normalize_responses(program, kernel, call); break;
    case OP_MAX_CHANNELS: max_channels(program, kernel, call); break;
    case OP_CROP: crop(program, kernel, call); break;
    case OP_DEPTH_TO_SPACE: depth_to_space(program, kernel, call); break;
    default: break;
  }
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
    run_call(program, kernel, call);
    if (program.failure && *program.failure) return;
    zero_padding(program, kernel, call);
    const int64_t after = now();
    program.counters[call.kernel].nanoseconds += after - before;
    program.counters[call.kernel].macs += macs(kernel, call);
    before = after;
  }
}

}  // namespace ftdist::FTDIST_NAMESPACE
