"""Which bands are found: whatever budget the smallest band plan needs is one that has a plan."""

from __future__ import annotations

from dataclasses import replace

from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Sliding
from ftdist.network.operators.windows import Convolution
from ftdist.planning.bands.search import BandProblem, FoundBands, fastest_bands, smallest_bands
from ftdist.runtime.measuring.profiles import SHIPPED


def problem_of(available_bytes: int) -> BandProblem:
    """A picture of 64 rows, each of which takes much beside the band."""
    builder = NetworkBuilder("wide", Shape(64, 48, 3))
    builder.add(Convolution(8, Sliding.square(3, padding=1)), [INPUT])
    builder.add(Convolution(3, Sliding.square(3, padding=1)), [0])
    network = builder.finish()
    return BandProblem(network, True, 2, SHIPPED.profile, available_bytes, lambda rows: rows << 20)


def needed(problem: BandProblem, found: FoundBands) -> int:
    return found.parts.peak_bytes + problem.beside_bytes(found.plan.rows)


def test_bands_lower_than_usual_are_found_where_no_others_fit() -> None:
    least = smallest_bands(problem_of(0))
    smallest = needed(problem_of(0), least)
    assert least.plan.rows == 1
    for budget in (smallest, smallest + (1 << 20), smallest + (6 << 20)):
        problem = problem_of(budget)
        found = fastest_bands(problem)
        assert found is not None
        assert needed(problem, found) <= budget
        assert found.plan.rows < 8
    assert fastest_bands(problem_of(smallest - 1)) is None


def test_the_highest_of_the_low_bands_that_fit_is_taken() -> None:
    smallest = needed(problem_of(0), smallest_bands(problem_of(0)))
    rows = []
    for more in (2, 4, 10):
        found = fastest_bands(problem_of(smallest + (more << 20)))
        assert found is not None
        rows.append(found.plan.rows)
    assert rows == [2, 4, 8]


def test_rows_that_are_gone_on_with_keep_their_arithmetic() -> None:
    problem = problem_of(0)
    smallest = needed(problem, smallest_bands(problem))
    asked = replace(problem, available_bytes=smallest + (1 << 20), arithmetic=())
    found = fastest_bands(asked)
    assert found is not None
    assert found.plan.steps.arithmetic == ()
