"""A client that sends frames when they are wanted, and checks the results."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ftdist.geometry import Region
from ftdist.network.graph import INPUT, Network
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.protocol.client_messages import (
    Accepted,
    Cancelled,
    FrameInput,
    JobFailed,
    JobProgress,
    JobResult,
    Received,
    Status,
    Submit,
    WantFrame,
)
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import Message
from ftdist.protocol.records import Piece
from ftdist.protocol.shared_messages import Refusal
from support.protocol.mapvalues import SEEDS, marked, seed_of, values


class FakeClient:
    """A job of some frames, or of their bands, if the coordinator says so.

    `results`: how often each frame's came since the last ``submit``.

    `silent`: it does not send frames. `keeps_quiet`: it does not say that it has results.
    """

    def __init__(
        self, job: str, frames: int, network: Network, *, seed: int = 0, picture: bool = True
    ) -> None:
        self.job = job
        self.frames = frames
        self.network = network
        self.seed = seed
        self.picture = picture
        self.silent = self.keeps_quiet = False
        self.pieces = 1
        self.done: dict[int, None] = {}
        self.sent: list[int] = []
        self.progress: list[JobProgress] = []
        self.status: Status | None = None
        self.accepted: Accepted | None = None
        self.refused: Refusal | None = None
        self.failed: JobFailed | None = None
        self.results: dict[int, int] = {}
        self.bands: NumberedBands | None = None
        self._parts: dict[int, list[Piece]] = {}

    @property
    def finished(self) -> bool:
        return len(self.done) == self.frames * (1 if self.bands is None else self.bands.count)

    def submit(self) -> Message:
        """Asks for what it does not have yet."""
        self.results.clear()
        self._parts.clear()
        self.accepted = self.refused = self.failed = None
        done = tuple((n, n + 1) for n in sorted(self.done))
        rows = self.bands.rows if self.bands is not None and done else 0
        return Submit(PROTOCOL, self.job, self.frames, self.picture, done, rows)

    def other_frames(self) -> Message:
        """Drops the job, to submit another one under the same name."""
        self.done.clear()
        self.seed += 1
        return Cancelled(self.job)

    def receive(self, message: Message, now_s: float = 0.0) -> list[Message]:
        """Takes a message; returns the answers."""
        match message:
            case Accepted():
                self.accepted = message
                if message.band_rows:
                    self.bands = NumberedBands(self.network, message.band_rows)
            case WantFrame(frames=frames):
                return [] if self.silent else [each for n in frames for each in self.input(n)]
            case JobResult():
                return self._result(message)
            case JobProgress():
                self.progress.append(message)
            case JobFailed():
                self.failed = message
            case Status():
                self.status = message
            case _:
                assert isinstance(message, Refusal), f"a client was sent {message}"
                self.refused = message
        return []

    def input(self, frame: int) -> list[Message]:
        """The messages of one frame."""
        self.sent.append(frame)
        height, width, channels = self.network.input
        whole = Region(0, height, 0, width)
        rows = whole if self.bands is None else self.bands.input(frame)
        dtype = np.uint8 if self.picture else np.float32
        edges = [rows.top + rows.rows.size * n // self.pieces for n in range(self.pieces + 1)]
        messages: list[Message] = []
        for top, bottom in pairwise(edges):
            region = Region(top, bottom, 0, width)
            data = values(self._seed(frame), INPUT, region, channels, dtype)
            more = bottom < rows.bottom
            messages.append(FrameInput(self.job, frame, more, (Piece(INPUT, region, data),)))
        return messages

    def _made(self, frame: int, source: int) -> Region:
        """What a frame makes of an output."""
        if self.bands is not None:
            return self.bands.outputs(frame)[source]
        shape = self.network.shape(source)
        return Region(0, shape.height, 0, shape.width)

    def _seed(self, frame: int) -> int:
        return (self.seed * 61 + frame * 13) % SEEDS

    def _result(self, message: JobResult) -> list[Message]:
        parts = self._parts.setdefault(message.frame, [])
        parts += message.pieces
        if message.more:
            return []
        for source in self.network.output_sources:
            region = self._made(message.frame, source)
            count = marked(region, [piece.region for piece in parts if piece.source == source])
            assert (count == 1).all(), f"output {source}: not each position once"
        made = {s for s in self.network.output_sources if self._made(message.frame, s).size}
        assert {piece.source for piece in parts} == made
        assert {seed_of(piece) for piece in parts} == {self._seed(message.frame)}
        del self._parts[message.frame]
        self.results[message.frame] = self.results.get(message.frame, 0) + 1
        assert self.results[message.frame] == 1, "the same result twice"
        self.done[message.frame] = None
        return [] if self.keeps_quiet else [Received(self.job, message.frame)]
