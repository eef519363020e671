"""Profiles as they are kept: found again by their device, and by nobody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.smallmodels import CHAIN, write_small_model

import ftdist
from ftdist.errors import BudgetError, InputError
from ftdist.kernels import native
from ftdist.network.modelfile import Model, load
from ftdist.planning.cost.latency import plan_seconds
from ftdist.planning.plan import parse_notation
from ftdist.planning.profile import DEFAULT, DeviceProfile
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import MIB
from ftdist.runtime.measuring import profiles
from ftdist.runtime.measuring.profiles import SHIPPED, Calibration, Device, save, this_device
from ftdist.runtime.plans.choice import SPREAD_BYTES, Choice, PlanProblem
from ftdist.runtime.plans.plan_search import PlanSearch

HERE = Device("board", "Some Core 1", "avx2", 2)
PROFILE = replace(DEFAULT, name="board", instruction_set="avx2", call_s=0.25)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder on the device HERE."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(profiles, "this_device", lambda threads: replace(HERE, threads=threads))
    return tmp_path / "ftdist"


def test_a_profile_is_found_again_by_its_device(folder: Path) -> None:
    path = save(PROFILE, HERE)
    assert path.parent == folder and list(folder.iterdir()) == [path]
    found = profiles.load(2)
    assert (found.profile, found.threads, found.note) == (PROFILE, 2, None)
    assert found.origin.startswith("the profile of this machine, measured 20")
    assert found.origin.endswith(" with 2 threads")


def test_a_new_profile_replaces_the_old_one(folder: Path) -> None:
    save(PROFILE, HERE)
    save(replace(PROFILE, call_s=0.5), HERE)
    assert profiles.load(2).profile.call_s == 0.5
    assert len(list(folder.iterdir())) == 1


def test_a_profile_of_before_is_read_or_said_to_be_measured_anew(folder: Path) -> None:
    """Kept by 0.1.0, before operators had rates of their own."""
    text = (Path(__file__).parent / "before" / "profile.json").read_text()
    folder.mkdir()
    (folder / HERE.file_name).write_text(text)
    found = profiles.load(2)
    if found.profile == DEFAULT:
        assert found.note and "calibrate" in found.note
    else:
        now, before = json.loads(found.profile.to_json()), json.loads(text)["profile"]
        assert {name: now[name] for name in before} == before


def test_without_one_the_shipped_profile_serves_without_a_word() -> None:
    assert profiles.load(2) == SHIPPED == Calibration(DEFAULT)
    assert SHIPPED.origin == "the shipped profile; 'ftdist calibrate' measures this machine"


@pytest.mark.parametrize(
    "other",
    [
        replace(HERE, host="bored"),
        replace(HERE, processor="Some Core 2"),
        replace(HERE, instruction_set="sse2"),
        replace(HERE, host="../board"),
        replace(HERE, host="board\n"),
    ],
)
def test_each_device_has_a_file_of_its_own(folder: Path, other: Device) -> None:
    paths = {save(PROFILE, HERE), save(PROFILE, other)}
    assert len(paths) == 2 and {path.parent for path in paths} == {folder}
    assert profiles.load(2).note is None
    (folder / HERE.file_name).unlink()
    assert profiles.load(2) == SHIPPED


def test_another_number_of_threads_is_better_than_another_machine() -> None:
    for threads in (1, 3, 8):
        save(replace(PROFILE, call_s=float(threads)), replace(HERE, threads=threads))
    for wanted, given_ in {1: 1, 2: 1, 3: 3, 4: 3, 6: 8, 64: 8}.items():
        found = profiles.load(wanted)
        assert (found.threads, found.profile.call_s) == (given_, given_)
    assert profiles.load(1).origin.endswith(" with 1 thread")


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v["device"].update(host="bored"), "of another device, bored (Some Core 1)"),
        (lambda v: v["device"].update(instruction_set="neon"), "of another device"),
        (lambda v: v["profile"].update(instruction_set="neon"), "another instruction set, neon"),
        (lambda v: v.update(ftdist="0.0.1"), "measured by another version, ftdist 0.0.1"),
        (lambda v: v["profile"].update(version=0), "of another version (a profile of version 0"),
        (lambda v: v["profile"].update(unknown=1.0), "damaged"),
        (lambda v: v["profile"].pop("call_s"), "damaged"),
        (lambda v: v["profile"].update(call_s="1"), "damaged"),
        (lambda v: v["profile"].update(call_s=-1e-9), "damaged"),
        (lambda v: v["profile"].update(call_s=float("nan")), "damaged"),
        (lambda v: v["profile"].update(call_s=None), "damaged"),
        (lambda v: v["profile"].update(call_s=[1.0]), "damaged"),
        (lambda v: v["profile"].update(name=5), "damaged"),
        (lambda v: v["profile"].update(disk_bytes_per_s=0.0), "damaged"),
        (lambda v: v["profile"].update(disk_bytes_per_s=float("inf")), "damaged"),
        (lambda v: v["profile"].update(narrow=[]), "damaged"),
        (lambda v: v["profile"].update(narrow=[1e9, 10**400]), "damaged"),
        (lambda v: v["profile"].update(traffic_s=[[1.0]]), "damaged"),
        (lambda v: v["profile"].update(traffic_s=5), "damaged"),
        (lambda v: v.update(measured_at=1e300), "damaged"),
        (lambda v: v.update(measured_at=[]), "damaged"),
        (lambda v: v["device"].update(threads="2"), "damaged"),
        (lambda v: v.update(device=None), "damaged"),
        (lambda v: v.clear(), "damaged"),
    ],
)
def test_what_is_not_of_this_device_and_version_is_passed_over_with_a_note(
    change: Change, reason: str
) -> None:
    path = save(PROFILE, HERE)
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    found = profiles.load(2)
    assert found.profile == DEFAULT and found.note is not None
    assert found.note.startswith(f"{path}: ") and reason in found.note
    assert found.note.endswith("; ignored; 'ftdist calibrate' measures this machine")
    assert "\n" not in found.note


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"5", b"\xff\xfe", b"[" * 100000, b"null"])
def test_a_damaged_file_is_passed_over_with_a_note(text: bytes) -> None:
    path = save(PROFILE, HERE)
    path.write_bytes(text)
    found = profiles.load(2)
    assert (found.profile, found.note is not None) == (DEFAULT, True)
    save(replace(PROFILE, call_s=7.0), replace(HERE, threads=3))
    beside = profiles.load(2)
    assert (beside.profile.call_s, beside.threads) == (7.0, 3)
    assert beside.note == found.note


@given(some.data())
def test_no_damage_crashes_a_plan(
    tmp_path_factory: pytest.TempPathFactory, data: some.DataObject
) -> None:
    """Whatever a changed byte makes of a profile, it is either passed over or good to plan with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp()))
        path = save(PROFILE, HERE)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(some.integers(1, 3))):
        at = data.draw(some.integers(0, len(content) - 1))
        content[at] = data.draw(some.sampled_from(b'0123456789.eE-+[]{},:" nulNaI') | some.just(0))
    path.write_bytes(bytes(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp()))
        found = profiles.load(2)
    network = small_network()
    for notation in ("1x1", "1x1s2w"):
        seconds = plan_seconds(network, parse_notation(notation, network), found.profile)
        assert seconds >= 0


