"""What the classes are called.

A network carries numbers, not words. Names come from a file with one a line that the user gives, or
that lies beside the network; else they are guessed by the count of classes from the two data sets
on which detectors are mostly trained (of a single class by the file's own name), or are plain
"class 0", .... What was not given may be wrong, so a model says where its names come from, and
whoever shows them says so too (``doubt``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ftdist.errors import InputError
from ftdist.network.about import Names
from ftdist.network.encoding import decoded, disguise
from ftdist.wording import counted

_VOC = (
    "aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, dining table, dog, horse, "
    "motorbike, person, potted plant, sheep, sofa, train, tv monitor"
)
VOC = tuple(_VOC.split(", "))
"""The 20 classes of Pascal VOC, in its order."""

_COCO = (
    "person, bicycle, car, motorbike, aeroplane, bus, train, truck, boat, traffic light, "
    "fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, "
    "bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, "
    "sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, "
    "bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, "
    "carrot, hot dog, pizza, donut, cake, chair, sofa, potted plant, bed, dining table, toilet, "
    "tv monitor, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, "
    "refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush"
)
COCO = tuple(_COCO.split(", "))
"""The 80 classes of COCO, in Darknet's order."""

TEXT = ("text",)
"""The only class of what finds lines of text."""

_UNUSED_NUMBERS = {0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
_IN_ORDER = iter(COCO)
NUMBERED_COCO = tuple(
    f"class {number}" if number in _UNUSED_NUMBERS else next(_IN_ORDER) for number in range(91)
)
"""The classes of COCO by its own numbers, 1 to 90, of which ten have no class."""

LABEL_FILES = ("labels.txt", "classes.txt", "labels.names", "synset.txt", "synset_words.txt")
"""What files of class names are called, by whoever publishes a network with one."""

_LARGEST_FILE_BYTES = 1 << 20
_MOST_FILES = 100
_GUESSED = {
    len(VOC): (VOC, "Pascal VOC's"),
    len(COCO): (COCO, "COCO's"),
    len(NUMBERED_COCO): (NUMBERED_COCO, "COCO's"),
}


_ONE_CLASS = (
    r"face|person|people|pedestrian|human|head|hand|palm|plate|vehicle|car(?![a-z])|text|fire|smoke"
)
_SPOKEN = {"people": "person", "pedestrian": "person", "human": "person", "plate": "number plate"}


def class_names(classes: int, given: Sequence[str] | None = None) -> tuple[str, ...]:
    """One name a class: the given ones, else COCO's for 80, VOC's for 20, else "class 0", ....

    InputError when the given names are of another number.
    """
    if given is not None:
        if len(given) != classes:
            raise InputError(
                f"{counted(len(given), 'name')} for {counted(classes, 'class', 'classes')}: the "
                "model needs one for each"
            )
        return tuple(given)
    known, _ = _GUESSED.get(classes, (None, ""))
    return known or tuple(f"class {label}" for label in range(classes))


class FoundNames(NamedTuple):
    """Names, where they come from, and what to say about that ("" for nothing)."""

    names: tuple[str, ...]
    origin: Names
    remark: str


def find_names(
    cfg: Path, classes: int, given: Path | None = None, *, classifies: bool = False
) -> FoundNames:
    """Names for the network in a file.

    In this order: the file that is given; NET.names beside NET.cfg; the file that NET.data names;
    NET.labels, NET.txt or a file of labels (LABEL_FILES) beside it that has as many names; the only
    other .names file that has as many; for detectors a guess by their number; none. InputError when
    the first two are not as many as there are classes, except that of a longer list a classifier
    takes the first, as with Darknet's names of ImageNet.
    """
    if given is not None:
        return FoundNames(*_fitting(given, classes, cfg.stem, "given", classifies=classifies))
    remark = ""
    if cfg.is_file():  # not a built-in architecture
        beside = cfg.with_suffix(".names")
        if beside.is_file():
            return FoundNames(*_fitting(beside, classes, cfg.stem, "beside", classifies=classifies))
        named = _in_data(cfg.with_suffix(".data"))
        found = _suitable(named, classes, classifies=classifies) if named else None
        if named is not None and found is None:
            remark = f"{named} does not hold {counted(classes, 'name')}, so it is not used"
        if found is None:
            named, found = _beside(cfg, classes)
        if found is None:
            named, found = _only_other(cfg.parent, classes)
        if found is not None:
            return FoundNames(found, "beside", f"the class names are taken from {named}")
    if classes in _GUESSED and not classifies:
        return FoundNames(_GUESSED[classes][0], "guessed", doubt("guessed", classes) or remark)
    return FoundNames((), "none", remark)


def of_one_class(stem: str) -> FoundNames | None:
    """The name of a detector's only class by that of its file, where that speaks of one."""
    import re  # a run's names need none of it

    found = re.search(_ONE_CLASS, stem, re.IGNORECASE)
    if found is None:
        return None
    name = _SPOKEN.get(found[0].lower(), found[0].lower())
    remark = f"the only class is called {name}, for so is the file; --names FILE gives another name"
    return FoundNames((name,), "guessed", remark)


def _fitting(
    path: Path, classes: int, network: str, origin: Names, *, classifies: bool
) -> tuple[tuple[str, ...], Names, str]:
    """The names in a file that must suit the network; InputError when they do not."""
    names = read_names(path)
    if len(names) == classes or classes == 0:  # 0: nobody knows how many
        return names, origin, ""
    if classifies and len(names) > classes:
        remark = f"{path}: the first {classes} of {len(names)} names are taken, as by Darknet"
        return names[:classes], origin, remark
    raise InputError(
        f"{path}: {counted(len(names), 'name')}, but {network} has "
        f"{counted(classes, 'class', 'classes')}"
        + ("" if origin == "given" else "; give the right ones with --names FILE")
    )


def doubt(origin: Names, classes: int) -> str | None:
    """What to say where names are shown that nobody gave; None where there is nothing to say.

    A model without labels is shown guessed ones: its `origin` is "guessed" or "none".
    """
    if origin == "beside":
        return "the class names are those of a file that lay beside the network"
    if origin in ("guessed", "none") and classes in _GUESSED:
        whose = _GUESSED[classes][1]
        return (
            f"the class names are guessed to be {whose}, because there are {classes}; "
            "--names FILE gives them"
        )
    return None


def read_names(path: str | Path) -> tuple[str, ...]:
    """The names in a file with one a line; an empty line within is a class without a name."""
    lines = text_of_names(path).rstrip().splitlines()
    return tuple(line.strip() or f"class {label}" for label, line in enumerate(lines))


def text_of_names(path: str | Path) -> str:
    """What a file of names holds; InputError when it is none."""
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot read the class names: {error.strerror}") from error
    if len(content) > _LARGEST_FILE_BYTES:
        raise InputError(f"{path}: too large for a file of class names")
    if (other := disguise(content)) is not None:
        raise InputError(f"{path}: is {other}")
    text = decoded(content)
    if text is None:
        raise InputError(f"{path}: not a text file of class names, one a line")
    if not text.rstrip():
        raise InputError(f"{path}: no class names in it")
    return text


def _in_data(data: Path) -> Path | None:
    """The file of names that Darknet's .data file names, if it is there.

    Its paths are meant from Darknet's own folder; here from the file's, the one above, or beside.
    """
    try:
        with data.open("rb") as file:
            text = decoded(file.read(_LARGEST_FILE_BYTES)) or ""
    except OSError:
        return None
    pairs = [line.partition("=") for line in text.splitlines()]
    for wanted in ("names", "labels"):
        for key, _, value in pairs:
            if key.strip() == wanted and value.strip():
                named, folder = Path(value.strip()), data.parent
                for path in (folder / named, folder.parent / named, folder / named.name):
                    if path.is_file():
                        return path
    return None


def of_listed_pairs(names: tuple[str, ...], classes: int) -> tuple[str, ...]:
    """The names for a detector whose first class may be the background, which has no boxes.

    InputError unless there is one for each class, or for each but that.
    """
    if len(names) == classes and names[0].strip("_ ").lower() in _BACKGROUND:
        return names[1:]
    return names if len(names) == classes - 1 else class_names(classes, names)


_BACKGROUND = ("background", "bg", "none", "???")


def _only_other(folder: Path, classes: int) -> tuple[Path, tuple[str, ...] | None]:
    """The .names file of a folder that has as many names as classes, if there is just one."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".names")
    except OSError:
        return folder, None
    found = [
        (path, names)
        for path in paths[:_MOST_FILES]
        if (names := _suitable(path, classes)) is not None
    ]
    return found[0] if len(found) == 1 else (folder, None)


def files_beside(network: Path) -> tuple[Path, ...]:
    """Files that are called after the network, or as files of labels are, there or not."""
    own = (network.with_suffix(ending) for ending in (".labels", ".txt"))
    return (*own, *(network.parent / name for name in LABEL_FILES))


def _beside(network: Path, classes: int) -> tuple[Path, tuple[str, ...] | None]:
    """The names in a file that is called after the network, or as files of labels are."""
    for path in files_beside(network):
        found = _suitable(path, classes) if classes > 1 else None  # one line may say anything
        if found is not None:
            return path, found
    return network, None


def _suitable(path: Path, classes: int, *, classifies: bool = False) -> tuple[str, ...] | None:
    """The names in a file, if there are as many as classes."""
    try:
        names = read_names(path) if path.is_file() else ()
    except InputError:
        return None
    if classifies and len(names) > classes:
        return names[:classes]
    return names if len(names) == classes else None
