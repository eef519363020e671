"""What comes of an event while it is handled: actions for the loop around the machine, and notices
that its parts leave for each other; with the time at which it happened."""

from __future__ import annotations

from ftdist.coordinator.events import Action, Log, Peer, Send
from ftdist.coordinator.notices import Notice, Review
from ftdist.coordinator.observing.snapshot import Totals
from ftdist.protocol.messages import Message

_REVIEW = Review()


class Outbox:
    """What is to be done; `now_s` is the time of the event at hand, `totals` count."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.actions: list[Action] = []
        self.totals = Totals()
        self._notices: dict[Notice, None] = {}

    def send(self, peer: Peer, message: Message) -> None:
        self.actions.append(Send(peer, message))

    def log(self, text: str, event: str, **about: str | int | float) -> None:
        """A line for people, and for programs what happened to what."""
        self.actions.append(Log(text, event, tuple(about.items())))

    def take(self) -> list[Action]:
        """The actions so far; the outbox is empty again."""
        actions, self.actions = self.actions, []
        return actions

    # ---- within the machine

    def note(self, notice: Notice) -> None:
        """Leaves a notice; one that waits already is the same one."""
        self._notices[notice] = None

    def review(self) -> None:
        """Something changed that may change whose turn it is."""
        self._notices[_REVIEW] = None

    @property
    def has_notices(self) -> bool:
        return bool(self._notices)

    def next_notice(self) -> Notice | None:
        """Takes out the oldest notice; a Review, which looks at everything, comes last."""
        found = next((each for each in self._notices if each is not _REVIEW), None)
        if found is None and self._notices:
            found = _REVIEW
        if found is not None:
            del self._notices[found]
        return found
