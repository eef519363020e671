"""Models that arrive in pieces: kept, checked, resumed, shared, removed when room is needed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scriptedcoordinator import chunk
from smallmodels import write_small_model

from ftdist.cluster import modelcache
from ftdist.cluster.chunks import header_bytes
from ftdist.cluster.fetching import FetchedWeights, OwnWeights
from ftdist.cluster.modelcache import PART_BYTES, CachedModel, CacheError, ModelCache
from ftdist.coordinator.messages import ModelChunk, ModelRequest, Prepare, Ready
from ftdist.network.modelfile import Model, load
from ftdist.runtime.memory import MIB

_CONVOLUTION = "[convolutional]\nfilters={}\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
WIDE = (
    "[net]\nwidth=8\nheight=8\nchannels=3\n"
    + _CONVOLUTION.format(64)
    + "[maxpool]\nsize=2\nstride=2\n"
    + _CONVOLUTION.format(256)
    + _CONVOLUTION.format(32)
)
"""Layers 0, 2 and 3 have weights, of 7 KiB, 577 KiB and 288 KiB."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("wide") / "wide.ftd", WIDE))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("other") / "other.ftd", WIDE, seed=2))


@pytest.fixture
def cache(tmp_path: Path) -> ModelCache:
    return ModelCache(tmp_path / "models", 64 * MIB)


def bytes_of(model: Model, start: int, size: int) -> bytes:
    return os.pread(model.file, size, start)


def begun(cache: ModelCache, model: Model) -> CachedModel:
    """A model of which the cache has the header."""
    return cache.create(model.digest, bytes_of(model, 0, header_bytes(model)))


def fill(cached: CachedModel, model: Model, layer: int) -> None:
    for offset, size in cached.lacking(layer):
        data = bytes_of(model, model.blobs[layer].weights + offset, size)
        cached.write(layer, offset, memoryview(data))


def checked(cached: CachedModel, layer: int) -> bool:
    *steps, sound = cached.check(layer)
    assert steps == [None] * len(steps)
    return bool(sound)


def prepare(model: Model, *layers: int) -> Prepare:
    return Prepare(model.digest, header_bytes(model), layers)


def run(weights: FetchedWeights, model: Model, most: int = 10_000) -> list[Ready]:
    """Answers what is asked for and lets it work until it is at rest, or so many chunks came."""
    found: list[Ready] = []
    pending: list[ModelRequest] = []
    while True:
        busy = weights.step()
        found += weights.ready()
        pending += weights.requests(0.0)
        if pending and most:
            assert weights.take(chunk(model, pending.pop(0)))
            most -= 1
        elif not busy:
            return found


# ---- files


def test_a_model_arrives_layer_by_layer_and_is_the_same(cache: ModelCache, model: Model) -> None:
    cached = begun(cache, model)
    for layer in model.blobs:
        fill(cached, model, layer)
        assert checked(cached, layer)
        assert cached.lacking(layer) == []
    assert cached.path.read_bytes() == bytes(model.weights)
    assert load(cached.path).digest == model.digest
    cached.close()


def test_layers_that_were_never_wanted_take_no_disk(cache: ModelCache, model: Model) -> None:
    cached = begun(cache, model)
    fill(cached, model, 0)
    about = cached.path.stat()
    assert about.st_size == len(model.weights)
    assert about.st_blocks * 512 < about.st_size / 4
    assert np.array_equal(*(each.weights[: header_bytes(model)] for each in (cached.load(), model)))
    cached.close()


def test_a_cut_transfer_goes_on_where_it_was(cache: ModelCache, model: Model) -> None:
    cached = begun(cache, model)
    first, *rest = cached.lacking(2)
    assert len(rest) == 2 and first == (0, PART_BYTES)
    cached.write(2, 0, memoryview(bytes_of(model, model.blobs[2].weights, PART_BYTES)))
    cached.close()
    again = cache.find(model.digest)
    assert again is not None and again.lacking(2) == rest
    fill(again, model, 2)
    assert checked(again, 2)
    again.close()


