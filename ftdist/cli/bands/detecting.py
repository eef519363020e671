"""A detector that sees a picture at its full size, by bands: no object is cut by a seam.

Boxes are in pixels of the picture. When the last band is seen the network is gone; then the
picture is drawn on and written as ever, from the top down.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ftdist.answers.drawing.draw import draw
from ftdist.answers.export import as_text
from ftdist.answers.geojson import geojson
from ftdist.answers.rows.objects import HELD_BYTES, Objects
from ftdist.answers.seen import Seen, seen
from ftdist.cli.bands.progress import RowProgress
from ftdist.cli.bands.report import print_bands, write_bands
from ftdist.cli.console import say
from ftdist.cli.files.class_names import thresholds_of
from ftdist.cli.files.findings import print_result
from ftdist.cli.files.outputs import Outputs, write_text
from ftdist.cli.plan_and_budget import calibration_for
from ftdist.large.passes import passes_of
from ftdist.network.about import About
from ftdist.network.modelfile import Model
from ftdist.pictures.fitting import Letterbox
from ftdist.pictures.rows.feed import Feed, feeding_bytes
from ftdist.pictures.rows.opening import open_rows
from ftdist.pictures.rows.protocol import RowSource, Tags
from ftdist.planning.bands.plan import last_shape
from ftdist.runtime.bands.choice import BandsAsked, PhasedChoice, choose_phases
from ftdist.runtime.bands.running import Band
from ftdist.runtime.budget.code import give_back_code
from ftdist.runtime.budget.heap import trim_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import resident_bytes
from ftdist.runtime.threads import default_threads

_THRESHOLD, _OVERLAP = 0.3, 0.45
_COPIES = 4
"""Of a band of the heads' maps, while it is decoded."""


@dataclass(frozen=True)
class Detector:
    """A detector and how it is asked for."""

    arguments: argparse.Namespace
    model: Model
    limit: Budget
    about: About
    names: tuple[str, ...]

    def run(self, path: Path, outputs: Outputs) -> int:
        """Finds the objects of a picture, writes what is asked for, prints the report."""
        started = time.perf_counter()
        with closing(open_rows(path)) as source:
            size, tags = source.shape, source.tags
            choice = self._choice(source)
            objects = self._found(source, choice)
        elapsed_s = time.perf_counter() - started
        network = self.model.network.input
        across, down = size.width, size.height
        box = Letterbox(network.width, network.height, across, down, 0, 0, across, down)
        detections = objects.all()
        result = seen(str(path), detections, self.names, box)
        trim_heap()
        notes: list[str] = []
        target = next(iter(outputs.files), None)
        if outputs.kind == "data":
            write_text(target, self._text(result, outputs.file_format, tags))
        elif outputs.kind == "pictures":
            assert target is not None
            most_bytes = self.limit.bytes - resident_bytes()
            notes = draw(path, detections, self.names, target, box, most_bytes, give_back_code)
        if not outputs.is_printed:
            print_bands(choice, len(choice.passes), elapsed_s, target)
            for note in notes:
                say(f"drawn      {note}")
            print_result(result, everything=self.arguments.all)
        if self.arguments.json is not None:
            kernels = self.arguments.kernels
            write_bands(self.arguments.json, choice, len(choice.passes), elapsed_s, kernels)
        return 0

    def _choice(self, source: RowSource) -> PhasedChoice:
        network, arguments = self.model.network, self.arguments
        threads = arguments.threads or default_threads()
        last = last_shape(network)
        row_bytes = sum(network.shape(each).bytes // last.height for each in network.output_sources)
        fixed = source.holding_bytes() + feeding_bytes(source.shape, source.dtype)
        asked = BandsAsked(
            *(self.model, self.limit, source.dtype == "uint8", threads),
            lambda rows: fixed + HELD_BYTES + _COPIES * rows * row_bytes,
            calibration_for(threads, self.limit, arguments.kernels),
            exact_direct=arguments.exact_direct,
        )
        return choose_phases(asked, passes_of(network, self.limit))

    def _found(self, source: RowSource, choice: PhasedChoice) -> Objects:
        """What all bands say."""
        network = self.model.network
        given = thresholds_of(self.arguments)
        threshold, overlap = given.get("threshold", _THRESHOLD), given.get("overlap", _OVERLAP)
        objects = Objects(network, threshold, overlap)
        own = choice.phases[-1].bands.layers
        pixels = network.inputs[0].pixels

        def feed(_: int) -> Feed:
            source.rewind()
            return Feed(source, network.input, pixels, fill=self.about.fill)

        with RowProgress(last_shape(network).height) as progress:

            def take(band: Band) -> None:
                regions = {own[each]: region for each, region in band.regions.items()}
                objects.take(regions, {own[each]: made for each, made in band.maps.items()})
                progress.show(band.rows.stop)

            runner = choice.runner(self.arguments.kernels)
            held = runner.small_maps(feed, lambda number, _: progress.pass_over(number + 1))
            with runner.last(held) as last:
                last.run(feed(len(choice.passes) - 1), take)
        return objects

    def _text(self, result: Seen, file_format: str, tags: Tags) -> str:
        if file_format == "geojson":
            return geojson(result, tags)
        return as_text([result], file_format, self.names, scores=self.arguments.scores)
