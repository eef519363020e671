"""Manual pages and completions: all commands and options are there; man and shells read them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ftdist.cli.main import main
from ftdist.cli.manual import commands_of, pages
from ftdist.cli.parser import make_parser

COMMANDS = commands_of(make_parser({}))


def test_every_command_has_a_page_with_all_its_options() -> None:
    found = pages()
    assert found.keys() == {"ftdist.1", *(f"ftdist-{name}.1" for name in COMMANDS)}
    for name, parser in COMMANDS.items():
        text = found[f"ftdist-{name}.1"].replace("\\-", "-")
        for action in parser._actions:
            assert all(f"\\fB{word}\\fR" in text for word in action.option_strings), name
        assert f".BR ftdist-{name} (1)" in found["ftdist.1"].replace("\\-", "-")


def test_man_reads_them_without_a_warning(tmp_path: Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("needs groff")
    for name, text in pages().items():
        (tmp_path / name).write_text(text)
    command = ["groff", "-man", "-ww", "-Kutf8", "-Tutf8", *map(str, sorted(tmp_path.glob("*.1")))]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    assert "'--keys keys'" in " ".join(done.stdout.split()), "lines are filled with spaces"


def completions(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    pytest.importorskip("shtab", reason="completion needs shtab")
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_read_by_their_shell(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = completions(shell, capsys)
    assert all(name in text for name in COMMANDS) and "exact-direct" in text
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here to read it")
    (tmp_path / "text").write_text(text)
    subprocess.run([shell, "-n", tmp_path / "text"], check=True)


COMPLETE = """
source ./text
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_shtab_ftdist "" "${!#}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_bash_completes_commands_options_and_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "text").write_text(completions("bash", capsys))
    (tmp_path / "net.ftd").touch()

    def completed(*words: str) -> list[str]:
        command = ["bash", "-c", COMPLETE, "bash", "ftdist", *words]
        done = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, text=True)
        return done.stdout.split()

    assert completed("coo") == ["coordinator"]
    assert completed("worker", "--cache-s") == ["--cache-size"]
    assert "net.ftd" in completed("run", "ne")
    assert completed("completion", "fi") == ["fish"]


def test_fish_completes_commands_options_and_values(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = completions("fish", capsys)
    if shutil.which("fish") is None:
        pytest.skip("fish is not here to read it")
    (tmp_path / "ftdist.fish").write_text(text)

    def completed(line: str) -> list[str]:
        script = f"source ftdist.fish; complete -C'{line}'"
        places = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
        done = subprocess.run(
            ["fish", "-c", script],
            capture_output=True,
            check=True,
            cwd=tmp_path,
            env={**os.environ, **places},
            text=True,
        )
        return [each.split("\t")[0] for each in done.stdout.splitlines()]

    assert completed("ftdist coo") == ["coordinator"]
    assert completed("ftdist worker --cache-s") == ["--cache-size"]
    assert set(completed("ftdist run --kernels ")) == {"native", "reference"}


def test_zsh_finds_the_completion_in_its_folders(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = completions("zsh", capsys)
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not here to read it")
    (tmp_path / "_ftdist").write_text(text)
    script = "fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; echo $_comps[ftdist]"
    done = subprocess.run(
        ["zsh", "-fc", script], capture_output=True, check=True, cwd=tmp_path, text=True
    )
    assert done.stdout.split() == ["_ftdist"]


def test_without_shtab_it_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    line = "ftdist: completion needs shtab: pip install 'ftdist[completion]'\n"
    assert capsys.readouterr().err == line
