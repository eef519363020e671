"""Every command that the README, the settings and the launch files show is one that would run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.documented import CLUSTERS, LAUNCH, ROOT, commands, parses

from ftdist.cli.config import defaults_of, read_config
from ftdist.cli.parser import make_parser

FILES = sorted(path for path in LAUNCH.rglob("*") if path.is_file() and path.suffix != ".pyc")
SCRIPTS = [path for path in FILES if path.read_bytes().startswith(b"#!/usr/bin/env bash")]


def test_commands_of_the_readme_are_taken() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    found = list(commands(line for line in lines if line.startswith("    ftdist ")))
    assert {each[0] for each in found} >= {
        *("import", "run", "plan", "show", "calibrate", "doctor"),
        *("keygen", "coordinator", "worker", "submit", "status"),
    }
    for each in found:
        parses(each)


@pytest.mark.parametrize("path", CLUSTERS, ids=lambda path: path.stem)
def test_a_clusters_settings_are_read_and_its_commands_taken(path: Path) -> None:
    config = read_config(path)
    assert config.model.file and config.coordinator.listen and config.security.keys
    lines = path.read_text().splitlines()
    found = list(commands(line for line in lines if line.startswith("#")))
    assert {each[0] for each in found} >= {"coordinator", "worker"}
    for each in found:
        assert path.name in each
        parses(each, path.parent)


def test_settings_give_every_command_what_it_must_have() -> None:
    assert [path.stem for path in CLUSTERS] == ["six", "three-mixed", "two"]
    for path in CLUSTERS:
        config = read_config(path)
        parser = make_parser(defaults_of(config))
        for words in (["worker"], ["status"]):
            assert parser.parse_args(words).address == config.coordinator.address
        assert parser.parse_args(["submit", "x.jpg", "-o", "o"]).to == config.coordinator.address
        assert parser.parse_args(["coordinator"]).model == config.model.file


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_commands_in_comments_of_launch_files_are_taken(path: Path) -> None:
    for each in commands(line for line in path.read_text().splitlines() if line[:1] == "#"):
        parses(each)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_bash_and_may_be_executed(path: Path) -> None:
    assert path.stat().st_mode & 0o111
    done = subprocess.run(["bash", "-n", path], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")
