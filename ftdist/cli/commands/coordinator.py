"""`ftdist coordinator`: a model, a place to listen, and the loop until somebody interrupts it."""

from __future__ import annotations

import argparse
import signal
import socket
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ftdist.cli.config import Config, read_config
from ftdist.cli.log import Log
from ftdist.cli.plan_and_budget import budget_of, calibration_for
from ftdist.cli.reports.report import model_line
from ftdist.cluster.endpoints import DEFAULT_PORT, Endpoint, listening, refuse_open
from ftdist.cluster.keys import coordinator_keys
from ftdist.cluster.mdns import fingerprint, refuse_without_library
from ftdist.cluster.process import StopRequest, stopping_signals
from ftdist.cluster.server.announcer import ANNOUNCER_BYTES, Announcer
from ftdist.cluster.server.planner import Planner
from ftdist.cluster.server.server import Server
from ftdist.cluster.worker.hello import Capabilities, measured_rate, warm_up
from ftdist.cluster.worker.worker import LocalWorker
from ftdist.coordinator.events import AskPlan
from ftdist.coordinator.settings import Settings
from ftdist.errors import BudgetError, InputError
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model, load
from ftdist.planning.bands.height import band_bytes, shared_rows, unbandable
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.planning.bands.plan import unit_rows
from ftdist.planning.lowering.predictor import output_bytes
from ftdist.planning.profile import DeviceProfile
from ftdist.planning.sharing.plan import SharedPlan
from ftdist.runtime.budget.heap import SPARING_BYTES, settle_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.process_memory import will_hold_bytes
from ftdist.runtime.budget.sizes import SPREAD_BYTES, ceil_size
from ftdist.runtime.trace import Trace

if TYPE_CHECKING:
    from ftdist.cli.page import Page

_OWN_BYTES = 24 << 20
"""What the coordinator takes beside the frames it holds: queues, pieces of weights, its plan."""


@dataclass(frozen=True)
class _Asked:
    """What is to be served, where, and within which budget; `left` is what is not set aside for
    processes beside this one."""

    arguments: argparse.Namespace
    config: Config
    endpoint: Endpoint
    keys: Path | None
    warning: str | None
    model: Model
    profile: DeviceProfile
    limit: Budget
    left: Budget
    page: Page | None


def run(arguments: argparse.Namespace) -> None:
    """Listens, and works until a signal ends it and everything under way is put in order."""
    with ExitStack() as things:
        asked = _asked(arguments, things)
        settings = _settings(asked)
        settle_heap(SPARING_BYTES)
        log = Log(form=arguments.log or "text", program="coordinator")
        local = _own_worker(asked.model, asked.left, settings, arguments.threads or 0, log)
        _serve(asked, settings, local, log, things)
    log("ended", "ended")


def _asked(arguments: argparse.Namespace, things: ExitStack) -> _Asked:
    """What the arguments ask for; what can be refused is refused here."""
    config = read_config(arguments.config) if arguments.config else Config()
    if arguments.model is None:
        raise InputError("no model: name a .ftd file, or one as [model] file by --config")
    endpoint = listening(arguments.listen or f"tcp://127.0.0.1:{DEFAULT_PORT}")
    keys: Path | None = arguments.keys
    warning = refuse_open(endpoint, keys=keys is not None, insecure=arguments.insecure)
    if keys is not None:
        coordinator_keys(keys)
    model = load(arguments.model)
    if len(model.network.inputs) > 1:
        raise InputError(
            f"{arguments.model}: has {len(model.network.inputs)} inputs, and a cluster takes one; "
            "use 'ftdist run'"
        )
    limit = left = budget_of(arguments.mem)
    profile = calibration_for(1, limit).profile
    page = _page(arguments, things)
    if page is not None:
        left = page.left_of(left)
    if arguments.announce:
        refuse_without_library("--announce")
        left = replace(left, bytes=left.bytes - ANNOUNCER_BYTES)
    return _Asked(*(arguments, config, endpoint, keys, warning, model, profile, limit, left, page))


def _serve(
    asked: _Asked, settings: Settings, local: LocalWorker | None, log: Log, things: ExitStack
) -> None:
    """Starts the processes beside this one, listens, says so, and works until it is told to end."""
    arguments, model, keys, page = asked.arguments, asked.model, asked.keys, asked.page
    onlooker = None
    if page is not None:
        onlooker = page.of_coordinator(model, asked.profile, asked.limit, log)
        things.callback(onlooker.close)
        log.also = onlooker.note
    announcer = Announcer() if arguments.announce else None
    if announcer is not None:
        things.callback(announcer.close)
    rows, direct = settings.band_rows, arguments.exact_direct
    planner = Planner(
        lambda question: _plan(model, asked.profile, question, rows, exact_direct=direct)
    )
    things.callback(planner.close)
    trace = things.enter_context(Trace(arguments.trace)) if arguments.trace else None
    stop = StopRequest()
    for each in stopping_signals():
        signal.signal(each, stop.on_signal)
    place = asked.endpoint
    server = Server(place, settings, model, planner, stop, keys, local, trace, onlooker, log)
    things.callback(server.close)
    endpoint = Endpoint(place.host, server.port)
    if asked.warning:
        log(asked.warning, "warning")
    _introduce(model, endpoint, keys, log)
    if rows:
        count = NumberedBands(model.network, rows).count
        log(f"bands      a picture in {count} of {rows} rows: it is never whole here", "bands")
    if page is not None:
        log(page.line(), "page")
    if announcer is not None:
        key = fingerprint(None if keys is None else coordinator_keys(keys).public)
        announcer.begin(endpoint, model.network.name, key)
        log(f"announced  on the local network; fingerprint of its key: {key}", "announced")
    server.serve()


