"""Sequences, of which nothing is left in a network, against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.onnxgraphs import Nodes, assert_agree, imported

from ftdist.errors import InputError

Build = Callable[[Nodes, str], tuple[str, ...]]


def at(n: Nodes, number: int) -> str:
    return n.constant(np.array(number, np.int64))


def parts(n: Nodes, x: str) -> tuple[str, ...]:
    sequence = n.add("SplitToSequence", x, n.constant([1, 2, 3]), axis=1)
    taken = [n.add("SequenceAt", sequence, at(n, number)) for number in (2, -2)]
    joined = n.add("ConcatFromSequence", sequence, axis=1)
    return *taken, joined, n.add("Add", x, n.add("Cast", n.add("SequenceLength", sequence), to=1))


def equal_parts(n: Nodes, x: str) -> tuple[str, ...]:
    """The last one may be shorter."""
    sequence = n.add("SplitToSequence", x, at(n, 4), axis=-1)
    return tuple(n.add("SequenceAt", sequence, at(n, number)) for number in (0, 1))


def one_by_one(n: Nodes, x: str) -> tuple[str, ...]:
    sequence = n.add("SplitToSequence", x, axis=1, keepdims=0)
    sequence = n.add("SequenceErase", n.add("SequenceErase", sequence), at(n, 1))
    return (n.add("ConcatFromSequence", sequence, axis=2, new_axis=1),)


def grown(n: Nodes, x: str) -> tuple[str, ...]:
    sequence = n.add("SequenceInsert", n.add("SequenceEmpty"), x)
    sequence = n.add("SequenceInsert", sequence, n.add("Neg", x), at(n, 0))
    other = n.add("SequenceConstruct", x, n.add("Relu", x), n.random(1, 6, 4, 5))
    return tuple(n.add("ConcatFromSequence", each, axis=3) for each in (sequence, other))


def in_a_loop(n: Nodes, x: str) -> tuple[str, ...]:
    """As scripted modules grow a list."""
    nodes = [
        helper.make_node("Add", ["state", "state"], ["twice"]),
        helper.make_node("SequenceInsert", ["list", "twice"], ["longer"]),
        helper.make_node("Identity", ["goes"], ["goes_on"]),
    ]
    whole, floats = TensorProto.INT64, TensorProto.FLOAT
    value = helper.make_tensor_value_info
    listed = helper.make_tensor_sequence_value_info
    body = helper.make_graph(
        nodes,
        "body",
        [
            value("round", whole, []),
            value("goes", TensorProto.BOOL, []),
            value("state", floats, None),
            listed("list", floats, None),
        ],
        [
            value("goes_on", TensorProto.BOOL, []),
            value("twice", floats, None),
            listed("longer", floats, None),
        ],
    )
    start = n.add("SequenceEmpty")
    _, made = n.add("Loop", at(n, 3), "", x, start, outputs=2, body=body)
    return (n.add("ConcatFromSequence", made, axis=1),)


def optional(n: Nodes, x: str) -> tuple[str, ...]:
    given = n.add("Optional", n.add("Relu", x))
    there = n.add("Cast", n.add("OptionalHasElement", given), to=1)
    return (n.add("Mul", n.add("OptionalGetElement", given), there),)


CASES: dict[str, Build] = {
    "parts": parts,
    "equal parts": equal_parts,
    "one by one": one_by_one,
    "grown": grown,
    "in a loop": in_a_loop,
    "optional": optional,
}


@pytest.mark.parametrize("name", CASES)
def test_sequences(name: str, tmp_path: Path) -> None:
    nodes = Nodes(opset=18)
    nodes.output(*CASES[name](nodes, nodes.input(1, 6, 4, 5)))
    path = nodes.save(tmp_path / "graph.onnx")
    assert_agree(path, imported(path))


def refused(n: Nodes, x: str, what: str) -> str:
    sequence = n.add("SplitToSequence", x, axis=1)
    if what == "place":
        return str(n.add("SequenceAt", sequence, at(n, 6)))
    if what == "length":
        return str(n.add("SplitToSequence", x, n.constant([5, 6]), axis=1))
    if what == "computed":
        return str(
            n.add(
                "SequenceAt",
                sequence,
                n.add("ArgMax", n.add("Reshape", x, n.constant([-1])), axis=0),
            )
        )
    if what == "no sequence":
        return str(n.add("SequenceAt", x, at(n, 0)))
    if what == "empty":
        none = n.add("SequenceErase", n.add("SequenceConstruct", x))
        return str(n.add("ConcatFromSequence", none, axis=0))
    return str(n.add("Relu", sequence) if what == "read" else sequence)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("place", "position: 6 of a sequence of 6"),
        ("length", "of 6"),
        ("computed", "depends on the input"),
        ("no sequence", "is no sequence"),
        ("empty", "of an empty sequence"),
        ("read", "not supported of a sequence"),
        ("output", "a sequence; name its values"),
    ],
)
def test_what_makes_no_sense_is_refused(what: str, words: str, tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.output(refused(nodes, nodes.input(1, 6, 4, 5), what))
    with pytest.raises(InputError, match=words):
        imported(nodes.save(tmp_path / "graph.onnx"))
