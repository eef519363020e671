"""What the doctor finds on machines that are none: folders with a few files of /proc and /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftdist.kernels.native import InstructionSet
from ftdist.planning.profile import DEFAULT
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.measuring import doctor
from ftdist.runtime.measuring.doctor import Finding
from ftdist.runtime.measuring.profiles import SHIPPED, Calibration

MEMINFO = "MemTotal:  {} kB\nMemFree:  1 kB\nMemAvailable:  {} kB\nHugePages_Total:  0\n"
SWAPS = "Filename\t\tType\t\tSize\t\tUsed\t\tPriority\n"
DAY_S = 86400


def machine(folder: Path, **files: str) -> Path:
    """A root folder with these files; a name's `__` stand for slashes, its `_` for dots."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def assert_is(found: Finding, state: str, *words: str) -> None:
    assert found.state == state, found
    for word in words:
        assert word in f"{found.value} {found.advice}", found
    assert "\n" not in f"{found}"


@pytest.mark.parametrize(
    ("total", "available", "state", "words"),
    [
        (1 << 20, 1 << 19, "ok", ("1024.0 MiB", "available 512.0 MiB")),
        (1 << 20, 1 << 15, "warn", ("32.0 MiB", "end other programs")),
    ],
)
def test_memory(
    tmp_path: Path, total: int, available: int, state: str, words: tuple[str, ...]
) -> None:
    root = machine(tmp_path, proc__meminfo=MEMINFO.format(total, available))
    assert_is(doctor.memory(root), state, *words)


@pytest.mark.parametrize(
    ("files", "state", "words"),
    [
        ({"sys__fs__cgroup__cgroup_controllers": "cpu memory"}, "ok", ("version 2, no limit",)),
        (
            {
                "sys__fs__cgroup__a__memory_max": str(64 * MIB),
                "sys__fs__cgroup__a__memory_current": str(5 * MIB),
            },
            "ok",
            ("version 2, limit 64.0 MiB, holds 5.0 MiB",),
        ),
        (
            {"sys__fs__cgroup__a__memory_max": str(16 * MIB)},
            "warn",
            ("limit 16.0 MiB", "raise the limit"),
        ),
        (
            {"sys__fs__cgroup__cgroup_controllers": "cpu io pids"},
            "warn",
            ("no memory controller", "a container's --memory is ignored", "cgroup_enable=memory"),
        ),
    ],
)
def test_control_groups(
    tmp_path: Path, files: dict[str, str], state: str, words: tuple[str, ...]
) -> None:
    root = machine(tmp_path, proc__self__cgroup="0::/a\n", **files)
    assert_is(doctor.control_groups(root), state, *words)


@pytest.mark.parametrize(
    ("lines", "state", "words"),
    [
        ("", "ok", ("none",)),
        ("/var/swap file 102400 0 -2\n", "ok", ("file 100.0 MiB, used 0.0 MiB",)),
        ("/dev/zram0 partition 204800 1024 100\n", "ok", ("zram 200.0 MiB, used 1.0 MiB",)),
        ("/var/swap file 102400 51200 -2\n", "warn", ("used 50.0 MiB", "end other programs")),
        (
            "/dev/zram0 partition 204800 0 100\n/dev/sda2 partition 1024 1024 -2\n",
            "ok",
            ("zram 200.0 MiB and partition 1.0 MiB, used 1.0 MiB",),
        ),
    ],
)
def test_swap(tmp_path: Path, lines: str, state: str, words: tuple[str, ...]) -> None:
    assert_is(doctor.swap(machine(tmp_path, proc__swaps=SWAPS + lines)), state, *words)


@pytest.mark.parametrize(
    ("setting", "state", "words"),
    [
        ("always [madvise] never\n", "ok", ("madvise",)),
        ("always madvise [never]\n", "ok", ("never",)),
        ("[always] madvise never\n", "warn", ("always", "echo madvise > /sys/kernel/mm/")),
    ],
)
def test_huge_pages(tmp_path: Path, setting: str, state: str, words: tuple[str, ...]) -> None:
    path = tmp_path / "sys/kernel/mm/transparent_hugepage/enabled"
    path.parent.mkdir(parents=True)
    path.write_text(setting)
    assert_is(doctor.huge_pages(tmp_path), state, *words)


