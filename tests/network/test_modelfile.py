"""The model file: what was written is what is loaded, and nothing else is loaded at all."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from support.smallmodels import CHAIN, DETECTOR, write_small_model

from ftdist.errors import InputError
from ftdist.geometry import Shape, Window
from ftdist.network.about import About
from ftdist.network.builder import NetworkBuilder
from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.graph import INPUT, Network, weighted_layers
from ftdist.network.heads import RegionHead, YoloHead
from ftdist.network.modelfile import Model, load, write_model
from ftdist.network.modelheader import ArrayName
from ftdist.network.operators.base import Activation, Identity, Sliding
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.joining import Add, Concatenate
from ftdist.network.operators.resampling import Reorg, Upsample
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.packing import BLOCKS
from ftdist.network.parameters import Parameters, random_parameters


def every_kind() -> Network:
    """A network with each kind of operation, and no field at its default."""
    builder = NetworkBuilder("every kind", Shape(12, 8, 3))
    window = Sliding(Window(3, 1, 1, 1, 1), Window(5, 1, 1, 2, 2))
    first = builder.add(Convolution(16, window, 1, Activation("leaky", 0.25)), [INPUT], "stem")
    depthwise = builder.add(Convolution(16, Sliding.square(3, 1, 1), groups=16), [first])
    grouped = builder.add(Convolution(16, Sliding.square(1), 4, Activation("mish")), [depthwise])
    added = builder.add(Add(Activation("relu6")), [grouped, first])
    pooled = builder.add(Pool("average", Sliding.square(2, 2), count_padding=True), [added])
    doubled = builder.add(Upsample(2), [pooled])
    part = builder.add(Concatenate(2, 1), [doubled, first])
    reordered = builder.add(Reorg(2, "darknet"), [part])
    active = builder.add(Activate(Activation("hardswish")), [reordered])
    kept = builder.add(Identity(), [active])
    head = builder.add(Convolution(14, Sliding.square(1)), [kept])
    builder.add(YoloHead(((10.0, 14.0), (23.0, 27.5)), (1, 0), 2, 1.05), [head])
    builder.add(RegionHead(((0.57, 0.68), (1.87, 2.06)), 2, softmax=False), [head])
    return builder.finish()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modelfile")


@pytest.fixture(scope="module")
def small(folder: Path) -> Path:
    """A model file of a few kilobytes, with padding after its header and within its blobs."""
    path = write_small_model(folder / "small.ftd", DETECTOR, labels=("left", "right"))
    assert (64 + int.from_bytes(path.read_bytes()[12:16], "little")) % 64
    return path


def failure(path: Path) -> str:
    """The message with which loading fails: one line that begins with the file's name."""
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def weights_of(model: Model, number: int) -> np.ndarray:
    """Packed weights and bias of one convolution, padding left out."""
    operation, source = next((o, s) for n, o, s in weighted_layers(model.network) if n == number)
    floats = model.weights.view(np.float32)
    places = [
        (model.offsets[ArrayName(number, "blocks", name)], size)
        for name, size in BLOCKS.sizes(operation, source).items()
    ]
    return np.concatenate([floats[at : at + size] for at, size in places])


def test_what_is_loaded_is_what_was_written(tmp_path: Path) -> None:
    network = every_kind()
    write_model(tmp_path / "m.ftd", network, random_parameters(network, 5), ("näme", "b"))
    model = load(tmp_path / "m.ftd")
    assert model.network == network
    assert model.labels == ("näme", "b")
    assert model.path == tmp_path / "m.ftd"
    shapes = {number: (operation, source) for number, operation, source in weighted_layers(network)}
    for each in random_parameters(network, 5):
        packed = BLOCKS.pack(*shapes[each.layer], each.named)
        expected = np.concatenate(list(packed.values()))
        np.testing.assert_array_equal(weights_of(model, each.layer), expected)
    assert all(at % 16 == 0 for at in model.offsets.values())
    assert model.weights.ctypes.data % 64 == 0
    assert not model.weights.flags.writeable


def test_the_digest_names_the_network_its_labels_and_its_weights(tmp_path: Path) -> None:
    network = parse_cfg(DETECTOR, "detector").network

    def digest(seed: int, labels: tuple[str, ...] = (), which: Network = network) -> str:
        write_model(tmp_path / "m.ftd", which, random_parameters(which, seed), labels)
        return load(tmp_path / "m.ftd").digest

    assert digest(1) == digest(1)
    others = [digest(2), digest(1, ("a", "b")), digest(1, (), network.until(2))]
    assert len({digest(1), *others}) == 4


