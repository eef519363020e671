"""Which arithmetics are tried, and that the fastest plan of all of them is taken."""

from __future__ import annotations

import pytest

from ftdist.network import architectures
from ftdist.planning.plan import parse_notation
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import AnySearch, arithmetics
from ftdist.planning.search.search import Search

MIB = 1 << 20


@pytest.fixture(scope="module")
def network():
    return architectures.load("yolov2-first16").network


def test_direct_kernels_are_always_tried_and_nothing_else_is_where_nothing_suits(network) -> None:
    tried = arithmetics(network, DEFAULT)
    assert tried[-1] == () and len(set(tried)) == len(tried) > 1
    assert {number for number, _ in tried[0]} == {2, 4, 6, 8, 10, 12, 14}
    assert arithmetics(network.until(0), DEFAULT) == ((),)


def test_no_plan_is_slower_than_that_of_direct_kernels_or_larger_than_asked(network) -> None:
    direct = Search(network, 1, DEFAULT)
    every = AnySearch(network, 1, DEFAULT, arithmetics(network, DEFAULT))
    chosen = set()
    for available in (None, 64 * MIB, 36 * MIB, 20 * MIB, 10 * MIB, 5 * MIB):
        plain, found = direct.fastest(available), every.fastest(available)
        assert plain is not None and found is not None
        assert found.bound_s <= found.seconds <= plain.seconds
        assert available is None or found.peak_bytes <= available
        assert parse_notation(found.plan.notation, network) == found.plan
        chosen.add(found.plan.arithmetic)
    assert len(chosen) > 1, "the budget decides on the arithmetic too"
    assert every.smallest().peak_bytes == direct.smallest().peak_bytes
