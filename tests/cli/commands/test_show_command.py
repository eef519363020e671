"""`ftdist show`: the list of layers, and the drawn graph."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from support.command import Outcome, ftdist_command
from support.networks import ported_networks
from support.smallmodels import CHAIN, write_small_model

from ftdist.cli.reports.graph_svg import drawn
from ftdist.cli.reports.listing import ListedStep, listed, listing_lines
from ftdist.network.graph import Network
from ftdist.network.modelfile import load
from ftdist.planning.plan import parse_notation, untiled

Refused = Callable[..., Outcome]
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>\x07&\u202e"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("show") / "m.ftd", CHAIN)


def shown(folder: Path, *arguments: object) -> list[str]:
    outcome = ftdist_command("show", *arguments, folder=folder)
    assert (outcome.status, outcome.err) == (0, ""), outcome
    return outcome.out.splitlines()


def test_every_layer_stands_in_its_step(model: Path, tmp_path: Path) -> None:
    network = load(model).network
    lines = shown(tmp_path, model, "--mem", "48M", "--tiling", "2x2s4/2/1x1w", "--threads", 1)
    body = lines[lines.index("") + 1 :]
    steps = [line for line in body if line.startswith("step")]
    assert steps[0].startswith("step 1: layers 0..1 fused, 2x2 tiles, in strips of 4 rows")
    assert "resident" in steps[0] and "streamed" in steps[-1]
    layers = [line.split() for line in body if not line.startswith("step")]
    assert [int(each[0]) for each in layers] == list(range(len(network.layers)))
    for words, layer in zip(layers, network.layers, strict=True):
        assert words[1] == layer.name and str(layer.shape) in words
    heads = [line.split()[0] for line in lines[: lines.index("")]]
    assert heads == ["model", "input", "output", "task", "plan", "budget", "peak"]


def test_it_writes_the_graph_where_it_is_told(
    model: Path, tmp_path: Path, refused: Refused
) -> None:
    lines = shown(tmp_path, model, "--svg", "graph.svg")
    assert lines[-1] == "wrote      graph.svg"
    assert ElementTree.parse(tmp_path / "graph.svg").getroot().tag == f"{SVG}svg"
    refused("show", model, "--svg", "graph.png", words=("graph.png", "name a .svg file"))
    refused("show", model, "--svg", "nowhere/graph.svg", words=("nowhere",))
    refused("show", model, "--mem", "29M", words=("29.0 MiB",), status=3)


def points(path: str) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Where each line of a drawn path begins and ends."""
    found = []
    for part in path.split("M")[1:]:
        numbers = [float(each) for each in re.findall(r"[-0-9.]+", part)]
        begin, end = (numbers[0], numbers[1]), (numbers[-2], numbers[-1])
        if "C" not in part:
            end = (numbers[0], numbers[-1])
        found.append((begin, end))
    return found


@given(ported_networks())
def test_the_graph_has_every_layer_every_edge_and_every_step(network: Network) -> None:
    steps = listed(network, untiled(network))
    root = ElementTree.fromstring(drawn("t", "s", len(network.inputs), steps))
    marks = root.findall(f"{SVG}circle")
    assert len(marks) == len(network.layers) + len(network.inputs)
    rows = [float(mark.attrib["cy"]) for mark in marks]
    assert all(b - a == 20 for a, b in pairwise(rows)), "a row each, in order"
    at = {
        number: (float(mark.attrib["cx"]), float(mark.attrib["cy"]))
        for number, mark in zip(
            [*range(-1, -len(network.inputs) - 1, -1), *range(len(network.layers))],
            marks,
            strict=True,
        )
    }
    edges = {(each, n) for n, layer in enumerate(network.layers) for each in layer.inputs}
    lines = [points(path.attrib["d"]) for path in root.findall(f"{SVG}path")]
    begins_and_ends = {(begin, end[0]) for line in lines for begin, end in line}
    for source, reader in edges:
        assert (at[source], at[reader][0]) in begins_and_ends
    no_lane_twice(network, at)


def no_lane_twice(network: Network, at: dict[int, tuple[float, float]]) -> None:
    """No layer stands on the line of a map that is still to be read by others."""
    last = {each: n for n, layer in enumerate(network.layers) for each in layer.inputs}
    for number in range(len(network.layers)):
        passing = [each for each in last if each < number < last[each]]
        assert at[number][0] not in [at[each][0] for each in passing]


def test_names_from_files_are_text_and_nothing_else(model: Path) -> None:
    network = load(model).network
    layers = tuple(replace(each, name=HOSTILE + each.name) for each in network.layers)
    hostile = replace(network, layers=layers)
    steps = listed(hostile, parse_notation("1x1", hostile, 1))
    root = ElementTree.fromstring(drawn(HOSTILE, HOSTILE, 1, steps))
    assert root.find(f"{SVG}script") is None
    assert all(line.isprintable() for line in listing_lines(steps))


def test_colours_of_neighbouring_steps_differ(model: Path) -> None:
    network = load(model).network
    cuts = "/".join(f"1x1/{n}" for n in range(1, len(network.layers))) + "/1x1"
    steps: tuple[ListedStep, ...] = listed(network, parse_notation(cuts, network, 1))
    root = ElementTree.fromstring(drawn("t", "s", 1, steps))
    bands = [each for each in root.findall(f"{SVG}rect") if each.attrib["width"] == "4"]
    colours = [each.attrib["fill"] for each in bands]
    assert len(colours) == len(steps)
    assert all(a != b for a, b in pairwise(colours))
