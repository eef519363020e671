"""Programs that would leave their buffers: refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.networks import model_of, random_input
from support.wholemaps import around

from ftdist.geometry import Shape
from ftdist.kernels import native
from ftdist.kernels.program import COUNTERS, Program, op
from ftdist.kernels.reference import executor as reference
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.reducing import Product
from ftdist.network.operators.views import Factor, View
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.plan import GroupPlan, Plan, untiled

Change = Callable[[Program, list[np.ndarray]], None]
"""Breaks a sound program, or the memory (arena, then maps) that it is given."""


def small_program() -> tuple[Any, Program, list[np.ndarray], np.ndarray]:
    """A model, a program of it with several kinds of calls, its maps and its counters."""
    builder = NetworkBuilder("small", Shape(8, 8, 4))
    builder.add(Convolution(4, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Pool("max", Sliding.square(2, 2)), [0])
    network = builder.finish()
    model = model_of(network)
    plan = Plan((GroupPlan(0, 2, 1, 1, 1),))
    group = lower(network, plan, model.offsets, picture=False).programs[0]
    program = group.program(0)
    maps = [random_input(network), np.full((4, 4, 4), np.nan, np.float32)]
    arena = np.full(group.arena_bytes // 4, np.nan, np.float32).view(np.uint8)
    counters = np.zeros(len(program.kernels), COUNTERS)
    kernels = program.kernels.copy()
    return model, Program(kernels, program.calls.copy()), [arena, *maps], counters


def last(field: str, value: int) -> Change:
    """Sets a field of the last call: all calls before it are sound, and must not run either."""

    def change(program: Program, memory: list[np.ndarray]) -> None:
        program.calls[field][-1] = value

    return change


def kernel(field: str, value: int, inner: str = "") -> Change:
    """Sets a field of the last call's kernel."""

    def change(program: Program, memory: list[np.ndarray]) -> None:
        table = program.kernels[field]
        (table[inner] if inner else table)[program.calls["kernel"][-1]] = value

    return change


def shorten(index: int) -> Change:
    """Takes the last 4 bytes from the arena or from a map."""

    def change(program: Program, memory: list[np.ndarray]) -> None:
        memory[index] = memory[index].reshape(-1).view(np.uint8)[:-4]

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(last("kernel", 99), id="no such kernel"),
        pytest.param(last("kernel", -1), id="negative kernel"),
        pytest.param(last("rows", 0), id="no rows"),
        pytest.param(last("rows", 1000), id="too many rows"),
        pytest.param(last("row", -1), id="row before the map"),
        pytest.param(last("row", 9), id="row after the map"),
        pytest.param(last("in_row", 99), id="input row that is not stored"),
        pytest.param(last("out_row", -1000), id="written behind the buffer"),
        pytest.param(kernel("out", 7, "base"), id="no such map"),
        pytest.param(kernel("out", -1, "offset"), id="before the map"),
        pytest.param(kernel("out", 1 << 40, "offset"), id="far behind the map"),
        pytest.param(kernel("in", 1 << 40, "offset"), id="read far behind the arena"),
        pytest.param(kernel("in", 1 << 62, "pixel"), id="a stride that overflows"),
        pytest.param(kernel("right", 99), id="columns beside the buffer"),
        pytest.param(kernel("op", 99), id="no such operation"),
        pytest.param(shorten(0), id="arena too small"),
        pytest.param(shorten(1), id="input too small"),
        pytest.param(shorten(2), id="output too small"),
    ],
)
def test_a_program_that_leaves_its_buffers_is_refused_and_nothing_runs(change) -> None:
    model, program, memory, counters = small_program()
    change(program, memory)
    with pytest.raises(ValueError, match=r"kernel|call"):
        native.run(program, memory[0], model.weights, memory[1:], counters)
    assert np.isnan(memory[0].view(np.float32)).all()
    assert np.isnan(memory[2].view(np.float32)).all()
    assert not counters.view(np.int64).any()


def test_the_program_itself_is_sound() -> None:
    model, program, memory, counters = small_program()
    native.run(program, memory[0], model.weights, memory[1:], counters)
    assert np.isfinite(memory[2]).all()
    assert counters["macs"].sum() == 8 * 8 * 4 * 4 * 9
    expected = memory[2].copy()
    memory[0].view(np.float32)[:] = np.nan
    reference.run(program, memory[0], model.weights, memory[1:], counters)
    np.testing.assert_allclose(memory[2], expected, rtol=0, atol=1e-5 * expected.max())


