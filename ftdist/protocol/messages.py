"""Every message of the protocol, with its limits: what may travel between coordinator and others.

A message is a frozen dataclass. On the wire (``wire``) it is a msgpack header and one raw frame for
each tensor. Every field carries its limits in its annotation; what no single field can say, a
class says in ``flaw``. A message that breaks one is refused before anything is allocated. Within
the limits every message fits into a header.

A new field or a changed meaning needs a new ``PROTOCOL``. ``protocol`` stays the first field of the
messages that have it, so that the other side can read it and say what is wrong.

Maps travel as they lie in memory, (rows, columns, channels), float32, or uint8 where a picture is
the network's input. A map is named by its *source*: the layer that makes it, or INPUT (-1).

    either way              Opening, Portion, Taken: how large messages travel (``portions``)
    worker -> coordinator   Hello, ProbeReply, ModelRequest, Ready, Result, Failed, Heartbeat, Bye
    coordinator -> worker   Welcome, Refusal, Probe, Prepare, ModelChunk, Assign, Cancel, Fetch,
                            Forget, Beat, Drain
    client -> coordinator   Submit, FrameInput, Received, Cancelled, StatusRequest,
                            ModelRequest, Bye
    coordinator -> client   Accepted, Refusal, WantFrame, JobProgress, JobResult, JobFailed, Status,
                            ModelChunk, Beat
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from numpy.typing import NDArray

from ftdist.geometry import Region

PROTOCOL = 2


def versions_differ(theirs: int) -> str:
    """What both sides say when a worker or a client speaks another protocol."""
    return (
        f"versions differ: the coordinator speaks protocol {PROTOCOL}, its peer {theirs}; "
        "install the same version of ftdist on both machines"
    )


FRAME_BYTES = 16 << 20
"""The most bytes of one array; what is larger travels as several pieces or parts."""

PORTION_BYTES = 256 << 10
"""The most bytes that travel in one go; larger messages travel in portions, others between them."""

STATUS_WORKERS = 96
"""The most workers in one Status."""

HEADER_BYTES = 64 << 10
"""The most bytes of a message's msgpack header; reading any takes about fifty times as much."""

TENSORS = 256
"""The most tensors in one message."""

CHUNK_BYTES = 1 << 20
"""The most bytes of a model file in one chunk."""


@dataclass(frozen=True, slots=True)
class Between:
    """Limits of a number, both included."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class AtMost:
    """The most bytes (as UTF-8) of a text, or items of a tuple, and the least.

    Such a text names something: control characters and invisible ones are refused in it.
    """

    count: int
    least: int = 0


@dataclass(frozen=True, slots=True)
class Prose:
    """A line for people, of at most so many bytes (as UTF-8), without control characters.

    What is longer is cut when it is sent, and what does not print becomes a space, so that any text
    may be given. What comes in and breaks these limits is refused like anything else.
    """

    count: int


@dataclass(frozen=True, slots=True)
class Hex:
    """A text of exactly so many lower-case hexadecimal digits: it may name a file."""

    digits: int


@dataclass(frozen=True, slots=True)
class Values:
    """An array that travels as a frame of its own: its allowed dtypes, and how many dimensions.

    With three dimensions each side is 1 to ``SIDE``.
    """

    dtypes: tuple[Literal["float32", "uint8"], ...]
    dimensions: Literal[1, 3]


SIDE = 1 << 16
"""The largest coordinate, and the most layers of a network."""

Count = Annotated[int, Between(0, 1 << 24)]
Total = Annotated[int, Between(0, 1 << 50)]
Bytes = Annotated[int, Between(0, 1 << 50)]
Seconds = Annotated[float, Between(0.0, 1e9)]
Clock = Annotated[float, Between(-1e12, 1e12)]
Rate = Annotated[float, Between(1.0, 1e16)]
Source = Annotated[int, Between(-1, SIDE)]
Layer = Annotated[int, Between(0, SIDE)]
Side = Annotated[int, Between(0, SIDE)]
Name = Annotated[str, AtMost(64, least=1)]
Word = Annotated[str, AtMost(16, least=1)]
Line = Annotated[str, Prose(500)]
Whose = Annotated[str, Prose(64)]
Digest = Annotated[str, Hex(32)]
Layers = Annotated[tuple[Layer, ...], AtMost(4096)]
Tensor = Annotated[NDArray[Any], Values(("float32", "uint8"), 3)]
"""(rows, columns, channels). What is received is read-only."""
Ballast = Annotated[NDArray[Any], Values(("uint8",), 1)]
"""Plain bytes, as (bytes,)."""


@dataclass(frozen=True, slots=True)
class TaskId:
    """One attempt at one tile: accepted once by (job, frame, stage, tile), whatever the attempt."""

    job: Name
    frame: Count
    stage: Count
    tile: Count
    attempt: Count


@dataclass(frozen=True, slots=True)
class Place:
    """A region of the map that layer `source` makes."""

    source: Source
    region: Region


@dataclass(frozen=True, slots=True)
class Piece:
    """A region of a map, not empty, with its values: (rows, columns, channels)."""

    source: Source
    region: Region
    data: Tensor

    def flaw(self) -> str:
        """The values are those of the region; "" when it is so."""
        top, bottom, left, right = self.region
        size = (bottom - top, right - left)
        found = self.data.shape[:2]
        return "" if found == size else f"values of {found} for a region of {size}"


@dataclass(frozen=True, slots=True)
class Group:
    """A fused group of the worker's own plan for a task; `strip` 0 is the whole tile."""

    first: Layer
    stop: Layer
    rows: Annotated[int, Between(1, SIDE)]
    columns: Annotated[int, Between(1, SIDE)]
    strip: Side
    streamed: bool

    def flaw(self) -> str:
        """A group has layers."""
        return "" if self.first < self.stop else f"layers {self.first} to {self.stop} are none"


