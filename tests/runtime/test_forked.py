"""Work in a child: its value, its errors, and what is said when it is killed over it."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from ftdist.errors import BudgetError, FtdistError, InputError
from ftdist.runtime.forked import run_forked


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
