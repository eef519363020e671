"""launch/workers-over-ssh with hosts that are folders of this machine.

`ssh` and `scp` are scripts that write down what they were asked for and do it with the host's
folder as home; the host `gone` cannot be reached. What runs there is the real worker.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import GUARD_S, PACKAGE, environment
from support.documented import LAUNCH

SCRIPT = LAUNCH / "workers-over-ssh"
NOWHERE = "tcp://127.0.0.1:1"

_FTDIST = f"""#!/bin/sh
PYTHONPATH='{PACKAGE}' exec '{sys.executable}' -m ftdist "$@"
"""
_BEGIN = """#!/bin/sh
printf '%s\\n' "{name} $*" >> "$HOSTS/log"
while [ "${{1#-}}" != "$1" ]; do if [ "$1" = -o ]; then shift; fi; shift; done
"""
_REACH = """case $host in *gone)
  echo "ssh: connect to host gone port 22: No route to host" >&2
  exit 255
esac
mkdir -p "$HOSTS/$host"
"""
_SSH = (
    _BEGIN.format(name="ssh")
    + "host=$1; shift\n"
    + _REACH
    + 'cd "$HOSTS/$host" && HOME=$PWD PATH=$HOSTS/$host/path:/usr/bin:/bin exec sh -c "$*"\n'
)
_SCP = (
    _BEGIN.format(name="scp")
    + "host=${2%%:*}\n"
    + _REACH
    + 'exec cp -rp "$1" "$HOSTS/$host/${2#*:}"\n'
)


class Hosts:
    """Folders that stand for hosts, and this side's command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("ssh", _SSH), ("scp", _SCP), ("ftdist", _FTDIST)):
            executable(folder / "path" / name, text)

    def add(self, *names: str) -> None:
        """Hosts with ftdist on their PATH."""
        for name in names:
            executable(self.folder / name / "path" / "ftdist", _FTDIST)

    def run(self, *words: object, status: int = 0) -> list[str]:
        """Runs the script; its lines, one for each host."""
        path = f"{self.folder / 'path'}:{os.environ['PATH']}"
        done = subprocess.run(
            [SCRIPT, *map(str, words)],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=environment(HOSTS=str(self.folder), PATH=path),
            text=True,
            timeout=GUARD_S,
        )
        assert (done.returncode, done.stderr if status < 2 else "") == (status, ""), done
        return (done.stdout if status < 2 else done.stderr).splitlines()

    def pid(self, host: str) -> int:
        return int((self.folder / host / ".ftdist-worker/pid").read_text())

    @property
    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    made = Hosts(tmp_path)
    yield made
    for path in tmp_path.glob("*/.ftdist-worker/pid"):
        os.kill(int(path.read_text()), signal.SIGKILL)


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended may not have been waited for yet."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def test_a_worker_is_started_asked_after_and_stopped(hosts: Hosts) -> None:
    hosts.add("pi2")
    (line,) = hosts.run("--to", NOWHERE, "--mem", "100M", "pi2")
    pid = hosts.pid("pi2")
    assert line.startswith(f"pi2: started, pid {pid}: ") and alive(pid)
    said = (hosts.folder / "pi2/.ftdist-worker/log").read_text().splitlines()[0]
    assert "worker pi2: 100.0 MiB (--mem" in said and said.endswith(NOWHERE)
    (line,) = hosts.run("--to", NOWHERE, "pi2")
    assert line.startswith(f"pi2: runs already, pid {pid}: ")
    (line,) = hosts.run("status", "pi2")
    assert line.startswith(f"pi2: runs, pid {pid}: ")
    assert hosts.run("stop", "pi2") == ["pi2: stopped"]
    assert not alive(pid)
    assert hosts.run("stop", "pi2") == ["pi2: nothing to stop"]
    (line,) = hosts.run("status", "pi2", status=1)
    assert line.startswith("pi2: failed: does not run; it said last: ")


