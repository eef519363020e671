#pragma once

#include <nanobind/nanobind.h>

namespace ftdist::planning {

// Adds the walks over cuts to the module.
void add_walks(nanobind::module_& module);

}  // namespace ftdist::planning
