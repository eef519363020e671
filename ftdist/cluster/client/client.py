"""A cluster as its users see it from Python: inputs in, results out, a look at how it does.

::

    with ftdist.Client("tcp://10.0.0.1:5555", keys="keys/laptop") as client:
        for result in client.submit(["a.jpg", "b.jpg"]):
            print(result.frame, result.outputs, result.seconds)
        print(client.status().workers)

Frames are loaded one after another when the coordinator has room for them, so that a job of
thousands takes no more memory than a small one. A result counts as received when the next one is
asked for: whoever is killed in between gets it again when the job is submitted under its name with
what is `done`. A job that is not at its end when its client is closed is cancelled.
"""

from __future__ import annotations

import os
import random
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ftdist.closing import Closing
from ftdist.cluster.client.connection import CoordinatorConnection
from ftdist.cluster.client.exchange import Patience
from ftdist.cluster.client.inputs import GivenInputs, Image, Inputs, RowInputs
from ftdist.cluster.client.submission import Submission, Work, whole_only
from ftdist.cluster.endpoints import connecting, refuse_open
from ftdist.cluster.keys import peer_keys
from ftdist.cluster.transport import CurveKeys
from ftdist.errors import FtdistError
from ftdist.geometry import Region
from ftdist.network.modelheader import Header
from ftdist.protocol.client_messages import Cancelled, JobProgress, Status, StatusRequest
from ftdist.protocol.limits import PROTOCOL
from ftdist.protocol.messages import Message
from ftdist.protocol.shared_messages import Bye

_PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class FrameOutputs:
    """What came of input `frame`: by layer name, float32 (channels, height, width).

    `seconds` from its first task to its last result. Where the coordinator computes pictures in
    bands, of `band_rows` rows, each is a frame of its own: band `frame % bands` of input
    `frame // bands`, and the outputs are `region` of the whole ones.
    """

    frame: int
    outputs: dict[str, NDArray[np.float32]]
    seconds: float
    bands: int = 1
    band_rows: int = 0
    region: Region | None = None

    @property
    def input(self) -> int:
        """Which input it came of."""
        return self.frame // self.bands


