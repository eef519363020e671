// The Python face of what undoes picture files' codings.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>

#include "colouring.hpp"
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

void mix_rows(const Input& band, size_t width, size_t channels, const Input& above,
              const Places& upper, const Places& lower, const Shares& down, const Places& left,
              const Places& right, const Shares& along, const Bytes& out) {
  if (width == 0 || channels == 0 || band.size() % (width * channels) != 0 ||
      (above.size() != 0 && above.size() != width * channels))
    throw nb::value_error("rows of another size");
  const auto height = static_cast<int64_t>(band.size() / (width * channels));
  const Taps rows = taps(upper, lower, down, above.size() == 0 ? 0 : -1, height);
  const Taps columns = taps(left, right, along, 0, static_cast<int64_t>(width));
  if (out.size() != rows.count * columns.count * channels) throw nb::value_error("another size");
  nb::gil_scoped_release release;
  const auto scratch = std::make_unique<float[]>(2 * columns.count * channels);
  mix({band.data(), above.data(), width, channels}, rows, columns, scratch.get(), out.data());
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
  module.def("mix", &mix_rows);
  module.def("colour", &colour_rows);
  module.def("accumulate", &accumulate_rows<uint8_t>);
  module.def("accumulate", &accumulate_rows<uint16_t>);
  module.def("accumulate", &accumulate_rows<uint32_t>);
}
