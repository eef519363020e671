"""What stays with a worker between tasks: fetched, forgotten, and never without limit."""

from __future__ import annotations

import numpy as np
from support.cluster.scriptedcoordinator import pieces_of, task_id
from support.cluster.workertasks import done, failed

from ftdist.cluster.worker.map_store import MapStore
from ftdist.cluster.worker.tasks import fetched
from ftdist.geometry import Region
from ftdist.protocol.records import Piece, Place
from ftdist.protocol.worker_messages import Fetch


def kept_map(rows: int = 4) -> tuple[MapStore, np.ndarray]:
    kept = MapStore()
    array = np.arange(rows * 3 * 2, dtype=np.float32).reshape(rows, 3, 2)
    kept.add("job", 0, Piece(1, Region(0, rows // 2, 0, 3), array[: rows // 2]))
    kept.add("job", 0, Piece(1, Region(rows // 2, rows, 0, 3), array[rows // 2 :]))
    return kept, array


def test_a_fetch_is_answered_with_just_what_it_asked_for() -> None:
    kept, array = kept_map()
    fetch = Fetch(task_id(3), (Place(1, Region(1, 3, 1, 3)),))
    parts = done(fetched(kept, fetch, 9.0))
    assert parts[0].task == task_id(3) and parts[0].ended_s == 9.0
    found = np.full((2, 2, 2), np.nan, np.float32)
    for each in pieces_of(parts):
        top, bottom, _, _ = each.region
        found[top - 1 : bottom - 1] = each.data
    assert np.array_equal(found, array[1:3, 1:3])


def test_a_fetch_of_what_is_not_kept_fails() -> None:
    kept, _ = kept_map()
    for place in (Place(1, Region(0, 5, 0, 3)), Place(2, Region(0, 1, 0, 1))):
        failed(fetched(kept, Fetch(task_id(), (place,)), 0.0), "kept")
    failed(fetched(kept, Fetch(task_id(frame=1), (Place(1, Region(0, 1, 0, 1)),)), 0.0), "kept")


def test_what_is_forgotten_is_gone_and_does_not_come_back_late() -> None:
    kept, array = kept_map()
    late = Piece(1, Region(0, 4, 0, 3), array)
    kept.add("job", 1, late)
    kept.add("other", 0, late)
    kept.forget("job", 1, ())
    assert not kept.find("job", 0, 1) and kept.find("job", 1, 1) and kept.find("other", 0, 1)
    kept.add("job", 0, late)
    assert not kept.find("job", 0, 1)
    kept.forget("job", 0, (1, 3))
    kept.add("job", 3, late)
    kept.add("job", 2, late)
    assert [bool(kept.find("job", frame, 1)) for frame in range(4)] == [False, False, True, False]
    kept.clear()
    assert kept.nbytes == 0


def test_what_is_remembered_of_forgotten_frames_has_a_limit() -> None:
    kept = MapStore()
    for number in range(1000):
        kept.forget(f"job {number}", 1, range(number, number + 100))
    assert len(kept._before) <= 64 and len(kept._forgotten) <= 4096


def test_the_same_region_is_kept_once() -> None:
    kept, array = kept_map()
    before = kept.nbytes
    kept.add("job", 0, Piece(1, Region(0, 2, 0, 3), array[:2] + 1))
    assert kept.nbytes == before
    assert kept.find("job", 0, 1)[-1].data[0, 0, 0] == 1
