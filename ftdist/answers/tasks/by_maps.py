"""What maps are, told by their shapes and by words: centres, key points, pictures, masks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ftdist.answers.tasks.seen_outputs import Dims, Seen
from ftdist.network.task import Layout, Task

_LARGEST_SCALE = 8
"""An image network makes at most so many rows of one; a mask is at most that much smaller, or 32
times where its name says that it is one."""

_MOST_CHANNELS = 256
_FEWEST_FEATURES = 32
_POSE_COUNTS = frozenset({17, 68, 98, 106, 133})
_PEAKS = re.compile(
    r"(?<!trans)(?<!com)pose|key_?point|kpt|hrnet|hourglass|joint|heat_?map|landmark|openpose|(?<![a-z])hand",
    re.IGNORECASE,
)
_MASK = re.compile(r"seg|mask|matte|matting|alpha|portrait|saliency|u2-?net", re.IGNORECASE)
_MADE = re.compile(
    r"depth|midas|disparity|anomaly|heat_?map|saliency_?map|(?<![a-z])hed(?![a-z])|edge|dexined|pidinet|sketch|lineart|colori",
    re.IGNORECASE,
)
_ENHANCED = re.compile(
    r"enhanc|restor|denois|derain|dehaz|deblur|zero_?dce|low_?light", re.IGNORECASE
)
_COLOURED = re.compile(r"colori", re.IGNORECASE)
_NO_MAP = re.compile(r"hidden|embed|feature|pool|token|descriptor|logits?", re.IGNORECASE)
_SPARE = re.compile(r"aux|side|deep_?sup", re.IGNORECASE)
_FUSED = re.compile(r"fuse|final|out", re.IGNORECASE)


def centres(seen: Seen) -> Task | None:
    """A heat map (classes, h, w) beside sizes (2, h, w) and perhaps offsets (2, h, w).

    Names tell which is which; where they are numbers, the order does: heat map, sizes, offsets,
    and the landmarks of faces, whose sizes are then logarithms (CenterFace).
    """
    maps = {name: dims for name, dims in seen.shapes.items() if len(dims) == 3}
    if len({dims[1:] for dims in maps.values()}) != 1 or not 2 <= len(maps) <= 4:
        return None
    _, height, width = next(iter(maps.values()))
    if seen.source[1] // height != seen.source[2] // width:
        return None
    if seen.source[1] // height not in (1, 2, 4, 8):
        return None

    def named(pattern: str) -> list[str]:
        return [name for name in maps if re.search(pattern, name, re.IGNORECASE)]

    heat = named(r"heat|hm|score|cls")
    sizes = [name for name in named(r"wh|size|scale|ltrb|tlrb|box") if maps[name][0] in (2, 4)]
    offsets = [name for name in named(r"off|reg") if name not in sizes and maps[name][0] == 2]
    if len(heat) == 1 and len(sizes) == 1 and len(offsets) <= 1 and heat[0] not in sizes:
        return Task(
            *("detect", _sizes(seen, maps, sizes[0]), maps[heat[0]][0]),
            (*heat, *sizes, *offsets),
        )
    by_order = list(maps)
    channels = [maps[name][0] for name in by_order]
    if len(maps) >= 3 and channels[1:3] == [2, 2] and channels[0] in (1, 20, 80):
        layout = _sizes(seen, maps, by_order[1])
        return Task("detect", layout, channels[0], tuple(by_order[:3]))
    return None


def _sizes(seen: Seen, maps: Mapping[str, Dims], sizes: str) -> Layout:
    """Whether sizes are logarithms: CenterFace's, which has five landmarks beside them."""
    faces = any(dims[0] == 10 for dims in maps.values()) and maps[sizes][0] == 2
    return "centres_exp" if faces or "centerface" in seen.words.lower() else "centres"


def key_points(seen: Seen) -> Task | None:
    """Heat maps of key points, one a point, or two distributions over columns and rows."""
    channels, height, width = seen.source
    lists = [(name, dims) for name, dims in seen.shapes.items() if len(dims) == 2]
    if len(lists) == len(seen.shapes) == 2 and lists[0][1][0] == lists[1][1][0] > 1:
        (x, across), (y, down) = lists
        for one, other in (((x, across), (y, down)), ((y, down), (x, across))):
            scale = one[1][1] / width
            if scale in (1.0, 2.0) and other[1][1] == scale * height:
                return Task("points", "simcc", outputs=(one[0], other[0]))
    maps = [(name, dims) for name, dims in seen.shapes.items() if len(dims) == 3]
    for name, dims in maps:
        found = _planar(dims, seen.source, name)
        if found is None or found[0] < 5 or found[1] > height // 2:
            continue
        spoken = _PEAKS.search(" ".join((name, seen.words)))
        posed = found[0] in _POSE_COUNTS and found[1] * 4 == height and channels == 3
        masks = _MASK.search(" ".join((seen.words, *seen.shapes)))
        if (spoken or (posed and len(maps) == 1)) and not masks:
            return Task("points", "peaks", outputs=(name,))
    return None


