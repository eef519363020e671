"""The budget: as named, or as the control groups and the machine leave it; no machine needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ftdist.errors import BudgetError, InputError
from ftdist.runtime import threads
from ftdist.runtime.budget import limits
from ftdist.runtime.budget.controlgroups import MemoryGroup, memory_group, processor_quota
from ftdist.runtime.budget.limits import Budget, available_bytes, budget

MIB = 1 << 20
V1_UNLIMITED = "9223372036854771712"


GroupIn = Callable[[str, dict[str, str]], MemoryGroup]
Around = Callable[[MemoryGroup, int], None]


@pytest.fixture
def group_in(tmp_path: Path) -> GroupIn:
    """What a tree of control groups means: what /proc/self/cgroup says, and the files."""

    def found(lines: str, files: dict[str, str]) -> MemoryGroup:
        return memory_group(machine_in(tmp_path, lines, files))

    return found


V1_CPU = "5:cpu,cpuacct:/a\n4:memory:/\n0::/\n"
V1 = "5:cpu,cpuacct:/a\n4:memory:{}\n1:name=systemd:/x\n0::/\n"


@pytest.mark.parametrize(
    ("lines", "files", "limit"),
    [
        # version 2: its own, a parent's, the lowest of all
        ("0::/a/b\n", {"a/b/memory.max": "5000"}, 5000),
        ("0::/a/b\n", {"a/b/memory.max": "5000", "a/memory.max": "4000"}, 4000),
        ("0::/a/b\n", {"a/b/memory.max": "4000", "a/memory.max": "5000"}, 4000),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "4000"}, 4000),
        ("0::/a/b\n", {"memory.max": "3000"}, 3000),
        ("0::/\n", {"memory.max": "3000"}, 3000),
        ("0::/a/b\n", {"a/b/memory.max": "max"}, None),
        ("0::/a/b\n", {}, None),
        ("0::/a b:c\n", {"a b:c/memory.max": "5000"}, 5000),
        ("0::/a\n", {"a/memory.max": "max", "a/memory.high": "4500"}, 4500),
        ("0::/../a\n", {"memory.max": "5000"}, 5000),
        # version 1: the memory controller's tree only
        (V1.format("/a/b"), {"memory/a/b/memory.limit_in_bytes": "7000"}, 7000),
        (
            V1.format("/a/b"),
            {
                "memory/a/b/memory.limit_in_bytes": V1_UNLIMITED,
                "memory/a/memory.limit_in_bytes": "6000",
                "memory/memory.limit_in_bytes": V1_UNLIMITED,
            },
            6000,
        ),
        (V1.format("/"), {"memory/memory.limit_in_bytes": V1_UNLIMITED}, None),
        (V1.format("/a"), {"cpu,cpuacct/a/memory.limit_in_bytes": "1"}, None),
        ("4:cpu,memory:/a\n", {"memory/a/memory.limit_in_bytes": "7000"}, 7000),
        # in a container the path is the host's, and only the root of the tree is there
        (V1.format("/docker/1f"), {"memory/memory.limit_in_bytes": "8000"}, 8000),
        # both versions side by side
        (
            V1.format("/a"),
            {"memory/a/memory.limit_in_bytes": "7000", "memory.max": "6500"},
            6500,
        ),
        ("0::/a\n", {"unified/a/memory.max": "5000", "a/memory.max": "1"}, 5000),
        # nothing to go by
        ("", {}, None),
        ("nonsense\n0:\n", {"memory.max": "1"}, None),
        ("3:cpuset:/\n", {"memory.max": "1"}, None),
        ("0::/a\n", {"a/memory.max": "nonsense"}, None),
        ("0::/a\n", {"a/memory.max": ""}, None),
        ("0::/a\n", {"a/memory.max": "-1"}, None),
    ],
)
def test_the_lowest_limit_of_the_group_and_its_parents(
    group_in: GroupIn, lines: str, files: dict[str, str], limit: int | None
) -> None:
    assert group_in(lines, files).limit_bytes == limit


def test_limits_outside_the_tree_are_not_read(group_in: GroupIn, tmp_path: Path) -> None:
    (tmp_path / "sys/fs").mkdir(parents=True)
    (tmp_path / "sys/fs/memory.max").write_text("1")
    assert group_in("0::/a\n", {"a/memory.max": "5000"}).limit_bytes == 5000


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert memory_group(tmp_path) == MemoryGroup(None)


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        (V1.format("/a"), {"memory/a/memory.usage_in_bytes": "70"}, MemoryGroup(1, None, 70)),
        ("0::/a\n", {"cgroup.controllers": "cpu memory pids"}, MemoryGroup(2)),
        ("0::/a\n", {"a/memory.max": "90", "a/memory.current": "70"}, MemoryGroup(2, 90, 70)),
        # Raspberry Pi OS: control groups are there, the one of memory is not
        ("0::/a\n", {"cgroup.controllers": "cpuset cpu io pids"}, MemoryGroup(None)),
        # version 1 has the memory, the other tree something else
        (V1.format("/a"), {"unified/cgroup.controllers": ""}, MemoryGroup(1)),
    ],
)
def test_which_control_groups_count_memory(
    group_in: GroupIn, lines: str, files: dict[str, str], expected: MemoryGroup
) -> None:
    assert group_in(lines, files) == expected


def machine_in(folder: Path, lines: str, files: dict[str, str]) -> Path:
    """A root folder with what /proc/self/cgroup says, and the files of its trees."""
    for name, content in files.items():
        path = folder / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(lines)
    return folder


@pytest.mark.parametrize(
    ("lines", "files", "quota"),
    [
        ("0::/a\n", {"a/cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5),
        ("0::/a\n", {"a/cpu.max": "max 100000"}, None),
        (V1_CPU, {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, None),
        (V1_CPU, {"cpu/a/cpu.cfs_quota_us": "200000", "cpu/a/cpu.cfs_period_us": "100000"}, 2),
        (V1_CPU, {"cpu/a/cpu.cfs_quota_us": "200000", "cpu/a/cpu.cfs_period_us": "0"}, None),
        ("0::/a\n", {"a/cpu.max": "nonsense"}, None),
        ("", {}, None),
    ],
)
def test_the_lowest_quota_of_processors(
    tmp_path: Path, lines: str, files: dict[str, str], quota: float | None
) -> None:
    assert processor_quota(machine_in(tmp_path, lines, files)) == quota


@pytest.mark.parametrize(("quota", "count"), [(None, 4), (8.0, 4), (2.9, 2), (0.3, 1)])
def test_as_many_threads_as_processors_are_granted(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, count: int
) -> None:
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {0, 2, 3, 5})
    monkeypatch.setattr(threads, "processor_quota", lambda: quota)
    assert threads.default_threads() == count


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Around:
    """Sets what surrounds the process: a control group, and a machine's available memory."""

    def set_(group: MemoryGroup, machine: int) -> None:
        monkeypatch.setattr(limits, "memory_group", lambda: group)
        monkeypatch.setattr(limits, "available_bytes", lambda: machine)

    return set_


