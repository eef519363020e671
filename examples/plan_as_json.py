"""Writes a plan as JSON, and runs exactly that plan from the file."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import ftdist


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run("import", "yolov2-first16", "--random-weights", "1", "-o", "net.ftd", folder=folder)
        model = ftdist.load(Path(folder) / "net.ftd")
        plan = ftdist.plan(model, mem="64M", threads=1)
        value = plan.to_json(model.digest)
        print(json.dumps(value["groups"][0]))
        (Path(folder) / "plan.json").write_text(json.dumps(value))

        image = np.random.default_rng(0).random((3, 608, 608), dtype=np.float32)
        np.save(Path(folder) / "image.npy", image)
        run(
            "run",
            "net.ftd",
            "image.npy",
            "--plan",
            "plan.json",
            "--json",
            "report.json",
            folder=folder,
        )
        report = json.loads((Path(folder) / "report.json").read_text())
        assert report["plan"] == value
        print(f"ran {report['plan']['notation']}")


def run(*words: str, folder: str) -> None:
    """One command of ftdist, in a folder."""
    subprocess.run([sys.executable, "-m", "ftdist", *words], check=True, cwd=folder)


if __name__ == "__main__":
    main()
