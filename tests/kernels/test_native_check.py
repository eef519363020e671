"""The kernels against naive ones in C++ (tests/native), here and for aarch64 under emulation.

The program compares bits on each machine; here the machines are compared with each other: every
instruction set with fused multiply-add must give the same digest.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "native"
CASES = 3000
CROSS_COMPILER = "aarch64-linux-gnu-g++"
EMULATOR = "qemu-aarch64"
AARCH64 = (
    "-DCMAKE_SYSTEM_NAME=Linux",
    "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
    f"-DCMAKE_CXX_COMPILER={CROSS_COMPILER}",
    "-DCMAKE_EXE_LINKER_FLAGS=-static",
)
FUSED = re.compile(r"^(\w+): fused, (\d+) cases, (\d+) values, digest ([0-9a-f]{16})$", re.M)


def run(*command: str | Path) -> str:
    """What a command prints; fails with all of it when the command does."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def build(folder: Path, *options: str) -> Path:
    """The program check_kernels, built in `folder`."""
    run("cmake", "-S", SOURCE, "-B", folder, *options)
    run("cmake", "--build", folder, "--parallel", "2")
    return folder / "check_kernels"


def digests(printed: str) -> dict[str, str]:
    """The digest of each fused instruction set that ran all cases."""
    found = {}
    for name, cases, values, digest in FUSED.findall(printed):
        assert int(cases) == CASES
        assert int(values) > 100 * CASES
        found[name] = digest
    return found


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What check_kernels prints on this machine."""
    return run(build(tmp_path_factory.mktemp("native")), str(CASES))


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What check_kernels prints on an emulated aarch64 machine."""
    missing = [each for each in (CROSS_COMPILER, EMULATOR) if shutil.which(each) is None]
    if missing:
        reason = (
            f"THE KERNELS FOR aarch64 ARE NOT CHECKED: {' and '.join(missing)} missing "
            "(Debian: apt-get install g++-aarch64-linux-gnu qemu-user)"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    program = build(tmp_path_factory.mktemp("aarch64"), *AARCH64)
    return run(EMULATOR, program, str(CASES))


def test_kernels_equal_the_naive_ones(native: str) -> None:
    for name in digests(native):
        assert f"{name}: fused" in native
    assert re.search(r"^scalar: (not )?fused, ", native, re.M)
    assert re.search(r"^find_fault: \d{4,} mutants$", native, re.M)


def test_aarch64_kernels_equal_the_naive_ones(emulated: str) -> None:
    assert set(digests(emulated)) == {"neon", "scalar"}


def test_all_fused_instruction_sets_give_the_same_bits(native: str, emulated: str) -> None:
    found = {**digests(native), **{f"{n} (aarch64)": d for n, d in digests(emulated).items()}}
    assert len(set(found.values())) == 1, found