def small_network() -> Any:
    from ftdist.network.darknet.importer import parse_cfg

    return parse_cfg(CHAIN, "chain").network


def test_folders_that_do_not_do(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("a file")
    with pytest.raises(InputError, match=r"cannot make .*ftdist: File exists"):
        save(PROFILE, HERE)
    assert profiles.load(2) == SHIPPED
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert profiles.cache_folder() == tmp_path / "home/.cache/ftdist"
    monkeypatch.setattr(profiles.os.path, "expanduser", lambda path: path)
    assert profiles.cache_folder() is None
    assert profiles.load(2) == SHIPPED
    with pytest.raises(InputError, match="set XDG_CACHE_HOME"):
        save(PROFILE, HERE)


@pytest.mark.parametrize(
    ("text", "processor"),
    [
        ("processor\t: 0\nmodel name\t:  A  Core 5\nmodel\t: 3\n", "A Core 5"),
        ("processor\t: 0\nBogoMIPS\t: 108\nModel\t\t: Raspberry Pi 4\n", "Raspberry Pi 4"),
        ("Hardware\t: BCM2835\n", "BCM2835"),
    ],
)
def test_the_processor_is_named_as_the_system_names_it(
    tmp_path: Path, text: str, processor: str
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(text)
    found = this_device(3, tmp_path)
    assert (found.processor, found.threads) == (processor, 3)
    assert found.instruction_set == native.chosen().name


def test_a_machine_without_a_name_for_its_processor_has_one(tmp_path: Path) -> None:
    assert this_device(1, tmp_path).processor
    assert this_device(1).host and this_device(1).processor


# What planning makes of a profile


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("chain") / "chain.ftd", CHAIN))


