"""What a layer promises not to touch, it does not even import; and who may print and exit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ftdist

PACKAGE = Path(ftdist.__file__).parent
MACHINE = frozenset(
    {
        *("asyncio", "ctypes", "datetime", "fcntl", "io", "logging", "mmap", "multiprocessing"),
        *("os", "pathlib", "platform", "resource", "secrets", "select", "shutil", "signal"),
        *("socket", "subprocess", "sys", "tempfile", "threading", "time", "uuid", "zmq"),
    }
)
"""Modules by which one reaches a clock, a file, the environment, a socket or a device."""


def trees(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text())


def imported(tree: ast.Module) -> set[str]:
    """The top names of all modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def called(tree: ast.Module) -> set[str]:
    """The names of all functions that a file calls, as written."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


@pytest.mark.parametrize("folder", ["planning", "coordinator", "protocol"])
def test_neither_clock_nor_file_nor_socket(folder: str) -> None:
    """Planning is a function of values; the coordinator gets events and the time as arguments."""
    files = dict(trees(PACKAGE / folder))
    assert len(files) > 5
    for path, tree in files.items():
        assert not imported(tree) & MACHINE, path
        assert "open" not in called(tree), path


def test_planning_rolls_no_dice_without_a_seed() -> None:
    seeded = 0
    for path, tree in trees(PACKAGE / "planning"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert all(each.name != "random" for each in node.names), path
            if isinstance(node, ast.ImportFrom) and node.module == "random":
                assert [each.name for each in node.names] == ["Random"], path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Random":
                assert node.args, path
                seeded += 1
        assert not any(name.startswith("np.random.") for name in called(tree)), path
    assert seeded


def test_only_the_command_line_prints_and_exits() -> None:
    ends = {"print", "exit", "quit", "sys.exit", "os._exit", "input"}
    for path, tree in trees(PACKAGE):
        if PACKAGE / "cli" not in path.parents:
            found = called(tree) & ends
            where = str(path.relative_to(PACKAGE))
            assert found <= MAY_END.get(where, set()), f"{where}: {found}"


MAY_END = {
    "__main__.py": {"sys.exit"},
    "cluster/server/announcer.py": {"os._exit"},
    "cluster/server/planner.py": {"os._exit"},
    "page/process.py": {"os._exit"},
    "runtime/forked.py": {"os._exit"},
}
"""Forked children end without tidying up what is their parent's."""
