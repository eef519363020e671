// The Python face of the kernels: which instruction sets there are, and running one program without
// the interpreter lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <sys/stat.h>
#include <unistd.h>

#include "guard.hpp"
#include "module.hpp"
#include "rules.hpp"
#include "transform.hpp"

using namespace ftdist;

const Isa* find_isa(const std::string& name) {
  for (int index = 0; index < ISA_COUNT; index++) {
    if (name != ISAS[index]->name) continue;
    if (!ISAS[index]->supported()) throw nb::value_error("this machine lacks that instruction set");
    return ISAS[index];
  }
  throw nb::value_error(("no such instruction set in this build: " + name).c_str());
}

namespace {

nb::list instruction_sets() {
  nb::list found;
  for (int index = 0; index < ISA_COUNT; index++)
    if (ISAS[index]->supported())
      found.append(nb::make_tuple(ISAS[index]->name, ISAS[index]->lanes, ISAS[index]->fused,
                                  ISAS[index]->pixels, ISAS[index]->wide_pixels));
  return found;
}

nb::tuple names(const char* const* all, int count) {
  nb::list found;
  for (int index = 0; index < count; index++) found.append(all[index]);
  return nb::tuple(found);
}

nb::tuple operations() {
  nb::list found;
  for (int number = 0; const Operation* operation = find_operation(number); number++)
    found.append(operation->name);
  return nb::tuple(found);
}

// (name, offset, bytes) of each field, as ftdist/kernels/program.py declares them.
template <class Field> nb::tuple field(const char* name, size_t offset, const Field&) {
  return nb::make_tuple(name, offset, sizeof(Field));
}

template <class Struct> nb::tuple whole() { return nb::make_tuple("", sizeof(Struct), 0); }

// Each struct of program.hpp, field by field; the last has no name and says how long the whole is.
nb::dict structs() {
  nb::dict found;
#define FIELD(name, member) field(name, offsetof(Struct, member), Struct().member)
#define SAME(member) FIELD(#member, member)
  {
    using Struct = Buffer;
    found["BUFFER"] = nb::make_tuple(SAME(base), SAME(type), SAME(column), SAME(columns),
                                     SAME(offset), SAME(row), SAME(pixel), SAME(channel), whole<Struct>());
  }
  {
    using Struct = Kernel;
    found["KERNEL"] = nb::make_tuple(
        SAME(op), SAME(activation), SAME(slope), SAME(count_padding), SAME(factor), SAME(kept),
        SAME(shift), SAME(power), FIELD("in", in), SAME(in2), SAME(out), SAME(height), SAME(width),
        SAME(left), SAME(right), SAME(channels), SAME(filters), SAME(groups), SAME(kernel_height),
        SAME(kernel_width), SAME(stride_y), SAME(stride_x), SAME(dilation_y), SAME(dilation_x),
        SAME(pad_top), SAME(pad_left), SAME(streamed), SAME(pool_height), SAME(pool_width),
        SAME(part), SAME(sample), SAME(size), SAME(in2_height), SAME(in2_width),
        SAME(in2_channels), SAME(out_height), SAME(out_width), SAME(view), SAME(kind), SAME(tiles),
        SAME(table), SAME(mean), SAME(deviation), SAME(weights), SAME(bias), SAME(window),
        SAME(scratch), SAME(expanded), whole<Struct>());
  }
  {
    using Struct = Call;
    found["CALL"] = nb::make_tuple(SAME(kernel), SAME(row), SAME(rows), SAME(in_row),
                                   SAME(in2_row), SAME(out_row), whole<Struct>());
  }
  {
    using Struct = View;
    found["VIEW"] = nb::make_tuple(SAME(first), SAME(first2), SAME(rows), SAME(columns),
                                   SAME(channels), SAME(terms), SAME(counts), SAME(steps),
                                   SAME(steps2), whole<Struct>());
  }
  {
    using Struct = Counters;
    found["COUNTERS"] = nb::make_tuple(SAME(nanoseconds), SAME(macs), whole<Struct>());
  }
#undef SAME
#undef FIELD
  return found;
}

nb::dict constants() {
  nb::dict found;
  found["BLOCK"] = BLOCK;
  found["OVERREAD_BYTES"] = OVERREAD_BYTES;
  found["PICTURE_CHANNELS"] = PICTURE_CHANNELS;
  found["CHUNK_BLOCKS"] = CHUNK_BLOCKS;
  found["TOGETHER_BLOCKS"] = TOGETHER_BLOCKS;
  found["SLICE_CHANNELS"] = SLICE_CHANNELS;
  found["POOL_MOST"] = POOL_MOST;
  found["FACTORS"] = FACTORS;
  found["FLOAT32"] = static_cast<int>(TYPE_FLOAT32);
  found["UINT8"] = static_cast<int>(TYPE_UINT8);
  return found;
}

struct Job {
  const Isa* isa;
  const Program* program;
};

void work(const void* context) {
  const Job& job = *static_cast<const Job*>(context);
  job.isa->run(*job.program);
}

// `bases[0]` is the arena, then the maps in the order in which the program numbers them. Whether a
// map is only read is the program's to say; the caller passes read-only arrays as addresses too.
int run(const std::string& isa_name, const Bytes& kernels, const Bytes& calls,
         const Bytes& views, const Bytes& weights, const std::vector<std::pair<uintptr_t, int64_t>>& bases,
         const WritableBytes& counters, int file) {
  const Isa* isa = find_isa(isa_name);
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
  program.views = reinterpret_cast<const View*>(views.data());
  program.view_count = static_cast<int64_t>(views.size() / sizeof(View));
  program.weights = reinterpret_cast<const float*>(weights.data());
  program.weight_count = static_cast<int64_t>(weights.size() / sizeof(float));
  program.bases = pointers.data();
  program.base_bytes = sizes.data();
  program.base_count = static_cast<int64_t>(pointers.size());
  program.file = file;
  program.counters = reinterpret_cast<Counters*>(counters.data());
  if (static_cast<int64_t>(counters.size() / sizeof(Counters)) < program.kernel_count)
    throw nb::value_error("counters: one a kernel is needed");
  int64_t index = 0;
  if (const char* fault = find_fault(program, &index))
    throw nb::value_error((std::string(fault) + " (number " + std::to_string(index) + ")").c_str());
  int failure = 0;
  program.failure = &failure;
  const Job job = {isa, &program};
  const void* lost = nullptr;
  {
    nb::gil_scoped_release release;
    lost = guarded(work, &job);
  }
  if (lost != nullptr) return contains(weights, lost) ? LOST_WEIGHTS : LOST_MAP;
  return failure;
}

struct Pages {
  const volatile uint8_t* first;
  int64_t bytes, step;
};

void read_pages(const void* context) {
  const Pages& pages = *static_cast<const Pages*>(context);
  for (int64_t at = 0; at < pages.bytes; at += pages.step) (void)pages.first[at];
  if (pages.bytes > 0) (void)pages.first[pages.bytes - 1];
}

// -1 where it has none.
int64_t file_bytes(int file) {
  struct stat found;
  return fstat(file, &found) == 0 ? static_cast<int64_t>(found.st_size) : -1;
}

// Whether every page of the bytes [start, stop) could be read.
bool touch(const Bytes& bytes, int64_t start, int64_t stop) {
  if (start < 0 || stop < start || stop > static_cast<int64_t>(bytes.size()))
    throw nb::value_error("no such span");
  const int64_t step = sysconf(_SC_PAGESIZE);
  const Pages pages = {bytes.data() + start, stop - start, step};
  nb::gil_scoped_release release;
  return guarded(read_pages, &pages) == nullptr;
}

// The weights of a 3x3 convolution in the model file, transformed (transform.hpp), to `to`. Returns 0
// or the error number with which reading failed.
int transform(const std::string& isa_name, int file, int64_t from, int blocks, int channels, int size,
              const WritableBytes& to) {
  const Isa* isa = find_isa(isa_name);
  if (size != 2 && size != 4) throw nb::value_error("blocks of 2 or 4");
  if (from < 0 || blocks < 1 || channels < 1 ||
      transformed_floats(blocks, channels, size) * sizeof(float) > to.size())
    throw nb::value_error("no room for so many weights");
  nb::gil_scoped_release release;
  return transform_weights(*isa, file, from, blocks, channels, size, reinterpret_cast<float*>(to.data()));
}

}  // namespace

