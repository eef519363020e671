// Holds every instruction set that this build and machine have against the naive kernels.
//
//     check_kernels [cases] [seed]
//
// Sets with fused multiply-add must give the naive bits, the others may differ by rounding. Beside
// the floats that a program computes and the padding that it clears, no byte may change. Prints a
// line for each set; the digests of all fused sets are the same on all machines.
#include <cstdio>
#include <cstdlib>
#include <map>

#include "mutants.hpp"

namespace check {
namespace {

constexpr float TOLERANCE = 1e-5f;
constexpr double ACTIVATION_TOLERANCE = 1e-6;

int failures = 0;
std::map<std::string, int> told;

// Each kind of failure is told a few times only.
void fail(const Case& c, int number, const std::string& who, const std::string& what) {
  const Kernel& k = c.kernel;
  const char* name = ftdist::find_operation(k.op)->name;
  failures++;
  if (++told[who + what + name] > 1) return;
  std::printf("FAILED case %d, %s: %s: %s, %dx%d map, %d channels, %d filters, %d groups, "
              "window %dx%d, stride %dx%d, dilation %dx%d, padding %d %d, activation %d, "
              "columns %d to %d, %zu calls\n",
              number, who.c_str(), what.c_str(), name, k.height, k.width, k.channels,
              k.filters, k.groups, k.kernel_height, k.kernel_width, k.stride_y, k.stride_x,
              k.dilation_y, k.dilation_x, k.pad_top, k.pad_left, k.activation, k.left, k.right,
              c.calls.size());
}

// What an instruction set did in all cases.
struct Tally {
  long long values = 0;
  uint64_t digest = 14695981039346656037u;  // FNV-1a over words; all NaN count as one
  double worst = 0;                         // error, relative to the largest value

