"""A session: any number of runs, inputs of both kinds, threads that end, nothing carried over."""

from __future__ import annotations

import mmap
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import GUARD_S, measured
from support.smallmodels import CHAIN, TWO_OUTPUTS, random_image, write_small_model

from ftdist.errors import FtdistError, InputError
from ftdist.kernels import native
from ftdist.network.modelfile import Model, load
from ftdist.planning.plan import Plan, parse_notation, untiled
from ftdist.runtime.local import Kernels, Session

TILED = "4x3s2/2/3x2s5"
"""Two groups of twelve and six tiles in strips; fits both networks."""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("chain") / "chain.ftd", CHAIN))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("two") / "two.ftd", TWO_OUTPUTS))


def tiled(model: Model, threads: int = 1) -> Plan:
    return parse_notation(TILED, model.network, threads)


def run_once(model: Model, plan: Plan, image: np.ndarray, kernels: Kernels = "native") -> Any:
    with Session(model, plan, kernels) as session:
        return session.run(image)


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    """The same names and the same bits."""
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array.view(np.uint32), second[name].view(np.uint32))


def test_outputs_have_the_layers_names_and_the_models_layout(two: Model) -> None:
    outputs = run_once(two, untiled(two.network), random_image(64))
    shapes = {name: array.shape for name, array in outputs.items()}
    assert shapes == {"convolutional3": (5, 32, 32), "route4": (6, 32, 32)}
    assert all(array.dtype == np.float32 for array in outputs.values())
    assert all(array.flags.c_contiguous and array.flags.writeable for array in outputs.values())


@pytest.mark.parametrize("kernels", ["native", "reference"])
def test_a_batch_axis_comes_out_where_one_went_in(two: Model, kernels: Kernels) -> None:
    image = random_image(64)
    with Session(two, tiled(two), kernels) as session:
        plain, batched = session.run(image), session.run(image[None])
    assert {array.shape[:1] for array in batched.values()} == {(1,)}
    assert_same(plain, {name: array[0] for name, array in batched.items()})


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((3, 64, 63), np.float32), r"shape \(3, 64, 63\); .* \(3, 64, 64\)"),
        (np.zeros((64, 64, 3), np.float32), "float32 .channels, height, width. "),
        (np.zeros((2, 3, 64, 64), np.float32), "shape"),
        (np.zeros((1, 1, 3, 64, 64), np.float32), "shape"),
        (np.zeros((64, 64), np.float32), "shape"),
        (np.float32(1), "shape"),
        (np.zeros((3, 64, 64), np.uint8), "uint8 .height, width, channels. "),
        (np.zeros((1, 64, 64, 3), np.uint8), "shape"),
        (np.zeros((3, 64, 64)), "is float64; .* takes float32 or uint8"),
        (np.zeros((3, 64, 64), ">f4"), "is >f4"),
        (np.zeros((64, 64, 3), np.int8), "is int8"),
        (np.zeros((3, 64, 64), bool), "is bool"),
        (np.zeros((3, 64, 64), object), "is object"),
        (np.zeros((3, 64, 64), [("a", "f4")]), "takes float32 or uint8"),
    ],
)
def test_inputs_of_another_shape_or_type_are_refused(
    chain: Model, image: np.ndarray, message: str
) -> None:
    with (
        Session(chain, untiled(chain.network)) as session,
        pytest.raises(InputError, match=message),
    ):
        session.run(image)


def backwards(image: np.ndarray) -> np.ndarray:
    return image[:, ::-1].copy()[:, ::-1]


def every_other(image: np.ndarray) -> np.ndarray:
    return np.repeat(image, 2, axis=2)[:, :, ::2]


def misaligned(image: np.ndarray) -> np.ndarray:
    return np.frombuffer(b"\0" + image.tobytes(), np.float32, offset=1).reshape(image.shape)


def read_only(image: np.ndarray) -> np.ndarray:
    image = image.copy()
    image.flags.writeable = False
    return image


@pytest.mark.parametrize(
    "arranged", [np.asfortranarray, backwards, every_other, misaligned, read_only]
)
def test_how_the_input_lies_in_memory_does_not_matter(
    chain: Model, arranged: Callable[[np.ndarray], np.ndarray]
) -> None:
    image = random_image(64)
    expected = run_once(chain, tiled(chain), image)
    before = image.copy()
    assert_same(run_once(chain, tiled(chain), arranged(image)), expected)
    np.testing.assert_array_equal(image, before)


