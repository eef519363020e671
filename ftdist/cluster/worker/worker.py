"""The worker: connects to a coordinator, computes what it is given, comes back when it is lost.

Two threads. One talks (``conversation``): it never waits for anything but news, and answers even
while a task runs. The other computes (``computing``). When the connection is lost, what was given
is dropped, and after a pause the worker introduces itself again.
"""

from __future__ import annotations

import random
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ftdist.cluster.backoff import LONGEST_S, SLOW_S, Backoff
from ftdist.cluster.endpoints import connecting, refuse_open
from ftdist.cluster.keys import peer_keys
from ftdist.cluster.process import StopRequest, stopping_signals
from ftdist.cluster.reachability import connection_problem, name_problem
from ftdist.cluster.transport import Context, CurveKeys, Link, close, connect, make_context
from ftdist.cluster.worker.compute_thread import ComputeThread
from ftdist.cluster.worker.connection import Tell, WorkerConnection
from ftdist.cluster.worker.fetching import FetchedWeights, OwnWeights, Weights
from ftdist.cluster.worker.hello import Capabilities, make_hello, measured_rate, warm_up
from ftdist.cluster.worker.modelcache import ModelCache
from ftdist.cluster.worker.oom_kills import OomKills, RecordingRunner
from ftdist.cluster.worker.session import Ending, Session
from ftdist.cluster.worker.tasks import TaskRunner
from ftdist.errors import FtdistError, InputError
from ftdist.kernels import native
from ftdist.network.modelfile import Model
from ftdist.runtime.budget.heap import REUSING_BYTES, settle_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import format_size, resident_and_peak_bytes
from ftdist.wording import counted

CACHE_BYTES = 2 << 30
"""What the model cache may hold when nobody says otherwise."""

_FAREWELL_MS = 2_000
_END_S = 1.0


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """A worker of this host: `endpoint` is the coordinator's tcp://HOST:PORT.

    `cache`: the folder of models, which may hold `cache_bytes`. `keys`: the worker's folder of
    keys; without one only a coordinator on this machine is used, or any if `insecure`.
    """

    endpoint: str
    budget: Budget
    threads: int
    name: str
    cache: Path
    cache_bytes: int = CACHE_BYTES
    keys: Path | None = None
    insecure: bool = False


def run_worker(settings: WorkerSettings, say: Tell, stop: StopRequest | None = None) -> None:
    """Works for a coordinator until `stop`, or without one until SIGTERM, SIGINT or SIGHUP.

    FtdistError when it cannot begin, or when the coordinator refuses it for good.
    """
    endpoint = connecting(settings.endpoint)
    warning = refuse_open(endpoint, keys=settings.keys is not None, insecure=settings.insecure)
    if warning:
        say(warning)
    keys = None if settings.keys is None else peer_keys(settings.keys)
    cache = ModelCache(settings.cache, settings.cache_bytes)
    cache.refuse_unwritable()
    if threading.active_count() == 1:  # the allocator's settings are the whole process's
        settle_heap(REUSING_BYTES)
    rate = measured_rate(settings.threads)
    warm_up()
    oom_kills = OomKills(settings.cache, settings.name, settings.budget)
    budget = oom_kills.offered(settings.budget)
    capabilities = Capabilities(settings.name, budget, settings.threads, rate, oom_kills.count)
    weights = FetchedWeights(cache)
    context = make_context()
    try:
        with _signals() if stop is None else _given(stop) as stop_:
            worker = Worker(
                context, str(endpoint), capabilities, weights, stop_, say, keys, oom_kills
            )
            say(_opening_line(capabilities, str(endpoint)))  # said by none that cannot begin
            if oom_kills.count:
                say(f"worker {settings.name}: {oom_kills.words(settings.budget)}")
            worker.serve()
    finally:
        context.destroy(0)


