"""`ftdist run`: one model, one input, one plan within a budget, and a report of what came true."""

from __future__ import annotations

import argparse
import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ftdist.atomic import refuse_unwritable
from ftdist.cli.budgeting import agreed
from ftdist.cli.calibrating import kept
from ftdist.cli.findings import print_detections
from ftdist.cli.inputs import Input, check_output, phases, read_input, write_arrays
from ftdist.cli.printing import say
from ftdist.cli.report import Report, machine, print_report, write_json
from ftdist.detection import Detection, class_count, detect, is_detector
from ftdist.detection.draw import draw
from ftdist.detection.names import class_names
from ftdist.detection.picture import Letterbox
from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model, load
from ftdist.planning.plan import Plan, parse_json, parse_notation
from ftdist.runtime.choice import Choice, Surroundings, choose_apart
from ftdist.runtime.limits import Budget
from ftdist.runtime.local import Outputs, Session
from ftdist.runtime.memory import peak_resident_bytes
from ftdist.runtime.threads import default_threads
from ftdist.runtime.trace import Trace, refuse_as_trace

_MOST_PLAN_BYTES = 1 << 20


@dataclass(frozen=True)
class _Finished:
    """What is left when the model, the session and the input are gone.

    Detecting and drawing may use their memory. `letterbox` says where the picture at `source` lay.
    """

    network: Network
    names: tuple[str, ...]
    outputs: Outputs
    report: Report
    source: Path
    letterbox: Letterbox | None


def run(arguments: argparse.Namespace) -> None:
    """Runs the model, writes the output, prints the report."""
    limit = agreed(arguments.mem)
    if arguments.kernels == "reference" and arguments.mem is not None:
        raise InputError("--mem is kept by the native kernels; --kernels reference has no bound")
    finished = _compute(arguments, limit)
    detections: list[Detection] = []
    if is_detector(finished.network):
        detections = detect(finished.network, _maps(finished.outputs))
    _write(arguments.output, finished, detections)
    report = finished.report.with_peak(peak_resident_bytes())
    try:
        print_report(report)
        print_detections(detections, finished.names, finished.letterbox)
        if arguments.output is not None:
            say(f"wrote      {arguments.output}")
    finally:  # a full disk does not keep the result from being printed, nor the other way round
        if arguments.json is not None:
            write_json(arguments.json, report)


def _compute(arguments: argparse.Namespace, limit: Budget) -> _Finished:
    started = time.perf_counter()
    model = load(arguments.model)
    network = model.network
    names: tuple[str, ...] = ()
    if is_detector(network):
        names = class_names(class_count(network), model.labels or None)
    check_output(arguments.output, arguments.input, network)
    if arguments.json is not None:
        refuse_unwritable(arguments.json)
    if arguments.trace is not None:
        refuse_as_trace(arguments.trace)
    tested_on = machine(arguments.kernels)
    given, choice = _prepare(arguments, model, limit)
    session = choice.open(arguments.kernels)
    load_s = time.perf_counter() - started
    with contextlib.ExitStack() as stack:
        if arguments.trace is not None:
            trace = stack.enter_context(Trace(arguments.trace))
            session.watch(trace.tiles([each.plan for each in choice.lowered.programs]))
        latencies, outputs = _repeat(session, given, arguments.repeat)
    report = Report.of(choice, tested_on, latencies, load_s)
    return _Finished(network, names, outputs, report, given.path, given.letterbox)


def _prepare(arguments: argparse.Namespace, model: Model, limit: Budget) -> tuple[Input, Choice]:
    """The input, read within the budget, and the plan for the run.

    A picture that cannot be read or drawn within the budget is not read: BudgetError says what the
    whole run would take.
    """
    surroundings = phases(arguments.input, arguments.output, model.network)
    if surroundings.other_phases_bytes > limit.bytes:
        _choice(arguments, model, limit, surroundings)  # raises, for it counts them too
    given = read_input(arguments.input, model.network)
    surroundings = replace(
        surroundings, picture=given.is_picture, input_resident=given.resident, reading_bytes=0
    )
    return given, _choice(arguments, model, limit, surroundings)


def _choice(
    arguments: argparse.Namespace,
    model: Model,
    limit: Budget,
    surroundings: Surroundings,
) -> Choice:
    plan = named_plan(arguments, model)
    threads = plan.threads if plan else arguments.threads or default_threads()
    calibration = kept(threads, arguments.kernels)
    choice = choose_apart(model, limit, surroundings, threads, calibration, plan)
    return choice.within_budget(f"the plan {choice.plan.notation} does not fit")


def named_plan(arguments: argparse.Namespace, model: Model) -> Plan | None:
    """The plan that --tiling or --plan names."""
    if arguments.tiling is not None:
        threads = arguments.threads or default_threads()
        return parse_notation(arguments.tiling, model.network, threads)
    if arguments.plan is None:
        return None
    try:
        text = _read_text(arguments.plan)
        return parse_json(text, model.network, model.digest, arguments.threads)
    except InputError as error:
        raise InputError(f"{arguments.plan}: {error}") from None


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_PLAN_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None
    if len(content) > _MOST_PLAN_BYTES:
        raise InputError("is no plan, it is too large")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InputError("is no plan: not UTF-8 text") from None


def _repeat(session: Session, given: Input, times: int) -> tuple[list[float], Outputs]:
    latencies = []
    outputs: Outputs = {}
    with session:
        for _ in range(times):
            outputs.clear()
            started = time.perf_counter()
            outputs = session.run(given.array)
            latencies.append(time.perf_counter() - started)
    return latencies, outputs


def _maps(outputs: Outputs) -> Outputs:
    """Outputs without a batch axis: (channels, height, width)."""
    return {name: array.reshape(array.shape[-3:]) for name, array in outputs.items()}


def _write(
    path: Path | None,
    finished: _Finished,
    detections: list[Detection],
) -> None:
    if path is None:
        return
    if path.suffix in (".npy", ".npz"):
        write_arrays(path, finished.outputs)
    else:
        assert finished.letterbox is not None
        draw(finished.source, detections, finished.names, path, finished.letterbox)
