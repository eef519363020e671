"""Headers with a valid digest and nonsense within: refused in one line, at once, without memory.

Whoever writes a digest can write anything. What loading lets through, a session must be able to
run, or refuse with an InputError of its own.
"""

from __future__ import annotations

import copy
import json
import struct
import tracemalloc
from _blake2 import blake2b
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from support.oracles.counting import counted_calls
from support.smallmodels import DETECTOR, write_small_model

from ftdist.errors import InputError
from ftdist.network.modelfile import Model, load
from ftdist.network.modelheader import MAGIC, VERSION
from ftdist.planning.plan import untiled
from ftdist.runtime.local import Session

MOST_CALLS = 10_000
"""Calls of functions until a file is refused: a few times the most that any takes."""

Path_ = tuple[Any, ...]

TWO_HEADS = DETECTOR + "[route]\nlayers=2\n[region]\nanchors=1,2,3,4\nclasses=2\nsoftmax=1\n"
UPSAMPLED = DETECTOR.replace("[maxpool]\nsize=2\nstride=2\n", "[reorg]\nstride=2\n[upsample]\n")
"""Layers 0 convolutional, 1 reorg, 2 upsample, 3 convolutional, 4 yolo."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def parts(path: Path) -> tuple[Any, bytes]:
    """The header of a model file as a JSON value, and its blobs."""
    content = path.read_bytes()
    size = int.from_bytes(content[12:16], "little")
    return json.loads(content[64 : 64 + size]), content[64 + size + -(64 + size) % 64 :]


@pytest.fixture(scope="module")
def sound(folder: Path) -> tuple[Any, bytes]:
    return parts(write_small_model(folder / "sound.ftd", TWO_HEADS, labels=("left", "right")))


@pytest.fixture(scope="module")
def upsampled(folder: Path) -> tuple[Any, bytes]:
    return parts(write_small_model(folder / "upsampled.ftd", UPSAMPLED))


def forge(path: Path, header: bytes, blobs: bytes = b"", announced: int | None = None) -> Path:
    """A file whose digest is right, whatever the header holds; `announced` is its stated size."""
    size = len(header) if announced is None else announced
    padding = bytes(-(64 + len(header)) % 64)
    end = 64 + len(header) + len(padding) + len(blobs)
    prefix = struct.pack("<8sIIQ", MAGIC, VERSION, size, end)
    digest = blake2b(prefix + header, digest_size=16).digest()
    path.write_bytes(prefix + digest + bytes(24) + header + padding + blobs)
    return path


def refusal(path: Path) -> str:
    """The message that refuses a file: one line, after little work, in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught, counted_calls() as count:
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert len(message) < len(str(path)) + 400
    assert peak < 2 << 20
    assert count.calls < MOST_CALLS
    return message


def replaced(value: Any, place: Path_, new: Any) -> Any:
    """A copy of a JSON value with another value in one place; DELETED takes it away."""
    result = copy.deepcopy(value)
    inner = result
    for key in place[:-1]:
        inner = inner[key]
    if new is DELETED:
        del inner[place[-1]]
    else:
        inner[place[-1]] = new
    return result


class DELETED:
    """Stands for no value at all."""


def test_the_forger_forges_well(folder: Path, sound: tuple[Any, bytes]) -> None:
    header, blobs = sound
    model = load(forge(folder / "forged.ftd", json.dumps(header).encode(), blobs))
    assert model.labels == ("left", "right")


LAYER = ("network", "layers")
STEM, POOL, SECOND = (*LAYER, 0), (*LAYER, 1), (*LAYER, 2)
YOLO, ROUTE, REGION = (*LAYER, 3), (*LAYER, 4), (*LAYER, 5)
SIDEWAYS = (*STEM, "window", "horizontal")


TOO_LONG = (1 << 22) + 1


@pytest.mark.parametrize("new", [-1, 0, TOO_LONG, 10**30, 1.0, True, "3", None, [], {}])
@pytest.mark.parametrize(
    "place",
    [
        ("network", "input", 0),
        ("network", "input", 2),
        (*STEM, "filters"),
        (*STEM, "groups"),
        (*SIDEWAYS, "kernel"),
        (*SIDEWAYS, "stride"),
        (*SIDEWAYS, "dilation"),
        (*POOL, "window", "vertical", "stride"),
        (*ROUTE, "parts"),
    ],
)
def test_sizes_are_whole_numbers_of_sense(
    folder: Path, sound: tuple[Any, bytes], place: Path_, new: Any
) -> None:
    header, blobs = sound
    forged = json.dumps(replaced(header, place, new)).encode()
    refusal(forge(folder / "size.ftd", forged, blobs))


