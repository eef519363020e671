"""An ONNX graph as a network: one walk over the nodes that the outputs need.

Whatever is known when sizes are fixed is computed on the way (``constants``); the rest is drafted
operator by operator (``registry``), rewritten, and named as the file names it. Nodes that cannot be
translated are collected: who has a file wants to know all of them, not the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ftdist.errors import InputError
from ftdist.network.about import Fit
from ftdist.network.graph import Network
from ftdist.network.onnx.building import Building
from ftdist.network.onnx.hints import hints
from ftdist.network.onnx.inputs import Batch, frame_inputs, whole_inputs, written_batch
from ftdist.network.onnx.kept import Kept, Places, Values
from ftdist.network.onnx.lists import Lengths, List
from ftdist.network.onnx.measures import apart, measured, told
from ftdist.network.onnx.nodes import Array, Node, Unsupported
from ftdist.network.onnx.older import renewed
from ftdist.network.onnx.patterns.recognising import Recogniser
from ftdist.network.onnx.reading.file import Graph, read_graph
from ftdist.network.onnx.reading.tensors import is_text
from ftdist.network.onnx.refusals import NotTranslated, Refused, ends, refusal
from ftdist.network.onnx.translation import Translation, Unknown, constants_of
from ftdist.network.onnx.translators.lists.entries import as_value, with_count
from ftdist.network.onnx.translators.maps.unpooling import flat
from ftdist.network.onnx.views import Dim, Tensor, flat_order, full
from ftdist.network.parameters import Parameters
from ftdist.network.ports import Layout
from ftdist.network.rewriting.draft import Draft, Output, finished
from ftdist.network.rewriting.rewrite import rewritten
from ftdist.network.source import Hints

MOST_STEPS = 20_000
"""No model file takes as many layers as that."""


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A network as an ONNX file describes it (``network.source.Source``)."""

    network: Network
    labels: tuple[str, ...]
    fit: Fit
    remarks: tuple[str, ...]
    read: Callable[[], Iterator[Parameters]]
    hints: Hints
    is_open: bool
    """Whether the file leaves rows and columns of its first input open."""

    def parameters(self) -> Iterator[Parameters]:
        return self.read()


def read_onnx(
    path: Path,
    size: tuple[int, int] | None = None,
    until: str | None = None,
    batch: Batch = "frames",
    usual: Sequence[tuple[int, int]] = (),
    *,
    resized: bool = False,
) -> OnnxModel:
    """The network of an ONNX file; `size` are (rows, columns) where the file leaves them open.

    Where nobody gives these, they are the first `usual` ones at which it can be computed, which is
    said; without any that is an error. `resized`: the size counts where the file says another, too.
    With `until` it ends with that node, or with the node that makes that value.
    """
    graph = replace(read_graph(path), is_resized=resized)
    graph = apart(graph) if batch == "frames" else graph
    first = next(iter(graph.inputs.values()), ())
    is_open = any(isinstance(each, str) for each in first[1:])
    remarks = tuple(f"{path}: {each}" for each in told(graph))
    if is_open and size is None and usual:
        as_said = replace(graph, is_resized=False)
        draft = _at_usual_size(as_said, str(path), usual, until, batch)
        rows, columns, _ = draft.inputs[0].shape
        taken = f"{rows}x{columns} is taken; --size HxW sets it"
        remarks += (f"{path}: leaves its size open, {taken}",)
    else:
        draft = drafted(graph, str(path), size, until, batch)
    network, parameters = finished(rewritten(draft), graph.release)
    graph.release()

    def read() -> Iterator[Parameters]:
        for each in parameters():
            yield each
            del each  # before the next is read
            graph.release()

    return OnnxModel(network, (), "stretch", remarks, read, hints(graph), is_open)


def _at_usual_size(
    graph: Graph, file: str, usual: Sequence[tuple[int, int]], until: str | None, batch: Batch
) -> Draft:
    """The draft at the first size at which there is one; what is wrong at the first is the error.

    What reads text, say, is made for pictures of one height, which only its inner sizes tell. A
    side that the file names is what it says.
    """
    refused: NotTranslated | None = None
    for size in usual:
        try:
            return drafted(graph, file, size, until, batch)
        except NotTranslated as error:
            refused = refused or error
            if not error.may_be_size:
                break
    assert refused is not None
    rows, columns = usual[0]
    told = f"its size is open, {rows}x{columns} was taken; --size HxW sets it"
    raise InputError(f"{refused}; {told}" if refused.may_be_size else str(refused)) from None


def folded(path: Path) -> dict[str, Array]:
    """The outputs of a file that reads no inputs, by name."""
    graph = read_graph(path)
    translation = Translation(Building(()), dict(graph.constants))
    for old in _needed(graph, graph.outputs, str(path)):
        for node in _renewed(old, translation):
            translation.take(node)
    found = constants_of(translation, graph.outputs)
    if translation.refused or found is None:
        reason = "its outputs are not constants"
        raise refusal(str(path), translation.refused or [Refused("graph", "outputs", reason)])
    return found


