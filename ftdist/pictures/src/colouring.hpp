// Grey rows in the colours of a smaller photo, for answers/drawing/made.py, which says what is wanted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mixing.hpp"

namespace ftdist::pictures {

// Makes rows.count rows of columns.count pixels red, green, blue of as many grey ones. `chroma` has
// rows of `width` pairs Cb, Cr; `scratch` holds one of them, in floats. Pairs are mixed between rows,
// then along the row, every operation rounded to float32; the result to 8 bits, halves to even.
void colour(const uint8_t* grey, const uint8_t* chroma, size_t width, const Taps& rows,
            const Taps& columns, float* scratch, uint8_t* out);

}  // namespace ftdist::pictures