class Client(Closing):
    """A client of the coordinator at `address` (tcp://HOST:PORT); a context manager.

    `keys`: the client's folder of keys, as `ftdist keygen` makes it. Without one only a coordinator
    on this machine is used, or any if `insecure`; then `warning` says what that means. `say` is
    told, in a line each, what goes wrong meanwhile. InputError for an address or a folder that
    cannot be used.
    """

    def __init__(
        self,
        address: str,
        keys: str | os.PathLike[str] | CurveKeys | None = None,
        *,
        insecure: bool = False,
        patience: Patience = _PATIENCE,
        say: Callable[[str], None] = lambda _: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        endpoint = connecting(address)
        self.warning = refuse_open(endpoint, keys=keys is not None, insecure=insecure) or ""
        if keys is not None and not isinstance(keys, CurveKeys):
            keys = peer_keys(Path(keys))
        self._patience = patience
        self._connection = CoordinatorConnection(
            str(endpoint), keys, patience=patience, say=say, chance=chance
        )
        self._job: Job | None = None

    def close(self) -> None:
        """Cancels a job that is under way, and ends the connection."""
        if self._job is not None:
            self._job.cancel()
        self._connection.close()

    def status(self) -> Status:
        """What the coordinator says of its model, workers and jobs.

        FtdistError when it does not answer in time.
        """
        question = _StatusQuestion()
        limit_s = time.monotonic() + self._patience.first_s
        for _ in self._connection.run(question, lambda: limit_s):
            pass
        workers = [worker for part in question.parts for worker in part.workers]
        return replace(question.parts[-1], workers=tuple(workers))

    def submit(
        self,
        inputs: Sequence[Image] | Inputs,
        *,
        name: str | None = None,
        done: Iterable[int] = (),
        band_rows: int = 0,
        progress: Callable[[JobProgress], None] = lambda _: None,
    ) -> Job:
        """Inputs to be computed, all pictures or none: iterating over the job sends them.

        An input is what ``Session.run`` takes: an array, or the path of a picture or a .npy file.
        Under a known `name` the coordinator goes on with that job; frames that are `done` are not
        computed again (of a job in bands, bands of so many `band_rows`, as ``Job`` had them).
        `progress` is told how far the job is. A client has one job at a time: a new one cancels the
        one before.
        """
        given = inputs if isinstance(inputs, Inputs) else GivenInputs(inputs)
        if self._job is not None:
            self._job.cancel()
        self._job = Job(
            *(self._connection, self._patience, given),
            name or job_name(),
            done,
            progress,
            band_rows,
        )
        return self._job


class Job:
    """A submitted job: an iterator over its results, in the order in which they come.

    `header`: the coordinator's model, once that is known; `band_rows`: the rows of the bands that
    its frames are, 0 where they are whole. FtdistError when the job fails or the
    coordinator is gone for too long; InputError when an input cannot be read.
    """

    def __init__(
        self,
        connection: CoordinatorConnection,
        patience: Patience,
        inputs: Inputs,
        name: str,
        done: Iterable[int],
        progress: Callable[[JobProgress], None],
        band_rows: int = 0,
    ) -> None:
        self.name = name
        self.frames = len(inputs)
        self._connection = connection
        self._patience = patience
        self._ready: deque[FrameOutputs] = deque()
        work = Work(
            *(name, self.frames, inputs.are_pictures, inputs.load, self._deliver, progress),
            load_rows=inputs.load_rows if isinstance(inputs, RowInputs) else whole_only,
        )
        self._submission = Submission(work, done, band_rows)
        self._results = self._run()

    @property
    def header(self) -> Header | None:
        return self._submission.header

    @property
    def band_rows(self) -> int:
        return self._submission.band_rows

    def __iter__(self) -> Iterator[FrameOutputs]:
        return self._results

    def cancel(self) -> None:
        """Has the coordinator drop what is left of the job; no more results come."""
        self._results.close()

    def _deliver(self, frame: int, outputs: dict[str, NDArray[np.float32]], seconds: float) -> None:
        bands = self._submission.bands
        if bands is None:
            self._ready.append(FrameOutputs(frame, outputs, seconds))
        else:
            region = bands.region(frame)
            self._ready.append(
                FrameOutputs(frame, outputs, seconds, bands.count, bands.rows, region)
            )

    def _run(self) -> Generator[FrameOutputs, None, None]:
        began_s = time.monotonic()

        def limit_s() -> float:
            if self.header is None:
                return began_s + self._patience.first_s
            return self._connection.heard_s + self._patience.later_s

        try:
            for _ in self._connection.run(self._submission, limit_s):
                while self._ready:
                    yield self._ready.popleft()
            self._connection.settle()  # else the last results' receipts might be lost
            self._connection.last_word(Bye("the job is done"))
        except FtdistError:  # the other side has ended it, or is not to be waited for
            self._connection.last_word(Cancelled(self.name))
            raise
        except BaseException:  # of who leaves the loop
            self._connection.leave(Cancelled(self.name))
            raise


def job_name() -> str:
    """A name that no other job has."""
    return f"{os.uname().nodename[:40]}-{os.getpid()}-{os.urandom(4).hex()}"


class _StatusQuestion:
    """One question and its answer, which may come in parts."""

    def __init__(self) -> None:
        self.parts: list[Status] = []
        self._asked = False

    def begin(self) -> None:
        self.parts.clear()
        self._asked = False

    def next_message(self) -> Message | None:
        asked, self._asked = self._asked, True
        return None if asked else StatusRequest(PROTOCOL)

    def take(self, message: Message) -> None:
        if isinstance(message, Status):
            self.parts.append(message)

    @property
    def complete(self) -> bool:
        return bool(self.parts) and not self.parts[-1].more

    finished = complete
