"""Runs one network by several plans: whole, in tiles, in strips. All give the same bits."""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PLANS = ("1x1", "3x3/8/2x2", "1x1s2w/12/2x1s3")


def main() -> None:
    digests = set()
    with tempfile.TemporaryDirectory() as folder:
        run("import", "yolov2-first16", "--random-weights", "1", "-o", "net.ftd", folder=folder)
        image = np.random.default_rng(0).random((3, 608, 608), dtype=np.float32)
        np.save(Path(folder) / "image.npy", image)
        for plan in PLANS:
            run("run", "net.ftd", "image.npy", "--tiling", plan, "-o", "out.npy", folder=folder)
            output = np.load(Path(folder) / "out.npy")
            digest = hashlib.sha256(output.tobytes()).hexdigest()
            print(f"{plan:16} {digest[:16]}")
            digests.add(digest)
    assert len(digests) == 1, "a cut has changed a bit: please report it"


def run(*words: str, folder: str) -> None:
    """One command of ftdist, in a folder; what it prints is not shown."""
    command = [sys.executable, "-m", "ftdist", *words]
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