def test_each_host_is_sent_keys_of_its_own_made_once(hosts: Hosts) -> None:
    hosts.add("pi@pi2", "pi3")
    lines = hosts.run("--to", NOWHERE, "--keys", "keys", "pi@pi2", "pi3")
    assert [line.partition(", ")[0] for line in lines] == ["pi@pi2: started", "pi3: started"]
    assert sorted(path.name for path in (hosts.folder / "keys/allowed").iterdir()) == [
        *("client.key", "pi2.key", "pi3.key")
    ]
    sent = hosts.folder / "pi@pi2/.ftdist-worker/pi2"
    secret = (sent / "pi2.key_secret").read_bytes()
    assert secret == (hosts.folder / "keys/pi2/pi2.key_secret").read_bytes()
    assert (sent / "pi2.key_secret").stat().st_mode & 0o077 == 0
    assert not (hosts.folder / "pi3/.ftdist-worker/pi2").exists()
    assert any(
        line.startswith("scp ") and line.endswith("keys/pi3 pi3:.ftdist-worker/")
        for line in hosts.log
    )
    hosts.run("stop", "pi@pi2", "pi3")
    hosts.run("--to", NOWHERE, "--keys", "keys", "pi@pi2")
    assert (sent / "pi2.key_secret").read_bytes() == secret


def test_a_host_that_fails_says_why_and_others_go_on(hosts: Hosts) -> None:
    hosts.add("pi2")
    (hosts.folder / "bare").mkdir()
    gone, bare, fine = hosts.run("--to", NOWHERE, "--keys", "keys", "gone", "bare", "pi2", status=1)
    assert gone == "gone: failed: ssh: connect to host gone port 22: No route to host"
    assert bare == "bare: failed: has no ftdist, neither on its PATH nor in ~/ftdist"
    assert fine.startswith("pi2: started, ")
    assert hosts.run("stop", "gone", "pi2", status=1) == [gone, "pi2: stopped"]


def test_a_worker_that_cannot_begin_is_quoted(hosts: Hosts) -> None:
    hosts.add("pi2")
    (line,) = hosts.run("--to", NOWHERE, "--mem", "8M", "pi2", status=1)
    assert line.startswith("pi2: failed: ended at once: ftdist: nothing fits 8.0 MiB (--mem)")
    assert not (hosts.folder / "pi2/.ftdist-worker/pid").exists()
    (line,) = hosts.run("--to", "tcp://192.0.2.1:5555", "pi2", status=1)
    assert line.startswith("pi2: failed: ended at once: ") and "ftdist keygen" in line


def test_ftdist_in_an_environment_of_its_own_is_found(hosts: Hosts) -> None:
    executable(hosts.folder / "pi2/ftdist/bin/ftdist", _FTDIST)
    (line,) = hosts.run("--to", NOWHERE, "pi2")
    assert line.startswith("pi2: started, ")


def test_values_reach_the_host_as_they_are(hosts: Hosts) -> None:
    hosts.add("pi2")
    (line,) = hosts.run("--to", NOWHERE, "--mem", "$(id) 'x'; exit 0 #", "pi2", status=1)
    assert "'$(id) 'x'; exit 0 #' is not a size" in line


def test_a_number_that_is_another_process_by_now_is_left_alone(hosts: Hosts) -> None:
    hosts.add("pi2")
    other = subprocess.Popen(["sleep", "infinity"])
    try:
        folder = hosts.folder / "pi2/.ftdist-worker"
        folder.mkdir()
        (folder / "pid").write_text(f"{other.pid}\n")
        (line,) = hosts.run("status", "pi2", status=1)
        assert "does not run" in line
        assert hosts.run("stop", "pi2") == ["pi2: nothing to stop"]
        assert other.poll() is None and not (folder / "pid").exists()
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", NOWHERE), "name a host"),
        (("pi2",), "say where the coordinator is: --to tcp://FIRST:5555"),
        (("--to", "pi1", "pi2"), "say where the coordinator is"),
        (("--to",), "--to wants a value"),
        (("status",), "name a host"),
        (("--memory", "64M", "pi2"), "there is no --memory"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    hosts: Hosts, words: tuple[str, ...], said: str
) -> None:
    (line,) = hosts.run(*words, status=2)
    assert line.startswith("workers-over-ssh: ") and said in line and line.endswith("see --help")
    assert not (hosts.folder / "log").exists()


def test_help_is_the_comment_on_top(hosts: Hosts) -> None:
    lines = hosts.run("--help")
    assert lines[0].startswith("Starts 'ftdist worker'") and len(lines) > 10
    assert not any(line.startswith(("#", "set ")) for line in lines)
