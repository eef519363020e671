"""The line that says how far something is: on terminals only, and gone when it is done."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import subprocess
import termios
from pathlib import Path

import pytest
from support.command import COMMAND, environment

from ftdist.cli.terminal import PassingLine


class Terminal(io.StringIO):
    """A terminal, as far as a stream can be one."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        """What stands in the line by now."""
        cells: list[str] = []
        at = 0
        for each in self.getvalue():
            if each == "\r":
                at = 0
                continue
            cells[at : at + 1] = [each]
            at += 1
        return "".join(cells).rstrip()


def test_a_line_is_replaced_and_goes_away() -> None:
    stream = Terminal()
    with PassingLine(stream) as line:
        line.show("a long line about something")
        assert stream.shown == "a long line about something"
        line.show("short\n\x1b[2J")
        assert stream.shown == "short\\n\\x1b[2J"
        line.show("x" * 500)
        assert len(stream.shown) == 79
    assert stream.shown == ""


def test_where_there_is_no_terminal_nothing_is_shown() -> None:
    stream = io.StringIO()
    with PassingLine(stream) as line:
        line.show("something")
    assert stream.getvalue() == ""


def test_only_what_takes_its_time_is_talked_about() -> None:
    stream, now = Terminal(), [10.0]
    with PassingLine(stream) as line:
        show = line.share("planning", lambda: now[0])
        show(0.4)
        assert stream.shown == ""
        now[0] += 1.5
        show(0.6)
        assert stream.shown == "planning: 60%"


@pytest.mark.parametrize("columns", [20, 200])
def test_several_inputs_show_how_far_they_are(things: Path, tmp_path: Path, columns: int) -> None:
    outer, inner = os.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    photo = str(things / "photo.png")
    run = ["run", str(things / "detector.ftd"), photo, photo, "--tiling", "1x1"]
    done = subprocess.run(
        [*COMMAND, *run],
        check=True,
        stdout=subprocess.PIPE,
        stderr=inner,
        cwd=tmp_path,
        env=environment(),
    )
    os.close(inner)
    shown = os.read(outer, 1 << 16).decode()
    os.close(outer)
    assert [f"{n} of 2: {photo}"[: columns - 1] in shown for n in (1, 2)] == [True, True]
    assert shown.endswith("\r") and shown.rsplit("\r", 2)[1].strip() == "" and "\n" not in shown
    assert b"inputs     2 of 2" in done.stdout
