"""Work in a child: its value, its errors, and what is said when it is killed over it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from ftdist.errors import BudgetError, FtdistError, InputError
from ftdist.runtime import imported
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.forked import ChildEnded, run_forked


def test_values_and_errors_come_back_as_they_were() -> None:
    assert run_forked(lambda: [1, "a", None]) == [1, "a", None]

    def refuse(error: Exception) -> None:
        raise error

    with pytest.raises(BudgetError, match="too small") as caught:
        run_forked(lambda: refuse(BudgetError("too small", 7)))
    assert caught.value.smallest_bytes == 7
    with pytest.raises(FtdistError, match="bad") as other:
        run_forked(lambda: refuse(InputError("bad")))
    assert other.value.exit_status == 2
    with pytest.raises(FtdistError, match="please report it"):
        run_forked(lambda: refuse(ZeroDivisionError()))


@pytest.mark.parametrize("said", [b"", b'{"val'])
def test_a_child_that_is_killed_is_one_clear_line(said: bytes) -> None:
    def die() -> None:
        frame = sys._getframe()
        while "writing" not in frame.f_locals:
            assert frame.f_back is not None
            frame = frame.f_back
        os.write(frame.f_locals["writing"], said)
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(FtdistError, match="was it killed for lack of memory") as caught:
        run_forked(die)
    assert "\n" not in str(caught.value)


def test_what_a_library_says_before_it_ends_a_child_is_not_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def die() -> None:
        os.write(2, b"cannot allocate memory for thread-local data: ABORT\n")
        os._exit(127)

    with pytest.raises(ChildEnded):
        run_forked(die)
    assert capfd.readouterr().err == ""


def test_an_import_that_ends_so_is_told_as_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"any")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(imported, "_imported", lambda *given: os._exit(127))
    with pytest.raises(BudgetError, match=r"takes more than 64\.0 MiB.*or try"):
        imported.opened(file, None, None, None, Budget(64 << 20, "--mem"))
