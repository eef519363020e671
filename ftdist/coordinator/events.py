"""What goes into the coordinator's state machine and what comes out of it.

The machine has no socket and no clock: ``Coordinator.handle(event, now_s)`` returns actions, which
the loop around it carries out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ftdist.coordinator.observing.snapshot import Snapshot
from ftdist.network.implementations import Arithmetic
from ftdist.planning.sharing.plan import KEPT_FRAMES, SharedPlan, WorkerSpec
from ftdist.protocol.messages import Message
from ftdist.protocol.records import Piece, TaskId

Peer = bytes
"""A connection, as the transport names it."""


Role = Literal["worker", "client", "both"]
"""What the owner of a key may be."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose message it is, as people know it: the name of its key, what that is for, its address.

    Without encryption there is no name; within the process there is no address either.
    """

    name: str = ""
    role: Role = "both"
    address: str = ""

    def __str__(self) -> str:
        where = f" from {self.address}" if self.address else ""
        return where + (f" with key {self.name}" if self.name else "")


# ---- events


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message came. `key`: the peer's proven public key, "" without encryption or in process.

    `local`: the peer is the coordinator's own worker, in its own process.
    """

    peer: Peer
    message: Message
    key: str = ""
    local: bool = False
    origin: Origin = Origin()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message came that breaks the protocol; `reason` says how."""

    peer: Peer
    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes of a large message came from a peer or were taken by it; `left_bytes` are on their way
    to it. `begun`: the task whose result has begun to come."""

    peer: Peer
    left_bytes: int
    begun: TaskId | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The connection has ended: a send to the peer failed."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class Revoked:
    """A key is no longer allowed."""

    key: str


@dataclass(frozen=True, slots=True)
class Planned:
    """The answer to AskPlan `number`: a plan, or why there is none. `fault`: not because nothing
    fits, but because planning itself failed; it would again."""

    number: int
    plan: SharedPlan | None
    reason: str = ""
    fault: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; due when ``Coordinator.next_s`` says so."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The coordinator is asked to end: it drains."""


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody looks on: Seen answers. `plan_number`: the plan that they have already. `picture`:
    they also want the next frame that is finished, once."""

    plan_number: int = 0
    picture: bool = False


Event = Arrived | Unreadable | Moved | Gone | Revoked | Planned | Tick | Stop | Look


# ---- actions


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message; a failure comes back as Gone."""

    peer: Peer
    message: Message


@dataclass(frozen=True, slots=True)
class AskPlan:
    """Make a plan for these workers and a job of `frames` frames, off the loop; Planned answers.

    Workers keep maps of up to `kept_frames` frames. `arithmetic`: that of the jobs under way, which
    they keep; None where there is none yet.
    """

    number: int
    workers: tuple[WorkerSpec, ...]
    frames: int
    picture: bool
    kept_frames: int = KEPT_FRAMES
    arithmetic: Arithmetic | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """A line for people; `event` is what happened in a word or two, for programs, and `about` what
    it happened to."""

    text: str
    event: str = ""
    about: tuple[tuple[str, str | int | float], ...] = ()


@dataclass(frozen=True, slots=True)
class Traced:
    """A span of the time line: in the coordinator's clock, on the track of a worker or a client.

    `what`: a task computed, bytes on their way out or back, a wait, weights on their way, or a plan
    made.
    """

    track: str
    what: Literal["task", "send", "receive", "wait", "weights", "plan"]
    name: str
    start_s: float
    end_s: float
    bytes: int = 0
    job: str = ""


@dataclass(frozen=True, slots=True)
class Shares:
    """These peers, and no others, share a link of so many bytes a second: they get their messages
    one after another, in the order of their sending, weights last."""

    peers: tuple[Peer, ...]
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing is left to do: the loop may end."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to see, for whoever looked."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Pictured:
    """A frame that was finished, for whoever looked: its input and the network's outputs."""

    job: str
    frame: int
    seconds: float
    inputs: tuple[Piece, ...]
    outputs: tuple[Piece, ...]


Action = Send | AskPlan | Log | Traced | Shares | Ended | Seen | Pictured
