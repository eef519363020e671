"""Layers of Darknet's that are several here, and what stands before or behind a layer.

Darknet counts each of them as one, so the layers after it are numbered differently here; a remark
says so. What they need of constants is not in a .weights file: ``darknet.numbers.Fixed`` has it.

Sources: pjreddie's l2norm_layer.c and iseg_layer.c; AlexeyAB's representation_layer.c,
activations.c and convolutional_layer.c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ftdist.geometry import Shape
from ftdist.network.darknet.cfg import Section
from ftdist.network.darknet.layers import CHANNEL_NORMS, LARGEST, previous
from ftdist.network.darknet.numbers import DarknetBuilder, Fixed, Floats, Shapes, Take
from ftdist.network.operators.base import Activation, Operation, Sliding
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.pairs import Pair
from ftdist.network.operators.resampling import Crop
from ftdist.network.operators.tensors import Gather, Rearrange
from ftdist.network.operators.views import Factor, View
from ftdist.network.operators.windows import Convolution

_ONE_TAP = Sliding.square(1)

_EPSILON = 1e-4
"""What Darknet adds to a sum over channels before it divides by it."""


_REMARK = "takes layers more, so layers are not numbered as in this file"


def add(section: Section, network: DarknetBuilder, kind: str, name: str) -> None:
    """Appends the layers of a section of one of the `BUILDERS`."""
    before = network.own(previous(network))
    result = BUILDERS[kind](section, network, name)
    if result > before + 1:
        section.remark(_REMARK)
    network.count(result, result)


def channel_norm(section: Section) -> str | None:
    """The activation of a convolution that divides each value by a sum over the channels, if any.

    InputError where Darknet computes the convolution otherwise.
    """
    kind = section.word("activation", "")
    if kind not in CHANNEL_NORMS:
        return None
    if section.flag("xnor"):
        raise section.error(f"{kind} is not supported with xnor=1", "activation")
    section.remark(_REMARK, "activation")
    return kind


def normalized(network: DarknetBuilder, kind: str, source: int, name: str | None) -> int:
    """x / (1e-4 + the sum over channels), at each position, of what layer `source` makes.

    x is what the convolution makes, its values below 0 left out, or for the kinds of softmax their
    exponentials, which with `_maxval` are taken less the largest of the channels.
    """
    label = len(network)
    if kind != "normalize_channels":
        if kind.endswith("_maxval"):
            largest = network.insert(LARGEST, [source], f"largest{label}")
            source = network.insert(Pair("subtract"), [source, largest], f"less{label}")
        base = _constant(network, np.e, source, f"e{label}")
        source = network.insert(Pair("power"), [base, source], f"exponentials{label}")
    total = _sum(network, source, _EPSILON, f"sum{label}")
    return network.insert(Pair("divide"), [source, total], name)


def _l2norm(section: Section, network: DarknetBuilder, name: str) -> int:
    """Each value divided by the root of the sum, over channels, of the squares."""
    source, label = network.own(previous(network)), len(network)
    squares = network.insert(Pair("multiply"), [source, source], f"squares{label}")
    total = _sum(network, squares, 0, f"sum{label}")
    half = _constant(network, 0.5, total, f"half{label}")
    root = network.insert(Pair("power"), [total, half], f"root{label}")
    return network.insert(Pair("divide"), [source, root], name)


def _iseg(section: Section, network: DarknetBuilder, name: str) -> int:
    """The logistic function of the classes' channels; those that tell instances apart stay."""
    classes = section.integer("classes", 20, minimum=1)
    others = section.integer("ids", 32, minimum=0)
    source, label = network.own(previous(network)), len(network)
    channels = network.shape(previous(network)).channels
    if classes + others != channels:
        needed = f"{classes} classes and {others} ids need {classes + others} channels"
        raise section.error(f"{needed}, and the map has {channels}")
    logistic = Activate(Activation("logistic"))
    if not others:
        return network.insert(logistic, [source], name)
    first = network.insert(
        Gather("channels", classes), [source], f"classes{label}", Fixed(_counted_from(0))
    )
    first = network.insert(logistic, [first], f"logistic{label}")
    rest = network.insert(
        Gather("channels", others), [source], f"ids{label}", Fixed(_counted_from(classes))
    )
    return network.insert(Concatenate(), [first, rest], name)


def _implicit(section: Section, network: DarknetBuilder, name: str) -> int:
    """A map that depends on no input: `atoms` rows of one position with `filters` channels.

    Here it is the bias of a convolution that sees one position of the layer before, by zeros.
    """
    filters = section.integer("filters", 128, minimum=1)
    atoms = section.integer("atoms", 1, minimum=1)
    label = len(network)
    one = network.insert(Crop(1, 1), [network.own(previous(network))], f"one{label}")
    learned = Convolution(filters * atoms, _ONE_TAP)
    if atoms == 1:
        return network.insert(learned, [one], name, Implicit())
    listed = network.insert(learned, [one], f"learned{label}", Implicit())
    view = View((Factor(atoms, 1),), (), (Factor(filters, atoms),))
    return network.insert(Rearrange(view), [listed], name)


class Implicit:
    """The learned values of an [implicit] layer, which are all that a .weights file has of it."""

    def floats(self, operation: Operation, source: Shape) -> int:
        return operation.weights(source)["bias"][0]

    def read(
        self, take: Take, operation: Operation, source: Shape, *, flagged: bool
    ) -> tuple[Floats, ...]:
        shapes = operation.weights(source)
        return np.zeros(shapes["weights"], np.float32), take(shapes["bias"])


def _sum(network: DarknetBuilder, source: int, more: float, name: str) -> int:
    """A map of one channel: the sum of all channels, and so much more."""

    def make(shapes: Shapes) -> tuple[Floats, ...]:
        return np.ones(shapes["weights"], np.float32), np.full(shapes["bias"], more, np.float32)

    return network.insert(Convolution(1, _ONE_TAP), [source], name, Fixed(make))


def _constant(network: DarknetBuilder, value: float, like: int, name: str) -> int:
    """A map of one channel with this value at each position of layer `like`."""

    def make(shapes: Shapes) -> tuple[Floats, ...]:
        return np.zeros(shapes["weights"], np.float32), np.full(shapes["bias"], value, np.float32)

    return network.insert(Convolution(1, _ONE_TAP), [like], name, Fixed(make))


def _counted_from(first: int) -> Callable[[Shapes], tuple[Floats, ...]]:
    def make(shapes: Shapes) -> tuple[Floats, ...]:
        return (np.arange(first, first + shapes["indices"][0], dtype=np.float32),)

    return make


BUILDERS: Mapping[str, Callable[[Section, DarknetBuilder, str], int]] = {
    "l2norm": _l2norm,
    "iseg": _iseg,
    "implicit": _implicit,
}
"""What adds the layers of a kind of section; it gives the number of the one that has the result."""
