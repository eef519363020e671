// The Python face of the walks over cuts (paths.hpp).
#include "walks.hpp"

#include <nanobind/ndarray.h>

#include "paths.hpp"

namespace nb = nanobind;
using namespace ftdist::planning;

namespace {

template <typename T>
using Row = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Table = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Written = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using WrittenTable = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void demand(bool fits) {
  if (!fits) throw nb::value_error("arrays that do not belong together");
}

GroupCandidates candidates(const Row<int32_t>& starts, const Row<float>& seconds, const Row<uint32_t>& floats,
                           const Row<float>& staging, double tie_s_per_byte) {
  demand(starts.size() > 0);
  const size_t groups = starts.size() - 1;
  demand(staging.size() == 0 || staging.size() == groups);
  const float* beside = staging.size() ? staging.data() : nullptr;
  return {starts.data(), seconds.data(), floats.data(), beside, groups, tie_s_per_byte};
}

void least(const Row<int32_t>& starts, const Row<float>& seconds, const Row<uint32_t>& floats,
           const Row<float>& staging, const Row<double>& caps, double tie_s_per_byte,
           const WrittenTable<double>& found) {
  const GroupCandidates table = candidates(starts, seconds, floats, staging, tie_s_per_byte);
  const size_t groups = table.groups;
  demand(found.shape(0) == caps.size() && found.shape(1) == groups);
  int32_t before = 0;
  for (size_t group = 0; group <= groups; group++) {
    demand(starts.data()[group] >= before);
    before = starts.data()[group];
  }
  const size_t stop = static_cast<size_t>(before);
  demand(stop <= seconds.size() && stop <= floats.size());
  least_seconds(table, caps.data(), caps.size(), found.data());
}

nb::tuple cheapest_of(const Row<int32_t>& starts, const Row<float>& seconds, const Row<uint32_t>& floats,
                      const Row<float>& staging, size_t group, double cap, double tie_s_per_byte) {
  const GroupCandidates table = candidates(starts, seconds, floats, staging, tie_s_per_byte);
  demand(group < table.groups && starts.data()[group] >= 0);
  const size_t stop = static_cast<size_t>(starts.data()[group + 1]);
  demand(stop <= seconds.size() && stop <= floats.size());
  const Cheapest found = cheapest(table, group, cap);
  return nb::make_tuple(found.seconds, found.candidate);
}

void walk(const Table<double>& resident, const Table<double>& streamed, const Row<double>& resident_bytes,
          const Row<double>& streamed_bytes, const Row<int64_t>& cap_of, const Row<double>& prices,
          const Table<double>& best, int64_t low, const Written<double>& cost,
          const Written<int64_t>& group) {
  const size_t groups = resident.shape(1), queries = cap_of.size();
  demand(streamed.shape(0) == resident.shape(0) && streamed.shape(1) == groups);
  demand(resident_bytes.size() == groups && streamed_bytes.size() == groups);
  demand(prices.size() == queries && best.shape(0) == queries);
  demand(cost.size() == queries && group.size() == queries);
  demand(low >= 0 && static_cast<size_t>(low) + groups <= best.shape(1));
  for (size_t query = 0; query < queries; query++)
    demand(cap_of.data()[query] >= 0 && cap_of.data()[query] < static_cast<int64_t>(resident.shape(0)));
  const CutCosts costs = {resident.data(), streamed.data(), resident_bytes.data(), streamed_bytes.data(),
                          groups};
  relax(costs, cap_of.data(), prices.data(), queries, best.data() + low, best.shape(1), cost.data(),
        group.data());
}

void fill_room(const Row<double>& seconds, const Row<int64_t>& taken, const Table<double>& before,
               const Written<double>& cost, const Written<int64_t>& group) {
  const size_t groups = seconds.size();
  demand(taken.size() == groups && before.shape(0) == groups);
  demand(before.shape(1) == cost.size() && group.size() == cost.size());
  for (size_t number = 0; number < groups; number++) demand(taken.data()[number] >= 0);
  fill(seconds.data(), taken.data(), groups, before.data(), cost.size(), cost.data(), group.data());
}

}  // namespace

void ftdist::planning::add_walks(nb::module_& module) {
  module.def("least", &least, nb::arg("starts"), nb::arg("seconds"), nb::arg("floats"), nb::arg("staging"),
             nb::arg("caps"), nb::arg("tie_s_per_byte"), nb::arg("found"));
  module.def("cheapest", &cheapest_of, nb::arg("starts"), nb::arg("seconds"), nb::arg("floats"),
             nb::arg("staging"), nb::arg("group"), nb::arg("cap"), nb::arg("tie_s_per_byte"));
  module.def("walk", &walk, nb::arg("resident"), nb::arg("streamed"), nb::arg("resident_bytes"),
             nb::arg("streamed_bytes"), nb::arg("cap_of"), nb::arg("prices"), nb::arg("best"), nb::arg("low"),
             nb::arg("cost"), nb::arg("group"));
  module.def("fill", &fill_room, nb::arg("seconds"), nb::arg("taken"), nb::arg("before"), nb::arg("cost"),
             nb::arg("group"));
}
