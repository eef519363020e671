"""What is built, for which machine, and from which files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from pathlib import Path

import pytest
from support.documented import ROOT

SOURCES = ROOT / "ftdist" / "kernels" / "src"
TARGET = SOURCES / "target.cmake"
LITTLE = "__BYTE_ORDER__ __ORDER_LITTLE_ENDIAN__"
BIG = "__BYTE_ORDER__ __ORDER_BIG_ENDIAN__"

COMPILERS = {
    "Debian amd64": (["__x86_64__ 1", "__SIZEOF_POINTER__ 8", LITTLE], "x86"),
    "Raspberry Pi OS, 64-bit": (["__aarch64__ 1", "__SIZEOF_POINTER__ 8", LITTLE], "neon"),
    "riscv64": (["__riscv 1", "__SIZEOF_POINTER__ 8", LITTLE], "other"),
    "Raspberry Pi OS, 32-bit": (["__arm__ 1", "__SIZEOF_POINTER__ 4", LITTLE], "64-bit system"),
    "Debian i386": (["__i386__ 1", "__SIZEOF_POINTER__ 4", LITTLE], "64-bit system"),
    "x32": (["__x86_64__ 1", "__SIZEOF_POINTER__ 4", LITTLE], "64-bit system"),
    "s390x": (["__s390x__ 1", "__SIZEOF_POINTER__ 8", BIG], "little-endian system"),
}
"""By system: what its compiler defines, and the target, or what the refusal says is needed."""


def cmake(script: Path, *options: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    return subprocess.run(
        ["cmake", *options, "-P", str(script)],
        capture_output=True,
        check=False,
        env={**os.environ, "PATH": path},
        text=True,
    )


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Says what the target is."""
    path = tmp_path / "say.cmake"
    path.write_text(f'include({TARGET})\nmessage("target: ${{FTDIST_TARGET}}")\n')
    return path


@pytest.mark.parametrize("system", COMPILERS)
def test_the_target_is_the_compilers_not_the_kernels(
    script: Path, tmp_path: Path, system: str
) -> None:
    macros, expected = COMPILERS[system]
    compiler = tmp_path / "c++"
    defined = "".join(f"#define {each}\n" for each in macros)
    compiler.write_text(f"#!/bin/sh\ncat <<'END'\n#define __ELF__ 1\n{defined}END\n")
    compiler.chmod(0o755)
    done = cmake(script, f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_SYSTEM_PROCESSOR=aarch64")
    if " " not in expected:
        assert (done.returncode, done.stderr) == (0, f"target: {expected}\n")
        return
    assert done.returncode != 0
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("   "))
    assert f"ftdist needs a {expected}" in line and str(compiler) in line


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only there -m32 is a flag")
def test_the_flags_of_a_compiler_count(script: Path) -> None:
    compiler = f"-DCMAKE_CXX_COMPILER={shutil.which('c++')}"
    assert cmake(script, compiler).stderr == "target: x86\n"
    done = cmake(script, compiler, "-DCMAKE_CXX_FLAGS=-O2 -m32")
    assert done.returncode != 0 and "builds for 32 bits" in done.stderr


def test_users_compilers_may_warn_and_ours_may_not() -> None:
    """Other compilers warn of other things; nobody's installation ends at that."""
    for path in (ROOT / "CMakeLists.txt", SOURCES / "kernels.cmake"):
        lines = [line for line in path.read_text().splitlines() if "-Werror" in line]
        assert lines in ([], ["  list(APPEND KERNEL_WARNINGS -Werror)"])
    assert 'option(FTDIST_WERROR "' in (SOURCES / "kernels.cmake").read_text()
    assert "--config-settings cmake.define.FTDIST_WERROR=ON" in (ROOT / "launch/test").read_text()


def test_the_archive_of_sources_is_what_it_takes_to_build(tmp_path: Path) -> None:
    """Nothing else that lies about in a checkout: environments, build folders, models."""
    pytest.importorskip("scikit_build_core", reason="needs scikit-build-core, which builds it")
    tree = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(ROOT / "ftdist", tree / "ftdist", ignore=ignored)
    for name in ("CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tree / name)
    wanted = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    for stray in (
        "venv/lib/python3/site-packages/numpy/LICENSE",
        ".venv-test/lib/nanobind/CMakeLists.txt",
        "env/ftdist/x.py",
        "build/CMakeLists.txt",
        "photos/README.md",
        "ftdist/kernels/_native.cpython-311-x86_64-linux-gnu.so",
        "ftdist/__pycache__/x.cpython-311.pyc",
        "net.ftd",
    ):
        (tree / stray).parent.mkdir(parents=True, exist_ok=True)
        (tree / stray).write_text("stray")
    program = "from scikit_build_core.build import build_sdist; build_sdist('dist')"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tree, capture_output=True)
    (archive,) = (tree / "dist").iterdir()
    with tarfile.open(archive) as found:
        names = {name.partition("/")[2] for name in found.getnames()}
        metadata = found.extractfile(next(n for n in found.getnames() if n.endswith("PKG-INFO")))
        assert metadata is not None
        text = metadata.read().decode()
    assert names == wanted | {"PKG-INFO"}
    assert "Description-Content-Type: text/markdown" in text and "# ftdist" in text


def test_the_image_of_containers_is_given_what_the_build_needs() -> None:
    """A file that pyproject.toml names is copied, and not ignored."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {"CMakeLists.txt", "pyproject.toml", project["readme"], *project["license-files"]}
    dockerfile = (ROOT / "launch/Dockerfile").read_text().splitlines()
    (copied,) = (line.split()[1:-1] for line in dockerfile if line.startswith("COPY pyproject"))
    assert set(copied) == needed
    allowed = (ROOT / "launch/Dockerfile.dockerignore").read_text().splitlines()
    assert needed <= {line.removeprefix("!") for line in allowed if line.startswith("!")}
