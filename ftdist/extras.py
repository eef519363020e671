"""Optional packages: what is said when one is missing, and when one is there but does not load.

A package may refuse to load for reasons of its own (a library of the system that is missing, one
of Python in another version), and raises whatever it likes then. To the user both are the same:
something to install, with the reason in the package's own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from ftdist.errors import FtdistError, InputError

_MOST_WORDS = 200


@contextmanager
def needing(
    what: str, package: str, extra: str, kind: type[FtdistError] = InputError
) -> Iterator[None]:
    """Around an import: `what` needs the package, which `pip install 'ftdist[extra]'` brings.

    `package` is its name on the package index. Raises `kind`.
    """
    try:
        yield
    except (MemoryError, FtdistError):
        raise
    except ModuleNotFoundError as error:
        if _is_part(error.name, package):
            raise kind(f"{what} needs {package}: pip install 'ftdist[{extra}]'") from None
        raise kind(_unloadable(what, package, extra, error)) from None
    except Exception as error:
        raise kind(_unloadable(what, package, extra, error)) from None


def refuse_unloadable(what: str, package: str, extra: str, modules: tuple[str, ...]) -> None:
    """Imports the modules, which stay: for a child process. InputError where one does not load."""
    with needing(what, package, extra):
        for name in modules:
            import_module(name)


_ROOTS = {
    "pillow": {"PIL"},
    "pyav": {"av"},
    "protobuf": {"google", "google.protobuf"},
    "paho-mqtt": {"paho", "paho.mqtt"},
    "dask": {"dask", "distributed"},
    "uvicorn and starlette": {"uvicorn", "starlette"},
}
"""What a package is imported by, where that is not its own name."""


def _is_part(module: str | None, package: str) -> bool:
    """Whether the package itself is missing, not something that it needs."""
    return module in _ROOTS.get(package.lower(), {package})


def _unloadable(what: str, package: str, extra: str, error: Exception) -> str:
    reason = " ".join(str(error).split())
    if len(reason) > _MOST_WORDS:
        reason = f"{reason[:_MOST_WORDS]}..."
    told = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return (
        f"{what} needs {package}, which is installed but does not load ({told}); "
        f"mend it: pip install --force-reinstall 'ftdist[{extra}]'"
    )
