// A walk back from a group's last layer: what each layer before it makes, holds and keeps, for all
// tiles and strip heights at once. What a tile needs of a layer depends only on the layers behind
// it, so one pass serves every first layer. backward_pass.py is the definition, and a test compares
// the two.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tables.hpp"

namespace ftdist::planning {

struct Span {
  int64_t start, stop;
};

// What a group does with one map; vectors hold one number for each strip height
// (backward_pass.LayerExtent).
struct LayerExtent {
  std::vector<int64_t> held, kept, calls, moved;
  int64_t rows = 0, stored = 0;
  std::vector<int64_t> columns;  // by tile column
  int64_t column_sum = 0;
};

// A pass aims at row `target` of the last output; those of one tile and strip height lie together.
struct Stretch {
  int tile, strip;
  size_t begin, end;
};

class BackwardPass {
 public:
  // Back from the layers before map index `stop`, over a grid of tiles; `strips` are the heights
  // tried, 0 for the whole tile. Of these `strips()` are lower than a tile; none if a map has fewer
  // rows or columns than the grid.
  BackwardPass(const Tables& tables, int stop, int rows, int columns,
               const std::vector<int>& strips);

  const std::vector<int>& strips() const { return strips_; }
  int primary() const { return primary_; }
  // Whether each of several tiles makes all of a layer that could be cut.
  bool is_made_whole(int index, const LayerExtent& extent) const;
  bool is_output(int index) const { return is_output_[static_cast<size_t>(index)]; }

  // Visits the computed layers from the last to the one of index `first`. When a layer is visited,
  // the extents of what it reads are those of the group that begins at it. Ends sooner where
  // `visit` says that it has seen enough.
  void run(int first, const std::function<bool(int, const LayerExtent&)>& visit);

  const LayerExtent& extent(int index);

 private:
  // What is needed of a map. Many passes of a stretch lie before the first one that makes anything
  // of it: from there on `made` is known, and from `read_from` on `first`; before that these are the
  // tile's start and `first_early`.
  struct Need {
    bool known = false, measured = false;
    std::vector<int64_t> reach, first;  // by pass
    std::vector<int64_t> made;          // by pass, once measured
    std::vector<size_t> makes_from, read_from;  // passes, by stretch
    std::vector<int64_t> first_early;           // by stretch
    std::vector<int64_t> start;                 // by tile row
    std::vector<Span> columns;                  // by tile column
    LayerExtent extent;
  };

  const Map& map(int index) const { return tables_.maps[static_cast<size_t>(index)]; }
  Need& need(int index) { return needs_[static_cast<size_t>(index)]; }
  void lay_out_passes(const std::vector<int>& strips);
  int64_t warm_up() const;
  void add_share(int index);
  Need& begun(int index);
  void measure(int index);
  void measure(Need& need, const Map& own, size_t stretch);
  void add_reader(int reader, const Reading& reading);
  void add_rows(const Need& from, Need& to, const Axis& rows, int64_t height, bool known);

  const Tables& tables_;
  int stop_, rows_, columns_, primary_ = 0;
  std::vector<bool> is_output_;
  std::vector<int> strips_;
  std::vector<int64_t> target_;
  std::vector<bool> last_;
  std::vector<Stretch> stretches_;
  std::vector<Need> needs_, dropped_;  // what was dropped is filled again
};

}  // namespace ftdist::planning