Places = Annotated[tuple[Place, ...], AtMost(TENSORS)]
Pieces = Annotated[tuple[Piece, ...], AtMost(TENSORS)]
Groups = Annotated[tuple[Group, ...], AtMost(1024, least=1)]


MOST_OOM_KILLS = 1 << 10
"""How many a worker tells of."""

# ---- either way


@dataclass(frozen=True, slots=True)
class Opening:
    """A large message begins: its header, and of how many bytes each of its arrays is."""

    kind: ClassVar[str] = "opening"
    header: Ballast
    sizes: Annotated[tuple[Annotated[int, Between(0, FRAME_BYTES)], ...], AtMost(TENSORS, least=1)]

    def flaw(self) -> str:
        """A header is no longer than any."""
        size = self.header.size
        return "" if size <= HEADER_BYTES else f"a header of {size} bytes"


@dataclass(frozen=True, slots=True)
class Portion:
    """The next bytes of the message that was opened last, array after array; made at a time of the
    sender's own clock."""

    kind: ClassVar[str] = "portion"
    clock_s: Clock
    data: Annotated[tuple[Ballast, ...], AtMost(TENSORS, least=1)]

    def flaw(self) -> str:
        """A portion is not too much."""
        size = sum([each.size for each in self.data])
        return "" if size <= PORTION_BYTES else f"a portion of {size} bytes"


@dataclass(frozen=True, slots=True)
class Taken:
    """So many bytes of portions, and of other large messages, have come since the beginning; said
    at a time of the sender's own clock."""

    kind: ClassVar[str] = "taken"
    total: Total
    clock_s: Clock


# ---- worker -> coordinator


@dataclass(frozen=True, slots=True)
class Hello:
    """A worker introduces itself; Welcome or Refusal answers.

    `baseline_bytes`: what its process holds without a task, libraries included. `credit_bytes`: the
    most bytes of task inputs that it takes at a time, running and prefetched together.
    `macs_per_s`: measured, of one thread. `oom_kills`: how often it was killed for want of memory
    while it computed, for which it offers less.
    """

    kind: ClassVar[str] = "hello"
    protocol: Count
    name: Name
    version: Name
    budget_bytes: Bytes
    baseline_bytes: Bytes
    credit_bytes: Bytes
    threads: Annotated[int, Between(1, 1 << 10)]
    instruction_set: Word
    fused: bool
    macs_per_s: Rate
    oom_kills: Annotated[int, Between(0, MOST_OOM_KILLS)] = 0


@dataclass(frozen=True, slots=True)
class ProbeReply:
    """Answers a Probe at once; `clock_s` is the worker's monotonic clock, for one time line."""

    kind: ClassVar[str] = "probe-reply"
    number: Count
    clock_s: Clock


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Asks for bytes of the model file: of its header (`layer` -1) or of one layer's blob.

    `digest` is the blob's, or for the header the model's.
    """

    kind: ClassVar[str] = "model-request"
    digest: Digest
    layer: Source
    offset: Bytes
    size: Annotated[int, Between(1, CHUNK_BYTES)]


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has the weights of these layers, checked."""

    kind: ClassVar[str] = "ready"
    model: Digest
    layers: Layers


