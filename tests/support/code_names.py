"""Names of the code as documents write them."""

from __future__ import annotations

import importlib

import pytest


def found(word: str) -> object:
    """What `folder.module.Name` names; fails when there is no such thing."""
    parts = word.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(["ftdist", *parts[:count]]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            fields = getattr(value, "__dataclass_fields__", {})
            assert hasattr(value, name) or name in fields, f"there is no {word}"
            value = getattr(value, name, None)
        return value
    pytest.fail(f"there is no {word}")
