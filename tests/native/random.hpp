// Numbers that are the same on every machine and with every compiler: a generator of our own and no
// libm. Draw in statements of their own: the order of a call's arguments is the compiler's.
#pragma once
#include <cstdint>
#include <limits>

namespace check {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) { next(); }

  // 31 bits.
  uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 33);
  }

  // A whole number, low <= it <= high.
  int within(int low, int high) {
    return low + static_cast<int>(next() % (static_cast<uint32_t>(high - low) + 1));
  }

  bool one_in(int count) { return within(1, count) == 1; }

  // A multiple of 2^-23 in [-1, 1).
  float fraction() {
    const int whole = static_cast<int>(next() >> 7) - (1 << 23);
    return static_cast<float>(whole) * (1.0f / (1 << 23));
  }

  // What arithmetic treats in ways of its own.
  float special() {
    constexpr float inf = std::numeric_limits<float>::infinity();
    constexpr float values[] = {inf, -inf, std::numeric_limits<float>::quiet_NaN(), 0.0f, -0.0f,
                                1e-40f, -1e-40f};
    return values[within(0, 6)];
  }

 private:
  uint64_t state_;
};

}  // namespace check
