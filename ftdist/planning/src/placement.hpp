// How large the arena of a group is: its buffers and line buffers placed as layout.py places them.
#pragma once

#include <cstdint>

#include "backward_pass.hpp"

namespace ftdist::planning {

// Bytes of an arena of the group of map indices [first, stop), weights resident, for one strip
// height; 0 where the backward pass has no such height. A test compares it with layout.lay_out.
int64_t arena_bytes(const Tables& tables, int first, int stop, int rows, int columns, int strip);

}  // namespace ftdist::planning
