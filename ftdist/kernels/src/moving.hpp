// Kernels that move positions: copies, crops, upsampling, and space to depth in its two orders.
#pragma once
#include "rows.hpp"
#include "rules.hpp"

namespace ftdist::FTDIST_NAMESPACE {

// The pointer to an element of a buffer of any type and strides.
static inline unsigned char* element(const Program& program, const Buffer& buffer, int first_row,
                                     int row, int column, int bytes) {
  const int64_t index = buffer.offset + (int64_t)(row - first_row) * buffer.row +
                        (int64_t)(column - buffer.column) * buffer.pixel;
  return program.bases[buffer.base] + index * bytes;
}

// A row of a planar picture of three channels to pixels: what every photo and array begins with.
static inline void interleave3(const float* from, int64_t plane, float* to, int pixels) {
  const float* __restrict a = from;
  const float* __restrict b = from + plane;
  const float* __restrict c = from + 2 * plane;
  float* __restrict pixel = to;
  for (int x = 0; x < pixels; x++) {
    pixel[3 * x] = a[x];
    pixel[3 * x + 1] = b[x];
    pixel[3 * x + 2] = c[x];
  }
}

static inline void copy_row(const float* from, int64_t from_pixel, int64_t from_channel, float* to,
                            int64_t to_pixel, int64_t to_channel, int pixels, int channels) {
  if (to_channel == 1) {
    for (int x = 0; x < pixels; x++)
      for (int c = 0; c < channels; c++)
        to[x * to_pixel + c] = from[x * from_pixel + c * from_channel];
    return;
  }
  for (int c = 0; c < channels; c++)
    for (int x = 0; x < pixels; x++)
      to[x * to_pixel + c * to_channel] = from[x * from_pixel + c * from_channel];
}

// A row of a picture, as the network has learnt to see it; channels beyond the third are seen as
// the first.
static inline void picture_row(const Kernel& kernel, const unsigned char* from, float* to,
                               int pixels) {
  const Buffer &in = kernel.in, &out = kernel.out;
  for (int c = 0; c < kernel.channels; c++) {
    const int source = kernel.part ? kernel.channels - 1 - c : c;
    const int own = c < PICTURE_CHANNELS ? c : 0;
    const float mean = kernel.mean[own], deviation = kernel.deviation[own];
    for (int x = 0; x < pixels; x++)
      to[x * out.pixel + c * out.channel] =
          ((float)from[x * in.pixel + source * in.channel] - mean) / deviation;
  }
}

// Rows from one buffer to another; bytes are pixels.
static void copy(const Program& program, const Kernel& kernel, const Call& call) {
  const Buffer &in = kernel.in, &out = kernel.out;
  const int pixels = kernel.right - kernel.left, channels = kernel.channels;
  const bool dense = in.channel == 1 && out.channel == 1 && in.type == TYPE_FLOAT32;
  for (int row = call.row; row < call.row + call.rows; row++) {
    float* to = at(program, out, call.out_row, row, kernel.left);
    const unsigned char* from = element(program, in, call.in_row, row, kernel.left,
                                        in.type == TYPE_UINT8 ? 1 : (int)sizeof(float));
    if (dense && in.pixel == channels && out.pixel == channels) {
      __builtin_memcpy(to, from, sizeof(float) * pixels * channels);
    } else if (dense) {
      for (int x = 0; x < pixels; x++)
        __builtin_memcpy(to + x * out.pixel, from + x * in.pixel * (int)sizeof(float),
                         sizeof(float) * channels);
    } else if (in.type == TYPE_FLOAT32 && channels == 3 && in.pixel == 1 && out.channel == 1 &&
               out.pixel == 3) {
      interleave3(reinterpret_cast<const float*>(from), in.channel, to, pixels);
    } else if (in.type == TYPE_UINT8) {
      picture_row(kernel, from, to, pixels);
    } else {
      copy_row(reinterpret_cast<const float*>(from), in.pixel, in.channel, to, out.pixel,
               out.channel, pixels, channels);
    }
  }
}

// A pixel as factor * x + shift.
static inline void scale_pixel(const Kernel& kernel, const float* in, float* out) {
  for (int first = 0; first < kernel.channels; first += LANES) {
    const int count = smaller(LANES, kernel.channels - first);
    const Vec value = load_part(in + first, count);
    store_part(out + first, fma(value, splat(kernel.factor), splat(kernel.shift)), count);
  }
}

static void crop(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++)
      scale_pixel(kernel,
                  at(program, kernel.in, call.in_row, row - kernel.pad_top,
                     column - kernel.pad_left),
                  at(program, kernel.out, call.out_row, row, column));
}

