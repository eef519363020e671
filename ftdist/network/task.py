"""What a network's outputs are, as its model file says it; ``answers`` reads them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Kind = Literal["detect", "classify", "segment", "image", "points", "arrays"]

Layout = Literal[
    "",
    "heads",
    "rows",
    "rows_plain",
    "columns",
    "grid_rows",
    "pairs",
    "selected",
    "counted",
    "scored",
    "queries",
    "centres",
    "centres_exp",
    "distances",
    "yunet",
    "bins",
    "bin_lists",
    "bin_maps",
    "yolo3_maps",
    "yolo4_maps",
    "yolo5_maps",
    "yolo7_maps",
    "peaks",
    "simcc",
    "rows_first",
]
"""How outputs hold boxes or key points; "heads" are Darknet's, the others are said by
``answers.tasks``."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a network's outputs are: `kind`, and how they hold boxes or key points.

    `outputs` are those that matter, in the order in which the layout names them. `classes` is how
    many a detector, classifier or segmentation tells apart; 0 where it is not said.
    """

    kind: Kind = "arrays"
    layout: Layout = ""
    classes: int = 0
    outputs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Task:
        """What ``to_json`` made; ValueError when it is something else."""
        if type(value) is not dict or value.keys() != {"kind", "layout", "classes", "outputs"}:
            raise ValueError("what it says about its task makes no sense")
        names, classes = value["outputs"], value["classes"]
        sound = (
            value["kind"] in get_args(Kind)
            and value["layout"] in get_args(Layout)
            and type(classes) is int
            and classes >= 0
            and type(names) in (list, tuple)
            and all(type(name) is str for name in names)
        )
        if not sound:
            raise ValueError("what it says about its task makes no sense")
        return cls(value["kind"], value["layout"], classes, tuple(names))


ARRAYS = Task()
"""Outputs that nobody knows more of."""