def pictures_and_masks(seen: Seen) -> Task | None:
    """A picture, or a mask or scores for each of its pixels."""
    channels, height, _ = seen.source
    seen = _without_features(seen)
    fitting = {} if _is_pyramid(seen) else _fitting(seen)
    name = _chosen(fitting, seen)
    if name is None:
        return None
    made, rows, _ = fitting[name]
    words = " ".join((seen.words, *seen.shapes))
    if (channels, made) == (1, 2) and _COLOURED.search(words):
        return None  # the colours beside a lightness: neither a picture nor classes
    masks = bool(_MASK.search(words if made != 3 else name))
    if made == 1 and _MADE.search(words) and not masks:
        return Task("image", outputs=(name,))
    if made == channels and rows >= height and not masks:
        return Task("image", outputs=(name,))
    if made in (1, 3) and channels in (1, 3) and rows > height:
        return Task("image", outputs=(name,))
    return Task("segment", classes=made, outputs=(name,))


def _without_features(seen: Seen) -> Seen:
    """Without the deep maps that some networks hand on beside masks as large as the input (IS-Net):
    what they were made of, which only training reads."""
    whole = (1, *seen.source[1:])
    masks = {name: dims for name, dims in seen.shapes.items() if dims == whole}
    others = [dims for name, dims in seen.shapes.items() if name not in masks]
    deep = all(len(dims) == 3 and dims[0] >= _FEWEST_FEATURES for dims in others)
    return seen._replace(shapes=masks) if masks and others and deep else seen


def _is_pyramid(seen: Seen) -> bool:
    """Maps of unlike things on several grids: a detector before its decoding, or features."""
    maps = [dims for name, dims in seen.shapes.items() if len(dims) == 3 and not _MASK.search(name)]
    return len({dims[1:] for dims in maps}) >= 3 and len({dims[0] for dims in maps}) > 1


def _fitting(seen: Seen) -> dict[str, Dims]:
    """Outputs that lie over the input, as (channels, height, width)."""
    found: dict[str, Dims] = {}
    for name, dims in seen.shapes.items():
        flat = len(dims) == 2 and min(dims) > 8 and not _NO_MAP.search(name)
        whole = (1, *dims) if flat else dims
        planar = _planar(whole, seen.source, name) if len(whole) == 3 else None
        if planar is not None and sorted(whole)[1] > 1:
            found[name] = planar
    return found


def _chosen(fitting: Mapping[str, Dims], seen: Seen) -> str | None:
    """The output that matters: of several alike the first, or the one that names itself so."""
    if len(fitting) == 1:
        return next(iter(fitting))
    speaking = [name for name in fitting if _MASK.search(name)]
    if len(speaking) == 1:
        return speaking[0]
    main = [name for name in fitting if not _SPARE.search(name)] or list(fitting)
    pictures = [name for name in main if fitting[name][0] == seen.source[0] == 3]
    if pictures and _ENHANCED.search(" ".join((seen.words, *seen.shapes))):
        last = _last_of_steps(pictures)
        if last is not None:
            return last  # beside the curves, masks or noise that it was made by
    alike = len({fitting[name][0] for name in fitting}) == 1
    if not alike or len(fitting) < len([d for d in seen.shapes.values() if len(d) == 3]):
        return None
    if _MADE.search(seen.words):  # side outputs first, what they are put together to last
        fused = [name for name in main if _FUSED.search(name)]
        return fused[-1] if len(fused) == 1 else main[-1]
    largest = max(fitting[name][1] for name in main)
    return next(name for name in main if fitting[name][1] == largest)


def _last_of_steps(names: Sequence[str]) -> str | None:
    """The one that is not numbered, as Zero-DCE has `enhance_image_1` before `enhance_image`."""
    shortest = min(names, key=len)
    return shortest if all(each.startswith(shortest) for each in names) else None


def _planar(dims: Dims, source: Dims, name: str) -> Dims | None:
    """(channels, height, width) of a map as large as the input or so many times larger or smaller.

    A map may have its channels last.
    """
    _, height, width = source
    least = 1 / (32 if _MASK.search(name) else _LARGEST_SCALE)
    for channels, rows, columns in (dims, (dims[2], dims[0], dims[1])):
        larger = rows / height, columns / width
        near = abs(larger[0] - larger[1]) <= 0.35 * max(larger)
        if near and least <= larger[0] <= _LARGEST_SCALE and channels <= _MOST_CHANNELS:
            return channels, rows, columns
    return None
