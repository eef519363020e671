#include "steps.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "guard.hpp"

namespace ftdist {
namespace {

constexpr int64_t SECOND = 1000000000;
constexpr int LOOKS = 32;  // between two looks at the clock

int64_t now() {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<int64_t>(time.tv_sec) * SECOND + time.tv_nsec;
}

// Tells the processor that this thread only waits.
void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

uint32_t* word_of(std::atomic<uint32_t>& number) {
  static_assert(sizeof(number) == sizeof(uint32_t) && std::atomic<uint32_t>::is_always_lock_free);
  return reinterpret_cast<uint32_t*>(&number);
}

// Sleeps as long as the number is `value`, for so long at most.
void sleep_while(std::atomic<uint32_t>& number, uint32_t value, int64_t most_ns) {
  const struct timespec most = {most_ns / SECOND, most_ns % SECOND};
  (void)syscall(SYS_futex, word_of(number), FUTEX_WAIT_PRIVATE, value, &most, nullptr, 0);
}

void wake_all(std::atomic<uint32_t>& number) {
  (void)syscall(SYS_futex, word_of(number), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

struct Job {
  const Isa& isa;
  const Program& program;
};

void run(const void* context) {
  const Job& job = *static_cast<const Job*>(context);
  job.isa.run(job.program);
}

}  // namespace

Steps::Steps(const Isa& isa, Items<float> weights, int file, std::vector<Step> steps)
    : isa_(isa), weights_(weights), file_(file), steps_(std::move(steps)) {
  int64_t bases = 0, sizes = 0;
  for (const Step& step : steps_) {
    const int64_t count = 1 + static_cast<int64_t>(step.maps.size());
    first_base_.push_back(bases);
    first_size_.push_back(sizes);
    bases += count * static_cast<int64_t>(step.arenas.size());
    sizes += count;
    tiles_ += step.tiles();
  }
  bases_.resize(bases);
  base_bytes_.resize(sizes);
  taken_.reset(new std::atomic<unsigned char>[tiles_]);
  progress_.reset(new Progress[steps_.size()]);
  int64_t first = 0;
  for (size_t number = 0; number < steps_.size(); number++) {
    progress_[number].taken = taken_.get() + first;
    first += steps_[number].tiles();
  }
}

const char* Steps::begin(const std::vector<Base>& maps, int workers, int64_t look_ns, int64_t* step,
                         int64_t* place) {
  bind(maps);
  std::vector<int64_t> sizes;
  for (const Base& map : maps) sizes.push_back(map.bytes);
  if (sizes != checked_ || sizes.empty()) {
    checked_.clear();
    if (const char* fault = find_fault(step, place)) return fault;
    checked_ = std::move(sizes);
  }
  workers_ = workers, look_ns_ = look_ns;
  for (int64_t tile = 0; tile < tiles_; tile++) taken_[tile].store(0, std::memory_order_relaxed);
  for (size_t each = 0; each < steps_.size(); each++)
    progress_[each].left.store(steps_[each].tiles(), std::memory_order_relaxed);
  number_.store(0);
  return nullptr;
}

Result Steps::work(int worker, int64_t until, MadeList* made) {
  uint32_t looked_at = UINT32_MAX;
  int64_t looked = 0;  // tiles of that step
  for (;;) {
    const uint32_t number = number_.load(std::memory_order_acquire);
    if (number >= steps_.size()) return {Outcome::ENDED, 0, nullptr};
    if (number != looked_at) looked_at = number, looked = 0;
    const int64_t tile = take(number, worker, &looked);
    if (tile < 0) {
      if (!wait(number, until)) return {Outcome::GOES_ON, 0, nullptr};
      continue;
    }
    const int64_t began = made ? now() : 0;
    const Result result = make(number, tile, worker);
    if (result.outcome != Outcome::GOES_ON) return result;
    const int64_t ended = now();
    if (made) made->first[made->count++] = {number, tile, began, ended};
    if (progress_[number].left.fetch_sub(1, std::memory_order_acq_rel) == 1) advance(number);
    if (ended >= until || (made && made->count == made->most)) return result;
  }
}

// The program of a tile, without bases and counters.
Program Steps::program(const Step& step, int64_t tile) const {
  const int64_t columns = static_cast<int64_t>(step.columns.size());
  const Items<Kernel>& kernels = step.columns[tile % columns];
  const Items<Call>& calls = step.rows[tile / columns];
  Program program = {};
  program.kernels = kernels.first, program.kernel_count = kernels.count;
  program.calls = calls.first, program.call_count = calls.count;
  program.views = step.views.first, program.view_count = step.views.count;
  program.weights = weights_.first, program.weight_count = weights_.count;
  program.base_count = 1 + static_cast<int64_t>(step.maps.size());
  program.file = file_;
  return program;
}

void Steps::bind(const std::vector<Base>& maps) {
  int64_t base = 0, size = 0;
  for (const Step& step : steps_) {
    base_bytes_[size++] = step.arenas[0].memory.bytes;
    for (const int32_t map : step.maps) base_bytes_[size++] = maps[map].bytes;
    for (const Arena& arena : step.arenas) {
      bases_[base++] = arena.memory.first;
      for (const int32_t map : step.maps) bases_[base++] = maps[map].first;
    }
  }
}

const char* Steps::find_fault(int64_t* step, int64_t* place) {
  for (size_t number = 0; number < steps_.size(); number++)
    for (int64_t tile = 0; tile < steps_[number].tiles(); tile++) {
      Program each = program(steps_[number], tile);
      each.bases = bases_.data() + first_base_[number];
      each.base_bytes = base_bytes_.data() + first_size_[number];
      if (const char* fault = ftdist::find_fault(each, place)) {
        *step = static_cast<int64_t>(number);
        return fault;
      }
    }
  return nullptr;
}

// A tile that nobody has taken; -1 when there is none. Tiles are looked at from those of the thread's
// own part on; `looked` counts them.
int64_t Steps::take(uint32_t number, int worker, int64_t* looked) {
  const int64_t tiles = steps_[number].tiles(), own = worker * tiles / workers_;
  while (*looked < tiles) {
    const int64_t at = own + (*looked)++, tile = at < tiles ? at : at - tiles;
    std::atomic<unsigned char>& taken = progress_[number].taken[tile];
    if (!taken.load(std::memory_order_relaxed) && !taken.exchange(1, std::memory_order_relaxed))
      return tile;
  }
  return -1;
}

// GOES_ON when the tile was made.
Result Steps::make(uint32_t number, int64_t tile, int worker) {
  const Step& step = steps_[number];
  const int64_t arenas = static_cast<int64_t>(step.arenas.size());
  const int64_t arena = arenas == step.tiles() ? tile : worker;
  Program each = program(step, tile);
  each.bases = bases_.data() + first_base_[number] + arena * each.base_count;
  each.base_bytes = base_bytes_.data() + first_size_[number];
  each.counters = step.arenas[arena].counters;
  int error = 0;
  each.failure = &error;
  const Job job = {isa_, each};
  const void* lost = guarded(run, &job);
  if (lost) return {Outcome::LOST, 0, lost};
  return {error ? Outcome::FAILED : Outcome::GOES_ON, error, nullptr};
}

void Steps::advance(uint32_t number) {
  number_.store(number + 1);
  if (sleepers_.load() > 0) wake_all(number_);
}

// Waits until a step is over; false when the clock says `until` before.
bool Steps::wait(uint32_t number, int64_t until) {
  int64_t time = now();
  const int64_t looks_until = std::min(until, time + look_ns_);
  while (time < looks_until) {
    for (int look = 0; look < LOOKS; look++, pause())
      if (number_.load(std::memory_order_acquire) != number) return true;
    time = now();
  }
  sleepers_.fetch_add(1);
  while (number_.load() == number && time < until) {
    sleep_while(number_, number, until - time);
    time = now();
  }
  sleepers_.fetch_sub(1);
  return number_.load() != number;
}

}  // namespace ftdist
