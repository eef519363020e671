"""Writes a plan as JSON, reads it back, and runs exactly that plan."""

import tempfile
from pathlib import Path

import numpy as np

import ftdist


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        model_file, plan_file = Path(folder) / "net.ftd", Path(folder) / "plan.json"
        model = ftdist.import_model("yolov2-first16", model_file, random_weights=1)
        plan = ftdist.plan(model, mem="256M", threads=1)
        ftdist.write_plan(plan_file, plan, model)
        print(plan_file.read_text())

        again = ftdist.read_plan(plan_file, model)
        assert again == plan
        predicted = ftdist.predict(model, again)
        print(f"{predicted.peak_bytes / (1 << 20):.1f} MiB: {predicted.parts}")
        image = np.random.default_rng(0).random((3, 608, 608), dtype=np.float32)
        with ftdist.Session(model, again) as session:
            session.run(image)
        print(f"ran {again}")


if __name__ == "__main__":
    main()
