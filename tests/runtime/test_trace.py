"""The time line: readable at any moment, one line for what may overlap, from any thread."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from ftdist.errors import InputError
from ftdist.runtime.trace import Trace


def events(path: Path) -> list[dict[str, Any]]:
    """The events as viewers read them: the array need not be closed."""
    text = path.read_text()
    assert text.startswith("[\n") and text.endswith(",\n")
    return json.loads(text.removesuffix(",\n") + "]")


def test_spans_are_readable_before_the_file_is_closed(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "t.json")
    trace.span("pi", "task", "layers 0..7", 10.0, 10.25)
    trace.span("pi", "send", "frame 1", 10.1, 10.2, 5000)
    found = [each for each in events(tmp_path / "t.json") if each["ph"] == "X"]
    assert [(each["name"], each["ts"], each["dur"]) for each in found] == [
        ("layers 0..7", 10e6, 250e3),
        ("frame 1", 10.1e6, 100e3),
    ]
    assert found[1]["args"] == {"bytes": 5000} and "args" not in found[0]
    trace.close()


def test_each_kind_of_span_of_a_track_has_a_named_line(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json") as trace:
        for track, what in (("a", "task"), ("a", "send"), ("b", "task"), ("a", "task")):
            trace.span(track, what, "x", 0.0, 1.0)
    found = events(tmp_path / "t.json")
    names = {each["tid"]: each["args"]["name"] for each in found if each["name"] == "thread_name"}
    assert sorted(names.values()) == ["a send", "a task", "b task"]
    spans = [names[each["tid"]] for each in found if each["ph"] == "X"]
    assert spans == ["a task", "a send", "b task", "a task"]


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


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent is no folder"):
        Trace(tmp_path / "absent" / "t.json")
    with pytest.raises(InputError, match="no regular file"):
        Trace(tmp_path)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json") as trace, Path("/dev/full").open("wb", buffering=0) as full:
        own, trace._file = trace._file, full
        with pytest.raises(InputError, match="No space left"):
            trace.span("a", "task", "x", 0.0, 1.0)
        trace._file = own
