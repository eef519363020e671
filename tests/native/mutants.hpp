// Programs that would leave their buffers, each a case with one thing changed: find_fault() must
// refuse every one of them.
#pragma once
#include <climits>
#include <string>

#include "cases.hpp"

namespace check {

struct Mutant {
  std::string name;
  Kernel kernel;
  std::vector<Call> calls;
  std::vector<int64_t> base_bytes;
  int64_t weight_count;
};

class Mutants {
 public:
  explicit Mutants(const Case& c) : case_(c), k_(c.kernel) {
    operations();
    windows();
    buffer("in", &Kernel::in, &Call::in_row, c.in);
    if (reads_second(k_.op) || adds(k_)) buffer("in2", &Kernel::in2, &Call::in2_row, c.in2);
    buffer("out", &Kernel::out, &Call::out_row, c.out);
    layouts();
    channels();
    if (k_.op == ftdist::OP_WINOGRAD)
      transformed();
    else if (has_weights(k_.op))
      weights();
    if (k_.op == ftdist::OP_REORG_DARKNET) beside_the_map();
    shapes();
    calls();
  }

  const std::vector<Mutant>& all() const { return all_; }

 private:
  static constexpr int64_t HUGE_STEP = int64_t{1} << 61, HUGE_OFFSET = int64_t{1} << 62;

  template <class Change> void add(const std::string& name, Change change) {
    Mutant mutant = {name, case_.kernel, case_.calls, {}, 0};
    for (const Bytes& base : case_.bases)
      mutant.base_bytes.push_back(static_cast<int64_t>(base.size()));
    mutant.weight_count = static_cast<int64_t>(case_.weights.size());
    change(mutant);
    all_.push_back(mutant);
  }

  template <class Value> void set(const char* name, Value Kernel::*field, Value value) {
    add(name, [&](Mutant& m) { m.kernel.*field = value; });
  }

  void operations() {
    for (const int op : {-1, ftdist::OP_COUNT, INT_MAX})
      set("an unknown operation", &Kernel::op, op);
    for (const int kind : {-1, static_cast<int>(ftdist::ACT_COUNT), INT_MIN})
      set("an unknown activation", &Kernel::activation, kind);
    if (!has_activation(k_.op))
      set<int>("an activation that is not applied", &Kernel::activation, ftdist::ACT_RELU);
  }

  void windows() {
    for (const auto field : {&Kernel::kernel_height, &Kernel::kernel_width, &Kernel::stride_y,
                             &Kernel::stride_x, &Kernel::dilation_y, &Kernel::dilation_x})
      for (const int value : {0, -1, INT_MAX}) set("a window of no sense", field, value);
    for (const auto field : {&Kernel::pool_height, &Kernel::pool_width})
      for (const int value : {0, -1, ftdist::POOL_MOST + 1, INT_MAX})
        set("a pool of no sense", field, value);
    if (k_.op != ftdist::OP_CONVOLUTION && k_.op != ftdist::OP_WINOGRAD)
      set<int>("a pool of another operation", &Kernel::pool_height, 2);
    set("padding out of the world", &Kernel::pad_top, INT_MIN);
    set("padding out of the world", &Kernel::pad_left, INT_MAX);
    set("no columns", &Kernel::right, k_.left);
    set("columns before the buffer", &Kernel::left, k_.out.column - 1);
    set("columns after the buffer", &Kernel::right, k_.out.column + k_.out.columns + 1);
    if (k_.op == ftdist::OP_REORG || k_.op == ftdist::OP_REORG_DARKNET)
      set("blocks that are not square", &Kernel::stride_x, k_.stride_x + 1);
    if (k_.op == ftdist::OP_REORG_DARKNET && k_.stride_y > 1)
      set("a map of no whole blocks", &Kernel::height, k_.height + 1);
  }

