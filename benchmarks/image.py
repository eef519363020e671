"""launch/Dockerfile and launch/compose.yaml without containers: their steps, in a Debian root.

The image's steps are done one after another as they are written, each stage in a copy of a Debian
that has the Python of its base. Then the services of the compose file run in the last one, each in
a control group of its memory, by the image's user, without capabilities, the root read-only; the
workers join, and a picture goes through. ::

    sudo python benchmarks/image.py [--folder FOLDER]

Needs root, and Debian's debootstrap. The Debian is made once, in two minutes, and kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from common.debian_root import RootError, bootstrapped, host, needed, overlaid
from common.groups import Group

from ftdist.runtime.budget.memory import parse_size

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.plainyaml import read

ROOT = Path(__file__).resolve().parents[1]
WAIT_S = 120.0
COORDINATOR = "tcp://127.0.0.1:5555"
_PACKAGES = ("python3", "python3-venv", "python3-dev", "ca-certificates")
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_IGNORED = shutil.ignore_patterns("__pycache__", "*.so")
_CONFINED = (
    "setpriv",
    "--no-new-privs",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
)


@dataclass
class Stage:
    """A stage of the image: its root, and what the steps so far said of what runs there."""

    root: Path
    folder: str = "/"
    user: str = "0"
    entry: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    )

    def command(self, *words: str) -> list[str]:
        """A command in the stage, by root."""
        return ["chroot", str(self.root), *words]

    def environ(self) -> dict[str, str]:
        """What a step sees: this machine's settings of pip too, and nothing else of it."""
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        return {**pip, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", **self.environment}

    def step(self, script: str) -> None:
        words = self.command("sh", "-ec", f"cd {self.folder}; {script}")
        done = subprocess.run(
            words, env=self.environ(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RootError(f"{script}: {(done.stdout + done.stderr)[-2000:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/ftdist-image"))
    folder = parser.parse_args().folder
    try:
        needed("debootstrap", "setpriv", packages="debootstrap util-linux")
        with contextlib.ExitStack() as stack:
            debian = bootstrapped(folder, *_PACKAGES)
            image = built(debian, folder, stack)
            print(said(image, "doctor"), end="")
            composed(image, stack)
    except RootError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


# ---- the image


def steps() -> Iterator[tuple[str, str]]:
    """The Dockerfile's instructions, their lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "launch/Dockerfile").read_text(), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, " ".join(rest.split())


def built(debian: Path, folder: Path, stack: contextlib.ExitStack) -> Stage:
    """The last stage, after all steps."""
    stages: list[Stage] = []
    names: dict[str, Stage] = {}
    for word, rest in steps():
        print(f"{word} {rest}", flush=True)
        if word == "FROM":
            over = folder / f"stage{len(stages)}"
            stages.append(Stage(stack.enter_context(overlaid(debian, over))))
            as_the_base(stages[-1].root)
            names[rest.rpartition(" AS ")[2]] = stages[-1]
        else:
            do(stages[-1], word, rest, names)
    return stages[-1]


def as_the_base(root: Path) -> None:
    """What python:3.11-slim has and Debian not, and how this machine reaches packages."""
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    shutil.copy(f"/{_CERTIFICATES}", root / _CERTIFICATES)
    for name in ("proc", "dev"):
        host("mount", "--bind", f"/{name}", root / name)


def do(stage: Stage, word: str, rest: str, names: dict[str, Stage]) -> None:
    """One step."""
    match word:
        case "RUN":
            stage.step(rest)
        case "WORKDIR":
            stage.folder = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                stage.environment[name] = value.replace("$PATH", stage.environment["PATH"])
        case "USER":
            stage.user = rest
        case "ENTRYPOINT":
            stage.entry = json.loads(rest)
        case "COPY":
            copy(stage, rest.split(), names)
        case _:
            raise RootError(f"{word}: no such step is known here")


def copy(stage: Stage, words: list[str], names: dict[str, Stage]) -> None:
    """Files and folders of the checkout or of another stage; folders lend what they hold."""
    source = ROOT
    if words[0].startswith("--from="):
        source = names[words.pop(0).removeprefix("--from=")].root
    *given, last = words
    target = stage.root / stage.folder.lstrip("/") / last
    target = stage.root / last.lstrip("/") if last.startswith("/") else target
    for each in given:
        path = source / each.lstrip("/")
        if path.is_dir():
            ignored = _IGNORED if source == ROOT else None
            shutil.copytree(path, target, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(path, target / path.name if last.endswith("/") else target)


def said(image: Stage, *words: str) -> str:
    """What the image says that is run with these words."""
    command = confined(image, [*image.entry, *words])
    done = subprocess.run(command, env=image.environ(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RootError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def confined(image: Stage, words: list[str]) -> list[str]:
    """A command as the image's user, without capabilities."""
    user = (f"--reuid={image.user}", f"--regid={image.user}")
    return image.command(*_CONFINED, *user, *words)


# ---- the services


def composed(image: Stage, stack: contextlib.ExitStack) -> None:
    """The services, in their limits; a picture goes through."""
    services = read((ROOT / "launch/compose.yaml").read_text())["services"]
    said(image, "demo", "/tmp/demo")
    said(
        image,
        "keygen",
        "/tmp/keys",
        "--worker",
        *(each for each in services if each != "coordinator"),
    )
    with (image.root / "etc/hosts").open("a") as hosts:
        hosts.write("127.0.0.1 localhost coordinator\n")
    running = {}
    for name, service in services.items():
        running[name] = stack.enter_context(served(image, name, service))
    status = until_joined(image, len(services) - 1)
    words = ("submit", "/tmp/demo/scene.jpg", "--to", COORDINATOR, "--keys", "/tmp/keys")
    print(said(image, *words, "-o", "/tmp/results"), end="")
    print("joined:", ", ".join(sorted(each["name"] for each in status["workers"])))
    for name, group in running.items():
        print(f"{name}: of {services[name]['mem_limit']}, {group.kills} killed for memory")


@contextlib.contextmanager
def served(image: Stage, name: str, service: dict[str, object]) -> Iterator[Group]:
    """A service with its own view of the root: its volumes, and the rest read-only."""
    shown = image.root.parent / f"{name}-view"
    shown.mkdir()
    host("mount", "--bind", image.root, shown)
    view = Stage(shown, user=image.user, environment=image.environment)
    cache = shown.parent / f"{name}-cache"
    cache.mkdir()
    cache.chmod(0o1777)
    (image.root / "keys").mkdir(exist_ok=True)
    (image.root / "model.ftd").touch()
    own = "/tmp/keys" if name == "coordinator" else f"/tmp/keys/{name}"
    host("mount", "--bind", f"{image.root}{own}", shown / "keys")
    host("mount", "--bind", image.root / "tmp/demo/detector.ftd", shown / "model.ftd")
    host("mount", "--bind", cache, shown / "var/cache/ftdist")
    host("mount", "--bind", "/proc", shown / "proc")
    host("mount", "-o", "remount,bind,ro", shown)
    words = [str(each) for each in service["command"]]  # type: ignore[attr-defined]
    limit = parse_size(str(service["mem_limit"]).upper())
    with contextlib.ExitStack() as stack:
        stack.callback(host, "umount", "--recursive", shown)
        group = stack.enter_context(Group(limit, swap=False, name=name))
        command = group.command(confined(view, [*image.entry, *words]))
        with subprocess.Popen(command, env=image.environ(), stderr=subprocess.DEVNULL) as process:
            try:
                yield group
            finally:
                process.terminate()


def until_joined(image: Stage, count: int) -> dict[str, list[dict[str, str]]]:
    """The coordinator's status, once so many workers are there."""
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(RootError):
            text = said(image, "status", COORDINATOR, "--keys", "/tmp/keys", "--json")
            status: dict[str, list[dict[str, str]]] = json.loads(text)
            if len(status["workers"]) == count:
                return status
        time.sleep(0.5)
    raise RootError(f"the workers did not join in {WAIT_S:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
