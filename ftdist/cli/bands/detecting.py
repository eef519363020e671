"""A detector that sees a picture at its full size, by bands, and what is written of its objects.

Boxes are in pixels of the picture. When the last band is seen the network is gone; then the
picture is drawn on and written as ever, from the top down.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ftdist.answers.drawing.draw import draw
from ftdist.answers.export import as_text
from ftdist.answers.geojson import geojson
from ftdist.answers.seen import Seen, seen
from ftdist.cli.bands.progress import RowProgress
from ftdist.cli.bands.report import print_bands, write_bands
from ftdist.cli.bands.running import ways_of
from ftdist.cli.console import say
from ftdist.cli.files.class_names import thresholds_of
from ftdist.cli.files.findings import print_result
from ftdist.cli.files.outputs import Outputs, write_text
from ftdist.large.finding import find
from ftdist.network.modelfile import Model
from ftdist.pictures.rows.protocol import Tags
from ftdist.runtime.budget.code import give_back_code
from ftdist.runtime.budget.heap import trim_heap
from ftdist.runtime.budget.limits import Budget
from ftdist.runtime.budget.memory import resident_bytes


@dataclass(frozen=True)
class Detector:
    """A detector and how it is asked for."""

    arguments: argparse.Namespace
    model: Model
    limit: Budget
    names: tuple[str, ...]

    def run(self, path: Path, outputs: Outputs) -> int:
        """Finds the objects of a picture, writes what is asked for, prints the report."""
        arguments = self.arguments
        ways = ways_of(arguments, self.limit)
        found = find(self.model, path, ways, thresholds_of(arguments), RowProgress)
        choice, passes, elapsed_s = found.choice, len(found.choice.passes), found.elapsed_s
        result = seen(str(path), found.detections, self.names, found.box)
        trim_heap()
        notes: list[str] = []
        target = next(iter(outputs.files), None)
        if outputs.kind == "data":
            write_text(target, self._text(result, outputs.file_format, found.tags))
        elif outputs.kind == "pictures":
            assert target is not None
            given = path, found.detections, self.names, target, found.box
            notes = draw(*given, self.limit.bytes - resident_bytes(), give_back_code)
        if not outputs.is_printed:
            print_bands(choice, passes, elapsed_s, target)
            for note in notes:
                say(f"drawn      {note}")
            print_result(result, everything=arguments.all)
        if arguments.json is not None:
            write_bands(arguments.json, choice, passes, elapsed_s, arguments.kernels)
        return 0

    def _text(self, result: Seen, file_format: str, tags: Tags) -> str:
        if file_format == "geojson":
            return geojson(result, tags)
        return as_text([result], file_format, self.names, scores=self.arguments.scores)
