// The Python face of a plan's steps (steps.hpp). What is handed over is only pointed to: whoever makes
// one keeps the arrays as long as it lives.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <time.h>

#include <algorithm>
#include <optional>

#include "module.hpp"
#include "steps.hpp"

using namespace ftdist;

namespace {

template <class Item> Items<Item> items(const Bytes& bytes) {
  return {reinterpret_cast<const Item*>(bytes.data()),
          static_cast<int64_t>(bytes.size() / sizeof(Item))};
}

template <class Item> std::vector<Items<Item>> all_items(const std::vector<Bytes>& all) {
  std::vector<Items<Item>> found;
  for (const Bytes& each : all) found.push_back(items<Item>(each));
  return found;
}

// An array in one piece, of any numbers.
using Map = nb::ndarray<nb::ro, nb::device::cpu>;

std::vector<Base> bases(const std::vector<Map>& maps) {
  std::vector<Base> found;
  for (const Map& each : maps)
    found.push_back({static_cast<unsigned char*>(const_cast<void*>(each.data())),
                     static_cast<int64_t>(each.nbytes())});
  return found;
}

int64_t after(int64_t nanoseconds) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec + nanoseconds;
}

class BoundSteps {
 public:
  BoundSteps(const std::string& isa, Bytes weights, int file, const std::vector<Map>& inside)
      : isa_(find_isa(isa)), weights_(std::move(weights)), file_(file), maps_(bases(inside)),
        inside_(maps_.size()) {}

  void add(const std::vector<Bytes>& kernels, const std::vector<Bytes>& calls, const Bytes& views,
           const std::vector<int32_t>& maps, const std::vector<WritableBytes>& arenas,
           const std::vector<WritableBytes>& counters) {
    if (steps_) throw nb::value_error("a run has begun already");
    Step step = {all_items<Kernel>(kernels), all_items<Call>(calls), items<View>(views), maps, {}};
    for (size_t each = 0; each < std::min(arenas.size(), counters.size()); each++) {
      for (const Items<Kernel>& column : step.columns)
        if (counters[each].size() < column.count * sizeof(Counters))
          throw nb::value_error("counters: one a kernel is needed");
      step.arenas.push_back({{arenas[each].data(), static_cast<int64_t>(arenas[each].size())},
                             reinterpret_cast<Counters*>(counters[each].data())});
      if (arenas[each].size() != arenas[0].size())
        throw nb::value_error("arenas of a step are of one size");
    }
    if (step.arenas.empty() || step.tiles() < 1)
      throw nb::value_error("a step has a tile and an arena at least");
    for (const int32_t map : maps) most_map_ = std::max<int64_t>(most_map_, map < 0 ? INT32_MAX : map);
    if (static_cast<int64_t>(step.arenas.size()) != step.tiles())
      most_workers_ = std::min(most_workers_, step.arenas.size());
    collected_.push_back(std::move(step));
  }

  void begin(const std::vector<Map>& outside, int workers, int64_t look_ns) {
    if (most_map_ >= static_cast<int64_t>(inside_ + outside.size())) throw nb::value_error("no such map");
    if (workers < 1 || static_cast<size_t>(workers) > most_workers_)
      throw nb::value_error("as many arenas are needed as there are threads, or tiles");
    if (!steps_)
      steps_.emplace(*isa_, items<float>(weights_), file_, std::move(collected_));
    maps_.resize(inside_);
    for (const Base& each : bases(outside)) maps_.push_back(each);
    int64_t step = 0, place = 0;
    ready_ = 0;
    if (const char* fault = steps_->begin(maps_, workers, look_ns, &step, &place))
      throw nb::value_error((std::string(fault) + " (step " + std::to_string(step) + ", number " +
                             std::to_string(place) + ")").c_str());
    ready_ = workers;
  }

  std::pair<int, int64_t> work(int worker, int64_t most_ns, const WritableBytes& made) {
    if (worker < 0 || worker >= ready_) throw nb::value_error("no such thread in a run");
    MadeList list = {reinterpret_cast<Made*>(made.data()),
                     static_cast<int64_t>(made.size() / sizeof(Made)), 0};
    Result result;
    {
      nb::gil_scoped_release release;
      result = steps_->work(worker, after(most_ns), list.most > 0 ? &list : nullptr);
    }
    return {code(result), list.count};
  }

 private:
  int code(const Result& result) const {
    switch (result.outcome) {
      case Outcome::ENDED: return 0;
      case Outcome::GOES_ON: return GOES_ON;
      case Outcome::FAILED: return result.error;
      default: return contains(weights_, result.lost) ? LOST_WEIGHTS : LOST_MAP;
    }
  }

  const Isa* isa_;
  Bytes weights_;
  int file_;
  int64_t most_map_ = -1;
  size_t most_workers_ = INT32_MAX;
  int ready_ = 0;
  std::vector<Base> maps_;  // those inside the block first, then those of a run
  size_t inside_;
  std::vector<Step> collected_;
  std::optional<Steps> steps_;
};

}  // namespace

void bind_steps(nb::module_& module) {
  module.attr("GOES_ON") = GOES_ON;
  nb::class_<BoundSteps>(module, "Steps", "The steps of a plan, gone through by several threads.")
      .def(nb::init<const std::string&, Bytes, int, const std::vector<Map>&>(), nb::arg("isa"),
           nb::arg("weights"), nb::arg("file"), nb::arg("inside"))
      .def("add", &BoundSteps::add, nb::arg("kernels"), nb::arg("calls"), nb::arg("views"),
           nb::arg("maps"), nb::arg("arenas"), nb::arg("counters"),
           "Adds a step: kernels by column, calls by row, numbers of its maps, an arena and counters "
           "for each thread or tile.")
      .def("begin", &BoundSteps::begin, nb::arg("maps"), nb::arg("workers"), nb::arg("look_ns"),
           "Begins a run on these maps, which follow those inside, while no thread works. ValueError "
           "when a call would leave its buffers.")
      .def("work", &BoundSteps::work, nb::arg("worker"), nb::arg("most_ns"), nb::arg("made"),
           "Takes part in a run, without the GIL. Returns 0 when it is over, GOES_ON after a while "
           "or where `made` is full, else what `run` returns; and how many tiles are in `made`.");
}
