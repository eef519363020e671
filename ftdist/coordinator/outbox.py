"""The actions that answer an event, collected while it is handled, and the time it happened."""

from __future__ import annotations

from ftdist.coordinator.events import Action, Log, Peer, Send
from ftdist.protocol.messages import Message


class Outbox:
    """What is to be done; `now_s` is the time of the event at hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.actions: list[Action] = []

    def send(self, peer: Peer, message: Message) -> None:
        self.actions.append(Send(peer, message))

    def log(self, text: str) -> None:
        self.actions.append(Log(text))

    def take(self) -> list[Action]:
        """The actions so far; the outbox is empty again."""
        actions, self.actions = self.actions, []
        return actions
