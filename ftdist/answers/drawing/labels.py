"""What is drawn on a photo: outlines and labels, laid out once, painted band by band.

What must be readable decides: lines and letters grow with the picture, a label stands on a plate of
its class's colour, lies inside the picture, and gives way to the labels of better detections (a car
and a truck often share one box). Hues of neighbouring class numbers are a golden angle apart, so
that any few classes differ.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.drawing.fonts import OWN, Font, font_for
from ftdist.pictures.fitting import Box
from ftdist.pictures.rows.protocol import RowMemory

if TYPE_CHECKING:
    from PIL.Image import Image

    from ftdist.answers.decode import Detection

Colour = tuple[int, int, int]

Between = Callable[[], None]
"""Called where other code begins to be used: before letters are made, and when they are done."""

_GOLDEN_ANGLE = 0.6180339887
_SMALLEST_LETTERS = 9
_LONGEST_NAME = 60
_UNNAMED, _SCORE_LETTERS = "class 1000", 5
_HIGHER = 2
"""So many labels high is a box that can have one inside."""

_MOST_PLATE_PIXELS = 256 << 10
"""Where a label would be larger, as in pictures of 100 megapixels, its letters are smaller."""

MOST_DRAWN, OVERLAY_BYTES = 200, 320 << 10
"""How many objects are drawn, the likeliest: more hide the photo; and what those take, laid out."""

_KEPT_BYTES = 128 << 10
"""Letters that are kept from band to band; others are made anew for each."""


class Plate(NamedTuple):
    """A label that fits the picture: its text, the size of its letters, its pixels with margin."""

    text: str
    font: Font
    letters: int
    width: int
    height: int
    margin: int


@dataclass(frozen=True, slots=True)
class Outline:
    """A frame whose lines, `width` pixels wide, lie inside the box; corners are pixels of it."""

    left: int
    top: int
    right: int
    bottom: int
    width: int
    colour: Colour

    def paint(self, band: Image, first: int) -> None:
        from PIL.ImageDraw import Draw

        corners = (self.left, self.top - first, self.right, self.bottom - first)
        Draw(band).rectangle(corners, outline=self.colour, width=self.width)


@dataclass(slots=True)
class Label:
    """A plate with its text at a place; its letters are made when they are first wanted."""

    plate: Plate
    place: Box
    colour: Colour
    _letters: Image | None = None

    @property
    def top(self) -> int:
        return int(self.place.top)

    @property
    def bottom(self) -> int:
        return int(self.place.bottom) - 1

    @property
    def kept_bytes(self) -> int:
        """What its letters take while they are kept for the next band."""
        return 0 if self._letters is None else self.plate.width * self.plate.height

    def lacks_letters(self, first: int, stop: int) -> bool:
        """Whether painting these rows will make its letters."""
        return self._letters is None and self.top < stop and first <= self.bottom

    def forget(self) -> None:
        """Lets the letters go; they can be made again."""
        self._letters = None

    def paint(self, band: Image, first: int) -> None:
        from PIL.ImageDraw import Draw

        left, right = int(self.place.left), int(self.place.right) - 1
        corners = (left, self.top - first, right, self.bottom - first)
        Draw(band).rectangle(corners, fill=self.colour)
        if self._letters is None:
            self._letters = _letters(self.plate)
        band.paste(_ink(self.colour), (left, self.top - first), self._letters)


class Overlay:
    """All that is drawn on a picture of a `size`, in the order in which it is painted."""

    def __init__(
        self,
        size: tuple[int, int],
        seen: Iterable[tuple[Detection, Box]],
        names: Names,
        between: Between,
        *,
        outlined: bool = True,
    ) -> None:
        self._between = between
        visible = [(each, box) for each, box in seen if not box.is_empty]
        width = line_width(size)
        self._all: list[Outline | Label] = [
            _outline(box, width, class_colour(each.label))
            for each, box in reversed(visible)
            if outlined and not each.turned
        ]
        taken = np.empty((0, 4))
        for each, box in visible:
            plate = _fitting_plate(*names.of(each.label), each.score, size)
            if plate is not None:
                place = _free_place(plate, box, size, taken)
                taken = np.vstack([taken, place])
                self._all.append(Label(plate, place, class_colour(each.label)))
        if visible:
            between()

    def paint(self, band: Image, first: int) -> None:
        """Draws on rows of the picture what lies there; `first` is the first row's number."""
        stop, kept, made = first + band.size[1], 0, False
        for each in self._all:
            if not made and isinstance(each, Label) and each.lacks_letters(first, stop):
                made = True
                self._between()
            if each.top < stop and first <= each.bottom:
                each.paint(band, first)
            if isinstance(each, Label):
                if each.bottom < stop or kept + each.kept_bytes > _KEPT_BYTES:
                    each.forget()
                kept += each.kept_bytes
        if made:
            self._between()


def line_width(size: tuple[int, int]) -> int:
    """How wide the lines around objects are on a picture of a size."""
    return max(2, round(min(max(size) * 0.004, min(size) * 0.02)))


