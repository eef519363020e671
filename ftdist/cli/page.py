"""--page: what is refused at the start, the page's process, and what is said about it.

What serves the page is imported by the page's process alone; here only its presence is checked.
Only commands that are asked for a page import this.
"""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ftdist.answers.kinds import class_count, task_of
from ftdist.answers.names import class_names
from ftdist.cli.console import complain
from ftdist.cluster.endpoints import Endpoint
from ftdist.cluster.server.onlooking import Say
from ftdist.errors import BudgetError
from ftdist.network.modelfile import Model
from ftdist.page.access import Access, access_to, listen, place_of, refuse_without_library
from ftdist.page.beside import PAGE_BYTES, Beside
from ftdist.page.subject import Subject
from ftdist.planning.profile import DeviceProfile
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.sizes import ceil_size

if TYPE_CHECKING:
    from ftdist.page.local import LocalPage
    from ftdist.runtime.plans.choice import Choice

_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Page:
    """Where a page will be and who may see it; its socket listens already, until it is started or
    given up."""

    place: Endpoint
    access: Access
    listener: socket.socket
    port: int
    token_file: Path | None

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    @property
    def address(self) -> str:
        """As a browser on this machine reaches it; where the token is new, with it."""
        host = "127.0.0.1" if self.place.is_everywhere else self.place.host
        login = f"login?token={self.access.token}" if self.access.fresh else ""
        return f"http://{host}:{self.port}/{login}"

    def left_of(self, limit: Budget) -> Budget:
        """What the page leaves of a budget."""
        origin = f"{limit.origin} less {ceil_size(PAGE_BYTES)} for --page"
        return replace(limit, bytes=limit.bytes - PAGE_BYTES, origin=origin)

    def of_coordinator(
        self, model: Model, profile: DeviceProfile, limit: Budget, say: Say
    ) -> Beside:
        """Starts the page of a coordinator; for processes of one thread."""
        return self._start(_subject("coordinator", model, profile, limit.bytes), say)

    def _start(self, subject: Subject, say: Say) -> Beside:
        loopback = self.place.is_loopback
        return Beside(subject, self.access, self.listener, say, loopback=loopback)

    def of_run(
        self, kind: str, choice: Choice, inputs: int, tested_on: dict[str, Any], lanes: int = 1
    ) -> LocalPage:
        """Starts the page of a command of that `kind` that computes so many inputs, 0 where nobody
        knows how many, in lanes side by side; for processes of one thread."""
        from ftdist.page.local import LocalPage, LocalRun

        model, budget_bytes = choice.model, choice.budget.bytes + PAGE_BYTES
        subject = _subject(kind, model, choice.calibration.profile, budget_bytes)
        run = LocalRun(
            name=model.network.name,
            inputs=inputs,
            network=model.network,
            plan=choice.plan,
            groups=[each.plan for each in choice.lowered.programs],
            seconds=choice.latency_s,
            budget_bytes=choice.budget.bytes,
            baseline_bytes=choice.footprint.baseline,
            instruction_set=tested_on.get("instruction_set", tested_on["kernels"]),
            lanes=lanes,
        )
        return LocalPage(self._start(subject, _complain), run)

    def line(self) -> str:
        """What is said about it."""
        whose = f", token in {self.token_file}" if self.token_file is not None else ""
        size = PAGE_BYTES >> 20
        return f"page       {self.address}{whose}; {size} MiB of the budget are set aside for it"


def _complain(text: str, /, event: str = "", **about: str | int | float) -> None:
    complain(f"ftdist: {text}")


def page_of(arguments: argparse.Namespace) -> Page:
    """The page that is asked for; InputError for what cannot be served."""
    place = place_of(arguments.page)
    refuse_without_library()
    access = access_to(place, arguments.page_token)
    listener = listen(place)
    port: int = listener.getsockname()[1]
    return Page(place, access, listener, port, arguments.page_token)


def with_page(
    arguments: argparse.Namespace, limit: Budget, work: Callable[[Page, Budget], _Made]
) -> _Made:
    """Does some work with the page that is asked for, and what it leaves of the budget.

    Where that is too little, the smallest budget that is named counts the page.
    """
    with page_of(arguments) as page:
        try:
            return work(page, page.left_of(limit))
        except BudgetError as error:
            more = f"{error}; and {ceil_size(PAGE_BYTES)} more for --page"
            raise BudgetError(more, error.smallest_bytes + PAGE_BYTES) from None


def _subject(kind: str, model: Model, profile: DeviceProfile, budget_bytes: int) -> Subject:
    """What the page shows that does not change."""
    task = task_of(model.network, model.about)
    count = class_count(task)
    names = model.labels if model.labels or not count else class_names(count)
    return Subject(kind, model.network, profile, task, tuple(names), budget_bytes, os.getpid())
