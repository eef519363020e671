"""What a worker asks for, and what it does with chunks that come, or do not, or are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.cluster.cachedmodels import CONVOLUTION, WIDE, begun, fill
from support.cluster.scriptedcoordinator import chunk
from support.smallmodels import write_small_model

from ftdist.cluster.server.model_reader import header_bytes
from ftdist.cluster.worker.fetching import FetchedWeights, OwnWeights
from ftdist.cluster.worker.modelcache import PART_BYTES, CacheError, ModelCache
from ftdist.network.modelfile import Model, load
from ftdist.protocol.limits import SIDE
from ftdist.protocol.shared_messages import ModelChunk, ModelRequest
from ftdist.protocol.worker_messages import Prepare, Ready
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


def test_a_worker_without_files_gets_header_and_layers(cache: ModelCache, model: Model) -> None:
    weights = FetchedWeights(cache)
    assert weights.model(model.digest, 0, 1) is None
    weights.prepare(prepare(model, 0, 1, 2))
    assert run(weights, model) == [Ready(model.digest, (0, 1, 2))]
    assert weights.model(model.digest, 0, 4) is None  # layer 3 was not wanted
    found = weights.model(model.digest, 0, 3)
    assert found is not None and found.network == model.network
    blob = model.blobs[2]
    places = slice(blob.start, blob.start + blob.bytes)
    assert np.array_equal(found.weights[places], model.weights[places])
    weights.close()


def test_a_few_parts_are_under_way_at_most(cache: ModelCache, model: Model) -> None:
    """Of small ones eight, of large ones as many as four whole ones are."""
    weights = FetchedWeights(cache)
    weights.prepare(prepare(model, 0, 2, 3))
    (header,) = weights.requests(0.0)
    assert (header.layer, header.offset, header.size) == (-1, 0, header_bytes(model))
    assert header.digest == model.digest and weights.requests(0.0) == []
    assert weights.take(chunk(model, header))
    asked = weights.requests(0.0)
    assert [each.digest for each in asked[:2]] == [model.blobs[n].digest for n in (0, 2)]
    assert len(asked) == 6 and weights.requests(1.0) == []  # all that there is
    weights.close()


@pytest.mark.parametrize("filters", [(8,) * 12, (64, 512, 512)], ids=["small", "large"])
def test_parts_are_asked_for_by_count_and_by_bytes(
    cache: ModelCache, tmp_path: Path, filters: tuple[int, ...]
) -> None:
    """Twelve layers of few KiB, or three of up to 9 MiB."""
    text = WIDE.partition("[conv")[0] + "".join(map(CONVOLUTION.format, filters))
    model = load(write_small_model(tmp_path / "net.ftd", text))
    weights = FetchedWeights(cache)
    weights.prepare(prepare(model, *range(len(filters))))
    assert weights.take(chunk(model, weights.requests(0.0)[0]))
    asked, counts, sizes = weights.requests(0.0), [], []
    while asked:
        counts.append(len(asked))
        sizes.append(sum(each.size for each in asked))
        assert weights.take(chunk(model, asked.pop(0)))
        asked += weights.requests(0.0)
    assert max(counts) <= 8 and max(sizes) <= 4 * PART_BYTES
    assert max(counts) == 8 or max(sizes) == 4 * PART_BYTES
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
        file.seek(model.blobs[0].start + 5)
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


@pytest.mark.parametrize("layers", [(0,) * 4096, ()])
def test_wishes_without_end_take_no_memory_without_end(
    cache: ModelCache, model: Model, layers: tuple[int, ...]
) -> None:
    """A coordinator that never sends what it has a worker ask for."""
    weights = FetchedWeights(cache)
    taken = [weights.prepare(prepare(model, *layers)) for _ in range(2000)]
    assert taken[0] and not taken[-1]
    assert sum(taken) * len(layers) <= SIDE
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
