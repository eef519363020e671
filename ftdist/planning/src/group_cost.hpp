// Time and memory of a group, layer after layer from the last to the first, for each strip height
// of a backward pass. group_cost.py is the definition, and a test compares the two.
#pragma once

#include <vector>

#include "backward_pass.hpp"

namespace ftdist::planning {

class GroupCost {
 public:
  GroupCost(const Tables& tables, BackwardPass& backward);

  // Adds a layer in front of the group.
  void add_layer(int index, const LayerExtent& extent);

  double weight_bytes() const { return weight_bytes_; }

  // By strip height: the most bytes in use at one step with all line buffers; seconds of all tiles
  // on one thread with resident weights; what streaming them adds, and what the disk alone takes.
  struct Totals {
    std::vector<double> arena_bytes, seconds, reading_s, disk_s;
  };
  void totals(Totals& totals) const;

 private:
  struct Buffer {
    bool known = false;
    int first = 0, last = 0;
    std::vector<double> size;
  };
  struct Input {
    bool known = false;
    bool copied = false;  // some reader cannot read it as it lies
    std::vector<double> load_s, kept;
  };

  const Map& map(int index) const { return tables_.maps[static_cast<size_t>(index)]; }
  double map_bytes(int index, const LayerExtent& extent) const;
  double copy_s(int index, const LayerExtent& extent) const;
  double keep_s(int index, const LayerExtent& extent, size_t strip) const;
  double aligned(double bytes) const;
  double kept_bytes(int index, const LayerExtent& extent, size_t strip) const;
  void make(int index, const LayerExtent& extent);
  void add_output(int index, const LayerExtent& extent);
  void read(const Reading& reading, int reader, const LayerExtent& needed);
  void occupy(int index, int first, const LayerExtent& extent);
  void add_live(const Buffer& buffer, double sign);

  const Tables& tables_;
  BackwardPass& backward_;
  size_t strips_;
  int begin_;  // the layer taken in last
  double weight_bytes_ = 0, traffic_bytes_ = 0, outputs_s_ = 0;
  std::vector<double> member_s_, weights_read_, chunks_read_, file_read_, transform_s_,
      kept_, live_;
  std::vector<bool> made_;
  std::vector<int> last_reader_;  // 0 where there is none
  std::vector<Buffer> buffers_;
  std::vector<Input> inputs_;
};

}  // namespace ftdist::planning
