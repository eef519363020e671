// A plan as threads go through it: step after step, each the programs of some tiles.
//
// Whoever is there takes the next tile that nobody has; who makes the last tile of a step begins the
// next. So a thread that comes late, or never, holds up nobody. Each begins with tiles of its own
// part of the output, step for step the same, for what it made lies in its caches.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "program.hpp"

namespace ftdist {

template <class Item> struct Items {
  const Item* first;
  int64_t count;
};

// Memory that somebody else owns.
struct Base {
  unsigned char* first;
  int64_t bytes;
};

// An arena, and what the kernels that work there count.
struct Arena {
  Base memory;
  Counters* counters;
};

// The tiles of a step, row by row: a tile's program is the kernels of its column with the calls of
// its row. `maps` are the numbers of the maps that are its bases after the arena. There is an arena
// for each tile, or for each thread where tiles are more.
struct Step {
  std::vector<Items<Kernel>> columns;
  std::vector<Items<Call>> rows;
  Items<View> views;
  std::vector<int32_t> maps;
  std::vector<Arena> arenas;

  int64_t tiles() const { return static_cast<int64_t>(rows.size() * columns.size()); }
};

// A tile that was made, and when, in nanoseconds of the monotonic clock.
struct Made {
  int64_t step, tile, began, ended;
};

// Where a thread writes the tiles that it made: room for `most`.
struct MadeList {
  Made* first;
  int64_t most, count;
};

enum class Outcome { ENDED, GOES_ON, FAILED, LOST };

// What came of a thread's work: ENDED when the run is over. FAILED: an `error` number with which
// reading weights failed. LOST: a mapped file gave no more at address `lost`.
struct Result {
  Outcome outcome;
  int error;
  const void* lost;
};

class Steps {
 public:
  // Weights are those of all programs; `file` is the descriptor of the model file.
  Steps(const Isa& isa, Items<float> weights, int file, std::vector<Step> steps);

  // Begins a run on these maps, by number, while no thread is at work. A thread that waits looks for
  // `look_ns` before it sleeps. Returns what is wrong where a program would leave its buffers, and the
  // step and place: nothing will have run.
  const char* begin(const std::vector<Base>& maps, int workers, int64_t look_ns, int64_t* step,
                    int64_t* place);

  // Goes through the steps as thread number `worker`, until the run is over, or a tile is made and
  // the clock says `until` or `made` is full (or null: nothing is noted).
  Result work(int worker, int64_t until, MadeList* made);

 private:
  struct alignas(64) Progress {
    std::atomic<int64_t> left;         // tiles that are not made
    std::atomic<unsigned char>* taken; // by tile
  };

  Program program(const Step& step, int64_t tile) const;
  void bind(const std::vector<Base>& maps);
  const char* find_fault(int64_t* step, int64_t* place);
  int64_t take(uint32_t number, int worker, int64_t* looked);
  Result make(uint32_t number, int64_t tile, int worker);
  void advance(uint32_t number);
  bool wait(uint32_t number, int64_t until);

  const Isa& isa_;
  const Items<float> weights_;
  const int file_;
  const std::vector<Step> steps_;
  std::vector<unsigned char*> bases_;    // of each step, for each of its arenas: that, then maps
  std::vector<int64_t> base_bytes_;      // of each step: of an arena, then of maps
  std::vector<int64_t> first_base_, first_size_;
  std::vector<int64_t> checked_;         // bytes of the maps with which all was found sound
  std::unique_ptr<std::atomic<unsigned char>[]> taken_;
  std::unique_ptr<Progress[]> progress_;
  int64_t tiles_ = 0, look_ns_ = 0;
  int workers_ = 1;
  alignas(64) std::atomic<uint32_t> number_{0};  // of the step that is under way
  std::atomic<int32_t> sleepers_{0};
};

}  // namespace ftdist
