"""The lines that `ftdist plan` prints: values in, text out.

Each peak is that of the whole process, each latency that of one frame, both predicted.
"""

from __future__ import annotations

from collections.abc import Sequence

from ftdist.cli.reports.report import algorithm_lines, budget_line, model_line, parts_line
from ftdist.network.graph import INPUT
from ftdist.planning.search.breakdown import GroupBreakdown, PeakMoment
from ftdist.runtime.budget.sizes import MIB, SPREAD_BYTES, format_size
from ftdist.runtime.plans.choice import Choice
from ftdist.runtime.plans.frontier import MORE_BYTES, FrontierPoint, Outlook
from ftdist.wording import counted

_SMALL_MS = 100
"""Below so many milliseconds a second decimal is worth its place."""

_NOTICEABLE = 5e-4
"""Differences of latency below this would be printed as none."""

_LEFT = {"algorithm", "weights", "plan"}
"""The columns of words; numbers stand to the right."""


def plan_lines(choice: Choice, instruction_set: str) -> list[str]:
    """The model, the input that is assumed, and the plan."""
    plan, network = choice.plan, choice.model.network
    return [
        f"model      {model_line(network)}",
        f"input      {network.input} float32, assumed to be mapped from a .npy file",
        f"plan       {plan.notation}, threads {plan.threads}, kernels {instruction_set}",
        *algorithm_lines(plan.to_json(choice.model.digest)),
    ]


def group_table(choice: Choice, shares: Sequence[GroupBreakdown]) -> list[str]:
    """One row a group, then the totals, then the budget."""
    footprint = choice.footprint
    rest = footprint.peak_bytes - footprint.arenas - footprint.boundary_maps
    digits = _digits(choice.latency_s)
    rows = [["group", "layers", "grid", "strip", "algorithm", "weights", "peak MiB", "ms"]]
    for number, share in enumerate(shares, 1):
        group = share.plan
        kept = "streamed" if group.streamed else "resident"
        rows.append(
            [
                str(number),
                f"{group.first}..{group.stop - 1}",
                "whole" if group.whole else group.grid,
                "-" if group.strip is None else str(group.strip),
                share.algorithm or "-",
                f"{share.weights_bytes / MIB:.1f} MiB {kept}" if share.weights_bytes else "-",
                f"{(rest + share.held_bytes) / MIB:.1f}",
                f"{share.seconds * 1e3:.{digits}f}",
            ]
        )
    weights = sum(share.weights_bytes for share in shares)
    total = f"{weights / MIB:.1f} MiB, {footprint.weights / MIB:.1f} resident"
    peak, seconds = f"{choice.peak_bytes / MIB:.1f}", f"{choice.latency_s * 1e3:.{digits}f}"
    rows.append(["total", f"0..{shares[-1].plan.stop - 1}", "", "", "", total, peak, seconds])
    rows.append(["budget", *[""] * 5, f"{choice.budget.bytes / MIB:.1f}", ""])
    return _aligned(rows)


def alternative_lines(
    choice: Choice, peak: PeakMoment, outlook: Outlook, *, searched: bool
) -> list[str]:
    """Peak and latency explained; then, for a plan that was searched, its runner-up and what more
    and less memory would change, or for one that was named, what the search would choose."""
    excess = choice.peak_bytes - choice.budget.bytes
    fits = "" if excess <= 0 else f"; {format_size(excess)} more than there is"
    lines = [
        f"budget     {budget_line(choice.budget)}",
        f"peak       predicted {format_size(choice.peak_bytes)}{fits}",
        f"           {parts_line(choice.parts)}",
        f"           {_peak_setter(choice, peak)}",
        f"latency    predicted {_ms(choice.latency_s)}{_optimality(choice, outlook, searched)}",
        f"           by {choice.calibration.origin}",
    ]
    if choice.weights_from != "memory":
        lines.append(f"weights    streamed from the {choice.weights_from}")
    if not searched:
        best = outlook.within(choice.budget.bytes)
        return [*lines, f"search     {_compared(best, choice, outlook)}"]
    runner_up = outlook.runner_up(choice)
    none = "none: other cuts and grids do not fit the budget"
    lines.append(f"runner-up  {_described(runner_up, choice) if runner_up else none}")
    more = choice.budget.bytes + MORE_BYTES
    less = choice.budget.bytes - MORE_BYTES
    if less >= choice.peak_bytes:  # it would change nothing
        less = choice.peak_bytes - MORE_BYTES
    for name, size in (("more", more), ("less", less)):
        found = outlook.within(size)
        same = name == "more" and found is not None and found.plan == choice.plan
        says = f"{format_size(size)}: {_compared(found, choice, outlook)}"
        lines.append("more       memory would change nothing" if same else f"{name:10} {says}")
    return lines


