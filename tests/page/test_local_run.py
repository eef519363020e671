"""The pages of a run, a batch and a camera on this machine."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image
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
        site = shown(run)
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


def shown(run: Running) -> Site:
    """The page that a command says it has."""
    port = run.wait_for(r"page +http://127\.0\.0\.1:([0-9]+)/.*set aside")[1]
    return Site(int(port), run)


def test_a_batch_is_seen_lane_by_lane(detector: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (200, 90, 30)).save(tmp_path / "scene.png")
    (tmp_path / "list.txt").write_text("gone.png\n" + "scene.png\n" * MANY)
    slow = ("--kernels", "reference")  # both lanes are busy, nearly always
    given = ("-o", "found.jsonl", "--page", "127.0.0.1:0", "--threads", 2, *slow)
    batch = Running(tmp_path, "batch", "batch", detector, "@list.txt", *given)
    try:
        site = shown(batch)
        with site.events() as events:
            states = (found for _, found in events if "totals" in found)
            state = next(each for each in states if len(each["frames"]) == 2)
            (worker,), (job,) = state["workers"], state["jobs"]
            assert worker["threads"] == 2 and len(worker["tasks"]) == 2
            assert len({frame["frame"] for frame in state["frames"]}) == 2
            assert job["frames"] == MANY + 1 and worker["failed"] == 1
            while not (pictures := site.get("/pictures").json()):
                next(events)
        assert pictures[0]["width"] == pictures[0]["height"] == 64
    finally:
        batch.end()


def test_a_camera_is_seen_without_an_end(detector: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    given = ("-o", "seen.jsonl", "--page", "127.0.0.1:0", "--mem", "128M")
    watch = Running(tmp_path, "watch", "watch", detector, "inbox", *given)
    try:
        site = shown(watch)
        watch.wait_for("watching inbox")
        with site.events() as events:
            Image.new("RGB", (64, 64), (200, 90, 30)).save(inbox / "scene.png")
            state = next(found for _, found in events if found["totals"]["frames"] == 1)
        (job,) = state["jobs"]
        assert job["frames"] == 0 and job["finished"] == 1 and job["left"] < 0
    finally:
        assert watch.end() == 0


def test_a_page_of_its_own_is_left_to_dask(detector: Path, tmp_path: Path) -> None:
    given = ("batch", detector, "scene.png", "--on", "dask", "--page", "127.0.0.1:0")
    assert_refused(ftdist_command(*given, folder=tmp_path), 2, "--page: a Dask cluster")


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
