"""The page of a run on this machine."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from support.clusterprocesses import Running
from support.command import assert_refused, ftdist_command
from support.pageclient import Site
from support.smallmodels import random_image

MANY = 100_000
"""Times that an input is run: it is ended when it has been seen."""


def test_a_run_is_seen(detector: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", random_image(64))
    given = ("--repeat", MANY, "--page", "127.0.0.1:0", "--mem", "128M", "--threads", 2)
    run = Running(tmp_path, "run", "run", detector, "image.npy", "-o", "out.npy", *given)
    try:
        port = run.wait_for(r"page +http://127\.0\.0\.1:([0-9]+)/.*set aside")[1]
        site = Site(int(port), run)
        with site.events() as events:
            state = next(found for _, found in events if found["totals"]["frames"] > 2)
            (worker,) = state["workers"]
            assert worker["name"] == "this machine" and worker["threads"] == 2
            assert 0 < worker["peak"] <= worker["budget"] == (128 - 40) << 20
            (job,) = state["jobs"]
            assert job["frames"] == MANY and job["text"] == "image.npy" and job["left"] > 0
            frames = [found["frames"] for _, found in (next(events) for _ in range(5))]
            tiles = [tile for frame in frames for each in frame for tile in each["tiles"]]
            assert tiles and all(0 <= low < high <= 1 for _, _, low, high, _, _ in tiles)
            while not (pictures := site.get("/pictures").json()):
                next(events)
        assert pictures[0]["width"] == pictures[0]["height"] == 64
        png = site.get("/picture?n=1")
        assert png.headers["content-type"] == "image/png" and png.body.startswith(b"\x89PNG")
        plan = site.get("/plan").json()
        layers = [group["layers"] for tile in plan["tiles"] for group in tile["groups"]]
        assert layers[0][0] == 0 and layers[-1][1] == 3
        assert "ftdist_info{version" in site.get("/metrics").text
    finally:
        run.end()


def test_the_smallest_budget_counts_the_page(detector: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", random_image(64))
    given = ("run", detector, "image.npy", "-o", "out.npy")
    page = ("--page", "127.0.0.1:0")
    outcome = ftdist_command(*given, "--mem", "60M", *page, folder=tmp_path)
    assert_refused(outcome, 3, "20.0 MiB (--mem less 40M for --page)", "40M more for --page")
    smallest = re.search(r"needs ([0-9]+)M", outcome.err)
    assert smallest is not None
    enough = int(smallest[1]) + 40
    assert ftdist_command(*given, "--mem", f"{enough}M", *page, folder=tmp_path).status == 0
