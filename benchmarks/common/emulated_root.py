"""A Debian of aarch64 in a folder, where programs run by QEMU's user-mode emulation.

Its processes are this machine's own: they are seen in /proc, share the network, and are ended by
signals. Needs root, and binfmt_misc, by which the kernel hands programs of aarch64 to the emulator.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from common.debian_root import RootError, bootstrapped, host, needed

_BINFMT = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
_PACKAGES = ("python3", "python3-venv", "python3-pip")
_GUEST_END = 1 << 40
"""Below lie all addresses of a guest, which QEMU places from 0x5500000000 on, above its own."""

_ENVIRONMENT = {
    "PATH": "/opt/ftdist/bin:/usr/bin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
}


class Root:
    """Exists, with a wheel installed in it, within a `with` block; the folder stays."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self._folder = folder.resolve()
        self._debian = self._folder / "debian"  # before it is made, too
        self._wheel = wheel.resolve()

    def __enter__(self) -> Root:
        self._check()
        bootstrapped(self._folder, *_PACKAGES, architecture="arm64")
        (self._debian / "work").mkdir(exist_ok=True)
        host("mount", "-t", "proc", "proc", self._debian / "proc")
        try:
            self._install()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        host("umount", "--lazy", self._debian / "proc")

    def _check(self) -> None:
        tools = ("debootstrap", "qemu-aarch64-static")
        needed(*tools, packages="debootstrap qemu-user-static binfmt-support")
        if not _BINFMT.exists():
            raise RootError(
                f"{_BINFMT} is not there: mount -t binfmt_misc binfmt_misc {_BINFMT.parent}; "
                "update-binfmts --enable qemu-aarch64"
            )

    def _install(self) -> None:
        """Wheels are fetched by this machine's pip, which is quicker, for that machine."""
        wheels = self._debian / "wheels"
        shutil.rmtree(wheels, ignore_errors=True)
        shutil.rmtree(self._debian / "opt/ftdist", ignore_errors=True)
        platforms = [f"--platform=manylinux_2_{level}_aarch64" for level in (17, 26, 27, 28, 34)]
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
        target = ["--python-version=3.11", "--platform=manylinux2014_aarch64", *platforms]
        host(*fetch, *target, f"--dest={wheels}", f"{self._wheel}[image]")
        self.run("python3", "-m", "venv", "/opt/ftdist")
        without = ("--quiet", "--no-index", "--find-links=/wheels")
        self.run("/opt/ftdist/bin/pip", "install", *without, "ftdist[image]")

    def put(self, file: Path) -> str:
        """Copies a file into the root; its path there."""
        shutil.copyfile(file, self._debian / "work" / file.name)
        return f"/work/{file.name}"

    def get(self, name: str) -> Path:
        return self._debian / "work" / name

    def run(self, *words: str) -> str:
        """What a command there prints; RootError when it fails."""
        done = subprocess.run(
            self._command(words), env=_ENVIRONMENT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RootError(f"{words[0]} {words[1]} in the root: {done.stderr.strip()}")
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A command there, in the background."""
        return subprocess.Popen(self._command(words), env=_ENVIRONMENT, stderr=subprocess.DEVNULL)

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [shutil.which("chroot") or "chroot", str(self._debian), *words]

    def resident_bytes(self) -> int:
        """What the largest process in the root holds, the emulator's own pages left out."""
        return max((_guest_bytes(pid) for pid in self._processes()), default=0)

    def _processes(self) -> Iterator[int]:
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    inside = os.readlink(entry / "root") == str(self._debian)
                except OSError:  # it has ended
                    continue
                if inside:
                    yield int(entry.name)


def _guest_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps").read_text()
    except OSError:
        return 0
    total, below = 0, False
    for line in text.splitlines():
        if found := re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line):
            below = int(found[1], 16) < _GUEST_END
        elif below and line.startswith("Rss:"):
            total += int(line.split()[1]) << 10
    return total
