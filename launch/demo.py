"""The demo: objects found in a large picture, and YOLOv2's first 16 layers, each within a budget.

Everything goes through the command line, as a user would go; what the reports of `--json` predict
and what they measured stands side by side at the end. ::

    launch/demo [FOLDER]    # where results go: demo-output
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DETECTOR = ROOT / "configs" / "detector"
OUTPUT = ROOT / "demo-output"
SCENE_SEED = 3
DETECTOR_MEM = "48M"
YOLO_MEM = "64M"
MIB = 1 << 20


def main() -> int:
    output = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else OUTPUT
    output.mkdir(exist_ok=True)
    reports = {}

    scene, found = output / "scene.png", output / "found.png"
    size = input_size(DETECTOR / "detector.cfg")
    python(DETECTOR / "scenes.py", "--seed", SCENE_SEED, "--size", size, "-o", scene)
    model, weights = output / "detector.ftd", DETECTOR / "detector.weights"
    ftdist("import", DETECTOR / "detector.cfg", "--weights", weights, "-o", model)
    print("\n-- Untiled, the detector's feature maps do not fit the budget:")
    refused(model, scene, "--mem", DETECTOR_MEM, "--tiling", "1x1")
    print("\n-- In strips they do:")
    reports["detector"] = run(model, scene, "-o", found, "--mem", DETECTOR_MEM)

    model = output / "yolov2-first16.ftd"
    ftdist("import", "yolov2-first16", "--random-weights", 1, "-o", model)
    reports["yolov2-first16"] = run(model, scene, "--mem", YOLO_MEM)

    show(reports)
    print(f"\nThe objects found are drawn in {str(found).removeprefix(f'{ROOT}/')}")
    return 0


def input_size(cfg: Path) -> int:
    """The width in a .cfg's [net] section."""
    lines = (line.partition("=") for line in cfg.read_text().splitlines())
    return next(int(value) for key, _, value in lines if key.strip() == "width")


def command(shown: str, *words: object, expected: int = 0) -> None:
    """Runs a command, showing it; ends the demo when its exit status is not as expected.

    `shown` is its first word.
    """
    texts = [str(word) for word in words]
    rest = shlex.join(text.removeprefix(f"{ROOT}/") for text in texts[1:])
    print(f"\n$ {shown} {rest}", flush=True)
    done = subprocess.run(texts, cwd=ROOT, check=False)
    if done.returncode != expected:
        sys.exit(done.returncode or 1)


def python(*arguments: object) -> None:
    command("python", sys.executable, *arguments)


def ftdist(*arguments: object) -> None:
    command("ftdist", Path(sys.executable).with_name("ftdist"), *arguments)


def refused(*arguments: object) -> None:
    """An `ftdist run` that no plan fits: exit status 3."""
    command("ftdist", Path(sys.executable).with_name("ftdist"), "run", *arguments, expected=3)


def run(model: Path, picture: Path, *arguments: object) -> dict[str, Any]:
    """The report of one `ftdist run`."""
    report = model.with_suffix(".json")
    ftdist("run", model, picture, *arguments, "--json", report)
    result: dict[str, Any] = json.loads(report.read_text())
    return result


def show(reports: dict[str, dict[str, Any]]) -> None:
    """Peaks and latencies, predicted and measured, a line for each run."""
    print(f"\n{'':16}{'peak, MiB':>24}{'latency, s':>24}   plan")
    print(f"{'':16}{'predicted':>12}{'measured':>12}{'predicted':>12}{'measured':>12}")
    for name, report in reports.items():
        predicted, measured = report["predicted"], report["measured"]
        figures = (
            f"{predicted['peak_bytes'] / MIB:12.1f}{measured['peak_bytes'] / MIB:12.1f}"
            f"{predicted['latency_s']:12.2f}{measured['latency_s'][-1]:12.2f}"
        )
        print(f"{name:16}{figures}   {report['plan']['notation']}")


if __name__ == "__main__":
    sys.exit(main())
