#include "group_cost.hpp"

#include <algorithm>
#include <cmath>

namespace ftdist::planning {

double Curve::at(double size) const {
  const double point = std::log(std::max(size, 1.0));
  if (point <= points.front()) return costs.front();
  if (point >= points.back()) return costs.back();
  const size_t after = static_cast<size_t>(
      std::upper_bound(points.begin(), points.end(), point) - points.begin());
  const double slope = (costs[after] - costs[after - 1]) / (points[after] - points[after - 1]);
  return slope * (point - points[after - 1]) + costs[after - 1];
}

GroupCost::GroupCost(const Tables& tables, BackwardPass& backward)
    : tables_(tables), backward_(backward), strips_(backward.strips().size()), begin_(backward.primary() + 1) {
  const size_t maps = static_cast<size_t>(backward.primary()) + 1;
  member_s_.assign(strips_, 0);
  weights_read_.assign(strips_, 0);
  chunks_read_.assign(strips_, 0);
  file_read_.assign(strips_, 0);
  transform_s_.assign(strips_, 0);
  kept_.assign(strips_, 0);
  live_.assign(maps * strips_, 0);
  made_.assign(tables.maps.size(), false);
  last_reader_.assign(maps, 0);
  buffers_.resize(maps);
  inputs_.resize(maps);
}

double GroupCost::map_bytes(int index, const LayerExtent& extent) const {
  return 4.0 * static_cast<double>(extent.rows * extent.column_sum * map(index).channels);
}

// Seconds of copying a map's rows between the arena and outside.
double GroupCost::copy_s(int index, const LayerExtent& extent) const {
  return static_cast<double>(extent.rows * extent.column_sum) * map(index).copy_column_s;
}

// Seconds of saving and restoring rows.
double GroupCost::keep_s(int index, const LayerExtent& extent, size_t strip) const {
  const double row_bytes = 4.0 * static_cast<double>(extent.stored * map(index).channels);
  const double rows = static_cast<double>(extent.moved[strip]);
  const double columns = static_cast<double>(extent.columns.size());
  return rows * columns * (2 * 2 * row_bytes / tables_.device.copy_bytes_per_s);
}

double GroupCost::kept_bytes(int index, const LayerExtent& extent, size_t strip) const {
  return aligned(4.0 * static_cast<double>(extent.kept[strip] * extent.stored * map(index).channels));
}

// The room that a block of this size takes when it is placed.
double GroupCost::aligned(double bytes) const {
  const double alignment = tables_.device.alignment_bytes;
  return std::ceil(bytes / alignment) * alignment;
}

void GroupCost::add_layer(int index, const LayerExtent& extent) {
  const size_t at = static_cast<size_t>(index);
  inputs_[at].known = false;
  made_[at] = true;
  begin_ = index;
  make(index, extent);
  const int pool = map(index).pool;
  const bool fused = pool != index && made_[static_cast<size_t>(pool)];
  if (fused) {
    // What the pool reads lies nowhere, now that its convolution is in the group too.
    if (buffers_[at].known) add_live(buffers_[at], -1);
    buffers_[at].known = false;
    traffic_bytes_ -= map_bytes(index, extent);
  } else {
    add_output(index, extent);
  }
  const double scratch = aligned(static_cast<double>(map(index).scratch));
  for (size_t strip = 0; strip < strips_; strip++)
    live_[static_cast<size_t>(fused ? pool : index) * strips_ + strip] += scratch;
  for (const Reading& reading : map(index).reads) {
    const LayerExtent& needed = backward_.extent(reading.source);
    traffic_bytes_ += map_bytes(reading.source, needed);
    int& reader = last_reader_[static_cast<size_t>(reading.source)];
    if (reader == 0) reader = fused ? pool : index;
    read(reading, index, needed);
  }
}

// Adds loading an input into a buffer, unless all readers so far read it as it lies.
void GroupCost::read(const Reading& reading, int reader, const LayerExtent& needed) {
  const int source = reading.source;
  Input& input = inputs_[static_cast<size_t>(source)];
  input.known = true;
  input.copied = input.copied || !reading.as_it_lies;
  input.load_s.assign(strips_, 0);
  input.kept.assign(strips_, 0);
  if (!input.copied) return;
  occupy(source, reader, needed);
  const double copy = copy_s(source, needed);
  const double columns = static_cast<double>(needed.columns.size());
  for (size_t strip = 0; strip < strips_; strip++) {
    const double calls = static_cast<double>(needed.calls[strip]) * columns;
    input.load_s[strip] = copy + calls * tables_.device.call_s + keep_s(source, needed, strip);
    input.kept[strip] = kept_bytes(source, needed, strip);
  }
}

void GroupCost::make(int index, const LayerExtent& extent) {
  const Map& own = map(index);
  double row_s = 0;
  for (const int64_t columns : extent.columns) row_s += tables_.row_s.at(own.row_at + static_cast<size_t>(columns));
  const double tiles = static_cast<double>(extent.columns.size());
  for (size_t strip = 0; strip < strips_; strip++) {
    const double calls = static_cast<double>(extent.calls[strip]) * tiles;
    member_s_[strip] += static_cast<double>(extent.rows) * row_s + calls * tables_.device.call_s +
                        keep_s(index, extent, strip);
    const double positions = static_cast<double>(extent.rows * extent.column_sum);
    const double reads = std::max(calls, positions / own.batch);
    weights_read_[strip] += reads * own.weight_bytes;
    chunks_read_[strip] += reads * own.chunks;
    file_read_[strip] += reads * own.file_bytes;
    transform_s_[strip] += reads * own.transform_s;
    member_s_[strip] += reads * own.expand_s + own.fetching_s;
  }
  weight_bytes_ += own.weight_bytes;
}

// Adds the buffer of what a layer makes, and moving it there and out of the group.
void GroupCost::add_output(int index, const LayerExtent& extent) {
  const Map& own = map(index);
  traffic_bytes_ += map_bytes(index, extent);
  const bool read_inside = last_reader_[static_cast<size_t>(index)] != 0;
  const bool buffered = read_inside || own.planar;
  if (buffered) occupy(index, index, extent);
  const double copy = backward_.is_output(index) && buffered ? copy_s(index, extent) : 0;
  if (backward_.is_output(index)) outputs_s_ += own.map_traffic_s;
  for (size_t strip = 0; strip < strips_; strip++) {
    kept_[strip] += kept_bytes(index, extent, strip);
    member_s_[strip] += copy;
  }
}

void GroupCost::add_live(const Buffer& buffer, double sign) {
  for (int step = buffer.first; step <= buffer.last; step++)
    for (size_t strip = 0; strip < strips_; strip++)
      live_[static_cast<size_t>(step) * strips_ + strip] += sign * buffer.size[strip];
}

// Marks a map's buffer as in use from step `first` to its last reader.
void GroupCost::occupy(int index, int first, const LayerExtent& extent) {
  Buffer& buffer = buffers_[static_cast<size_t>(index)];
  if (buffer.known) add_live(buffer, -1);
  buffer.known = true;
  buffer.first = first;
  buffer.last = std::max(last_reader_[static_cast<size_t>(index)], first);
  buffer.size.resize(strips_);
  const double row = 4.0 * static_cast<double>(extent.stored * map(index).channels);
  for (size_t strip = 0; strip < strips_; strip++)
    buffer.size[strip] = aligned(static_cast<double>(extent.held[strip]) * row);
  add_live(buffer, 1);
}

void GroupCost::totals(Totals& totals) const {
  const Device& device = tables_.device;
  totals.arena_bytes.assign(strips_, 0);
  for (size_t at = static_cast<size_t>(begin_) * strips_; at < live_.size(); at += strips_)
    for (size_t strip = 0; strip < strips_; strip++)
      totals.arena_bytes[strip] = std::max(totals.arena_bytes[strip], live_[at + strip]);
  std::vector<double> loads(strips_, 0);
  double maps_s = outputs_s_;
  for (int index = 0; index < begin_; index++) {
    const Input& input = inputs_[static_cast<size_t>(index)];
    if (!input.known) continue;
    maps_s += map(index).map_traffic_s;
    for (size_t strip = 0; strip < strips_; strip++) {
      loads[strip] += input.load_s[strip];
      totals.arena_bytes[strip] += input.kept[strip];
    }
  }
  totals.seconds.resize(strips_);
  totals.reading_s.resize(strips_);
  totals.disk_s.resize(strips_);
  for (size_t strip = 0; strip < strips_; strip++) {
    totals.arena_bytes[strip] += kept_[strip] + device.overread_bytes;
    const double working_set = weight_bytes_ + totals.arena_bytes[strip];
    const double again = std::max(weights_read_[strip] - weight_bytes_, 0.0);
    const double weights_s =
        weight_bytes_ * device.weights_once_s + again * device.weights.at(working_set);
    const double traffic_s = traffic_bytes_ * device.traffic.at(working_set) + maps_s;
    totals.seconds[strip] = member_s_[strip] + loads[strip] + weights_s + traffic_s;
    totals.reading_s[strip] = file_read_[strip] * device.reading_s_per_byte + transform_s_[strip] +
                              chunks_read_[strip] * device.reading_s_per_piece;
    totals.disk_s[strip] = file_read_[strip] / device.disk_bytes_per_s;
  }
}

}  // namespace ftdist::planning
