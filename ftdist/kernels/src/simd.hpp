// One vector type an instruction set, by compiler vector extensions; intrinsics only where the
// language has no word for it: fused multiply-add and partial stores. Included once a build of the
// kernels, inside namespace FTDIST_NAMESPACE, so that no code for one set leaks into another.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#if defined(FTDIST_AVX512) || defined(FTDIST_AVX2)
#include <immintrin.h>
#elif defined(FTDIST_NEON)
#include <arm_neon.h>
#endif

namespace ftdist::FTDIST_NAMESPACE {

#if defined(FTDIST_AVX512)
constexpr int LANES = 16, WIDE_PIXELS = 14, PIXELS = 14;
#elif defined(FTDIST_AVX2)
constexpr int LANES = 8, WIDE_PIXELS = 0, PIXELS = 6;
#elif defined(FTDIST_NEON)
constexpr int LANES = 4, WIDE_PIXELS = 0, PIXELS = 6;
#elif defined(FTDIST_SSE2)
constexpr int LANES = 4, WIDE_PIXELS = 0, PIXELS = 2;
#else
constexpr int LANES = 1, WIDE_PIXELS = 0, PIXELS = 1;
#endif

// The most floats that a kernel asks memory for before it needs them: what a second cache takes beside
// those in use. None where that was not measured. Fewer than LEAST_AHEAD come as soon by themselves.
constexpr int64_t LEAST_AHEAD = 2 << 10;
#if defined(FTDIST_AVX512)
constexpr int64_t MOST_AHEAD = 160 << 10;
#elif defined(FTDIST_AVX2)
constexpr int64_t MOST_AHEAD = 48 << 10;
#else
constexpr int64_t MOST_AHEAD = 0;
#endif

#if defined(FTDIST_SCALAR)
typedef float Vec;
typedef int32_t Int;
#else
typedef float Vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t Int __attribute__((vector_size(LANES * 4)));
#endif

#if defined(FTDIST_AVX512) || defined(FTDIST_AVX2) || defined(FTDIST_NEON) || defined(__FP_FAST_FMAF)
constexpr bool FUSED = true;
#else
constexpr bool FUSED = false;
#endif

static inline Vec load(const float* from) { return *reinterpret_cast<const Vec*>(from); }
static inline void store(float* to, Vec value) { *reinterpret_cast<Vec*>(to) = value; }
static inline Vec splat(float value) { return value - Vec{}; }  // keeps the sign of zero

// a * b + c, rounded once where the instruction set can.
static inline Vec fma(Vec a, Vec b, Vec c) {
#if defined(FTDIST_AVX512)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(FTDIST_AVX2)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(FTDIST_NEON)
  return vfmaq_f32(c, a, b);
#elif defined(FTDIST_SCALAR) && defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

// Whether one lane of b costs fma no instruction more than all of them.
#if defined(FTDIST_NEON)
constexpr bool BY_LANE = true;
#else
constexpr bool BY_LANE = false;
#endif

// a * lane AT of b + c.
template <int AT> static inline Vec fma_by_lane(Vec a, Vec b, Vec c) {
#if defined(FTDIST_NEON)
  return vfmaq_laneq_f32(c, a, b, AT);
#else
  return fma(a, splat(reinterpret_cast<const float*>(&b)[AT]), c);
#endif
}

// a where it is larger, else b: so b where either is NaN, and where they are equal.
static inline Vec larger(Vec a, Vec b) {
#if defined(FTDIST_AVX512)
  return _mm512_max_ps(a, b);
#elif defined(FTDIST_AVX2)
  return _mm256_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}

// a where it is smaller, else b.
static inline Vec lesser(Vec a, Vec b) {
#if defined(FTDIST_AVX512)
  return _mm512_min_ps(a, b);
#elif defined(FTDIST_AVX2)
  return _mm256_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}

// Asks for a line of memory, which need not be there, to come to the second cache.
[[gnu::always_inline]] static inline void fetch(const float* line) {
  if constexpr (MOST_AHEAD > 0) __builtin_prefetch(line, 0, 2);
  (void)line;
}

// The first `count` lanes, 1 <= count <= LANES.
static inline void store_part(float* to, Vec value, int count) {
#if defined(FTDIST_AVX512)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), value);
#elif defined(FTDIST_SCALAR)
  (void)count;
  *to = value;
#else
  if (count == LANES) return store(to, value);
  for (int lane = 0; lane < count; lane++) to[lane] = value[lane];
#endif
}

// The first `count` floats, 1 <= count <= LANES; what is beyond them is not read.
static inline Vec load_part(const float* from, int count) {
#if defined(FTDIST_AVX512)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#elif defined(FTDIST_AVX2)
  if (count == LANES) return load(from);
  static const int32_t there[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};
  const void* mask = there + LANES - count;
  return _mm256_maskload_ps(from, _mm256_loadu_si256(static_cast<const __m256i*>(mask)));
#elif defined(FTDIST_SCALAR)
  (void)count;
  return *from;
#else
  if (count == LANES) return load(from);
  Vec value = {from[0]};  // lane by lane: numbers that were just stored cannot be loaded as one
  if (count > 1) value[1] = from[1];
  if (count > 2) value[2] = from[2];
  return value;
#endif
}

static inline Vec as_float(Int value) {
#if defined(FTDIST_SCALAR)
  return (float)value;
#else
  return __builtin_convertvector(value, Vec);
#endif
}

// a * b + c of single numbers, rounded as the vectors' is.
static inline float fma_one(float a, float b, float c) {
  return FUSED ? __builtin_fmaf(a, b, c) : a * b + c;
}

template <class To, class From> static inline To bits(From value) {
  static_assert(sizeof(To) == sizeof(From), "same bits, same size");
  To result;
  __builtin_memcpy(&result, &value, sizeof(To));
  return result;
}

// The same pointer, of which the compiler knows nothing: what is there stays there, and is read when it
// is wanted, instead of taking registers until then.
template <class T> static inline T* hidden(T* pointer) {
  __asm__ volatile("" : "+r"(pointer));
  return pointer;
}

constexpr int smaller(int a, int b) { return a < b ? a : b; }
constexpr int larger(int a, int b) { return a > b ? a : b; }
static inline int ceil_div(int a, int b) { return (a + b - 1) / b; }

// Before a loop of at most 16 rounds, whose number is a constant: as if each were written out. For
// loops within loops: functions of constants, as below, would be thousands, and take the compiler
// twice the time and memory.
#if defined(__clang__)
#define FTDIST_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FTDIST_UNROLL _Pragma("GCC unroll 16")
#endif

// Calls `body` with 0, 1, ... as constants: arrays indexed by them stay in registers.
template <class Body, int... I>
[[gnu::always_inline]] inline void unrolled(std::integer_sequence<int, I...>, const Body& body) {
  (body(std::integral_constant<int, I>{}), ...);
}
template <int COUNT, class Body> [[gnu::always_inline]] inline void unrolled(const Body& body) {
  unrolled(std::make_integer_sequence<int, COUNT>{}, body);
}

}  // namespace ftdist::FTDIST_NAMESPACE