@pytest.mark.parametrize(
    ("mem", "expected"), [("64M", 64 * MIB), (" 1.5k ", 1536), (12345, 12345), (1, 1)]
)
def test_a_named_budget_is_taken_as_it_is(mem: str | int, expected: int) -> None:
    found = budget(mem)
    assert (found.bytes, found.origin) == (expected, "--mem")


@pytest.mark.parametrize("mem", ["", "0", "lots", 0, -64])
def test_a_named_budget_that_is_none_is_refused(mem: str | int) -> None:
    with pytest.raises(InputError):
        budget(mem)


NOTHING = "no control-group limit: only ftdist keeps it"
OFF = NOTHING + " (memory control groups are off: a container's --memory is ignored)"
GROUP = "enforced by the control group at "
HIGHER = "only ftdist keeps it: the control group allows "


@pytest.mark.parametrize(
    ("group", "machine", "origin", "keeper"),
    [
        (
            MemoryGroup(2, 100 * MIB),
            1000 * MIB,
            "control group limit, less 10%",
            GROUP + "100.0 MiB",
        ),
        (
            MemoryGroup(1, 1000 * MIB),
            100 * MIB,
            "available memory, less 10%",
            HIGHER + "1000.0 MiB",
        ),
        (MemoryGroup(1), 100 * MIB, "available memory, less 10%", NOTHING),
        (
            MemoryGroup(None),
            100 * MIB,
            "available memory, less 10%",
            OFF,
        ),
    ],
)
def test_an_unnamed_budget_is_what_is_least_with_a_margin(
    around: Around, group: MemoryGroup, machine: int, origin: str, keeper: str
) -> None:
    around(group, machine)
    assert budget(None) == Budget(90 * MIB, origin, keeper, 10 * MIB)


