"""`ftdist batch`: records of many pictures."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import signal
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from support.command import assert_refused, ftdist_command
from support.command import measured_ftdist as measured_command
from support.pictures import scene
from support.smallmodels import CHAIN, DETECTOR, write_small_model

from ftdist import atomic
from ftdist.cli.commands import batch
from ftdist.cli.main import main
from ftdist.cli.signals import Interrupted
from ftdist.errors import BudgetError
from ftdist.many import local
from ftdist.many.asking import Allowed, asked_of, ready
from ftdist.many.lanes import HELPERS, Lanes
from ftdist.many.listing import Listing
from ftdist.many.local import look
from ftdist.network.modelfile import load
from ftdist.planning.throughput import pictures_in_hand
from ftdist.runtime.budget.heap import REUSING_BYTES
from ftdist.runtime.budget.memory import MIB

COUNT, BROKEN = 24, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector, a network of numbers, and pictures of several sizes, one of them broken."""
    found = tmp_path_factory.mktemp("batch")
    write_small_model(found / "detector.ftd", DETECTOR, labels=("cat", "dog"))
    write_small_model(found / "chain.ftd", CHAIN)
    for number in range(COUNT):
        path = found / "photos" / f"p{number:02}.{'png' if number % 3 else 'jpg'}"
        path.parent.mkdir(exist_ok=True)
        scene(40 + 7 * number, 90 - number, seed=number).save(path)
        if number == BROKEN:
            path.write_bytes(path.read_bytes()[:200])
    return found


def names(records: bytes) -> list[str]:
    return [json.loads(line)["file"] for line in records.splitlines()]


def test_each_picture_has_a_record_and_a_broken_one_is_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.jsonl"
    done = ftdist_command(
        "batch", "detector.ftd", "photos", "-o", out, "--thresh", "0.2", folder=folder
    )
    assert done.status == 1, done
    pictures = sorted(str(each.relative_to(folder)) for each in (folder / "photos").iterdir())
    broken = pictures.pop(BROKEN)
    assert names(out.read_bytes()) == pictures
    assert names((tmp_path / "found.jsonl.left-out").read_bytes()) == [broken]
    assert done.err.count(broken) == 2 and "1 input left out" in done.err
    assert f"inputs     {COUNT - 1} of {COUNT}" in done.out
    assert sorted(each.name for each in tmp_path.iterdir()) == [out.name, f"{out.name}.left-out"]


def test_a_short_batch_takes_more_than_no_seconds(folder: Path, tmp_path: Path) -> None:
    outcome = ftdist_command(
        *("batch", folder / "detector.ftd", folder / "pictures", "-o", "seen.jsonl"),
        folder=tmp_path,
    )
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("rate "))
    took = re.search(r"computing \d+% of (\S+) s; ", line)
    assert took is not None and float(took[1]) > 0, line


def test_records_are_what_a_run_of_the_picture_finds(folder: Path, tmp_path: Path) -> None:
    picture = "photos/p04.png"
    ftdist_command("run", "detector.ftd", picture, "-o", tmp_path / "run.json", folder=folder)
    (single,) = json.loads((tmp_path / "run.json").read_text())
    done = ftdist_command(
        *("batch", "detector.ftd", "photos/p0[34].*", "--threads", "2"), folder=folder
    )
    assert done.status == 0, done
    records = [json.loads(line) for line in done.out.splitlines()]
    assert records[1] == single and single["detections"]


def test_tables_and_cocos_files_hold_the_same_records(folder: Path, tmp_path: Path) -> None:
    given = ["batch", "detector.ftd", "photos", "--thresh", "0.2"]
    lines = ftdist_command(*given, folder=folder).out.splitlines()
    records = [json.loads(line) for line in lines]
    found = [each for record in records for each in record["detections"]]
    for name in ("all.json", "all.csv"):
        ftdist_command(*given, "-o", tmp_path / name, folder=folder)
    ftdist_command(*given, "-o", tmp_path / "coco.json", "--format", "coco", folder=folder)
    assert json.loads((tmp_path / "all.json").read_text()) == records
    rows = list(csv.reader((tmp_path / "all.csv").read_text().splitlines()))
    assert len(rows) == 1 + len(found)
    coco = json.loads((tmp_path / "coco.json").read_text())
    assert [each["file_name"] for each in coco["images"]] == [each["file"] for each in records]
    assert [each["score"] for each in coco["annotations"]] == [each["score"] for each in found]


