"""Commands without the price of a start: a process that has the program imported, and forks.

Each command runs in a process of its own, with its own arguments, folder, environment, streams and
exit status, as `python -W error -m ftdist` does; only its imports were made before. Its memory is
therefore not a fresh process's, and what an interpreter reads of its environment when it begins is
the server's: whoever is about either starts one (`support.command`).

``python commandserver.py DESCRIPTOR`` is that process; it ends when its other end is closed.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import NoReturn

_OPTIONS = ("-W", "error", "-m", "ftdist")
_MOST_BYTES = 1 << 17
_LEFT_OUT = ("ftdist.__main__", "ftdist.dask", "ftdist.onnx_backend")
"""What no command imports."""


class CommandServer:
    """The process, as those see it who have commands run; one at a time."""

    def __init__(self, environment: dict[str, str], timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._link, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._link.settimeout(timeout_s)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, *_OPTIONS[:2], __file__, str(other.fileno())],
                env=environment,
                pass_fds=(other.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self.close)

    def run(
        self, words: Sequence[str], folder: Path, environment: dict[str, str]
    ) -> tuple[int, str, str]:
        """A command's exit status and what it said; fails as a run that hangs does."""
        request = json.dumps([list(words), str(folder), environment]).encode()
        with TemporaryFile() as out, TemporaryFile() as err:
            socket.send_fds(self._link, [request], [out.fileno(), err.fileno()])
            try:
                status = json.loads(self._link.recv(_MOST_BYTES))
            except TimeoutError:
                self.close()
                raise subprocess.TimeoutExpired(list(words), self._timeout_s) from None
            return status, *(_text(each.fileno()) for each in (out, err))

    def close(self) -> None:
        """Ends it, and the command that it may be at."""
        self._link.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _text(descriptor: int) -> str:
    """What a file holds, as subprocess gives a text."""
    with open(os.dup(descriptor), encoding="utf-8", newline=None) as file:
        file.seek(0)
        return file.read()


# ---- the process


def _import_all() -> None:
    """All modules of the program: they import what the libraries have that commands use."""
    import ftdist

    for module in pkgutil.walk_packages(ftdist.__path__, "ftdist."):
        if not module.name.startswith(_LEFT_OUT):
            with suppress(ImportError):  # an extra that is not installed
                importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # a child that looked for garbage would copy all of it


def _serve(link: socket.socket) -> None:
    """Until nobody wants a command."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(link, _MOST_BYTES, 2)
        if not request:
            return
        child = os.fork()
        if not child:
            link.close()
            _become(*json.loads(request), *descriptors)
        for each in descriptors:
            os.close(each)
        _, status = os.waitpid(child, 0)
        link.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def _become(
    words: list[str], folder: str, environment: dict[str, str], out: int, err: int
) -> NoReturn:
    """Runs a command in this process, and ends it as an interpreter ends, but for its memory."""
    for own, given in ((1, out), (2, err)):
        os.dup2(given, own)
        os.close(given)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(Path(sys.modules["ftdist"].__path__[0], "__main__.py")), *words]
    sys.orig_argv = [sys.executable, *_OPTIONS, *words]
    status = 1
    try:
        status = sys.modules["ftdist.cli.main"].main()
    except SystemExit as end:  # argparse has said why
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    for each in threading.enumerate():
        if each is not threading.current_thread() and not each.daemon:
            each.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.path[0] = ""  # where a command's own process finds what lies in its folder
    _import_all()
    with socket.socket(fileno=int(sys.argv[1])) as _link:
        _serve(_link)
