#include "paths.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ftdist::planning {

namespace {

constexpr double NEVER = std::numeric_limits<double>::infinity();

// Bytes of a candidate, with what counts beside it.
double bytes_of(const GroupCandidates& table, size_t group, size_t at) {
  const double beside = table.staging ? static_cast<double>(table.staging[group]) : 0.0;
  return 4.0 * static_cast<double>(table.floats[at]) + beside;
}

// Seconds of a candidate; smaller ones win ties.
double seconds_of(const GroupCandidates& table, size_t at, double bytes) {
  return static_cast<double>(table.seconds[at]) + bytes * table.tie_s_per_byte;
}

}  // namespace

void least_seconds(const GroupCandidates& table, const double* caps, size_t count, double* least) {
  std::vector<double> best(count);  // side by side, and without a branch: several caps at once
  for (size_t group = 0; group < table.groups; group++) {
    std::fill(best.begin(), best.end(), NEVER);
    const size_t stop = static_cast<size_t>(table.starts[group + 1]);
    for (size_t at = static_cast<size_t>(table.starts[group]); at < stop; at++) {
      const double bytes = bytes_of(table, group, at), seconds = seconds_of(table, at, bytes);
      for (size_t cap = 0; cap < count; cap++) {
        const double within = bytes <= caps[cap] ? seconds : NEVER;
        best[cap] = within < best[cap] ? within : best[cap];
      }
    }
    for (size_t cap = 0; cap < count; cap++) least[cap * table.groups + group] = best[cap];
  }
}

Cheapest cheapest(const GroupCandidates& table, size_t group, double cap) {
  Cheapest found = {NEVER, table.starts[group]};
  for (int64_t at = table.starts[group]; at < table.starts[group + 1]; at++) {
    const double bytes = bytes_of(table, group, static_cast<size_t>(at));
    const double seconds = seconds_of(table, static_cast<size_t>(at), bytes);
    if (bytes <= cap && seconds < found.seconds) found = {seconds, at};
  }
  return found;
}

void relax(const CutCosts& costs, const int64_t* cap_of, const double* prices, size_t queries,
           const double* before, size_t stride, double* cost, int64_t* group) {
  for (size_t query = 0; query < queries; query++) {
    const size_t row = static_cast<size_t>(cap_of[query]) * costs.groups;
    const double price = prices[query];
    double best = NEVER;
    size_t at = 0;
    for (size_t number = 0; number < costs.groups; number++) {
      const double resident = costs.resident[row + number] + price * costs.resident_bytes[number];
      const double streamed = costs.streamed[row + number] + price * costs.streamed_bytes[number];
      const double reached = before[query * stride + number] + std::min(resident, streamed);
      if (reached < best) best = reached, at = number;
    }
    cost[query] = best;
    group[query] = static_cast<int64_t>(at);
  }
}

void fill(const double* seconds, const int64_t* taken, size_t groups, const double* before,
          size_t units, double* cost, int64_t* group) {
  for (size_t number = 0; number < groups; number++) {
    if (!std::isfinite(seconds[number]) || taken[number] >= static_cast<int64_t>(units)) continue;
    const size_t first = static_cast<size_t>(taken[number]);
    const double* from = before + number * units;
    for (size_t unit = first; unit < units; unit++) {
      const double reached = from[unit - first] + seconds[number];
      if (reached < cost[unit]) cost[unit] = reached, group[unit] = static_cast<int64_t>(number);
    }
  }
}

}  // namespace ftdist::planning
