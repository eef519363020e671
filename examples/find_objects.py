"""Finds objects on a large scene with the detector that comes with ftdist."""

import tempfile
from pathlib import Path

import ftdist

DEMO = Path(__file__).parents[1] / "ftdist" / "demo"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cfg, weights = DEMO / "detector.cfg", DEMO / "detector.weights"
        model = ftdist.import_model(cfg, Path(folder) / "detector.ftd", weights=weights)
        plan = ftdist.plan(model, mem="128M")
        with ftdist.Session(model, plan) as session:
            objects = ftdist.detect(session, DEMO / "scene.jpg", threshold=0.5)
        for each in objects[:5]:
            print(f"{each.label} {each.score:.2f} at {each.x:.0f}, {each.y:.0f}")
        print(f"{len(objects)} objects")


if __name__ == "__main__":
    main()
