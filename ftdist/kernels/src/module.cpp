// The Python face of the kernels: which instruction sets there are, and running one program without
// the interpreter lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "program.hpp"

namespace nb = nanobind;
using namespace ftdist;

namespace {

using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using WritableBytes = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

const Isa* find_isa(const std::string& name) {
  for (int index = 0; index < ISA_COUNT; index++)
    if (name == ISAS[index]->name) return ISAS[index];
  throw nb::value_error(("no such instruction set in this build: " + name).c_str());
}

nb::list instruction_sets() {
  nb::list found;
  for (int index = 0; index < ISA_COUNT; index++)
    if (ISAS[index]->supported())
      found.append(nb::make_tuple(ISAS[index]->name, ISAS[index]->lanes, ISAS[index]->fused));
  return found;
}

// `bases[0]` is the arena, then the maps in the order in which the program numbers them. Whether a
// map is only read is the program's to say; the caller passes read-only arrays as addresses too.
void run(const std::string& isa_name, const Bytes& kernels, const Bytes& calls,
         const Bytes& weights, const std::vector<std::pair<uintptr_t, int64_t>>& bases,
         const WritableBytes& counters) {
  const Isa* isa = find_isa(isa_name);
  if (!isa->supported()) throw nb::value_error("this machine lacks that instruction set");
  std::vector<unsigned char*> pointers;
  std::vector<int64_t> sizes;
  for (const auto& [pointer, size] : bases) {
    pointers.push_back(reinterpret_cast<unsigned char*>(pointer));
    sizes.push_back(size);
  }
  Program program;
  program.kernels = reinterpret_cast<const Kernel*>(kernels.data());
  program.kernel_count = static_cast<int64_t>(kernels.size() / sizeof(Kernel));
  program.calls = reinterpret_cast<const Call*>(calls.data());
  program.call_count = static_cast<int64_t>(calls.size() / sizeof(Call));
  program.weights = reinterpret_cast<const float*>(weights.data());
  program.weight_count = static_cast<int64_t>(weights.size() / sizeof(float));
  program.bases = pointers.data();
  program.base_bytes = sizes.data();
  program.base_count = static_cast<int64_t>(pointers.size());
  program.counters = reinterpret_cast<Counters*>(counters.data());
  if (static_cast<int64_t>(counters.size() / sizeof(Counters)) < program.kernel_count)
    throw nb::value_error("counters: one a kernel is needed");
  int64_t index = 0;
  if (const char* fault = find_fault(program, &index))
    throw nb::value_error((std::string(fault) + " (number " + std::to_string(index) + ")").c_str());
  nb::gil_scoped_release release;
  isa->run(program);
}

}  // namespace

NB_MODULE(_native, module) {
  module.doc() = "Native kernels of ftdist.";
  module.attr("KERNEL_BYTES") = sizeof(Kernel);
  module.attr("CALL_BYTES") = sizeof(Call);
  module.attr("COUNTERS_BYTES") = sizeof(Counters);
  module.def("instruction_sets", &instruction_sets,
             "(name, lanes, fused) of each set that this build and this machine have, best first.");
  module.def("run", &run, nb::arg("isa"), nb::arg("kernels"), nb::arg("calls"), nb::arg("weights"),
             nb::arg("bases"), nb::arg("counters"),
             "Runs a program; bases are (address, bytes), the arena first. Releases the GIL.");
}
