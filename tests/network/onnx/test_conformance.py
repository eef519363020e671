"""The onnx package's own tests, run by ftdist as a backend: those of listed operators pass.

What does not pass yet is in excluded.txt by reason; `python -m support.onnxconformance` in tests/
writes it again.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.onnxcases import Case, cases
from support.onnxconformance import NO_REASON, excluded, run_case

SHARES = 4
"""The tests are run in so many parts, so that processes can share them."""

LEAST_PASSING = 992
"""So many pass at least: a number that only grows."""


LEAST_COMPUTED = 215
"""So many in each share are computed by kernels, from inputs, not by folding constants alone."""


@pytest.fixture(autouse=True, scope="module")
def given_back() -> Iterator[None]:
    """The tests' networks take two GiB, which tests of budgets in this process would miss."""
    yield
    cases.cache_clear()
    gc.collect()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far


def by_share(share: int) -> list[Case]:
    return [case for at, case in enumerate(cases()) if at % SHARES == share]


@pytest.mark.parametrize("share", range(SHARES))
def test_tests_pass_unless_they_are_excluded_and_no_others(share: int) -> None:
    reasons = excluded()
    wrong = []
    computed = 0
    for case in by_share(share):
        way, fault = run_case(case)
        computed += way not in ("", "folded")
        if way and case.name in reasons:
            wrong.append(f"{case.name} passes: take it out of excluded.txt")
        if not way and case.name not in reasons:
            wrong.append(f"{case.name}: {fault}")
    assert not wrong, "\n".join(wrong)
    assert computed >= LEAST_COMPUTED


def test_what_is_excluded_exists_and_has_a_reason() -> None:
    reasons = excluded()
    names = {case.name for case in cases()}
    assert reasons.keys() <= names
    assert NO_REASON not in reasons.values()
    passing = len(names) - len(reasons)
    assert passing >= LEAST_PASSING, Counter(reasons.values())