class Names:
    """What classes are called on pictures, and in which font.

    `lacking`: the names for which there is no font, which are drawn by number.
    """

    def __init__(self, names: Sequence[str], *, may_ask: bool = True) -> None:
        self._names = names
        self._may_ask = may_ask
        self.lacking: set[str] = set()

    def of(self, label: int) -> tuple[str, Font]:
        number = f"class {label}"
        if label >= len(self._names):
            return number, OWN
        name = "".join(each if each.isprintable() else " " for each in self._names[label])
        font = font_for(name, may_ask=self._may_ask)
        if font is None:
            self.lacking.add(name)
            return number, OWN
        return name[:_LONGEST_NAME], font


def class_colour(label: int) -> Colour:
    """The class's colour; strong enough for an outline, and another for each class."""
    hue = (0.02 + label * _GOLDEN_ANGLE) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, (0.95, 0.7)[label // 2 % 2], (1.0, 0.85)[label % 2])
    return round(red * 255), round(green * 255), round(blue * 255)


def label_memory(size: tuple[int, int], names: Sequence[str]) -> RowMemory:
    """What letters take, a byte a pixel: those that are kept, and at work one more label."""
    letters = _letter_size(size)
    longest = min(max(map(len, names), default=0), _LONGEST_NAME)
    width = min(size[0], max(longest, len(_UNNAMED)) * letters + _SCORE_LETTERS * letters)
    largest = min(_MOST_PLATE_PIXELS, letters * 3 // 2 * width)
    return RowMemory(_KEPT_BYTES, 2 * largest)


def _outline(box: Box, width: int, colour: Colour) -> Outline:
    left, top = int(box.left), int(box.top)
    right, bottom = max(left, round(box.right) - 1), max(top, round(box.bottom) - 1)
    return Outline(left, top, right, bottom, width, colour)


def _ink(colour: Colour) -> Colour:
    red, green, blue = colour
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140
    return (255, 255, 255) if dark else (0, 0, 0)


def _letters(plate: Plate) -> Image:
    """The label's text as a mask of its plate's size."""
    from PIL.Image import new
    from PIL.ImageDraw import Draw

    mask = new("L", (plate.width, plate.height))
    start = (plate.margin, plate.height / 2)
    Draw(mask).text(start, plate.text, fill=255, font=plate.font.sized(plate.letters), anchor="lm")
    return mask


def _letter_size(picture: tuple[int, int]) -> int:
    return max(13, round(min(max(picture) * 0.022, min(picture) * 0.06)))


def _fitting_plate(name: str, font: Font, score: float, picture: tuple[int, int]) -> Plate | None:
    """The label in letters that suit the picture, smaller or cut where it would not fit.

    None when the picture is too small for any.
    """
    letters = _letter_size(picture)
    while True:
        plate = _plate(f"{name} {score:.2f}".strip(), font, letters)
        fits = plate.width <= picture[0] and plate.height <= picture[1]
        if fits and plate.width * plate.height <= _MOST_PLATE_PIXELS:
            return plate
        if letters > _SMALLEST_LETTERS:
            letters -= max(1, letters // 8)
        elif name:
            name = name[:-1]
        else:
            return None


def _plate(text: str, font: Font, letters: int) -> Plate:
    """The label in letters of that size, with a margin around; letters below the line included."""
    margin = max(2, letters // 4)
    width = int(font.sized(letters).getbbox(text)[2]) + 1 + 2 * margin
    return Plate(text, font, letters, width, letters + 2 * (margin // 2), margin)


def _free_place(
    plate: Plate, box: Box, picture: tuple[int, int], taken: NDArray[np.float64]
) -> Box:
    """Where the plate goes, in whole pixels inside the picture; `taken` are other plates, (n, 4).

    Above the box, inside it at the top, below it, or inside at the bottom: the first that is free
    of other plates. One that would hide most of its box goes beside it instead of inside. Else down
    from the box's top edge by whole plates; else above in any case.
    """
    width, height = plate.width, plate.height
    left = min(max(0, int(box.left)), picture[0] - width)
    top, bottom = int(box.top), round(box.bottom)
    above, within = (left, top - height), [(left, top), (left, bottom), (left, bottom - height)]
    if bottom - top < _HIGHER * height:
        within = [(left, bottom), (round(box.right), top), (int(box.left) - width, top)]
    ladder = [(left, each) for each in range(top + height, picture[1], height)]
    for at in (above, *within, *ladder):
        place = Box(*at, at[0] + width, at[1] + height)
        if _lies_in(place, picture) and not _covers_any(place, taken):
            return place
    highest = min(max(0, top - height), picture[1] - height)
    return Box(left, highest, left + width, highest + height)


def _lies_in(place: Box, picture: tuple[int, int]) -> bool:
    inside = place.right <= picture[0] and place.bottom <= picture[1]
    return inside and min(place.left, place.top) >= 0


def _covers_any(place: Box, taken: NDArray[np.float64]) -> bool:
    """Whether a rectangle has a pixel in common with one of the others, (n, 4)."""
    across = (place.left < taken[:, 2]) & (taken[:, 0] < place.right)
    return bool((across & (place.top < taken[:, 3]) & (taken[:, 1] < place.bottom)).any())
