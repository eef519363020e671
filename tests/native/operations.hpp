// The numbers of operations, by name.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "rules.hpp"

namespace ftdist {

inline int count_operations() {
  int count = 0;
  while (find_operation(count)) count++;
  return count;
}

inline int number_of(const char* name) {
  for (int number = 0; const Operation* operation = find_operation(number); number++)
    if (std::strcmp(operation->name, name) == 0) return number;
  std::fprintf(stderr, "there is no operation %s\n", name);
  std::abort();
}

inline const int OP_COUNT = count_operations();
inline const int OP_COPY = number_of("copy");
inline const int OP_CONVOLUTION = number_of("convolution");
inline const int OP_WINOGRAD = number_of("winograd");
inline const int OP_DEPTHWISE = number_of("depthwise");
inline const int OP_MAX_POOL = number_of("max_pool");
inline const int OP_AVERAGE_POOL = number_of("average_pool");
inline const int OP_PRELU = number_of("prelu");
inline const int OP_ADD = number_of("add");
inline const int OP_ACTIVATE = number_of("activate");
inline const int OP_UPSAMPLE = number_of("upsample");
inline const int OP_RESIZE_LINEAR = number_of("resize_linear");
inline const int OP_RESIZE_NEAREST = number_of("resize_nearest");
inline const int OP_REORG = number_of("reorg");
inline const int OP_REORG_DARKNET = number_of("reorg_darknet");
inline const int OP_LOCAL = number_of("local");
inline const int OP_ACCUMULATE = number_of("accumulate");
inline const int OP_ACCUMULATE_WEIGHTED = number_of("accumulate_weighted");
inline const int OP_MULTIPLY = number_of("multiply");
inline const int OP_SOFTMAX = number_of("softmax");
inline const int OP_NORMALIZE_RESPONSES = number_of("normalize_responses");
inline const int OP_MAX_CHANNELS = number_of("max_channels");
inline const int OP_CROP = number_of("crop");
inline const int OP_TRANSPOSED_CONVOLUTION = number_of("transposed_convolution");
inline const int OP_DEPTH_TO_SPACE = number_of("depth_to_space");

}  // namespace ftdist