@pytest.mark.parametrize(
    "place", [("network", "input"), (*STEM, "filters"), (*SIDEWAYS, "kernel"), (*ROUTE, "inputs")]
)
def test_what_has_no_default_may_not_be_missing(
    folder: Path, sound: tuple[Any, bytes], place: Path_
) -> None:
    header, blobs = sound
    refusal(
        forge(folder / "less.ftd", json.dumps(replaced(header, place, DELETED)).encode(), blobs)
    )


def test_what_is_missing_is_the_default(folder: Path, sound: tuple[Any, bytes]) -> None:
    header, blobs = sound
    header = replaced(header, (*ROUTE, "parts"), 1)
    said = load(forge(folder / "said.ftd", json.dumps(header).encode(), blobs))
    header = replaced(header, (*ROUTE, "parts"), DELETED)
    assert (
        load(forge(folder / "more.ftd", json.dumps(header).encode(), blobs)).network == said.network
    )


@pytest.mark.parametrize(
    ("place", "new"),
    [
        ((), []),
        ((), 7),
        (("network",), None),
        (("network",), []),
        (("network", "name"), 3),
        (("network", "name"), ""),
        (("network", "input"), [64, 64]),
        (("network", "input"), [64, 64, 3, 1]),
        (("network", "input"), "123"),
        (("network", "input"), [65536, 65536, 65537]),
        (LAYER, []),
        (LAYER, {}),
        (LAYER, "conv"),
        (LAYER, [[]]),
        ((*STEM, "kind"), "recurrent"),
        ((*STEM, "kind"), []),
        ((*STEM, "kind"), "pool"),
        ((*STEM, "name"), None),
        ((*STEM, "name"), "maxpool1"),
        ((*STEM, "name"), DELETED),
        ((*STEM, "name"), "two\nlines"),
        ((*STEM, "name"), "\x1b[2J"),
        (("network", "name"), "two\nlines"),
        ((*STEM, "more"), 1),
        ((*STEM, "inputs"), []),
        ((*STEM, "inputs"), [0]),
        ((*STEM, "inputs"), [1]),
        ((*STEM, "inputs"), [-2]),
        ((*STEM, "inputs"), [-1.0]),
        ((*STEM, "inputs"), [False]),
        ((*STEM, "inputs"), [10**20]),
        ((*STEM, "inputs"), [-1, -1]),
        ((*STEM, "inputs"), -1),
        ((*STEM, "activation"), "leaky"),
        ((*STEM, "activation", "kind"), "sinh"),
        ((*STEM, "activation", "kind"), ["leaky"]),
        ((*STEM, "activation", "slope"), None),
        ((*STEM, "activation", "slope"), float("nan")),
        ((*STEM, "activation", "slope"), float("inf")),
        ((*STEM, "activation", "slope"), 10**400),
        ((*STEM, "filters"), 65536),
        ((*STEM, "window"), {}),
        ((*STEM, "window"), [1, 1]),
        ((*SIDEWAYS, "pad_before"), -1),
        ((*SIDEWAYS, "more"), 0),
        ((*POOL, "mode"), "median"),
        ((*POOL, "count_padding"), 0),
        ((*POOL, "count_padding"), "no"),
        ((*POOL, "window", "vertical", "pad_before"), 65536),
        ((*YOLO, "inputs"), []),
        ((*YOLO, "inputs"), [2, 2]),
        ((*YOLO, "classes"), -1),
        ((*YOLO, "classes"), 3),
        ((*YOLO, "mask"), [0, 2]),
        ((*YOLO, "mask"), [0, -1]),
        ((*YOLO, "mask"), "01"),
        ((*YOLO, "anchors"), [[10.0, -14.0], [23.0, 27.0]]),
        ((*YOLO, "anchors"), [[10.0], [23.0, 27.0]]),
        ((*YOLO, "anchors"), [[10.0, float("nan")], [23.0, 27.0]]),
        ((*YOLO, "anchors"), "10,14"),
        ((*YOLO, "scale_xy"), "1"),
        ((*REGION, "anchors"), [[1.0, 0.0], [3.0, 4.0]]),
        ((*REGION, "softmax"), 1),
        ((*ROUTE, "part"), 1),
        ((*ROUTE, "inputs"), []),
        (("labels",), "ab"),
        (("labels",), [1, 2]),
        (("labels",), {"a": 1}),
        (("labels",), DELETED),
        (("digests",), []),
        (("digests",), [[0]]),
        (("digests",), {"0": "", "2": ""}),
        (("digests", 0), [1, "0" * 32]),
        (("digests", 0), [[0], "0" * 32]),
        (("digests", 0), [0, None]),
        (("digests", 0), [0, "0" * 32]),
        (("more",), 1),
    ],
)
def test_nonsense_is_refused(
    folder: Path, sound: tuple[Any, bytes], place: Path_, new: Any
) -> None:
    header, blobs = sound
    forged = new if place == () else replaced(header, place, new)
    refusal(forge(folder / "nonsense.ftd", json.dumps(forged).encode(), blobs))


