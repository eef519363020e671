"""What a run by bands would take, for `ftdist plan`: how long and how much, before there is a
picture.

A picture of 8 bits is assumed, which becomes another one; what its files hold is that of formats
that decode rows as they come.
"""

from __future__ import annotations

import argparse

import numpy as np

from ftdist.atomic import write_json
from ftdist.cli.bands.report import forecast, print_forecast
from ftdist.large.passes import passes_of
from ftdist.large.results import WRITTEN_BYTES, map_bytes
from ftdist.pictures.rows.feed import feeding_bytes
from ftdist.planning.bands.plan import last_shape
from ftdist.runtime.bands.choice import BandsAsked, choose_phases
from ftdist.runtime.plans.choice import PlanProblem

_FILES_BYTES, _FILE_ROWS = 1 << 20, 24
"""What decoding and encoding hold: their own, and some rows of each picture."""


def foretell(arguments: argparse.Namespace, problem: PlanProblem) -> None:
    """Prints the plan of a run by bands, and writes it where that is asked for."""
    network = problem.model.network
    made, own = last_shape(network), network.input
    written = 2 * max(WRITTEN_BYTES, made.width * made.channels * 4)
    kept = _FILES_BYTES + _FILE_ROWS * (own.width * own.channels + made.width * made.channels)
    reading = feeding_bytes(own, np.dtype(np.uint8), own)

    def files(rows: int) -> int:
        return kept + max(reading - map_bytes(made, rows), written)

    asked = BandsAsked(
        *(problem.model, problem.budget, True, problem.threads, files),
        problem.calibration,
        exact_direct=problem.exact_direct,
        early_bytes=kept + reading,
    )
    choice = choose_phases(asked, passes_of(network, problem.budget))
    try:
        print_forecast(choice)
    finally:  # a full disk does not keep the result from being printed, nor the other way round
        if arguments.json is not None:
            write_json(arguments.json, forecast(choice))