def test_what_was_damaged_is_lacking_again(cache: ModelCache, model: Model) -> None:
    cached = begun(cache, model)
    cached.write(2, 0, memoryview(bytes(PART_BYTES)))
    fill(cached, model, 2)
    assert not checked(cached, 2)
    assert len(cached.lacking(2)) == 3
    fill(cached, model, 2)
    assert checked(cached, 2)
    cached.close()


@pytest.mark.parametrize(
    "journal",
    [b"", b"nonsense", b"ftdist parts 1\n2 0\n2 1\n2 2\n", b"\x00" * 100],
    ids=["empty", "words", "other parts", "zeros"],
)
def test_a_journal_that_makes_no_sense_means_that_nothing_is_there(
    cache: ModelCache, model: Model, journal: bytes
) -> None:
    cached = begun(cache, model)
    fill(cached, model, 2)
    cached.close()
    cached.path.with_suffix(".parts").write_bytes(journal)
    again = cache.find(model.digest)
    assert again is not None and len(again.lacking(2)) == 3
    again.close()


def test_lines_of_a_journal_that_make_no_sense_are_passed_over(
    cache: ModelCache, model: Model
) -> None:
    cached = begun(cache, model)
    cached.write(2, 0, memoryview(bytes_of(model, model.blobs[2].weights, PART_BYTES)))
    with cached.path.with_suffix(".parts").open("ab") as journal:
        journal.write(b"2\n2 3\n2 -1\n99 0\n2 1 1\nx 1\n2 x\n2 1e0\n\xff \xff\n")
    assert [offset for offset, _ in cached.lacking(2)] == [PART_BYTES, 2 * PART_BYTES]
    cached.close()


def test_a_journal_is_not_believed(cache: ModelCache, model: Model) -> None:
    cached = begun(cache, model)
    with cached.path.with_suffix(".parts").open("ab") as journal:
        journal.write(b"2 whole\n")
    assert cached.lacking(2) == []
    assert not checked(cached, 2)
    cached.close()


def test_a_damaged_header_is_fetched_again(cache: ModelCache, model: Model) -> None:
    cached = begun(cache, model)
    fill(cached, model, 0)
    cached.close()
    with cached.path.open("rb+") as file:
        file.seek(100)
        file.write(b"?")
    assert cache.find(model.digest) is None
    again = begun(cache, model)
    assert again.lacking(0) != []
    again.close()


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 32, "a" * 31, "a" * 32 + "/"])
def test_only_digests_name_files(cache: ModelCache, digest: str) -> None:
    with pytest.raises(CacheError, match="no digest"):
        cache.find(digest)


def test_a_header_must_be_that_of_the_model_and_nothing_more(
    cache: ModelCache, model: Model, other: Model
) -> None:
    header = bytes_of(model, 0, header_bytes(model))
    with pytest.raises(CacheError, match="not that of model"):
        cache.create(other.digest, header)
    with pytest.raises(CacheError, match="not that of model"):
        cache.create(model.digest, header + bytes(64))
    for wrong in (header[:-64], header[:20], b"", header.replace(b"leaky", b"leakz")):
        with pytest.raises(CacheError, match="the model that was sent"):
            cache.create(model.digest, wrong)
    assert cache.find(model.digest) is None


def test_two_workers_share_a_folder_without_spoiling_each_other(
    cache: ModelCache, model: Model, tmp_path: Path
) -> None:
    mine, theirs = begun(cache, model), begun(ModelCache(tmp_path / "models", MIB), model)
    for offset, size in mine.lacking(2)[:2]:
        mine.write(2, offset, memoryview(bytes_of(model, model.blobs[2].weights + offset, size)))
    assert len(theirs.lacking(2)) == 1
    fill(theirs, model, 2)
    assert checked(theirs, 2)
    mine.write(2, 0, memoryview(bytes(PART_BYTES)))  # comes late, and damaged
    assert checked(mine, 2) and mine.lacking(2) == []
    mine.close()
    theirs.close()