@pytest.mark.parametrize("place", [(*LAYER, 1, "stride"), (*LAYER, 2, "scale")])
@pytest.mark.parametrize("new", [0, -2, 65536, 2.0, "2"])
def test_strides_and_scales_fit_the_map(
    folder: Path, upsampled: tuple[Any, bytes], place: Path_, new: Any
) -> None:
    header, blobs = upsampled
    forged = json.dumps(replaced(header, place, new)).encode()
    refusal(forge(folder / "stride.ftd", forged, blobs))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"network":' * 20_000 + b"1" + b"}" * 20_000,
        b'{"network": ' + b"9" * 100_000 + b"}",
        b'"' + b"x" * (1 << 19) + b'"',
        b'{"network": {"name": "' + b"x" * 100_000 + b'", "input": 0}}',
    ],
)
def test_no_json_or_too_much_of_it_is_refused(folder: Path, header: bytes) -> None:
    refusal(forge(folder / "json.ftd", header))


@pytest.mark.parametrize("announced", [0, 1, 1 << 20, (1 << 20) + 1, 0xFFFFFFFF])
def test_a_header_that_lies_about_its_length_is_refused(
    folder: Path, sound: tuple[Any, bytes], announced: int
) -> None:
    header, blobs = sound
    path = forge(folder / "liar.ftd", json.dumps(header).encode(), blobs, announced)
    assert "the header is damaged" in refusal(path)


@pytest.mark.parametrize("more", [1, 1 << 20])
def test_a_header_longer_than_the_file_is_refused(folder: Path, more: int) -> None:
    """Its digest is right for the part that is there."""
    network = {"name": "pool", "input": [4, 4, 3], "layers": []}
    layer: dict[str, Any] = {"name": "a", "kind": "activate", "inputs": [-1]}
    layer["activation"] = {"kind": "relu", "slope": 0.1}
    header = json.dumps({"network": {**network, "layers": [layer]}, "labels": [], "digests": []})
    content = header.encode().ljust(256)
    assert load(forge(folder / "whole.ftd", content)).network.layers[0].name == "a"
    path = forge(folder / "cut.ftd", content, announced=len(content) + more)
    assert "the header is damaged" in refusal(path)


def test_blobs_that_do_not_fill_the_file_are_refused(
    folder: Path, sound: tuple[Any, bytes]
) -> None:
    """Digests of what is there would match, so the length alone tells."""
    header, blobs = sound
    number, _ = header["digests"][-1]
    forged = replaced(header, ("digests", -1), [number, blake2b(digest_size=16).hexdigest()])
    path = forge(folder / "short.ftd", json.dumps(forged).encode(), blobs[:64])
    assert "but its network needs" in refusal(path)
    path = forge(folder / "long.ftd", json.dumps(header).encode(), blobs + bytes(64))
    assert "but its network needs" in refusal(path)


nasty = some.one_of(
    some.sampled_from([-1, 0, 1, 2, 3, 4, 5, 8, 16, 64, 65536, 1 << 31, 1 << 63, 10**25]),
    some.sampled_from([0.5, -1.0, 1e308, float("inf"), float("nan"), True, None, "", "leaky"]),
    some.sampled_from([[], {}, [1], [[]], ["a", "b"], {"kernel": 1}, "pool", "x" * 5000]),
)


def places(value: Any, here: Path_ = ()) -> list[Path_]:
    """The place of every value within a JSON value."""
    inner: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        inner = ()
    return [here, *(place for key, each in inner for place in places(each, (*here, key)))]


@settings(max_examples=400)
@given(some.data())
def test_what_is_let_through_can_be_run(
    folder: Path, sound: tuple[Any, bytes], data: some.DataObject
) -> None:
    """Any two values replaced: a refusal, or a model that computes or says why not."""
    header, blobs = sound
    for _ in range(data.draw(some.integers(1, 2))):
        place = data.draw(some.sampled_from(places(header)[1:]))
        header = replaced(header, place, data.draw(nasty))
    path = forge(folder / "any.ftd", json.dumps(header).encode(), blobs)
    try:
        model = load(path)
    except InputError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        run_if_small(model)


def run_if_small(model: Model) -> None:
    shapes = [model.network.input, *(layer.shape for layer in model.network.layers)]
    if max(shape.elements for shape in shapes) > 1 << 20:
        return
    height, width, channels = model.network.input
    try:
        with Session(model, untiled(model.network)) as session:
            session.run(np.zeros((channels, height, width), np.float32))
    except InputError:
        return
