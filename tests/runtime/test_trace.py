"""The time line: JSON at the end, readable before it, no two spans of a line at one time."""

from __future__ import annotations

import itertools
import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from support.timelines import assert_no_span_crosses_another, events, lines_of

from ftdist.errors import InputError
from ftdist.runtime.trace import Trace

Span = tuple[str, str, float, float]


def test_spans_are_readable_before_the_file_is_closed(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "t.json")
    trace.span("pi", "task", "layers 0..7", 10.0, 10.25)
    trace.span("pi", "send", "frame 1", 10.1, 10.2, 5000, "night")
    cut = (tmp_path / "t.json").read_text()
    trace.close()
    for whole in (json.loads(cut + "]"), events(tmp_path / "t.json")):
        found = [each for each in whole if each["ph"] == "X"]
        assert [(each["name"], each["ts"], each["dur"]) for each in found] == [
            ("layers 0..7", 10_000_000, 250_000),
            ("frame 1", 10_100_000, 100_000),
        ]
        assert found[1]["args"] == {"bytes": 5000, "job": "night"} and "args" not in found[0]


def test_a_time_line_of_nothing_is_json(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json"):
        pass
    assert events(tmp_path / "t.json") == []


def test_each_kind_of_span_of_a_track_has_a_named_line(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json") as trace:
        for number, (track, what) in enumerate(
            (("a", "task"), ("a", "send"), ("b", "task"), ("a", "task"))
        ):
            trace.span(track, what, "x", number, number + 1)
    found = lines_of(tmp_path / "t.json")
    assert {line: len(spans) for line, spans in found.items()} == {
        ("a", "computing"): 2,
        ("a", "sent to it"): 1,
        ("b", "computing"): 1,
    }


def test_spans_at_one_time_get_lines_of_their_own(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json") as trace:
        for start_s, end_s in ((0, 4), (1, 2), (2, 3), (3, 6), (4, 5), (0, 9), (9, 9)):
            trace.span("pi", "wait", "x", start_s, end_s)
    in_seconds = {
        line: [(start / 1e6, end / 1e6) for start, end in spans]
        for line, spans in lines_of(tmp_path / "t.json").items()
    }
    assert in_seconds == {
        ("pi", "waiting"): [(0, 4), (4, 5), (9, 9)],
        ("pi", "waiting 2"): [(1, 2), (2, 3), (3, 6)],
        ("pi", "waiting 3"): [(0, 9)],
    }


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_no_span_crosses_another(tmp_path: Path, seed: int) -> None:
    """Spans of any length in any order, most of them in order of their ends, as they really come"""
    chance = random.Random(seed)
    spans: list[Span] = []
    now_s = 1e5 * chance.random()
    for _ in range(400):
        now_s += chance.expovariate(1e3) * chance.choice((0, 1, 1e-3))
        length_s = chance.choice((0.0, 1e-7, 1e-3, 0.02)) * chance.random()
        spans.append(
            (chance.choice("ab"), chance.choice(("task", "send")), now_s - length_s, now_s)
        )
    for _ in range(chance.choice((0, 100))):
        one, other = chance.randrange(400), chance.randrange(400)
        spans[one], spans[other] = spans[other], spans[one]
    with Trace(tmp_path / "t.json") as trace:
        for number, (track, what, start_s, end_s) in enumerate(spans):
            trace.span(track, what, str(number), start_s, end_s)
    assert_no_span_crosses_another(tmp_path / "t.json")
    assert sum(map(len, lines_of(tmp_path / "t.json").values())) == 400


def test_spans_that_follow_one_another_stay_on_one_line(tmp_path: Path) -> None:
    times = [1e6 + number / 3 for number in range(300)]
    with Trace(tmp_path / "t.json") as trace:
        for start_s, end_s in itertools.pairwise(times):
            trace.span("pi", "task", "x", start_s, end_s)
    assert [len(spans) for spans in lines_of(tmp_path / "t.json").values()] == [299]


def test_any_name_and_any_order_of_times_will_do(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json") as trace:
        trace.span('ä"\n', "wait", "\\\ud800", 5.0, 4.0)
    (found,) = [each for each in events(tmp_path / "t.json") if each["ph"] == "X"]
    assert found["dur"] == 0 and found["name"] == "\\\ud800"


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json") as trace:

        def work(name: str) -> None:
            for number in range(300):
                trace.span(name, "task", str(number), number, number + 1)

        threads = [threading.Thread(target=work, args=(str(each),)) for each in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert sum(each["ph"] == "X" for each in events(tmp_path / "t.json")) == 1200
    assert_no_span_crosses_another(tmp_path / "t.json")


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent is not a folder"):
        Trace(tmp_path / "absent" / "t.json")
    with pytest.raises(InputError, match="not a regular file"):
        Trace(tmp_path)


def test_a_full_disk_is_said_once(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json") as trace, Path("/dev/full").open("wb", buffering=0) as full:
        own, trace._file = trace._file, full
        with pytest.raises(InputError, match="No space left"):
            trace.span("a", "task", "x", 0.0, 1.0)
        trace._file = own


class Short:
    """A disk on which only a part of a line still fits."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, text: bytes) -> int:
        return int(self._file.write(text[: len(text) // 2]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_disk_that_fills_up_leaves_whole_lines(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "t.json")
    trace.span("a", "task", "x", 0.0, 1.0)
    own, trace._file = trace._file, Short(trace._file)  # type: ignore[assignment]
    with pytest.raises(InputError, match="No space left"):
        trace.span("a", "task", "y", 1.0, 2.0)
    trace._file = own
    trace.close()
    found = json.loads((tmp_path / "t.json").read_text() + "]")
    assert [each["name"] for each in found if each["ph"] == "X"] == ["x"]