AVX2 = InstructionSet("avx2", 8, True, 6, 6)
SSE2 = InstructionSet("sse2", 4, False, 4, 0)


@pytest.mark.parametrize(
    ("used", "best", "state", "words"),
    [
        (AVX2, AVX2, "ok", ("avx2, 8 lanes, with fused multiply-add",)),
        (SSE2, SSE2, "warn", ("without fused multiply-add", "differ in their last bits")),
        (SSE2, AVX2, "warn", ("sse2", "unset FTDIST_ISA: this machine has avx2")),
    ],
)
def test_instructions(
    used: InstructionSet, best: InstructionSet, state: str, words: tuple[str, ...]
) -> None:
    assert_is(doctor.instructions(used, best), state, *words)


@pytest.mark.parametrize(
    ("quota", "threads", "state", "words"),
    [
        ("max 100000", 3, "ok", ("4, usable 3, threads 3",)),
        ("250000 100000", 2, "ok", ("4, usable 3, granted the time of 2.5, threads 2",)),
        ("50000 100000", 1, "warn", ("granted the time of 0.5", "raise the quota")),
    ],
)
def test_processors(
    tmp_path: Path, quota: str, threads: int, state: str, words: tuple[str, ...]
) -> None:
    root = machine(tmp_path, proc__self__cgroup="0::/a\n", sys__fs__cgroup__a__cpu_max=quota)
    assert_is(doctor.processors(root, 4, 3, threads), state, *words)


def test_nothing_is_where_it_is_expected(tmp_path: Path) -> None:
    assert_is(doctor.memory(tmp_path), "warn", "unknown", "--mem")
    assert_is(doctor.control_groups(tmp_path), "warn", "no memory controller")
    assert_is(doctor.swap(tmp_path), "ok", "none")
    assert_is(doctor.huge_pages(tmp_path), "ok", "not there")
    assert_is(doctor.processors(tmp_path, 1, 1, 1), "ok", "1, usable 1, threads 1")


def test_nonsense_is_no_reason_to_fail(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        proc__meminfo="MemTotal: much kB\nMemAvailable\n\xff:\n",
        proc__swaps="head\n1 2 3\n/a file x y z\n",
        proc__self__cgroup="\n::\n0::\n",
    )
    assert_is(doctor.memory(root), "warn", "unknown")
    assert_is(doctor.swap(root), "ok", "none")
    assert_is(doctor.control_groups(root), "warn")


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (SHIPPED, "warn", ("none", "run 'ftdist calibrate'")),
        (Calibration(DEFAULT, note="x.json: damaged"), "warn", ("none x.json: damaged",)),
        (
            Calibration(DEFAULT, 0.0, 2),
            "ok",
            ("today: the profile of", "1970-01-01 with 2 threads"),
        ),
        (Calibration(DEFAULT, -1.0 * DAY_S, 2), "ok", ("1 day ago: ",)),
        (Calibration(DEFAULT, -9.5 * DAY_S, 2), "ok", ("9 days ago",)),
        (Calibration(DEFAULT, 9.5 * DAY_S, 2), "ok", ("today",)),
        (Calibration(DEFAULT, 0.0, 2, "x.json: damaged"), "warn", ("measured", "x.json")),
    ],
)
def test_calibration(found: Calibration, state: str, words: tuple[str, ...]) -> None:
    """Now is 1970: a board without a clock."""
    assert_is(doctor.calibration(found, 0.0), state, *words)


def test_disk() -> None:
    assert_is(doctor.disk("disk", Path("/a"), 300 * MIB), "ok", "300.0 MiB free in /a")
    assert_is(doctor.disk("disk", Path("/a"), 5 * MIB), "warn", "5.0 MiB", "make room")
    assert_is(doctor.disk("disk", Path("/a"), None), "warn", "/a", "cannot be written to")


def test_versions() -> None:
    assert_is(doctor.versions([("python", "3.11"), ("a", "1")]), "ok", "python 3.11, a 1")
    missing = doctor.versions([("python", "3.11"), ("Pillow", None)])
    assert_is(missing, "warn", "Pillow is missing: pip install 'ftdist[image]'")
