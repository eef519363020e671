"""Predicted against measured: peak memory and latency of `ftdist run` under many budgets.

Every point is a fresh process, as a user would start it; predictions and measurements are those of
its report. Budgets go in equal ratios from the smallest feasible one (which a refused run names) to
what the fastest plan needs, and one run has no budget; each with 1 and with 2 threads.

The bars: the measured peak is never above the predicted one, and the predicted one at most
3% + 1 MiB above the measured; the latency's error is at most 8% in the median and 15% at the 90th
percentile, after `ftdist calibrate`. ::

    pip install '.[bench,plot]'
    python benchmarks/predictor.py [--darknet CFG WEIGHTS]... [--plot FILE.png] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from common import charts, command
from common.models import DETECTOR, Prepared, builtin, darknet

from ftdist.errors import BudgetError

MIB = 1 << 20
BUILTIN = ("yolov2-first16", "yolov2", "yolov3-tiny")
SHARE, ROOM_BYTES = 0.03, MIB
"""How far a predicted peak may lie above the measured one."""

LATENCY_BARS = 0.08, 0.15


@dataclass(frozen=True)
class Point:
    """One run: what was asked, planned, predicted and measured."""

    network: str
    threads: int
    budget_bytes: int | None
    notation: str
    predicted_bytes: int
    measured_bytes: int
    predicted_s: float
    measured_s: float
    parts: dict[str, int]

    @property
    def excess_bytes(self) -> float:
        """How much the predicted peak exceeds what the bar allows; negative is good."""
        return self.predicted_bytes - (1 + SHARE) * self.measured_bytes - ROOM_BYTES

    @property
    def verdict(self) -> str:
        if self.measured_bytes > self.predicted_bytes:
            return "UNDER"
        return "over" if self.excess_bytes > 0 else ""

    @property
    def latency_error(self) -> float:
        """Relative to the measured latency; positive when the prediction is too slow."""
        return self.predicted_s / self.measured_s - 1


def main() -> None:
    arguments = _arguments()
    points: list[Point] = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        _print_header()
        for prepared in _networks(arguments, folder):
            for threads in arguments.threads:
                for point in _points(prepared, folder, threads, arguments):
                    points.append(point)
                    _print_point(point)
            prepared.model.unlink()
    _print_summary(points)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(each) for each in points], indent=1) + "\n")
    if arguments.plot is not None:
        _plot(arguments.plot, points)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--darknet",
        nargs=2,
        metavar=("CFG", "WEIGHTS"),
        type=Path,
        action="append",
        default=[],
        help="one more network; may be repeated",
    )
    parser.add_argument("--only", metavar="NAME", nargs="+", help="just these networks")
    parser.add_argument("--budgets", type=int, default=7, help="budgets of a network, with none")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=7, help="runs within a process")
    charts.add_outputs(parser)
    return parser.parse_args()


def _networks(arguments: argparse.Namespace, folder: Path) -> Iterator[Prepared]:
    """The networks, each made when its turn comes."""
    files = [(DETECTOR, DETECTOR.with_suffix(".weights")), *arguments.darknet]
    wanted = arguments.only or [*BUILTIN, *(cfg.stem for cfg, _ in files)]
    for name in BUILTIN:
        if name in wanted:
            yield builtin(name, folder)
    for cfg, weights in files:
        if cfg.stem in wanted:
            yield darknet(cfg, weights, folder)


def _points(
    prepared: Prepared, folder: Path, threads: int, arguments: argparse.Namespace
) -> Iterator[Point]:
    """A network's runs: without a budget, then from the largest budget to the smallest."""
    free = _point(prepared, folder, threads, None, arguments.repeat)
    yield free
    smallest = _smallest_budget(prepared, folder, threads)
    count = arguments.budgets - 1
    for step in reversed(range(count)):
        share = step / max(count - 1, 1)
        budget = int(smallest * (free.predicted_bytes / smallest) ** share)
        try:
            yield _point(prepared, folder, threads, budget, arguments.repeat)
        except BudgetError as error:
            print(f"{prepared.name}, {budget / MIB:.1f} MiB: {error}", flush=True)


def _smallest_budget(prepared: Prepared, folder: Path, threads: int) -> int:
    """The budget that a run within a hopeless one is told to take."""
    try:
        command.run(prepared, folder, mem=MIB, threads=threads)
    except BudgetError as error:
        return error.smallest_bytes
    raise RuntimeError(f"{prepared.name} ran within 1 MiB")


