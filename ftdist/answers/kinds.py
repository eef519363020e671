"""Which kind of answer a network gives, and the memory that reading it takes.

Every run asks this, also one on arrays that has no use for boxes, and so nothing is imported here
that the network itself has not brought; how boxes are found is ``detectors``.
"""

from __future__ import annotations

from ftdist.network.about import About
from ftdist.network.graph import Layer, Network
from ftdist.network.heads import GaussianYoloHead, GridHead, Head, YoloHead, classifies
from ftdist.network.task import ARRAYS, Layout, Task

MOST_CANDIDATES, _CANDIDATES_A_MEGAPIXEL = 500, 300
"""Detections that one anchor of one head may hand on, more where the input is large; real photos
have tens, satellites' a hundred a megapixel, each a candidate or three."""

_CODE_BYTES = 3 << 20
_CANDIDATE_BYTES = 512
_COPIES = 6
"""What detecting takes, measured: modules, numpy's code, a candidate, copies of an anchor's map."""

_LEFT_CODE_BYTES, _LEFT_COPIES, _LEFT_CANDIDATE_BYTES = 10 << 17, 2, 400
"""What it leaves beside objects, scattered where candidates were: that code, small free blocks."""

_DETAIL_BYTES = {"": 0, "masks": 5120, "points": 5120, "turned": 1024}
"""What is kept of an object beside its box, twice: as found, and in pixels of the picture."""

VALUES_BEFORE: dict[Layout, int] = {"columns": 4, "rows": 5, "selected": 6}
"""Values of a box before its scores, or with its score and class; details stand behind these."""

_TRACING_BYTES = 96
"""What following the outline of an object takes a position of its mask."""

_LISTED_COPIES = {"detect": 5.0, "classify": 3.0, "segment": 3.0, "points": 3.0, "text": 5.0}
"""Copies of its outputs that reading them makes at most, by task."""


def heads(network: Network) -> tuple[Layer, ...]:
    """The outputs of the network that are detection heads, in order."""
    return network.once(_heads)


def _heads(network: Network) -> tuple[Layer, ...]:
    outputs = (network.layers[number] for number in network.outputs)
    return tuple(layer for layer in outputs if isinstance(layer.operation, Head))


def task_of(network: Network, about: About) -> Task:
    """What the outputs are: its own heads say it, else its file does, else their shapes."""
    own = heads(network)
    if own:
        classes = max(each.operation.classes for each in own if isinstance(each.operation, Head))
        return Task("detect", "heads", classes, tuple(each.name for each in own))
    if about.task is not None:
        return about.task
    if classifies(network):
        last = network.layers[network.outputs[0]]
        return Task("classify", classes=last.shape.channels, outputs=(last.name,))
    return ARRAYS


def class_count(task: Task) -> int:
    """How many classes have names; 0 when there are none to tell apart. Characters have none."""
    return 0 if task.kind in ("image", "points", "text", "arrays") else task.classes


def most_candidates(height: int, width: int) -> int:
    """Detections that one anchor of one head may hand on, for an input of that size; all heads
    together may hand on twice as many."""
    return max(MOST_CANDIDATES, _CANDIDATES_A_MEGAPIXEL * height * width >> 20)


def answering_bytes(network: Network, task: Task) -> int:
    """What reading an answer holds at most beside the outputs, whatever is in them."""
    if task.kind not in _LISTED_COPIES:
        return 0
    most = most_candidates(*network.input[:2])
    if task.layout != "heads":
        read = _bytes_of(network, task)
        candidates = most * _CANDIDATE_BYTES if task.kind == "detect" else 0
        more = most * _DETAIL_BYTES[task.detail] + _tracing_bytes(network, task)
        return int(_LISTED_COPIES[task.kind] * read) + candidates + more + _CODE_BYTES
    candidates, largest_map = _candidates_and_largest_map(network, most)
    size = min(candidates, 3 * most) * _CANDIDATE_BYTES
    return size + _COPIES * largest_map + _CODE_BYTES if largest_map else 0


def answered_bytes(network: Network, task: Task) -> int:
    """What that leaves behind at most, with all that is told of what was found."""
    if task.kind not in _LISTED_COPIES:
        return 0
    most = most_candidates(*network.input[:2])
    if task.layout != "heads":
        read = _bytes_of(network, task)
        each = _LEFT_CANDIDATE_BYTES + _DETAIL_BYTES[task.detail]
        kept = read if task.kind == "segment" else most * each
        return kept + _LEFT_CODE_BYTES
    candidates, largest_map = _candidates_and_largest_map(network, most)
    size = min(candidates, 2 * most) * _LEFT_CANDIDATE_BYTES
    return size + _LEFT_COPIES * largest_map + _LEFT_CODE_BYTES if largest_map else 0


def _bytes_of(network: Network, task: Task) -> int:
    """Bytes of the outputs that a task copies: of a list boxes and scores alone, as what else it
    says of an object is read of those that were found; maps of masks are read where they lie."""
    copied = task.outputs[:1] if task.detail else task.outputs
    layers = [number for number in network.outputs if network.layers[number].name in copied]
    found = sum(network.layers[number].shape.bytes for number in layers)
    if not task.detail:
        return found
    (list_,) = layers
    dims = network.layout(list_).of(network.layers[list_].shape)
    return -(-found * values_before(task) // dims[-2 if task.layout == "columns" else -1])


def _tracing_bytes(network: Network, task: Task) -> int:
    """What following the outlines of masks takes, one after the other."""
    if task.detail != "masks":
        return 0
    layers = (network.layers[number] for number in network.outputs)
    (maps,) = (each.shape for each in layers if each.name == task.outputs[1])
    return _TRACING_BYTES * maps.height * maps.width


def _candidates_and_largest_map(network: Network, most: int) -> tuple[int, int]:
    """How many candidates all heads may hand on, `most` an anchor, and the bytes of the largest
    anchor's map."""
    candidates = largest_map = 0
    for layer in heads(network):
        height, width, channels = layer.shape
        operation = layer.operation
        assert isinstance(operation, Head)
        values = height * width * channels
        anchors, positions = _anchors_and_positions(operation, values)
        candidates += anchors * min(most, positions * operation.classes)
        largest_map = max(largest_map, 4 * values // anchors)
    return candidates, largest_map


def _anchors_and_positions(head: Head, values: int) -> tuple[int, int]:
    """How many anchors (or boxes) a head has, and at how many positions each."""
    if isinstance(head, GridHead):
        return head.boxes, head.side**2
    own = (9 if isinstance(head, GaussianYoloHead) else 5) + head.classes
    anchors = len(head.mask) if isinstance(head, YoloHead | GaussianYoloHead) else len(head.anchors)
    return anchors, values // (own * anchors)


def values_before(task: Task) -> int:
    """Values of an object in a list before its details: its box and its scores."""
    return VALUES_BEFORE[task.layout] + (task.layout != "selected") * task.classes
