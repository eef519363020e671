"""Optional packages that are there and do not load: a line that names them, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import COMMAND, measured

from ftdist import extras
from ftdist.cli.commands import completion
from ftdist.cli.reports import plot
from ftdist.cluster import mdns
from ftdist.dask.lazily import delayed_batch
from ftdist.dask.spread import connected
from ftdist.errors import FtdistError, InputError
from ftdist.geometry import Shape
from ftdist.many import formats, videos
from ftdist.network.onnx import constant_layers
from ftdist.page import access
from ftdist.pictures.fitted import load_picture
from ftdist.pictures.rows.jpegwriter import JpegEncoder
from ftdist.runtime.from_torch import from_torch
from ftdist.watch import mqtt

BROKEN = """
class VersionError(Exception):
    pass

raise VersionError("gencode 7.35.0\\nruntime 6.33.6: " + "they cannot be used together " * 20)
"""
NOTHING: Any = None

USES: dict[str, tuple[str, Callable[[], object]]] = {
    "onnx": ("onnx", lambda: constant_layers.computed_layer(NOTHING, [])),
    "PIL": ("image", lambda: load_picture("photo.png", Shape(8, 8, 3))),
    "PIL.Image": ("image", lambda: JpegEncoder(Shape(8, 8, 3), np.dtype(np.uint8), NOTHING)),
    "matplotlib": ("plot", lambda: plot.draw(Path("plot.png"), NOTHING, [], [], "")),
    "av": ("video", videos.library),
    "pyarrow": ("parquet", lambda: formats._write_parquet(Path("a.parquet"), NOTHING, NOTHING)),
    "paho": ("mqtt", mqtt._paho),
    "distributed": ("dask", lambda: connected("dask", 1, ExitStack())),
    "dask": ("dask", lambda: delayed_batch("model.ftd", [])),
    "zeroconf": ("mdns", lambda: mdns.refuse_without_library("--announce")),
    "uvicorn": ("page", access.refuse_without_library),
    "starlette": ("page", access.refuse_without_library),
    "shtab": ("completion", lambda: completion.run(NOTHING)),
    "torch": ("torch", lambda: from_torch(NOTHING, NOTHING)),
}


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """The package of a case, as if nothing had imported it yet."""
    package = str(request.param).partition(".")[0]
    for name in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    yield str(request.param)
    for name in [each for each in sys.modules if each.partition(".")[0] == package]:
        del sys.modules[name]


@pytest.mark.parametrize("unloaded", USES, indirect=True)
def test_a_package_that_does_not_load_is_told_in_a_line(
    unloaded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / unloaded.partition(".")[0]
    broken.mkdir()
    (broken / "__init__.py").write_text("" if "." in unloaded else BROKEN)
    if "." in unloaded:
        (broken / f"{unloaded.partition('.')[2]}.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    extra, use = USES[unloaded]
    with pytest.raises(FtdistError) as raised:
        use()
    line = str(raised.value)
    assert "installed but does not load (VersionError: gencode 7.35.0 runtime 6.33.6: " in line
    assert line.endswith(f"mend it: pip install --force-reinstall 'ftdist[{extra}]'")
    assert "\n" not in line and len(line) < 450
    assert raised.value.exit_status == (1 if extra == "completion" else 2)


def test_a_command_says_it_and_ends_as_for_a_missing_package(tmp_path: Path) -> None:
    (tmp_path / "google").mkdir()
    (tmp_path / "google" / "__init__.py").write_text(BROKEN)
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08")
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    words = [*COMMAND, "import", "model.onnx", "-o", "model.ftd"]
    outcome = measured(*words, folder=tmp_path, PYTHONPATH=path)
    assert outcome.status == 2, outcome
    (line,) = outcome.err.splitlines()
    assert line.startswith(
        "ftdist: reading ONNX needs protobuf, which is installed but does not load"
    )


@pytest.mark.parametrize("missing", ["onnx", "google.protobuf"])
def test_what_is_missing_is_told_apart_from_what_it_needs(missing: str) -> None:
    """A package whose own needs are missing is there, and installing it again brings them."""
    with pytest.raises(InputError) as raised, extras.needing("reading ONNX", "onnx", "onnx"):
        raise ModuleNotFoundError(f"No module named '{missing}'", name=missing)
    assert ("does not load" in str(raised.value)) == (missing != "onnx")


def test_what_is_no_fault_of_a_package_goes_through() -> None:
    with pytest.raises(MemoryError), extras.needing("reading ONNX", "onnx", "onnx"):
        raise MemoryError
