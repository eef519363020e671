// The inner loops of walks over cuts: what reaching a cut costs, from all cuts before it at once.
// search/paths.py and search/knapsack.py say what is sought; their slow versions are in the tests.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ftdist::planning {

// The candidates of all groups that end at one cut (candidates.CandidateTable): those of group n are
// [starts[n], starts[n + 1]). `staging`, by group, counts beside a candidate's bytes, where it is given.
struct GroupCandidates {
  const int32_t* starts;
  const float* seconds;
  const uint32_t* floats;
  const float* staging;
  size_t groups;
  double tie_s_per_byte;  // what a byte adds to the seconds
};

// For each cap and group the least seconds of its candidates within the cap: `least` [caps][groups].
void least_seconds(const GroupCandidates& table, const double* caps, size_t count, double* least);

struct Cheapest {
  double seconds;  // infinite where no candidate is within the cap
  int64_t candidate;
};

// The fastest candidate of one group within a cap.
Cheapest cheapest(const GroupCandidates& table, size_t group, double cap);

// One cut's part of a walk by many queries. By query: the number of its cap, and the price of a byte.
// `resident`, `streamed`: seconds by cap and group; by group the bytes of weights that stay in memory.
struct CutCosts {
  const double* resident;
  const double* streamed;
  const double* resident_bytes;
  const double* streamed_bytes;
  size_t groups;
};

// The cheapest way to a cut for each query: cost and group. `before`: costs of reaching the first
// cuts of the groups, by query, `stride` apart.
void relax(const CutCosts& costs, const int64_t* cap_of, const double* prices, size_t queries,
           const double* before, size_t stride, double* cost, int64_t* group);

// The least seconds of reaching a cut with 0, 1, ... units of weights, and from which group. Each
// group takes `taken` units; `before` [groups][units] are the seconds of reaching their first cuts.
// `cost` and `group` are kept where nothing is faster; returns nothing else.
void fill(const double* seconds, const int64_t* taken, size_t groups, const double* before,
          size_t units, double* cost, int64_t* group);

}  // namespace ftdist::planning