@pytest.mark.parametrize(
    ("group", "keeper"),
    [
        (MemoryGroup(2), NOTHING),
        (MemoryGroup(None), OFF),
        (MemoryGroup(2, 65 * MIB), HIGHER + "65.0 MiB"),
        (MemoryGroup(2, 64 * MIB), GROUP + "64.0 MiB"),
        (MemoryGroup(2, 48 * MIB), GROUP + "48.0 MiB"),
    ],
)
def test_a_named_budget_is_enforced_by_a_limit_at_or_below_it(
    around: Around, group: MemoryGroup, keeper: str
) -> None:
    around(group, 1000 * MIB)
    assert budget("64M").keeper == keeper


@pytest.mark.parametrize("version", [1, 2])
def test_a_budget_is_never_above_the_control_groups_limit(around: Around, version: int) -> None:
    around(MemoryGroup(version, 48 * MIB), 1000 * MIB)
    found = budget("64M")
    assert (found.bytes, found.origin) == (48 * MIB, "control group limit")
    assert found.warning is not None
    assert "allows 48.0 MiB, less than --mem (64.0 MiB)" in found.warning
    assert budget(64 * MIB) == found
    assert budget("48M").warning is budget("47M").warning is budget(None).warning is None


@pytest.mark.parametrize(
    ("mem", "words"),
    [
        ("64", "--mem 64 is 64 bytes, too little for anything: was 64M meant?"),
        (" 512 ", "was 512M meant?"),
        ("0.5M", None),
        ("1048575", "is 1048575 bytes, too little for anything; write a unit, as 64M"),
        ("1048576", None),
        ("64B", None),
    ],
)
def test_a_size_without_a_unit_that_is_absurdly_small_is_asked_about(
    mem: str, words: str | None
) -> None:
    if words is None:
        assert budget(mem).bytes > 0
        return
    for ask in (budget, limits.refuse_hopeless):
        with pytest.raises(InputError, match=re.escape(words)):
            ask(mem)


@pytest.mark.parametrize(
    ("group", "mem", "origin"),
    [
        (None, "28M", "(--mem)"),
        (None, "29M", None),
        (None, None, None),
        (28 * MIB, None, "(the control group's limit)"),
        (28 * MIB, "64M", "(the control group's limit)"),
        (29 * MIB, "64M", None),
        (29 * MIB, "20M", "(--mem)"),
    ],
)
def test_what_the_interpreter_alone_exceeds_is_refused(
    around: Around, group: int | None, mem: str | None, origin: str | None
) -> None:
    around(MemoryGroup(2, group), 1000 * MIB)
    if origin is None:
        limits.refuse_hopeless(mem)
        return
    with pytest.raises(BudgetError, match=re.escape(origin)):
        limits.refuse_hopeless(mem)


def test_what_is_left_beside_a_budget_holds_files(around: Around) -> None:
    around(MemoryGroup(1), 1000 * MIB)
    assert budget("64M").cache_bytes == 936 * MIB
    around(MemoryGroup(1, 100 * MIB), 1000 * MIB)
    assert budget("64M").cache_bytes == 36 * MIB
    around(MemoryGroup(1, 32 * MIB), 1000 * MIB)
    assert budget("64M").cache_bytes == 0


def test_this_machine_has_some_memory() -> None:
    assert 8 * MIB < available_bytes() < 1 << 50
