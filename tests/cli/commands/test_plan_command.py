"""`ftdist plan`: what it prints, writes and draws, and that its plans run as it says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import Outcome, ftdist_command, in_shell, measured
from support.smallmodels import CHAIN, random_image, write_small_model

from ftdist.cli.reports import forecast
from ftdist.network.modelfile import load
from ftdist.planning.plan import parse_notation
from ftdist.planning.search.breakdown import peak_moment
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import MIB, parse_size
from ftdist.runtime.budget.process_memory import ProcessMemory
from ftdist.runtime.plans.choice import SPREAD_BYTES, PlanProblem
from ftdist.runtime.plans.frontier import Outlook

Refused = Callable[..., Outcome]
SEARCHED = ["budget", "peak", "latency", "runner-up", "more", "less"]


def planned(folder: Path, *arguments: object) -> list[str]:
    """The lines that a successful `plan` prints, by the shipped profile."""
    cache = folder.parent / "no-cache"
    outcome = ftdist_command("plan", *arguments, folder=folder, XDG_CACHE_HOME=str(cache))
    assert (outcome.status, outcome.err) == (0, ""), outcome
    assert not list(folder.glob(".ftdist-*"))
    return outcome.out.splitlines()


def heads(lines: list[str]) -> list[str]:
    """The first words of lines that begin with one, without the table."""
    return [line.split()[0] for line in lines if line[:1].isalpha()]


def table(lines: list[str]) -> list[list[str]]:
    """The rows of the groups, split at white space."""
    first = next(n for n, line in enumerate(lines) if line.split()[:1] == ["group"])
    stop = next(n for n, line in enumerate(lines) if line.split()[:1] == ["total"])
    return [line.split() for line in lines[first + 1 : stop]]


def line_of(lines: list[str], head: str) -> str:
    (line,) = (line for line in lines if line.startswith(f"{head} "))
    return line.removeprefix(head).strip()


def test_the_table_and_what_surrounds_it(first16_file: Path, tmp_path: Path) -> None:
    lines = planned(tmp_path, first16_file, "--mem", "48M", "--threads", 1)
    assert "16 layers" in line_of(lines, "model")
    assert line_of(lines, "input") == "608x608x3 float32, assumed to be mapped from a .npy file"
    notation = line_of(lines, "plan").partition(", threads")[0]
    assert "threads 1" in line_of(lines, "plan")
    plan = parse_notation(notation, load(first16_file).network)
    algorithms = dict(plan.arithmetic)
    weighted = [0, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15]
    rows = table(lines)
    assert [row[0] for row in rows] == [str(n + 1) for n in range(len(plan.groups))]
    for row, group in zip(rows, plan.groups, strict=True):
        strip = "-" if group.strip is None else str(group.strip)
        kept = "streamed" if group.streamed else "resident"
        layers = f"{group.first}..{group.stop - 1}"
        names = {algorithms.get(n, "direct") for n in weighted if group.first <= n < group.stop}
        algorithm = "+".join(sorted(names))
        assert row[1:5] == [layers, f"{group.rows}x{group.columns}", strip, algorithm]
        assert row[6:8] == ["MiB", kept]
    total = next(line.split() for line in lines if line.split()[:1] == ["total"])
    assert total[1] == "0..15"
    assert sum(float(row[-1]) for row in rows) == pytest.approx(float(total[-1]), abs=0.3)
    assert max(float(row[-2]) for row in rows) <= float(total[-2]) <= 48
    streamed = ["weights"] * any(group.streamed for group in plan.groups)
    assert heads(lines) == [
        "model",
        "input",
        "plan",
        "algorithm",
        *SEARCHED[:3],
        *streamed,
        *SEARCHED[3:],
    ]
    assert "48.0 MiB (--mem)" in line_of(lines, "budget")
    assert f"predicted {total[-2]} MiB" in line_of(lines, "peak")
    assert any("in MiB: baseline" in line for line in lines)
    assert any("set by layer" in line and "in group" in line for line in lines)
    assert any("by the shipped profile; 'ftdist calibrate'" in line for line in lines)
    assert line_of(lines, "more").startswith("56.0 MiB: ")
    assert line_of(lines, "less").startswith("40.0 MiB: ")


def test_the_process_is_measured_before_what_only_planning_needs(tmp_path: Path) -> None:
    """What `run` does not load must not count in what `run` is predicted to take."""
    code = "import sys, ftdist.cli.commands.plan\nprint(*sys.modules)"
    loaded = set(measured(sys.executable, "-c", code, folder=tmp_path).out.split())
    assert "ftdist.cli.commands.run" in loaded
    assert not {"ftdist.planning.search.search", "ftdist.planning.edges", "matplotlib"} & loaded


def test_little_memory_left(things: Path, tmp_path: Path) -> None:
    """Without a budget 8 MiB less than the machine has says nothing; less than the plan does."""
    lines = planned(tmp_path, things / "chain.ftd", "--threads", 2)
    peak = float(line_of(lines, "peak").split()[1])
    size, rest = line_of(lines, "less").split(" MiB: ", maxsplit=1)
    assert float(size) == pytest.approx(peak - 8, abs=0.11)
    assert rest.startswith("nothing fits; the smallest is ")
    assert line_of(lines, "more") == "memory would change nothing"
    assert line_of(lines, "latency").endswith("; within the budget no plan is faster")
    assert "threads 2" in line_of(lines, "plan")


def test_json_is_the_first_two_tables_of_a_run_and_runs(first16_file: Path, tmp_path: Path) -> None:
    """Of the run that finds the same plan; one that is given it holds nothing of the search.

    The budget is one at which some MiB more or less make no other plan.
    """
    np.save(tmp_path / "image.npy", random_image(608))
    within = ("--mem", "74M", "--threads", 2, "--json")
    planned(tmp_path, first16_file, *within, "plan.json")
    value = json.loads((tmp_path / "plan.json").read_text())
    given = ("--plan", "plan.json", "--json")
    for options, search_bytes in ((within, 0), (given, MIB)):
        arguments = ("run", first16_file, "image.npy", *options, "run.json")
        fresh = str(tmp_path / "cache")
        assert ftdist_command(*arguments, folder=tmp_path, XDG_CACHE_HOME=fresh).status == 0
        ran = json.loads((tmp_path / "run.json").read_text())
        assert list(value) == list(ran)[:2] == ["plan", "predicted"]
        assert value["plan"] == ran["plan"]
        assert set(value["predicted"]) == set(ran["predicted"])
        assert set(value["predicted"]["parts"]) == set(ran["predicted"]["parts"])
        seconds = [each["predicted"]["latency_s"] for each in (value, ran)]
        assert seconds[0] == pytest.approx(seconds[1], rel=0.2)
        peaks = [each["predicted"]["peak_bytes"] for each in (value, ran)]
        assert -SPREAD_BYTES <= peaks[0] - peaks[1] <= SPREAD_BYTES + search_bytes


def test_a_plan_for_another_model_is_refused(
    things: Path, tmp_path: Path, refused: Refused
) -> None:
    planned(tmp_path, things / "chain.ftd", "--json", "plan.json")
    other = write_small_model(things / "other.ftd", CHAIN, seed=2)
    arguments = (other, "--plan", "plan.json")
    refused("plan", *arguments, words=("plan.json", "another model"))
    refused("run", other, things / "image.npy", "--plan", "plan.json", words=("another model",))
    assert table(planned(tmp_path, things / "chain.ftd", "--plan", "plan.json"))


def test_a_given_configuration_is_predicted(first16_file: Path, tmp_path: Path) -> None:
    lines = planned(tmp_path, first16_file, "--tiling", "3x3/8/2x2s4w", "--threads", 1)
    assert line_of(lines, "plan").startswith("3x3/8/2x2s4w, threads 1")
    assert [row[1:4] for row in table(lines)] == [["0..7", "3x3", "-"], ["8..15", "2x2", "4"]]
    assert heads(lines)[-1] == "search" and "%), peak " in line_of(lines, "search")
    assert any("tile 2,3 of 3x3" in line for line in lines)
    assert line_of(lines, "weights").startswith("streamed from the ")


def test_a_configuration_that_does_not_fit_is_printed_all_the_same(
    first16_file: Path, tmp_path: Path
) -> None:
    """Only a budget that was named is held against it."""
    arguments = ("plan", first16_file, "--tiling", "2x2", "--threads", 1, "--json", "plan.json")
    outcome = ftdist_command(*arguments, "--mem", "48M", folder=tmp_path)
    assert outcome.status == 3
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith("ftdist: the plan 2x2 does not fit 48.0 MiB (--mem): 2x2 needs ")
    lines = outcome.out.splitlines()
    assert "more than there is" in line_of(lines, "peak") and len(table(lines)) == 1
    value = json.loads((tmp_path / "plan.json").read_text())
    assert value["plan"]["notation"] == "2x2"
    needed = outcome.err.split(" needs ")[1].split(",")[0]
    assert 0 <= parse_size(needed) - value["predicted"]["peak_bytes"] <= SPREAD_BYTES + MIB
    assert planned(tmp_path, *arguments[1:], "--mem", needed)


def test_no_plan_fits(first16_file: Path, refused: Refused) -> None:
    words = ("no plan fits 33.0 MiB (--mem)", " needs ", "ms a frame")
    refused("plan", first16_file, "--mem", "33M", status=3, words=words)
    refused("plan", first16_file, "--mem", "33M", "--frontier", status=3, words=words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--mem", "lots"), ("'lots' is not a size",)),
        (("--threads", "0"), ("--threads", "'0'")),
        (("--tiling", "3x"), ("'3x'",)),
        (("--tiling", "33x1"), ("33x1", "32x32x7")),
        (("--tiling", "1x1", "--plan", "p.json"), ("not allowed with",)),
        (("--plan", "absent.json"), ("absent.json", "No such file")),
        (("--json", "absent/plan.json"), ("absent is not a folder",)),
        (("--plot", "plot.jpeg"), ("plot.jpeg", ".png")),
        (("--plot", "plot"), (".png",)),
        (("--plot", "absent/plot.png"), ("absent is not a folder",)),
        (("--output", "x"), ("--output",)),
    ],
)
def test_bad_options(
    things: Path, refused: Refused, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused("plan", things / "chain.ftd", *options, words=words)


def test_bad_models(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "m.ftd").write_text("no model")
    refused("plan", "m.ftd", words=("m.ftd", "not a model file"))
    refused("plan", "absent.ftd", words=("absent.ftd", "No such file"))


def test_a_full_disk_keeps_nothing_from_being_printed(things: Path, tmp_path: Path) -> None:
    limited = 'ulimit -f 0; trap "" XFSZ; exec "$@"'
    arguments = ("plan", things / "chain.ftd", "--json", "plan.json")
    outcome = in_shell(limited, *arguments, folder=tmp_path)
    assert outcome.status == 2
    assert outcome.err.startswith("ftdist: cannot write plan.json: ")
    assert heads(outcome.out.splitlines())[-6:] == SEARCHED
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def frontier(
    first16_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[str], dict[str, Any]]:
    """What `plan --frontier` prints and writes for the first sixteen layers."""
    folder = tmp_path_factory.mktemp("frontier")
    arguments = (first16_file, "--threads", 1, "--frontier", "--json", "plan.json")
    return planned(folder, *arguments), json.loads((folder / "plan.json").read_text())


def test_the_frontier_in_json(frontier: tuple[list[str], dict[str, Any]]) -> None:
    points = frontier[1]["frontier"]
    assert list(frontier[1]) == ["plan", "predicted", "frontier"]
    assert len(points) >= 5
    assert all(set(each) == {"peak_bytes", "latency_s", "notation"} for each in points)
    peaks, latencies = ([each[key] for each in points] for key in ("peak_bytes", "latency_s"))
    assert peaks == sorted(set(peaks))
    assert latencies == sorted(set(latencies), reverse=True)
    assert points[-1]["notation"] == frontier[1]["plan"]["notation"]
    assert points[-1]["peak_bytes"] == frontier[1]["predicted"]["peak_bytes"]


def test_the_frontier_as_a_table(frontier: tuple[list[str], dict[str, Any]]) -> None:
    lines, value = frontier
    at = next(n for n, line in enumerate(lines) if line.startswith("frontier "))
    assert lines[at].startswith(f"frontier   {len(value['frontier'])} plans, from the smallest")
    assert lines[at + 1].split() == ["peak", "MiB", "ms", "plan"]
    for line, point in zip(lines[at + 2 :], value["frontier"], strict=True):
        peak, ms, *mark, notation = line.split()
        assert float(peak) == pytest.approx(point["peak_bytes"] / MIB, abs=0.051)
        assert float(ms) == pytest.approx(point["latency_s"] * 1e3, abs=0.051)
        assert notation == point["notation"]
        assert mark == ["*"] * (notation == value["plan"]["notation"])


@pytest.mark.parametrize("end", [0, -1])
def test_the_ends_of_the_frontier_are_budgets_to_run_with(
    frontier: tuple[list[str], dict[str, Any]], first16_file: Path, tmp_path: Path, end: int
) -> None:
    point = frontier[1]["frontier"][end]
    size = point["peak_bytes"] + SPREAD_BYTES
    arguments = ("plan", first16_file, "--threads", 1, "--mem", size, "--json", "plan.json")
    assert ftdist_command(*arguments, folder=tmp_path).status == 0
    value = json.loads((tmp_path / "plan.json").read_text())
    assert value["predicted"]["latency_s"] <= point["latency_s"] * 1.001
    assert value["predicted"]["peak_bytes"] <= size


def outlook(path: Path, most_bytes: int = 30 * MIB) -> Outlook:
    limit, process = Budget(48 * MIB, "--mem"), ProcessMemory(30 * MIB, most_bytes)
    return Outlook(PlanProblem(load(path), limit, process=process))


def test_a_peak_that_is_not_the_plans_is_said(things: Path) -> None:
    view = outlook(things / "chain.ftd", most_bytes=47 * MIB)
    choice = view.fastest()
    peak = peak_moment(choice.model.network, choice.lowered)
    lines = forecast.alternative_lines(choice, peak, view, searched=True)
    assert "           set by what comes before or after the run, not by the plan" in lines


def test_plotting_by_command(first16_file: Path, tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image", reason="reading the plot needs Pillow")
    pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'ftdist[plot]'")
    lines = planned(tmp_path, first16_file, "--mem", "48M", "--threads", 1, "--plot", "plot.png")
    assert lines[-1] == "wrote      plot.png" and "frontier" in heads(lines)
    with images.open(tmp_path / "plot.png") as picture:
        assert picture.size[0] >= 1000 and len(picture.convert("RGB").getcolors(1 << 20)) > 50
