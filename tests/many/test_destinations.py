"""Which file is written for which input of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.many.destinations import destination
from ftdist.many.listing import Listing
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT, Network
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Pool
from ftdist.network.task import Task


def network() -> Network:
    builder = NetworkBuilder("small", Shape(4, 4, 3))
    builder.add(Pool("max", Sliding.square(2)), [INPUT])
    return builder.finish()


def targets(*names: str) -> list[str]:
    listing = Listing(names)
    goes_to = destination("out/{}.png", None, listing, network(), Task("image"))
    return [str(goes_to.target(each)) for each in listing]


def test_inputs_of_one_stem_have_files_of_their_own() -> None:
    assert targets("a/x.jpg", "b/x.jpg", "x-2.jpg", "c/x.png") == [
        "out/x.png",
        "out/x-2.png",
        "out/x-2-2.png",
        "out/x-3.png",
    ]


def test_an_input_that_is_named_twice_has_one_file() -> None:
    assert targets("a/x.jpg", "a/x.jpg", "b/x.jpg", "a/x.jpg", "b/x.jpg") == [
        "out/x.png",
        "out/x.png",
        "out/x-2.png",
        "out/x.png",
        "out/x-2.png",
    ]


@pytest.mark.parametrize("word", ["x.jpg", "x.txt", "x.npy", "x.geojson"])
def test_a_name_of_one_file_becomes_no_folder(word: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a batch writes a file of each input: name a folder"):
        destination(str(tmp_path / word), None, Listing(["a.jpg"]), network(), Task("image"))
