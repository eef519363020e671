// What the files of the Python module share.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <string>

#include "program.hpp"

namespace nb = nanobind;

using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using WritableBytes = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// What running returns beside error numbers: a mapping gave no more; a run is not over.
constexpr int LOST_WEIGHTS = -1, LOST_MAP = -2, GOES_ON = -3;

// The instruction set of a name; ValueError when this build or this machine has none.
const ftdist::Isa* find_isa(const std::string& name);

inline bool contains(const Bytes& bytes, const void* address) {
  const uint8_t* at = static_cast<const uint8_t*>(address);
  return at >= bytes.data() && at < bytes.data() + bytes.size();
}

// Adds the class Steps.
void bind_steps(nb::module_& module);