  void buffer(const std::string& name, Buffer Kernel::*which, int32_t Call::*first_row,
              const Placed& placed) {
    const auto change = [&](const char* what, auto Buffer::*field, auto value) {
      add(name + "." + what, [&](Mutant& m) { m.kernel.*which.*field = value; });
    };
    const Area& area = placed.area;
    size_t busy = 0;  // the last call that needs rows of this buffer
    for (size_t call = 0; call < area.rows.size(); call++)
      if (area.needed_rows[call].size()) busy = call;
    const Span rows = area.needed_rows[busy], columns = area.needed_columns;
    for (const int base : {-1, static_cast<int>(case_.bases.size()), INT_MAX}) change("base", &Buffer::base, base);
    if (!rows.size() || !columns.size()) return;
    const Buffer& b = placed.buffer;
    const int64_t bytes = static_cast<int64_t>(case_.bases[b.base].size());
    for (const int64_t offset : {int64_t{-1}, bytes, HUGE_OFFSET, INT64_MAX})
      change("offset", &Buffer::offset, offset);
    change("row", &Buffer::row, int64_t{-1});
    change("pixel", &Buffer::pixel, int64_t{-1});
    change("channel", &Buffer::channel, int64_t{-1});
    if (rows.last - 1 > placed.first_rows[busy]) change("row", &Buffer::row, HUGE_STEP);
    if (columns.last - 1 > b.column) change("pixel", &Buffer::pixel, HUGE_STEP);
    if (area.channels > 1) change("channel", &Buffer::channel, HUGE_STEP);
    for (const int column : {columns.first + 1, INT_MAX}) change("column", &Buffer::column, column);
    for (const int count : {columns.last - b.column - 1, -1})
      change("columns", &Buffer::columns, count);
    change("type", &Buffer::type, 2);
    if (k_.op != ftdist::OP_COPY) {
      change("type", &Buffer::type, static_cast<int>(ftdist::TYPE_UINT8));
      for (const int step : {0, 2}) change("channel", &Buffer::channel, int64_t{step});
    }
    for (const int row : {rows.first + 1, INT_MAX})
      add(name + "_row", [&](Mutant& m) { m.calls[busy].*first_row = row; });
    add(name + "_row", [&](Mutant& m) {
      (m.kernel.*which).row = 0;
      m.calls[busy].*first_row = INT_MIN;
    });
    for (const int64_t size : {int64_t{0}, placed.end_bytes + placed.overread - 1})
      add(name + " cut off", [&](Mutant& m) { m.base_bytes[b.base] = size; });
  }

  // Kernels that take rows as runs of floats need maps without gaps between the pixels.
  void layouts() {
    if (k_.op == ftdist::OP_ADD || k_.op == ftdist::OP_ACTIVATE) {
      add("gaps in the input", [](Mutant& m) { m.kernel.in.pixel++; });
      add("gaps in the output", [](Mutant& m) { m.kernel.out.pixel++; });
      add("pixels on each other", [](Mutant& m) { m.kernel.out.pixel = 0; });
    }
    if (k_.op == ftdist::OP_ADD) add("gaps in in2", [](Mutant& m) { m.kernel.in2.pixel++; });
    const bool padded = k_.out.column < k_.left || k_.out.column + k_.out.columns > k_.right;
    if (k_.op == ftdist::OP_COPY && padded)
      set("padding in planes", &Kernel::out, planar(k_.out));
  }

  // Darknet's order goes by the whole map: an output beside it comes from anywhere.
  void beside_the_map() {
    const int rows = k_.height / k_.stride_y, columns = k_.width / k_.stride_x;
    add("an output row below the map", [&](Mutant& m) {
      m.kernel.in.row = m.kernel.out.row = 0;
      m.calls.back().row = std::max(rows, m.calls.back().out_row), m.calls.back().rows = 1;
    });
    add("an output column beside the map", [&](Mutant& m) {
      m.kernel.in.pixel = m.kernel.out.pixel = 0;
      m.kernel.in.columns = m.kernel.out.columns = 1 << 20;
      m.kernel.right = columns + 1;
    });
  }

  static Buffer planar(Buffer buffer) {
    buffer.channel = buffer.pixel = 0;
    return buffer;
  }

  void channels() {
    for (const auto field : {&Kernel::channels, &Kernel::filters, &Kernel::groups})
      for (const int value : {0, -1, INT_MAX}) set("channels of no sense", field, value);
    if (has_weights(k_.op)) set("groups that do not divide", &Kernel::groups, k_.channels + 1);
    if (!makes_as_many(k_)) return;
    set("more filters than are made", &Kernel::filters, k_.filters + 1);
    set("fewer filters than are made", &Kernel::filters, k_.filters - 1);
  }

  // What the operations of sums, products, softmax and the like say of their maps.
  void shapes() {
    using namespace ftdist;
    if (may_add(k_.op))
      for (const int value : {-1, 2, INT_MAX}) set("an addition of no sense", &Kernel::kind, value);
    if (adds(k_)) set("a pool of a sum", &Kernel::pool_height, 2);
    if (k_.op == OP_LOCAL) {
      set("fewer positions than are made", &Kernel::out_height, case_.calls.back().row);
      set("fewer columns than are made", &Kernel::out_width, k_.right - 1);
      set("more positions than have weights", &Kernel::out_height, k_.out_height + 1);
      set("positions past counting", &Kernel::out_width, INT_MAX);
    }
    if (is_accumulation(k_.op)) {
      for (const int value : {0, -1, INT_MIN}) set("samples of no sense", &Kernel::sample, value);
      set("a map of no number", &Kernel::part, -1);
    }
    if (k_.op == OP_ACCUMULATE_WEIGHTED) set("a map too many", &Kernel::part, k_.size);
    if (k_.op == OP_MAX_CHANNELS) set("more than there are", &Kernel::filters, k_.channels + 1);
    if (k_.op == OP_MULTIPLY) {
      for (const auto field : {&Kernel::in2_height, &Kernel::in2_width, &Kernel::in2_channels})
        for (const int value : {0, -1, 1000}) set("factors of another size", field, value);
    }
    if (k_.op == OP_SOFTMAX) {
      set("part of a map", &Kernel::kernel_height, k_.height + 1);
      set("groups that do not divide", &Kernel::groups, k_.channels + 1);
    }
    if (k_.op == OP_NORMALIZE_RESPONSES)
      for (const int value : {0, -1, 2 * k_.channels, INT_MAX})
        set("a normalization of no sense", &Kernel::size, value);
    if (!has_weights(k_.op) && k_.op != OP_CONVOLUTION)
      set<int>("streamed weights of an operation that has none", &Kernel::streamed, 1);
  }