def frontier_lines(points: Sequence[FrontierPoint], choice: Choice) -> list[str]:
    """The frontier, from the smallest plan to the fastest; the chosen plan is marked."""
    digits = _digits(points[-1].latency_s)
    rows = [["peak MiB", "ms", "", "plan"]]
    for each in points:
        own = each.notation == choice.plan.notation
        peak, ms = f"{each.peak_bytes / MIB:.1f}", f"{each.latency_s * 1e3:.{digits}f}"
        rows.append([peak, ms, "*" * own, each.notation])
    return [
        f"frontier   {counted(len(points), 'plan')}, from the smallest to the "
        f"fastest; for --mem add {format_size(SPREAD_BYTES)}, by which processes differ",
        *_aligned(rows),
    ]


def _peak_setter(choice: Choice, peak: PeakMoment) -> str:
    """Which layer and tile the peak is due to."""
    if choice.peak_bytes > choice.footprint.peak_bytes:
        return "set by what comes before or after the run, not by the plan"
    network = choice.model.network
    group = choice.plan.groups[peak.group]
    if peak.layer == INPUT:
        what = "loading the input"
    elif peak.layer < group.first:
        what = f"loading the map of layer {peak.layer} ({network.layers[peak.layer].name})"
    else:
        what = f"layer {peak.layer} ({network.layers[peak.layer].name})"
    row, column = (each + 1 for each in peak.tile)
    tile = f", tile {row},{column} of {group.rows}x{group.columns}"
    return f"set by {what} in group {peak.group + 1}{tile * (group.rows * group.columns > 1)}"


def _optimality(choice: Choice, outlook: Outlook, searched: bool) -> str:
    """How far from the best plan of the search space the chosen one can be."""
    if not searched:
        return ""
    bound = outlook.bound_s(choice)
    if bound <= 0:
        return ""
    gap = choice.latency_s / bound - 1
    if gap < _NOTICEABLE:
        return "; within the budget no plan is faster"
    return f"; the fastest within the budget is at most {gap:.1%} faster"


def _compared(found: Choice | None, choice: Choice, outlook: Outlook) -> str:
    """A choice for another budget, in words."""
    if found is None:
        return f"nothing fits; the smallest is {_described(outlook.smallest(), choice)}"
    if found.plan == choice.plan:
        return "the same plan"
    return _described(found, choice)


def _described(found: Choice, choice: Choice) -> str:
    change = found.latency_s / choice.latency_s - 1
    percent = f"{change:+.1%}" if abs(change) >= _NOTICEABLE else "as fast"
    peak = format_size(found.peak_bytes)
    return f"{_ms(found.latency_s)} ({percent}), peak {peak}, {found.plan.notation}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.{_digits(seconds)}f} ms"


def _digits(seconds: float) -> int:
    return 1 if seconds * 1e3 >= _SMALL_MS else 2


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as indented lines whose columns stand under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if head in _LEFT else cell.rjust(width)
            for cell, width, head in zip(row, widths, rows[0], strict=True)
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines
