"""Coordinators are found on the local network, by those whose coordinator it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.clusterprocesses import cluster
from support.smallmodels import CHAIN, write_small_model

from ftdist.cluster.keys import coordinator_keys, make_coordinator, make_peer
from ftdist.cluster.mdns import Found, _found, fingerprint, service
from ftdist.cluster.worker.finding import coordinator_address
from ftdist.errors import InputError
from ftdist.protocol.limits import PROTOCOL

pytest.importorskip("zeroconf", reason="needs zeroconf")

ONE = Found("tcp://10.0.0.1:5555", "pi1", "yolov2", "none", PROTOCOL)
OTHER = Found("tcp://10.0.0.2:5555", "pi2", "yolov2", "none", PROTOCOL)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys of a coordinator and of the worker pi."""
    folder = tmp_path_factory.mktemp("keys") / "keys"
    make_coordinator(folder)
    make_peer(folder, "pi", "worker")
    return folder


def looking(*answers: list[Found]) -> tuple[list[str], Iterator[list[Found]]]:
    return [], iter(answers)


def test_the_only_one_is_taken() -> None:
    said, answers = looking([ONE])
    assert coordinator_address(None, said.append, lambda: next(answers)) == ONE.address
    assert said[-1] == "found tcp://10.0.0.1:5555 (yolov2 on pi1, no key)"


def test_of_several_a_person_chooses() -> None:
    said, answers = looking([ONE, OTHER])
    with pytest.raises(InputError, match="several") as raised:
        coordinator_address(None, said.append, lambda: next(answers))
    for each in (ONE, OTHER):
        assert str(each) in str(raised.value)


def test_it_is_looked_for_until_it_is_there() -> None:
    said, answers = looking([], [], [ONE])
    assert coordinator_address(None, said.append, lambda: next(answers)) == ONE.address
    assert len([line for line in said if "none so far" in line]) == 1


def test_with_keys_only_their_own_coordinator_counts(keys: Path) -> None:
    own = replace(OTHER, key=fingerprint(coordinator_keys(keys).public))
    said, answers = looking([ONE], [ONE, own])
    assert coordinator_address(keys / "pi", said.append, lambda: next(answers)) == own.address
    assert len([line for line in said if "not the one of this worker's keys" in line]) == 1


def test_other_versions_are_passed_over() -> None:
    said, answers = looking([replace(ONE, protocol=PROTOCOL + 1), OTHER])
    assert coordinator_address(None, said.append, lambda: next(answers)) == OTHER.address
    assert any("another version" in line for line in said)


def test_what_is_heard_may_be_anything() -> None:
    info = service("a host\n", ["10.0.0.1"], 5555, "net", "none")
    found = _found(info)
    assert found is not None and found.address == "tcp://10.0.0.1:5555"
    assert found.host.isprintable()
    nonsense: list[dict[str | bytes, str | bytes | None]]
    nonsense = [{}, {"protocol": ""}, {"protocol": "-1"}, {"protocol": b"\xff"}, {"key": None}]
    for about in nonsense:
        odd = service("host", ["10.0.0.1"], 5555, "net", "none")
        odd._set_properties(about)
        assert _found(odd) is None
    long = service("host", ["10.0.0.1"], 5555, "net", "none")
    long._set_properties({"protocol": "1" * 50, "model": "x" * 200, "host": "\x1b[2J"})
    found = _found(long)
    assert found is not None and len(found.model) < 80 and found.host == "[2J"


def test_a_fingerprint_is_short_and_tells_keys_apart(keys: Path) -> None:
    own = fingerprint(coordinator_keys(keys).public)
    assert len(own) == 19 and own != fingerprint(b"x" * 40) and fingerprint(None) == "none"


def test_a_worker_without_an_address_joins_its_coordinator(keys: Path, tmp_path: Path) -> None:
    """On loopback; other coordinators that announce themselves here do not matter, for keys do."""
    model = write_small_model(tmp_path / "chain.ftd", CHAIN)
    with cluster(tmp_path / "c", model) as made:
        coordinator = made.coordinator("--keys", keys, "--announce")
        said = coordinator.wait_for(r"fingerprint of its key: ([0-9a-f-]{19})")[1]
        worker = made.worker("pi", "--keys", keys / "pi", named=False)
        worker.wait_for("joined the cluster")
        assert f"key {said})" in worker.said
        assert coordinator.end() == 0
        worker.wait_for("tries again")


def test_without_zeroconf_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(InputError, match=r"ftdist\[mdns\]"):
        coordinator_address(None, print, list)
