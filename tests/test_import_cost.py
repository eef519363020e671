"""What an import costs: each MiB that a process imports is one that its network lacks.

Memory and lists of modules, never times.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.command import COMMAND, Outcome, measured

from ftdist.runtime.budget.memory import MIB


def modules_after(code: str, folder: Path) -> set[str]:
    """The modules that a fresh interpreter has loaded after some code."""
    outcome = python(f"{code}\nimport sys\nprint(*sorted(sys.modules))", folder)
    return set(outcome.out.splitlines()[-1].split())


def python(code: str, folder: Path) -> Outcome:
    outcome = measured(sys.executable, "-c", code, folder=folder)
    assert outcome.status == 0, outcome
    return outcome


def test_importing_the_package_takes_little_and_loads_nothing_else(tmp_path: Path) -> None:
    assert python("import ftdist", tmp_path).peak_bytes <= 32 * MIB
    loaded = modules_after("import ftdist", tmp_path)
    assert {each for each in loaded if each.startswith("ftdist")} == {"ftdist"}
    assert "numpy" not in loaded


def test_each_public_name_is_found_and_an_unknown_one_is_not(tmp_path: Path) -> None:
    code = "import ftdist\nfor name in ftdist.__all__: print(getattr(ftdist, name).__module__)"
    homes = python(code, tmp_path).out.splitlines()
    assert len(homes) > 5 and all(home.startswith("ftdist.") for home in homes)
    python("import ftdist\nassert not hasattr(ftdist, 'nonsense')", tmp_path)


@pytest.mark.parametrize("arguments", ["['--help']", "['--version']", "['run', '--threads', '0']"])
def test_help_and_usage_load_no_numpy(tmp_path: Path, arguments: str) -> None:
    code = f"from ftdist.cli.main import main\ntry: main({arguments})\nexcept SystemExit: pass"
    loaded = modules_after(code, tmp_path)
    assert not {"numpy", "PIL", "ftdist.runtime", "ftdist.network"} & loaded


def test_help_takes_no_more_than_the_bare_package(tmp_path: Path) -> None:
    outcome = measured(*COMMAND, "--help", folder=tmp_path)
    assert outcome.status == 0 and outcome.out.startswith("usage: ftdist")
    assert outcome.peak_bytes <= 20 * MIB


def test_a_run_on_arrays_loads_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    """Pillow is for pictures, OpenSSL (by hashlib) and asyncio for nobody here."""
    loaded = modules_after("import ftdist.cli.commands.run, ftdist.kernels.native", tmp_path)
    assert "ftdist.runtime.local" in loaded and "numpy" in loaded
    assert not {"PIL", "_hashlib", "_ssl", "ssl", "asyncio", "onnx", "matplotlib"} & loaded
    assert python("import ftdist.cli.commands.run", tmp_path).peak_bytes <= 34 * MIB
