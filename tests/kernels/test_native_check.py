"""The kernels against naive ones in C++ (tests/native), here and for aarch64 under emulation.

The program compares bits on each machine; here the machines are compared with each other: every
instruction set with fused multiply-add must give the same digest, and the bits of programs that
were recorded here, which hold every operation.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from support.recording import record

from ftdist.kernels.native import chosen

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
REPLAYED = re.compile(r"^(\w+): (\d+) programs, \d+ values, 0 programs differ$", re.M)
LEAST_PROGRAMS = 200
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
    """The programs check_kernels and replay, built in `folder`."""
    run("cmake", "-S", SOURCE, "-B", folder, *options)
    run("cmake", "--build", folder, "--parallel", "2")
    return folder


def digests(printed: str) -> dict[str, str]:
    """The digest of each fused instruction set that ran all cases."""
    found = {}
    for name, cases, values, digest in FUSED.findall(printed):
        assert int(cases) == CASES
        assert int(values) > 100 * CASES
        found[name] = digest
    return found


def compiled() -> list[str]:
    """Options that name the library of which launch/test made the module; none without one.

    It is what the program links, and takes a minute to compile. What changed since is compiled.
    """
    folder = Path(sys.prefix, "build")
    cache = folder / "CMakeCache.txt"
    root = f"CMAKE_HOME_DIRECTORY:INTERNAL={SOURCE.parents[1]}\n"
    if not cache.is_file() or root not in cache.read_text():
        return []
    run("cmake", "--build", folder, "--target", "ftdist_kernels")
    library = folder / "libftdist_kernels.a"
    return [f"-DKERNELS={library}"] if library.is_file() else []


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("native"), *compiled())


@pytest.fixture(scope="session")
def aarch64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [each for each in (CROSS_COMPILER, EMULATOR) if shutil.which(each) is None]
    if missing:
        reason = (
            f"THE KERNELS FOR aarch64 ARE NOT CHECKED: {' and '.join(missing)} missing "
            "(Debian: apt-get install g++-aarch64-linux-gnu qemu-user)"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return build(tmp_path_factory.mktemp("aarch64"), *AARCH64)


@pytest.fixture(scope="session")
def native(here: Path) -> str:
    """What check_kernels prints on this machine."""
    return run(here / "check_kernels", str(CASES))


@pytest.fixture(scope="session")
def emulated(aarch64: Path) -> str:
    """What check_kernels prints on an emulated aarch64 machine."""
    return run(EMULATOR, aarch64 / "check_kernels", str(CASES))


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of all operations, recorded with what the best instruction set made of them."""
    if not chosen().fused:
        pytest.skip("programs are recorded with fused multiply-add, which this machine lacks")
    folder = tmp_path_factory.mktemp("recording")
    record(folder / "programs", folder)
    return folder / "programs"


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


def test_recorded_programs_give_the_same_bits_on_all_fused_instruction_sets(
    here: Path, recording: Path
) -> None:
    assert REPLAYED.findall(run(here / "replay", recording))


def test_recorded_programs_give_the_same_bits_on_aarch64(aarch64: Path, recording: Path) -> None:
    found = dict(REPLAYED.findall(run(EMULATOR, aarch64 / "replay", recording)))
    assert found.keys() == {"neon", "scalar"} and min(map(int, found.values())) > LEAST_PROGRAMS
