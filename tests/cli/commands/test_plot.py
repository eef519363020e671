"""Pictures of the frontier."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.smallmodels import CHAIN, write_small_model

from ftdist.cli.reports import plot
from ftdist.cli.reports.published_plans import published_plans
from ftdist.errors import InputError
from ftdist.network.modelfile import load
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.budget.process_memory import ProcessMemory
from ftdist.runtime.plans.choice import PlanProblem
from ftdist.runtime.plans.frontier import Outlook


def drawn(path: Path, model: Path) -> Path:
    pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'ftdist[plot]'")
    limit, process = Budget(48 * MIB, "--mem"), ProcessMemory(30 * MIB, 30 * MIB)
    view = Outlook(PlanProblem(load(model), limit, process=process))
    choice = view.fastest()
    plot.draw(path, choice, view.frontier(choice), published_plans(choice), "avx2")
    return path


@pytest.mark.parametrize(
    ("suffix", "signature"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_pictures_of_the_frontier(
    things: Path, tmp_path: Path, suffix: str, signature: bytes
) -> None:
    path = drawn(tmp_path / f"plot{suffix}", things / "chain.ftd")
    assert path.read_bytes().startswith(signature)
    assert list(tmp_path.iterdir()) == [path]


def test_names_are_no_formulas(tmp_path: Path) -> None:
    model = write_small_model(tmp_path / "a $x_{$ 模型.ftd", CHAIN)
    text = drawn(tmp_path / "plot.svg", model).read_text()
    assert "<!-- a $x_{$ \\u6a21\\u578b: memory against time, 1 thread, avx2 -->" in text


def test_without_matplotlib_a_plot_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs matplotlib: pip install 'ftdist\[plot\]'"):
        plot.refuse_unplottable(tmp_path / "plot.png")
    assert list(tmp_path.iterdir()) == []
