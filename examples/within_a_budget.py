"""Runs YOLOv2's first 16 layers within 64 MiB, this process included."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import ftdist

MIB = 1 << 20


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "first16.ftd"
        # In a process of its own: what importing takes would count in this one.
        words = ["import", "yolov2-first16", "--random-weights", "1", "-o", str(file)]
        subprocess.run([sys.executable, "-m", "ftdist", *words], check=True)

        model = ftdist.load(file)
        print(model)
        try:
            ftdist.plan(model, mem="38M", threads=1)
        except ftdist.BudgetError as error:
            print(f"38M is too little: at least {error.smallest_bytes / MIB:.1f} MiB are needed")

        plan = ftdist.plan(model, mem="64M", threads=1)
        print(f"plan {plan}")
        image = np.random.default_rng(0).random((3, 608, 608), dtype=np.float32)
        with ftdist.Session(model, plan) as session:
            started_s = time.perf_counter()
            outputs = session.run(image)
            print(f"ran in {(time.perf_counter() - started_s) * 1e3:.0f} ms")
        for name, array in outputs.items():
            print(f"{name}: {array.dtype} {array.shape}")
    print(f"peak of this process: {peak_bytes() / MIB:.1f} MiB")


def peak_bytes() -> int:
    """The most memory that this process has held, as Linux counts it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kib) * 1024


if __name__ == "__main__":
    main()
