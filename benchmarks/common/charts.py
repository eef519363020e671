"""What the pictures of benchmarks share: they are wanted before the work, and written after it."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """The options --json and --plot."""
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all figures as JSON")
    parser.add_argument("--plot", metavar="FILE.png", type=_picture, help="draw them")


def axes(columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A figure and its axes side by side, (columns,) of them, or one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7 * columns, 5), layout="constrained")
    return figure, figure.subplots(1, columns, **options)


def number(axes: Any) -> None:
    """Plain numbers along logarithmic axes, where powers of ten are too few."""
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(LogLocator(subs=()))
    axes.grid(alpha=0.3)


def _picture(text: str) -> Path:
    if importlib.util.find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("needs matplotlib: pip install '.[plot]'")
    return Path(text)