  // Whether an operation makes as many channels as it reads, or a number that follows from that.
  static bool makes_as_many(const Kernel& k) {
    using namespace ftdist;
    const bool begins = k.op == OP_ACCUMULATE && k.part == 0;
    return k.op != OP_CONVOLUTION && k.op != OP_WINOGRAD && k.op != OP_LOCAL && k.op != OP_MAX_CHANNELS &&
           k.op != OP_TRANSPOSED_CONVOLUTION &&
           (!is_accumulation(k.op) || begins);
  }

  void weights() {
    const auto total = static_cast<int64_t>(case_.weights.size());
    for (const auto field : {&Kernel::weights, &Kernel::bias})
      for (const int64_t value : {int64_t{-1}, total, HUGE_OFFSET, INT64_MAX})
        if (field == &Kernel::weights || has_bias(k_.op)) set("weights elsewhere", field, value);
    set("the last weight missing", &Kernel::weights, std::max(k_.weights, k_.bias) + 1);
    if (has_bias(k_.op)) set("the last bias missing", &Kernel::bias, total - 15);
    add("fewer weights", [](Mutant& m) { m.weight_count--; });
    add("no weights", [](Mutant& m) { m.weight_count = 0; });
  }

  void transformed() {
    const auto bytes = static_cast<int64_t>(case_.bases[k_.table].size());
    for (const int base : {-1, 0, k_.table + 1, INT_MAX})
      set("transformed weights in no base", &Kernel::table, base);
    for (const auto field : {&Kernel::weights, &Kernel::bias})
      for (const int64_t value : {int64_t{-1}, bytes, HUGE_OFFSET, INT64_MAX})
        set("transformed weights elsewhere", field, value);
    set("the last bias missing", &Kernel::bias, k_.bias + 1);
    add("fewer transformed weights", [&](Mutant& m) { m.base_bytes[k_.table] = bytes - 4; });
    const auto room = static_cast<int64_t>(case_.bases[0].size()) / 4;
    for (const int64_t value : {int64_t{-1}, k_.scratch + 1, room, HUGE_OFFSET, INT64_MAX})
      set("scratch elsewhere", &Kernel::scratch, value);
    add("less scratch", [](Mutant& m) { m.base_bytes[0] -= 4; });
    set("more blocks than there is scratch for", &Kernel::tiles, k_.tiles + 2 * ftdist::BLOCK);
    for (const int value : {0, -1, INT_MAX}) set("blocks of no number", &Kernel::tiles, value);
    for (const int value : {0, 1, 3, 6, -4}) set("blocks of no size", &Kernel::size, value);
    for (const auto field : {&Kernel::kernel_height, &Kernel::kernel_width, &Kernel::stride_y,
                             &Kernel::stride_x, &Kernel::dilation_y, &Kernel::dilation_x})
      set("another window", field, 2);
    set<int>("streamed weights without a file", &Kernel::streamed, 1);
  }

  void calls() {
    const auto last = case_.calls.size() - 1;
    const auto change = [&](const char* name, int32_t Call::*field, std::initializer_list<int> to) {
      for (const int value : to) add(name, [&](Mutant& m) { m.calls[last].*field = value; });
    };
    change("a call of no kernel", &Call::kernel, {-1, 1, INT_MAX});
    change("a call of no rows", &Call::rows, {0, -1, INT_MIN});
    change("a call of too many rows", &Call::rows, {1 << 24, INT_MAX});
    change("a call of far rows", &Call::row, {-1, 1 << 24, INT_MAX, INT_MIN});
    for (const int row : {8, INT_MAX - 8}) {
      if (row == 8 && !has_window(k_.op)) continue;
      add("rows past counting, all in one place", [&](Mutant& m) {
        m.kernel.in.row = m.kernel.in2.row = m.kernel.out.row = 0;
        m.kernel.stride_y = row == 8 ? 1 << 28 : k_.stride_y;
        m.calls[last].row = row, m.calls[last].rows = 1;
      });
    }
  }

  const Case& case_;
  const Kernel& k_;
  std::vector<Mutant> all_;
};

}  // namespace check
