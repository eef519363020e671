"""The systemd units: their commands are taken, and the system's limit suits the budget."""

from __future__ import annotations

import re
import shlex

import pytest
from support.documented import LAUNCH, expanded, parses

from ftdist.runtime.budget.memory import parse_size

FOLDER = LAUNCH / "systemd"
Section = dict[str, list[str]]


def entries(text: str) -> dict[str, Section]:
    """A unit's sections: by key all its values, in order; a line that ends in \\ goes on."""
    found: dict[str, Section] = {}
    section: Section = {}
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals and re.fullmatch("[A-Za-z]+", key), line
            section.setdefault(key, []).append(value)
    return found


def settings() -> dict[str, str]:
    """The example of /etc/ftdist/ftdist.env."""
    lines = (FOLDER / "ftdist.env").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def environment(service: Section) -> dict[str, str]:
    """What the unit sets, and then the file of settings, which counts more."""
    own = dict(each.split("=", 1) for each in service["Environment"])
    return {**own, **settings()}


@pytest.fixture(params=["worker", "coordinator"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def service(name: str) -> Section:
    return entries((FOLDER / f"ftdist-{name}.service").read_text())["Service"]


@pytest.mark.parametrize("options", ["", "--threads 3"])
def test_what_a_unit_starts_is_taken(name: str, service: Section, options: str) -> None:
    (start,) = service["ExecStart"]
    values = environment(service)
    assert values[f"{name.upper()}_OPTIONS"] == ""
    program, *words = shlex.split(expanded(start, {**values, f"{name.upper()}_OPTIONS": options}))
    assert program == "/opt/ftdist/bin/ftdist" and words[0] == name
    assert words[-2 - len(options.split()) :][:2] == ["--keys", "/etc/ftdist/keys"]
    parses(words)


def test_the_systems_limit_is_no_lower_than_the_budget(service: Section) -> None:
    (limit,), swap = service["MemoryMax"], service["MemorySwapMax"]
    assert parse_size(environment(service)["MEM"]) <= parse_size(limit)
    assert swap == ["0"]
    assert "MEM" not in settings(), "it would count more than the unit's, beside the limit"


def test_a_unit_tells_how_to_install_it_and_where_its_files_are(name: str) -> None:
    text = (FOLDER / f"ftdist-{name}.service").read_text()
    comment = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    for each in (
        f"launch/systemd/ftdist-{name}.service",
        "launch/systemd/ftdist.env",
        f"enable --now ftdist-{name}",
        "/etc/ftdist/keys",
    ):
        assert each in comment
    assert (LAUNCH.parent / "launch/systemd/ftdist.env").is_file()


def test_the_cache_is_where_the_program_looks(service: Section) -> None:
    values = environment(service)
    assert f"{values['XDG_CACHE_HOME']}/ftdist" == f"/var/cache/{service['CacheDirectory'][0]}"
    assert service["ProtectSystem"] == ["strict"]
    # /proc/meminfo and /proc/cpuinfo would be hidden, and with them the machine's memory.
    assert "ProcSubset" not in service


def test_mistakes_that_stay_are_not_tried_again(service: Section) -> None:
    assert service["Restart"] == ["on-failure"]
    assert service["RestartPreventExitStatus"] == ["2 3"]
