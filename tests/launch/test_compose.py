"""The compose file and the image: well-formed, commands taken, limits no lower than --mem."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import Any

import pytest
from support.documented import LAUNCH, ROOT, parses
from support.plainyaml import read

from ftdist.runtime.budget.memory import parse_size


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read((LAUNCH / "compose.yaml").read_text())["services"]
    return found


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


@pytest.mark.parametrize(
    "text", ["a: 1\n  b: 2\n", "a\n", "a: 1\na: 2\n", "a: [1\n", "a: b: c\n", "a: {b: 1}\n"]
)
def test_the_reader_of_yaml_refuses_what_is_wrong(text: str) -> None:
    with pytest.raises(ValueError, match="is "):
        read(text)


def test_a_coordinator_and_two_workers(services: dict[str, dict[str, Any]]) -> None:
    kinds = {name: service["command"][0] for name, service in services.items()}
    assert kinds == {"coordinator": "coordinator", "one": "worker", "two": "worker"}
    for name, service in services.items():
        assert all(isinstance(word, str) for word in service["command"]), "numbers want quotes"
        parses(service["command"])
        if kinds[name] == "worker":
            assert option(service["command"], "--name") == name
            assert service["command"][1] == "tcp://coordinator:5555"
            assert service["depends_on"] == ["coordinator"]


def test_containers_are_held_to_no_less_than_their_budget(
    services: dict[str, dict[str, Any]],
) -> None:
    for service in services.values():
        assert parse_size(option(service["command"], "--mem")) <= parse_size(service["mem_limit"])
        assert service["memswap_limit"] == service["mem_limit"]


def test_keys_and_model_are_mounted_for_reading_only(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        mounts = dict(re.findall(r"(\S+?):(/\S+)", "\n".join(service["volumes"])))
        own = "" if name == "coordinator" else f"/{name}"
        assert mounts["${KEYS:-../keys}" + own] == "/keys:ro"
        assert option(service["command"], "--keys") == "/keys"
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"]


def test_volumes_of_workers_are_declared_and_where_models_are_kept() -> None:
    content = read((LAUNCH / "compose.yaml").read_text())
    image = (LAUNCH / "Dockerfile").read_text()
    assert "XDG_CACHE_HOME=/var/cache" in image and "mkdir -m 1777 /var/cache/ftdist" in image
    for name in content["volumes"]:
        assert f"{name}:/var/cache/ftdist" in content["services"][name]["volumes"]


def test_the_image_is_built_from_what_is_in_the_checkout() -> None:
    content = read((LAUNCH / "compose.yaml").read_text())
    build = content["services"]["coordinator"]["build"]
    context = (LAUNCH / build["context"]).resolve()
    assert context == ROOT and (context / build["dockerfile"]).is_file()
    first, second = (context / build["dockerfile"]).read_text().split("\nFROM ")[1:]
    assert first.startswith("python:3.11-slim AS build") and second.startswith("python:3.11-slim\n")
    assert "g++" in first and "g++" not in second
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", first, re.MULTILINE)
    names = [name for each in copied for name in each.split()]
    ignored = (context / f"{build['dockerfile']}.dockerignore").read_text().splitlines()
    assert {"ftdist", "pyproject.toml", "CMakeLists.txt"} <= set(names)
    for name in names:
        assert (context / name).exists() and f"!{name}" in ignored
    assert "*" in ignored and any(fnmatch("a/b.so", each) for each in ignored if each != "*")
