"""launch/systemd as on a board: a Debian that is booted, with systemd and version 2 control groups.

A virtual machine of 1 GiB starts from a Debian made for it. In it both units are installed by the
lines at their tops, from the wheel, and the system starts them; a picture goes through, a killed
worker comes back, a budget that is too small is not tried again, and runs are held to the limits of
control groups. What each step says is printed. ::

    sudo python benchmarks/booted.py dist/*cp311*x86_64.whl [--folder FOLDER] [--kvm]

Needs root, and Debian's debootstrap and qemu-system-x86. The Debian is made once, in two minutes,
and kept. Emulated, as it is without `--kvm`, the machine takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from common.debian_root import RootError, bootstrapped, host, needed, overlaid

ROOT = Path(__file__).resolve().parents[1]
KVM = ("-accel", "kvm", "-cpu", "host")
EMULATED = ("-accel", "tcg,thread=multi", "-cpu", "max")
GUEST = Path(__file__).with_name("booted_guest")
WAIT_S = 3600.0
_PACKAGES = (
    *("systemd-sysv", "dbus", "udev", "initramfs-tools", "linux-image-cloud-amd64"),
    *("python3", "python3-venv", "python3-pip"),
)
_TESTS = ("pytest", "hypothesis", "pytest-xdist")
_PROGRAM = "/opt/ftdist/bin/pip install ."
_SERVICE = """[Unit]
Description=what benchmarks/booted.py looks at
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c '/given/guest > /dev/ttyS1 2>&1; systemctl poweroff'

[Install]
WantedBy=graphical.target
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/ftdist-machine"))
    parser.add_argument("--kvm", action="store_true", help="by /dev/kvm, in a minute")
    arguments = parser.parse_args()
    try:
        tools = ("debootstrap", "qemu-system-x86_64", "mke2fs")
        needed(*tools, packages="debootstrap qemu-system-x86")
        debian = bootstrapped(arguments.folder, *_PACKAGES)
        with overlaid(debian, arguments.folder / "over") as root:
            fill(root, arguments.wheel.resolve())
            image = written(root, arguments.folder)
        accelerated = KVM if arguments.kvm else EMULATED
        said = booted(debian, image, arguments.folder, accelerated)
    except RootError as error:
        print(f"booted: {error}", file=sys.stderr)
        return 1
    print(said, end="")
    return 0 if said.rstrip().endswith("all done") else 1


def fill(root: Path, wheel: Path) -> None:
    """The wheels, what a checkout has, and what is to be done with them."""
    given = root / "given"
    for name in ("launch", "tests"):
        shutil.copytree(ROOT / name, given / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", given)
    fetch = (sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:")
    target = ("--python-version=3.11", "--platform=manylinux_2_34_x86_64")
    more = [f"--platform=manylinux{each}_x86_64" for each in ("2014", "_2_27", "_2_28")]
    host(*fetch, *target, *more, f"--dest={given / 'wheels'}", f"{wheel}[image]", *_TESTS)
    for name in ("coordinator", "worker"):
        (given / f"install-{name}").write_text("\n".join(installing(name)) + "\n")
    shutil.copy(GUEST, given / "guest")
    (root / "etc/systemd/system/check.service").write_text(_SERVICE)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (wants / "check.service").symlink_to("../check.service")


def installing(name: str) -> list[str]:
    """The commands at a unit's top, the wheel in place of a checkout that is compiled."""
    text = (ROOT / "launch/systemd" / f"ftdist-{name}.service").read_text()
    lines = re.findall(r"^#   (\w.*?)(?: {2,}#.*)?$", text, re.MULTILINE)
    lines = [line for line in lines if not line.startswith("journalctl")]
    if len(lines) < 5 or _PROGRAM not in lines[0]:
        raise RootError(f"{name}: the unit does not begin with how it is installed")
    wheels = "/opt/ftdist/bin/pip install --quiet --no-index --find-links=/given/wheels"
    return [line.replace(_PROGRAM, f"{wheels} 'ftdist[image]'") for line in lines]


def written(root: Path, folder: Path) -> Path:
    image = folder / "disk.img"
    image.unlink(missing_ok=True)
    host("mke2fs", "-q", "-t", "ext4", "-d", root, image, "3G")
    return image


def booted(debian: Path, image: Path, folder: Path, accelerated: tuple[str, ...]) -> str:
    """What is said in a machine that starts from the image, until it is off."""
    kernel, first = (
        sorted(debian.glob(f"boot/{each}-*"))[-1] for each in ("vmlinuz", "initrd.img")
    )
    report = folder / "report.txt"
    report.unlink(missing_ok=True)
    machine = ("qemu-system-x86_64", *accelerated, "-m", "1G", "-smp", "2")
    disk = ("-drive", f"file={image},if=virtio,format=raw,cache=unsafe")
    kernels = ("-kernel", kernel, "-initrd", first)
    asked = ("-append", "root=/dev/vda rw console=ttyS0 quiet")
    lines = ("-serial", f"file:{folder / 'console.txt'}", "-serial", f"file:{report}")
    rest = ("-display", "none", "-monitor", "none", "-no-reboot", "-net", "none")
    words = [str(each) for each in (*machine, *disk, *kernels, *asked, *lines, *rest)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=WAIT_S)
    except subprocess.TimeoutExpired:
        raise RootError(f"the machine is not off after {WAIT_S:.0f} s; see {folder}") from None
    if done.returncode or not report.exists():
        raise RootError(f"qemu-system-x86_64: {done.stderr.strip()}")
    return report.read_text().replace("\r\n", "\n")


if __name__ == "__main__":
    sys.exit(main())