def drafted(
    graph: Graph,
    file: str,
    size: tuple[int, int] | None = None,
    until: str | None = None,
    batch: Batch = "frames",
) -> Draft:
    """The draft of a graph; `file` is what errors call it."""
    graph = measured(graph, size)
    outputs = graph.outputs if until is None else ends(graph, until, file)
    nodes = _needed(graph, outputs, file)
    if batch == "frames":
        inputs, given = frame_inputs(graph, nodes, file, size)
    else:
        inputs, given = whole_inputs(graph, nodes, file)
    building = Building(inputs)
    building.batch = written_batch(graph) if batch == "frames" else 1
    translation = Translation(building, dict(graph.constants), dict(graph.types))
    translation.values |= {each.name: tensor for each, tensor in zip(inputs, given, strict=True)}
    refused = translation.refused
    recogniser = Recogniser(nodes, translation.values)
    for old in nodes:
        for node in _renewed(old, translation):
            recogniser.know(node)
            _take(node, translation, recogniser)
        if len(building.steps) > MOST_STEPS:
            raise InputError(f"{file}: makes more than {MOST_STEPS} layers, which is too many")
    if not refused:
        made = [_output(building, name, translation.values[name], refused) for name in outputs]
        for name, each in zip(outputs, made, strict=True):
            if each is None and not refused:
                missing = "the node that should make it does not; name others with --until"
                refused.append(Refused(name, "output", missing))
    if refused:
        found = [name for name in outputs if not _is_unknown(translation.values.get(name))]
        raise refusal(file, refused, outputs, found)
    steps = tuple(building.steps)
    return Draft(graph.name, inputs, steps, tuple(each for each in made if each))


def _renewed(node: Node, translation: Translation) -> list[Node]:
    """What a node is today; constants that this needs are known then."""
    found, constants = renewed(node, translation.values)
    translation.values.update(constants)
    return found


def _take(node: Node, translation: Translation, recogniser: Recogniser) -> None:
    """Translates a node, or what it is the last one of; where that is refused, itself."""
    refused = translation.refused
    before = len(refused)
    become, constants = recogniser.become(node)
    translation.values.update(constants)
    for each in become:
        translation.take(each)
    if len(refused) > before and become != [node]:
        del refused[before:]
        translation.take(node)


def _is_unknown(value: Kept | Unknown | None) -> bool:
    return value is None or isinstance(value, Unknown)


def _needed(graph: Graph, outputs: tuple[str, ...], file: str) -> list[Node]:
    """The nodes that the outputs need, each behind those that it reads."""
    made: dict[str, Node] = {}
    for node in graph.nodes:
        for name in filter(None, node.outputs):
            if name in made:
                raise InputError(f"{file}: two nodes make {name!r:.120}")
            made[name] = node
    there = {*graph.inputs, *graph.constants}
    order: list[Node] = []
    state: dict[int, bool] = {}  # by node: whether all that it reads is in order
    waiting = [(name, False) for name in reversed(outputs)]
    while waiting:
        name, done = waiting.pop()
        maker = made.get(name)
        if maker is None:
            if name not in there:
                raise InputError(f"{file}: nothing makes {name!r:.120}, which is needed")
            continue
        key = id(maker)
        if done:
            if not state[key]:
                state[key] = True
                order.append(maker)
        elif key not in state:
            state[key] = False
            waiting.append((name, True))
            waiting += [(each, False) for each in reversed(maker.reads) if each]
    _refuse_cycles(order, there, file)
    return order


def _refuse_cycles(order: list[Node], there: set[str], file: str) -> None:
    known = set(there)
    for node in order:
        if any(name and name not in known for name in node.reads):
            raise InputError(f"{file}: node {node.name} needs what it makes itself")
        known.update(node.outputs)


def _output(
    building: Building, name: str, value: Kept | Unknown, refused: list[Refused]
) -> Output | None:
    """An output with the layout of its array; where a map must move first it moves here."""
    building.name = name
    try:
        if isinstance(value, Values):
            raise Unsupported("a sequence; name its values with --until")
        if isinstance(value, Places):
            value = flat(building, value)
        if isinstance(value, Lengths):
            value = as_value(building, value)  # type: ignore[assignment]
        if isinstance(value, np.ndarray):
            if is_text(value):
                raise Unsupported("it is text, which no map holds")
            value = building.constant(value)
        if isinstance(value, List):
            return Output(name, *with_count(building, value))
    except Unsupported as error:
        refused.append(Refused(name, "output", str(error)))
    if not isinstance(value, Tensor):
        return None
    found = _laid_out(building, value)
    if found is None:
        try:
            if value.rank == 4 and not value.dims[0]:
                value = building.planar(building.map(value))
            else:
                value = building.listed(value)
        except Unsupported as error:
            refused.append(Refused(name, "output", str(error)))
            return None
        found = _laid_out(building, value)
        assert found is not None
    return Output(name, value.step, found)


def _laid_out(building: Building, value: Tensor) -> Layout | None:
    shape = building.shape(value.step)
    axes: dict[str, Dim] = {
        "h": full("h", shape.height),
        "w": full("w", shape.width),
        "c": full("c", shape.channels),
    }
    order = flat_order(value)
    for planar, names in ((True, "chw"), (False, "hwc")):
        if order == sum((axes[each] for each in names), ()):
            layout = Layout(planar)
            return layout if layout.of(shape) == value.shape else Layout(planar, value.shape)
    return None