NB_MODULE(_native, module) {
  nb::set_leak_warnings(false);  // a session that is open when the interpreter ends is no fault
  module.doc() = "Native kernels of ftdist.";
  module.attr("STRUCTS") = structs();
  module.attr("OPERATIONS") = operations();
  module.attr("ACTIVATIONS") = names(ACTIVATION_NAMES, ACT_COUNT);
  nb::dict kinds;
  kinds["reductions"] = names(REDUCTION_NAMES, REDUCE_COUNT);
  kinds["functions"] = names(FUNCTION_NAMES, FUNCTION_COUNT);
  kinds["pairs"] = names(PAIR_NAMES, PAIR_COUNT);
  module.attr("KINDS") = kinds;
  module.attr("CONSTANTS") = constants();
  module.def("instruction_sets", &instruction_sets,
             "(name, lanes, fused, pixels, wide_pixels) of each set that this build and this "
             "machine have, best first.");
  module.def("run", &run, nb::arg("isa"), nb::arg("kernels"), nb::arg("calls"), nb::arg("views"),
             nb::arg("weights"),
             nb::arg("bases"), nb::arg("counters"), nb::arg("file"),
             "Runs a program; bases are (address, bytes), the arena first. Releases the GIL. "
             "Returns 0, or the error number with which reading streamed weights failed, or "
             "LOST_WEIGHTS or LOST_MAP when a mapped file gave no more.");
  module.attr("LOST_WEIGHTS") = LOST_WEIGHTS;
  module.attr("LOST_MAP") = LOST_MAP;
  bind_steps(module);
  module.def("transform", &transform, nb::arg("isa"), nb::arg("file"), nb::arg("start"), nb::arg("blocks"),
             nb::arg("channels"), nb::arg("size"), nb::arg("to"),
             "Transforms 3x3 weights from a float on in a file; returns 0 or an error number.");
  module.def("file_bytes", &file_bytes, nb::arg("file"),
             "The size of an open file, -1 where it has none; the interpreter is kept meanwhile.");
  module.def("touch", &touch, nb::arg("bytes"), nb::arg("start"), nb::arg("stop"),
             "Reads every page of a span; False when a mapped file gave no more.");
}
