"""Metrics: in the form that Prometheus reads, with units in their names."""

from __future__ import annotations

import re

import pytest
from support.coordinator.sharedplans import small_network
from support.pageclient import Site

from ftdist.coordinator.observing.snapshot import Snapshot, Totals, WorkerNow
from ftdist.network.task import Task
from ftdist.page.metrics import PageCounts, as_text
from ftdist.page.subject import Subject
from ftdist.planning.profile import DEFAULT
from ftdist.protocol.client_messages import WorkerStatus

parser = pytest.importorskip("prometheus_client.parser", reason="needs prometheus-client")
UNITS = ("_seconds", "_bytes", "_ratio", "_per_second", "_total", "_info")


def status_of(name: str) -> WorkerStatus:
    return WorkerStatus(
        name=name,
        state="idle",
        instruction_set="neon",
        threads=1,
        budget_bytes=2,
        peak_bytes=1,
        share=0.5,
        macs_per_s=1e9,
        link_bytes_per_s=0.0,
        tasks=1,
        finished=2,
        failed=3,
        key='a"k\\ey',
        address="10.0.0.1",
    )


def families(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found = parser.text_string_to_metric_families(text)
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in found
    }


def test_names_of_workers_may_hold_anything() -> None:
    workers = tuple(
        WorkerNow(n, status_of(name), 0.001, False, 0.1, 0, ())
        for n, name in enumerate(['a"b', "c\\d", "é{}=,"], 1)
    )
    shot = Snapshot(1.0, "m", 0, "no plan", None, workers, (), (), 0, Totals())
    subject = Subject("coordinator", small_network(), DEFAULT, Task(), (), 1, 1)
    found = families(as_text(subject, shot, None, 3, PageCounts(0, 0, 4)))
    assert [labels["worker"] for labels, _ in found["ftdist_worker_threads"]] == [
        each.status.name for each in workers
    ]
    assert {labels["key"] for labels, _ in found["ftdist_worker_info"]} == {'a"k\\ey'}


def test_rates_are_taken_by_the_clock_of_the_figures() -> None:
    """Figures may be a second old where nobody looks: the reader's own clock would mislead."""
    subject = Subject("coordinator", small_network(), DEFAULT, Task(), (), 1, 1)
    shots = [
        Snapshot(now_s, "m", 0, "no plan", None, (), (), (), 0, Totals(frames=frames))
        for now_s, frames in ((100.25, 40), (102.5, 49))
    ]
    early, late = (families(as_text(subject, s, None, 3, PageCounts(0, 0, 4))) for s in shots)
    (taken_s, frames) = (
        late[name][0][1] - early[name][0][1]
        for name in ("ftdist_clock_seconds", "ftdist_frames_finished")
    )
    assert frames / taken_s == 4.0


def test_metrics_are_read_by_prometheus_own_parser(open_site: Site) -> None:
    answer = open_site.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = families(answer.text)
    assert found["ftdist_workers"] == [({}, 1.0)]
    assert found["ftdist_worker_budget_bytes"] == [({"worker": "pi1"}, float(256 << 20))]
    assert found["ftdist_workers_joined"] == [({}, 1.0)]
    ((_, peak),) = found["ftdist_process_peak_bytes"]
    assert peak > 1 << 20


def test_names_are_ours_and_say_their_units(open_site: Site) -> None:
    text = open_site.get("/metrics").text
    names = re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE)
    assert len(names) == len(dict(names)) > 30
    plain = {"workers", "jobs", "info", "frames_in_flight", "plan_in_use", "plan_stages"}
    plain |= {"worker_threads", "worker_tasks_in_progress", "page_streams"}
    plain |= {"job_frames", "job_frames_finished"}
    for name, kind in names:
        assert name.startswith("ftdist_")
        assert (kind == "counter") == name.endswith("_total"), name
        assert name.endswith(UNITS) or name.removeprefix("ftdist_") in plain, name
