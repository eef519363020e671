// What a backward pass knows of a network and a device: plain numbers, made by group_tables.py.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ftdist::planning {

// floor(a / b) for b > 0. Nearly all divisors are 1, 2 or 4, and a division takes as long as twenty
// shifts.
inline int64_t floor_div(int64_t a, int64_t b) {
  if (b == 1) return a;
  if (b == 2) return a >> 1;
  if (b == 4) return a >> 2;
  const int64_t quotient = a / b;
  return quotient - (a % b < 0);
}

// geometry.AxisTerms: an output span [p, q) reads [unit ((m p + before) / d) + first, unit ((m q +
// after) / d) + last), divisions rounded down; with `whole` every position reads all of an axis of
// that size.
struct AxisTerms {
  int64_t multiplier, divisor, before, after, whole, unit, first, last;

  int64_t start(int64_t position) const {
    if (whole) return 0;
    return unit * floor_div(multiplier * position + before, divisor) + first;
  }
  int64_t stop(int64_t position) const {
    if (whole) return position > 0 ? whole : position * whole;
    return unit * floor_div(multiplier * position + after, divisor) + last;
  }
};

// An axis of what a layer reads: of several terms the hull is read. Only that is clipped to the map:
// one term alone may lie beside it (geometry.Spread).
struct Axis {
  std::vector<AxisTerms> terms;  // at least one

  int64_t start(int64_t position) const {
    int64_t found = terms.front().start(position);
    for (size_t more = 1; more < terms.size(); more++) found = std::min(found, terms[more].start(position));
    return found;
  }
  int64_t stop(int64_t position) const {
    int64_t found = terms.front().stop(position);
    for (size_t more = 1; more < terms.size(); more++) found = std::max(found, terms[more].stop(position));
    return found;
  }
  // By how many bits its one term shifts what it divides; -1 if it is not such an axis.
  int shift() const {
    const AxisTerms& only = terms.front();
    if (terms.size() > 1 || only.whole) return -1;
    return only.divisor == 1 ? 0 : only.divisor == 2 ? 1 : only.divisor == 4 ? 2 : -1;
  }
  bool whole() const {
    return std::any_of(terms.begin(), terms.end(), [](const AxisTerms& each) { return each.whole != 0; });
  }
};

// What a layer reads: a map, by its index, and how its rows and columns follow from the layer's.
// `padded`: columns beside the map are stored, as zeros. `as_it_lies`: it can be read where it lies
// between groups.
struct Reading {
  int source;
  bool padded, as_it_lies;
  Axis rows, columns;
};

// A map: those of the network's inputs come first, then what each layer makes.
struct Map {
  int64_t height, width, channels;
  bool computed;      // by a layer that is no alias
  bool planar;        // an array of the user's that lies channel by channel
  int last_use;       // the index of its last reader; one past the last layer's for outputs; 0 if none
  int pool;           // the index of the pool that is fused into it, else its own
  int64_t block;      // rows that are made at one time
  int64_t scratch;    // bytes in which its kernel works
  // Of its layer, for each reading of the weights: bytes where they are resident; where they are
  // streamed reads and bytes of the file, seconds of transforming; positions that one reading serves.
  double weight_bytes, chunks, file_bytes, transform_s, batch;
  double expand_s;              // seconds of transforming them wherever they are
  double fetching_s;            // seconds of fetching them that nothing hides
  double copy_column_s;         // seconds of copying a column of a row between arena and map
  double map_traffic_s;         // seconds that moving the whole map in or out costs
  std::vector<Reading> reads;  // one for each map that it reads
  size_t row_at;  // where the layer's table of Tables::row_s begins
};

// profile.DeviceProfile, as far as groups need it; curves are costs over the logarithm of a size.
struct Curve {
  std::vector<double> points, costs;
  double at(double size) const;
};

struct Device {
  double call_s, copy_bytes_per_s, disk_bytes_per_s, reading_s_per_byte, reading_s_per_piece;
  double weights_once_s;
  double alignment_bytes, overread_bytes;  // of blocks in the arena; at its end
  Curve traffic, weights;
};

struct Tables {
  std::vector<Map> maps;
  std::vector<double> row_s;  // seconds of a row by its columns, table after table
  Device device;
};

}  // namespace ftdist::planning
