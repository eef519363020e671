"""What a client's connection carries, and how long it waits for the coordinator.

An exchange knows no sockets and no clock: the connection asks it what to say, hands it what came,
and lets it begin again when a new connection had to be made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ftdist.protocol.messages import Message


class Exchange(Protocol):
    """What is said over a connection, without sockets and clock."""

    def begin(self) -> None:
        """A new connection: whatever was under way is asked for again."""

    def next_message(self) -> Message | None:
        """What to send next, None while there is nothing to say."""

    def take(self, message: Message) -> None:
        """Takes in what the coordinator sent; FtdistError when that ends the exchange."""

    @property
    def complete(self) -> bool:
        """Whether everything came that was wanted."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to wait for or to say."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client waits: for the first contact, for lost ones, and for a sign of life.

    After `ask_s` of silence it asks for one, after `silence_s` it connects anew. A last word has
    `leave_s` to be read: on a slow link it comes after what was sent before it.
    """

    first_s: float = 15.0
    later_s: float = 3600.0
    ask_s: float = 1.0
    silence_s: float = 10.0
    leave_s: float = 5.0