def test_a_folder_gets_a_picture_of_each_and_the_records(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn"
    done = ftdist_command("batch", "detector.ftd", "photos", "-o", f"{out}/", folder=folder)
    assert done.status == 1, done
    records = [json.loads(line) for line in (out / "results.jsonl").read_bytes().splitlines()]
    written = {Path(each["output"]) for each in records}
    assert len(written) == COUNT - 1 and all(each.is_file() for each in written)
    kept = {*written, out / "results.jsonl", out / "results.jsonl.left-out"}
    assert set(out.iterdir()) == kept


def test_arrays_of_a_network_of_numbers_go_to_a_folder(folder: Path, tmp_path: Path) -> None:
    assert_refused(
        ftdist_command("batch", "chain.ftd", "photos", folder=folder), 2, "name a folder"
    )
    out = tmp_path / "arrays"
    ftdist_command("batch", "chain.ftd", "photos/p1*", "-o", f"{out}/", folder=folder)
    assert len(list(out.glob("*.npy"))) == 10


@pytest.mark.parametrize("moment", [0, 17])
def test_interrupted_it_goes_on_and_ends_as_if_it_had_not_been(
    folder: Path,
    tmp_path: Path,
    moment: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "found.jsonl"
    given = ["batch", str(folder / "detector.ftd"), str(folder / "photos"), "--threads", "2"]
    assert main([*given, "-o", str(whole)]) == 1

    def interrupted(*arguments: Any, **more: Any) -> Iterator[Any]:
        yield from islice(local.run(*arguments, **more), moment)
        raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(batch, "computed", interrupted)
        assert main([*given, "-o", str(out)]) == 128 + signal.SIGTERM
    assert f"{moment} of {COUNT} inputs done" in capsys.readouterr().err
    assert not out.exists()
    assert main([*given, "-o", str(out)]) == 2
    assert "go on with --resume" in capsys.readouterr().err
    assert main([*given, "-o", str(out), "--resume"]) == 1
    assert out.read_bytes() == whole.read_bytes()
    lost = (path.with_name(f"{path.name}.left-out").read_bytes() for path in (out, whole))
    assert len(set(lost)) == 1
    assert main([*given, "-o", str(out), "--resume"]) == 0
    assert "nothing is left to do" in capsys.readouterr().out
    assert (
        main([*given[:3], str(folder / "detector.ftd"), *given[3:], "-o", str(out), "--resume"])
        == 2
    )
    assert "is whole, and of other inputs than these" in capsys.readouterr().err


def test_a_full_disk_ends_a_batch_and_leaves_no_input_out(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What found no room is done when there is some: the result is that of a batch that had it."""
    given = ["batch", str(folder / "detector.ftd"), str(folder / "photos"), "--threads", "2"]
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert main([*given, "-o", f"{whole}/"]) == 1
    flush, room = atomic._flush, iter(range(5))

    def full(path: Path) -> None:
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(path)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_flush", full)
        assert main([*given, "-o", f"{out}/"]) == 2
    assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]
    assert main([*given, "-o", f"{out}/", "--resume"]) == 1
    assert {each.name for each in out.iterdir()} == {each.name for each in whole.iterdir()}
    for name in ("results.jsonl", "results.jsonl.left-out"):
        assert (out / name).read_bytes().replace(b"/out/", b"/whole/") == (
            whole / name
        ).read_bytes()


def test_the_budget_holds_with_all_stages_at_once(folder: Path, tmp_path: Path) -> None:
    big = tmp_path / "big.jpg"
    scene(2000, 1500).save(big, progressive=True)
    given = ("batch", folder / "detector.ftd", folder / "photos", big, "--threads", "2")
    for mem, lost in ((44, 2), (64, 1)):
        out = tmp_path / f"{mem}.jsonl"
        done = measured_command(*given, "--mem", f"{mem}M", "-o", out, folder=tmp_path)
        assert done.status == 1, done
        assert done.peak_bytes <= mem * MIB
        assert len(names(out.read_bytes())) == COUNT + 1 - lost


def test_the_heap_keeps_what_pictures_leave_and_more_are_in_hand_where_there_is_room(
    folder: Path,
) -> None:
    """Both are in the budget, and given up first."""
    model = load(folder / "detector.ftd")
    photos = Listing([str(folder / "photos")], recursive=False)
    asked = asked_of(model, {"threshold": 0.3, "overlap": 0.45})

    def lanes(mem: int) -> Lanes:
        return ready(model, asked, photos, lambda _: None, Allowed(mem, 2)).lanes

    wide = lanes(2048 * MIB)
    assert wide.heap_bytes > REUSING_BYTES and wide.room_bytes > 0
    assert wide.hand.pictures > pictures_in_hand(wide.split, HELPERS)
    assert wide.peak_bytes <= 2048 * MIB
    with pytest.raises(BudgetError) as refused:
        lanes(MIB)
    tight = lanes(refused.value.smallest_bytes + MIB)
    assert tight.heap_bytes == 0 < tight.room_bytes
    assert tight.hand.pictures == pictures_in_hand(tight.split, HELPERS)
    sizes = range(refused.value.smallest_bytes, 2048 * MIB, 4 * MIB)
    more = (lanes(mem) for mem in sizes)
    first = next(each for each in more if each.hand.pictures > tight.hand.pictures)
    seen = look(photos, asked, lambda _: None, 2048 * MIB).largest_bytes
    assert first.room_bytes >= 2 * seen * (first.split.lanes + HELPERS), "for larger ones"
    assert first.heap_bytes > 0


def test_what_cannot_be_asked_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    def refused(*words: object) -> None:
        assert_refused(ftdist_command("batch", *words, folder=folder), 2)

    refused("detector.ftd")
    refused("detector.ftd", "photos", "--resume")
    refused("detector.ftd", "photos", "--format", "csv")
    refused("detector.ftd", "photos/*.gif")
    refused("detector.ftd", "@missing.txt")
    refused("detector.ftd", "photos", "-o", "nowhere/out.jsonl")
    refused("detector.ftd", "photos", "-o", "detector.ftd/out.jsonl")
    refused("chain.ftd", "photos", "-o", tmp_path / "x.csv")


@pytest.mark.parametrize("name", ["found.jpg", "found.mp4", "found.npy", "found.txt"])
def test_a_name_of_one_file_makes_no_folder(folder: Path, tmp_path: Path, name: str) -> None:
    """A batch writes one of each input; a folder that is called so may be meant."""
    given = ("batch", "detector.ftd", "photos/p00.jpg", "-o", tmp_path / name)
    done = ftdist_command(*given, folder=folder)
    assert_refused(done, 2)
    assert "name a folder, as -o out/" in done.err
    assert not (tmp_path / name).exists()
    done = ftdist_command(*given[:-1], f"{tmp_path / name}/", folder=folder)
    assert done.status == 0 and (tmp_path / name / "p00-found.jpg").exists()
