// The Python face of what undoes picture files' codings.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "colouring.hpp"
#include "jpegs.hpp"
#include "mixing.hpp"
#include "rows.hpp"

namespace nb = nanobind;
using namespace ftdist::pictures;

namespace {

template <typename T>
using Values = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bytes = Values<uint8_t>;
using Input = Values<const uint8_t>;

// (bytes of the input that were used, bytes of the output that were made); ValueError for damage.
template <typename Decoder>
nb::tuple decode(Decoder& decoder, const Input& from, const Bytes& to) {
  Piece piece{from.data(), from.data() + from.size(), to.data(), to.data() + to.size()};
  bool sound = false;
  {
    nb::gil_scoped_release release;
    sound = decoder.decode(piece);
  }
  if (!sound) throw nb::value_error("its compressed data are damaged");
  return nb::make_tuple(piece.in - from.data(), piece.out - to.data());
}

size_t unfilter_rows(const Bytes& lines, size_t size, size_t pixel, const Bytes& above) {
  if (size == 0 || pixel == 0 || lines.size() % (size + 1) != 0 || above.size() != size)
    throw nb::value_error("rows of another size");
  nb::gil_scoped_release release;
  return unfilter(lines.data(), lines.size() / (size + 1), size, pixel, above.data());
}

template <typename T>
void accumulate_rows(const Values<T>& values, size_t count, size_t step) {
  if (count == 0 || step == 0 || values.size() % count != 0) throw nb::value_error("rows of another size");
  nb::gil_scoped_release release;
  accumulate(values.data(), values.size() / count, count, step);
}

using Places = Values<const int32_t>;
using Shares = Values<const float>;

// Taps of an axis of `size` pixels, the first of which is number `first`; ValueError for others.
Taps taps(const Places& before, const Places& after, const Shares& share, int64_t first, int64_t size) {
  if (before.size() != after.size() || before.size() != share.size())
    throw nb::value_error("taps of several lengths");
  for (size_t at = 0; at < before.size(); at++)
    if (before.data()[at] < first || before.data()[at] >= size || after.data()[at] < first ||
        after.data()[at] >= size)
      throw nb::value_error("a tap beside the picture");
  return {before.data(), after.data(), share.data(), before.size()};
}

void taps_of(size_t source, size_t target, const Values<const int64_t>& wanted, const Values<int32_t>& before,
             const Values<int32_t>& after, const Values<float>& share) {
  if (source == 0 || source > INT32_MAX || target > INT32_MAX || before.size() != wanted.size() ||
      after.size() != wanted.size() || share.size() != wanted.size())
    throw nb::value_error("taps of several lengths");
  for (size_t at = 0; at < wanted.size(); at++)
    if (wanted.data()[at] < 0 || wanted.data()[at] > INT32_MAX) throw nb::value_error("no such pixel");
  find_taps(source, target, wanted.data(), wanted.size(), before.data(), after.data(), share.data());
}

template <typename T>
using Pixels = nb::ndarray<T, nb::ndim<3>, nb::device::cpu>;

// How far apart pixels and rows lie, in bytes; ValueError where values of a pixel do not lie
// together, or rows overlap. Of a single one nobody goes to the next.
template <typename T>
std::pair<size_t, size_t> steps(const Pixels<T>& rows) {
  const size_t width = rows.shape(1), channels = rows.shape(2);
  const int64_t pixel = width > 1 ? rows.stride(1) : static_cast<int64_t>(channels);
  const int64_t least = pixel * static_cast<int64_t>(width);
  const int64_t row = rows.shape(0) > 1 ? rows.stride(0) : least;
  if (channels == 0 || (channels > 1 && rows.stride(2) != 1) || pixel < static_cast<int64_t>(channels) ||
      row < least - pixel + static_cast<int64_t>(channels))
    throw nb::value_error("rows that lie otherwise");
  return {static_cast<size_t>(pixel), static_cast<size_t>(row)};
}

void mix_rows(const Pixels<const uint8_t>& band, const Pixels<const uint8_t>& above,
              const Places& upper, const Places& lower, const Shares& down, const Places& left,
              const Places& right, const Shares& along, const Pixels<uint8_t>& out) {
  const size_t height = band.shape(0), width = band.shape(1), channels = band.shape(2);
  const bool follows = above.shape(0) != 0;
  if (follows && (above.shape(1) != width || above.shape(2) != channels))
    throw nb::value_error("rows of another size");
  const auto [pixel, stride] = steps(band);
  const size_t pixel_above = follows ? steps(above).first : channels;
  const auto [pixel_out, stride_out] = steps(out);
  const Taps rows = taps(upper, lower, down, follows ? -1 : 0, static_cast<int64_t>(height));
  const Taps columns = taps(left, right, along, 0, static_cast<int64_t>(width));
  if (out.shape(0) != rows.count || out.shape(1) != columns.count || out.shape(2) != channels ||
      pixel_out != channels)
    throw nb::value_error("another size");
  nb::gil_scoped_release release;
  const auto scratch = std::make_unique<float[]>(scratch_floats(columns.count, channels));
  const Band from{{band.data(), pixel}, {above.data(), pixel_above}, stride, width, channels};
  mix(from, rows, columns, scratch.get(), out.data(), stride_out);
}

nb::tuple marker(const nb::bytes& data, size_t start) {
  const auto* values = reinterpret_cast<const uint8_t*>(data.c_str());
  const Marker found = next_marker(values, data.size(), start);
  return nb::make_tuple(found.begin, found.end);
}

// (width, height, sampling factors of each component, begin and end of the data), or None.
nb::object plain(const nb::bytes& data) {
  PlainJpeg found;
  if (!plain_jpeg(reinterpret_cast<const uint8_t*>(data.c_str()), data.size(), found)) return nb::none();
  nb::list sampling;
  for (size_t each = 0; each < found.components; each++)
    sampling.append(nb::make_tuple(found.across[each], found.down[each]));
  return nb::make_tuple(found.width, found.height, nb::tuple(sampling), found.begin, found.end);
}

void colour_rows(const Input& grey, const Input& chroma, size_t width, const Places& upper,
                 const Places& lower, const Shares& down, const Places& left, const Places& right,
                 const Shares& along, const Bytes& out) {
  if (width == 0 || chroma.size() % (width * 2) != 0) throw nb::value_error("rows of another size");
  const Taps rows = taps(upper, lower, down, 0, static_cast<int64_t>(chroma.size() / (width * 2)));
  const Taps columns = taps(left, right, along, 0, static_cast<int64_t>(width));
  if (grey.size() != rows.count * columns.count || out.size() != grey.size() * 3)
    throw nb::value_error("another size");
  nb::gil_scoped_release release;
  const auto scratch = std::make_unique<float[]>(width * 2);
  colour(grey.data(), chroma.data(), width, rows, columns, scratch.get(), out.data());
}

}  // namespace

NB_MODULE(_decoding, module) {
  nb::set_leak_warnings(false);
  nb::class_<Lzw>(module, "Lzw")
      .def(nb::init<>())
      .def("decode", &decode<Lzw>)
      .def_prop_ro("ended", &Lzw::ended);
  nb::class_<PackBits>(module, "PackBits").def(nb::init<>()).def("decode", &decode<PackBits>);
  module.def("unfilter", &unfilter_rows);
  module.def("taps", &taps_of);
  module.def("mix", &mix_rows);
  module.def("marker", &marker);
  module.def("plain_jpeg", &plain);
  module.def("colour", &colour_rows);
  module.def("accumulate", &accumulate_rows<uint8_t>);
  module.def("accumulate", &accumulate_rows<uint16_t>);
  module.def("accumulate", &accumulate_rows<uint32_t>);
}
