"""Answers requests for pieces of the model file, read when their turn comes: none is kept."""

from __future__ import annotations

import os

import numpy as np

from ftdist.errors import FtdistError
from ftdist.network.modelfile import Model
from ftdist.protocol.shared_messages import HEADER, ModelChunk, ModelRequest


def header_bytes(model: Model) -> int:
    """The model file up to its first blob."""
    return min((blob.start for blob in model.blobs.values()), default=len(model.weights))


class ModelReader:
    """Pieces of one model's file."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._places = {HEADER: (model.digest, 0, header_bytes(model))}
        for layer, blob in model.blobs.items():
            self._places[layer] = (blob.digest, blob.start, blob.bytes)

    def flaw(self, request: ModelRequest) -> str:
        """Why a request cannot be answered; "" when it can."""
        if request.layer not in self._places:
            return f"asked for the weights of layer {request.layer}, which has none"
        digest, _, size = self._places[request.layer]
        if request.digest != digest:
            return f"asked for layer {request.layer} of another model"
        if request.offset + request.size > size:
            return f"asked for more of layer {request.layer} than there is"
        return ""

    def chunk(self, request: ModelRequest) -> ModelChunk:
        """The bytes that a sound request asks for."""
        _, start, _ = self._places[request.layer]
        data = os.pread(self._model.file, request.size, start + request.offset)
        if len(data) != request.size:
            raise FtdistError(f"{self._model.path}: was cut short; import the model again")
        return ModelChunk(
            request.digest, request.layer, request.offset, np.frombuffer(data, np.uint8)
        )
