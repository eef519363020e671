"""Keys of a cluster: who makes them, where they lie, and how they are read.

    DIR/coordinator.key          the coordinator's public key, for everybody
    DIR/coordinator.key_secret   its secret, for the coordinator alone (mode 0600)
    DIR/allowed/NAME.key         public keys of those who may connect: the allow-list
    DIR/NAME/                    what to copy to NAME: NAME.key_secret, coordinator.key

A key has a role: it is a worker's, a client's, or both. The role stands in the key's file, as
metadata; what counts is that of the allow-list, and a file without one (of an earlier version, or
another program's) means both. A worker's or a client's folder is such a DIR/NAME. Files are in the
format of ZeroMQ's certificates (``zmq.auth``), read here because ``zmq.auth`` would cost each
worker memory and reads any size.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import zmq

from ftdist.cluster.transport import CurveKeys
from ftdist.coordinator.events import Role
from ftdist.errors import InputError

COORDINATOR = "coordinator"
CLIENT = "client"
ALLOWED = "allowed"

_PUBLIC, _SECRET = ".key", ".key_secret"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_KEY = re.compile(rb"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
"""A key in Z85, the form that certificates hold."""

_MOST_BYTES = 16 << 10
_ROLES: dict[str, Role] = {"worker": "worker", "client": "client", "both": "both"}


def make_coordinator(folder: Path) -> None:
    """Makes a cluster's folder with the coordinator's keys; InputError when it has some."""
    if has_coordinator(folder):
        raise InputError(
            f"{folder} holds a coordinator's keys already; add a worker with "
            f"'ftdist keygen {folder} --worker NAME'"
        )
    _make_folder(folder)
    _make_folder(folder / ALLOWED)
    _write_pair(folder, folder, COORDINATOR)


@dataclass(frozen=True, slots=True)
class AllowedKey:
    """A public key of the allow-list, Z85 text, and what its owner may be."""

    key: str
    role: Role


def check_name(folder: Path, name: str) -> None:
    """InputError when no keys of that name can be made in a cluster's folder."""
    if not _NAME.fullmatch(name) or name in (COORDINATOR, ALLOWED):
        raise InputError(
            f"'{name}' cannot be the name of a worker or a client: use letters, digits, '-' and '_'"
        )
    if (folder / name).exists() or (folder / ALLOWED / f"{name}{_PUBLIC}").exists():
        raise InputError(f"{folder} holds keys of {name} already; remove them, or choose a name")


def make_peer(folder: Path, name: str, role: Role = "both") -> Path:
    """Makes keys for a worker or a client and allows them; returns the folder to copy there."""
    check_name(folder, name)
    own = folder / name
    server = _read(folder / f"{COORDINATOR}{_PUBLIC}").public
    _make_folder(own)
    _make_folder(folder / ALLOWED)
    _write(own / f"{COORDINATOR}{_PUBLIC}", 0o644, _text("Public", server))
    _write_pair(own, folder / ALLOWED, name, role)
    return own


def has_coordinator(folder: Path) -> bool:
    """Whether a folder holds a coordinator's secret."""
    return (folder / f"{COORDINATOR}{_SECRET}").exists()


def coordinator_keys(folder: Path) -> CurveKeys:
    """The coordinator's own keys in a cluster's folder; InputError when they cannot be used."""
    path = folder / f"{COORDINATOR}{_SECRET}"
    if not path.exists():
        raise InputError(f"{folder} holds no {path.name}; make keys with 'ftdist keygen {folder}'")
    return CurveKeys(*_read_secret(path))


def peer_keys(folder: Path) -> CurveKeys:
    """The keys in a worker's or a client's folder; InputError when they cannot be used.

    In the coordinator's own folder those are meant that were made for clients on its machine.
    """
    if has_coordinator(folder):
        folder = folder / CLIENT
    secrets = sorted(folder.glob(f"*{_SECRET}"))
    server = folder / f"{COORDINATOR}{_PUBLIC}"
    if len(secrets) != 1 or not server.exists():
        raise InputError(
            f"{folder} is not a folder of keys with {COORDINATOR}{_PUBLIC} and one *{_SECRET}; "
            "'ftdist keygen DIR --worker NAME' makes DIR/NAME, to be copied here"
        )
    return CurveKeys(*_read_secret(secrets[0]), _read(server).public)


def read_public(path: Path) -> str:
    """The public key in a certificate, Z85 text; InputError when there is none."""
    return _read(path).public.decode()


def read_allowed(path: Path) -> AllowedKey:
    """A certificate of the allow-list; InputError when it is none, or of no role that there is."""
    found = _read(path)
    if found.role not in _ROLES:
        raise InputError(f"{path}: has the role '{found.role}'; it must be {', '.join(_ROLES)}")
    return AllowedKey(found.public.decode(), _ROLES[found.role])


def _read_secret(path: Path) -> tuple[bytes, bytes]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise InputError(f"{path}: others may read this secret; type 'chmod 600 {path}'")
    found = _read(path)
    if found.secret is None or zmq.curve_public(found.secret) != found.public:
        raise InputError(f"{path}: is damaged: its secret and its public key do not match")
    return found.public, found.secret


class _Certificate(NamedTuple):
    """What a file of keys holds; `secret` only if it is a secret one."""

    public: bytes
    secret: bytes | None
    role: str


def _read(path: Path) -> _Certificate:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    found = dict(_entries(content))
    public, secret = found.get(b"public-key"), found.get(b"secret-key")
    if public is None or any(key is not None and not _is_key(key) for key in (public, secret)):
        raise InputError(f"{path}: is not a key file; make one with 'ftdist keygen'")
    return _Certificate(public, secret, found.get(b"role", b"both").decode(errors="replace"))


def _entries(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in content.splitlines():
        name, equals, value = line.strip().partition(b"=")
        if equals and not name.startswith(b"#"):
            yield name.strip(), value.strip(b" \t'\"")


def _is_key(key: bytes) -> bool:
    """Whether it decodes to 32 bytes: five characters of Z85 may mean more than four hold."""
    if not _KEY.fullmatch(key):
        return False
    try:
        zmq.curve_public(key)
    except zmq.ZMQError:
        return False
    return True


def _write_pair(secret_in: Path, public_in: Path, name: str, role: Role | None = None) -> None:
    """A new key pair; the public part comes last, for in the allow-list it takes effect."""
    public, secret = zmq.curve_keypair()
    _write(secret_in / f"{name}{_SECRET}", 0o600, _text("**Secret**", public, secret, role))
    _write(public_in / f"{name}{_PUBLIC}", 0o644, _text("Public", public, role=role))


def _text(kind: str, public: bytes, secret: bytes | None = None, role: Role | None = None) -> str:
    lines = [f"#   ZeroMQ CURVE {kind} Certificate", "", "metadata"]
    lines += [f'    role = "{role}"'] if role is not None else []
    lines.append("curve")
    lines.append(f'    public-key = "{public.decode()}"')
    if secret is not None:
        lines.append(f'    secret-key = "{secret.decode()}"')
    return "\n".join([*lines, ""])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {folder}: {error.strerror}") from None


def _write(path: Path, mode: int, text: str) -> None:
    """A new file that never had other permissions, whole on the disk; nothing is written over."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
    except FileExistsError:
        raise InputError(f"cannot write {path}: it is there already") from None
    except BaseException as error:  # also a signal: half a key is none
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f"cannot write {path}: {error.strerror}") from None
        raise