def _page(arguments: argparse.Namespace, things: ExitStack) -> Page | None:
    """The page that is asked for, if one is."""
    if arguments.page is None:
        return None
    from ftdist.cli.page import page_of  # with all that only a page needs

    return things.enter_context(page_of(arguments))


def _settings(asked: _Asked) -> Settings:
    config, job, profile = asked.config, asked.config.job, asked.profile
    memory_bytes, band_rows = _room_for_frames(asked, job.band_rows)
    return Settings(
        heartbeat_s=config.coordinator.heartbeat_s,
        attempts=job.attempts,
        in_flight=job.in_flight,
        memory_bytes=memory_bytes,
        band_rows=band_rows,
        speculate=job.speculate,
        mix_unfused=job.mix_unfused,
        prepare=job.prepare,
        reference_macs_per_s=max(*profile.narrow, *profile.wide),
        trace=asked.arguments.trace is not None,
    )


def _room_for_frames(asked: _Asked, wanted_rows: int | None) -> tuple[int, int]:
    """Bytes of the budget for inputs, maps and results of frames, and the rows of the bands that
    these are: 0 where whole ones fit. BudgetError if even the least is too much.

    With threads of its own, half of what is left is theirs.
    """
    network, limit, left = asked.model.network, asked.limit, asked.left
    taken = will_hold_bytes() + _OWN_BYTES + limit.bytes - left.bytes
    share = 2 if asked.arguments.threads else 1
    memory_bytes = (limit.bytes - taken) // share
    least = 2 * (network.input.bytes + output_bytes(network))
    if wanted_rows or (wanted_rows is None and least > memory_bytes and not unbandable(network)):
        rows = _rows_of_bands(network, memory_bytes, wanted_rows)
        least = 2 * band_bytes(network, rows, picture=False)
        if least <= memory_bytes:
            return memory_bytes, rows
    if least > memory_bytes:
        smallest = taken + share * least + SPREAD_BYTES
        raise BudgetError(
            f"the coordinator cannot hold a frame of {network.name} within its budget; "
            f"it needs {ceil_size(smallest)} ({limit.origin} says {ceil_size(limit.bytes)})",
            smallest,
        )
    return memory_bytes, 0


def _rows_of_bands(network: Network, memory_bytes: int, wanted_rows: int | None) -> int:
    """The rows of bands: those that are wanted, or the best within so much memory."""
    unit = unit_rows(network)
    if wanted_rows is None:
        return shared_rows(network, memory_bytes) or unit
    if reason := unbandable(network):
        raise InputError(f"[job] band_rows: {reason}")
    if wanted_rows % unit:
        raise InputError(f"[job] band_rows: {network.name} is cut at multiples of {unit} rows")
    return wanted_rows


def _own_worker(
    model: Model, limit: Budget, settings: Settings, threads: int, log: Log
) -> LocalWorker | None:
    """The worker of this process, with what frames leave of the budget."""
    if not threads:
        return None
    rate = measured_rate(threads)
    warm_up()
    left = replace(limit, bytes=limit.bytes - settings.memory_bytes)
    return LocalWorker(Capabilities("coordinator", left, threads, rate), model, log)


def _plan(
    model: Model, profile: DeviceProfile, question: AskPlan, band_rows: int, *, exact_direct: bool
) -> SharedPlan:
    """In the planner's process."""
    from ftdist.planning.bands.sharing import share_bands  # with all that they bring
    from ftdist.planning.sharing.search import share

    arithmetic = () if exact_direct else question.arithmetic
    if band_rows:
        asked = question.workers, question.frames, question.picture
        return share_bands(model.network, band_rows, *asked, profile, arithmetic)
    return share(
        model.network,
        question.workers,
        question.frames,
        question.picture,
        profile,
        question.kept_frames,
        arithmetic,
    )


def _introduce(model: Model, endpoint: Endpoint, keys: Path | None, log: Log) -> None:
    """Says where it listens, how safely, with what, and what to type next."""
    safety = "encrypted" if keys is not None else "not encrypted"
    about = model_line(model.network)
    log(f"listens    {endpoint}, {safety}, with {about}", "listening", address=str(endpoint))
    host = _address() if endpoint.is_everywhere else endpoint.host
    named = " --keys NAME" if keys is not None else ""
    log(f"next       ftdist worker tcp://{host}:{endpoint.port} --mem 128M{named}", "hint")


def _address() -> str:
    """The address by which other machines most likely reach this one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
