"""What the session of a run of several inputs holds between them, and what is left at the end."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ftdist.cli.files.frames import Frames


class Told:
    """A session, or a queue, that remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def rest(self) -> None:
        self.calls.append("rest")

    def close(self) -> None:
        self.calls.append("close")


@pytest.mark.parametrize(("keeps", "between"), [(True, []), (False, ["rest"])])
def test_memory_is_given_back_between_inputs_where_the_budget_needs_it(
    keeps: bool, between: list[str]
) -> None:
    session = Told()

    def at_end(latencies: list[float]) -> None:
        session.calls.append("report")

    with Frames(cast(Any, None), cast(Any, session), 1, at_end, keeps=keeps) as frames:
        frames.rest(over=False)
        assert session.calls == between
        frames.rest(over=True)
        assert session.calls == [*between, "close", "report"]
        frames.rest(over=True)
    assert session.calls == [*between, "close", "report"]
