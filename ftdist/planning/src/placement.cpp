#include "placement.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace ftdist::planning {

namespace {

// Memory in use in steps [first, last], both included.
struct Block {
  int64_t bytes;
  int first, last;
};

struct Placed {
  int64_t start, stop;
  Block block;
};

// Greedy by size, each block at the lowest free offset (placement.place).
int64_t span_of(std::vector<Block> blocks, int64_t alignment) {
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const Block& a, const Block& b) { return a.bytes > b.bytes; });
  std::vector<Placed> placed;
  int64_t span = 0;
  for (const Block& block : blocks) {
    const int64_t size = (block.bytes + alignment - 1) / alignment * alignment;
    int64_t at = 0;
    for (const Placed& other : placed) {
      if (other.block.first > block.last || block.first > other.block.last) continue;
      if (other.start - at >= size) break;
      at = std::max(at, other.stop);
    }
    const Placed own = {at, at + size, block};
    const auto before = [](const Placed& a, const Placed& b) {
      return a.start != b.start ? a.start < b.start : a.stop < b.stop;
    };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), own, before), own);
    span = std::max(span, own.stop);
  }
  return span;
}

struct Sizes {
  int64_t held, kept;
};

}  // namespace

int64_t arena_bytes(const Tables& tables, int first, int stop, int rows, int columns, int strip) {
  BackwardPass backward(tables, stop, rows, columns, {strip});
  if (backward.strips().empty()) return 0;
  const auto map_of = [&](int index) -> const Map& { return tables.maps[static_cast<size_t>(index)]; };
  std::map<int, Sizes> sizes;
  const auto note = [&](int index, const LayerExtent& extent) {
    const int64_t row = 4 * extent.stored * map_of(index).channels;
    sizes[index] = {std::max(int64_t{1}, extent.held[0]) * row, extent.kept[0] * row};
  };
  std::vector<int> members;
  backward.run(first, [&](int index, const LayerExtent& extent) {
    members.push_back(index);
    note(index, extent);
    return true;
  });
  std::reverse(members.begin(), members.end());
  std::map<int, int> position, last;  // the step that makes a map, and that of its last reader
  int steps = 0;
  for (const int member : members) {
    for (const Reading& reading : map_of(member).reads)
      if (reading.source < members.front() && position.emplace(reading.source, steps).second) {
        note(reading.source, backward.extent(reading.source));
        steps++;
      }
    position[member] = steps++;
  }
  const auto fused = [&](int index) {
    const int pool = map_of(index).pool;
    return pool != index && position.count(pool) ? pool : index;
  };
  for (const int member : members)
    for (const Reading& reading : map_of(member).reads)
      last[reading.source] = std::max(last[reading.source], position[fused(member)]);
  const auto is_copied = [&](int input) {
    for (const int member : members)
      for (const Reading& reading : map_of(member).reads)
        if (reading.source == input && !reading.as_it_lies) return true;
    return false;
  };
  std::vector<std::pair<int, int>> order;  // (step, map)
  for (const auto& [index, step] : position) order.emplace_back(step, index);
  std::sort(order.begin(), order.end());
  std::vector<Block> blocks;
  for (const auto& [step, index] : order) {
    const bool is_read = last.count(index) != 0;
    const bool is_direct = index >= members.front() && backward.is_output(index) && !map_of(index).planar;
    if (index < members.front() && !is_copied(index)) continue;
    if ((index >= members.front() && fused(index) != index) || (is_direct && !is_read)) continue;
    blocks.push_back({sizes[index].held, step, is_read ? last[index] : step});
    if (sizes[index].kept) blocks.push_back({sizes[index].kept, 0, steps - 1});
  }
  for (const int member : members)
    if (map_of(member).scratch) {
      const int step = position[fused(member)];
      blocks.push_back({map_of(member).scratch, step, step});
    }
  const int64_t alignment = static_cast<int64_t>(tables.device.alignment_bytes);
  return span_of(std::move(blocks), alignment) + static_cast<int64_t>(tables.device.overread_bytes);
}

}  // namespace ftdist::planning
