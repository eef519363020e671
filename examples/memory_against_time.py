"""Prints the plans between the smallest and the fastest one: what each MiB more is worth."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run("import", "yolov2-first16", "--random-weights", "1", "-o", "net.ftd", folder=folder)
        words = ("plan", "net.ftd", "--threads", "1", "--frontier", "--json", "plans.json")
        run(*words, folder=folder)
        report = json.loads((Path(folder) / "plans.json").read_text())
    slowest_s = report["frontier"][0]["latency_s"]
    for point in report["frontier"]:
        bar = "#" * round(40 * point["latency_s"] / slowest_s)
        print(f"{point['peak_bytes'] / (1 << 20):6.1f} MiB  {bar} {point['notation']}")


def run(*words: str, folder: str) -> None:
    """One command of ftdist, in a folder; what it prints is not shown."""
    command = [sys.executable, "-m", "ftdist", *words]
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