def examined(model: Model, notation: str, cache_bytes: int, profile: DeviceProfile) -> Choice:
    plan = parse_notation(notation, model.network)
    limit = Budget(4096 * MIB, "--mem", cache_bytes=cache_bytes)
    return PlanProblem(model, limit, calibration=Calibration(profile)).examine(plan)


def fastest(model: Model, limit: Budget, calibration: Calibration = SHIPPED) -> Choice:
    return PlanSearch(PlanProblem(model, limit, calibration=calibration)).fastest()


def test_times_are_those_of_the_profile(chain: Model) -> None:
    slow = replace(PROFILE, call_s=1.0)
    limit = Budget(4096 * MIB, "--mem")
    found = fastest(chain, limit, Calibration(slow))
    assert found.latency_s > 1 > 2 * fastest(chain, limit).latency_s
    assert found.calibration.profile == slow
    assert found.latency_s == pytest.approx(plan_seconds(chain.network, found.plan, slow))


def test_python_plans_with_the_profile_that_is_kept(
    chain: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Calibration] = []

    class Spy(PlanSearch):
        def fastest(self) -> Choice:
            used.append(self.problem.calibration)
            return super().fastest()

    monkeypatch.setattr("ftdist.runtime.plans.decision.PlanSearch", Spy)
    save(PROFILE, HERE)
    ftdist.plan(chain, mem="4G", threads=2)
    assert [each.profile for each in used] == [PROFILE]


@pytest.mark.parametrize(
    ("notation", "cached", "rate", "source"),
    [
        ("1x1", False, 1e3, "memory"),
        ("1x1s2w", True, 1e3, "page cache"),
        ("1x1s2w", False, 1e12, "disk, hidden by the arithmetic"),
        ("1x1/1/1x1w", False, 1e3, "disk, which is the limit"),
    ],
)
def test_a_file_that_stays_in_the_page_cache_is_not_read_from_the_disk(
    chain: Model, notation: str, cached: bool, rate: float, source: str
) -> None:
    room = len(chain.weights) + (1 if cached else 0)
    found = examined(chain, notation, room, replace(DEFAULT, disk_bytes_per_s=rate))
    assert found.weights_from == source
    assert (found.latency_s > 1) == source.endswith("limit")


def test_the_search_shuns_a_slow_disk_only_where_it_is_read(
    chain: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest budget leaves no choice but to stream; from the page cache that costs little."""
    monkeypatch.setattr("ftdist.runtime.budget.process_memory.resident_bytes", lambda: MIB)
    monkeypatch.setattr("ftdist.runtime.budget.process_memory.peak_resident_bytes", lambda: MIB)
    monkeypatch.setattr("ftdist.runtime.plans.plan_search.peak_resident_bytes", lambda: 0)
    slow = Calibration(replace(DEFAULT, disk_bytes_per_s=1e4))
    with pytest.raises(BudgetError) as caught:
        fastest(chain, Budget(MIB, "--mem"), slow)
    limit = Budget(caught.value.smallest_bytes - SPREAD_BYTES, "--mem")
    from_disk = fastest(chain, limit, slow)
    cached = fastest(chain, replace(limit, cache_bytes=MIB), slow)
    assert from_disk.weights_from == "disk, which is the limit"
    assert cached.weights_from == "page cache"
    assert cached.latency_s < 0.1 < from_disk.latency_s


def test_everything_about_a_device_is_in_its_file() -> None:
    value = json.loads(save(PROFILE, HERE).read_text())
    assert value["device"] == asdict(HERE)
    assert value["ftdist"] == ftdist.__version__
    assert value["profile"] == json.loads(PROFILE.to_json())
