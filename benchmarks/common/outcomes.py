"""What became of contestants under memory limits: a table, JSON, and a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from common import charts

MIB = 1 << 20
OURS = "ftdist"


@dataclass
class Outcome:
    """What became of a contestant under one limit, over all rounds."""

    milliseconds: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def survived(self) -> bool:
        """Whether some process of it did: swapping, it may be chance."""
        return bool(self.milliseconds)

    @property
    def text(self) -> str:
        if not self.survived:
            return self.failures[0]
        text = f"{median(self.milliseconds):.0f} ms, {max(self.peaks) / MIB:.0f} MiB"
        return text + (f", {len(self.failures)}x killed" if self.failures else "")


Outcomes = dict[tuple[str, int | None], Outcome]


def print_table(outcomes: Outcomes) -> None:
    """A line for each limit, a column for each contestant."""
    names, limits = _names(outcomes), dict.fromkeys(limit for _, limit in outcomes)
    header = "".join(f"{name:>30}" for name in names)
    print(f"\n{'limit, MiB':>10}{header}{'against best peer':>19}")
    for limit in limits:
        row = "".join(f"{outcomes[name, limit].text:>30}" for name in names)
        print(f"{limit or 'none':>10}{row}{_against_best(limit, outcomes):>19}")


def _names(outcomes: Outcomes) -> list[str]:
    return list(dict.fromkeys(name for name, _ in outcomes))


def _against_best(limit: int | None, outcomes: Outcomes) -> str:
    """Our time relative to the fastest other that survived."""
    ours = outcomes[OURS, limit]
    others = [outcomes[name, limit] for name in _names(outcomes) if name != OURS]
    survived = [median(other.milliseconds) for other in others if other.survived]
    if not ours.survived:
        return ""
    if not survived:
        return "no peer survived"
    return f"{median(ours.milliseconds) / min(survived):.2f}"


def figures(outcomes: Outcomes) -> list[dict[str, Any]]:
    """Everything measured, for JSON."""
    return [
        {
            "contestant": name,
            "limit_mib": limit,
            "failures": outcome.failures,
            "ms": outcome.milliseconds,
            "peak_bytes": outcome.peaks,
        }
        for (name, limit), outcome in outcomes.items()
    ]


def draw(path: Path, title: str, outcomes: Outcomes) -> None:
    """Time by limit, a line for each contestant."""
    figure, axes = charts.axes()
    for name in _names(outcomes):
        points = [
            (limit, median(outcome.milliseconds))
            for (whose, limit), outcome in outcomes.items()
            if whose == name and limit is not None and outcome.survived
        ]
        axes.plot(*zip(*sorted(points), strict=True) if points else ([], []), "o-", label=name)
    limits = sorted({limit for _, limit in outcomes if limit is not None})
    axes.set(title=title, xlabel="limit of the control group, MiB", ylabel="ms a frame")
    axes.set(xscale="log", yscale="log")
    charts.number(axes)
    axes.set_xticks(limits, limits, minor=False)
    axes.set_xticks([], minor=True)
    figure.legend(
        title="where a line ends, every process was killed",
        loc="outside lower center",
        ncols=len(_names(outcomes)),
        fontsize="small",
    )
    figure.savefig(path)
