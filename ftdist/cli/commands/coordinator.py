"""`ftdist coordinator`: a model, a place to listen, and the loop until somebody interrupts it."""

from __future__ import annotations

import argparse
import signal
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ftdist.cli.config import Config, read_config
from ftdist.cli.log import Log
from ftdist.cli.plan_and_budget import budget_of, calibration_for
from ftdist.cli.reports.report import model_line
from ftdist.cluster.endpoints import DEFAULT_PORT, Endpoint, listening, refuse_open
from ftdist.cluster.keys import coordinator_keys
from ftdist.cluster.process import StopRequest, stopping_signals
from ftdist.cluster.server.planner import Planner
from ftdist.cluster.server.server import Server
from ftdist.cluster.worker.hello import Capabilities, measured_rate, warm_up
from ftdist.cluster.worker.worker import LocalWorker
from ftdist.coordinator.events import AskPlan
from ftdist.coordinator.settings import Settings
from ftdist.errors import BudgetError, InputError
from ftdist.network.modelfile import Model, load
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


def run(arguments: argparse.Namespace) -> None:
    """Listens, and works until a signal ends it and everything under way is put in order."""
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
    limit = budget_of(arguments.mem)
    profile = calibration_for(1, limit).profile
    page = _page(arguments)
    left = limit if page is None else page.left_of(limit)
    settings = _settings(config, model, limit, left, arguments, profile)
    settle_heap(SPARING_BYTES)
    log = Log(form=arguments.log or "text", program="coordinator")
    local = _own_worker(model, left, settings, arguments.threads or 0, log)
    with ExitStack() as things:
        onlooker = None
        if page is not None:
            onlooker = page.of_coordinator(model, profile, limit, log)
            things.callback(onlooker.close)
            log.also = onlooker.note
        planner = Planner(
            lambda question: _plan(model, profile, question, exact_direct=arguments.exact_direct)
        )
        things.callback(planner.close)
        trace = things.enter_context(Trace(arguments.trace)) if arguments.trace else None
        stop = StopRequest()
        for each in stopping_signals():
            signal.signal(each, stop.on_signal)
        server = Server(endpoint, settings, model, planner, stop, keys, local, trace, onlooker, log)
        things.callback(server.close)
        if warning:
            log(warning, "warning")
        _introduce(model, Endpoint(endpoint.host, server.port), keys, log)
        if page is not None:
            log(page.line(), "page")
        server.serve()
    log("ended", "ended")


def _page(arguments: argparse.Namespace) -> Page | None:
    """The page that is asked for, if one is."""
    if arguments.page is None:
        return None
    from ftdist.cli.page import page_of  # with all that only a page needs

    return page_of(arguments)


def _settings(
    config: Config,
    model: Model,
    limit: Budget,
    left: Budget,
    arguments: argparse.Namespace,
    profile: DeviceProfile,
) -> Settings:
    job = config.job
    return Settings(
        heartbeat_s=config.coordinator.heartbeat_s,
        attempts=job.attempts,
        in_flight=job.in_flight,
        memory_bytes=_memory_for_frames(model, limit, left, arguments.threads or 0),
        speculate=job.speculate,
        mix_unfused=job.mix_unfused,
        reference_macs_per_s=max(*profile.narrow, *profile.wide),
        trace=arguments.trace is not None,
    )


def _memory_for_frames(model: Model, limit: Budget, left: Budget, threads: int) -> int:
    """Bytes for inputs, maps and results of frames, of what the page leaves of the budget;
    BudgetError if one frame is too much.

    With threads of its own, half of what is left is theirs.
    """
    network = model.network
    taken = will_hold_bytes() + _OWN_BYTES + limit.bytes - left.bytes
    share = 2 if threads else 1
    least = 2 * (network.input.bytes + output_bytes(network))
    if limit.bytes - taken < share * least:
        smallest = taken + share * least + SPREAD_BYTES
        raise BudgetError(
            f"the coordinator cannot hold a frame of {network.name} within its budget; "
            f"it needs {ceil_size(smallest)} ({limit.origin} says {ceil_size(limit.bytes)})",
            smallest,
        )
    return (limit.bytes - taken) // share


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
    model: Model, profile: DeviceProfile, question: AskPlan, *, exact_direct: bool
) -> SharedPlan:
    """In the planner's process."""
    from ftdist.planning.sharing.search import share  # with all that it brings

    return share(
        model.network,
        question.workers,
        question.frames,
        question.picture,
        profile,
        question.kept_frames,
        () if exact_direct else question.arithmetic,
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
