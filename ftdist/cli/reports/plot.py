"""The frontier as a picture: memory against time, with the chosen plan and the published ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ftdist.atomic import atomic_write, refuse_unwritable
from ftdist.cli.console import one_line
from ftdist.cli.reports.published_plans import PublishedPlan
from ftdist.errors import InputError
from ftdist.extras import needing
from ftdist.planning.plan import shortened
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.plans.choice import Choice
from ftdist.runtime.plans.frontier import FrontierPoint, undominated
from ftdist.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FORMATS = (".png", ".svg", ".pdf")
_REMEDY = "--plot needs matplotlib: pip install 'ftdist[plot]'"
_MOST_SHOWN = 48
"""Characters of a notation that the legend has room for."""

_TICKS = (1, 1.2, 1.5, 2, 3, 4, 5, 7)
_INK, _BLUE, _ORANGE, _RED, _GREY = "#222222", "#1f6fb4", "#d9822b", "#c0392b", "#9a9a9a"


def refuse_unplottable(path: Path) -> None:
    """Raises, before any work is done, the InputError that drawing there would end with.

    matplotlib is only looked for: in memory it would count as part of what is planned.
    """
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"{path}: a plot is written as {', '.join(_FORMATS)}")
    refuse_unwritable(path)
    if find_spec("matplotlib") is None:
        raise InputError(_REMEDY)


def draw(
    path: Path,
    choice: Choice,
    points: Sequence[FrontierPoint],
    published: Sequence[PublishedPlan],
    instruction_set: str,
) -> None:
    """Draws the frontier, the chosen plan, its budget and the published plans."""
    with needing("--plot", "matplotlib", "plot"):
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogLocator  # noqa: F401 - what is used further down
    figure = Figure(figsize=(9, 6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    _draw_published(axes, published)
    _draw_frontier(axes, points)
    _draw_choice(axes, choice)
    _dress(axes, choice, instruction_set)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=2, frameon=False)
    with atomic_write(path) as temporary:
        figure.savefig(temporary)


def _draw_published(axes: Axes, published: Sequence[PublishedPlan]) -> None:
    """Every plan as a dot, the best of them joined; those of one group with names."""
    one = [each for each in published if len(each.plan.groups) == 1]
    two = [each for each in published if len(each.plan.groups) == 2]
    best = undominated((each.peak_bytes, each.latency_s) for each in published)
    axes.scatter(*_places(two), s=9, color=_GREY, alpha=0.5, linewidths=0, label=_name(two, "two"))
    axes.step(
        *_scaled(best),
        where="post",
        color=_GREY,
        linewidth=1,
        label="the best of DeepThings' and MAFAT's",
    )
    axes.scatter(*_places(one), s=34, marker="s", color=_ORANGE, label=_name(one, "one"), zorder=3)
    for each, x, y in zip(one, *_places(one), strict=True):
        axes.annotate(
            each.plan.notation,
            (x, y),
            (6, 4),
            textcoords="offset points",
            color=_ORANGE,
            size=9,
            zorder=4,
        )


def _name(plans: Sequence[PublishedPlan], groups: str) -> str:
    whose = "DeepThings: one group" if groups == "one" else "MAFAT: two groups"
    return f"{whose}, no strips ({len(plans)} plans)"


def _draw_frontier(axes: Axes, points: Sequence[FrontierPoint]) -> None:
    places = _scaled((each.peak_bytes, each.latency_s) for each in points)
    axes.step(*places, where="post", color=_BLUE, linewidth=1.6, zorder=4)
    left, right = axes.get_xlim()
    axes.hlines(places[1][-1], places[0][-1], right, color=_BLUE, linestyle=":", linewidth=1.2)
    axes.set_xlim(left, right)  # more memory than the fastest plan needs changes nothing
    axes.plot(
        *places,
        "o",
        color=_BLUE,
        markersize=4.5,
        zorder=4,
        label=f"frontier ({counted(len(points), 'plan')})",
    )


def _draw_choice(axes: Axes, choice: Choice) -> None:
    short = shortened(choice.plan.notation, _MOST_SHOWN)
    axes.plot(
        choice.peak_bytes / MIB,
        choice.latency_s * 1e3,
        "*",
        color=_RED,
        markersize=15,
        markeredgecolor="white",
        zorder=5,
        label=f"chosen: {short}",
    )


def _dress(axes: Axes, choice: Choice, instruction_set: str) -> None:
    """Scales, names, legend, and the budget where it lies within the picture."""
    from matplotlib.ticker import LogLocator, NullLocator

    plan = choice.plan
    left, right = axes.get_xlim()
    if left < choice.budget.bytes / MIB < right:
        label = f"budget {choice.budget.bytes / MIB:.0f} MiB ({choice.budget.origin})"
        axes.axvline(choice.budget.bytes / MIB, color=_RED, linestyle="--", lw=1, label=label)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=_TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("predicted peak of the whole process (MiB)")
    axes.set_ylabel("predicted latency of a frame (ms)")
    threads = f"{plan.threads} thread{'s' * (plan.threads != 1)}"
    name = choice.model.network.name.encode("ascii", "backslashreplace").decode()
    title = f"{one_line(name)}: memory against time, {threads}, {instruction_set}"
    axes.set_title(title, loc="left", color=_INK, parse_math=False)
    axes.grid(which="both", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _places(plans: Iterable[PublishedPlan]) -> tuple[list[float], list[float]]:
    return _scaled((each.peak_bytes, each.latency_s) for each in plans)


def _scaled(pairs: Iterable[tuple[int, float]]) -> tuple[list[float], list[float]]:
    """Bytes in MiB and seconds in ms."""
    listed = list(pairs)
    return [size / MIB for size, _ in listed], [seconds * 1e3 for _, seconds in listed]
