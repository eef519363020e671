"""Lines for people stay whole, whoever else prints."""

from __future__ import annotations

import io
import sys

import pytest

from ftdist.cli.console import complain, say, tell


class Stream(io.StringIO):
    """Remembers each piece that is written by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return super().write(text)


def test_a_line_and_its_end_are_written_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two pieces, another thread's could come."""
    stream = Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    say("one")
    tell("two\x1b\n")
    complain("three")
    assert stream.pieces == ["one\n", "two\\x1b\\n\n", "three\n"]
