"""A coordinator, a worker and a client on this machine; no keys are needed on loopback."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import ftdist

FTDIST = [sys.executable, "-u", "-m", "ftdist"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ftdist.import_model("yolov2-first16", Path(folder) / "net.ftd", random_weights=1)
        image = np.random.default_rng(0).random((3, 608, 608), dtype=np.float32)

        # The coordinator chooses a free port and says it in its first line.
        words = ["coordinator", "net.ftd", "--listen", "tcp://127.0.0.1:*"]
        coordinator = subprocess.Popen(
            [*FTDIST, *words], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        started: list[subprocess.Popen[str]] = [coordinator]
        try:
            assert coordinator.stdout is not None
            first = coordinator.stdout.readline()
            found = re.search(r"tcp://[0-9.]+:[0-9]+", first)
            assert found is not None, first
            address = found[0]
            words = ["worker", address, "--mem", "96M", "--threads", "1", "--cache", "models"]
            started.append(
                subprocess.Popen(
                    [*FTDIST, *words], cwd=folder, stdout=subprocess.DEVNULL, text=True
                )
            )
            with ftdist.Client(address) as client:
                for result in client.submit([image]):
                    for name, output in result.outputs.items():
                        print(f"frame {result.frame}, {name}: {output.shape}")
                print("workers:", *(worker.name for worker in client.status().workers))
        finally:
            for each in started:
                each.terminate()
            for each in started:
                each.communicate()  # reads what it still says, and waits for its end


if __name__ == "__main__":
    main()
