"""Each input has one record, whatever happened between; the result is that of an unbroken run."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ftdist.errors import InputError
from ftdist.many.spool import Spool

ABOUT = {"model": "m", "inputs": "i"}
COUNT = 60


class Clock:
    """A time that moves when it is asked for."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self._step = step

    def __call__(self) -> float:
        self.now += self._step
        return self.now


def add(spool: Spool, number: int) -> None:
    if number % 7 == 3:
        spool.leave_out(b'{"file": "%d", "reason": "broken"}' % number)
    else:
        spool.add(b'{"file": "%d", "text": "%s"}' % (number, b"x" * (number % 5)))


def unbroken(path: Path) -> tuple[bytes, bytes]:
    spool = Spool(path, ABOUT)
    spool.begin(resume=False)
    for number in range(COUNT):
        add(spool, number)
    spool.end()
    spool.close()
    return path.read_bytes(), spool.left_out.read_bytes()


def test_an_unbroken_batch_leaves_its_result_and_what_was_left_out(tmp_path: Path) -> None:
    result, lost = unbroken(tmp_path / "out.jsonl")
    files = [int(json.loads(line)["file"]) for line in result.splitlines()]
    assert files == [number for number in range(COUNT) if number % 7 != 3]
    assert len(lost.splitlines()) == COUNT - len(files)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.jsonl", "out.jsonl.left-out"]


def test_what_was_ended_is_of_its_own_inputs_and_of_no_others(tmp_path: Path) -> None:
    """Names are those of records and of what was left out, each in its order."""
    path = tmp_path / "out.jsonl"
    unbroken(path)
    names = [str(number) for number in range(COUNT)]
    assert Spool(path, ABOUT).is_of(names)
    assert not Spool(path, ABOUT).is_of([*names, "more"])
    assert not Spool(path, ABOUT).is_of(names[:-1])
    assert not Spool(path, ABOUT).is_of([names[1], names[0], *names[2:]])
    path.write_bytes(path.read_bytes() + b"not JSON\n")
    assert not Spool(path, ABOUT).is_of(names)


@pytest.mark.parametrize("seed", range(12))
def test_killed_at_any_moment_it_goes_on_to_the_same_result(tmp_path: Path, seed: int) -> None:
    """A killed process leaves what it wrote, maybe a part of it, and no orderly end."""
    wanted = unbroken(tmp_path / "whole.jsonl")
    chance, path = random.Random(seed), tmp_path / "out.jsonl"
    while True:
        spool = Spool(path, ABOUT, Clock(chance.choice([0.0, 0.4, 2.0])))
        spool.begin(resume=True)
        stop = min(COUNT, spool.progress.done + chance.randint(0, 15))
        for number in range(spool.progress.done, stop):
            add(spool, number)
        if stop == COUNT:
            spool.end()
            break
        killed(spool, chance)
    assert (path.read_bytes(), spool.left_out.read_bytes()) == wanted
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob("*.journal"))


def killed(spool: Spool, chance: random.Random) -> None:
    """What was flushed stays, and a part of what was not; the journal's last line may be cut."""
    journal = spool.path.with_name(spool.path.name + ".journal")
    for file in spool._files or ():
        file.flush()
        file.close()
    spool._files = None
    spool._journal.close()
    if chance.random() < 0.5:
        with journal.open("ab") as file:
            file.write(b"[99, 9"[: chance.randint(1, 6)])
    with spool.part.open("ab") as file:
        file.write(b'{"file": "half'[: chance.randint(0, 14)])


def test_killed_between_its_result_and_its_journal_it_is_only_ended(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    spool = Spool(path, ABOUT)
    spool.begin(resume=False)
    for number in range(10):
        add(spool, number)
    spool.close()
    spool.part.rename(path)
    spool = Spool(path, ABOUT)
    spool.begin(resume=True)
    assert spool.progress.done == 10
    spool.end()
    assert len(path.read_bytes().splitlines()) + len(spool.left_out.read_bytes().splitlines()) == 10


class Killed(BaseException):
    """The process is no more."""


def _at_most(left: list[int], function: Callable[..., None]) -> Callable[..., None]:
    """The function, as often as is left."""

    def limited(*given: object, **options: object) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        function(*given, **options)

    return limited


@pytest.mark.parametrize("made", [False, True], ids=["of records", "made of them"])
@pytest.mark.parametrize("step", range(6))
def test_killed_at_any_step_of_its_end_it_goes_on_to_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, made: bool
) -> None:
    """Steps are the files that take another name, and those that go."""

    def write(spool: Spool) -> None:
        temporary = tmp_path / "temporary"
        temporary.write_bytes(b"of records:\n" + b"".join(spool.records()))
        temporary.rename(spool.path)

    def go_on(path: Path, steps: int) -> None:
        spool = Spool(path, ABOUT)
        if spool.is_whole:
            return spool.tidy()
        spool.begin(resume=True)
        for number in range(spool.progress.done, 10):
            add(spool, number)
        left = [steps]
        try:
            with monkeypatch.context() as patch:
                for owner, name in ((os, "replace"), (Path, "unlink")):
                    patch.setattr(owner, name, _at_most(left, getattr(owner, name)))
                spool.end((lambda: write(spool)) if made else None)
        except Killed:
            spool._journal.close()  # its lock goes with the process

    go_on(tmp_path / "whole", 99)
    wanted = (tmp_path / "whole").read_bytes(), (tmp_path / "whole.left-out").read_bytes()
    go_on(tmp_path / "out", step)
    go_on(tmp_path / "out", 99)
    assert ((tmp_path / "out").read_bytes(), (tmp_path / "out.left-out").read_bytes()) == wanted
    left = {"out", "out.left-out", "whole", "whole.left-out"}
    assert {each.name for each in tmp_path.iterdir()} == left


def test_another_batch_does_not_go_on_there(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    spool = Spool(path, ABOUT)
    spool.begin(resume=False)
    add(spool, 0)
    spool.close()
    with pytest.raises(InputError, match="go on with --resume"):
        Spool(path, ABOUT).begin(resume=False)
    with pytest.raises(InputError, match="other inputs"):
        Spool(path, ABOUT | {"inputs": "j"}).begin(resume=True)
    with pytest.raises(InputError, match="another --thresh"):
        Spool(path, ABOUT | {"thresh": 0.5}).begin(resume=True)


def test_two_do_not_write_one_result(tmp_path: Path) -> None:
    first = Spool(tmp_path / "out.jsonl", ABOUT)
    first.begin(resume=False)
    with pytest.raises(InputError, match="another process"):
        Spool(tmp_path / "out.jsonl", ABOUT).begin(resume=True)
    first.close()
