"""`ftdist run`: one model, one input, one plan within a budget, and a report of what came true."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.cli.inputs import Input, check_output, read_input, write_arrays
from ftdist.cli.report import Report, machine, print_report, write_json
from ftdist.detection import Detection, class_count, detect, is_detector
from ftdist.detection.draw import draw
from ftdist.detection.names import class_names
from ftdist.errors import InputError
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model, load
from ftdist.planning.plan import Plan, parse_json, parse_notation
from ftdist.runtime.choice import Choice, Surroundings, choose, examine
from ftdist.runtime.limits import Budget, budget
from ftdist.runtime.local import Outputs, Session
from ftdist.runtime.memory import peak_resident_bytes
from ftdist.runtime.threads import default_threads


@dataclass(frozen=True)
class _Finished:
    """What is left when the model and the session are gone: drawing may use their memory."""

    network: Network
    labels: tuple[str, ...]
    outputs: Outputs
    report: Report


def run(arguments: argparse.Namespace) -> None:
    """Runs the model, writes the output, prints the report."""
    limit = budget(arguments.mem)
    if arguments.kernels == "reference" and arguments.mem is not None:
        raise InputError(
            "--mem is kept by the native kernels; --kernels reference has no bound"
        )
    finished, given = _compute(arguments, limit)
    detections: list[Detection] = []
    names: tuple[str, ...] = ()
    if is_detector(finished.network):
        detections = detect(finished.network, finished.outputs)
        names = class_names(class_count(finished.network), finished.labels or None)
    _write(arguments.output, finished, given, detections, names)
    report = finished.report.with_peak(peak_resident_bytes())
    if arguments.json is not None:
        write_json(arguments.json, report)
    print_report(report)
    _print_detections(detections, names, given)
    if arguments.output is not None:
        print(f"wrote      {arguments.output}")


def _compute(arguments: argparse.Namespace, limit: Budget) -> tuple[_Finished, Input]:
    started = time.perf_counter()
    model = load(arguments.model)
    given = read_input(arguments.input, model.network, limit)
    drawing = check_output(arguments.output, model.network, given, limit)
    surroundings = Surroundings(given.is_picture, given.resident, drawing)
    choice = _choice(arguments, model, limit, surroundings)
    if arguments.kernels == "reference":
        session = Session(model, choice.plan, "reference")
    else:
        session = choice.open()
    load_s = time.perf_counter() - started
    latencies, outputs = _repeat(session, given, arguments.repeat)
    report = Report.of(choice, machine(arguments.kernels), latencies, load_s)
    return _Finished(model.network, model.labels, outputs, report), given


def _choice(
    arguments: argparse.Namespace,
    model: Model,
    limit: Budget,
    surroundings: Surroundings,
) -> Choice:
    plan = _named_plan(arguments, model)
    if plan is None:
        return choose(
            model, limit, surroundings, arguments.threads or default_threads()
        )
    choice = examine(model, plan, limit, surroundings)
    return choice.within_budget(f"the plan {plan.notation} does not fit")


def _named_plan(arguments: argparse.Namespace, model: Model) -> Plan | None:
    """The plan that --tiling or --plan names."""
    if arguments.tiling is not None:
        threads = arguments.threads or default_threads()
        return parse_notation(arguments.tiling, model.network, threads)
    if arguments.plan is None:
        return None
    try:
        text = arguments.plan.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise InputError(f"{arguments.plan}: cannot be read: {reason}") from None
    try:
        return parse_json(text, model.network, model.digest, arguments.threads)
    except InputError as error:
        raise InputError(f"{arguments.plan}: {error}") from None


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


def _write(
    path: Path | None,
    finished: _Finished,
    given: Input,
    detections: list[Detection],
    names: tuple[str, ...],
) -> None:
    if path is None:
        return
    if path.suffix in (".npy", ".npz"):
        write_arrays(path, finished.outputs)
    else:
        assert given.letterbox is not None
        draw(given.path, detections, names, path, given.letterbox)


def _print_detections(
    detections: list[Detection], names: tuple[str, ...], given: Input
) -> None:
    for each in detections:
        box: Any = each.box
        if given.letterbox is not None:
            box = given.letterbox.to_picture(each.box)
            where = f"{box.left:.0f},{box.top:.0f} to {box.right:.0f},{box.bottom:.0f}"
        else:
            where = f"{box.left:.3f},{box.top:.3f} to {box.right:.3f},{box.bottom:.3f}"
        print(f"found      {names[each.label]} {each.score:.2f} at {where}")