@pytest.mark.parametrize(
    ("place", "other"),
    [("scratch", "in"), ("scratch", "out"), ("expanded", "in"), ("scratch", "expanded")],
)
def test_a_kernel_that_works_where_something_else_is_is_refused(place: str, other: str) -> None:
    builder = NetworkBuilder("works", Shape(8, 8, 20))
    builder.add(Convolution(20, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Convolution(20, Sliding.square(3, padding=1)), [0])
    builder.add(Pool("max", Sliding.square(3, padding=1)), [1])
    network = builder.finish()
    model = model_of(network)
    plan = Plan((GroupPlan(0, 3, streamed=True),), arithmetic=((1, "winograd4"),))
    group = lower(network, plan, model.offsets, picture=False).programs[0]
    program = group.program(0)
    arena = np.zeros(2 * group.arena_bytes, np.uint8)  # what is moved still lies in it
    maps = [random_input(network), np.empty((20, 8, 8), np.float32)]
    kernels = program.kernels.copy()
    (number,) = np.flatnonzero(kernels["op"] == op("winograd"))
    moved = kernels[other] if other == "expanded" else kernels[other]["offset"]
    kernels[place][number] = moved[number]
    counters = np.zeros(len(kernels), COUNTERS)
    native.run(program, arena, model.weights, maps, counters, model.file)
    with pytest.raises(ValueError, match="works where its maps or weights are"):
        native.run(
            Program(kernels, program.calls), arena, model.weights, maps, counters, model.file
        )


@pytest.mark.parametrize("blob", ["weights", "bias"])
def test_weights_beyond_the_model_are_refused(blob) -> None:
    model, program, memory, counters = small_program()
    program.kernels[blob][:] = model.weights.nbytes // 4 - 15
    with pytest.raises(ValueError, match="kernel"):
        native.run(program, memory[0], model.weights, memory[1:], counters)
    assert np.isnan(memory[2]).all()


@pytest.mark.parametrize("window", [0, -1, 1 << 40])
def test_streamed_weights_need_a_file_and_a_window_in_the_arena(window) -> None:
    model, program, memory, counters = small_program()
    program.kernels["streamed"] = program.kernels["op"] == op("convolution")
    program.kernels["window"] = window
    with open("/dev/zero", "rb") as file, pytest.raises(ValueError, match="kernel"):
        descriptor = -1 if window == 0 else file.fileno()
        native.run(program, memory[0], model.weights, memory[1:], counters, descriptor)
    assert np.isnan(memory[2]).all()


def viewed_program() -> tuple[Program, list[np.ndarray], np.ndarray]:
    """A matrix product of maps (3, 4, 5) and (3, 5, 6), its memory and its counters."""
    view = View((Factor(3, 20, 30),), (Factor(4, 5, 0),), (Factor(6, 0, 1),), (Factor(5, 1, 6),))
    network = around(Product(view), [Shape(3, 4, 5), Shape(3, 5, 6)])
    lowered = lower(network, untiled(network), {}, picture=False)
    (group,) = (each for each in lowered.programs if len(each.views))
    program = group.program(0)
    maps = [np.ones(60 + 16, np.float32), np.ones(90 + 16, np.float32)]
    maps.append(np.full(72, np.nan, np.float32))
    arena = np.zeros(group.arena_bytes, np.uint8)
    tables = program.kernels.copy(), program.calls.copy(), program.views.copy()
    return Program(*tables), [arena, *maps], np.zeros(len(program.kernels), COUNTERS)


def of_view(field: str, value: int, *place: int) -> Change:
    """Sets a field of the view."""

    def change(program: Program, memory: list[np.ndarray]) -> None:
        program.views[field][(0, *place)] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(kernel("view", 1), id="no such view"),
        pytest.param(kernel("view", -1), id="a view before the first"),
        pytest.param(of_view("first", -1), id="before the first map"),
        pytest.param(of_view("first", 1), id="behind the first map"),
        pytest.param(of_view("first2", -1), id="before the second map"),
        pytest.param(of_view("first2", 1), id="behind the second map"),
        pytest.param(of_view("steps", 21, 0), id="a step that is too long"),
        pytest.param(of_view("steps", -20, 0), id="a step back"),
        pytest.param(of_view("steps2", 1 << 62, 3), id="a step that overflows"),
        pytest.param(of_view("counts", 6, 3), id="a term too many"),
        pytest.param(of_view("counts", 0, 3), id="no terms"),
        pytest.param(of_view("counts", 4, 0), id="other rows than it writes"),
        pytest.param(of_view("rows", 13), id="more factors than there are"),
        pytest.param(of_view("channels", -1), id="fewer factors than none"),
        pytest.param(kernel("in", 6, "pixel"), id="a map with gaps"),
        pytest.param(kernel("in2_height", 4), id="a second map that is larger"),
        pytest.param(kernel("out_height", 4), id="an output that is larger"),
        pytest.param(last("rows", 4), id="a row too many"),
        pytest.param(shorten(1), id="first map too small"),
        pytest.param(shorten(2), id="second map too small"),
        pytest.param(shorten(3), id="output too small"),
    ],
)
def test_a_view_that_leaves_its_maps_is_refused(change: Change) -> None:
    program, memory, counters = viewed_program()
    memory = [memory[0], memory[1][:60], memory[2][:90], memory[3]]
    change(program, memory)
    with pytest.raises(ValueError, match=r"kernel|call"):
        native.run(program, memory[0], np.zeros(0, np.uint8), memory[1:], counters)
    assert np.isnan(memory[3].view(np.float32)).all()


def test_the_view_itself_is_sound() -> None:
    program, memory, counters = viewed_program()
    memory = [memory[0], memory[1][:60], memory[2][:90], memory[3]]
    native.run(program, memory[0], np.zeros(0, np.uint8), memory[1:], counters)
    assert (memory[3] == 5).all()
    assert counters["macs"].sum() == 3 * 4 * 5 * 6
