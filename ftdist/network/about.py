"""What a model file says of its network beside layers and weights: how pictures enter, whose names.

`fit` is how whatever the network was trained with brings a picture to the input's size:

- "letterbox": as large as fits with its aspect ratio kept, in the middle, grey around it;
- "stretch": to the input's width and height, whatever its aspect ratio;
- "crop": for classifiers, so that its shorter side fits, and then the middle.

`names` is where the labels come from: "given" by the user, "beside" the network in a file of its
name, "guessed" by the number of classes alone, "none" when there are no labels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Fit = Literal["letterbox", "stretch", "crop"]
Names = Literal["given", "beside", "guessed", "none"]


@dataclass(frozen=True, slots=True)
class About:
    """How a picture enters the network, and where the names of its classes come from.

    The defaults are what files say that were written before there was anything to say.
    """

    fit: Fit = "letterbox"
    names: Names = "given"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> About:
        """What ``to_json`` made; ValueError when it is something else."""
        about = cls(**value) if type(value) is dict else None
        if about is None or about.fit not in get_args(Fit) or about.names not in get_args(Names):
            raise ValueError("what it says about the network makes no sense")
        return about


NOTHING_SAID = About()
