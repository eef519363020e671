"""The TOML file that serves every command: six tables, each value checked, nothing unknown.

    [model]        file, cache, cache_size
    [memory]       budget
    [coordinator]  listen, address, threads, heartbeat_s, trace, announce
    [job]          threads, in_flight, band_rows, attempts, speculate, mix_unfused, prepare
    [security]     keys, insecure
    [observe]      page, page_token, log

A value counts where the command line leaves it out. Paths are relative to the file's own folder, so
that the file can be used from anywhere.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from ftdist.cli.config_values import (
    Reader,
    coordinator_address,
    flag,
    listening_place,
    log_form,
    page_place,
    path_in,
    seconds,
    size,
    whole_number,
)
from ftdist.cluster.endpoints import listening
from ftdist.errors import InputError

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelTable:
    """The model file; on a worker where models are kept, and how much of them."""

    file: Annotated[Path | None, path_in] = None
    cache: Annotated[Path | None, path_in] = None
    cache_size: Annotated[str | None, size] = None


@dataclass(frozen=True, slots=True)
class MemoryTable:
    """The budget of the whole process, as --mem."""

    budget: Annotated[str | None, size] = None


@dataclass(frozen=True, slots=True)
class CoordinatorTable:
    """Where it listens, where others find it, and what it does itself.

    `threads`: of its own worker, 0 for none.
    """

    listen: Annotated[str | None, listening_place] = None
    address: Annotated[str | None, coordinator_address] = None
    threads: Annotated[int, whole_number(0, 1024)] = 0
    heartbeat_s: Annotated[float, seconds(0.05, 60)] = 1.0
    trace: Annotated[Path | None, path_in] = None
    announce: Annotated[bool, flag] = False

    @property
    def reached_at(self) -> str | None:
        """Where workers and clients connect: the address, or on this machine where it listens."""
        if self.address is not None or self.listen is None:
            return self.address
        endpoint = listening(self.listen)
        return endpoint.to_reach if endpoint.port else None


@dataclass(frozen=True, slots=True)
class JobTable:
    """How jobs are run; `threads` of run, plan and worker, None for all there are.

    `in_flight`: frames worked on at a time, None for as many as suit the workers. `band_rows`:
    pictures are computed in bands of so many rows of the output, 0 never, None where whole ones do
    not fit the coordinator. `attempts`: workers on which a task may fail before its job does.
    """

    threads: Annotated[int | None, whole_number(1, 1024)] = None
    in_flight: Annotated[int | None, whole_number(1, 1024)] = None
    band_rows: Annotated[int | None, whole_number(0, 1 << 16)] = None
    attempts: Annotated[int, whole_number(1, 100)] = 3
    speculate: Annotated[bool, flag] = True
    mix_unfused: Annotated[bool, flag] = False
    prepare: Annotated[bool, flag] = True


@dataclass(frozen=True, slots=True)
class SecurityTable:
    """The folder of keys, or the word that none are wanted."""

    keys: Annotated[Path | None, path_in] = None
    insecure: Annotated[bool, flag] = False


@dataclass(frozen=True, slots=True)
class ObserveTable:
    """Where the coordinator's page is served and the file of its token; how logs are written."""

    page: Annotated[str | None, page_place] = None
    page_token: Annotated[Path | None, path_in] = None
    log: Annotated[str | None, log_form] = None


@dataclass(frozen=True, slots=True)
class Config:
    """What a file says, and for the rest what holds without one."""

    model: ModelTable = ModelTable()
    memory: MemoryTable = MemoryTable()
    coordinator: CoordinatorTable = CoordinatorTable()
    job: JobTable = JobTable()
    security: SecurityTable = SecurityTable()
    observe: ObserveTable = ObserveTable()


def read_config(path: Path) -> Config:
    """The settings in a TOML file; InputError names the file and the key that is wrong."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise InputError(f"{path}: is too large for a file of settings")
    try:
        value = tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a TOML file: not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is not a TOML file: {error}") from None
    try:
        return _config(value, path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


_TABLES: dict[str, type[Any]] = {
    "model": ModelTable,
    "memory": MemoryTable,
    "coordinator": CoordinatorTable,
    "job": JobTable,
    "security": SecurityTable,
    "observe": ObserveTable,
}


def _config(value: dict[str, Any], folder: Path) -> Config:
    found = {}
    for name, table in value.items():
        if name not in _TABLES:
            raise InputError(_unknown(name))
        if not isinstance(table, dict):
            raise InputError(f"[{name}] is a table, write its keys below it")
        found[name] = _TABLES[name](**_entries(name, table, folder))
    return Config(**found)


def _entries(name: str, table: dict[str, Any], folder: Path) -> dict[str, Any]:
    hints = get_type_hints(_TABLES[name], include_extras=True)
    readers: dict[str, Reader] = {each: get_args(hint)[1] for each, hint in hints.items()}
    found = {}
    for key, value in table.items():
        if key not in readers:
            raise InputError(_unknown(key, name))
        try:
            found[key] = readers[key](value, folder)
        except ValueError as error:
            raise InputError(f"[{name}] {key} = {_shown(value)}: expected {error}") from None
    return found


def _unknown(key: str, table: str | None = None) -> str:
    """What to say about a key (or a table) that is not known: the closest one that is."""
    where = "" if table is None else f"[{table}] "
    named = f"[{key}]" if table is None else key
    own = [] if table is None else [(table, each.name) for each in fields(_TABLES[table])]
    others = [
        (name, each.name)
        for name, kind in _TABLES.items()
        if name != table
        for each in fields(kind)
    ]
    for name, word in [*own, *others]:
        if word == key:
            return f"{where}{named} is not known; it belongs in [{name}]"
    if table is None:
        close = [f"[{each}]" for each in difflib.get_close_matches(key, _TABLES, 1)]
        known = ", ".join(f"[{each}]" for each in _TABLES)
    else:
        words = [word for _, word in own]
        close = difflib.get_close_matches(key, words, 1)
        known = ", ".join(words)
    meant = f"; did you mean {close[0]}?" if close else f"; there are {known}"
    return f"{where}{named} is not known{meant}"


def _shown(value: Any) -> str:
    """A value as the file might write it, cut short."""
    text = {True: "true", False: "false"}[value] if type(value) is bool else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def defaults_of(config: Config) -> dict[str, dict[str, Any]]:
    """By command, the arguments for which a file of settings has something to say."""
    memory, job, security, observe = config.memory, config.job, config.security, config.observe
    local = {"model": config.model.file, "mem": memory.budget, "threads": job.threads}
    secured = {"keys": security.keys, "insecure": security.insecure or None}
    reached_at = config.coordinator.reached_at
    found: dict[str, dict[str, Any]] = {
        "run": local,
        "batch": local,
        "watch": local,
        "plan": local,
        "show": local,
        "coordinator": {
            **secured,
            "model": config.model.file,
            "mem": memory.budget,
            "listen": config.coordinator.listen,
            "threads": config.coordinator.threads,
            "trace": config.coordinator.trace,
            "announce": config.coordinator.announce or None,
            "page": observe.page,
            "page_token": observe.page_token,
            "log": observe.log,
        },
        "worker": {
            **secured,
            "address": reached_at,
            "mem": memory.budget,
            "threads": job.threads,
            "cache": config.model.cache,
            "cache_size": config.model.cache_size,
            "log": observe.log,
        },
        "submit": {**secured, "to": reached_at},
        "status": {**secured, "address": reached_at},
    }
    return {
        command: {name: value for name, value in values.items() if value is not None}
        for command, values in found.items()
    }