def test_what_was_used_longest_ago_goes_first(tmp_path: Path, model: Model, other: Model) -> None:
    cache = ModelCache(tmp_path, 2 * MIB)
    for number, each in enumerate((model, other)):
        cached = begun(cache, each)
        for layer in each.blobs:
            fill(cached, each, layer)
        cached.close()
        os.utime(cached.path, (number, number))
    cache.make_room(0)
    assert {path.suffix for path in tmp_path.iterdir()} == {".ftd", ".parts"}
    cache.make_room(512 << 10)
    assert {path.stem for path in tmp_path.iterdir()} == {other.digest}


def test_a_model_in_use_is_never_removed(tmp_path: Path, model: Model, other: Model) -> None:
    cache = ModelCache(tmp_path, MIB)
    used = begun(cache, model)
    for layer in model.blobs:
        fill(used, model, layer)
    with pytest.raises(CacheError, match=r"may hold 1\.0 MiB.*still to come take 0\.5 MiB"):
        cache.make_room(512 << 10)
    assert used.path.exists()
    used.close()
    cache.make_room(512 << 10)
    assert not used.path.exists()


def test_a_full_disk_is_one_line(
    cache: ModelCache, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = begun(cache, model)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(modelcache.os, "pwrite", full)
    with pytest.raises(CacheError, match=r"No space left on device; free some space") as caught:
        fill(cached, model, 0)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert cached.lacking(0) != []
    cached.close()


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path, model: Model) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheError, match="cannot use the model cache at"):
        begun(ModelCache(tmp_path / "file", MIB), model)


# ---- what is asked for


def test_a_worker_without_files_gets_header_and_layers(cache: ModelCache, model: Model) -> None:
    weights = FetchedWeights(cache)
    assert weights.model(model.digest, 0, 1) is None
    weights.prepare(prepare(model, 0, 1, 2))
    assert run(weights, model) == [Ready(model.digest, (0, 1, 2))]
    assert weights.model(model.digest, 0, 4) is None  # layer 3 was not wanted
    found = weights.model(model.digest, 0, 3)
    assert found is not None and found.network == model.network
    blob = model.blobs[2]
    places = slice(blob.weights, blob.weights + blob.bytes)
    assert np.array_equal(found.weights[places], model.weights[places])
    weights.close()


def test_four_parts_are_under_way_at_most(cache: ModelCache, model: Model) -> None:
    weights = FetchedWeights(cache)
    weights.prepare(prepare(model, 0, 2, 3))
    (header,) = weights.requests(0.0)
    assert (header.layer, header.offset, header.size) == (-1, 0, header_bytes(model))
    assert header.digest == model.digest and weights.requests(0.0) == []
    assert weights.take(chunk(model, header))
    first = weights.requests(0.0)
    assert len(first) == 4 and weights.requests(1.0) == []
    assert [each.digest for each in first[:2]] == [model.blobs[n].digest for n in (0, 2)]
    assert weights.take(chunk(model, first[0])) and len(weights.requests(1.0)) == 1
    weights.close()


def test_nothing_is_fetched_twice(cache: ModelCache, model: Model) -> None:
    weights = FetchedWeights(cache)
    weights.prepare(prepare(model, 2))
    run(weights, model)
    weights.prepare(prepare(model, 2, 1))
    assert weights.requests(0.0) == [] and run(weights, model, most=0) == [
        Ready(model.digest, (2, 1))
    ]
    weights.lose_connection()
    weights.prepare(prepare(model, 2))
    assert run(weights, model, most=0) == [Ready(model.digest, (2,))]
    weights.close()
    another = FetchedWeights(cache)
    another.prepare(prepare(model, 2))
    assert run(another, model, most=0) == [Ready(model.digest, (2,))]
    another.close()


def test_after_a_lost_connection_only_the_rest_is_asked_for(
    cache: ModelCache, model: Model
) -> None:
    weights = FetchedWeights(cache)
    weights.prepare(prepare(model, 2))
    assert run(weights, model, most=2) == []  # the header and one part
    weights.lose_connection()
    weights.prepare(prepare(model, 2))
    assert [each.offset for each in weights.requests(0.0)] == [PART_BYTES, 2 * PART_BYTES]
    weights.close()