static void upsample_scaled(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++)
      scale_pixel(kernel,
                  at(program, kernel.in, call.in_row, row / kernel.stride_y,
                     column / kernel.stride_x),
                  at(program, kernel.out, call.out_row, row, column));
}

static void upsample(const Program& program, const Kernel& kernel, const Call& call) {
  if (kernel.factor != 1.0f) return upsample_scaled(program, kernel, call);
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++)
      __builtin_memcpy(
          at(program, kernel.out, call.out_row, row, column),
          at(program, kernel.in, call.in_row, row / kernel.stride_y, column / kernel.stride_x),
          sizeof(float) * kernel.channels);
}

// The place of an output position of a resize on one axis: (stride * i + pad) / dilation, as the
// input positions before and behind it, both on the map, and how far it is from the former.
struct Between {
  int before, behind;
  float weight;
};

static inline Between between(int64_t position, int64_t stride, int64_t pad, int64_t dilation,
                              int64_t size) {
  const int64_t place = position * stride + pad;
  const int64_t first = place / dilation - (place % dilation < 0);
  const float weight = (float)(place - first * dilation) / (float)dilation;
  return {(int)most(0, least(first, size - 1)), (int)most(0, least(first + 1, size - 1)), weight};
}

static inline Vec mixed(Vec before, Vec behind, float weight) {
  return fma(splat(weight), behind - before, before);
}

static void resize_linear(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++) {
    const Between y = between(row, kernel.stride_y, kernel.pad_top, kernel.dilation_y, kernel.height);
    for (int column = kernel.left; column < kernel.right; column++) {
      const Between x =
          between(column, kernel.stride_x, kernel.pad_left, kernel.dilation_x, kernel.width);
      const float* a = at(program, kernel.in, call.in_row, y.before, x.before);
      const float* b = at(program, kernel.in, call.in_row, y.before, x.behind);
      const float* c = at(program, kernel.in, call.in_row, y.behind, x.before);
      const float* d = at(program, kernel.in, call.in_row, y.behind, x.behind);
      float* out = at(program, kernel.out, call.out_row, row, column);
      for (int first = 0; first < kernel.channels; first += LANES) {
        const int count = smaller(LANES, kernel.channels - first);
        const Vec above = mixed(load_part(a + first, count), load_part(b + first, count), x.weight);
        const Vec below = mixed(load_part(c + first, count), load_part(d + first, count), x.weight);
        store_part(out + first, mixed(above, below, y.weight), count);
      }
    }
  }
}

static void resize_nearest(const Program& program, const Kernel& kernel, const Call& call) {
  for (int row = call.row; row < call.row + call.rows; row++) {
    const Between y = between(row, kernel.stride_y, kernel.pad_top, kernel.dilation_y, kernel.height);
    for (int column = kernel.left; column < kernel.right; column++) {
      const Between x =
          between(column, kernel.stride_x, kernel.pad_left, kernel.dilation_x, kernel.width);
      __builtin_memcpy(at(program, kernel.out, call.out_row, row, column),
                       at(program, kernel.in, call.in_row, y.before, x.before),
                       sizeof(float) * kernel.channels);
    }
  }
}

static void reorg(const Program& program, const Kernel& kernel, const Call& call) {
  const int stride = kernel.stride_y, channels = kernel.channels;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      float* to = at(program, kernel.out, call.out_row, row, column);
      for (int y = 0; y < stride; y++)
        for (int x = 0; x < stride; x++, to += channels)
          __builtin_memcpy(to, at(program, kernel.in, call.in_row, row * stride + y,
                                  column * stride + x), sizeof(float) * channels);
    }
}

static void depth_to_space(const Program& program, const Kernel& kernel, const Call& call) {
  const int stride = kernel.stride_y, channels = kernel.filters;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const int part = row % stride * stride + column % stride;
      __builtin_memcpy(at(program, kernel.out, call.out_row, row, column),
                       at(program, kernel.in, call.in_row, row / stride, column / stride) +
                           (int64_t)part * channels,
                       sizeof(float) * channels);
    }
}

