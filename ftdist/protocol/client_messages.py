"""Messages between a client and the coordinator.

    from the client         Submit, FrameInput, Received, Cancelled, StatusRequest
    to the client           Accepted, WantFrame, JobProgress, JobResult, JobFailed, Status

Those that workers use too are in ``shared_messages``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ftdist.protocol.limits import (
    STATUS_WORKERS,
    AtMost,
    Between,
    Bytes,
    Count,
    Digest,
    Length,
    Line,
    Name,
    Prose,
    Seconds,
    Side,
    Source,
    Total,
    Whose,
    Word,
)
from ftdist.protocol.records import Pieces


@dataclass(frozen=True, slots=True)
class Submit:
    """A job of `frames` frames; under a known job's name it goes on with that job.

    `done`: frames whose results the client has, as half-open runs [start, stop) of frame numbers,
    ascending, not empty, none overlapping. `picture`: frames are uint8 pictures. `band_rows`: what
    Accepted said before; then `done` counts bands. 0 where nothing was said, or frames are whole.
    """

    kind: ClassVar[str] = "submit"
    protocol: Count
    job: Name
    frames: Annotated[int, Between(1, 1 << 20)]
    picture: bool
    done: Annotated[tuple[tuple[Count, Count], ...], AtMost(1024)]
    band_rows: Side = 0

    def flaw(self) -> str:
        """The runs of frames that are done are as described."""
        end = 0
        for start, stop in self.done:
            if not end <= start < stop or (stop > self.frames and not self.band_rows):
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


@dataclass(frozen=True, slots=True)
class OutputMap:
    """One output of the network: its name, the source whose map it is, and the map's shape."""

    name: Annotated[str, AtMost(256, least=1)]
    source: Source
    height: Side
    width: Length
    channels: Length


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job runs; `outputs` are what its results consist of, (height, width, channels) `input`
    what a frame must be. `model_header_bytes`: what a client asks for to know the network.

    `band_rows`: a picture is computed in bands of so many rows of the output, and each is a frame
    of its own: band k of picture p is number p * count + k. 0: frames are whole."""

    kind: ClassVar[str] = "accepted"
    job: Name
    model: Digest
    model_header_bytes: Annotated[int, Between(0, 2 << 20)]
    input: tuple[Side, Length, Length]
    outputs: Annotated[tuple[OutputMap, ...], AtMost(64)]
    band_rows: Side = 0


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
