#include "backward_pass.hpp"

#include <algorithm>
#include <utility>

namespace ftdist::planning {

namespace {

constexpr int64_t FAR = int64_t{1} << 40;

Span share(int64_t size, int parts, int index) {
  return {index * size / parts, (index + 1) * size / parts};
}

Span hull(const Span& a, const Span& b) {
  if (a.stop <= a.start) return b;
  if (b.stop <= b.start) return a;
  return {std::min(a.start, b.start), std::max(a.stop, b.stop)};
}

Span clipped(const Span& span, int64_t size) {
  const int64_t start = std::min(std::max(span.start, int64_t{0}), size);
  return {start, std::max(start, std::min(span.stop, size))};
}

// group.columns_read: the columns of a map that must be stored for its reader to make `stored`.
Span columns_read(const Reading& reading, const Map& reader, const Map& source, const Span& stored) {
  const Span made = clipped(stored, reader.width);
  const Span read = {reading.columns.start(made.start), reading.columns.stop(made.stop)};
  if (!reading.padded) return clipped(read, source.width);
  const int64_t beside = std::min(std::max(read.start, int64_t{0}), source.width - 1);
  return hull(read, {beside, beside + 1});
}

}  // namespace

BackwardPass::BackwardPass(const Tables& tables, int stop, int rows, int columns,
                           const std::vector<int>& strips)
    : tables_(tables), stop_(stop), rows_(rows), columns_(columns) {
  is_output_.assign(static_cast<size_t>(stop), false);
  bool fits = true;
  for (int index = 1; index < stop; index++) {
    const Map& own = map(index);
    if (!own.computed || own.last_use < stop) continue;
    is_output_[static_cast<size_t>(index)] = true;
    primary_ = index;
    fits = fits && rows <= own.height && columns <= own.width;
  }
  if (primary_ == 0 || !fits) return;
  needs_.resize(static_cast<size_t>(stop));
  lay_out_passes(strips);
}

void BackwardPass::lay_out_passes(const std::vector<int>& strips) {
  const int64_t height = map(primary_).height;
  int64_t longest = 0;
  for (int tile = 0; tile < rows_; tile++) {
    const Span own = share(height, rows_, tile);
    longest = std::max(longest, own.stop - own.start);
  }
  for (const int strip : strips)
    if (strip < longest) strips_.push_back(strip);
  const int64_t early_rows = warm_up();
  for (int tile = 0; tile < rows_; tile++) {
    const Span own = share(height, rows_, tile);
    for (size_t index = 0; index < strips_.size(); index++) {
      const size_t begin = target_.size();
      if (const int64_t step = strips_[index]) {
        const int64_t early = (early_rows + step - 1) / step;
        for (int64_t row = own.start - early * step; row < own.stop; row += step)
          target_.push_back(row);
      }
      target_.push_back(own.stop);
      last_.resize(target_.size(), false);
      last_.back() = true;
      stretches_.push_back({tile, static_cast<int>(index), begin, target_.size()});
    }
  }
}

// Rows ahead of a tile's first at which nothing is needed yet: enough, a power of two
// (backward_pass.py).
int64_t BackwardPass::warm_up() const {
  const int64_t height = map(primary_).height;
  int doublings = 2;
  for (int64_t rest = 4 * height; rest > 0; rest >>= 1) doublings++;
  std::vector<int64_t> reach(static_cast<size_t>(stop_)), first(static_cast<size_t>(stop_));
  std::vector<bool> known(static_cast<size_t>(stop_));
  int64_t ahead = 1;
  for (int doubling = 0; doubling < doublings; doubling++) {
    ahead = int64_t{1} << doubling;
    std::fill(known.begin(), known.end(), false);
    bool settled = true;
    for (int index = primary_; index >= 0; index--) {
      const size_t at = static_cast<size_t>(index);
      if (is_output_[at]) {
        const int64_t own = floor_div(-ahead * map(index).height, height);
        reach[at] = known[at] ? std::max(reach[at], own) : own;
        first[at] = known[at] ? std::min(first[at], int64_t{0}) : 0;
        known[at] = true;
      }
      if (!known[at]) continue;
      settled = settled && reach[at] <= first[at];
      for (const Reading& reading : map(index).reads) {
        const size_t source = static_cast<size_t>(reading.source);
        const int64_t stop = reading.rows.stop(reach[at]), start = reading.rows.start(first[at]);
        reach[source] = known[source] ? std::max(reach[source], stop) : stop;
        first[source] = known[source] ? std::min(first[source], start) : start;
        known[source] = true;
      }
    }
    if (settled) break;
  }
  // What a layer reads wholly is wanted from row 0 on: later tiles begin as far ahead of that.
  bool whole = false, blocks = false;
  for (int index = primary_; index > 0; index--) blocks = blocks || map(index).block > 1;
  if (blocks) ahead *= 2;  // tiles begin between blocks too
  for (int index = primary_; index > 0; index--)
    for (const Reading& reading : map(index).reads)
      whole = whole || (known[static_cast<size_t>(index)] && reading.rows.whole());
  return whole ? ahead + share(height, rows_, rows_ - 1).start : ahead;
}

void BackwardPass::add_share(int index) {
  const Map& own = map(index);
  const int64_t height = map(primary_).height;
  const bool known = need(index).known;
  Need& need = begun(index);
  if (!known) need.reach.assign(target_.size(), -FAR);
  for (const Stretch& stretch : stretches_) {
    const int64_t stop = share(own.height, rows_, stretch.tile).stop;
    for (size_t pass = stretch.begin; pass < stretch.end; pass++) {
      const int64_t aim = last_[pass] ? stop : floor_div(target_[pass] * own.height, height);
      need.reach[pass] = std::max(need.reach[pass], aim);
    }
  }
  for (int tile = 0; tile < rows_; tile++) {
    int64_t& start = need.start[static_cast<size_t>(tile)];
    const int64_t mine = share(own.height, rows_, tile).start;
    start = known ? std::min(start, mine) : mine;
  }
  for (int tile = 0; tile < columns_; tile++) {
    Span& columns = need.columns[static_cast<size_t>(tile)];
    columns = hull(columns, share(own.width, columns_, tile));
  }
  need.measured = false;
}

// What is needed of a map, with room for all passes; nothing is, as long as no reader is known.
BackwardPass::Need& BackwardPass::begun(int index) {
  Need& need = this->need(index);
  if (need.known) return need;
  if (!dropped_.empty()) {
    need = std::move(dropped_.back());
    dropped_.pop_back();
  }
  need.known = true;
  need.measured = false;
  need.reach.resize(target_.size());
  need.first.resize(target_.size());
  need.made.resize(target_.size());
  need.makes_from.resize(stretches_.size());
  need.read_from.resize(stretches_.size());
  for (size_t each = 0; each < stretches_.size(); each++) need.read_from[each] = stretches_[each].end;
  need.first_early.assign(stretches_.size(), FAR);
  need.start.resize(static_cast<size_t>(rows_));
  need.columns.assign(static_cast<size_t>(columns_), Span{0, 0});
  return need;
}

void BackwardPass::measure(int index) {
  Need& need = this->need(index);
  const Map& own = map(index);
  LayerExtent& extent = need.extent;
  const size_t strips = strips_.size();
  extent.held.assign(strips, 0);
  extent.kept.assign(strips, 0);
  extent.calls.assign(strips, 0);
  extent.moved.assign(strips, 0);
  extent.rows = 0;
  for (size_t stretch = 0; stretch < stretches_.size(); stretch++) measure(need, own, stretch);
  extent.stored = extent.column_sum = 0;
  extent.columns.clear();
  for (const Span& span : need.columns) {
    const Span on_map = clipped(span, own.width);
    extent.stored = std::max(extent.stored, std::max(int64_t{0}, span.stop - span.start));
    extent.columns.push_back(on_map.stop - on_map.start);
    extent.column_sum += extent.columns.back();
  }
  need.measured = true;
}

// Adds what one tile and strip height makes, holds and keeps.
void BackwardPass::measure(Need& need, const Map& own, size_t number) {
  const Stretch& stretch = stretches_[number];
  const int64_t start = need.start[static_cast<size_t>(stretch.tile)];
  const int64_t stop = need.reach[stretch.end - 1];
  const auto begin = need.reach.begin() + static_cast<int64_t>(stretch.begin);
  const auto end = need.reach.begin() + static_cast<int64_t>(stretch.end);
  const size_t makes = own.height > start ? static_cast<size_t>(std::upper_bound(begin, end, start) - need.reach.begin())
                                          : stretch.end;
  need.makes_from[number] = makes;
  if (own.block > 1)  // begun blocks of rows are made to their end
    for (size_t pass = makes; pass < stretch.end; pass++)
      need.reach[pass] = std::min(-floor_div(-need.reach[pass], own.block) * own.block, stop);
  int64_t before = start, held = 0, calls = 0, moved = 0;
  int64_t first = stretch.begin < std::min(makes, need.read_from[number]) ? need.first_early[number] : FAR;
  for (size_t pass = need.read_from[number]; pass < makes; pass++) first = std::min(first, need.first[pass]);
  int64_t kept = std::max(int64_t{0}, start - first);
  held = kept;
  for (size_t pass = makes; pass < stretch.end; pass++) {
    const int64_t wanted = pass < need.read_from[number] ? need.first_early[number] : need.first[pass];
    const int64_t made = std::max(std::min(need.reach[pass], own.height), start);
    const int64_t from = std::min(wanted, before);
    held = std::max(held, made - from);
    kept = std::max(kept, before - from);
    const bool makes_rows = made > before;
    calls += makes_rows;
    moved += makes_rows ? before - from : 0;
    need.made[pass] = before = made;
  }
  LayerExtent& extent = need.extent;
  const size_t strip = static_cast<size_t>(stretch.strip);
  extent.held[strip] = std::max(extent.held[strip], held);
  extent.kept[strip] = std::max(extent.kept[strip], kept);
  extent.calls[strip] += calls;
  extent.moved[strip] += moved;
  if (stretch.strip == 0) extent.rows += before - start;
}

const LayerExtent& BackwardPass::extent(int index) {
  if (!need(index).measured) measure(index);
  return need(index).extent;
}

void BackwardPass::add_reader(int reader, const Reading& reading) {
  const Map& layer = map(reader);
  const Map& read = map(reading.source);
  const bool known = need(reading.source).known;
  Need& to = begun(reading.source);
  const Need& from = need(reader);
  const Axis& rows = reading.rows;
  add_rows(from, to, rows, layer.height, known);
  for (const Stretch& stretch : stretches_) {
    if (stretch.strip != 0) continue;
    const size_t tile = static_cast<size_t>(stretch.tile);
    const int64_t start = std::max(rows.start(from.start[tile]), int64_t{0});
    to.start[tile] = known ? std::min(to.start[tile], start) : start;
  }
  for (size_t tile = 0; tile < to.columns.size(); tile++)
    to.columns[tile] = hull(to.columns[tile], columns_read(reading, layer, read, from.columns[tile]));
  to.measured = false;
}

// Adds how far each pass of a reader reaches into a map, and the first row that it reads.
void BackwardPass::add_rows(const Need& from, Need& to, const Axis& rows, int64_t height, bool known) {
  const auto add_reach = [&](auto&& stop) {
    for (size_t pass = 0; pass < target_.size(); pass++) {
      const int64_t reach = stop(std::min(from.reach[pass], height));
      to.reach[pass] = known ? std::max(to.reach[pass], reach) : reach;
    }
  };
  const AxisTerms only = rows.terms.front();
  const int shift = rows.shift();
  if (shift >= 0)  // nearly always, and most of a search's time goes by here
    add_reach([only, shift](int64_t position) {
      return only.unit * ((only.multiplier * position + only.after) >> shift) + only.last;
    });
  else
    add_reach([&rows](int64_t position) { return rows.stop(position); });
  for (size_t number = 0; number < stretches_.size(); number++) {
    const Stretch& stretch = stretches_[number];
    const size_t makes = from.makes_from[number];
    const int64_t start = from.start[static_cast<size_t>(stretch.tile)];
    const int64_t stop = makes < stretch.end ? from.made[stretch.end - 1] : start;
    const int64_t early = start < stop ? std::max(rows.start(start), int64_t{0}) : FAR;
    const size_t reads = std::min(makes + 1, stretch.end);  // the pass after the first that makes rows
    const size_t begin = std::min(to.read_from[number], reads);
    for (size_t pass = begin; pass < to.read_from[number]; pass++) to.first[pass] = to.first_early[number];
    for (size_t pass = begin; pass < reads; pass++) to.first[pass] = std::min(to.first[pass], early);
    for (size_t pass = reads; pass < stretch.end; pass++) {
      const int64_t before = from.made[pass - 1];
      const int64_t first = before < stop ? std::max(rows.start(before), int64_t{0}) : FAR;
      to.first[pass] = std::min(to.first[pass], first);
    }
    to.read_from[number] = begin;
    to.first_early[number] = std::min(to.first_early[number], early);
  }
}

bool BackwardPass::is_made_whole(int index, const LayerExtent& extent) const {
  const Map& own = map(index);
  return rows_ * columns_ > 1 && own.height >= rows_ && own.width >= columns_ &&
         extent.rows == rows_ * own.height && extent.column_sum == columns_ * own.width;
}

void BackwardPass::run(int first, const std::function<bool(int, const LayerExtent&)>& visit) {
  if (strips_.empty()) return;
  for (int index = primary_; index >= first; index--) {
    if (!map(index).computed) continue;
    if (is_output(index)) add_share(index);
    if (!need(index).known) continue;
    const LayerExtent& own = extent(index);
    for (const Reading& reading : map(index).reads) add_reader(index, reading);
    if (!visit(index, own)) return;
    need(index).known = false;
    dropped_.push_back(std::move(need(index)));
    need(index) = Need();
  }
}

}  // namespace ftdist::planning
