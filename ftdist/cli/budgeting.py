"""The budget of a command that keeps one; says where the control group allows less than --mem."""

from __future__ import annotations

from ftdist.cli.printing import complain
from ftdist.runtime.budget.limits import Budget, budget
from ftdist.runtime.choosing.anew import begun_anew


def agreed(mem: str | None) -> Budget:
    """The budget; one line on standard error when it is less than was asked for."""
    found = budget(mem)
    if found.warning is not None and not begun_anew():
        complain(f"ftdist: {found.warning}")
    return found