def test_one_other_weight_is_another_digest(tmp_path: Path, small: Path) -> None:
    network = load(small).network
    parameters = list(random_parameters(network, 1))
    parameters[-1].bias[-1] += np.float32(1e-3)
    write_model(tmp_path / "m.ftd", network, parameters, ("left", "right"))
    assert load(tmp_path / "m.ftd").digest != load(small).digest


def test_a_network_cut_short_has_the_same_weights(tmp_path: Path) -> None:
    network = every_kind()
    kept = network.until(2)
    write_model(tmp_path / "all.ftd", network, random_parameters(network, 9))
    write_model(tmp_path / "some.ftd", kept, random_parameters(kept, 9))
    whole, part = load(tmp_path / "all.ftd"), load(tmp_path / "some.ftd")
    assert sorted(part.blobs) == [0, 1, 2]
    for number in part.blobs:
        np.testing.assert_array_equal(weights_of(part, number), weights_of(whole, number))


def test_a_network_without_weights_has_a_file_too(tmp_path: Path) -> None:
    network = parse_cfg("[net]\nwidth=4\nheight=4\nchannels=3\n[maxpool]\n", "pool").network
    write_model(tmp_path / "m.ftd", network, [])
    assert load(tmp_path / "m.ftd").network == network
    assert load(tmp_path / "m.ftd").weight_bytes == 0


@settings(max_examples=300)
@given(some.data())
def test_a_flipped_byte_anywhere_is_found(small: Path, data: some.DataObject) -> None:
    content = bytearray(small.read_bytes())
    flip(small, data.draw(some.integers(0, len(content) - 1)), data.draw(some.integers(1, 255)))