def test_chunks_that_were_not_asked_for_are_passed_over(cache: ModelCache, model: Model) -> None:
    weights = FetchedWeights(cache)
    stray = ModelChunk(model.digest, -1, 0, np.zeros(10, np.uint8))
    assert not weights.take(stray)
    weights.prepare(prepare(model, 2))
    assert not weights.take(stray)
    (header,) = weights.requests(0.0)
    assert not weights.take(stray)  # too short
    right = chunk(model, header)
    assert not weights.take(ModelChunk("0" * 32, -1, 0, right.data))
    assert not weights.take(ModelChunk(model.digest, 2, 0, right.data))
    assert weights.take(right)
    assert not weights.take(right)
    assert run(weights, model) == [Ready(model.digest, (2,))]
    weights.close()


def test_a_part_that_does_not_come_is_asked_for_again(cache: ModelCache, model: Model) -> None:
    weights = FetchedWeights(cache)
    weights.prepare(prepare(model, 0))
    asked = weights.requests(0.0)
    assert weights.requests(19.0) == []
    assert weights.requests(21.0) == asked
    weights.close()


def test_damaged_weights_are_fetched_once_more_and_then_given_up(
    cache: ModelCache, model: Model
) -> None:
    weights = FetchedWeights(cache)
    weights.prepare(prepare(model, 0))
    assert weights.take(chunk(model, weights.requests(0.0)[0]))

    def damaged() -> None:
        (request,) = weights.requests(0.0)
        right = chunk(model, request)
        assert weights.take(ModelChunk(right.digest, 0, 0, np.zeros_like(right.data)))

    damaged()
    while weights.step():
        pass
    assert weights.ready() == [] and weights.model(model.digest, 0, 1) is None
    damaged()
    with pytest.raises(CacheError, match="layer 0 came damaged twice"):
        while weights.step():
            pass
    weights.close()


def test_damage_on_the_disk_is_mended_by_fetching(cache: ModelCache, model: Model) -> None:
    cached = begun(cache, model)
    fill(cached, model, 0)
    with cached.path.open("rb+") as file:
        file.seek(model.blobs[0].weights + 5)
        file.write(b"?")
    cached.close()
    weights = FetchedWeights(cache)
    weights.prepare(prepare(model, 0))
    assert run(weights, model) == [Ready(model.digest, (0,))]
    weights.close()


def test_layers_that_the_model_lacks_are_passed_over(cache: ModelCache, model: Model) -> None:
    weights = FetchedWeights(cache)
    assert weights.prepare(prepare(model, 4, 0)), "nothing is known of the model yet"
    assert weights.prepare(prepare(model, 0))
    assert run(weights, model) == [Ready(model.digest, (0,))]
    assert not weights.prepare(prepare(model, 0, 4))
    assert not weights.prepare(Prepare(model.digest, 0, (0,)))
    assert run(weights, model) == []
    weights.close()


def test_another_model_takes_the_place_of_the_first(
    cache: ModelCache, model: Model, other: Model
) -> None:
    weights = FetchedWeights(cache)
    weights.prepare(prepare(model, 0))
    run(weights, model)
    weights.prepare(prepare(other, 0))
    assert weights.model(model.digest, 0, 1) is None
    assert run(weights, other) == [Ready(other.digest, (0,))]
    assert weights.model(other.digest, 0, 1) is not None
    weights.close()


def test_more_than_the_cache_may_hold_is_refused(tmp_path: Path, model: Model) -> None:
    weights = FetchedWeights(ModelCache(tmp_path, 256 << 10))
    weights.prepare(prepare(model, 0))
    assert run(weights, model) == [Ready(model.digest, (0,))]
    with pytest.raises(CacheError, match="allow the cache more"):
        weights.prepare(prepare(model, 2))
    weights.close()


def test_a_model_at_hand_is_ready_at_once(model: Model, other: Model) -> None:
    weights = OwnWeights(model)
    weights.prepare(prepare(model, 0, 2))
    weights.prepare(prepare(other, 0))
    assert weights.ready() == [Ready(model.digest, (0, 2))] and weights.ready() == []
    assert weights.model(model.digest, 0, 4) is model
    assert weights.model(other.digest, 0, 4) is None
    assert weights.requests(0.0) == [] and not weights.step()
