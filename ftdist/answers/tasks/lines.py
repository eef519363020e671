"""Whether a network reads a line of writing, and how its outputs lie: told by their shapes.

Such networks see a low and wide picture, and hand on one array: scores of every character for as
many steps as there are columns, or a half to a sixteenth of them, or the best ones' numbers.
"""

from __future__ import annotations

import re

from ftdist.network.graph import Network
from ftdist.network.operators.reducing import Reduce
from ftdist.network.task import Blank, Task

_HIGHEST_LINE, _FEWEST_CHARACTERS = 64, 11
"""Rows of a picture of one line of writing; ten digits and the blank."""

_STRIDES = (1, 2, 4, 8, 16)

_NO_BLANK = re.compile(
    r"parseq|vit_?str|abi_?net|(?<![a-z])trba(?![a-z])|plate_?ocr", re.IGNORECASE
)
_BLANK_LAST = re.compile(r"keras|tf2onnx|lpr_?net", re.IGNORECASE)


def line_of_text(network: Network, words: str, *, asked: bool = False) -> Task | None:
    """The task of a network that reads text, None of any other; `words` are what its file says.

    `asked`: somebody says that it does, so any output of two axes may be scores.
    """
    height, width, _ = network.input
    is_line = len(network.outputs) == 1 and height <= _HIGHEST_LINE and width >= 2 * height
    if not is_line and not asked:
        return None
    number = max(network.outputs, key=lambda each: network.shape(each).elements)
    name, dims = network.layers[number].name, network.layout(number).of(network.shape(number))
    axes = [each for each in dims if each != 1]
    if len(axes) == 1:
        classes = _chosen_of(network, number)
        is_text = classes >= _FEWEST_CHARACTERS and _along(axes[0], width)
        return _told(name, classes, words) if is_text or (asked and classes) else None
    if len(axes) != 2 or (not asked and _is_map(dims, height, width)):
        return None
    steps, classes = axes
    if _is_turned(axes, width):
        steps, classes = classes, steps
    is_text = classes >= _FEWEST_CHARACTERS and _along(steps, width)
    return _told(name, classes, words) if is_text or asked else None


def _told(name: str, classes: int, words: str) -> Task:
    blank: Blank = "blank_first"
    if _NO_BLANK.search(words):
        blank = "no_blank"
    elif _BLANK_LAST.search(words):
        blank = "blank_last"
    return Task("text", blank, classes, (name,))


def _along(steps: int, width: int) -> bool:
    return width // _STRIDES[-1] <= steps <= width


def _is_turned(axes: list[int], width: int) -> bool:
    """Whether the characters come first: the last axis is nearer to a whole part of the columns."""
    first, last = (
        min(abs(steps - width / stride) / (width / stride) for stride in _STRIDES)
        if _along(steps, width)
        else float("inf")
        for steps in axes
    )
    return last < first and axes[0] >= _FEWEST_CHARACTERS


def _is_map(dims: tuple[int, ...], height: int, width: int) -> bool:
    """Whether it is one channel as large as the input, or in proportion."""
    rows, columns = (each for each in dims if each != 1)
    return len(dims) == 4 and rows * width == columns * height


def _chosen_of(network: Network, number: int) -> int:
    """Of how many values each step's best was chosen, where they are such numbers; else 0."""
    layer = network.layers[network.source(number)]
    if isinstance(layer.operation, Reduce) and layer.operation.how in ("arg_max", "arg_max_last"):
        (source,) = layer.inputs
        return network.shape(source).elements // max(1, layer.shape.elements)
    return 0
