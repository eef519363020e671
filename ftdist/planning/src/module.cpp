// The Python face of the search's backward passes; group_tables.py makes the tables and reads the answers.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>

#include "group_cost.hpp"
#include "placement.hpp"
#include "walks.hpp"

namespace nb = nanobind;
using namespace ftdist::planning;

namespace {

template <typename T>
using Table = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Row = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Answer = nb::ndarray<nb::numpy, T>;

template <typename T>
Answer<T> answer(std::vector<T>&& values, std::initializer_list<size_t> shape) {
  auto kept = std::make_unique<std::vector<T>>(std::move(values));
  T* data = kept->data();
  nb::capsule owner(kept.release(), [](void* each) noexcept { delete static_cast<std::vector<T>*>(each); });
  return Answer<T>(data, shape, owner);
}

// Layers in a row that every tile of a group may make whole at its beginning: with more of them another
// group is better, and a walk from each of hundreds of layers to the first is long. Chosen, not measured.
constexpr int MOST_MADE_WHOLE = 8;

AxisTerms axis_terms(const int64_t* numbers) {
  return {numbers[0], numbers[1], numbers[2], numbers[3],
          numbers[4], numbers[5], numbers[6], numbers[7]};
}

class Groups {
 public:
  // Rows of `sizes`: height, width, channels, computed, planar, last use, pool, block,
  // scratch. Of `costs`: weight bytes, chunks, bytes of the file, transforming, batch, copying a
  // column, moving the map, transforming always, fetching weights. Of `readings`: reader, source, padded, as it
  // lies, a term of the rows, one of the columns; rows of one reader and source, which follow each other, have all
  // of their terms. `row_s` holds tables of seconds by columns, of which each map has [start, stop) in `row_at`.
  // `device`: as in tables.hpp.
  Groups(const Table<int64_t>& sizes, const Table<double>& costs, const Table<int64_t>& readings,
         const Row<double>& row_s, const Table<int64_t>& row_at, const Row<double>& device,
         const Table<double>& traffic, const Table<double>& weights) {
    if (sizes.shape(1) != 9 || costs.shape(1) != 9 || readings.shape(1) != 20 || device.size() != 8)
      throw nb::value_error("tables of another version; reinstall ftdist");
    for (size_t index = 0; index < sizes.shape(0); index++) {
      const int64_t* size = sizes.data() + 9 * index;
      const double* cost = costs.data() + 9 * index;
      Map map;
      map.height = size[0], map.width = size[1], map.channels = size[2];
      map.computed = size[3] != 0, map.planar = size[4] != 0;
      map.last_use = static_cast<int>(size[5]), map.pool = static_cast<int>(size[6]);
      map.block = size[7], map.scratch = size[8];
      map.weight_bytes = cost[0], map.chunks = cost[1], map.file_bytes = cost[2];
      map.transform_s = cost[3], map.batch = cost[4];
      map.copy_column_s = cost[5], map.map_traffic_s = cost[6], map.expand_s = cost[7];
      map.fetching_s = cost[8];
      map.row_at = static_cast<size_t>(row_at.data()[2 * index]);
      tables_.maps.push_back(std::move(map));
    }
    for (size_t index = 0; index < readings.shape(0); index++) {
      const int64_t* reading = readings.data() + 20 * index;
      std::vector<Reading>& reads = tables_.maps.at(static_cast<size_t>(reading[0])).reads;
      const int source = static_cast<int>(reading[1]);
      if (reads.empty() || reads.back().source != source)
        reads.push_back({source, reading[2] != 0, reading[3] != 0, {}, {}});
      reads.back().rows.terms.push_back(axis_terms(reading + 4));
      reads.back().columns.terms.push_back(axis_terms(reading + 12));
    }
    tables_.row_s.assign(row_s.data(), row_s.data() + row_s.size());
    const double* rate = device.data();
    tables_.device = {rate[0], rate[1], rate[2], rate[3], rate[4], rate[5], rate[6], rate[7],
                       curve(traffic), curve(weights)};
  }

  // The groups that end before map index `stop`, from first layers of index `first` and more (see
  // MOST_MADE_WHOLE):
  // (which of `strips` are possible, first layers, and by first layer and strip: seconds on one
  // thread, seconds of copying streamed weights, seconds of their disk, bytes of an arena).
  nb::tuple ending_at(int stop, int first, int rows, int columns, const std::vector<int>& strips) const {
    std::vector<int64_t> firsts;
    std::vector<double> seconds, reading_s, disk_s, arena_bytes;
    std::vector<int> possible;
    {
      nb::gil_scoped_release release;
      BackwardPass backward(tables_, stop, rows, columns, strips);
      possible = backward.strips();
      if (!possible.empty()) {
        GroupCost cost(tables_, backward);
        GroupCost::Totals totals;
        int made_whole = 0;
        backward.run(first, [&](int index, const LayerExtent& extent) {
          cost.add_layer(index, extent);
          cost.totals(totals);
          firsts.push_back(index);
          const auto append = [](std::vector<double>& to, const std::vector<double>& from) {
            to.insert(to.end(), from.begin(), from.end());
          };
          append(seconds, totals.seconds);
          append(reading_s, totals.reading_s);
          append(disk_s, totals.disk_s);
          append(arena_bytes, totals.arena_bytes);
          made_whole = backward.is_made_whole(index, extent) ? made_whole + 1 : 0;
          return made_whole <= MOST_MADE_WHOLE;
        });
      }
    }
    const size_t groups = firsts.size(), heights = possible.size();
    return nb::make_tuple(possible, answer(std::move(firsts), {groups}),
                          answer(std::move(seconds), {groups, heights}),
                          answer(std::move(reading_s), {groups, heights}),
                          answer(std::move(disk_s), {groups, heights}),
                          answer(std::move(arena_bytes), {groups, heights}));
  }

  // Bytes of an arena of the group of map indices [first, stop) for one strip height.
  int64_t arena_bytes(int first, int stop, int rows, int columns, int strip) const {
    if (first < 1 || stop > static_cast<int>(tables_.maps.size()) || first >= stop)
      throw nb::value_error("no such group");
    return ::ftdist::planning::arena_bytes(tables_, first, stop, rows, columns, strip);
  }

 private:
  static Curve curve(const Table<double>& points) {
    Curve curve;
    for (size_t index = 0; index < points.shape(0); index++) {
      curve.points.push_back(points.data()[2 * index]);
      curve.costs.push_back(points.data()[2 * index + 1]);
    }
    return curve;
  }

  Tables tables_;
};

}  // namespace

NB_MODULE(_groups, module) {
  nb::set_leak_warnings(false);
  module.doc() = "Time and memory of every candidate group of a network.";
  add_walks(module);
  nb::class_<Groups>(module, "Groups")
      .def(nb::init<const Table<int64_t>&, const Table<double>&, const Table<int64_t>&, const Row<double>&,
                    const Table<int64_t>&, const Row<double>&, const Table<double>&, const Table<double>&>())
      .def("ending_at", &Groups::ending_at, nb::arg("stop"), nb::arg("first"), nb::arg("rows"),
           nb::arg("columns"), nb::arg("strips"))
      .def("arena_bytes", &Groups::arena_bytes, nb::arg("first"), nb::arg("stop"), nb::arg("rows"),
           nb::arg("columns"), nb::arg("strip"));
}
