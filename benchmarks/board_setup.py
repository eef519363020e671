"""launch/workers-over-ssh against a real sshd on loopback, with two accounts made for it.

Two accounts stand for two boards; each has ftdist in ~/ftdist, as the script's help says, and a
worker joins a coordinator of this machine with keys of its own. All is removed afterwards. ::

    sudo python benchmarks/board_setup.py [FTDIST]    # the program on the boards: the one on PATH

Needs root and Debian's openssh-server. The systemd units beside it are verified where systemd is.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

LAUNCH = Path(__file__).resolve().parents[1] / "launch"
ACCOUNTS = ("ftdist-board1", "ftdist-board2")
WAIT_S = 120.0
_SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile .ssh/authorized_keys
PasswordAuthentication no
UsePAM no
StrictModes yes
Subsystem sftp internal-sftp
"""
_SSH = """
Host board1 board2
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking accept-new
Host board1
  User {accounts[0]}
Host board2
  User {accounts[1]}
"""


class SetupError(Exception):
    """Something that is needed is not here, or a command failed."""


def main() -> int:
    try:
        program = needed()
        verify_units(program)
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
            for name in ACCOUNTS:
                stack.enter_context(account(name, folder / "key.pub", program))
            environment = stack.enter_context(reachable(folder))
            workers_join(folder, environment, program)
    except SetupError as error:
        print(f"board_setup: {error}", file=sys.stderr)
        return 1
    return 0


def needed() -> Path:
    """The program that the boards run."""
    if os.geteuid():
        raise SetupError("needs root, to make accounts")
    for tool in ("/usr/sbin/sshd", "ssh", "useradd"):
        if shutil.which(tool) is None:
            raise SetupError(f"needs {tool}; Debian: apt install openssh-server")
    program = shutil.which(sys.argv[1] if sys.argv[1:] else "ftdist")
    if program is None:
        raise SetupError("needs ftdist on PATH, or its path")
    return Path(program).absolute()


def run(*words: object, **more: object) -> str:
    command = [str(word) for word in words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    if done.returncode:
        raise SetupError(f"{' '.join(command)}: {done.stdout}{done.stderr}".strip())
    out: str = done.stdout
    return out


def verify_units(program: Path) -> None:
    """The units with this machine's program in place of the board's."""
    if shutil.which("systemd-analyze") is None:
        print("units: not verified, there is no systemd here")
        return
    with tempfile.TemporaryDirectory() as folder:
        for unit in sorted((LAUNCH / "systemd").glob("*.service")):
            copy = Path(folder) / unit.name
            copy.write_text(unit.read_text().replace("/opt/ftdist/bin/ftdist", str(program)))
            run("systemd-analyze", "verify", copy)
            exposure = run("systemd-analyze", "security", "--offline=true", copy).splitlines()[-1]
            print(f"units: {unit.name} is verified; {exposure.strip('→ ')}")


@contextlib.contextmanager
def account(name: str, key: Path, program: Path) -> Iterator[None]:
    """An account with the key let in, and the program in ~/ftdist/bin."""
    run("useradd", "--create-home", "--shell", "/bin/sh", "--password", "*", name)
    try:
        home = Path(pwd.getpwnam(name).pw_dir)
        ssh, programs = home / ".ssh", home / "ftdist" / "bin"
        ssh.mkdir(mode=0o700)
        shutil.copy(key, ssh / "authorized_keys")
        programs.mkdir(parents=True)
        (programs / "ftdist").symlink_to(program)
        run("chown", "-R", f"{name}:", home)
        try:
            run("runuser", "-u", name, "--", programs / "ftdist", "--version")
        except SetupError:
            advice = "install it where all may read, such as in /opt/ftdist, and name that"
            raise SetupError(f"{program}: other accounts cannot run it; {advice}") from None
        yield
    finally:
        run("userdel", "--remove", "--force", name)


@contextlib.contextmanager
def reachable(folder: Path) -> Iterator[dict[str, str]]:
    """An environment in which `ssh board1` reaches the first account."""
    port = free_port()
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host_key")
    settings = folder / "sshd_config"
    settings.write_text(_SSHD.format(port=port, folder=folder))
    client = folder / "ssh_config"
    client.write_text(_SSH.format(port=port, folder=folder, accounts=ACCOUNTS))
    for name in ("ssh", "scp"):  # the same as a ~/.ssh/config of who runs this
        path = folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec {shutil.which(name)} -F {client} "$@"\n')
        path.chmod(0o755)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", settings], stderr=subprocess.DEVNULL
    )
    try:
        yield {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    finally:
        server.terminate()
        server.wait()


def workers_join(folder: Path, environment: dict[str, str], program: Path) -> None:
    """Both are started, join with their keys, are asked after, share a picture, and are stopped."""
    keys, demo, address = folder / "keys", folder / "demo", f"tcp://127.0.0.1:{free_port()}"
    run(program, "demo", demo)
    run(program, "keygen", keys, "--worker", "board1", "board2")
    script = LAUNCH / "workers-over-ssh"

    def over_ssh(*words: object) -> str:
        said = run(script, *words, "board1", "board2", env=environment)
        print(said, end="")
        return said

    listen = [program, "coordinator", demo / "detector.ftd", "--listen", address, "--keys", keys]
    coordinator = subprocess.Popen([*map(str, listen)], stderr=subprocess.DEVNULL)
    try:
        over_ssh("--to", address, "--mem", "128M", "--keys", keys)
        names = wait_for_workers(program, address, keys)
        print(f"joined: {', '.join(names)}")
        words = ("--to", address, "--keys", keys, "-o", folder / "results", "--repeat", 4)
        print(run(program, "submit", demo / "scene.jpg", *words), end="")
        over_ssh("status")
        over_ssh("stop")
    finally:
        coordinator.terminate()
        coordinator.wait()


def wait_for_workers(program: Path, address: str, keys: Path) -> list[str]:
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(SetupError):
            said = run(program, "status", address, "--keys", keys, "--json")
            names = sorted(each["name"] for each in json.loads(said)["workers"])
            if len(names) == len(ACCOUNTS):
                return names
        time.sleep(0.5)
    raise SetupError(f"the workers did not join in {WAIT_S:.0f} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