// Darknet's reorg_cpu, backwards, on flat (C, H, W) indices: the output's flat index gives
// (k, j, i) of a map of the input's shape, which gives the place in (C / s^2, H s, W s), whose flat
// index is that of the input.
static void reorg_darknet(const Program& program, const Kernel& kernel, const Call& call) {
  const int s = kernel.stride_y, channels = kernel.channels;
  const int64_t height = kernel.height, width = kernel.width, area = height * width;
  const int64_t out_height = height / s, out_width = width / s, depth = channels / (s * s);
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      float* to = at(program, kernel.out, call.out_row, row, column);
      for (int c = 0; c < kernel.filters; c++) {
        const int64_t flat = (c * out_height + row) * out_width + column;
        const int64_t k = flat / area, j = flat / width % height, i = flat % width;
        const int64_t part = k / depth;
        const int64_t from = ((k % depth) * height * s + j * s + part / s) * width * s + i * s +
                             part % s;
        to[c] = at(program, kernel.in, call.in_row, (int)(from / width % height),
                   (int)(from % width))[from / area];
      }
    }
}

// Copies move any strides, and bytes; padding is zeroed pixel by pixel.
static bool copy_layouts(const Kernel& k) {
  if (k.in.type != TYPE_FLOAT32 && k.in.type != TYPE_UINT8) return false;
  const bool padded = k.out.column != k.left || k.right - k.left != k.out.columns;
  return k.out.channel == 1 || !padded;
}

static bool crop_reads(const Kernel& k, Area& area) {
  area = {{area.rows.first - k.pad_top, area.rows.last - k.pad_top},
          {area.columns.first - k.pad_left, area.columns.last - k.pad_left}};
  return true;
}

template <int TAPS>
static bool resize_reads(const Kernel& k, Area& area) {
  const auto read = [](Span span, int64_t stride, int64_t pad, int64_t dilation, int64_t size) {
    const Between first = between(span.first, stride, pad, dilation, size);
    const Between last = between(span.last - 1, stride, pad, dilation, size);
    return Span{first.before, (TAPS == 2 ? last.behind : last.before) + 1};
  };
  if (k.height < 1 || k.width < 1 || !is_near(area.rows) || !is_near(area.columns)) return false;
  area = {read(area.rows, k.stride_y, k.pad_top, k.dilation_y, k.height),
          read(area.columns, k.stride_x, k.pad_left, k.dilation_x, k.width)};
  return true;
}

static bool reorg_reads(const Kernel& k, Area& area) {
  area = {{area.rows.first * k.stride_y, area.rows.last * k.stride_y},
          {area.columns.first * k.stride_x, area.columns.last * k.stride_x}};
  return true;
}

static bool reorg_fits(const Kernel& k) {
  const int64_t s = k.stride_y;
  return k.stride_x == s && s * s <= k.filters && k.filters == k.channels * s * s;
}

static bool reorg_darknet_reads(const Kernel& k, Area& area) {
  const int64_t s = k.stride_y;
  Span& rows = area.rows;
  if (rows.last > k.height / s || area.columns.first < 0 || area.columns.last > k.width / s)
    return false;
  const bool straddles = k.height / s % s != 0;  // an output row mixes rows of two channels
  rows = straddles ? Span{0, k.height}
                   : clipped({(rows.first - s + 1) * s, (rows.last + s - 1) * s}, k.height);
  area.columns = {area.columns.first * s, area.columns.last * s};
  return true;
}

static bool reorg_darknet_fits(const Kernel& k) {
  const int64_t s = k.stride_y;
  return reorg_fits(k) && k.channels % (s * s) == 0 && k.height % s == 0 && k.width % s == 0;
}

static bool depth_to_space_fits(const Kernel& k) {
  const int64_t s = k.stride_y;
  return k.stride_x == s && s * s <= k.channels && k.channels == k.filters * s * s;
}

constexpr Operation MOVING[] = {
    {.name = "copy",
     .run = copy,
     .reads = reads_position,
     .fits = same_channels,
     .layouts = copy_layouts},
    {.name = "crop", .run = crop, .reads = crop_reads, .fits = same_channels},
    {.name = "upsample", .run = upsample, .reads = reads_repeated, .fits = same_channels},
    {.name = "resize_linear",
     .run = resize_linear,
     .reads = resize_reads<2>,
     .fits = same_channels},
    {.name = "resize_nearest",
     .run = resize_nearest,
     .reads = resize_reads<1>,
     .fits = same_channels},
    {.name = "reorg", .run = reorg, .reads = reorg_reads, .fits = reorg_fits},
    {.name = "reorg_darknet",
     .run = reorg_darknet,
     .reads = reorg_darknet_reads,
     .fits = reorg_darknet_fits},
    {.name = "depth_to_space",
     .run = depth_to_space,
     .reads = reads_repeated,
     .fits = depth_to_space_fits},
};

}  // namespace ftdist::FTDIST_NAMESPACE