def test_two_runs_give_the_same_bits_whatever_the_memory_held(chain: Model) -> None:
    image = random_image(64)
    with Session(chain, tiled(chain, 2)) as session:
        first = session.run(image)
        assert session._runner._engine._block is not None
        session._runner._engine._block[:] = 0xFF  # each float32 is NaN
        assert_same(session.run(image), first)


def test_outputs_of_a_run_are_left_alone_by_the_next(two: Model) -> None:
    with Session(two, tiled(two)) as session:
        first = session.run(random_image(64, seed=1))
        kept = {name: array.copy() for name, array in first.items()}
        second = session.run(random_image(64, seed=2))
    assert_same(first, kept)
    for name, array in first.items():
        assert not np.shares_memory(array, second[name])
        assert not np.array_equal(array, second[name])


@pytest.mark.parametrize("kernels", ["native", "reference"])
def test_pictures_and_arrays_take_turns(two: Model, kernels: Kernels) -> None:
    """A picture means its values divided by 255."""
    picture = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    image = random_image(64)
    with Session(two, tiled(two), kernels) as session:
        pictures, arrays = [session.run(picture)], [session.run(image)]
        pictures.append(session.run(picture))
        arrays.append(session.run(image))
        divided = session.run(picture.transpose(2, 0, 1) / np.float32(255))
    assert_same(*pictures)
    assert_same(*arrays)
    for name, array in divided.items():
        np.testing.assert_allclose(pictures[0][name], array, rtol=1e-5, atol=1e-5)


def test_a_closed_session_can_run_again(chain: Model) -> None:
    image = random_image(64)
    session = Session(chain, tiled(chain, 2))
    with session:
        expected = session.run(image)
    session.close()
    assert_same(session.run(image), expected)


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_threads_and_tiles_change_no_bit(two: Model, threads: int) -> None:
    image = random_image(64)
    expected = run_once(two, untiled(two.network), image)
    for _ in range(3):
        assert_same(run_once(two, tiled(two, threads), image), expected)


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_threads_change_no_bit_of_the_reference(two: Model, threads: int) -> None:
    """Its sums have NumPy's order, which tiles change in the last bits; threads change nothing."""
    image = random_image(64)
    tiles = run_once(two, tiled(two), image, "reference")
    assert_same(run_once(two, tiled(two, threads), image, "reference"), tiles)
    for name, array in run_once(two, untiled(two.network), image, "reference").items():
        np.testing.assert_allclose(tiles[name], array, rtol=1e-5, atol=1e-5)


def test_counters_hold_the_work_of_all_runs(two: Model) -> None:
    """Untiled, each layer does exactly the network's multiply-accumulates; tiles do more."""
    network = two.network
    expected = {
        number: network.macs(number) * layer.shape.height * layer.shape.width
        for number, layer in enumerate(network.layers)
        if network.macs(number)
    }
    assert list(expected) == [0, 1, 3]

    def counted(session: Session) -> dict[int, int]:
        return {number: each.macs for number, each in session.counters.items() if each.macs}

    with Session(two, untiled(network)) as session:
        session.run(random_image(64))
        assert counted(session) == expected
        session.run(random_image(64))
        assert counted(session) == {number: 2 * macs for number, macs in expected.items()}
        assert min(session.counters[number].nanoseconds for number in expected) > 0
    with Session(two, parse_notation("3x3", network)) as session:
        session.run(random_image(64))
        assert counted(session)[0] > expected[0]
        assert counted(session)[1] == expected[1]


def test_a_plan_for_another_network_is_refused(chain: Model, two: Model) -> None:
    with pytest.raises(InputError, match="do not cover"):
        Session(chain, untiled(two.network))
    with pytest.raises(InputError, match="threads"):
        Session(chain, Plan(untiled(chain.network).groups, threads=0))


def test_threads_live_as_long_as_the_session(chain: Model) -> None:
    before = set(threading.enumerate())
    with Session(chain, tiled(chain, 4)) as session:
        assert set(threading.enumerate()) == before, "they are started when they are needed"
        session.run(random_image(64))
        helpers = set(threading.enumerate()) - before
        session.run(random_image(64))
        assert set(threading.enumerate()) - before == helpers and len(helpers) == 3
    assert set(threading.enumerate()) == before


class Boom(Exception):
    """What a kernel raises in these tests."""


