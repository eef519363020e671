"""Regions of feature maps, and what one axis of a layer needs of its input.

Rows and columns of every layer are independent of each other, so all receptive geometry is decided
on one axis at a time: an ``Axis`` maps a span of output positions to the span of input positions
that it reads. Spans are half-open. A receptive span is returned *unclipped*: what lies outside
``[0, size)`` is padding, and the caller decides whether it is stored, skipped or clipped.

Example (a 3x3 convolution with stride 1 and padding 1, then 2x2 pooling with stride 2)::

    Window(2, 2).receptive(Span(0, 2)) == Span(0, 4)                    # pool rows 0..2
    Window(3, 1, pad_before=1).receptive(Span(0, 4)) == Span(-1, 5)     # row -1 is padding
"""

from ftdist.geometry.axes import (
    PLAIN,
    SAME,
    Anchored,
    Axes,
    Axis,
    AxisTerms,
    Between,
    Blocks,
    Hull,
    Repeat,
    Sampled,
    Shifted,
    Spread,
    Whole,
    Window,
)
from ftdist.geometry.regions import Region, Shape, Span, partition

__all__ = [
    "PLAIN",
    "SAME",
    "Anchored",
    "Axes",
    "Axis",
    "AxisTerms",
    "Between",
    "Blocks",
    "Hull",
    "Region",
    "Repeat",
    "Sampled",
    "Shape",
    "Shifted",
    "Span",
    "Spread",
    "Whole",
    "Window",
    "partition",
]
