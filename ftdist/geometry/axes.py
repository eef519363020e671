"""What one axis of a layer needs of its input: axes map spans of outputs to spans of inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ftdist.errors import InputError
from ftdist.geometry.regions import Span

_FAR = 1 << 30
"""Farther than any position."""


class AxisTerms(NamedTuple):
    """An axis as numbers: output positions [p, q) read the input positions

    [unit * ((multiplier * p + before) // divisor) + first, the same of q, `after` and `last`);
    where `whole` is set all of an axis of that size, which virtual positions at or below zero
    repeat before it.
    """

    multiplier: int = 1
    divisor: int = 1
    before: int = 0
    after: int = 0
    whole: int = 0
    unit: int = 1
    first: int = 0
    last: int = 0

    def start(self, output: Any) -> Any:
        """The first input position read for outputs from `output` on, a number or an array."""
        if self.whole:
            return output * 0
        return self._walked(output, self.before, self.first)

    def stop(self, output: Any) -> Any:
        """One past the last input position read for outputs before `output`."""
        if self.whole:
            return ((output > 0) + (output < 0) * output) * self.whole
        return self._walked(output, self.after, self.last)

    def _walked(self, output: Any, added: int, moved: int) -> Any:
        """What changes nothing is left out: for short arrays each operation counts."""
        if self.multiplier != 1:
            output = output * self.multiplier
        if added:
            output = output + added
        if self.divisor != 1:
            output = output // self.divisor
        if self.unit != 1:
            output = output * self.unit
        return output + moved if moved else output


class Axis(Protocol):
    """How positions of a layer's output on one axis depend on positions of its input."""

    def receptive(self, output: Span) -> Span:
        """The unclipped input span that the (possibly empty or virtual) output span reads.

        Both ends are non-decreasing functions of the output's ends, below zero too: strips walk
        back from positions before a tile's first row. Plain arithmetic only, so that the ends may
        be NumPy arrays as well as numbers.
        """
        ...

    def terms(self) -> tuple[AxisTerms, ...]:
        """The same as numbers; of several terms the hull is read."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window: `kernel` taps `dilation` apart, moved by `stride`, first at -pad_before."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    pad_before: int = 0
    pad_after: int = 0

    def __post_init__(self) -> None:
        if min(self.kernel, self.stride, self.dilation) < 1:
            raise InputError("a window's kernel, stride and dilation are at least 1")
        if min(self.pad_before, self.pad_after) < 0:
            raise InputError("a window's padding is at least 0")

    @property
    def extent(self) -> int:
        """Input positions from the first tap to the last, both included."""
        return (self.kernel - 1) * self.dilation + 1

    def output_size(self, size: int) -> int:
        """Output positions on an input of `size`; 0 or less when the window does not fit."""
        return (size + self.pad_before + self.pad_after - self.extent) // self.stride + 1

    def receptive(self, output: Span) -> Span:
        start = output.start * self.stride - self.pad_before
        return Span(start, (output.stop - 1) * self.stride - self.pad_before + self.extent)

    def terms(self) -> tuple[AxisTerms, ...]:
        after = self.extent - self.stride - self.pad_before
        return (AxisTerms(self.stride, 1, -self.pad_before, after),)


@dataclass(frozen=True, slots=True)
class Anchored:
    """A window whose outputs are made in whole blocks of `block` positions, counted from 0."""

    window: Window
    block: int

    def receptive(self, output: Span) -> Span:
        start, stop = output.start // self.block, -(-output.stop // self.block)
        return self.window.receptive(Span(start * self.block, stop * self.block))

    def terms(self) -> tuple[AxisTerms, ...]:
        (each,) = self.window.terms()
        unit, up = self.block * each.multiplier, self.block - 1
        return (AxisTerms(1, self.block, 0, up, unit=unit, first=each.before, last=each.after),)


@dataclass(frozen=True, slots=True)
class Repeat:
    """Nearest upsampling: each input position makes `scale` output positions."""

    scale: int

    def receptive(self, output: Span) -> Span:
        return Span(output.start // self.scale, -(-output.stop // self.scale))

    def terms(self) -> tuple[AxisTerms, ...]:
        return (AxisTerms(1, self.scale, 0, self.scale - 1),)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Space to depth: an output position reads `stride` inputs, and `margin` more blocks around."""

    stride: int
    margin: int = 0

    def receptive(self, output: Span) -> Span:
        return Span(
            (output.start - self.margin) * self.stride,
            (output.stop + self.margin) * self.stride,
        )

    def terms(self) -> tuple[AxisTerms, ...]:
        beside = self.margin * self.stride
        return (AxisTerms(self.stride, 1, -beside, beside),)


@dataclass(frozen=True, slots=True)
class Whole:
    """Every output position reads the whole axis; virtual ones at or below zero lie before it."""

    size: int

    def receptive(self, output: Span) -> Span:
        stop = output.stop
        return Span(0, (stop > 0) * self.size + (stop < 0) * stop * self.size)

    def terms(self) -> tuple[AxisTerms, ...]:
        return (AxisTerms(whole=self.size),)


@dataclass(frozen=True, slots=True)
class Shifted:
    """Each output position reads the input position `shift` after it."""

    shift: int

    def receptive(self, output: Span) -> Span:
        return Span(output.start + self.shift, output.stop + self.shift)

    def terms(self) -> tuple[AxisTerms, ...]:
        return (AxisTerms(before=self.shift, after=self.shift),)


@dataclass(frozen=True, slots=True)
class Sampled:
    """Every `step`-th output position reads the next input position, as long as there are `size`.

    What reads nothing is said to read the last one, so that there always is something to read.
    """

    step: int
    size: int

    def receptive(self, output: Span) -> Span:
        start, last = output.start // self.step, self.size - 1
        return Span(start - (start > last) * (start - last), -(-output.stop // self.step))

    def terms(self) -> tuple[AxisTerms, ...]:
        last_at_least = AxisTerms(0, 1, self.size - 1, -_FAR)
        return (AxisTerms(1, self.step, 0, self.step - 1), last_at_least)


@dataclass(frozen=True, slots=True)
class Between:
    """Position i reads `taps` input positions from (multiplier * i + before) // divisor on."""

    multiplier: int
    before: int
    divisor: int
    taps: int

    def receptive(self, output: Span) -> Span:
        start = (output.start * self.multiplier + self.before) // self.divisor
        last = ((output.stop - 1) * self.multiplier + self.before) // self.divisor
        return Span(start, last + self.taps)

    def terms(self) -> tuple[AxisTerms, ...]:
        after = self.before - self.multiplier + self.taps * self.divisor
        return (AxisTerms(self.multiplier, self.divisor, self.before, after),)


@dataclass(frozen=True, slots=True)
class Spread:
    """A window turned round: input position i of `size` is added to the output positions

    i * stride - pad_before + tap * dilation. An output position between them is said to read the
    input position before it, and one behind them the last, so that there always is one to read.
    """

    window: Window
    size: int

    def receptive(self, output: Span) -> Span:
        start = (output.start + self._before) // self.window.stride
        stop = (output.stop + self._after) // self.window.stride
        return Span(_smaller(start, self.size - 1), stop)

    def terms(self) -> tuple[AxisTerms, ...]:
        last_at_least = AxisTerms(0, 1, self.size - 1, -_FAR)
        return (AxisTerms(1, self.window.stride, self._before, self._after), last_at_least)

    @property
    def _before(self) -> int:
        window = self.window
        return window.pad_before - max(0, window.extent - window.stride)

    @property
    def _after(self) -> int:
        return self.window.pad_before + self.window.stride - 1


@dataclass(frozen=True, slots=True)
class Hull:
    """Whatever either of two axes reads: a map that is read in two ways."""

    one: Axis
    other: Axis

    def receptive(self, output: Span) -> Span:
        a, b = self.one.receptive(output), self.other.receptive(output)
        return Span(_smaller(a.start, b.start), _larger(a.stop, b.stop))

    def terms(self) -> tuple[AxisTerms, ...]:
        return (*self.one.terms(), *self.other.terms())


def _smaller(a: int, b: int) -> int:
    return a - (a > b) * (a - b)


def _larger(a: int, b: int) -> int:
    return a + (a < b) * (b - a)


SAME = Window(1)
"""Each output position reads the input position of the same number."""


class Axes(NamedTuple):
    """How output rows and columns depend on those of one input.

    `padded`: columns beside the map are read too, as zeros, so they must be stored.
    """

    rows: Axis
    columns: Axis
    padded: bool = False

    def stored_columns(self, made: Span, width: int) -> Span:
        """The columns, not clipped, of an input of this width that make the columns `made`.

        Off the map lies the zero padding that convolutions read. One that reads nothing else still
        gets the column beside it, so that every kernel has columns to compute. Plain arithmetic:
        the ends of spans may be arrays.
        """
        read = self.columns.receptive(made)
        if not self.padded:
            return read
        beside = _larger(_smaller(read.start, width - 1), 0)
        some = read.stop > read.start  # else the hull is the column beside
        return Span(
            _smaller(read.start, beside) * some + beside * (1 - some),
            _larger(read.stop * some, beside + 1),
        )

    def hull(self, other: Axes) -> Axes:
        """What reads as both do."""
        if self == other:
            return self
        rows, columns = Hull(self.rows, other.rows), Hull(self.columns, other.columns)
        return Axes(rows, columns, self.padded or other.padded)


PLAIN = Axes(SAME, SAME)
"""Each output position reads just that position."""