def _point(
    prepared: Prepared, folder: Path, threads: int, budget: int | None, repeat: int
) -> Point:
    report = command.run(prepared, folder, mem=budget, threads=threads, repeat=repeat)
    predicted, measured = report["predicted"], report["measured"]
    return Point(
        prepared.name,
        threads,
        budget,
        report["plan"]["notation"],
        predicted["peak_bytes"],
        measured["peak_bytes"],
        predicted["latency_s"],
        median(measured["latency_s"]),
        predicted["parts"],
    )


def _print_header() -> None:
    print(f"{'':18}{'':>8}{'':>8}{'peak, MiB':>19}{'':8}{'latency, ms':>19}")
    both = f"{'predicted':>10}{'measured':>9}"
    print(f"{'network':18}{'threads':>8}{'budget':>8}{both}{'':8}{both}{'error':>8}  plan")


def _print_point(point: Point) -> None:
    budget = "none" if point.budget_bytes is None else f"{point.budget_bytes / MIB:.1f}"
    peaks = f"{point.predicted_bytes / MIB:10.2f}{point.measured_bytes / MIB:9.2f}"
    latencies = f"{point.predicted_s * 1e3:10.1f}{point.measured_s * 1e3:9.1f}"
    plan = point.notation if len(point.notation) <= 60 else point.notation[:57] + "..."
    print(
        f"{point.network:18}{point.threads:8}{budget:>8}{peaks}{point.verdict:>8}"
        f"{latencies}{point.latency_error:+8.1%}  {plan}",
        flush=True,
    )


def _print_summary(points: list[Point]) -> None:
    under = [each for each in points if each.measured_bytes > each.predicted_bytes]
    print(f"\n{len(points)} points, {len({p.notation for p in points})} different plans")
    print(f"measured peak above the predicted  {len(under)} points")
    if under:
        worst = max(each.measured_bytes - each.predicted_bytes for each in under)
        print(f"  by at most                       {worst / MIB:.2f} MiB")
    excess = max(each.excess_bytes for each in points) / MIB
    room = "within" if excess <= 0 else "BEYOND"
    print(f"largest predicted - 1.03 x measured - 1 MiB  {excess:+.2f} MiB, {room} the bar")
    worst_point = max(points, key=lambda each: each.excess_bytes)
    parts = ", ".join(f"{k} {v / MIB:.2f}" for k, v in worst_point.parts.items())
    print(f"  its parts in MiB: {parts}; together {sum(worst_point.parts.values()) / MIB:.2f}")
    errors = [abs(each.latency_error) for each in points]
    _print_errors("all", errors)
    for network in dict.fromkeys(each.network for each in points):
        of_it = [abs(each.latency_error) for each in points if each.network == network]
        _print_errors(network, of_it)


def _print_errors(name: str, errors: list[float]) -> None:
    last = quantiles(errors, n=10, method="inclusive")[-1] if len(errors) > 1 else errors[0]
    met = median(errors) <= LATENCY_BARS[0] and last <= LATENCY_BARS[1]
    print(
        f"latency error, {name:18} median {median(errors):6.1%}, 90th percentile {last:6.1%}, "
        f"{'within' if met else 'BEYOND'} the bar"
    )


def _plot(path: Path, points: list[Point]) -> None:
    figure, (peaks, latencies) = charts.axes(2)
    for network in dict.fromkeys(each.network for each in points):
        of_it = [each for each in points if each.network == network]
        style: dict[str, Any] = {"label": network, "s": 14}
        peaks.scatter(
            [each.measured_bytes / MIB for each in of_it],
            [each.predicted_bytes / MIB for each in of_it],
            **style,
        )
        latencies.scatter(
            [each.measured_s * 1e3 for each in of_it],
            [each.predicted_s * 1e3 for each in of_it],
            **style,
        )
    ends = [min(p.measured_bytes for p in points), max(p.measured_bytes for p in points)]
    x = [each / MIB for each in ends]
    peaks.plot(x, x, "k-", lw=0.8)
    peaks.plot(x, [(1 + SHARE) * each + ROOM_BYTES / MIB for each in x], "k--", lw=0.8)
    x = [min(p.measured_s for p in points) * 1e3, max(p.measured_s for p in points) * 1e3]
    latencies.plot(x, x, "k-", lw=0.8)
    for factor in (1 - LATENCY_BARS[1], 1 + LATENCY_BARS[1]):
        latencies.plot(x, [factor * each for each in x], "k--", lw=0.8)
    for axes, what in ((peaks, "peak, MiB"), (latencies, "latency, ms")):
        axes.set(xlabel=f"measured {what}", ylabel=f"predicted {what}", xscale="log", yscale="log")
        charts.number(axes)
        axes.legend(fontsize="small")
    figure.savefig(path)


if __name__ == "__main__":
    main()
