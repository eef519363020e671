"""What the page makes of a finished frame, and how one that is larger than a pipe gets there."""

from __future__ import annotations

import io
import socket

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ftdist.coordinator.events import Pictured
from ftdist.geometry import Region, Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Pool
from ftdist.network.task import Task
from ftdist.page.beside import picture_shown
from ftdist.page.exchange import PictureShown, Pipe
from ftdist.page.pictures import picture_of
from ftdist.page.subject import Subject
from ftdist.planning.profile import DEFAULT
from ftdist.protocol.records import Piece

Values = NDArray[np.float32] | NDArray[np.uint8]


def network_of(values: Values) -> Network:
    builder = NetworkBuilder("pools", Shape(*values.shape))
    builder.add(Pool("max", Sliding.square(2, stride=2)), [INPUT])
    return builder.finish()


def shown(values: Values) -> PictureShown:
    """What the page is sent of a frame with this input."""
    height, width, _ = values.shape
    half = height // 2
    pieces = [
        Piece(INPUT, Region(top, bottom, 0, width), values[top:bottom])
        for top, bottom in ((0, half), (half, height))
    ]
    return picture_shown(Pictured("job", 3, 0.5, tuple(pieces), ()))


def pixels_of(values: Values) -> NDArray[np.uint8]:
    """What a browser shows."""
    subject = Subject("coordinator", network_of(values), DEFAULT, Task(), (), 1, 1)
    png = picture_of(subject, shown(values), 1).png
    with Image.open(io.BytesIO(png)) as picture:
        picture.verify()
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.mode == "RGB"
        return np.asarray(picture)


def test_a_picture_has_the_pixels_of_the_frame() -> None:
    values = np.random.default_rng(5).integers(0, 256, (24, 20, 3)).astype(np.uint8)
    values[10:] = 77  # flat parts are written otherwise
    assert np.array_equal(pixels_of(values), values)


def test_numbers_are_shares_of_white_and_what_is_none_is_black() -> None:
    values = np.full((24, 20, 3), 0.5, np.float32)
    values[0, :5, 0] = (np.nan, np.inf, -np.inf, 2, -1)
    pixels = pixels_of(values)
    assert pixels[0, :5, 0].tolist() == [0, 255, 0, 255, 0]
    assert (pixels[1:] == 127).all()


def test_one_channel_is_grey() -> None:
    values = np.linspace(0, 1, 480, dtype=np.float32).reshape(24, 20, 1)
    expected = np.repeat((values * 255).astype(np.uint8), 3, axis=2)
    assert np.array_equal(pixels_of(values), expected)


def test_large_inputs_are_thinned_out_across_their_pieces() -> None:
    values = np.random.default_rng(7).integers(0, 256, (1290, 30, 3)).astype(np.uint8)
    assert np.array_equal(pixels_of(values), values[::3, ::3])


def test_what_the_pipe_does_not_take_at_once_follows_as_there_is_room() -> None:
    here, there = (Pipe(end) for end in socket.socketpair())
    values = np.random.default_rng(6).random((600, 500, 3), np.float32)
    first, second = shown(values), shown(values[:7])
    here.send(first)
    here.send(second)
    found = []
    while here.waits:
        found += there.receive()
        here.flush()
    found += there.receive()
    assert found == [first, second]
    for each in (here, there):
        each.close()