def test_an_exception_in_one_thread_stops_the_others_and_is_raised(
    chain: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[threading.Thread] = []
    both_began = threading.Barrier(2, timeout=GUARD_S)
    monkeypatch.setattr(native, "_STAY_NS", 0)  # each tile is told at once

    def failing(*_: object) -> None:
        calls.append(threading.current_thread())
        both_began.wait()
        if threading.current_thread() is not threading.main_thread():
            raise Boom
        assert session._runner._engine._pool.stopping.wait(GUARD_S)

    before = set(threading.enumerate())
    session = Session(chain, tiled(chain, 2))
    session.watch(failing)
    with pytest.raises(Boom):
        session.run(random_image(64))
    assert len(calls) == 2, "the thread that did not fail took another tile"
    assert set(threading.enumerate()) == before


def test_an_interrupt_waits_for_the_other_threads(
    chain: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(native, "_STAY_NS", 0)

    def slow(*_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        assert session._runner._engine._pool.stopping.wait(GUARD_S)
        done.append("tile")

    before = set(threading.enumerate())
    session = Session(chain, tiled(chain, 3))
    session.watch(slow)
    with pytest.raises(KeyboardInterrupt):
        session.run(random_image(64))
    assert set(threading.enumerate()) == before
    assert len(done) <= 2, "a thread went on with the next tile"


@pytest.mark.parametrize("kernels", ["native", "reference"])
def test_a_signal_ends_a_run_between_tiles(
    chain: Model, monkeypatch: pytest.MonkeyPatch, kernels: Kernels
) -> None:
    told: list[int] = []
    monkeypatch.setattr(native, "_STAY_NS", 0)

    def interrupting(_worker: int, _group: int, tile: int, *_: float) -> None:
        told.append(tile)
        if len(told) == 2:
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background too
    try:
        with Session(chain, tiled(chain, 1), kernels) as session:
            session.watch(interrupting)
            with pytest.raises(KeyboardInterrupt):
                session.run(random_image(64))
    finally:
        signal.signal(signal.SIGINT, before)
    assert told == [0, 1]


def test_a_system_without_threads_to_spare_says_so(
    chain: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def second_fails(self: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    before = set(threading.enumerate())
    monkeypatch.setattr(threading.Thread, "start", second_fails)
    with pytest.raises(FtdistError, match="use fewer threads"):
        Session(chain, tiled(chain, 4)).run(random_image(64))
    assert set(threading.enumerate()) == before


def test_a_session_recovers_from_a_failed_run(chain: Model) -> None:
    image = random_image(64)
    session = Session(chain, tiled(chain, 2))
    expected = session.run(image)

    def failing(*_: object) -> None:
        raise Boom

    session.watch(failing)
    with pytest.raises(Boom):
        session.run(image)
    session.watch()
    assert_same(session.run(image), expected)


def test_a_session_that_rests_gives_its_memory_back_and_runs_on(chain: Model) -> None:
    image = random_image(64)
    with Session(chain, tiled(chain, threads=2)) as session:
        first = session.run(image)
        engine = session._runner._engine
        assert engine.block_bytes > 0 and engine.resident
        assert _resident_bytes(chain) > mmap.PAGESIZE
        session.rest()
        assert engine.block_bytes == 0 and not engine.resident
        assert _resident_bytes(chain) <= mmap.PAGESIZE  # its end is no whole page
        assert_same(session.run(image), first)


def _resident_bytes(model: Model) -> int:
    """How much of the mapped model file is in this process's memory."""
    name, size = str(model.path), 0
    with open("/proc/self/smaps") as file:
        own = False
        for line in file:
            if line.split(" ", 1)[0].count("-") == 1:
                own = line.rstrip().endswith(name)
            elif own and line.startswith("Rss:"):
                size += int(line.split()[1]) << 10
    return size


_LEFT_OPEN = """
import sys, threading
import numpy as np
from ftdist import Session, load
from ftdist.planning.plan import untiled
model = load(sys.argv[1])
session = Session(model, untiled(model.network))
height, width, channels = model.network.input
session.run(np.zeros((channels, height, width), np.float32))
began = threading.Event()
def hold(held):
    began.set()
    threading.Event().wait()
threading.Thread(target=hold, args=(session,), daemon=True).start()
began.wait()
"""


def test_a_session_that_is_open_at_the_end_of_a_program_is_no_fault(tmp_path: Path) -> None:
    model = write_small_model(tmp_path / "chain.ftd", CHAIN)
    outcome = measured(sys.executable, "-c", _LEFT_OPEN, model, folder=tmp_path)
    assert (outcome.status, outcome.err) == (0, "")
