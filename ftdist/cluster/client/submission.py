"""A job as its client sees it: what came so far, and what to send next. No sockets, no clock.

Submit is answered by Accepted, which names a model; the client asks for the model's header, for
only then it knows what the results must look like. Frames are sent when they are asked for, one
after another, each loaded when its turn comes. When the connection is lost, everything but finished
frames begins anew: the next Submit says which they are. So it does when the coordinator turns out
not to know the job.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.cluster.client.frames import Assembly, Dishonest, Outputs, refuse_unlike, result_bytes
from ftdist.errors import FtdistError, InputError
from ftdist.geometry import Region
from ftdist.network.graph import INPUT
from ftdist.network.modelheader import Header, read_header
from ftdist.planning.bands.height import band_bytes, unbandable
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.protocol.client_messages import (
    Accepted,
    FrameInput,
    JobFailed,
    JobProgress,
    JobResult,
    JobStatus,
    Received,
    Status,
    Submit,
    WantFrame,
)
from ftdist.protocol.interval_set import IntervalSet
from ftdist.protocol.limits import CHUNK_BYTES, PROTOCOL, SIDE
from ftdist.protocol.messages import Message
from ftdist.protocol.pieces import parcels
from ftdist.protocol.records import Piece
from ftdist.protocol.shared_messages import HEADER, ModelChunk, ModelRequest

MOST_RESULT_BYTES = 1 << 30
"""The most that one frame's outputs may take, whatever the coordinator says."""

MOST_BAND_BYTES = 1 << 30
"""The most that a band may take, its rows in and its rows out."""

_PARCEL_BYTES = 4 << 20
_INTERVALS = 1024

Load = Callable[[Header, int], NDArray[Any]]
"""A frame's input, for the network that a model's header describes."""

LoadRows = Callable[[Header, NumberedBands, int], NDArray[Any]]
"""The rows of a picture that come with a band: (rows, columns, channels)."""

Deliver = Callable[[int, Outputs, float], None]
"""Takes a frame's outputs, and the seconds that it took."""


def whole_only(header: Header, bands: NumberedBands, frame: int) -> NDArray[Any]:
    """Refuses bands, for inputs that have no rows."""
    raise InputError("the coordinator computes pictures in bands, and these inputs are whole only")


@dataclass(frozen=True)
class Work:
    """What a client wants done: so many frames, all of them pictures or none.

    `load` gives a frame's input: uint8 (height, width, channels) for a picture, else float32
    (channels, height, width). `deliver` takes its outputs, and has kept them when it returns.
    Where the coordinator computes pictures in bands, frames are numbered as ``NumberedBands`` says,
    and `load_rows` gives what comes with each. `frames` counts inputs nevertheless.
    """

    job: str
    frames: int
    picture: bool
    load: Load
    deliver: Deliver
    progress: Callable[[JobProgress], None] = lambda _: None
    load_rows: LoadRows = whole_only


