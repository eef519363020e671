"""The size of an ONNX file's input where the file leaves it open, or another one is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftdist.answers.told_inside import known_size, size_inside
from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.network.task import Task

if TYPE_CHECKING:
    from ftdist.network.onnx.importer import OnnxModel

USUAL_SIZES = (
    *((320, 320), (224, 224), (256, 256), (48, 320), (32, 320), (112, 112), (128, 128)),
    *((64, 64), (416, 416), (512, 512)),
)
"""Sizes at which a network of open size is tried, where nobody says one: the first that suits."""

DEFAULT_SIZE = USUAL_SIZES[0]
"""Rows and columns of an input that leaves them open, where nobody says them."""

_CLASSIFIED_SIZE = (224, 224)
"""The same of a classifier: ImageNet's are trained with it."""

_MOST_COLUMNS = 1 << 13
"""Of a line of text."""

_PAGE_SIDE, _PAGE_STEP = 640, 32
"""Of a picture on which lines of text are found, the longer one."""

_STRIDES = (1, 8, 32, 64)
"""Networks that make pictures may want sides that are multiples of one of these."""


@dataclass(frozen=True, slots=True)
class SizeWanted:
    """(height, width): as it is `named`, else that of the first `picture` for networks that make
    pictures, the proportions of the `widest` for those that read or find text.

    `as_picture`: all take that of the picture, whatever size the file names.
    """

    named: tuple[int, int] | None
    picture: tuple[int, int] | None
    widest: tuple[int, int] | None
    as_picture: bool


def resized(
    path: Path, wanted: SizeWanted, found: OnnxModel, task: Task, until: str | None
) -> OnnxModel:
    """The network in a file at the size that is wanted, where that is not the one it was read at.

    `found` is the latter, and what it is for.
    """
    from ftdist.network.onnx.importer import read_onnx

    assumed = found.is_open and wanted.named is None
    makes_pictures = assumed and task.kind == "image"
    if wanted.picture is not None and (makes_pictures or wanted.as_picture):
        return _as_large(path, wanted.picture, until, resized=wanted.as_picture)
    if wanted.widest is not None and assumed and task.kind == "text":
        return _as_large(path, _line_size(found.network, *wanted.widest), until, resized=False)
    if wanted.widest is not None and assumed and task.layout == "text_map":
        return _as_large(path, _page_size(*wanted.widest), until, resized=False)
    usual = size_inside(found.hints) or DEFAULT_SIZE
    if task.kind == "classify" and usual == DEFAULT_SIZE:
        usual = known_size(found.hints) or _CLASSIFIED_SIZE
    if assumed and usual != DEFAULT_SIZE:
        return read_onnx(path, None, until, usual=(usual, *USUAL_SIZES))
    return found


def _line_size(network: Network, height: int, width: int) -> tuple[int, int]:
    """As high as the network is, with the proportions of a picture."""
    rows = network.input.height
    return rows, max(rows, min(_MOST_COLUMNS, round(rows * width / height)))


def _page_size(height: int, width: int) -> tuple[int, int]:
    """With the proportions of a picture, in the steps that text is found in."""
    scale = _PAGE_SIDE / max(height, width)
    rows, columns = (max(1, round(side * scale / _PAGE_STEP)) for side in (height, width))
    return rows * _PAGE_STEP, columns * _PAGE_STEP


def _as_large(
    path: Path, picture: tuple[int, int], until: str | None, *, resized: bool
) -> OnnxModel:
    """The network at the size of a picture, or a little larger where it wants whole strides.

    `resized`: whatever size its file names.
    """
    from ftdist.network.onnx.importer import read_onnx

    refused: InputError | None = None
    for stride in _STRIDES:
        height, width = (-(-side // stride) * stride for side in picture)
        try:
            return read_onnx(path, (height, width), until, resized=resized)
        except InputError as error:
            refused = refused or error
    assert refused is not None
    raise refused
