"""Python and C++ declare the format of programs once each: a difference is named at import."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ftdist.errors import FtdistError
from ftdist.kernels import _native
from ftdist.kernels.native import check_agreement
from ftdist.kernels.program import OPERATIONS


def compiled(**changes: Any) -> SimpleNamespace:
    """The compiled declarations, some of them changed."""
    names = ("OPERATIONS", "ACTIVATIONS", "KINDS", "STRUCTS", "CONSTANTS")
    return SimpleNamespace(**{**{name: getattr(_native, name) for name in names}, **changes})


def swapped(values: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    found = list(values)
    found[index], found[index + 1] = found[index + 1], found[index]
    return tuple(found)


def test_the_compiled_kernels_agree() -> None:
    check_agreement(compiled())


def test_a_missing_or_foreign_operation_is_named() -> None:
    for names in (OPERATIONS[:-1], (*OPERATIONS, "zoom"), swapped(OPERATIONS, 3)):
        with pytest.raises(FtdistError, match=r"their operations have \w+ where this ftdist has"):
            check_agreement(compiled(OPERATIONS=names))


def test_activations_in_another_order_are_named() -> None:
    with pytest.raises(FtdistError, match="activations have relu where this ftdist has leaky"):
        check_agreement(compiled(ACTIVATIONS=swapped(_native.ACTIVATIONS, 1)))


@pytest.mark.parametrize("family", sorted(_native.KINDS))
def test_functions_of_a_family_in_another_order_are_named(family: str) -> None:
    changed = {**_native.KINDS, family: swapped(_native.KINDS[family], 0)}
    with pytest.raises(FtdistError, match=f"their {family} have"):
        check_agreement(compiled(KINDS=changed))


@pytest.mark.parametrize("struct", sorted(_native.STRUCTS))
def test_each_field_counts_with_name_place_and_size(struct: str) -> None:
    fields = _native.STRUCTS[struct]
    for number, (name, at, size) in enumerate(fields):
        for other in ((name + "x", at, size), (name, at + 4, size), (name, at, size + 4)):
            changed = {**_native.STRUCTS, struct: (*fields[:number], other, *fields[number + 1 :])}
            with pytest.raises(FtdistError, match=f"fields of {struct}"):
                check_agreement(compiled(STRUCTS=changed))


@pytest.mark.parametrize("name", sorted(_native.CONSTANTS))
def test_each_constant_counts(name: str) -> None:
    known = dict(_native.CONSTANTS)
    changed = {**known, name: known[name] + 1}
    with pytest.raises(FtdistError, match=f"their {name} have"):
        check_agreement(compiled(CONSTANTS=changed))
