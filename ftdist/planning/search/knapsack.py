"""Which groups keep their weights resident in the room that a limit leaves beside the activations.

This is a knapsack: the weights of each group have a size, and keeping them saves time.
"""

from __future__ import annotations

import numpy as np

from ftdist.planning.cost.group_tables import native
from ftdist.planning.search.candidates import Candidates
from ftdist.planning.search.paths import Edge, EdgeCosts, Path, PathQuery, path_along

_UNITS = 128
"""Units into which ``knapsack_path`` divides the room for weights. Chosen, not measured."""


def filled_with_weights(candidates: Candidates, path: Path, limit: float) -> Path | None:
    """A path through the same groups that keeps those weights resident which save most time per
    byte, as far as a limit has room; None where it has no room."""
    graph = candidates.graph
    peak = 0.0
    gains: list[tuple[float, float, int]] = []
    for number, (first, later, at, _) in enumerate(path.edges):
        table = candidates.table(later)
        peak = max(peak, 4.0 * float(table.floats[at]) + float(table.staging[first - table.low]))
        gain_s = float(table.streamed_s[at]) - float(table.seconds[at])
        more = float(graph.weights[later] - graph.weights[first])
        more -= float(graph.rest[later] - graph.rest[first])
        if more and np.isfinite(gain_s):
            gains.append((gain_s / more, more, number))
    room = limit - peak - float(graph.rest[-1])
    if room < 0:
        return None
    streamed = {number for _, _, number in gains}
    for _, more, number in sorted(gains, reverse=True):
        if more <= room:
            room -= more
            streamed.remove(number)
    edges = [(*edge[:3], number in streamed) for number, edge in enumerate(path.edges)]
    return path_along(candidates, edges)


def knapsack_path(candidates: Candidates, cap: float, limit: float) -> Path | None:
    """The fastest path whose activations keep to a cap, with resident weights in what is left.

    For each cut and each number of units of weights the least time is found. Weights are rounded to
    the nearest unit, so the path is fitted to the limit at the end.
    """
    graph = candidates.graph
    unit = (limit - cap) / _UNITS
    if unit <= 0:
        return None
    edge_costs = EdgeCosts(candidates, [PathQuery(cap)])
    cuts = len(graph.cuts)
    best, came = np.full((cuts, _UNITS + 1), np.inf), np.zeros((cuts, _UNITS + 1), np.int16)
    streams = np.zeros((cuts, _UNITS + 1), bool)
    best[0] = 0
    for later in range(1, cuts):
        low, both = edge_costs.by_residency(later)
        for streamed, before in ((False, graph.weights), (True, graph.rest)):
            seconds = both[int(streamed)][0]
            taken = np.rint((before[later] - before[low:later]) / unit).astype(np.int64)
            group = np.full(_UNITS + 1, -1)
            native().fill(seconds, taken, best[low:later], best[later], group)
            better = group >= 0
            came[later, better] = low + group[better]
            streams[later, better] = streamed
    if not np.isfinite(best[-1, -1]):
        return None
    edges: list[Edge] = []
    later, have = cuts - 1, _UNITS
    while later:
        first, streamed = int(came[later, have]), bool(streams[later, have])
        query = PathQuery(cap, resident=not streamed, streamed=streamed)
        edges.append(edge_costs.edge(query, first, later))
        before = graph.rest if streamed else graph.weights
        have -= int(np.rint((before[later] - before[first]) / unit))
        later = first
    path = path_along(candidates, edges[::-1])
    return path if path.bytes <= limit else filled_with_weights(candidates, path, limit)
