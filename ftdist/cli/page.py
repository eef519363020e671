"""--page: what is refused at the start, the page's process, and what is said about it.

What serves the page is imported by the page's process alone; here only its presence is checked.
"""

from __future__ import annotations

import argparse
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from ftdist.answers.kinds import class_count, task_of
from ftdist.answers.names import class_names
from ftdist.cli.log import Log
from ftdist.cluster.endpoints import Endpoint
from ftdist.network.modelfile import Model
from ftdist.page.access import Access, access_to, listen, place_of, refuse_without_library
from ftdist.page.beside import PAGE_BYTES, Beside
from ftdist.page.subject import Subject
from ftdist.planning.profile import DeviceProfile


@dataclass(frozen=True)
class Page:
    """Where a page will be and who may see it; its socket listens already."""

    place: Endpoint
    access: Access
    listener: socket.socket
    port: int
    token_file: Path | None

    @property
    def address(self) -> str:
        """As a browser on this machine reaches it; where the token is new, with it."""
        host = "127.0.0.1" if self.place.is_everywhere else self.place.host
        login = f"login?token={self.access.token}" if self.access.fresh else ""
        return f"http://{host}:{self.port}/{login}"

    def start(self, subject: Subject, log: Log) -> Beside:
        """Starts its process; what is logged is shown there, too."""
        loopback = self.place.is_loopback
        made = Beside(subject, self.access, self.listener, log, loopback=loopback)
        log.also = made.note
        return made

    def line(self) -> str:
        """What is said about it."""
        whose = f", token in {self.token_file}" if self.token_file is not None else ""
        size = PAGE_BYTES >> 20
        return f"page       {self.address}{whose}; {size} MiB of the budget are set aside for it"


def page_of(arguments: argparse.Namespace) -> Page | None:
    """The page that is asked for, if one is; InputError for what cannot be served."""
    if arguments.page is None:
        return None
    place = place_of(arguments.page)
    refuse_without_library()
    access = access_to(place, arguments.page_token)
    listener = listen(place)
    port: int = listener.getsockname()[1]
    return Page(place, access, listener, port, arguments.page_token)


def page_bytes(arguments: argparse.Namespace) -> int:
    """What of the budget goes to the page."""
    return 0 if arguments.page is None else PAGE_BYTES


def subject_of(kind: str, model: Model, profile: DeviceProfile, budget_bytes: int) -> Subject:
    """What the page shows that does not change."""
    task = task_of(model.network, model.about)
    count = class_count(task)
    names = model.labels if model.labels or not count else class_names(count)
    return Subject(kind, model.network, profile, task, tuple(names), budget_bytes, os.getpid())
