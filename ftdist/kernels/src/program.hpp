// The format of a program: what lowering writes and every executor reads. The same structs are
// declared as NumPy dtypes in ftdist/kernels/program.py; the module compares both at import.
//
// A program is a table of kernels (one a layer: everything that stays the same from strip to strip)
// and a list of calls (one a layer and strip: which rows). All rows and columns are absolute
// coordinates of the layer's whole feature map, so a kernel behaves the same in every tile.
#pragma once
#include <cstdint>

namespace ftdist {

enum ActivationKind : int32_t {
  ACT_LINEAR, ACT_LEAKY, ACT_RELU, ACT_RELU6, ACT_LOGISTIC, ACT_SWISH, ACT_MISH, ACT_HARDSWISH,
  ACT_TANH, ACT_ELU, ACT_SELU, ACT_GELU, ACT_HARDMISH, ACT_HARDTAN, ACT_LHTAN, ACT_LOGGY, ACT_PLSE,
  ACT_RAMP, ACT_STAIR, ACT_GELU_EXACT, ACT_SOFTPLUS,
  ACT_COUNT
};

constexpr const char* ACTIVATION_NAMES[ACT_COUNT] = {
    "linear", "leaky", "relu", "relu6", "logistic", "swish", "mish", "hardswish", "tanh", "elu",
    "selu", "gelu", "hardmish", "hardtan", "lhtan", "loggy", "plse", "ramp", "stair",
    "gelu_exact", "softplus"};

enum ReductionKind : int32_t {
  REDUCE_SUM, REDUCE_MEAN, REDUCE_MAX, REDUCE_MIN, REDUCE_PRODUCT, REDUCE_L1, REDUCE_L2,
  REDUCE_SUM_OF_SQUARES, REDUCE_LOG_SUM, REDUCE_LOG_SUM_EXP, REDUCE_ARG_MAX, REDUCE_ARG_MIN,
  REDUCE_ARG_MAX_LAST, REDUCE_ARG_MIN_LAST,
  REDUCE_COUNT
};

constexpr const char* REDUCTION_NAMES[REDUCE_COUNT] = {
    "sum", "mean", "max", "min", "product", "l1", "l2", "sum_of_squares", "log_sum",
    "log_sum_exp", "arg_max", "arg_min", "arg_max_last", "arg_min_last"};

enum PairKind : int32_t {
  PAIR_ADD, PAIR_SUBTRACT, PAIR_MULTIPLY, PAIR_DIVIDE, PAIR_MAXIMUM, PAIR_MINIMUM, PAIR_POWER,
  PAIR_EQUAL, PAIR_GREATER, PAIR_GREATER_OR_EQUAL, PAIR_LESS, PAIR_LESS_OR_EQUAL, PAIR_AND, PAIR_OR,
  PAIR_XOR, PAIR_MODULO, PAIR_REMAINDER, PAIR_WHERE, PAIR_UNLESS,
  PAIR_COUNT
};

constexpr const char* PAIR_NAMES[PAIR_COUNT] = {
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "equal", "greater",
    "greater_or_equal", "less", "less_or_equal", "and", "or", "xor", "modulo", "remainder", "where",
    "unless"};

enum FunctionKind : int32_t {
  FUNCTION_CLIP, FUNCTION_ABS, FUNCTION_NEGATIVE, FUNCTION_SIGN, FUNCTION_FLOOR, FUNCTION_CEIL,
  FUNCTION_ROUND, FUNCTION_TRUNCATE, FUNCTION_SQRT, FUNCTION_RECIPROCAL, FUNCTION_EXP, FUNCTION_LOG,
  FUNCTION_ERF, FUNCTION_SOFTSIGN, FUNCTION_HARD_SIGMOID, FUNCTION_ELU, FUNCTION_SELU,
  FUNCTION_CELU, FUNCTION_THRESHOLD, FUNCTION_SWISH, FUNCTION_SHRINK, FUNCTION_TRUTH, FUNCTION_NOT,
  FUNCTION_DIVIDE, FUNCTION_POWER, FUNCTION_SIN, FUNCTION_COS, FUNCTION_TAN, FUNCTION_ASIN,
  FUNCTION_ACOS, FUNCTION_ATAN, FUNCTION_SINH, FUNCTION_COSH, FUNCTION_ASINH, FUNCTION_ACOSH,
  FUNCTION_ATANH,
  FUNCTION_COUNT
};

constexpr const char* FUNCTION_NAMES[FUNCTION_COUNT] = {
    "clip", "abs", "negative", "sign", "floor", "ceil", "round", "truncate", "sqrt", "reciprocal",
    "exp", "log", "erf", "softsign", "hard_sigmoid", "elu", "selu", "celu", "threshold", "swish",
    "shrink", "truth", "not", "divide", "power", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "asinh", "acosh", "atanh"};

enum Type : int32_t { TYPE_FLOAT32, TYPE_UINT8 };

constexpr int PICTURE_CHANNELS = 3;  // of a picture; others may have more

// Rows of a feature map somewhere in memory. Strides and offset count elements.
struct Buffer {
  int32_t base;     // 0: the arena; n: the caller's map number n - 1
  int32_t type;     // Type
  int32_t column;   // absolute column of the first stored one (negative: padding is stored)
  int32_t columns;  // stored columns
  int64_t offset, row, pixel, channel;
};

struct Kernel {
  int32_t op, activation;            // numbers: of an operation, of an ActivationKind
  float slope;
  int32_t count_padding;             // average pool: divide by the whole window
  float factor, kept, shift, power;  // see ftdist/kernels/program.py
  Buffer in, in2, out;
  int32_t height, width;             // of the whole input map: rows outside are not read
  int32_t left, right;               // absolute output columns to produce
  int32_t channels, filters, groups; // input channels, output channels
  int32_t kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, pad_top, pad_left;
  int32_t streamed;                  // weights are read from the file, a piece at a time
  int32_t pool_height, pool_width;   // of a convolution: the window of the maximum taken of it
  int32_t part;                      // accumulate: number of the map, 0 begins the sum
  int32_t sample;                    // accumulate: only every such output position is added to
  int32_t size;                      // normalization: channels looked at; Winograd: side of a block
  int32_t in2_height, in2_width, in2_channels;  // multiply: of the second map
  int32_t out_height, out_width;     // local: of the whole output map
  int32_t view, kind;                // number of a view; which function of a family
  int32_t tiles, table;              // Winograd: blocks at once; the base of transformed weights
  float mean[PICTURE_CHANNELS];      // copy: what is subtracted from the pixels of a picture, and
  float deviation[PICTURE_CHANNELS]; // what that is divided by; `part` 1: channels are reversed
  int64_t weights, bias;             // offsets into the weights, in floats
  int64_t window;                    // where in the arena pieces go, in floats
  int64_t scratch;                   // where in the arena a kernel may work, in floats
  int64_t expanded;                  // Winograd: where in the arena it transforms weights, in floats
};

constexpr int FACTORS = 12;          // the most factors of a view

// Dense maps as arrays of any rank; see ftdist/kernels/program.py. Steps count floats.
struct View {
  int64_t first, first2;
  int32_t rows, columns, channels, terms;  // factors of each, which follow one another
  int32_t counts[FACTORS];
  int64_t steps[FACTORS], steps2[FACTORS];
};

struct Call {
  int32_t kernel;
  int32_t row, rows;                 // absolute output rows [row, row + rows)
  int32_t in_row, in2_row, out_row;  // absolute row stored first in each buffer
};

struct Counters {
  int64_t nanoseconds, macs;         // time spent in a kernel; multiply-accumulates it did
};

struct Program {
  const Kernel* kernels;
  int64_t kernel_count;
  const Call* calls;
  int64_t call_count;
  const View* views;
  int64_t view_count;
  const float* weights;
  int64_t weight_count;
  unsigned char* const* bases;       // [0] the arena, then the caller's maps
  const int64_t* base_bytes;
  int64_t base_count;
  Counters* counters;                // one a kernel
  int file;                          // descriptor of the model file, for streamed weights
  int* failure;                      // set to an error number when the file did not give them
};

// Streamed weights (streaming.cpp). Offsets and counts are in floats of the model file.
struct Piece {
  int64_t weights, weight_count, bias, bias_count;
};

// Reads a piece to `to`, weights then bias; false when the file did not give it, after noting why.
bool read_piece(const Program& program, const Piece& piece, float* to);

// Starts reading what will be wanted soon, without waiting.
void read_ahead(const Program& program, int64_t from, int64_t count);

struct Operation;

// What one instruction set offers.
struct Isa {
  const char* name;
  int lanes;
  bool fused;                        // has fused multiply-add: its bits equal every other such set's
  int pixels, wide_pixels;           // most pixels of the convolution for one and for two blocks
  bool (*supported)();
  void (*run)(const Program&);
  void (*expand)(const float* taps, int64_t tap_step, int channels, int size, float* to,
                 int64_t to_step);  // Winograd's weights of 16 outputs (minimal.hpp)
  const Operation* operations;       // sorted by name, the same for every set; see rules.hpp
  int operation_count;
};

constexpr int BLOCK = 16;            // output channels in a weight block, on every instruction set

constexpr int POOL_MOST = 2;         // the most rows or columns of a convolution's own pool

constexpr int CHUNK_BLOCKS = 2;      // blocks in the largest chunk of streamed weights

constexpr int TOGETHER_BLOCKS = 4;   // blocks of outputs whose products Winograd's kernel holds

constexpr int SLICE_CHANNELS = 64;   // channels whose weights it transforms at a time

constexpr int PARTIAL_TERMS = 256;   // the most terms that are added one after another: see runs.hpp

// Some kernels read whole vectors of channels; the arena ends with room for one more.
constexpr int64_t OVERREAD_BYTES = 64;

// Says what in a program would touch memory outside its buffers; null when nothing would.
const char* find_fault(const Program& program, int64_t* faulty_call);

extern const Isa* const ISAS[];      // those built in, best first
extern const int ISA_COUNT;

// The operation of a number, which is its place among the names of all; null when there is none.
const Operation* find_operation(int32_t number);

}  // namespace ftdist
