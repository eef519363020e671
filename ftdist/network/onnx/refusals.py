"""What is said of nodes that cannot be translated: all of them at once, and what could be done.

Nodes of one operator that are refused for one reason stand together. Behind the list stands how to
end the network before them, for what refuses to be imported is mostly the decoding at its end.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ftdist.errors import InputError
from ftdist.network.onnx.reading.file import Graph

_MOST_NAMES, _MOST_REASONS = 60, 40
_ALONE = 3
"""So many nodes of one reason still stand each by themselves."""

_LONGEST_NAME = 120

_UNKNOWN = "this operator is not supported"
_QUANTISED = "it is quantised; take the file with float weights"
_LOOPS = "export it with fixed sizes and without its post-processing, or simplify it (onnxsim)"
_LEFT = "its exporter left it as TensorFlow has it, and no runtime reads it; take another version"
_ADVICE = {
    **dict.fromkeys(("Erfc", "StatefulPartitionedCall", "PartitionedCall"), _LEFT),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"), _QUANTISED),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"), _QUANTISED),
    **dict.fromkeys(("Loop", "SequenceMap", "Unique"), _LOOPS),
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A node that cannot be translated; `before` is a value that it reads and that can be had."""

    name: str
    kind: str
    reason: str
    before: str = ""


class NotTranslated(InputError):
    """Nodes cannot be translated; `may_be_size`: at another size of the input they may be."""

    def __init__(self, text: str, *, may_be_size: bool) -> None:
        super().__init__(text)
        self.may_be_size = may_be_size


def unknown_operator(kind: str) -> str:
    """What is said of a node whose operator nobody here knows."""
    advice = _ADVICE.get(kind, "")
    if "." in kind and not advice:
        advice = "it is of another domain; export it without the optimisations of one runtime"
    return f"{_UNKNOWN}{f' ({advice})' if advice else ''}"


def refusal(
    file: str,
    refused: Sequence[Refused],
    outputs: Collection[str] = (),
    found: Sequence[str] = (),
) -> NotTranslated:
    """One line about all of them; `outputs` are the names that end the network as it is, `found`
    those of them that do not need what is refused."""
    count = "1 node is" if len(refused) == 1 else f"{len(refused)} nodes are"
    text = f"{file}: {count} not supported: {'; '.join(_listed(refused))}"
    before = next((each for each in refused if each.before and each.before not in outputs), None)
    if before is not None:
        until = ",".join(_shown(each) for each in (*found, before.before))
        text += f". --until {until} ends the network before {before.name}"
    may_be_size = not any(each.reason.startswith(_UNKNOWN) for each in refused)
    return NotTranslated(text, may_be_size=may_be_size)


def _listed(refused: Sequence[Refused]) -> list[str]:
    alike: dict[tuple[str, str], list[str]] = {}
    for each in refused:
        alike.setdefault((each.kind, each.reason), []).append(each.name)
    lines: list[str] = []
    most = max(_ALONE, _MOST_NAMES // max(1, len(alike)))
    for (kind, reason), names in list(alike.items())[:_MOST_REASONS]:
        if len(names) <= _ALONE:
            lines += [f"{name} ({kind}): {reason}" for name in names]
            continue
        rest = f" and {len(names) - most} more" if len(names) > most else ""
        lines.append(f"{', '.join(names[:most])}{rest} ({kind}): {reason}")
    if len(alike) > _MOST_REASONS:
        lines.append(f"and {len(alike) - _MOST_REASONS} more reasons")
    return lines


def ends(graph: Graph, until: str, file: str) -> tuple[str, ...]:
    """The values that nodes make, by a node's name or that of a value, several with commas between
    them; InputError when there is none, with names that are alike."""
    known = {name for node in graph.nodes for name in (node.name, *node.outputs)}
    if until not in known and "," in until:
        return tuple(name for each in until.split(",") for name in ends(graph, each.strip(), file))
    for node in graph.nodes:
        if until in node.outputs:
            return (until,)
        if until == node.name:
            return tuple(name for name in node.outputs[:1] if name)
    names = dict.fromkeys(
        name for node in graph.nodes for name in (node.name, *node.outputs) if name
    )
    near = difflib.get_close_matches(until[:_LONGEST_NAME], list(names)[:_MOST_COMPARED], 3)
    alike = f"; alike are {', '.join(map(_shown, near))}" if near else ""
    raise InputError(f"{file}: no node and no value is called {_shown(until)}{alike}")


_MOST_COMPARED = 5000


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)[:_LONGEST_NAME]