@dataclass(frozen=True, slots=True)
class Result:
    """What a task returns, or what a Fetch asked for, perhaps in parts: the last has `more` False.

    Times are of the worker's clock: the task's last input came, it began, it ended.
    """

    kind: ClassVar[str] = "result"
    task: TaskId
    more: bool
    pieces: Pieces
    received_s: Clock
    started_s: Clock
    ended_s: Clock
    peak_bytes: Bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """A task that could not be done. `memory`: it would exceed the budget, or memory ran out; then
    `needed_bytes` is what the process would need."""

    kind: ClassVar[str] = "failed"
    task: TaskId
    reason: Literal["memory", "weights", "kept", "error"]
    text: Line
    needed_bytes: Bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The worker is alive. `progress` grows while its kernels work; `tasks` wait or run."""

    kind: ClassVar[str] = "heartbeat"
    progress: Annotated[int, Between(0, 1 << 62)]
    tasks: Count
    resident_bytes: Bytes
    peak_bytes: Bytes


@dataclass(frozen=True, slots=True)
class Bye:
    """The worker (or a client) leaves; what it was given is not done."""

    kind: ClassVar[str] = "bye"
    reason: Line


# ---- coordinator -> worker


@dataclass(frozen=True, slots=True)
class Welcome:
    """The worker belongs to the cluster; it beats every `heartbeat_s`."""

    kind: ClassVar[str] = "welcome"
    protocol: Count
    worker: Count
    heartbeat_s: Seconds
    lost_after_s: Seconds


@dataclass(frozen=True, slots=True)
class Refusal:
    """The other side is not taken, or no longer; `final` when trying again is no use."""

    kind: ClassVar[str] = "refusal"
    reason: Line
    final: bool


@dataclass(frozen=True, slots=True)
class Probe:
    """Measures the link: answered at once. `data` is ballast."""

    kind: ClassVar[str] = "probe"
    number: Count
    data: Ballast


@dataclass(frozen=True, slots=True)
class Prepare:
    """Get these layers' weights; `header_bytes`: the model file up to its first blob."""

    kind: ClassVar[str] = "prepare"
    model: Digest
    header_bytes: Annotated[int, Between(0, 2 << 20)]
    layers: Layers


@dataclass(frozen=True, slots=True)
class ModelChunk:
    """Bytes of the model file, answering a ModelRequest; as many as it asked for."""

    kind: ClassVar[str] = "model-chunk"
    digest: Digest
    layer: Source
    offset: Bytes
    data: Ballast

    def flaw(self) -> str:
        """A chunk is no larger than anybody may ask for."""
        return "" if self.data.size <= CHUNK_BYTES else f"a chunk of {self.data.size} bytes"


@dataclass(frozen=True, slots=True)
class Assign:
    """A task: make `region` of the last output of layers [groups[0].first, groups[-1].stop).

    Inputs are `pieces`, and `kept`, which the worker has from earlier tasks of the frame. It sends
    `returns` back, and keeps all its outputs until Forget if `keep`. Groups follow one another.
    """

    kind: ClassVar[str] = "assign"
    task: TaskId
    model: Digest
    groups: Groups
    region: Region
    threads: Annotated[int, Between(1, 1 << 10)]
    pieces: Pieces
    kept: Places
    returns: Places
    keep: bool

    def flaw(self) -> str:
        """Each group begins where the one before ends."""
        for before, after in pairwise(self.groups):
            if before.stop != after.first:
                return f"a group from layer {after.first} follows one up to {before.stop}"
        return ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """A task is no longer wanted; if it has not begun, it is dropped without an answer."""

    kind: ClassVar[str] = "cancel"
    task: TaskId


@dataclass(frozen=True, slots=True)
class Fetch:
    """Send these places, which the worker keeps, as a Result of `task`."""

    kind: ClassVar[str] = "fetch"
    task: TaskId
    places: Places


@dataclass(frozen=True, slots=True)
class Forget:
    """What is kept of a job's frames up to (not including) `before`, and of `frames`, may go."""

    kind: ClassVar[str] = "forget"
    job: Name
    before: Count
    frames: Annotated[tuple[Count, ...], AtMost(1024)]


@dataclass(frozen=True, slots=True)
class Beat:
    """The coordinator is alive."""

    kind: ClassVar[str] = "beat"


@dataclass(frozen=True, slots=True)
class Drain:
    """The coordinator ends: finish nothing more, and come back when there is one again."""

    kind: ClassVar[str] = "drain"
    reason: Line


# ---- client -> coordinator


@dataclass(frozen=True, slots=True)
class Submit:
    """A job of `frames` frames; under a known job's name it goes on with that job.

    `done`: frames whose results the client has, as half-open runs [start, stop) of frame numbers,
    ascending, not empty, none overlapping. `picture`: frames are uint8 pictures.
    """

    kind: ClassVar[str] = "submit"
    protocol: Count
    job: Name
    frames: Annotated[int, Between(1, 1 << 20)]
    picture: bool
    done: Annotated[tuple[tuple[Count, Count], ...], AtMost(1024)]

    def flaw(self) -> str:
        """The runs of frames that are done are as described."""
        end = 0
        for start, stop in self.done:
            if not end <= start < stop <= self.frames:
                return f"frames {start} to {stop} are done, after {end}, of {self.frames}"
            end = stop
        return ""


