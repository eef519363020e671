"""A finished frame as a picture with what was found on it, for the page.

The picture is the network's input, as the submitter fitted it, thinned out where it is large. Boxes
are handed on as parts of its sides and drawn by the browser, so that they stay sharp and can be
read aloud. It is encoded as a PNG in a hurry: it is looked at once.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.answers.export import writing
from ftdist.answers.seen import Answer, Classified, Pointed, Seen, Segmented, Written, answer
from ftdist.cluster.client.frames import Assembly, output_maps
from ftdist.errors import FtdistError
from ftdist.page.exchange import PictureShown, PieceShown
from ftdist.page.subject import Subject
from ftdist.protocol.records import Piece

_MOST_FOUND = 60
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, encoded. `told` is what was found, for the page's script."""

    number: int
    png: bytes
    told: dict[str, Any]


def picture_of(subject: Subject, shown: PictureShown, number: int) -> Picture:
    """A finished frame, as the page shows it."""
    pixels = _pixels(subject, shown)
    height, width, _ = pixels.shape
    told = {
        "n": number,
        "job": shown.job,
        "frame": shown.frame,
        "seconds": round(shown.seconds, 4),
        "width": width,
        "height": height,
        **_found(subject, shown),
    }
    return Picture(number, _png(pixels), told)


def _pixels(subject: Subject, shown: PictureShown) -> NDArray[np.uint8]:
    """The input as RGB."""
    step = shown.inputs[0].step
    height, width, _ = subject.network.input
    whole = np.zeros((-(-height // step), -(-width // step), 3), np.uint8)
    for piece in shown.inputs:
        rows, columns = -(-piece.region.top // step), -(-piece.region.left // step)
        values = _colours(_values(piece))
        whole[rows : rows + len(values), columns : columns + values.shape[1]] = values
    return whole


def _values(piece: PieceShown) -> NDArray[Any]:
    return np.frombuffer(piece.values, np.dtype(piece.dtype)).reshape(piece.shape)


def _colours(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Three channels; what has fewer is grey."""
    return values[:, :, :3] if values.shape[2] >= 3 else np.repeat(values[:, :, :1], 3, axis=2)


def _found(subject: Subject, shown: PictureShown) -> dict[str, Any]:
    """What the network's outputs say; nothing where they were too large to be shown."""
    nothing: dict[str, Any] = {"boxes": [], "points": [], "words": []}
    if not shown.outputs:
        return nothing
    network = subject.network
    try:
        assembly = Assembly(shown.frame, output_maps(network))
        assembly.add(Piece(each.source, each.region, _values(each)) for each in shown.outputs)
        outputs = assembly.finish(network)
        read = answer(network, subject.task, outputs, subject.names, "", None, {})
    except FtdistError as error:
        return {**nothing, "words": [str(error)]}
    return {**nothing, **_told(read, subject)}


def _told(read: Answer, subject: Subject) -> dict[str, Any]:
    height, width, _ = subject.network.input
    match read.result:
        case Seen(objects=objects):
            boxes = [
                {
                    "label": each.label,
                    "number": each.number,
                    "score": round(each.score, 3),
                    "box": [each.x / width, each.y / height],
                    "size": [each.width / width, each.height / height],
                }
                for each in objects[:_MOST_FOUND]
            ]
            return {"boxes": boxes}
        case Pointed(points=points):
            return {"points": [[x / width, y / height] for x, y in points[:_MOST_FOUND]]}
        case Classified(classes=classes):
            return {"words": [f"{each.label} {each.probability:.0%}" for each in classes]}
        case Written() as written:
            return {"words": [writing(written)]}
        case Segmented(classes=shares):
            return {"words": [f"{each.label} {each.share:.0%}" for each in shares]}
    return {}


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Each pixel as its difference from the one to its left (filter 1), deflated by runs of equal
    bytes: in half the time that a search for repetitions takes, and smaller for photos."""
    height, width, _ = pixels.shape
    lines = np.ones((height, 3 * width + 1), np.uint8)
    lines[:, 1:] = values = pixels.reshape(height, -1)
    lines[:, 4:] -= values[:, :-3]
    deflating = zlib.compressobj(_LEVEL, strategy=zlib.Z_RLE)
    deflated = deflating.compress(lines.data) + deflating.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", deflated), (b"IEND", b"")]
    found = [b"\x89PNG\r\n\x1a\n"]
    for name, content in chunks:
        check = zlib.crc32(content, zlib.crc32(name))
        found += [struct.pack(">I", len(content)), name, content, struct.pack(">I", check)]
    return b"".join(found)
