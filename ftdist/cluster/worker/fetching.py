"""Which weights a worker still lacks, and how it gets them: requested in parts, checked, cached.

A model comes in two steps: its header, by the model's digest, and then the layers that the worker
is to work on, each by its own. A few parts are asked for at a time. A layer counts when it has
been read back from the disk and its digest is right; one that is not is fetched once more. Reading
back is done in small steps, between which the worker does other things.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from ftdist.cluster.worker.modelcache import PART_BYTES, CachedModel, CacheError, ModelCache
from ftdist.network.modelfile import Model
from ftdist.protocol.limits import SIDE
from ftdist.protocol.shared_messages import HEADER, ModelChunk, ModelRequest
from ftdist.protocol.worker_messages import Prepare, Ready

_OUTSTANDING, _OUTSTANDING_BYTES = 8, 4 * PART_BYTES
"""Parts that are asked for at a time, and their bytes, at most: enough to keep a link busy, also of
small layers. A coordinator takes twice as many, for parts may be asked for again."""

_ORDERS = 1024
"""Requests for layers that may be open; more than any network has stages are ignored."""

_PATIENCE_S = 20.0
"""A part that has not come by then is asked for again."""


class Weights(Protocol):
    """Where a worker's weights come from."""

    def prepare(self, wanted: Prepare) -> bool:
        """These layers are wanted; whether that makes sense."""

    def take(self, chunk: ModelChunk) -> bool:
        """A chunk came; whether it was one that had been asked for."""

    def step(self) -> bool:
        """Does a little of the work that there is; whether there is more."""

    def requests(self, now_s: float) -> list[ModelRequest]:
        """What to ask for now."""

    def ready(self) -> list[Ready]:
        """What has become ready since the last time."""

    def model(self, digest: str, first: int, stop: int) -> Model | None:
        """The model, if its layers [first, stop) are ready."""

    def lose_connection(self) -> None:
        """Nothing that was asked for will come."""

    def close(self) -> None:
        """Nothing more is wanted."""


