"""Sections of a Darknet .cfg file that join maps, connect them fully, or mix their channels.

Sources: the layers of both Darknets, by name; where the two differ it is said.
"""

from __future__ import annotations

from collections.abc import Callable

from ftdist.geometry import Window
from ftdist.network.builder import NetworkBuilder
from ftdist.network.darknet.cfg import Section, shown
from ftdist.network.darknet.layers import Built, activation, previous, references
from ftdist.network.operators.base import Activation, Sliding
from ftdist.network.operators.channels import Activate, NormalizeResponses, Softmax
from ftdist.network.operators.joining import Add, Multiply, Sum, WeightedSum
from ftdist.network.operators.resampling import Crop
from ftdist.network.operators.transposed import TransposedConvolution
from ftdist.network.operators.windows import Convolution, Local


def _shortcut(section: Section, network: NetworkBuilder) -> Built:
    """The layer before and those named, added; weights are AlexeyAB's, alpha and beta pjreddie's.

    Both add as many channels as both maps have. Maps of other sizes are added as pjreddie does:
    AlexeyAB adds their flat arrays, which mixes places and channels.
    """
    inputs = (previous(network), *references(section, "from", network))
    applied = activation(section, "linear")
    if weights_type(section) is not None:
        return WeightedSum(len(inputs), applied), inputs
    alpha, beta = section.number("alpha", 1.0), section.number("beta", 1.0)
    alike = len({network.shape(each) for each in inputs}) == 1
    if alike and len(inputs) == 2 and alpha == beta == 1.0:
        return Add(applied), inputs
    return Sum(applied, alpha, beta), inputs


def weights_type(section: Section) -> str | None:
    """Whether a shortcut has weights: one a map ("per_feature") or one a channel of each."""
    kind = section.string("weights_type", "none")
    if kind == "none":
        return None
    if kind in ("per_feature", "per_layer"):
        return "per_feature"
    if kind == "per_channel":
        return kind
    raise section.error(
        f"{shown(kind)} is not one of none, per_feature and per_channel", "weights_type"
    )


def _scale_channels(section: Section, network: NetworkBuilder) -> Built:
    """A map, each channel (with scale_wh each position) multiplied by what comes before."""
    (number,) = _one_reference(section, network)
    factors, scaled = network.shape(previous(network)), network.shape(number)
    if section.flag("scale_wh"):
        fits = factors[:2] == scaled[:2] and factors.channels == 1
    else:
        fits = factors[:2] == (1, 1) and factors.channels == scaled.channels
    if not fits:
        raise section.error(f"factors of {factors} do not suit a map of {scaled}", "from")
    return Multiply(activation(section, "linear")), (number, previous(network))


def _sam(section: Section, network: NetworkBuilder) -> Built:
    (number,) = _one_reference(section, network)
    own, other = network.shape(previous(network)), network.shape(number)
    if own != other:
        raise section.error(f"maps of {own} and {other} differ in shape", "from")
    return Multiply(activation(section, "linear")), (previous(network), number)


def _one_reference(section: Section, network: NetworkBuilder) -> tuple[int, ...]:
    found = references(section, "from", network)
    if len(found) != 1:
        raise section.error(f"one layer is read, not {len(found)}", "from")
    return found


def _connected(section: Section, network: NetworkBuilder) -> Built:
    """A convolution whose window is the whole map: Darknet's weights have the same order."""
    source = network.shape(previous(network))
    window = Sliding(Window(source.height), Window(source.width))
    outputs = section.integer("output", 1, minimum=1)
    operation = Convolution(outputs, window, activation=activation(section, "logistic"))
    return operation, (previous(network),)


def _deconvolution(section: Section, network: NetworkBuilder) -> Built:
    """A transposed convolution, whose padding takes positions off each side of what it makes."""
    size = section.integer("size", 1, minimum=1)
    stride = section.integer("stride", 1, minimum=1)
    padding = size // 2 if section.flag("pad") else section.integer("padding", 0, minimum=0)
    filters = section.integer("filters", 1, minimum=1)
    window = Sliding.square(size, stride, padding)
    operation = TransposedConvolution(filters, window, activation=activation(section, "logistic"))
    return operation, (previous(network),)


def _local(section: Section, network: NetworkBuilder) -> Built:
    """Darknet sizes the output for 3x3 windows where it pads, by one position on each side."""
    size = section.integer("size", 1, minimum=1)
    stride = section.integer("stride", 1, minimum=1)
    padding = int(section.flag("pad"))
    if padding and size != 3:
        raise section.error("a padded [local] needs size=3: Darknet's sizes fit no other", "pad")
    filters = section.integer("filters", 1, minimum=1)
    window = Sliding.square(size, stride, padding)
    return Local(filters, window, activation(section, "logistic")), (previous(network),)


def _batchnorm(section: Section, network: NetworkBuilder) -> Built:
    """A factor and a shift for each channel: a depthwise convolution of one tap."""
    channels = network.shape(previous(network)).channels
    return Convolution(channels, Sliding.square(1), channels), (previous(network),)


def _normalization(section: Section, network: NetworkBuilder) -> Built:
    operation = NormalizeResponses(
        size=section.integer("size", 5, minimum=1),
        alpha=section.number("alpha", 1e-4),
        beta=section.number("beta", 0.75),
        kappa=section.number("kappa", 1.0),
    )
    return operation, (previous(network),)


def _crop(section: Section, network: NetworkBuilder) -> Built:
    """The middle of the map, from [0, 1] to [-1, 1] unless noadjust says not to."""
    source = network.shape(previous(network))
    height = section.integer("crop_height", 1, minimum=1)
    width = section.integer("crop_width", 1, minimum=1)
    if height > source.height or width > source.width:
        raise section.error(f"{height}x{width} positions are more than a map of {source} has")
    factor, shift = (1.0, 0.0) if section.flag("noadjust") else (2.0, -1.0)
    top, left = (source.height - height) // 2, (source.width - width) // 2
    return Crop(height, width, top, left, factor, shift), (previous(network),)


def softmax(section: Section, network: NetworkBuilder) -> Built:
    """One sum for the whole map and group; spatial ones, at each position, are those of GPUs."""
    operation = Softmax(
        groups=section.integer("groups", 1, minimum=1),
        temperature=section.number("temperature", 1.0),
        spatial=section.flag("spatial"),
    )
    return operation, (previous(network),)


def _logistic(section: Section, network: NetworkBuilder) -> Built:
    return Activate(Activation("logistic")), (previous(network),)


BUILDERS: dict[str, Callable[[Section, NetworkBuilder], Built]] = {
    "shortcut": _shortcut,
    "scale_channels": _scale_channels,
    "sam": _sam,
    "connected": _connected,
    "deconvolutional": _deconvolution,
    "local": _local,
    "batchnorm": _batchnorm,
    "normalization": _normalization,
    "crop": _crop,
    "logistic": _logistic,
}
"""What each kind of section becomes."""