class Submission:
    """One job under way; `done` frames have been delivered.

    `band_rows`: of the bands that `done` counts; 0 where it counts whole frames.
    """

    def __init__(self, work: Work, done: Iterable[int] = (), band_rows: int = 0) -> None:
        self.work = work
        self.band_rows = band_rows
        self.done = IntervalSet((frame, frame + 1) for frame in done)
        self.header: Header | None = None
        self.accepted: Accepted | None = None
        self._header_bytes = bytearray()
        self._wanted: deque[int] = deque()
        self._upload: Iterator[FrameInput] = iter(())
        self._assembly: Assembly | None = None
        self._missed = False
        self._outgoing: deque[Message] = deque()

    @cached_property
    def bands(self) -> NumberedBands | None:
        """The bands that frames are, once the network is known; None where they are whole."""
        if not self.band_rows:
            return None
        assert self.header is not None
        return NumberedBands(self.header.network, self.band_rows)

    @property
    def frames(self) -> int:
        """How many frames there are: inputs, or their bands; at most, until that is known."""
        if not self.band_rows:
            return self.work.frames
        bands = self.bands if self.header is not None else None
        return self.work.frames * (SIDE if bands is None else bands.count)

    @property
    def complete(self) -> bool:
        """Whether all frames have been delivered."""
        known = self.header is not None or not self.band_rows
        return known and self.done.count == self.frames

    @property
    def finished(self) -> bool:
        """Whether nothing is left to wait for or to say."""
        return self.complete and not self._outgoing

    def begin(self) -> None:
        """A new connection: whatever was under way is asked for again."""
        self.accepted, self._assembly, self._missed = None, None, False
        self._header_bytes.clear()
        self._wanted.clear()
        self._upload = iter(())
        work, done = self.work, tuple(islice(self.done, _INTERVALS))
        rows = self.band_rows if done else 0
        submit = Submit(PROTOCOL, work.job, work.frames, work.picture, done, rows)
        self._outgoing = deque([submit])

    def next_message(self) -> Message | None:
        """What to send next, None while there is nothing to say."""
        if self._outgoing:
            return self._outgoing.popleft()
        if self.header is None:
            return None
        message = next(self._upload, None)
        while message is None and self._wanted:
            self._upload = self._frame_input(self.header, self._wanted.popleft())
            message = next(self._upload, None)
        return message

    def take(self, message: Message) -> None:
        """Takes in what the coordinator sent; FtdistError when that ends the job."""
        match message:
            case Accepted() if message.job == self.work.job:
                self._take_accepted(message)
            case ModelChunk():
                self._take_header(message)
            case WantFrame() if message.job == self.work.job:
                self._take_wanted(message)
            case JobResult() if message.job == self.work.job:
                self._take_result(message)
            case JobProgress() if message.job == self.work.job:
                self.work.progress(message)
            case Status() if not (message.more or self._is_among(message.jobs)):
                self.begin()
            case JobFailed() if message.job == self.work.job:
                reasons = "; ".join(message.reasons) or "no reason given"
                raise FtdistError(f"job {message.job} failed: {reasons}")
            case _:  # about another job, or only a sign of life
                pass

    def _is_among(self, jobs: tuple[JobStatus, ...]) -> bool:
        return self.work.job in [each.job for each in jobs]

    def _take_accepted(self, accepted: Accepted) -> None:
        self._take_bands(accepted)
        size = result_bytes(accepted.outputs)
        if size > MOST_RESULT_BYTES and not accepted.band_rows:
            raise Dishonest(f"a job whose results take {size} bytes a frame")
        self.accepted = accepted
        if self.header is None:
            self._ask_for_header(accepted)
        elif self.header.digest != accepted.model:
            raise InputError(f"job {accepted.job} began with another model than there is now")
        else:
            refuse_unlike(accepted, self.header.network)

    def _take_bands(self, accepted: Accepted) -> None:
        """Frames may be bands: which ones is known from the first word on."""
        if accepted.band_rows != self.band_rows:
            if self.done.count:
                raise InputError(f"job {accepted.job} began with other bands than there are now")
            self.band_rows = accepted.band_rows
            self.__dict__.pop("bands", None)

    def _refuse_bands(self, bands: NumberedBands) -> None:
        """Of a coordinator that is not trusted either, bands are no larger than frames may be."""
        network = bands.network
        if unbandable(network) or band_bytes(network, bands.rows, picture=False) > MOST_BAND_BYTES:
            raise Dishonest(f"a job in bands of {bands.rows} rows of {network.name}")

    def _ask_for_header(self, accepted: Accepted) -> None:
        at = len(self._header_bytes)
        size = min(CHUNK_BYTES, max(1, accepted.model_header_bytes - at))
        self._outgoing.append(ModelRequest(accepted.model, HEADER, at, size))

    def _take_header(self, chunk: ModelChunk) -> None:
        accepted = self.accepted
        if accepted is None or self.header is not None:
            return
        if (chunk.digest, chunk.layer, chunk.offset) != (
            accepted.model,
            HEADER,
            len(self._header_bytes),
        ):
            return
        left = accepted.model_header_bytes - len(self._header_bytes)
        if not 0 < len(chunk.data) <= left:
            raise Dishonest("a piece of its model's header that does not fit")
        self._header_bytes += chunk.data.tobytes()
        if len(self._header_bytes) < accepted.model_header_bytes:
            self._ask_for_header(accepted)
            return
        where = Path("the coordinator's model")
        header = read_header(BytesIO(self._header_bytes), where, alone=True)
        if header.digest != accepted.model:
            raise Dishonest("a model's header that is of another model")
        refuse_unlike(accepted, header.network)
        self.header = header
        if self.bands is not None:
            self._refuse_bands(self.bands)
        if self._missed:
            self.begin()

    def _take_wanted(self, wanted: WantFrame) -> None:
        for frame in wanted.frames:
            if frame >= self.frames:
                raise Dishonest(f"it asks for frame {frame} of {self.frames}")
            if frame not in self._wanted and frame not in self.done:
                self._wanted.append(frame)

    def _frame_input(self, header: Header, frame: int) -> Iterator[FrameInput]:
        """One frame's input as messages; a float32 one is made interleaved here."""
        if frame >= self.frames:
            raise Dishonest(f"it asks for frame {frame} of {self.frames}")
        if self.bands is None:
            array = self._whole_input(header, frame)
            region = Region(0, array.shape[0], 0, array.shape[1])
        else:
            array = self.work.load_rows(header, self.bands, frame)
            region = self.bands.input(frame)
        size = region.rows.size, region.columns.size, header.network.input.channels
        assert array.shape == size, array.shape
        whole = Piece(INPUT, region, array)
        parts = list(parcels([whole], _PARCEL_BYTES, 1))
        del array, whole
        for number, pieces in enumerate(parts):
            yield FrameInput(self.work.job, frame, number + 1 < len(parts), tuple(pieces))

    def _whole_input(self, header: Header, frame: int) -> NDArray[Any]:
        array = self.work.load(header, frame)
        if array.dtype == np.float32:
            wanted = header.network.inputs[0]
            array = array.reshape(wanted.layout.memory(wanted.shape))
            if wanted.layout.planar:
                array = np.ascontiguousarray(array.transpose(1, 2, 0))
        assert array.shape == header.network.input, array.shape
        return array

    def _take_result(self, result: JobResult) -> None:
        if self.accepted is None or result.frame >= self.frames:
            raise Dishonest(f"a result of frame {result.frame}, which it cannot have")
        if self.header is None:  # of a client before this one; it will be sent again
            self._missed = True
            return
        if result.frame in self.done:  # it was on its way twice
            if not result.more:
                self._outgoing.append(Received(self.work.job, result.frame))
            return
        if self._assembly is None or self._assembly.frame != result.frame:
            regions = None if self.bands is None else self.bands.outputs(result.frame)
            self._assembly = Assembly(result.frame, self.accepted.outputs, regions)
        self._assembly.add(result.pieces)
        if result.more:
            return
        outputs, self._assembly = self._assembly.finish(self.header.network), None
        self.work.deliver(result.frame, outputs, result.seconds)
        self.done.add(result.frame, result.frame + 1)
        self._outgoing.append(Received(self.work.job, result.frame))
