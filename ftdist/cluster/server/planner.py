"""Plans are made in a process of their own, so that beats and results never wait for a search.

It is forked before this process has threads, shares its memory with it, and keeps what a search
takes. Questions and answers are lines of JSON. It ends when this process does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

from ftdist.cluster.plain_values import made, plain
from ftdist.coordinator.events import AskPlan, Planned
from ftdist.errors import FtdistError
from ftdist.planning.sharing.plan import SharedPlan

Plan = Callable[[AskPlan], SharedPlan]
"""How a question is answered; an FtdistError says why there is no plan."""


class Planner:
    """A forked process that answers AskPlan; for processes of one thread."""

    def __init__(self, plan: Plan) -> None:
        questions, asking = os.pipe()
        answering, answers = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(asking)
            os.close(answering)
            _serve(plan, questions, answers)
        os.close(questions)
        os.close(answers)
        os.set_blocking(answering, False)
        self._asking, self._answering = asking, answering
        self._text = b""

    def fileno(self) -> int:
        """What to poll; when it can be read, there may be ``answers``."""
        return self._answering

    def ask(self, question: AskPlan) -> None:
        """Asks for a plan; ``answers`` will have it."""
        _write(self._asking, _line(plain(question)))

    def answers(self) -> list[Planned]:
        """What has been answered since the last time; FtdistError when the process is gone."""
        try:
            while text := os.read(self._answering, 1 << 16):
                self._text += text
            raise FtdistError("planning ended: was it killed for lack of memory?")
        except BlockingIOError:
            *lines, self._text = self._text.split(b"\n")
        return [made(Planned, json.loads(line)) for line in lines]

    def close(self) -> None:
        """Ends the process, whatever it is at."""
        os.close(self._asking)
        os.close(self._answering)
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)


def _serve(plan: Plan, questions: int, answers: int) -> NoReturn:
    """The process: answers one question after another, in silence, until nobody asks any more."""
    try:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        _prefer_to_end()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nowhere, standard)
        with os.fdopen(questions, "rb") as lines:
            for line in lines:
                question = made(AskPlan, json.loads(line))
                _write(answers, _line(plain(_answer(plan, question))))
    finally:
        os._exit(0)


def _prefer_to_end() -> None:
    """Where memory runs out, the system ends this process before the one that has the jobs."""
    with contextlib.suppress(OSError):
        handle = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(handle, b"1000")
        finally:
            os.close(handle)


def _answer(plan: Plan, question: AskPlan) -> Planned:
    try:
        return Planned(question.number, plan(question))
    except FtdistError as error:
        return Planned(question.number, None, str(error))
    except MemoryError:
        reason = "planning needs more memory than there is; give the coordinator more"
        return Planned(question.number, None, reason, fault=True)
    except Exception as error:
        reason = f"a fault in planning, please report it: {error!r}"
        return Planned(question.number, None, reason, fault=True)


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _write(pipe: int, text: bytes) -> None:
    while text:
        text = text[os.write(pipe, text) :]
