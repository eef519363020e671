"""The search's choice among all configurations that a person would try by hand, all measured.

The space is that of ``configurations.py``, on YOLOv2's first 16 layers and one thread. First every
configuration runs twice. Then, budget by budget, the best ones that fit run again, in rounds and
random order, with what `ftdist run --mem BUDGET` chooses, and medians are compared. A budget is of
the whole process; what fits it is told by the predicted peak (``predictor.py`` checks those).
Configurations with more than 1.6 times the arithmetic are left out: they are no contenders. ::

    pip install '.[bench,plot]'
    python benchmarks/manual_search.py [BUDGET...] [--all-cuts] [--plot FILE.png] [--json FILE]

BUDGET is in MiB. The bar: the choice within 3% of the best, or faster.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["NUMPY_MADVISE_HUGEPAGE"] = "0"

import argparse
import json
import random
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import charts, command
from common.configurations import algorithms, published, relative_work, strips
from common.models import Prepared, builtin
from numpy.typing import NDArray

from ftdist.errors import BudgetError
from ftdist.network.modelfile import Model, load
from ftdist.planning.lowering.lowered import lower
from ftdist.planning.lowering.predictor import footprint
from ftdist.planning.plan import Plan, parse_notation
from ftdist.runtime.local import Session

MIB = 1 << 20
NETWORK = "yolov2-first16"
BUDGETS = (44, 48, 56, 64, 96, 128)
BAR = 1.03


@dataclass
class Configuration:
    """A plan with its predicted peak beside the interpreter's own part, and its best quick time."""

    plan: Plan
    is_published: bool
    beside_baseline_bytes: int
    quick_s: float = float("inf")


@dataclass
class Contest:
    """One budget: the search's choice against the best configurations that fit, round by round."""

    budget: int
    chosen: Plan
    predicted_bytes: int
    baseline_bytes: int
    contenders: list[Configuration]
    times: dict[str, list[float]] = field(default_factory=dict)

    def seconds(self, plan: Plan) -> float:
        return median(self.times[plan.notation])

    @property
    def best(self) -> Configuration:
        return min(self.contenders, key=lambda each: self.seconds(each.plan))

    @property
    def best_published(self) -> Configuration | None:
        found = [each for each in self.contenders if each.is_published]
        return min(found, key=lambda each: self.seconds(each.plan), default=None)

    @property
    def ratio(self) -> float:
        """The choice's time relative to the best contender's."""
        return self.seconds(self.chosen) / self.seconds(self.best.plan)

    @property
    def fastest_ratio(self) -> float:
        """As `ratio`, of each one's fastest round: on a busy machine the better figure."""
        others = (min(self.times[each.plan.notation]) for each in self.contenders)
        return min(self.times[self.chosen.notation]) / min(others)


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        prepared = builtin(NETWORK, folder)
        model, image = load(prepared.model), np.load(prepared.image)
        configurations = _configurations(model, arguments)
        _measure_quickly(model, image, configurations, arguments.quick_runs)
        contests = []
        for budget in arguments.budgets or BUDGETS:
            contest = _contest(budget, prepared, folder, configurations, arguments.best)
            if contest is not None:
                _measure(model, image, contest, arguments.rounds)
                contests.append(contest)
    _print_table(contests)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(_figures(configurations, contests), indent=1) + "\n")
    if arguments.plot is not None and contests:
        _plot(arguments.plot, configurations, contests)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("budgets", metavar="BUDGET", type=int, nargs="*", help="MiB")
    parser.add_argument("--all-cuts", action="store_true", help="cut before every layer")
    parser.add_argument("--most-work", type=float, default=1.6, help="relative to untiled")
    parser.add_argument("--best", type=int, default=8, help="contenders measured again a budget")
    parser.add_argument("--quick-runs", type=int, default=2, help="of every configuration")
    parser.add_argument("--rounds", type=int, default=9)
    charts.add_outputs(parser)
    return parser.parse_args()


def _configurations(model: Model, arguments: argparse.Namespace) -> list[Configuration]:
    network = model.network
    found = []
    for space in (published, strips):
        for plan in space(network, all_cuts=arguments.all_cuts):
            if relative_work(network, plan) > arguments.most_work:
                continue
            for arithmetic in algorithms(network):
                computed = replace(plan, arithmetic=arithmetic)
                lowered = lower(network, computed, model.offsets, picture=False)
                peak = footprint(lowered, network).peak_bytes
                found.append(Configuration(computed, space is published, peak))
    return found


def _measure_quickly(
    model: Model, image: NDArray[np.float32], configurations: list[Configuration], runs: int
) -> None:
    started = time.perf_counter()
    for number, each in enumerate(configurations):
        with Session(model, each.plan) as session:
            each.quick_s = min(_seconds(session, image) for _ in range(runs))
        if number % 50 == 0:
            print(f"measured {number} of {len(configurations)} configurations", flush=True)
    print(f"all {len(configurations)} in {time.perf_counter() - started:.0f} s", flush=True)


