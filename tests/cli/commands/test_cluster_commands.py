"""coordinator, worker, submit and status as real processes on loopback."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support.clusterprocesses import Cluster, Running, cluster
from support.command import Outcome, assert_refused, ftdist_command
from support.ports import kept_port
from support.smallmodels import random_image
from support.timelines import assert_no_span_crosses_another, events, lines_of

Refused = Callable[..., Outcome]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six random inputs, a.npy to f.npy."""
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{name}.npy" for name in "abcdef"]
    for seed, path in enumerate(paths):
        np.save(path, random_image(64, seed))
    return paths


@pytest.fixture(scope="module")
def two(things: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A coordinator of the model with two outputs, and two unlike workers."""
    with cluster(tmp_path_factory.mktemp("two"), things / "two.ftd") as made:
        made.coordinator()
        for name, mem in (("large", "256M"), ("small", "64M")):
            made.worker(name, mem=mem).wait_for("joined the cluster")
        yield made


def locally(model: Path, path: Path, folder: Path) -> dict[str, np.ndarray]:
    """The outputs of `ftdist run`."""
    outcome = ftdist_command("run", model, path, "-o", folder / "local.npz", folder=folder)
    assert outcome.status == 0, outcome
    with np.load(folder / "local.npz") as found:
        return dict(found)


def assert_same(path: Path, expected: dict[str, np.ndarray]) -> None:
    with np.load(path) as found:
        assert set(found) == set(expected)
        for name, array in expected.items():
            assert array.dtype == found[name].dtype == np.float32
            assert np.array_equal(array, found[name])


def test_results_are_those_of_local_runs_to_the_bit(
    two: Cluster, images: list[Path], tmp_path: Path
) -> None:
    outcome = two.submit(*images, "-o", tmp_path / "out", "--json", tmp_path / "r.json")
    assert outcome.status == 0, outcome
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{path.stem}.npz" for path in images
    ]
    for path in images:
        assert_same(tmp_path / "out" / f"{path.stem}.npz", locally(two.model, path, tmp_path))
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["frames"] == len(report["latency_s"]) == 6
    assert "6 frames in" in outcome.out and "Traceback" not in outcome.err


def test_a_batch_axis_comes_back(two: Cluster, images: list[Path], tmp_path: Path) -> None:
    np.save(tmp_path / "batch.npy", np.load(images[0])[None])
    outcome = two.submit(tmp_path / "batch.npy", "-o", tmp_path / "out", "--repeat", 3)
    assert outcome.status == 0, outcome
    expected = locally(two.model, images[0], tmp_path)
    assert_same(tmp_path / "out/batch.npz", {name: each[None] for name, each in expected.items()})
    assert "3 frames in" in outcome.out


def test_status_shows_the_workers(two: Cluster) -> None:
    outcome = ftdist_command("status", two.endpoint, folder=two.folder)
    assert outcome.status == 0, outcome
    rows = [line.split()[0] for line in outcome.out.splitlines() if line]
    assert {"large", "small", "model"} <= set(rows)
    outcome = ftdist_command("status", two.endpoint, "--json", folder=two.folder)
    status = json.loads(outcome.out)
    assert {each["name"]: each["budget_bytes"] >> 20 for each in status["workers"]} == {
        "large": 256,
        "small": 64,
    }


def test_inputs_that_do_not_suit_are_refused_and_others_go_on(
    two: Cluster, images: list[Path], things: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "wrong.npy", random_image(32))
    (tmp_path / "text.png").write_text("hello")
    shutil.copy(images[0], tmp_path / "photo.npy")
    (tmp_path / "sub").mkdir()
    for place in (".", "sub"):
        shutil.copy(things / "photo.png", tmp_path / place / "photo.png")
    for arguments, words in (
        (("wrong.npy",), ("wrong.npy", "(3, 32, 32)")),
        (("text.png",), ("text.png", "not a picture")),
        (("absent.npy",), ("absent.npy", "no such file")),
        (("photo.npy", "text.png"), ("text.png is a picture", "photo.npy is not")),
        (("a.npz",), ("a.npz", ".npy")),
        (("photo.png", "--draw"), ("--draw", "not a detector")),
        (("photo.png", "--job", "a/b"), ("'a/b' is not a name",)),
    ):
        given = [tmp_path / each if each[-4:-3] == "." else each for each in arguments]
        outcome = two.submit(*given, "-o", tmp_path / "out")
        assert outcome.status == 2 and outcome.out == "", outcome
        last = outcome.err.splitlines()[-1]
        assert last.startswith("ftdist: ") and all(word in last for word in words), outcome.err
    outcome = two.submit(images[0], "-o", tmp_path)
    assert outcome.status == 0, outcome
    assert "jobs" not in json.loads(status_of(two))["plan"]
    assert json.loads(status_of(two))["jobs"] == []


def status_of(cluster: Cluster) -> str:
    return ftdist_command("status", cluster.endpoint, "--json", folder=cluster.folder).out


def test_a_result_never_replaces_its_input(
    two: Cluster, images: list[Path], tmp_path: Path
) -> None:
    shutil.copy(images[0], tmp_path / "in.npy")
    outcome = two.submit(tmp_path / "in.npy", "-o", tmp_path)
    assert_refused(outcome, 2, "cannot write", "it is an input")


def test_pictures_are_detected_in_and_drawn(things: Path, tmp_path: Path) -> None:
    with cluster(tmp_path / "c", things / "detector.ftd") as made:
        made.coordinator("--threads", 1, "--mem", "512M")
        given = (things / "photo.png", "-o", tmp_path / "out", "--draw", "--raw")
        outcome = made.submit(*given, "--json", tmp_path / "r.json")
        assert outcome.status == 0, outcome
        local = ftdist_command(
            *("run", made.model, things / "photo.png", "-o", "l.npy", "--json", "l.json"),
            folder=tmp_path,
        )
        assert np.array_equal(np.load(tmp_path / "l.npy"), np.load(tmp_path / "out/photo.npy"))
        found = [line for line in outcome.out.splitlines() if line.startswith("found")]
        assert found == [line for line in local.out.splitlines() if line.startswith("found")]
        assert (tmp_path / "out/photo-found.jpg").stat().st_size > 500
        there, here = (json.loads((tmp_path / f"{name}.json").read_text()) for name in "rl")
        assert there["results"] == here["results"]
        assert json.loads((tmp_path / "out/photo.json").read_text()) == here["results"][0]


def test_results_of_many_pictures_are_data_and_a_broken_one_is_left_out(
    things: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for place in ("a.png", "sub/a.png"):
        shutil.copy(things / "photo.png", folder / place)
    (folder / "b.png").write_text("no picture")
    with cluster(tmp_path / "c", things / "detector.ftd") as made:
        made.coordinator("--threads", 1, "--mem", "512M")
        given = (folder, folder / "sub/a.png", folder / "absent.png", "-o", tmp_path / "out")
        outcome = made.submit(*given, "--format", "coco", "--json", tmp_path / "r.json")
        assert outcome.status == 1, outcome
        reasons = [line for line in outcome.err.splitlines() if "b.png" in line or "absent" in line]
        assert len(reasons) == 2 and "not a picture" in reasons[0]
        report = json.loads((tmp_path / "r.json").read_text())
        assert [each["file"] for each in report["results"]] == [
            str(folder / "a.png"),
            str(folder / "sub/a.png"),
        ]
        assert len(report["left_out"]) == 2
        written = sorted(each.name for each in (tmp_path / "out").iterdir())
        assert written == ["a-2.json", "a.json", "detections.json"]
        coco = json.loads((tmp_path / "out/detections.json").read_text())
        count = sum(len(each["detections"]) for each in report["results"])
        assert len(coco["images"]) == 2 and len(coco["annotations"]) == count > 0
        strict = made.submit(things / "photo.png", "-o", tmp_path / "s", "--thresh", 0.99)
        assert "found" not in strict.out and strict.status == 0
        yolo = made.submit(things / "photo.png", "-o", tmp_path / "y", "--format", "yolo")
        assert yolo.status == 0 and (tmp_path / "y/photo.txt").read_text().count(" ") >= 4


def test_its_own_threads_are_enough(things: Path, images: list[Path], tmp_path: Path) -> None:
    with cluster(tmp_path / "c", things / "chain.ftd") as made:
        coordinator = made.coordinator("--threads", 2, "--mem", "256M")
        outcome = made.submit(*images, "-o", tmp_path / "out")
        assert outcome.status == 0, outcome
        for path in images[:2]:
            (expected,) = locally(made.model, path, tmp_path).values()
            assert np.array_equal(np.load(tmp_path / "out" / path.name), expected)
        assert coordinator.end() == 0


def test_a_job_waits_for_workers_and_says_so(
    things: Path, images: list[Path], tmp_path: Path
) -> None:
    with cluster(tmp_path / "c", things / "chain.ftd") as made:
        made.coordinator()
        client = made.begin("client", *images, "-o", tmp_path / "out")
        client.wait_for("0 of 6 frames, 0 workers; waiting for workers")
        made.worker("late")
        assert client.wait() == 0, client.said


def test_signals_end_everybody_in_order(things: Path, tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with cluster(tmp_path / "c", things / "chain.ftd") as made:
            coordinator, worker = made.coordinator(), made.worker("pi")
            worker.wait_for("joined the cluster")
            assert worker.end(number) == 0, worker.said
            coordinator.wait_for("worker pi: leaves")
            second = made.worker("pi2")
            second.wait_for("joined the cluster")
            assert coordinator.end(number) == 0
            second.wait_for("tries again")
            assert second.end(number) == 0, second.said
        for each in (coordinator, worker, second):
            lines = each.said.splitlines()
            assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d \S", line) for line in lines), (
                lines
            )
            assert f"stopping: {number.name}" in each.said or each is second
            assert lines[-1].endswith(" ended")


def test_a_coordinator_killed_and_restarted_in_the_middle_of_a_job(
    things: Path, images: list[Path], tmp_path: Path
) -> None:
    repeat = 200
    with cluster(tmp_path / "c", things / "chain.ftd") as made:
        first = made.coordinator("--config", settings(tmp_path, "[job]\nin_flight = 2"))
        made.worker("pi").wait_for("joined the cluster")
        arguments = (*images, "-o", tmp_path / "out", "--repeat", repeat, "--job", "long")
        client = made.begin("client", *arguments)
        client.wait_for("wrote .*a.npy")
        first.end(signal.SIGKILL)
        client.wait_for("trying again")
        delivered = len((tmp_path / "out/long.job").read_text().splitlines()) - 1
        second = made.coordinator(name="second")
        assert client.wait() == 0, client.said
        left = second.wait_for(r"job long: done, ([0-9]+) frames?")
        assert int(left[1]) == 6 * repeat - delivered
    for path in images:
        (expected,) = locally(things / "chain.ftd", path, tmp_path).values()
        assert np.array_equal(np.load(tmp_path / "out" / path.name), expected)
    assert not (tmp_path / "out/long.job").exists()


def settings(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_a_client_killed_goes_on_under_its_jobs_name(
    things: Path, images: list[Path], tmp_path: Path
) -> None:
    repeat = 200
    arguments = (*images, "-o", tmp_path / "out", "--repeat", repeat, "--job", "night")
    with cluster(tmp_path / "c", things / "chain.ftd") as made:
        coordinator = made.coordinator()
        made.worker("pi").wait_for("joined the cluster")
        client = made.begin("client", *arguments)
        client.wait_for("wrote .*b.npy")
        client.end(signal.SIGKILL)
        outcome = made.submit(*images[:2], "-o", tmp_path / "out", "--job", "night")
        assert outcome.status == 2 and "with other inputs" in outcome.err
        outcome = made.submit(*arguments)
        assert outcome.status == 0, outcome
        again = int(outcome.out.split("done ")[1].split()[0])
        assert again < 6 * repeat
        done = coordinator.wait_for(r"job night: done, ([0-9]+) frames?")
        assert again <= int(done[1]) <= 6 * repeat
    assert not (tmp_path / "out/night.job").exists()


def test_a_trace_is_readable_after_a_kill(things: Path, images: list[Path], tmp_path: Path) -> None:
    with cluster(tmp_path / "c", things / "chain.ftd") as made:
        coordinator = made.coordinator("--trace", tmp_path / "trace.json", "--threads", 1)
        assert made.submit(*images, "-o", tmp_path / "out").status == 0
        coordinator.end(signal.SIGKILL)
    text = (tmp_path / "trace.json").read_text()
    found = json.loads(text.rstrip().removesuffix(",") + "]")
    assert {each["cat"] for each in found if each["ph"] == "X"} >= {"task"}


# ---- keys


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    outcome = ftdist_command("keygen", "keys", "--worker", "pi", "stranger", folder=tmp_path)
    assert outcome.status == 0
    return tmp_path / "keys"


def test_a_guarded_cluster_from_keygen_to_result(
    things: Path, images: list[Path], tmp_path: Path, keys: Path
) -> None:
    with cluster(tmp_path / "c", things / "chain.ftd") as made:
        coordinator = made.coordinator("--keys", keys)
        assert ", encrypted, " in coordinator.said and "--keys NAME" in coordinator.said
        worker = made.worker("pi", "--keys", keys / "pi")
        worker.wait_for("joined the cluster")
        outcome = made.submit(*images, "-o", tmp_path / "out", "--keys", keys)
        assert outcome.status == 0, outcome
        (keys / "allowed/stranger.key").unlink()
        stranger = made.worker("stranger", "--keys", keys / "stranger")
        stranger.wait_for("does not accept this worker's key")
        coordinator.wait_for("refused a connection: its key .* is not in")
        for more, words in (
            (("--keys", keys / "stranger"), "refused: this side's key is not in"),
            ((), "requires keys"),
        ):
            outcome = ftdist_command("status", made.endpoint, *more, folder=tmp_path)
            assert_refused(outcome, 2, words)
        coordinator.wait_for("failed its handshake: this coordinator requires keys")
        (keys / "allowed/pi.key").unlink()
        worker.wait_for("no longer allowed; tries again")
        worker.wait_for("does not accept this worker's key")
        assert worker.process.poll() is None  # it goes on asking: the key may be put back
        coordinator.wait_for("worker pi: .*no longer allowed")


def test_without_keys_only_this_machine(things: Path, tmp_path: Path, refused: Refused) -> None:
    away = "tcp://192.0.2.1:5555"
    refused("coordinator", things / "chain.ftd", "--listen", "tcp://0.0.0.0:0", words=("keygen",))
    refused("worker", away, "--mem", "64M", words=("--insecure", "keygen"))
    refused("status", away, words=("--insecure",))
    refused("submit", things / "image.npy", "--to", away, "-o", ".", words=("--insecure",))
    with cluster(tmp_path / "c", things / "chain.ftd") as made:
        made.endpoint = "tcp://0.0.0.0:0"
        coordinator = made.coordinator("--insecure")
        coordinator.wait_for("warning: tcp://0.0.0.0:0 is neither encrypted nor guarded")
        assert ", not encrypted, " in coordinator.said


# ---- what cannot begin


def test_what_cannot_begin_says_so_in_one_line(
    things: Path, tmp_path: Path, refused: Refused
) -> None:
    model = things / "chain.ftd"
    (tmp_path / "keys").mkdir()
    with cluster(tmp_path / "c", model) as made:
        made.coordinator()
        taken = ("coordinator", model, "--listen", made.endpoint)
        refused(*taken, words=("cannot listen on", "another program listens there"))
        for arguments, status, words in (
            (("coordinator", "absent.ftd"), 2, ("absent.ftd", "No such file")),
            (
                ("coordinator", model, "--listen", "5555"),
                2,
                ("'5555' is not an address to listen on",),
            ),
            (("coordinator", model, "--keys", "keys"), 2, ("holds no coordinator.key_secret",)),
            (("coordinator", model, "--trace", "no/t.json"), 2, ("no is not a folder",)),
            (("coordinator", model, "--mem", "28M"), 3, ("nothing fits 28.0 MiB",)),
            (("coordinator", model, "--mem", "33M"), 3, ("cannot hold a frame",)),
            (
                ("worker", "127.0.0.1:1", "--mem", "64M"),
                2,
                ("is not the address of a coordinator",),
            ),
            (("worker", made.endpoint, "--keys", "keys"), 2, ("is not a folder of keys",)),
            (("worker", made.endpoint, "--name", "x" * 65), 2, ("--name",)),
        ):
            refused(*arguments, status=status, words=words)


def test_a_wrong_address_is_said(tmp_path: Path) -> None:
    outcome = ftdist_command("status", "tcp://127.0.0.1:1", folder=tmp_path)
    assert_refused(
        outcome, 1, "tcp://127.0.0.1:1: nothing listens there", "is the coordinator running"
    )


def test_running_is_a_context(tmp_path: Path) -> None:
    """The tests' own helper: a command that fails is not waited for forever."""
    failing = Running(tmp_path, "x", "status", "nonsense")
    with pytest.raises(AssertionError, match="it ended"):
        failing.wait_for("never said")


# ---- one file for everybody


@pytest.fixture
def port() -> Iterator[int]:
    with kept_port() as kept:
        yield kept


def test_one_file_of_settings_serves_every_command(
    things: Path, images: list[Path], tmp_path: Path, port: int
) -> None:
    config = settings(
        tmp_path,
        f"""
        [model]
        file = "{things / "chain.ftd"}"
        cache = "cache"
        [memory]
        budget = "256M"
        [coordinator]
        listen = "tcp://127.0.0.1:{port}"
        heartbeat_s = 0.2
        trace = "trace.json"
        [job]
        threads = 1
        in_flight = 1
        [security]
        keys = "keys"
        """,
    )
    assert ftdist_command("keygen", "keys", folder=tmp_path).status == 0
    with cluster(tmp_path / "c", things / "chain.ftd") as made:
        for command in ("coordinator", "worker"):
            made.running.append(Running(made.folder, command, command, "--config", config))
        made.running[1].wait_for("joined the cluster")
        outcome = ftdist_command(
            "submit", *images, "-o", "out", "--config", config, folder=tmp_path
        )
        assert outcome.status == 0, outcome
        outcome = ftdist_command("status", "--json", "--config", config, folder=tmp_path)
        (worker,) = json.loads(outcome.out)["workers"]
        assert worker["budget_bytes"] == 256 << 20 and worker["threads"] == 1
    assert (tmp_path / "trace.json").exists() and any((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGINT, "interrupted"),
        (signal.SIGTERM, "stopped by SIGTERM"),
        (signal.SIGHUP, "stopped by SIGHUP"),
    ],
)
def test_an_interrupted_client_takes_its_job_back(
    things: Path, images: list[Path], tmp_path: Path, number: signal.Signals, words: str
) -> None:
    with cluster(tmp_path / "c", things / "chain.ftd") as made:
        coordinator = made.coordinator()
        client = made.begin("client", *images, "-o", tmp_path / "out")
        client.wait_for("waiting for workers")
        assert client.end(number) == 128 + number
        assert client.said.splitlines()[-1] == f"ftdist: {words}"
        coordinator.wait_for("job .*: cancelled")
        assert list((tmp_path / "out").iterdir()) == []


def test_the_time_line_of_a_cluster(things: Path, images: list[Path], tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    with cluster(tmp_path / "c", things / "two.ftd") as made:
        coordinator = made.coordinator("--trace", trace)
        for name in ("ann", "bob"):
            made.worker(name).wait_for("joined the cluster")
        outcome = made.submit(*images, "-o", tmp_path / "out", "--job", "night")
        assert outcome.status == 0, outcome
        coordinator.wait_for("job night: done")
        assert coordinator.end() == 0
    assert_no_span_crosses_another(trace)
    lines = lines_of(trace)
    assert ("coordinator", "planning") in lines
    assert len(lines["client of night", "received from it"]) == len(images)
    assert {track for track, line in lines if line == "computing"} <= {"ann", "bob"}
    names = [each["name"] for each in events(trace) if each.get("cat") == "task"]
    assert all(re.fullmatch(r"frame [0-5], layers? [0-9.]+(, tile \d+ of \d+)?", n) for n in names)
