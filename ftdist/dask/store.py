"""Models on Dask workers: each once in the cache folder of a host, under its digest.

The client asks the workers who lacks it, and sends it in pieces to one worker of each folder, so
that neither the scheduler nor any worker holds it whole; the last piece makes it appear, once it
has been read back and is what its digest says.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftdist.errors import FtdistError, InputError
from ftdist.network.modelfile import Model, load
from ftdist.runtime.measuring.profiles import cache_folder

_PIECE_BYTES = 4 << 20


def path_of(digest: str) -> str:
    """Where this process's host keeps the model."""
    folder = cache_folder()
    if folder is None:
        raise InputError("a worker has no folder to keep models in: set XDG_CACHE_HOME there")
    return str(folder / "dask" / f"{digest}.ftd")


def _looked(digest: str) -> tuple[str, str, bool]:
    """Which host and file a worker would keep it in, and whether it is there."""
    path = path_of(digest)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    return boot + os.uname().nodename, path, os.path.exists(path)


def _take(path: str, name: str, offset: int, piece: bytes, digest: str | None) -> str | None:
    """Writes a piece; with the `digest` it was the last one. Says what went wrong."""
    temporary = f"{path}.{name}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(handle, piece, offset)
        finally:
            os.close(handle)
        if digest is not None:
            if load(Path(temporary)).digest != digest:
                raise InputError("it is not what was sent")
            os.replace(temporary, path)
    except (OSError, FtdistError) as error:
        with suppress(OSError):
            os.unlink(temporary)
        return f"cannot keep the model in {path}: {error}"
    return None


def send(client: Any, model: Model) -> None:
    """Has every host of the cluster keep the model; FtdistError when one cannot."""
    lacking: dict[tuple[str, str], str] = {}
    for worker, (host, path, is_there) in client.run(_looked, model.digest).items():
        if not is_there:
            lacking.setdefault((host, path), worker)
    for (_, path), worker in lacking.items():
        _send(client, model, path, worker)


def _send(client: Any, model: Model, path: str, worker: str) -> None:
    name, size = uuid.uuid4().hex, model.path.stat().st_size
    with model.path.open("rb") as file:
        for offset in range(0, size, _PIECE_BYTES):
            piece = file.read(_PIECE_BYTES)
            last = model.digest if offset + _PIECE_BYTES >= size else None
            given = path, name, offset, piece, last
            failure = client.run(_take, *given, workers=[worker])[worker]
            if failure is not None:
                raise FtdistError(f"{worker}: {failure}")
