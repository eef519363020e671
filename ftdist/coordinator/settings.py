"""What the state machine is told once: its settings, and what it must know of the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from ftdist.geometry import Region, partition
from ftdist.network.graph import INPUT, Network, weighted_layers
from ftdist.planning.bands.numbering import NumberedBands
from ftdist.planning.lowering.regions import region_bytes, region_needs
from ftdist.planning.sharing.plan import KEPT_FRAMES
from ftdist.protocol.client_messages import OutputMap


@dataclass(frozen=True, slots=True)
class Settings:
    """Times, counts and limits of the coordinator.

    `lost_after_beats`: a worker that is silent for so many heartbeats is lost.
    `stuck_after_s`: so is one that has tasks and makes no progress for so long.
    `attempts`: a task that fails so often fails its job; different workers try where there are any.
    `losses`: a task over which so many workers were lost fails its job.
    `in_flight`: frames that are asked for ahead. None: two for each worker and one more, beside
    those whose results are on their way.
    `memory_bytes`: the most that inputs, maps and results of frames in flight may take.
    `band_rows`: rows of the output in a band, where frames are bands; 0: they are whole.
    `kept_frames`: frames whose maps a worker keeps at a time; plans rely on it.
    `prepare`: a plan is made, and workers get weights, before there is a job.
    `orphan_s`: a job whose client is gone is dropped after so long.
    `patience_s`: a job whose client does not send what it was asked for lets others pass then.
    `replan_change`: the change of a worker's speed, as a part of it, that renews the plan...
    `replan_after_s`: ...at most every so often.
    `reference_macs_per_s`: what a worker's measured rate is compared with: the profile's.
    """

    heartbeat_s: float = 1.0
    lost_after_beats: float = 2.5
    stuck_after_s: float = 30.0
    attempts: int = 3
    losses: int = 10
    in_flight: int | None = None
    memory_bytes: int = 256 << 20
    band_rows: int = 0
    kept_frames: int = KEPT_FRAMES
    speculate: bool = True
    mix_unfused: bool = False
    prepare: bool = True
    orphan_s: float = 60.0
    patience_s: float = 10.0
    replan_change: float = 0.1
    replan_after_s: float = 5.0
    most_workers: int = 256
    most_jobs: int = 64
    reference_macs_per_s: float = 1e10
    trace: bool = False

    @property
    def lost_after_s(self) -> float:
        return self.lost_after_beats * self.heartbeat_s


@dataclass(frozen=True)
class ModelInfo:
    """The model as far as the coordinator needs it: no weights, no file.

    `band_rows`: as in the settings.
    """

    name: str
    network: Network
    digest: str
    header_bytes: int
    band_rows: int = 0

    @cached_property
    def bands(self) -> NumberedBands | None:
        """The bands that frames are; None where they are whole pictures."""
        return NumberedBands(self.network, self.band_rows) if self.band_rows else None

    @property
    def bands_each(self) -> int:
        """The frames that an input is: its bands, or itself."""
        return 1 if self.bands is None else self.bands.count

    def input_region(self, frame: int) -> Region:
        """What a frame's input is of the network's."""
        if self.bands is not None:
            return self.bands.input(frame)
        height, width, _ = self.network.input
        return Region(0, height, 0, width)

    @cached_property
    def weighted(self) -> tuple[int, ...]:
        """The layers that have weights, ascending."""
        return tuple(self.weight_bytes)

    @cached_property
    def weight_bytes(self) -> dict[int, int]:
        """About the bytes of each layer's weights, of layers that have some, ascending."""
        return {
            number: 4 * sum(map(math.prod, operation.weights(source).values()))
            for number, operation, source in weighted_layers(self.network)
        }

    @cached_property
    def outputs(self) -> tuple[OutputMap, ...]:
        """What a result consists of."""
        network = self.network
        return tuple(
            OutputMap(network.layers[n].name, network.source(n), *network.shape(n))
            for n in network.outputs
        )

    @cached_property
    def classic_bytes(self) -> int:
        """Bytes of a frame in DeepThings' scheme (2018): all layers fused, a grid of 3x3 tiles.

        Each tile's input goes out as float32 and its output comes back.
        """
        network = self.network
        stop = len(network.layers)
        primary = network.shape(max(network.output_sources - {INPUT}, default=stop - 1))
        total = 0
        for rows in partition(primary.height, min(3, primary.height)):
            for columns in partition(primary.width, min(3, primary.width)):
                inputs, outputs = region_needs(network, 0, stop, Region(*rows, *columns))
                total += region_bytes(network, inputs) + region_bytes(network, outputs)
        return total

    def layers_between(self, first: int, stop: int) -> frozenset[int]:
        """Layers [first, stop) that have weights."""
        return frozenset(number for number in self.weighted if first <= number < stop)
