"""What a network's outputs are, as its model file says it; ``answers`` reads them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Kind = Literal["detect", "classify", "segment", "image", "points", "text", "arrays"]

Layout = Literal[
    "",
    "heads",
    "rows",
    "rows_plain",
    "columns",
    "grid_rows",
    "pairs",
    "selected",
    "selected_cells",
    "counted",
    "chosen",
    "scored",
    "queries",
    "centres",
    "centres_exp",
    "distances",
    "yunet",
    "bins",
    "bin_lists",
    "bin_maps",
    "yolo2_map",
    "tiny_yolo2_map",
    "yolo3_maps",
    "yolo4_maps",
    "yolo5_maps",
    "yolo7_maps",
    "text_map",
    "peaks",
    "simcc",
    "rows_first",
    "blank_first",
    "blank_last",
    "no_blank",
    "flow",
    "ab",
]
"""How outputs hold boxes, key points, characters or colours; "heads" are Darknet's, the others are
said by ``answers.tasks``."""

TWO_CHANNELS: tuple[Layout, ...] = ("flow", "ab")
"""Images that are put together as colours from a map of two channels."""

Blank = Literal["blank_first", "blank_last", "no_blank"]
"""Which class of a reader of text is no character."""

Detail = Literal["", "masks", "points", "turned"]
"""What a list says of an object beside its box."""

_LATER = frozenset({"detail", "values"})
"""What files say only where it is something: earlier versions do not know it."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a network's outputs are: `kind`, and how they hold boxes or key points.

    `outputs` are those that matter, in the order in which the layout names them. `classes` is how
    many a detector, classifier, segmentation or reader of text tells apart; 0 where it is not
    said. `values` is how many numbers a key point of an object has.
    """

    kind: Kind = "arrays"
    layout: Layout = ""
    classes: int = 0
    outputs: tuple[str, ...] = ()
    detail: Detail = ""
    values: int = 0

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {key: each for key, each in asdict(self).items() if each or key not in _LATER}

    @classmethod
    def from_json(cls, value: Any) -> Task:
        """What ``to_json`` made; ValueError when it is something else."""
        known = {"kind", "layout", "classes", "outputs"}
        if type(value) is not dict or value.keys() - _LATER != known:
            raise ValueError("what it says about its task makes no sense")
        names, classes = value["outputs"], value["classes"]
        detail, values = value.get("detail", ""), value.get("values", 0)
        sound = (
            value["kind"] in get_args(Kind)
            and value["layout"] in get_args(Layout)
            and type(classes) is int
            and classes >= 0
            and type(names) in (list, tuple)
            and all(type(name) is str for name in names)
            and detail in get_args(Detail)
            and values in (0, 2, 3)
        )
        if not sound:
            raise ValueError("what it says about its task makes no sense")
        return cls(value["kind"], value["layout"], classes, tuple(names), detail, values)


ARRAYS = Task()
"""Outputs that nobody knows more of."""
