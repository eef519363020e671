"""The time line of local runs: every tile once, by the thread that made it, and waits between."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from support.smallmodels import CHAIN, random_image, write_small_model

from ftdist.network.modelfile import Model, load
from ftdist.planning.plan import parse_notation
from ftdist.runtime.local import Session
from ftdist.runtime.trace import Trace

TILED = "4x3s2/2/3x2s5"
TILES = (12, 6)
RUNS = 3
ROUNDED_US = 0.2

Tile = tuple[int, int, int, int]
"""Worker, group, tile, and the system's number of the thread that told of it."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("chain") / "chain.ftd", CHAIN))


def traced(model: Model, path: Path, threads: int) -> list[Tile]:
    """Runs the model under a plan of two groups; the time line is in `path`."""
    plan = parse_notation(TILED, model.network, threads)
    told: list[Tile] = []
    with Trace(path) as trace, Session(model, plan) as session:
        groups = [each.plan for each in session.lowered(picture=False).programs]
        write = trace.tiles(groups)

        def watch(worker: int, group: int, tile: int, began_s: float, ended_s: float) -> None:
            told.append((worker, group, tile, threading.get_ident()))
            write(worker, group, tile, began_s, ended_s)

        heard: list[Tile] = []

        def hear(worker: int, group: int, tile: int, _began_s: float, _ended_s: float) -> None:
            heard.append((worker, group, tile, threading.get_ident()))

        session.watch(watch, hear)
        for _ in range(RUNS):
            session.run(random_image(64))
        session.watch()
        session.run(random_image(64))
    assert sorted(heard) == sorted(told), "each of those who watch hears of every tile"
    return told


def events(text: str) -> list[dict[str, Any]]:
    """The events of a time line, as viewers read it: the array need not be closed."""
    whole = text.rstrip().removesuffix("]").rstrip().removesuffix(",") + "]"
    found: list[dict[str, Any]] = json.loads(whole)
    return found


def spans(path: Path) -> dict[str, list[dict[str, Any]]]:
    """By line ("thread 0 computing") its spans, in the order of the file."""
    found = events(path.read_text())
    named = {(each["name"], each["tid"]): each for each in found if each["ph"] == "M"}
    tracks = {e["pid"]: e["args"]["name"] for e in found if e["name"] == "process_name"}
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in found:
        if each["ph"] == "X":
            title = named["thread_name", each["tid"]]["args"]["name"]
            lines[f"{tracks[each['pid']]} {title}"].append(each)
    return lines


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_tile_of_every_group_is_there_once_a_run(
    model: Model, tmp_path: Path, threads: int
) -> None:
    told = traced(model, tmp_path / "t.json", threads)
    wanted = Counter((group, tile) for group, count in enumerate(TILES) for tile in range(count))
    assert Counter((group, tile) for _, group, tile, _ in told) == dict.fromkeys(wanted, RUNS)
    names = [span["name"] for line in spans(tmp_path / "t.json").values() for span in line]
    ours = Counter(name for name in names if name != "wait")
    assert len(ours) == sum(TILES) and set(ours.values()) == {RUNS}
    for start, count, notation in (("layers 0..1 ", 12, "4x3s2"), ("layers 2..3 ", 6, "3x2s5")):
        found = sorted(name for name in ours if name.startswith(start))
        assert found == sorted(f"{start}{notation} tile {tile}" for tile in range(count))


def test_a_tile_is_on_the_line_of_the_thread_that_made_it(model: Model, tmp_path: Path) -> None:
    told = traced(model, tmp_path / "t.json", 3)
    threads = {(worker, ident) for worker, _, _, ident in told}
    assert len(threads) == len({worker for worker, _ in threads}) == len({i for _, i in threads})
    assert dict(threads).get(0, threading.get_ident()) == threading.get_ident()
    expected = Counter(
        (f"thread {worker} computing", tile, group) for worker, group, tile, _ in told
    )
    found: Counter[tuple[str, int, int]] = Counter()
    for line, each in spans(tmp_path / "t.json").items():
        for span in each if line.endswith(" computing") else ():
            group = 0 if span["name"].startswith("layers 0") else 1
            found[line, int(span["name"].rpartition(" ")[2]), group] += 1
    assert found == expected


def test_waits_fill_what_is_between_tasks_and_overlap_none(model: Model, tmp_path: Path) -> None:
    traced(model, tmp_path / "t.json", 2)
    lines = spans(tmp_path / "t.json")
    for worker in [line.removesuffix(" computing") for line in lines if line.endswith("computing")]:
        tasks, waits = lines[f"{worker} computing"], lines.get(f"{worker} waiting", [])
        assert len(waits) == len(tasks) - 1
        for before, wait, after in zip(tasks, waits, tasks[1:], strict=False):
            assert wait["ts"] == pytest.approx(before["ts"] + before["dur"], abs=ROUNDED_US)
            assert wait["ts"] + wait["dur"] == pytest.approx(after["ts"], abs=ROUNDED_US)


def test_a_file_that_was_cut_is_read_up_to_there(model: Model, tmp_path: Path) -> None:
    traced(model, tmp_path / "t.json", 2)
    text = (tmp_path / "t.json").read_text()
    whole = events(text)
    assert json.loads(text) == whole
    ends = [at + 2 for at in range(len(text)) if text.startswith(("},\n", "}\n]"), at)]
    assert len(ends) == len(whole)
    for number, end in enumerate(ends):
        assert events(text[: end - 1]) == events(text[:end]) == whole[: number + 1]
