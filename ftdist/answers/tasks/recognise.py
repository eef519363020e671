"""What a network is for, told by its outputs: their shapes, their names, and what its file says.

Darknet's files have heads that say how they are decoded. Other files only have arrays, so the task
is recognised once, at import, by rules that hold for the exporters that people use; whoever knows
better says so (``--task``). The rules, in the order in which they are tried:

1. boxes: a list (1, n, values) or (1, values, n), a pair of (1, n, 4) and (1, n, classes), what a
   suppression inside the network selected, lists or raw maps of several grids (``by_boxes``);
2. a heat map with sizes and offsets: centres of objects (``by_maps``, as what follows of maps);
3. heat maps of key points, or distributions over columns and rows;
4. as many values as there are classes: a classifier;
5. a map that is as large as the input, or a few times larger: an image where it has as many
   channels as the input, otherwise a mask or one score a class;
6. a list of numbers from a network whose names speak of points: key points;
7. several lists, each with scores of its own classes: a classifier of several things;
8. anything else: arrays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ftdist.answers.tasks.by_boxes import detector
from ftdist.answers.tasks.by_maps import centres, key_points, pictures_and_masks
from ftdist.answers.tasks.seen_outputs import Dims, Seen
from ftdist.network.task import ARRAYS, Task

_EMBEDDINGS = frozenset({64, 96, 128, 192, 256, 384, 512, 768, 1024, 1280, 1536, 2048})
_MOST_CLASSES = 2000
_TOLD = re.compile(
    r"logits?|prob|softmax|class|label|age|gender|sex|race|emotion|digit|char|colou?r|type|attr",
    re.IGNORECASE,
)
_SCORES = re.compile(r"logits?|prob|softmax|class|score|label", re.IGNORECASE)
_POINTS = re.compile(
    r"landmark|key_?point|(?<!trans)(?<!com)pose(?!_?net.*seg)|pts|pfld|movenet", re.IGNORECASE
)


def recognise(
    source: Dims,
    outputs: Mapping[str, Dims],
    words: str = "",
    labels: Sequence[str] = (),
    *,
    probabilities: bool = False,
    scored: int = 0,
    peaks: Dims = (),
    shares: frozenset[str] = frozenset(),
) -> Task:
    """The task of a network that reads a picture of `source` (channels, height, width).

    `outputs` are their shapes by name, a leading batch of 1 left out or not; `words` whatever the
    file says of itself (its name, its metadata), `labels` the names of classes where they are
    known, `probabilities` whether its only output is a softmax's, `scored` how many classes some
    layer tells apart where lists of what was found do not show it, `peaks` (channels, height,
    width) of a heat map whose peaks some layer chooses, `shares` the outputs of softmaxes.
    """
    shapes = {name: _without_batch(dims) for name, dims in outputs.items()}
    seen = Seen(source, shapes, len(labels), words, scored, peaks)
    return (
        detector(seen)
        or centres(seen)
        or key_points(seen)
        or _classes(seen, probabilities)
        or pictures_and_masks(seen)
        or _points(seen)
        or _several_classes(seen, shares)
        or ARRAYS
    )


def _without_batch(dims: Dims) -> Dims:
    """Without the batch; lists of what was found may have two such dims."""
    if len(dims) > 3 and dims[:2] == (1, 1) and dims[3] in (5, 6, 7):
        return dims[2:]
    return dims[1:] if len(dims) > 1 and dims[0] == 1 else dims


def _elements(dims: Dims) -> int:
    product = 1
    for each in dims:
        product *= each
    return product


def _classes(seen: Seen, probabilities: bool) -> Task | None:
    """One list with a score for each class."""
    if len(seen.shapes) != 1:
        return None
    ((name, dims),) = seen.shapes.items()
    count = _elements(dims)
    alone = all(each == 1 for each in dims if each != count)
    if not alone or count < 2 or (seen.labels and seen.labels != count):
        return None
    if seen.labels or probabilities or (count <= 4 and _SCORES.search(name)):
        return Task("classify", classes=count, outputs=(name,))
    if count <= 4 or count in _EMBEDDINGS or _POINTS.search(f"{seen.words} {name}"):
        return None  # angles, an embedding, or coordinates
    return Task("classify", classes=count, outputs=(name,))


def _several_classes(seen: Seen, shares: frozenset[str]) -> Task | None:
    """A list of scores for each of several things that are told at once: age, gender, digits.

    What is one value is told beside them.
    """
    counts = {name: _elements(dims) for name, dims in seen.shapes.items()}
    lists = {name: count for name, count in counts.items() if count > 1}
    flat = all(max(dims, default=1) == counts[name] for name, dims in seen.shapes.items())
    if len(counts) < 2 or not lists or not flat or max(lists.values()) > _MOST_CLASSES:
        return None
    scores = shares | {name for name in lists if _TOLD.search(name)}
    if not scores.issuperset(lists):
        return None
    return Task("classify", classes=sum(lists.values()), outputs=tuple(counts))


def _points(seen: Seen) -> Task | None:
    """Numbers of a network that speaks of points; MoveNet's have their row first."""
    words = " ".join((seen.words, *seen.shapes))
    if not seen.shapes or not _POINTS.search(words):
        return None
    name = max(seen.shapes, key=lambda each: _elements(seen.shapes[each]))
    count = _elements(seen.shapes[name])
    if re.search("movenet", words, re.IGNORECASE) and count == 51:
        return Task("points", "rows_first", outputs=(name,))
    return Task("points", outputs=(name,)) if count % 2 == 0 or count % 3 == 0 else None
