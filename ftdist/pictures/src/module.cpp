// The Python face of what undoes picture files' codings.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "colouring.hpp"
#include "files.hpp"
#include "jpegs.hpp"
#include "mixing.hpp"
#include "rows.hpp"

namespace nb = nanobind;
using namespace ftdist::pictures;
using namespace nb::literals;

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

// Taps of an axis of `size` pixels; ValueError for others.
Taps taps(const Places& before, const Places& after, const Shares& share, int64_t size) {
  if (before.size() != after.size() || before.size() != share.size())
    throw nb::value_error("taps of several lengths");
  for (size_t at = 0; at < before.size(); at++)
    if (before.data()[at] < 0 || before.data()[at] >= size || after.data()[at] < 0 || after.data()[at] >= size)
      throw nb::value_error("a tap beside the picture");
  return {before.data(), after.data(), share.data(), before.size()};
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

// Source, target, first, length, step.
using AxisNumbers = std::array<int64_t, 5>;

// An axis along which a picture of `source` pixels becomes `length`; ValueError for any other.
Axis axis(const AxisNumbers& numbers, size_t length) {
  const auto [source, target, first, made, step] = numbers;
  const auto most = static_cast<int64_t>(INT32_MAX);
  if (source < 1 || source > most || target < 1 || target > most || first < -most || first > most)
    throw nb::value_error("no such axis");
  if (made != static_cast<int64_t>(length) || made > most || (step != 1 && step != -1))
    throw nb::value_error("another size");
  return {source, target, first, made, step};
}

void resize_band(const Pixels<const uint8_t>& band, int64_t first, const Pixels<const uint8_t>& above,
                 const AxisNumbers& rows, const AxisNumbers& columns, const Pixels<uint8_t>& out,
                 size_t most_lanes) {
  const size_t height = band.shape(0), width = band.shape(1), channels = band.shape(2);
  const Axis down = axis(rows, out.shape(0)), along = axis(columns, out.shape(1));
  if (along.source != static_cast<int64_t>(width) || first < 0 || first > down.source ||
      static_cast<int64_t>(height) > down.source - first || out.shape(2) != channels)
    throw nb::value_error("another size");
  if (channels > 1 && out.stride(2) != 1) throw nb::value_error("rows that lie otherwise");
  if (first > 0 && (above.shape(0) == 0 || above.shape(1) != width || above.shape(2) != channels))
    throw nb::value_error("rows of another size");
  const auto [pixel, stride] = steps(band);
  const size_t pixel_above = first > 0 ? steps(above).first : channels;
  nb::gil_scoped_release release;
  const Band from{{band.data(), pixel}, {above.data(), pixel_above}, stride, height, width, channels};
  resize(from, first, down, along, {out.data(), out.stride(0), out.stride(1)}, most_lanes);
}

// The content of a small file that begins so, or None. Calls of the system are made without the
// interpreter, and at once: after each of them a thread that computes might have it, and keep it.
nb::object small_file(const nb::object& path, const nb::bytes& beginning, size_t most) {
  PyObject* encoded = nullptr;
  if (!PyUnicode_FSConverter(path.ptr(), &encoded)) throw nb::python_error();
  const auto name = nb::steal<nb::bytes>(encoded);
  const std::string begins(beginning.c_str(), beginning.size());
  std::string content;
  bool found = false;
  {
    nb::gil_scoped_release release;
    found = read_small(name.c_str(), begins, most, content);
  }
  return found ? nb::object(nb::bytes(content.data(), content.size())) : nb::none();
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
  const Taps rows = taps(upper, lower, down, static_cast<int64_t>(chroma.size() / (width * 2)));
  const Taps columns = taps(left, right, along, static_cast<int64_t>(width));
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
  module.def("resize", &resize_band, "band"_a, "first"_a, "above"_a, "rows"_a, "columns"_a, "out"_a,
             "most_lanes"_a = 16);
  module.def("small_file", &small_file);
  module.def("marker", &marker);
  module.def("plain_jpeg", &plain);
  module.def("colour", &colour_rows);
  module.def("accumulate", &accumulate_rows<uint8_t>);
  module.def("accumulate", &accumulate_rows<uint16_t>);
  module.def("accumulate", &accumulate_rows<uint32_t>);
}