class OwnWeights:
    """A model that is at hand, whole and checked."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._ready: list[Ready] = []

    def prepare(self, wanted: Prepare) -> bool:
        known = wanted.model == self._model.digest
        if known:
            self._ready.append(Ready(wanted.model, wanted.layers))
        return known

    def take(self, chunk: ModelChunk) -> bool:
        return False

    def step(self) -> bool:
        return False

    def requests(self, now_s: float) -> list[ModelRequest]:
        return []

    def ready(self) -> list[Ready]:
        found, self._ready = self._ready, []
        return found

    def model(self, digest: str, first: int, stop: int) -> Model | None:
        return self._model if digest == self._model.digest else None

    def lose_connection(self) -> None:
        self._ready.clear()

    def close(self) -> None:
        self.lose_connection()


class FetchedWeights:
    """A model that comes over the network into a cache. Any call may raise CacheError."""

    def __init__(self, cache: ModelCache) -> None:
        self._cache = cache
        self._digest = ""
        self._header = bytearray()
        self._cached: CachedModel | None = None
        self._model: Model | None = None
        self._sound: set[int] = set()
        self._again: set[int] = set()
        self._early: list[tuple[int, ...]] = []
        self._wanted: list[tuple[int, ...]] = []
        self._lose_queues()

    def prepare(self, wanted: Prepare) -> bool:
        if wanted.header_bytes < 1:
            return False
        if wanted.model != self._digest:
            self.close()
            self._digest = wanted.model
            self._cached = self._cache.find(wanted.model)
        orders = (*self._early, *self._wanted)
        if len(orders) >= _ORDERS or sum(map(len, orders)) + len(wanted.layers) > SIDE:
            return False
        if self._cached is not None:
            return self._want(wanted.layers)
        self._early.append(wanted.layers)
        if not self._asked and not self._lacking:
            self._header = bytearray(wanted.header_bytes)
            self._lacking.extend((HEADER, *each) for each in _parts(wanted.header_bytes))
        return True

    def take(self, chunk: ModelChunk) -> bool:
        key = (chunk.layer, chunk.offset)
        if key not in self._asked or chunk.digest != self._digest_of(chunk.layer):
            return False
        if chunk.data.size != self._asked[key][0]:
            return False
        del self._asked[key]
        data = chunk.data.data
        if chunk.layer == HEADER:
            self._header[chunk.offset : chunk.offset + len(data)] = data
            if not self._lacking and not self._asked:
                self._begin()
        else:
            assert self._cached is not None
            self._cached.write(chunk.layer, chunk.offset, data)
            self._check_if_all_came(chunk.layer)
        return True

    def step(self) -> bool:
        if not self._to_check:
            return False
        layer, work = self._to_check[0]
        sound = next(work)
        if sound is not None:
            self._to_check.popleft()
            self._coming.discard(layer)
            if sound:
                self._sound.add(layer)
            else:
                self._fetch_again(layer)
        return bool(self._to_check)

    def requests(self, now_s: float) -> list[ModelRequest]:
        for key, (size, asked_s) in list(self._asked.items()):
            if now_s - asked_s > _PATIENCE_S:
                del self._asked[key]
                self._lacking.appendleft((*key, size))
        found = []
        left_bytes = _OUTSTANDING_BYTES - sum(size for size, _ in self._asked.values())
        while self._lacking and len(self._asked) < _OUTSTANDING:
            layer, offset, size = self._lacking[0]
            if size > left_bytes and self._asked:
                break
            left_bytes -= size
            del self._lacking[0]
            self._asked[layer, offset] = (size, now_s)
            found.append(ModelRequest(self._digest_of(layer), layer, offset, size))
        return found

    def ready(self) -> list[Ready]:
        if self._cached is None:
            return []
        blobs = self._cached.header.blobs
        found = [
            layers
            for layers in self._wanted
            if all(each in self._sound or each not in blobs for each in layers)
        ]
        self._wanted = [each for each in self._wanted if each not in found]
        return [Ready(self._digest, layers) for layers in found]

    def model(self, digest: str, first: int, stop: int) -> Model | None:
        if digest != self._digest or self._cached is None:
            return None
        blobs = self._cached.header.blobs
        if any(each in blobs and each not in self._sound for each in range(first, stop)):
            return None
        if self._model is None:
            self._model = self._cached.load()
        return self._model

    def lose_connection(self) -> None:
        self._early.clear()
        self._wanted.clear()
        self._model = None
        self._lose_queues()

    def close(self) -> None:
        if self._cached is not None:
            self._cached.close()
        self._cached = None
        self._digest = ""
        self._sound.clear()
        self._again.clear()
        self.lose_connection()

    def _lose_queues(self) -> None:
        self._lacking: deque[tuple[int, int, int]] = deque()
        self._asked: dict[tuple[int, int], tuple[int, float]] = {}
        self._to_check: deque[tuple[int, Iterator[bool | None]]] = deque()
        self._coming: set[int] = set()

    def _digest_of(self, layer: int) -> str:
        if layer == HEADER or self._cached is None:
            return self._digest
        return self._cached.header.blobs[layer].digest

    def _begin(self) -> None:
        """The header is here: now the layers that were wanted before it."""
        self._cached = self._cache.create(self._digest, bytes(self._header))
        self._header.clear()
        early, self._early = self._early, []
        for layers in early:
            self._want(layers)

    def _want(self, layers: tuple[int, ...]) -> bool:
        """Gets what is lacking of these layers; whether the model has them all."""
        assert self._cached is not None
        header = self._cached.header
        if any(each >= len(header.network.layers) for each in layers):
            return False
        self._wanted.append(layers)
        for layer in layers:
            if layer in header.blobs and layer not in self._sound | self._coming:
                self._fetch(layer)
        return True

    def _fetch(self, layer: int) -> None:
        assert self._cached is not None
        lacking = self._cached.lacking(layer)
        self._cache.make_room(
            sum(size for _, _, size in self._lacking) + sum(s for _, s in lacking)
        )
        self._coming.add(layer)
        self._lacking.extend((layer, *each) for each in lacking)
        self._check_if_all_came(layer)

    def _check_if_all_came(self, layer: int) -> None:
        lacking = any(each == layer for each, *_ in self._lacking)
        asked = any(each == layer for each, _ in self._asked)
        if not lacking and not asked:
            assert self._cached is not None
            self._to_check.append((layer, self._cached.check(layer)))

    def _fetch_again(self, layer: int) -> None:
        if layer in self._again:
            raise CacheError(f"the weights of layer {layer} came damaged twice")
        self._again.add(layer)
        self._fetch(layer)


def _parts(size: int) -> list[tuple[int, int]]:
    return [(at, min(PART_BYTES, size - at)) for at in range(0, size, PART_BYTES)]
