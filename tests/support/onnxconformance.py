"""Which of the onnx package's tests ftdist does not pass, and why, in one file.

`python -m support.onnxconformance` in tests/ runs them all and takes those out of the file that
pass now. Those that fail and are not in it are added without a reason, which a test then asks for.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ftdist.errors import FtdistError
from ftdist.onnx_backend import Ftdist
from support.onnxcases import Case, cases

EXCLUDED = Path(__file__).parents[1] / "network" / "onnx" / "excluded.txt"
"""Reasons, and below each, indented, the tests that it stands for."""

NO_REASON = "?"


def excluded() -> dict[str, str]:
    """The reason of each test that is not expected to pass."""
    found: dict[str, str] = {}
    reason = ""
    for line in EXCLUDED.read_text().splitlines():
        if not line.startswith(" "):
            reason = line.strip()
        elif line.strip():
            assert line.strip() not in found, f"{line.strip()} is excluded twice"
            found[line.strip()] = reason
    return found


def write_excluded(reasons: Mapping[str, str]) -> None:
    lines: list[str] = []
    for reason in sorted({*reasons.values()}):
        lines.append(reason)
        lines += [f"    {name}" for name in sorted(reasons) if reasons[name] == reason]
    EXCLUDED.write_text("\n".join(lines) + "\n")


def run_case(case: Case) -> tuple[str, str]:
    """How the case was run, "" if it failed; and what was wrong."""
    prepared = Ftdist.prepare(case.model)
    try:
        for given, wanted in case.sets:
            found = prepared.run(given)
            for one, other in zip(found, wanted, strict=False):
                _compare(one, other, case)
    except (FtdistError, AssertionError) as error:
        return "", str(error)
    return prepared.way or "", ""


def _compare(found: np.ndarray, wanted: np.ndarray, case: Case) -> None:
    assert isinstance(wanted, np.ndarray), "its output is not a tensor"
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    assert found.dtype == wanted.dtype, (found.dtype, wanted.dtype)
    wide = np.int64 if wanted.dtype.kind in "iub" else np.float64
    np.testing.assert_allclose(
        found.astype(wide), wanted.astype(wide), rtol=case.rtol, atol=case.atol
    )


def main() -> None:
    reasons = excluded() if EXCLUDED.exists() else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failed = {case.name for case in cases() if not run_case(case)[0]}
    write_excluded({name: reasons.get(name, NO_REASON) for name in failed})
    left = [name for name in failed if reasons.get(name, NO_REASON) == NO_REASON]
    sys.stdout.write(f"{len(cases()) - len(failed)} of {len(cases())} pass\n")
    sys.stdout.write("".join(f"no reason yet: {name}\n" for name in sorted(left)))


if __name__ == "__main__":
    main()