@dataclass(frozen=True, slots=True)
class FrameInput:
    """One frame's input, in pieces of whole rows; the last has `more` False."""

    kind: ClassVar[str] = "frame-input"
    job: Name
    frame: Count
    more: bool
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Received:
    """The client has a frame's result; the coordinator may forget it."""

    kind: ClassVar[str] = "received"
    job: Name
    frame: Count


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The client wants no more of a job."""

    kind: ClassVar[str] = "cancelled"
    job: Name


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """Asks for a Status."""

    kind: ClassVar[str] = "status-request"
    protocol: Count


# ---- coordinator -> client


@dataclass(frozen=True, slots=True)
class OutputMap:
    """One output of the network: its name, the source whose map it is, and the map's shape."""

    name: Annotated[str, AtMost(256, least=1)]
    source: Source
    height: Side
    width: Side
    channels: Side


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job runs; `outputs` are what its results consist of, (height, width, channels) `input`
    what a frame must be. `model_header_bytes`: what a client asks for to know the network."""

    kind: ClassVar[str] = "accepted"
    job: Name
    model: Digest
    model_header_bytes: Annotated[int, Between(0, 2 << 20)]
    input: tuple[Side, Side, Side]
    outputs: Annotated[tuple[OutputMap, ...], AtMost(64)]


@dataclass(frozen=True, slots=True)
class WantFrame:
    """Send these frames now: the coordinator has room for them."""

    kind: ClassVar[str] = "want-frame"
    job: Name
    frames: Annotated[tuple[Count, ...], AtMost(1024)]


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is; `text` says what it waits for, if it waits.

    Bytes are those of finished frames' task inputs and results, over the wire.
    """

    kind: ClassVar[str] = "job-progress"
    job: Name
    finished: Count
    frames: Count
    workers: Count
    sent_bytes: Bytes
    received_bytes: Bytes
    text: Line


@dataclass(frozen=True, slots=True)
class JobResult:
    """One frame's outputs, perhaps in parts: the last has `more` False."""

    kind: ClassVar[str] = "job-result"
    job: Name
    frame: Count
    more: bool
    pieces: Pieces
    seconds: Seconds


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The job is given up; `reasons` are the last words of the workers that failed."""

    kind: ClassVar[str] = "job-failed"
    job: Name
    reasons: Annotated[tuple[Line, ...], AtMost(16)]


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker as the coordinator sees it; a link within the process counts as 0 bytes a second.

    `name` has room for what tells two of one name apart. `key`: what its key is called, "" without.
    """

    name: Annotated[str, AtMost(72, least=1)]
    state: Annotated[str, Prose(16)]
    instruction_set: Word
    threads: Count
    budget_bytes: Bytes
    peak_bytes: Bytes
    share: Annotated[float, Between(0.0, 1.0)]
    macs_per_s: Annotated[float, Between(0.0, 1e16)]
    link_bytes_per_s: Annotated[float, Between(0.0, 1e16)]
    tasks: Count
    finished: Total
    failed: Total
    key: Whose
    address: Whose


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job as the coordinator sees it; `key` and `address` are those of its client."""

    job: Name
    finished: Count
    frames: Count
    seconds_a_frame: Seconds
    bytes_a_frame: Bytes
    classic_bytes_a_frame: Bytes
    text: Annotated[str, Prose(140)]
    key: Whose
    address: Whose


@dataclass(frozen=True, slots=True)
class Status:
    """Everything at a glance. `late`: results that came too late and were dropped.

    Of many workers it comes in parts: the last has `more` False, and all jobs.
    """

    kind: ClassVar[str] = "status"
    model: Line
    plan: Line
    workers: Annotated[tuple[WorkerStatus, ...], AtMost(STATUS_WORKERS)]
    jobs: Annotated[tuple[JobStatus, ...], AtMost(64)]
    late: Total
    more: bool = False


Message = (
    Opening | Portion | Taken
    | Hello | ProbeReply | ModelRequest | Ready | Result | Failed | Heartbeat | Bye
    | Welcome | Refusal | Probe | Prepare | ModelChunk | Assign | Cancel | Fetch | Forget | Beat
    | Drain | Submit | FrameInput | Received | Cancelled | StatusRequest | Accepted | WantFrame
    | JobProgress | JobResult | JobFailed | Status
)  # fmt: skip
