"""Prints the plans between the smallest and the fastest one: what each MiB more is worth."""

import subprocess
import sys
import tempfile
from pathlib import Path

import ftdist


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.ftd"
        # In a process of its own: what importing takes would count in this one.
        words = ["import", "yolov2-first16", "--random-weights", "1", "-o", str(file)]
        subprocess.run([sys.executable, "-m", "ftdist", *words], check=True)
        points = ftdist.frontier(ftdist.load(file), threads=1)
    slowest_s = points[0].latency_s
    for point in points:
        bar = "#" * round(40 * point.latency_s / slowest_s)
        print(f"{point.peak_bytes / (1 << 20):6.1f} MiB  {bar} {point.notation}")


if __name__ == "__main__":
    main()
