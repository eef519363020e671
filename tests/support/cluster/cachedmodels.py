"""A model with layers of several parts, as a cache gets it."""

from __future__ import annotations

import os

from ftdist.cluster.server.model_reader import header_bytes
from ftdist.cluster.worker.modelcache import CachedModel, ModelCache
from ftdist.network.modelfile import Model

CONVOLUTION = "[convolutional]\nfilters={}\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
WIDE = (
    "[net]\nwidth=8\nheight=8\nchannels=3\n"
    + CONVOLUTION.format(64)
    + "[maxpool]\nsize=2\nstride=2\n"
    + CONVOLUTION.format(256)
    + CONVOLUTION.format(32)
)
"""Layers 0, 2 and 3 have weights, of 7 KiB, 577 KiB and 288 KiB."""


def bytes_of(model: Model, start: int, size: int) -> bytes:
    return os.pread(model.file, size, start)


def begun(cache: ModelCache, model: Model) -> CachedModel:
    """A model of which the cache has the header."""
    return cache.create(model.digest, bytes_of(model, 0, header_bytes(model)))


def fill(cached: CachedModel, model: Model, layer: int) -> None:
    for offset, size in cached.lacking(layer):
        data = bytes_of(model, model.blobs[layer].start + offset, size)
        cached.write(layer, offset, memoryview(data))
