// Runs programs that were recorded elsewhere, with what memory held before and after each of them.
//
//     replay FILE
//
// Every instruction set of this build and machine that has fused multiply-add must leave the bits
// that were recorded in all maps (all NaN count as one). Prints a line for each set. The file, as
// tests/support/recording.py writes it: 'W', bytes, weights, as those of the model from here on; 'P', bytes
// of kernels, calls and views, number of bases, bytes of each, then all of these, then the bases
// once more as they were left. Numbers are 64 bits.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "guard.hpp"
#include "rules.hpp"

namespace {

using namespace ftdist;

constexpr size_t PAGE = 4096;

struct Freed {
  void operator()(unsigned char* memory) const { std::free(memory); }
};

// Bytes that begin a page, as those of a session do, and may be read a little beyond.
struct Block {
  int64_t bytes = 0;
  std::unique_ptr<unsigned char, Freed> memory;

  explicit Block(int64_t count) : bytes(count) {
    const size_t room = (static_cast<size_t>(count) / PAGE + 2) * PAGE;
    memory.reset(static_cast<unsigned char*>(std::aligned_alloc(PAGE, room)));
    std::memset(memory.get(), 0, room);
  }
  Block(const Block& other) : Block(other.bytes) {
    std::memcpy(memory.get(), other.memory.get(), static_cast<size_t>(bytes));
  }
  Block(Block&&) = default;
  Block& operator=(Block&&) = default;
};

[[noreturn]] void end(const char* why) {
  std::fprintf(stderr, "replay: %s\n", why);
  std::exit(2);
}

int64_t number(FILE* file) {
  int64_t value = 0;
  if (std::fread(&value, sizeof value, 1, file) != 1) end("the recording ends early");
  return value;
}

Block block(FILE* file, int64_t bytes) {
  Block found(bytes);
  const size_t count = static_cast<size_t>(bytes);
  if (std::fread(found.memory.get(), 1, count, file) != count) end("the recording ends early");
  return found;
}

struct Recorded {
  Block kernels, calls, views;
  std::vector<Block> before, after;
};

Recorded recorded(FILE* file) {
  const int64_t kernels = number(file), calls = number(file), views = number(file);
  std::vector<int64_t> sizes(static_cast<size_t>(number(file)));
  for (int64_t& size : sizes) size = number(file);
  Recorded found = {block(file, kernels), block(file, calls), block(file, views), {}, {}};
  for (int64_t size : sizes) found.before.push_back(block(file, size));
  for (int64_t size : sizes) found.after.push_back(block(file, size));
  return found;
}

bool same(uint32_t a, uint32_t b) {
  const auto is_nan = [](uint32_t bits) { return (bits & 0x7fffffff) > 0x7f800000; };
  return a == b || (is_nan(a) && is_nan(b));
}

int64_t differing(const Block& a, const Block& b) {
  int64_t count = 0;
  for (int64_t at = 0; at + 4 <= a.bytes; at += 4) {
    uint32_t left, right;
    std::memcpy(&left, a.memory.get() + at, 4);
    std::memcpy(&right, b.memory.get() + at, 4);
    count += !same(left, right);
  }
  return count;
}

std::string operations(const Program& program) {
  std::string found;
  for (int64_t at = 0; at < program.kernel_count; at++)
    found += std::string(at ? ", " : "") + find_operation(program.kernels[at].op)->name;
  return found;
}

struct Tally {
  int64_t programs = 0, values = 0, wrong = 0;
};

void replay(const Recorded& each, const Block& weights, int file, const Isa& isa, Tally& tally) {
  std::vector<Block> memory(each.before);
  std::vector<unsigned char*> bases;
  std::vector<int64_t> sizes;
  for (Block& base : memory) bases.push_back(base.memory.get()), sizes.push_back(base.bytes);
  int failure = 0;
  Program program = {};
  program.kernels = reinterpret_cast<const Kernel*>(each.kernels.memory.get());
  program.kernel_count = each.kernels.bytes / static_cast<int64_t>(sizeof(Kernel));
  program.calls = reinterpret_cast<const Call*>(each.calls.memory.get());
  program.call_count = each.calls.bytes / static_cast<int64_t>(sizeof(Call));
  program.views = reinterpret_cast<const View*>(each.views.memory.get());
  program.view_count = each.views.bytes / static_cast<int64_t>(sizeof(View));
  program.weights = reinterpret_cast<const float*>(weights.memory.get());
  program.weight_count = weights.bytes / 4;
  program.bases = bases.data(), program.base_bytes = sizes.data();
  program.base_count = static_cast<int64_t>(bases.size());
  program.file = file, program.failure = &failure;
  std::vector<Counters> counters(static_cast<size_t>(program.kernel_count));
  program.counters = counters.data();
  int64_t where = 0;
  if (const char* fault = find_fault(program, &where)) end(fault);
  isa.run(program);
  if (failure) end("streamed weights could not be read");
  int64_t wrong = 0;
  for (size_t base = 1; base < memory.size(); base++) {  // the arena has what work left behind
    wrong += differing(memory[base], each.after[base]);
    tally.values += memory[base].bytes / 4;
  }
  if (wrong && ++tally.wrong <= 8)
    std::printf("FAILED program %lld, %s: %lld values differ: %s\n",
                static_cast<long long>(tally.programs), isa.name, static_cast<long long>(wrong),
                operations(program).c_str());
  tally.programs++;
}

// The descriptor of a file that holds the weights, for those that are streamed.
int file_of(const Block& weights) {
  FILE* file = std::tmpfile();
  if (!file || std::fwrite(weights.memory.get(), 1, static_cast<size_t>(weights.bytes), file) !=
                   static_cast<size_t>(weights.bytes))
    end("no room for a temporary file");
  std::fflush(file);
  return fileno(file);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) end("a recording is to be named");
  FILE* file = std::fopen(arguments[1], "rb");
  if (!file) end("there is no such recording");
  std::map<std::string, Tally> tallies;
  Block weights(0);
  int model = -1;
  for (int kind; (kind = std::fgetc(file)) != EOF;) {
    if (kind == 'W') {
      if (model >= 0) close(model);
      weights = block(file, number(file));
      model = file_of(weights);
      continue;
    }
    if (kind != 'P') end("this is no recording");
    const Recorded each = recorded(file);
    for (int index = 0; index < ISA_COUNT; index++) {
      const Isa& isa = *ISAS[index];
      if (isa.supported() && isa.fused) replay(each, weights, model, isa, tallies[isa.name]);
    }
  }
  bool good = !tallies.empty();
  for (const auto& [name, tally] : tallies) {
    std::printf("%s: %lld programs, %lld values, %lld programs differ\n", name.c_str(),
                static_cast<long long>(tally.programs), static_cast<long long>(tally.values),
                static_cast<long long>(tally.wrong));
    good = good && tally.programs && !tally.wrong;
  }
  return good ? 0 : 1;
}