class LocalWorker:
    """A worker in this process, with a model that is at hand; it talks over inproc.

    It says only why it ended, if nobody wanted it to: the coordinator tells the rest.
    """

    def __init__(self, capabilities: Capabilities, model: Model, say: Tell) -> None:
        self._capabilities = capabilities
        self._weights = OwnWeights(model)
        self._say = say
        self._stop = StopRequest()
        self._thread: threading.Thread | None = None

    def start(self, context: Context, endpoint: str) -> None:
        """Begins to work."""
        args = (context, endpoint, self._capabilities, self._weights, self._stop, _unsaid)
        worker = Worker(*args)

        def work() -> None:
            try:
                worker.serve()
            except FtdistError as error:
                self._say(f"the coordinator's own worker ends: {error}")

        self._thread = threading.Thread(target=work, name="own worker", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends, whatever it is at."""
        self._stop.request()
        self._stop.request()
        if self._thread is not None:
            self._thread.join(_END_S)


class Worker:
    """Serves one coordinator until it is told to stop; ``serve`` runs in the caller's thread."""

    def __init__(
        self,
        context: Context,
        endpoint: str,
        capabilities: Capabilities,
        weights: Weights,
        stop: StopRequest,
        say: Tell,
        keys: CurveKeys | None = None,
        oom_kills: OomKills | None = None,
    ) -> None:
        self._context = context
        self._endpoint = endpoint
        self._capabilities = capabilities
        self._weights = weights
        self._stop = stop
        self._say = say
        self._said = ""
        self._keys = keys
        self._backoff = Backoff(random.random)
        credit_bytes = make_hello(capabilities).credit_bytes
        runner = TaskRunner(capabilities.budget.bytes, credit_bytes, capabilities.threads)
        self._compute = ComputeThread(
            runner if oom_kills is None else RecordingRunner(runner, oom_kills)
        )

    def serve(self) -> None:
        """Works until it is stopped; FtdistError when the coordinator will never take it."""
        try:
            while not self._stop.requested:
                self._settle()
                ending = self._converse()
                self._compute.reset()
                self._weights.lose_connection()
                if ending.final:
                    words = f"{self._endpoint} refuses this worker: {ending.reason}"
                    raise FtdistError(words) if ending.was_member else InputError(words)
                if not self._stop.requested:
                    ending = self._explained(ending)
                    self._tell(f"{self._endpoint}: {ending.reason}; tries again")
                    self._rest(self._backoff.next_s(SLOW_S if ending.lasting else LONGEST_S))
                    if self._stop.requested:
                        self._tell(f"stopping: {self._stop.why or 'asked to'}")
        finally:
            self._weights.close()
            self._compute.close(_END_S)

    def _settle(self) -> None:
        """Waits until the last task of an earlier session has ended and its memory is free."""
        while not self._compute.idle and not self._stop.requested:
            select.select([self._compute.woken.fileno(), self._stop.fileno()], [], [])
            self._compute.collect()

    def _converse(self) -> Ending:
        """One connection, from its beginning to its end."""
        hello = make_hello(self._capabilities)
        monitored = self._endpoint.startswith("tcp:")
        unknown = name_problem(connecting(self._endpoint)) if monitored else None
        if unknown is not None:
            return Ending(unknown.text)
        socket = connect(
            self._context, self._endpoint, self._keys, reconnect=False, monitored=monitored
        )
        session = Session(self._weights, self._compute, resident_and_peak_bytes, time.monotonic())
        connection = WorkerConnection(
            socket,
            session,
            self._compute,
            self._stop,
            self._tell,
            monitored=monitored,
            secured=self._keys is not None,
            most_bytes=hello.budget_bytes - hello.baseline_bytes,
        )
        try:
            ending = connection.run(hello)
            if session.welcome is not None:
                self._backoff.reset()
            return replace(ending, was_member=session.welcome is not None)
        except FtdistError as error:  # its own trouble: it would be welcome again, in vain
            connection.farewell(str(error))
            return Ending(str(error), was_member=session.welcome is not None, lasting=True)
        finally:
            connection.close()
            close(socket, _FAREWELL_MS if session.ending is None else 0)

    def _explained(self, ending: Ending) -> Ending:
        """What an end before the worker was taken in means to a person."""
        if ending.was_member or ending.lasting or not self._endpoint.startswith("tcp:"):
            return ending
        words = ending.reason
        if words == Link.REFUSED.value and self._keys is not None:
            key = self._keys.public.decode()
            words = (
                f"it does not accept this worker's key, {key}; have it added to the allowed ones"
            )
            return Ending(words, lasting=True)
        found = connection_problem(connecting(self._endpoint))
        if found is not None:
            return Ending(found.text, lasting=found.lasting)
        if words == Link.MISMATCH.value:
            words = "its key is not the one in this worker's coordinator.key, or it uses no keys"
            if self._keys is None:
                words = "it requires keys: pass a folder of keys with --keys"
            return Ending(words, lasting=True)
        return ending

    def _rest(self, seconds: float) -> None:
        select.select([self._stop], [], [], seconds)

    def _tell(self, line: str) -> None:
        """Says what has changed, once."""
        if line != self._said:
            self._said = line
            self._say(line)


def _opening_line(capabilities: Capabilities, endpoint: str) -> str:
    limit, chosen = capabilities.budget, native.chosen()
    return (
        f"worker {capabilities.name}: {format_size(limit.bytes)} ({limit.origin}; {limit.keeper}), "
        f"{counted(capabilities.threads, 'thread')}, {chosen.name}, "
        f"{capabilities.macs_per_s / 1e9:.1f} GMAC/s; connecting to {endpoint}"
    )


def _unsaid(_line: str) -> None:
    pass


@contextmanager
def _given(stop: StopRequest) -> Iterator[StopRequest]:
    yield stop


@contextmanager
def _signals() -> Iterator[StopRequest]:
    """A stop that signals request."""
    stop = StopRequest()
    before = {each: signal.signal(each, stop.on_signal) for each in stopping_signals()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
