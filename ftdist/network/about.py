"""What a model file says of its network beside layers and weights: how pictures enter, whose names.

`fit` is how whatever the network was trained with brings a picture to the input's size:

- "letterbox": as large as fits with its aspect ratio kept, in the middle, `fill` around it;
- "corner": the same at the top left corner;
- "stretch": to the input's width and height, whatever its aspect ratio;
- "crop": for classifiers, so that its shorter side fits, and then the middle;
- "pad": at the top left corner, smaller where it does not fit and never larger, its edges
  repeated: for networks that make pictures of pictures.

What a pixel becomes stands beside the network's input (``ports.Pixels``), for kernels apply it.
`assumed` is why all this was guessed, where the network's file does not say it.

`names` is where the labels come from: "given" by the user, "inside" the network's file, "beside" it
in a file of its name, "guessed" by the number of classes alone, "none" when there are no labels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from ftdist.network.task import Task

Fit = Literal["letterbox", "corner", "stretch", "crop", "pad"]
Names = Literal["given", "inside", "beside", "guessed", "none"]

GREY = 128
"""Darknet's padding: half of full brightness."""

_MOST_LETTERS = 200


@dataclass(frozen=True, slots=True)
class About:
    """How a picture enters, what comes out, and where the names of its classes are from.

    The defaults are what files say that were written before there was anything to say; `task` None
    leaves it to the network's own heads.
    """

    fit: Fit = "letterbox"
    names: Names = "given"
    fill: int = GREY
    task: Task | None = None
    assumed: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> About:
        """What ``to_json`` made; ValueError when it is something else."""
        known: dict[str, Any] = dict(value) if type(value) is dict else {"": None}
        task = known.pop("task", None)
        about = cls(**known, task=None if task is None else Task.from_json(task))
        sound = (
            about.fit in get_args(Fit)
            and about.names in get_args(Names)
            and type(about.fill) is int
            and 0 <= about.fill <= 255
            and type(about.assumed) is str
            and len(about.assumed) <= _MOST_LETTERS
            and about.assumed.isprintable()
        )
        if not sound:
            raise ValueError("what it says about the network makes no sense")
        return about


NOTHING_SAID = About()
