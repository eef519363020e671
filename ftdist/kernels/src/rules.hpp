// What each operation may do and reads: the check of programs asks this table.
#pragma once
#include "program.hpp"

namespace ftdist {

// Which input positions an operation reads for an output position.
enum class Reads {
  NOTHING,         // an operation that this check does not know
  POSITION,        // the same
  WINDOW,          // a window; columns beside the map are stored as zeros
  MAP_WINDOW,      // a window as far as it lies on the map
  REPEATED,        // one for several
  BLOCKS,
  DARKNET_BLOCKS,
  SAMPLED,         // every stride-th, of which every sample-th output position reads one
  SHIFTED,
  POSITION_OR_MAP  // the same, or the whole map where the window is that
};

struct Rules {
  Reads reads;
  bool weights;    // has weights and a bias
  bool activates;
  bool dense;      // takes rows as runs of floats: no gaps between the pixels
  bool vectors;    // reads whole vectors of channels
  bool second;     // reads a second map
};

// What each operation may do; whoever is not here reads nothing and is refused.
constexpr Rules RULES[OP_COUNT] = {
    {Reads::POSITION, false, false, false, false, false},        // copy
    {Reads::WINDOW, true, true, false, false, false},            // convolution
    {Reads::WINDOW, true, true, false, true, false},             // depthwise
    {Reads::MAP_WINDOW, false, false, false, true, false},       // max pool
    {Reads::MAP_WINDOW, false, false, false, true, false},       // average pool
    {Reads::POSITION, false, true, true, true, true},            // add
    {Reads::POSITION, false, true, true, true, false},           // activate
    {Reads::REPEATED, false, false, false, false, false},        // upsample
    {Reads::BLOCKS, false, false, false, false, false},          // reorg
    {Reads::DARKNET_BLOCKS, false, false, false, false, false},  // reorg, Darknet's
    {Reads::WINDOW, true, true, false, false, false},            // local
    {Reads::SAMPLED, false, true, false, false, false},          // accumulate
    {Reads::SAMPLED, true, true, false, false, false},           // accumulate, weighted
    {Reads::POSITION, false, true, false, false, true},          // multiply
    {Reads::POSITION_OR_MAP, false, false, false, false, false}, // softmax
    {Reads::POSITION, false, false, false, false, false},        // normalize responses
    {Reads::POSITION, false, false, false, false, false},        // max channels
    {Reads::SHIFTED, false, false, false, false, false},         // crop
    {Reads::REPEATED, false, false, false, false, false},        // depth to space
};

}  // namespace ftdist
