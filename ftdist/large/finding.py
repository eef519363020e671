"""The objects on a large picture: a detector sees it at its full size, by bands, cut by no seam."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ftdist.answers.decode import Detection
from ftdist.answers.kinds import task_of
from ftdist.answers.rows.cells import MOST_CELLS, CellObjects, cell_maps
from ftdist.answers.rows.objects import HELD_BYTES, Objects
from ftdist.large.making import Shown, Ways
from ftdist.large.passes import passes_of
from ftdist.network.modelfile import Model
from ftdist.network.subnetwork import itself, subnetwork
from ftdist.pictures.fitting import Letterbox
from ftdist.pictures.rows.feed import Feed, feeding_bytes
from ftdist.pictures.rows.opening import open_rows
from ftdist.pictures.rows.protocol import RowSource, Tags
from ftdist.planning.bands.plan import last_shape
from ftdist.runtime.bands.choice import BandsAsked, PhasedChoice, choose_phases
from ftdist.runtime.bands.running import Band

_THRESHOLD, _OVERLAP = 0.3, 0.45
_CELL_COPIES = 3
"""Of the cells that are kept, while more come."""

_COPIES = 4
"""Of a band of the heads' maps, while it is decoded."""


@dataclass(frozen=True)
class Finding:
    """What was found: boxes in fractions of the network's input, in whose top left corner `box`
    says that the picture lies; and how long it took."""

    choice: PhasedChoice
    detections: list[Detection]
    box: Letterbox
    tags: Tags
    elapsed_s: float


@dataclass(frozen=True)
class _Seen:
    """The part of a model that makes what is looked at, and its layers' numbers in the whole."""

    model: Model
    layers: tuple[int, ...]
    cells: bool

    @classmethod
    def of(cls, model: Model) -> _Seen:
        network, task = model.network, task_of(model.network, model.about)
        if task.layout == "heads":
            return cls(model, itself(network).layers, cells=False)
        part = subnetwork(network, cell_maps(network, task), ())
        return cls(part.of_model(model), part.layers, cells=True)

    @property
    def held_bytes(self) -> int:
        """What is kept of all bands, and what dropping doubles takes."""
        if not self.cells:
            return HELD_BYTES
        network = self.model.network
        widest = max(network.shape(each).channels for each in network.output_sources)
        return HELD_BYTES + _CELL_COPIES * MOST_CELLS * widest * 4


def find(
    model: Model, path: Path, ways: Ways, thresholds: Mapping[str, float], shown: Shown
) -> Finding:
    """The objects on a picture, best first; InputError for outputs that are not read by rows."""
    network = model.network
    started = time.perf_counter()
    given = (
        thresholds.get("threshold", _THRESHOLD),
        thresholds.get("overlap", _OVERLAP),
    )
    part = _Seen.of(model)
    objects: Objects | CellObjects
    with closing(open_rows(path)) as source:
        size, tags = source.shape, source.tags
        choice = _choice(part, source, ways, model.about.fill)
        if part.cells:
            task = task_of(network, model.about)
            objects = CellObjects(network, task, *given)
            _look(part, source, ways, choice, objects, shown)
            if objects.misread:
                objects = CellObjects(network, task, *given, logits=True)
                _look(part, source, ways, choice, objects, shown)
        else:
            objects = Objects(network, *given)
            _look(part, source, ways, choice, objects, shown)
    across, down = size.width, size.height
    box = Letterbox(network.input.width, network.input.height, across, down, 0, 0, across, down)
    return Finding(choice, objects.all(), box, tags, time.perf_counter() - started)


def _choice(part: _Seen, source: RowSource, ways: Ways, fill: int | None) -> PhasedChoice:
    network = part.model.network
    last = last_shape(network)
    row_bytes = sum(network.shape(each).bytes // last.height for each in network.output_sources)
    kept, reading = source.memory()
    reading += feeding_bytes(source.shape, source.dtype, network.input)

    def files_bytes(rows: int) -> int:
        made = rows * row_bytes  # it is gone while the picture is read
        return kept + part.held_bytes + max(reading - made, _COPIES * made)

    asked = BandsAsked(
        *(part.model, ways.limit, source.dtype == "uint8", ways.threads),
        files_bytes,
        ways.calibration,
        exact_direct=ways.exact_direct,
        early_bytes=kept + reading,
        rehearse=Feed(source, network.input, network.inputs[0].pixels, fill=fill).rehearse,
    )
    return choose_phases(asked, passes_of(network, ways.limit))


def _look(
    part: _Seen,
    source: RowSource,
    ways: Ways,
    choice: PhasedChoice,
    objects: Objects | CellObjects,
    shown: Shown,
) -> None:
    """Shows all bands to `objects`."""
    network, fill = part.model.network, part.model.about.fill
    own = [part.layers[each] for each in choice.phases[-1].bands.layers]
    pixels = network.inputs[0].pixels

    def feed(_: int) -> Feed:
        source.rewind()
        return Feed(source, network.input, pixels, fill=fill)

    with shown(last_shape(network).height) as progress:

        def take(band: Band) -> None:
            regions = {own[each]: region for each, region in band.regions.items()}
            objects.take(regions, {own[each]: made for each, made in band.maps.items()})
            progress.show(band.rows.stop)

        runner = choice.runner(ways.kernels)
        held = runner.small_maps(feed, lambda number, _: progress.pass_over(number + 1))
        with runner.last(held) as last:
            last.run(feed(len(choice.passes) - 1), take)
