"""A detector by bands finds what a whole run finds: the same boxes and scores, no doubles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.smallmodels import DETECTOR, random_image, write_small_model

from ftdist.answers.detectors import detect
from ftdist.answers.geojson import geojson
from ftdist.answers.kinds import MOST_CANDIDATES
from ftdist.answers.rows.objects import Objects
from ftdist.answers.seen import Found, Seen
from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.network.modelfile import load
from ftdist.planning.plan import untiled
from ftdist.runtime.local import Session


@pytest.mark.parametrize("rows", [1, 5, 16])
def test_bands_find_the_objects_of_the_whole(tmp_path: Path, rows: int) -> None:
    model = load(write_small_model(tmp_path / "detector.ftd", DETECTOR))
    network = model.network
    with Session(model, untiled(network)) as session:
        outputs = session.run(random_image(64))
    (raw,) = outputs.values()
    threshold = 0.45
    expected = detect(network, outputs, threshold)
    assert 10 < len(expected) < 500
    objects = Objects(network, threshold, 0.45)
    (source,) = (network.source(each) for each in network.outputs)
    for top in range(0, 16, rows):
        region = Region(top, min(16, top + rows), 0, 16)
        band = np.ascontiguousarray(raw[:, region.top : region.bottom].transpose(1, 2, 0))
        objects.take({source: region}, {source: band})
    assert objects.all() == expected


def test_what_is_found_does_not_depend_on_the_height_of_bands(tmp_path: Path) -> None:
    """Of one anchor's rows a whole run takes no more than so many; of a large picture all count."""
    network = load(write_small_model(tmp_path / "detector.ftd", DETECTOR)).network
    (source,) = (network.source(each) for each in network.outputs)
    shape = network.shape(source)
    raw = np.random.default_rng(0).normal(2, 1, shape).astype(np.float32)
    found = []
    for rows in (1, 16):
        objects = Objects(network, 0.0, 1.0)
        for top in range(0, shape.height, rows):
            region = Region(top, top + rows, 0, shape.width)
            objects.take({source: region}, {source: raw[top : top + rows]})
        found.append(objects.all())
    assert found[0] == found[1] and len(found[0]) > 2 * MOST_CANDIDATES


def test_objects_lie_where_their_picture_lies() -> None:
    found = Found("hut", 0, 0.5, 10.0, 20.0, 4.0, 2.0)
    seen = Seen("a.tif", 100, 100, (found,))
    tags = {33550: (0.5, 0.5, 0.0), 33922: (0.0, 0.0, 0.0, 1000.0, 2000.0, 0.0)}
    text = geojson(seen, tags)
    assert "[[1005.0, 1989.0], [1007.0, 1989.0], [1007.0, 1990.0], [1005.0, 1990.0]" in text
    with pytest.raises(InputError, match=r"a\.tif: the picture does not say where it lies"):
        geojson(seen, {})
