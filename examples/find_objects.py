"""Finds objects on a generated scene with the demo detector, and draws them."""

import subprocess
import sys
import tempfile
from pathlib import Path

import ftdist

DETECTOR = Path(__file__).resolve().parents[1] / "configs" / "detector"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scene, file = Path(folder) / "scene.png", Path(folder) / "detector.ftd"
        words = ["--seed", "3", "--size", "1024", "-o", str(scene)]
        subprocess.run([sys.executable, str(DETECTOR / "scenes.py"), *words], check=True)
        cfg, weights = DETECTOR / "detector.cfg", DETECTOR / "detector.weights"

        model = ftdist.import_model(cfg, file, weights=weights)
        plan = ftdist.plan(model, mem="128M")
        with ftdist.Session(model, plan) as session:
            objects = ftdist.detect(session, scene, threshold=0.5)
        for each in objects[:5]:
            print(f"{each.label} {each.score:.2f} at {each.x:.0f}, {each.y:.0f}")
        print(f"{len(objects)} objects")


if __name__ == "__main__":
    main()
