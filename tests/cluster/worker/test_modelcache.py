"""Models in a folder: kept in pieces, checked, shared, removed when room is needed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from support.cluster.cachedmodels import WIDE, begun, bytes_of, fill
from support.smallmodels import write_small_model

from ftdist.cluster.server.model_reader import header_bytes
from ftdist.cluster.worker import modelcache
from ftdist.cluster.worker.modelcache import PART_BYTES, CachedModel, CacheError, ModelCache
from ftdist.network.modelfile import Model, load
from ftdist.runtime.budget.memory import MIB


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("wide") / "wide.ftd", WIDE))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write_small_model(tmp_path_factory.mktemp("other") / "other.ftd", WIDE, seed=2))


@pytest.fixture
def cache(tmp_path: Path) -> ModelCache:
    return ModelCache(tmp_path / "models", 64 * MIB)


def checked(cached: CachedModel, layer: int) -> bool:
    *steps, sound = cached.check(layer)
    assert steps == [None] * len(steps)
    return bool(sound)


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
    size = header_bytes(model)
    assert np.array_equal(cached.load().weights[:size], model.weights[:size])
    cached.close()


def test_a_cut_transfer_goes_on_where_it_was(cache: ModelCache, model: Model) -> None:
    cached = begun(cache, model)
    first, *rest = cached.lacking(2)
    assert len(rest) == 2 and first == (0, PART_BYTES)
    cached.write(2, 0, memoryview(bytes_of(model, model.blobs[2].start, PART_BYTES)))
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
    cached.write(2, 0, memoryview(bytes_of(model, model.blobs[2].start, PART_BYTES)))
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
    with pytest.raises(CacheError, match="not the digest"):
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
        mine.write(2, offset, memoryview(bytes_of(model, model.blobs[2].start + offset, size)))
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
