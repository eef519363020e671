"""Recurrent layers over a sequence: LSTM, GRU, RNN.

What the input adds to the gates is a product with constants, a convolution; the rest goes step by
step over the whole sequence (``operators.reducing.Recurrent``). Rows are the sequences of a batch,
columns the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from ftdist.network.onnx.building import Building
from ftdist.network.onnx.nodes import Array, Node, Unsupported, Value, constant, tensor
from ftdist.network.onnx.registry import made, translates
from ftdist.network.onnx.translators.places.joining import part
from ftdist.network.onnx.views import Tensor, full
from ftdist.network.operators.joining import Concatenate
from ftdist.network.operators.reducing import CellKind, Recurrent
from ftdist.network.operators.windows import Convolution
from ftdist.network.rewriting.scaling import ONE_TAP

Given = list[Value | None]

_USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
_LENGTHS, _FIRST_HIDDEN, _FIRST_CELLS, _PEEPHOLES, _INPUTS = 4, 5, 6, 7, 8


@dataclass(frozen=True, slots=True)
class _Axes:
    """Which dims of the input are what; with `layout` 1 the sequences of a batch come first."""

    layout: int

    @property
    def batch(self) -> int:
        return 0 if self.layout else 1

    @property
    def time(self) -> int:
        return 1 - self.batch

    @property
    def directions(self) -> int:
        """That of directions among the dims of a state; of the output it is one further on."""
        return 1 - self.batch


@translates("LSTM", "GRU", "RNN")
def _recurrent(building: Building, node: Node, given: Given) -> list[Value]:
    value, axes = tensor(given[0]), _Axes(node.integer("layout"))
    given = [*given, *[None] * (_INPUTS - len(given))]
    if value.rank != 3:
        raise Unsupported(f"its input is {value.shape}; (steps, sequences, values) are needed")
    how = _cell(node, given, value.shape[axes.time])
    of_input, of_state = constant(given[1], "W").shape, constant(given[2], "R").shape
    if of_input[2:] != value.shape[2:] or of_state[:2] != of_input[:2]:
        raise Unsupported(f"W of {of_input} and R of {of_state} do not suit {value.shape}")
    source = building.grouped(value, [axes.batch], [axes.time], [2]).step
    ways = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    word = node.word("direction", "forward")
    if word not in ways:
        raise Unsupported(f"direction: {word}")
    passes = [
        _pass(building, how, given, axes, source, number, reverse=reverse)
        for number, reverse in enumerate(ways[word])
    ]
    hidden: Given = [_sequence(building, states[0], axes) for states in passes]
    outputs: list[Value] = [made(building, "Concat", hidden, {"axis": axes.directions + 1})]
    for at in range(len(node.outputs) - 1):
        ends: Given = [
            _end(building, states[at], axes, reverse=reverse)
            for states, reverse in zip(passes, ways[word], strict=True)
        ]
        outputs.append(made(building, "Concat", ends, {"axis": axes.directions}))
    return outputs


def _cell(node: Node, given: Given, steps: int) -> CellKind:
    """Which cells they are; Unsupported for what few networks have."""
    functions = tuple(str(each).lower() for each in node.attributes.get("activations", ()))
    usual = _USUAL[node.kind]
    first = functions[: len(usual)] or usual
    relu = node.kind == "RNN" and first == ("relu",)
    if functions != first * (len(functions) // len(first)) or not (first == usual or relu):
        raise Unsupported(f"activations: {', '.join(functions)}")
    if node.number("clip", 0) or node.integer("input_forget"):
        raise Unsupported("clip or input_forget")
    if given[_PEEPHOLES] is not None and constant(given[_PEEPHOLES], "the peepholes").any():
        raise Unsupported("peepholes")
    if given[_LENGTHS] is not None and (constant(given[_LENGTHS], "the lengths") != steps).any():
        raise Unsupported("sequence_lens: sequences that end before the last step")
    if node.kind == "GRU":
        return "gru_reset_after" if node.integer("linear_before_reset") else "gru"
    return "lstm" if node.kind == "LSTM" else cast(CellKind, first[0])


def _pass(
    building: Building,
    how: CellKind,
    given: Given,
    axes: _Axes,
    source: int,
    number: int,
    *,
    reverse: bool,
) -> list[int]:
    """The maps of hidden values and, of LSTM, of cells, that one direction makes."""
    of_input = constant(given[1], "W")[number].astype(np.float32, copy=False)
    of_state = constant(given[2], "R")[number].astype(np.float32, copy=False)
    gates, size = of_state.shape
    bias = np.zeros((2, gates), np.float32)
    if given[3] is not None:
        bias = constant(given[3], "B")[number].reshape(2, gates).astype(np.float32)
    cell = Recurrent(how, size, reverse)
    named = {"weights": lambda: of_input[:, :, np.newaxis, np.newaxis], "bias": lambda: bias[0]}
    added = building.add(Convolution(gates, ONE_TAP), [source], named)
    first = _first_state(building, cell, given, axes, building.shape(source).height, number)
    own = {"weights": lambda: of_state[:, :, np.newaxis, np.newaxis], "bias": lambda: bias[1]}
    step = building.add(cell, [added, first], own)
    if how != "lstm":
        return [step]
    return [building.add(Concatenate(2, at), [step]) for at in (0, 1)]


def _first_state(
    building: Building, cell: Recurrent, given: Given, axes: _Axes, sequences: int, number: int
) -> int:
    """The map (sequences, 1, states) of what a direction begins with, zeros if nothing is said."""
    found = []
    for value in given[_FIRST_HIDDEN : _FIRST_CELLS + 1][: cell.states // cell.size]:
        state = building.tensor(_zeros(axes, sequences, cell.size) if value is None else value, "")
        if state.shape[axes.directions] > 1:
            state = part(building, state, axes.directions, range(number, number + 1))
        found.append(building.grouped(state, [axes.batch], [axes.directions], [2]).step)
    return found[0] if len(found) == 1 else building.add(Concatenate(), found)


def _zeros(axes: _Axes, sequences: int, size: int) -> Array:
    return np.zeros((sequences, 1, size) if axes.layout else (1, sequences, size), np.float32)


def _sequence(building: Building, step: int, axes: _Axes) -> Tensor:
    """A map of states as (steps, 1, sequences, values), or with the sequences first."""
    shape = building.shape(step)
    rows, columns = full("h", shape.height), full("w", shape.width)
    channels = full("c", shape.channels)
    dims = (rows, columns, (), channels) if axes.layout else (columns, (), rows, channels)
    return Tensor(step, dims)


def _end(building: Building, step: int, axes: _Axes, *, reverse: bool) -> Tensor:
    """The state after the last step, which a direction in reverse has in the first column."""
    value = _sequence(building, step, axes)
    last = 0 if reverse else value.shape[axes.time] - 1
    found = part(building, value, axes.time, range(last, last + 1))
    return Tensor(found.step, found.dims[: axes.time] + found.dims[axes.time + 1 :])