  void include(uint32_t word) { digest = (digest ^ word) * 1099511628211u; }
};

uint32_t canonical_bits(float value) {
  if (std::isnan(value)) return 0x7fc00000;
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

ftdist::Program program_of(const Case& c, const Kernel& kernel, const std::vector<Call>& calls,
                           std::vector<unsigned char*>& pointers, const std::vector<int64_t>& sizes,
                           ftdist::Counters& counters) {
  ftdist::Program program = {};
  program.kernels = &kernel, program.kernel_count = 1;
  program.calls = calls.data(), program.call_count = static_cast<int64_t>(calls.size());
  program.weights = c.weights.data();
  program.weight_count = static_cast<int64_t>(c.weights.size());
  program.bases = pointers.data(), program.base_bytes = sizes.data();
  program.base_count = static_cast<int64_t>(pointers.size());
  program.counters = &counters;
  return program;
}

const char* run(const Case& c, std::vector<Bytes>& memory, const ftdist::Isa* isa) {
  std::vector<unsigned char*> pointers;
  std::vector<int64_t> sizes;
  for (Bytes& base : memory) {
    pointers.push_back(base.data());
    sizes.push_back(static_cast<int64_t>(base.size()));
  }
  ftdist::Counters counters = {};
  int64_t where = 0;
  const auto program = program_of(c, c.kernel, c.calls, pointers, sizes, counters);
  const char* fault = ftdist::find_fault(program, &where);
  if (!fault) isa->run(program);
  return fault;
}

void check_set(const Case& c, int number, const ftdist::Isa* isa, Tally& tally) {
  std::vector<Bytes> memory = c.bases, after = c.after;
  if (const char* fault = run(c, memory, isa)) return fail(c, number, "find_fault", fault);
  float largest = 0;
  for (const Written& each : c.written)
    if (std::isfinite(each.output.largest)) largest = std::fmax(largest, each.output.largest);
  bool same = true, near = true;
  for (const Written& each : c.written) {
    float found;
    unsigned char* const place = memory[each.base].data() + each.byte;
    std::memcpy(&found, place, 4);
    std::memcpy(after[each.base].data() + each.byte, place, 4);  // compared here, not below
    const float expected = each.output.value;
    tally.include(canonical_bits(found));
    if (canonical_bits(found) == canonical_bits(expected)) continue;
    same = false;
    const double error = std::fabs(static_cast<double>(found) - expected) / largest;
    if (!(error <= TOLERANCE)) near = false;
    if (error > tally.worst) tally.worst = error;
  }
  tally.values += static_cast<long long>(c.written.size());
  if (isa->fused && !same) fail(c, number, isa->name, "bits differ from the naive kernel's");
  if (!isa->fused && !near) fail(c, number, isa->name, "too far from the naive kernel");
  std::copy_n(memory[0].begin() + 4 * c.kernel.scratch, c.scratch_bytes,
              after[0].begin() + 4 * c.kernel.scratch);
  if (memory != after) fail(c, number, isa->name, "wrote where it should not, or no zeros");
}

int check_mutants(const Case& c, int number) {
  std::vector<Bytes> memory = c.bases;
  std::vector<unsigned char*> pointers;
  for (Bytes& base : memory) pointers.push_back(base.data());
  const Mutants mutants(c);
  for (const Mutant& mutant : mutants.all()) {
    ftdist::Counters counters = {};
    int64_t where = 0;
    auto program =
        program_of(c, mutant.kernel, mutant.calls, pointers, mutant.base_bytes, counters);
    program.weight_count = mutant.weight_count;
    if (!ftdist::find_fault(program, &where)) fail(c, number, "find_fault accepts", mutant.name);
  }
  return static_cast<int>(mutants.all().size());
}

// Our exp and its relatives against libm.
void check_activations() {
  using namespace ftdist;
  for (const int kind : {ACT_LOGISTIC, ACT_SWISH, ACT_MISH, ACT_HARDSWISH, ACT_TANH, ACT_ELU,
                         ACT_SELU, ACT_GELU, ACT_HARDMISH, ACT_HARDTAN, ACT_LHTAN, ACT_LOGGY,
                         ACT_PLSE, ACT_RAMP, ACT_STAIR}) {
    double worst = 0;
    for (int step = -110 * 1024; step <= 110 * 1024; step++) {
      const float x = static_cast<float>(step) / 1024.0f;
      const double exact = exact_activate(kind, x);
      const double error = std::fabs(naive_activate(kind, 0.0f, x) - exact);
      worst = std::fmax(worst, error / (std::fabs(exact) + 1e-30));
    }
    const bool amplifies = kind == ACT_MISH || kind == ACT_GELU;  // what is rounded before exp
    if (worst <= (amplifies ? TOLERANCE : ACTIVATION_TOLERANCE)) continue;
    failures++;
    std::printf("FAILED activation %d: off by %.1e from libm\n", kind, worst);
  }
}

int check_all(int cases, int seed) {
  std::vector<Tally> tallies(ftdist::ISA_COUNT);
  long long refused = 0;
  check_activations();
  for (int number = 0; number < cases; number++) {
    Random random(static_cast<uint64_t>(seed) * 1000003u + number);
    const Case c = make_case(random);
    for (int set = 0; set < ftdist::ISA_COUNT; set++)
      if (ftdist::ISAS[set]->supported()) check_set(c, number, ftdist::ISAS[set], tallies[set]);
    refused += check_mutants(c, number);
  }
  for (int set = 0; set < ftdist::ISA_COUNT; set++) {
    const ftdist::Isa* isa = ftdist::ISAS[set];
    const Tally& tally = tallies[set];
    if (!isa->supported())
      std::printf("%s: not on this machine\n", isa->name);
    else if (isa->fused)
      std::printf("%s: fused, %d cases, %lld values, digest %016llx\n", isa->name, cases,
                  tally.values, static_cast<unsigned long long>(tally.digest));
    else
      std::printf("%s: not fused, %d cases, %lld values, largest error %.1e\n", isa->name, cases,
                  tally.values, tally.worst);
  }
  std::printf("find_fault: %lld mutants\n", refused);
  if (failures) std::printf("%d failures\n", failures);
  return failures ? 1 : 0;
}

}  // namespace
}  // namespace check

int main(int argc, char** argv) {
  return check::check_all(argc > 1 ? std::atoi(argv[1]) : 300, argc > 2 ? std::atoi(argv[2]) : 1);
}
