"""What the page costs: memory that was counted, and nothing while nobody looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support.clusterprocesses import cluster
from support.pageclient import site_of
from support.smallmodels import random_image

from ftdist.page.beside import PAGE_BYTES
from ftdist.runtime.budget.memory import peak_resident_bytes

BUDGET = 192 << 20


def children(process: int) -> list[int]:
    return [
        int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def private_bytes(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    private = [line.split() for line in lines if line.startswith("Private_")]
    return sum(int(size) << 10 for _, size, _ in private)


def test_the_page_keeps_to_what_was_set_aside(detector: Path, tmp_path: Path) -> None:
    """Looked at by many, with pictures and a plan, while a job runs."""
    np.save(tmp_path / "image.npy", random_image(64))
    with cluster(tmp_path / "c", detector) as made:
        site = site_of(made, "--mem", BUDGET)
        made.worker("pi").wait_for("joined the cluster")
        job = made.begin("job", tmp_path / "image.npy", "-o", tmp_path / "o", "--repeat", 200)
        with site.events() as one, site.events() as other:
            while not site.get("/pictures").json():
                next(one)
                next(other)
            assert site.get("/plan").status == site.get("/metrics").status == 200
            for _ in range(200):
                assert site.get("/about").status == 200
            page, *_ = children(site.coordinator.process.pid)
            assert private_bytes(page) <= PAGE_BYTES
        assert job.wait() == 0
        peak = peak_resident_bytes(site.coordinator.process.pid)
        assert peak + private_bytes(page) <= BUDGET