def test_a_flipped_bit_in_the_prefix_and_in_all_padding_is_found(small: Path) -> None:
    content = small.read_bytes()
    header_end = 64 + int.from_bytes(content[12:16], "little")
    for offset in (*range(64), header_end, header_end // 64 * 64 + 63, len(content) - 1):
        flip(small, offset, 1)
        flip(small, offset, 0x80)


def flip(path: Path, offset: int, bits: int) -> None:
    """Asserts that a copy of the file with these bits flipped is refused."""
    content = bytearray(path.read_bytes())
    content[offset] ^= bits
    copy = path.with_name("flipped.ftd")
    copy.write_bytes(content)
    failure(copy)


@given(some.floats(0, 1, exclude_max=True))
@example(0.0)
@example(0.9999)
def test_a_file_cut_at_any_length_is_refused(small: Path, share: float) -> None:
    content = small.read_bytes()
    copy = small.with_name("cut.ftd")
    copy.write_bytes(content[: int(share * len(content))])
    failure(copy)


@pytest.mark.parametrize("more", [b"\0", b"\0" * 64, b"anything"])
def test_appended_bytes_are_refused(small: Path, more: bytes) -> None:
    copy = small.with_name("longer.ftd")
    copy.write_bytes(small.read_bytes() + more)
    assert "bytes instead of" in failure(copy)


def test_a_version_of_the_future_says_what_to_do(small: Path) -> None:
    content = bytearray(small.read_bytes())
    content[8] = 2
    copy = small.with_name("future.ftd")
    copy.write_bytes(content)
    assert "format version 2, this ftdist reads 1" in failure(copy)
    assert "update ftdist" in failure(copy)


@pytest.mark.parametrize(
    "content", [b"", b"FTDIST", b"PK\x03\x04" + bytes(100), b"[net]\nwidth=3\n" * 30, bytes(999)]
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "foreign.ftd").write_bytes(content)
    assert "not a model file; make one with 'ftdist import'" in failure(tmp_path / "foreign.ftd")


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    assert "No such file" in failure(tmp_path / "absent.ftd")
    assert "not a regular file" in failure(tmp_path)
    assert "not a regular file" in failure(tmp_path / "pipe")
    assert "cannot be read" in failure(tmp_path / "loop")
    assert "cannot be read" in failure(tmp_path / ("long" * 99))


def test_an_error_of_the_disk_is_an_input_error() -> None:
    unreadable = Path("/proc/self/mem")
    if not unreadable.exists():
        pytest.skip("needs a file that fails when it is read; this system has no /proc/self/mem")
    assert "cannot be read" in failure(unreadable)


def test_blobs_are_verified_unless_told_otherwise(small: Path) -> None:
    content = bytearray(small.read_bytes())
    content[-100] ^= 1
    copy = small.with_name("blob.ftd")
    copy.write_bytes(content)
    assert "the weights of layer 2 (convolutional2) are damaged" in failure(copy)
    assert load(copy, verify=False).network == load(small).network


class Interrupted(Exception):
    """What stops a writer half-way."""


def test_a_failure_half_way_leaves_the_old_file_alone(tmp_path: Path) -> None:
    network = parse_cfg(CHAIN, "chain").network
    path = tmp_path / "m.ftd"
    path.write_bytes(b"old")

    def broken() -> Iterator[Parameters]:
        yield next(iter(random_parameters(network, 1)))
        assert len(os.listdir(tmp_path)) == 2
        raise Interrupted

    with pytest.raises(Interrupted):
        write_model(path, network, broken())
    with pytest.raises(ValueError, match="do not cover"):
        write_model(path, network, list(random_parameters(network, 1))[:-1])
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m.ftd"]


def test_a_network_that_computes_nothing_is_refused(tmp_path: Path) -> None:
    builder = NetworkBuilder("idle", Shape(4, 4, 3))
    builder.add(Identity(), [INPUT])
    with pytest.raises(InputError, match=r"^idle: layer 0 .* hands on the network's input"):
        write_model(tmp_path / "m.ftd", builder.finish(), [])
    assert os.listdir(tmp_path) == []


def test_what_could_not_be_loaded_is_not_written(tmp_path: Path) -> None:
    network = parse_cfg(CHAIN, "two\nlines").network
    with pytest.raises(InputError, match="not a name of printable characters"):
        write_model(tmp_path / "m.ftd", network, random_parameters(network, 1))
    layers = [f"[convolutional]\nfilters={n}\nactivation=linear\n" for n in range(1, 5000)]
    network = parse_cfg("[net]\nwidth=1\nheight=1\nchannels=1\n" + "".join(3 * layers), "n").network
    with pytest.raises(InputError, match="too large for a model file"):
        write_model(tmp_path / "m.ftd", network, [])
    assert os.listdir(tmp_path) == []


def test_writing_and_loading_hold_one_layer_at_a_time(tmp_path: Path) -> None:
    layer = "[convolutional]\nfilters=256\nsize=3\nactivation=linear\npad=1\n"
    network = parse_cfg("[net]\nwidth=9\nheight=9\nchannels=256\n" + 6 * layer, "deep").network
    largest = 4 * 256 * 256 * 9
    tracemalloc.start()
    try:
        write_model(tmp_path / "m.ftd", network, random_parameters(network, 1))
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        load(tmp_path / "m.ftd")
        loaded = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert written < 5.5 * largest < 6 * largest < (tmp_path / "m.ftd").stat().st_size
    assert loaded < 1 << 20


def test_what_is_said_about_a_network_comes_back(tmp_path: Path) -> None:
    network = every_kind()
    about = About(fit="stretch", names="guessed")
    write_model(tmp_path / "m.ftd", network, random_parameters(network, 5), ("a",), about)
    assert load(tmp_path / "m.ftd").about == about


@pytest.mark.parametrize(
    "said", [{"fit": "squeeze"}, {"names": 3}, {"fit": ["crop"]}, {"colour": "red"}, [], "crop"]
)
def test_what_makes_no_sense_about_a_network_is_refused(said: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        About.from_json(said)


def test_weights_too_small_to_be_normal_are_written_as_zero(folder: Path) -> None:
    builder = NetworkBuilder("tiny", Shape(2, 2, 1))
    builder.add(Convolution(16, Sliding.square(1)), [INPUT])
    network, smallest = builder.finish(), np.finfo(np.float32).smallest_normal
    weights = np.zeros((16, 1, 1, 1), np.float32)
    weights[:4, 0, 0, 0] = smallest, -smallest, smallest / 2, -smallest / 8
    write_model(folder / "tiny.ftd", network, [Parameters.of(0, weights, weights[:, 0, 0, 0])])
    model = load(folder / "tiny.ftd")
    for name in "weights", "bias":
        at = model.offsets[ArrayName(0, BLOCKS.name, name)]
        kept = model.weights.view(np.float32)[at : at + 4]
        assert list(kept) == [smallest, -smallest, 0, 0]
