"""Work whose memory must not stay: done in a forked child, which hands back a JSON value.

An interpreter keeps what it once allocated. What a measurement brings into memory for a moment
would be missing from the budget of all that follows.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

from ftdist.errors import BudgetError, FtdistError, InputError


class ChildEnded(FtdistError):
    """A child ended before it had said what came of its work: mostly, it lacked memory."""


def run_forked(work: Callable[[], Any]) -> Any:
    """The JSON value that `work` returns; its FtdistError is raised here as it was there.

    For processes of one thread. Where no child can be made, the work is done here.
    """
    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        return work()
    if child == 0:
        _report(work, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read()
    except BaseException:  # a signal: nobody waits for the answer any more
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.waitpid(child, 0)
    try:
        answer: dict[str, Any] = json.loads(text)
    except ValueError:  # it ended before it had said all
        killed = "a child that measures ended without an answer: was it killed for lack of memory?"
        raise ChildEnded(f"{killed} Give it more by --mem or the control group") from None
    return _opened(answer)


def _report(work: Callable[[], Any], writing: int) -> None:
    """In the child: writes what came of the work, and ends the process without a trace."""
    try:
        with open(os.devnull, "wb") as nowhere:  # libraries that lack memory say so themselves
            os.dup2(nowhere.fileno(), 2)
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(each) is not signal.SIG_IGN:
                signal.signal(each, signal.SIG_DFL)
        try:
            answer = {"value": work()}
        except BudgetError as error:
            answer = {"budget": str(error), "smallest_bytes": error.smallest_bytes}
        except FtdistError as error:
            answer = {"error": str(error), "status": error.exit_status}
        except Exception as error:
            answer = {"error": f"a fault in measuring, please report it: {error!r}", "status": 1}
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(answer).encode())
    finally:
        os._exit(0)


def _opened(answer: dict[str, Any]) -> Any:
    if "budget" in answer:
        raise BudgetError(answer["budget"], answer["smallest_bytes"])
    if "error" in answer:
        status = answer["status"]
        error = (InputError if status == InputError.exit_status else FtdistError)(answer["error"])
        error.exit_status = status
        raise error
    return answer["value"]
