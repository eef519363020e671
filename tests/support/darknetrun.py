"""Runner a .cfg text with a .weights file of random floats, beside a function that is Darknet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.darknet.weights import read_weights, weights_bytes
from ftdist.network.modelfile import load, write_model
from ftdist.planning.plan import parse_notation, untiled
from ftdist.runtime.local import Session

C, H, W = 8, 6, 10
NET = f"[net]\nheight={H}\nwidth={W}\nchannels={C}\n"
HEADER = np.array([0, 2, 0, 0, 0], "<i4").tobytes()
FLAGGED = np.array([1001, 0, 0, 0], "<i4").tobytes()
Floats = np.ndarray
Take = Callable[..., Floats]
Darknet = Callable[[Floats, Take], Floats]


def results(folder: Path, text: str, darknet: Darknet, header: bytes) -> tuple[Any, ...]:
    """(model, image, what Darknet makes of it), with a .weights file of just the floats needed."""
    generator = np.random.default_rng(5)
    floats: list[Floats] = []

    def take(*shape: int) -> Floats:
        floats.append(generator.uniform(0.1, 1.0, shape).astype("<f4"))
        return floats[-1].astype(np.float64)

    image = generator.uniform(-1, 1, (C, H, W)).astype(np.float32)
    expected = darknet(image.astype(np.float64), take)
    content = b"".join(each.tobytes() for each in floats)
    weights = folder / "net.weights"
    weights.write_bytes(header + content)
    parsed = parse_cfg(NET + text, "net")
    assert weights_bytes(parsed) == len(content)
    write_model(folder / "net.ftd", parsed.network, read_weights(parsed, weights))
    return load(folder / "net.ftd"), image, expected


def output(model: Any, image: Floats, notation: str | None = None) -> Floats:
    network = model.network
    plan = untiled(network) if notation is None else parse_notation(notation, network)
    with Session(model, plan) as session:
        (found,) = session.run(image).values()
    return np.asarray(found)
