"""Runs one network by several plans: whole, in tiles, in strips. All give the same bits."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np

import ftdist

PLANS = ("1x1", "3x3/8/2x2", "1x1s2w/12/2x1s3")


def main() -> None:
    digests = set()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.ftd"
        model = ftdist.import_model("yolov2-first16", file, random_weights=1)
        image = np.random.default_rng(0).random((3, 608, 608), dtype=np.float32)
        for notation in PLANS:
            plan = ftdist.parse_notation(notation, model.network)
            with ftdist.Session(model, plan) as session:
                (output,) = session.run(image).values()
            digest = hashlib.sha256(output.tobytes()).hexdigest()
            print(f"{notation:16} {digest[:16]}")
            digests.add(digest)
    assert len(digests) == 1, "a cut has changed a bit: please report it"


if __name__ == "__main__":
    main()
