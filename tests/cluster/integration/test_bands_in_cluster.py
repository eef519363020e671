"""Pictures in bands over real workers: the bits of one process, whoever is lost on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support.integration.processes import Cluster, joined
from support.smallmodels import write_small_model

from ftdist.network.modelfile import load
from ftdist.planning.plan import untiled
from ftdist.runtime.local import Session

LAYERS = "[net]\nwidth=64\nheight=200\nchannels=3\n" + 3 * (
    "[convolutional]\nfilters=6\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
)
"""Too few channels for anything but direct kernels: whoever plans, the arithmetic is the same."""


def test_bands_give_the_bits_of_the_whole_though_a_worker_is_killed(
    tmp_path: Path, cluster: Cluster
) -> None:
    cluster.model = write_small_model(tmp_path / "layers.ftd", LAYERS)
    pictures = []
    for seed in range(2):
        samples = np.random.default_rng(seed).integers(0, 256, (200, 64, 3), np.uint8)
        pictures.append(tmp_path / f"picture{seed}.ppm")
        pictures[-1].write_bytes(b"P6\n64 200\n255\n" + samples.tobytes())
    coordinator = cluster.coordinator(band_rows=16)
    workers = [cluster.worker(name, coordinator.endpoint) for name in ("w1", "w2")]
    for worker in workers:
        joined(worker)
    job = cluster.submit(pictures, coordinator.endpoint, tmp_path / "out")
    coordinator.says("plan for 2 workers")
    workers[0].kill()
    assert job.status() == 0, job.log()
    assert coordinator.says("2 pictures in 26 bands of 16 rows")
    model = load(cluster.model)
    with Session(model, untiled(model.network)) as session:
        for picture in pictures:
            (whole,) = session.run(picture).values()
            found = np.load(tmp_path / "out" / f"{picture.stem}.npy")
            assert np.array_equal(found, whole.reshape(found.shape))
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "picture0.npy",
        "picture1.npy",
    ]