def _contest(
    budget: int,
    prepared: Prepared,
    folder: Path,
    configurations: list[Configuration],
    best: int,
) -> Contest | None:
    """What a fresh process chooses within a budget, and the quickest configurations that fit."""
    try:
        report = command.run(prepared, folder, mem=budget * MIB)
    except BudgetError as error:
        print(f"{budget} MiB: {error}")
        return None
    chosen = parse_notation(report["plan"]["notation"], prepared.network)
    predicted = report["predicted"]
    baseline = predicted["parts"]["baseline"]
    fitting = [
        each
        for each in configurations
        if baseline + each.beside_baseline_bytes <= budget * MIB
        and each.plan.notation != chosen.notation
    ]
    fitting.sort(key=lambda each: each.quick_s)
    classic = [each for each in fitting if each.is_published]
    contenders = fitting[:best] + [each for each in classic[:1] if each not in fitting[:best]]
    if not contenders:
        print(f"{budget} MiB: the search chose {chosen.notation}; nothing made by hand fits")
        return None
    return Contest(budget, chosen, predicted["peak_bytes"], baseline, contenders)


def _measure(model: Model, image: NDArray[np.float32], contest: Contest, rounds: int) -> None:
    plans = [contest.chosen, *(each.plan for each in contest.contenders)]
    sessions = {plan.notation: Session(model, plan) for plan in plans}
    contest.times = {notation: [] for notation in sessions}
    order = random.Random(0)
    for number in range(rounds + 1):
        for notation in order.sample(list(sessions), len(sessions)):
            seconds = _seconds(sessions[notation], image)
            if number:  # the first round warms up
                contest.times[notation].append(seconds)
    for session in sessions.values():
        session.close()
    print(f"{contest.budget} MiB: {len(contest.contenders)} contenders measured", flush=True)


def _seconds(session: Session, image: NDArray[np.float32]) -> float:
    started = time.perf_counter()
    session.run(image)
    return time.perf_counter() - started


def _print_table(contests: list[Contest]) -> None:
    print(f"\n{'':7}{'the search':^41}{'best by hand':^41}{'best published':^33}{'ratio of':>14}")
    one = f"{'plan':>24}{'MiB':>8}{'ms':>7}  "
    print(f"{'budget':7}{one}{one}{'plan':>24}{'ms':>7}{'medians':>9}{'fastest':>9}")
    for contest in contests:
        best, classic = contest.best, contest.best_published
        peak = contest.baseline_bytes + best.beside_baseline_bytes
        ours = _cells(contest.chosen, contest.seconds(contest.chosen), contest.predicted_bytes)
        theirs = _cells(best.plan, contest.seconds(best.plan), peak)
        published = (
            f"{classic.plan.notation:>24}{contest.seconds(classic.plan) * 1e3:7.1f}"
            if classic
            else f"{'none fits':>31}"
        )
        verdict = "" if contest.ratio <= BAR else "  BEYOND the bar"
        ratios = f"{contest.ratio:9.3f}{contest.fastest_ratio:9.3f}"
        print(f"{contest.budget:<7}{ours}{theirs}{published}{ratios}{verdict}")


def _cells(plan: Plan, seconds: float, peak_bytes: int) -> str:
    notation = plan.notation if len(plan.notation) <= 23 else plan.notation[:20] + "..."
    return f"{notation:>24}{peak_bytes / MIB:8.1f}{seconds * 1e3:7.1f}  "


def _figures(configurations: list[Configuration], contests: list[Contest]) -> dict[str, Any]:
    return {
        "network": NETWORK,
        "threads": 1,
        "configurations": [
            {
                "notation": each.plan.notation,
                "published": each.is_published,
                "beside_baseline_bytes": each.beside_baseline_bytes,
                "quick_s": each.quick_s,
            }
            for each in configurations
        ],
        "budgets": [
            {
                "budget_mib": each.budget,
                "chosen": each.chosen.notation,
                "predicted_bytes": each.predicted_bytes,
                "baseline_bytes": each.baseline_bytes,
                "best": each.best.plan.notation,
                "ratio": each.ratio,
                "fastest_ratio": each.fastest_ratio,
                "times_s": each.times,
            }
            for each in contests
        ],
    }


def _plot(path: Path, configurations: list[Configuration], contests: list[Contest]) -> None:
    figure, axes = charts.axes()
    baseline = contests[-1].baseline_bytes
    for is_published, label in ((True, "published: grids"), (False, "strips")):
        group = [each for each in configurations if each.is_published is is_published]
        axes.scatter(
            [(baseline + each.beside_baseline_bytes) / MIB for each in group],
            [each.quick_s * 1e3 for each in group],
            s=8,
            alpha=0.6,
            label=label,
        )
    axes.plot(
        [contest.predicted_bytes / MIB for contest in contests],
        [contest.seconds(contest.chosen) * 1e3 for contest in contests],
        "k*-",
        lw=0.8,
        ms=9,
        label="the search's choice, by budget",
    )
    axes.set(xlabel="predicted peak of the process, MiB", ylabel="ms a frame")
    axes.set(title=f"{NETWORK}, one thread, one or two groups by hand")
    axes.set(xscale="log", yscale="log")
    charts.number(axes)
    axes.legend(fontsize="small")
    figure.savefig(path)


if __name__ == "__main__":
    main()
