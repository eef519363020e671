"""The dataflow of a shared plan: what each task reads and of whom, who reads it, what it sends.

Computed once for a plan, so that no event costs a search. Tasks are numbered stage by stage; each
knows its *needs* (regions of maps, cut along the tiles that make them) and its readers.

Example: two workers, two stages with a 3x3 convolution each, maps of 8 rows, halves. Task 2 (rows
0..4 of the second map, worker 0) needs rows 0..4 of task 0 and row 4 of task 1. Task 0 was worker
0's too, so task 2 finds its rows kept there; task 1 returns row 4 and keeps all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ftdist.coordinator.plans.needs import Makers, Need
from ftdist.errors import InputError
from ftdist.geometry import Region
from ftdist.network.graph import INPUT, Network
from ftdist.planning.lowering.regions import region_needs
from ftdist.planning.plan import Plan
from ftdist.planning.sharing.plan import SharedPlan, Tile
from ftdist.protocol.limits import TENSORS
from ftdist.protocol.records import Place
from ftdist.protocol.regions import disjoint


@dataclass(frozen=True, slots=True)
class Task:
    """One tile of one stage, the same for each frame.

    `slot`: the worker that should take it, an index into the plan's workers; None: any. `able` has
    a bit for each worker that may. On its slot it sends `returns`, elsewhere all its `outputs`; it
    stays on its slot too if `keep`. `sent_bytes` of inputs go to its slot, `input_bytes` to a
    worker that keeps nothing. `final`: it makes part of the network's outputs; `useful`: these
    depend on it.
    """

    number: int
    stage: int
    index: int
    tile: Tile
    slot: int | None
    able: int
    needs: tuple[Need, ...]
    producers: tuple[int, ...]
    readers: tuple[int, ...]
    outputs: tuple[Place, ...]
    returns: tuple[Place, ...]
    keep: bool
    final: bool
    useful: bool
    input_bytes: int
    sent_bytes: int
    returned_bytes: int

    @property
    def whole(self) -> bool:
        """Whether all of it is sent, wherever it runs."""
        return self.returns == self.outputs


class TaskGraph:
    """The tasks of a plan; InputError when the plan makes no sense.

    `band`: the rows of the picture that a frame comes with, where frames are bands: then the plan
    has one tile, and what that makes is all that there is of a frame.
    """

    def __init__(
        self, network: Network, plan: SharedPlan, *, picture: bool, band: Region | None = None
    ) -> None:
        _check(plan)
        if band is not None and sum(map(len, plan.stages)) != 1:
            raise InputError("the plan cuts bands of pictures further")
        self._plan = plan
        self._band = band
        self._network = network.computed_by(plan.arithmetic)
        self._picture = picture
        tiles = [(stage, n, t) for stage, row in enumerate(plan.stages) for n, t in enumerate(row)]
        self._stage = [stage for stage, _, _ in tiles]
        self._seat = [tile.worker for _, _, tile in tiles]
        self._outputs: list[tuple[Place, ...]] = []
        self._needs = self._connect([tile for _, _, tile in tiles])
        self._readers = self._read()
        self._useful = self._wanted()
        self.tasks = tuple(self._task(n, *each) for n, each in enumerate(tiles))
        self.layers = tuple((_part(row[0]).first, _part(row[0]).stop) for row in plan.stages)
        useful = [task for task in self.tasks if task.useful]
        self.first = [task.number for task in useful if not task.producers]
        self.waiting = [len(task.producers) for task in self.tasks]
        self.unread = [len(task.readers) for task in self.tasks]
        self.finals = self._finals()
        self.frame_bytes = self._most_held(useful)

    def moved(self, region: Region, band: Region) -> TaskGraph:
        """The tasks of another band, which makes `region` of the last output."""
        ((tile,),) = self._plan.stages
        parts = tuple(part and replace(part, region=region) for part in tile.parts)
        made = _part(tile).region
        assert made is not None
        seconds = tuple(each * region.size / made.size for each in tile.seconds)
        stages = ((replace(tile, parts=parts, seconds=seconds),),)
        plan = replace(self._plan, stages=stages)
        return TaskGraph(self._network, plan, picture=self._picture, band=band)

    def _connect(self, tiles: list[Tile]) -> list[tuple[Need, ...]]:
        """What each task needs of which; fills in what each makes."""
        makers = Makers()
        found = []
        for number, tile in enumerate(tiles):
            part = _part(tile)
            assert part.region is not None
            inputs, outputs = region_needs(self._network, part.first, part.stop, part.region)
            needs: list[Need] = []
            for source, region in inputs.items():
                if region.size and source == INPUT:
                    needs.append(Need(INPUT, Place(source, region)))
                elif region.size:
                    needs += makers.of(source, region)
            found.append(tuple(needs))
            made = [Place(source, region) for source, region in outputs.items() if region.size]
            self._outputs.append(tuple(made))
            for place in made:
                makers.add(number, place)
        if self._band is None:
            for source in sorted(self._network.output_sources - {INPUT}):
                shape = self._network.shape(source)
                makers.check(source, Region(0, shape.height, 0, shape.width))
        return found

    def _read(self) -> list[list[int]]:
        readers: list[list[int]] = [[] for _ in self._needs]
        for number, needs in enumerate(self._needs):
            for producer in dict.fromkeys(need.producer for need in needs):
                if producer != INPUT:
                    readers[producer].append(number)
        return readers

    def _final(self, number: int) -> bool:
        outputs = self._network.output_sources
        return any(place.source in outputs for place in self._outputs[number])

    def _finals(self) -> tuple[tuple[int, frozenset[int]], ...]:
        """The tasks that make the network's outputs, with the sources that are outputs."""
        outputs = self._network.output_sources
        return tuple(
            (task.number, frozenset(place.source for place in task.outputs) & outputs)
            for task in self.tasks
            if task.final
        )

    def _wanted(self) -> list[bool]:
        """Which tasks the network's outputs depend on; readers of other tasks do not count."""
        wanted = [self._final(number) for number in range(len(self._needs))]
        for number in reversed(range(len(wanted))):
            self._readers[number] = [each for each in self._readers[number] if wanted[each]]
            wanted[number] = wanted[number] or bool(self._readers[number])
        return wanted

    def _task(self, number: int, stage: int, index: int, tile: Tile) -> Task:
        needs, outputs, readers = self._needs[number], self._outputs[number], self._readers[number]
        returns = self._returns(number)
        slot = tile.worker
        from_others = [n for n in needs if n.producer == INPUT or self._seat[n.producer] != slot]
        return Task(
            number=number,
            stage=stage,
            index=index,
            tile=tile,
            slot=slot,
            able=sum(1 << bit for bit, part in enumerate(tile.parts) if part is not None),
            needs=needs,
            producers=tuple(dict.fromkeys(n.producer for n in needs if n.producer != INPUT)),
            readers=tuple(readers),
            outputs=outputs,
            returns=returns,
            keep=slot is not None and any(self._seat[reader] == slot for reader in readers),
            final=self._final(number),
            useful=self._useful[number],
            input_bytes=self.bytes_of(need.place for need in needs),
            sent_bytes=self.bytes_of(n.place for n in (needs if slot is None else from_others)),
            returned_bytes=self.bytes_of(returns),
        )

    def _returns(self, number: int) -> tuple[Place, ...]:
        """What others than the task's own slot read of it, and all of the network's outputs."""
        slot, outputs = self._seat[number], self._outputs[number]
        if slot is None:
            return outputs
        wanted: dict[int, list[Region]] = {place.source: [] for place in outputs}
        for place in outputs:
            if place.source in self._network.output_sources:
                wanted[place.source].append(place.region)
        for reader in self._readers[number]:
            if self._seat[reader] != slot:
                for need in self._needs[reader]:
                    if need.producer == number:
                        wanted[need.place.source].append(need.place.region)
        places = [Place(s, region) for s, regions in wanted.items() for region in disjoint(regions)]
        return tuple(places) if len(places) <= TENSORS else outputs

    def bytes_of(self, places: Iterable[Place]) -> int:
        """Bytes of places as they travel."""
        total = 0
        for place in places:
            element = 1 if self._picture and place.source == INPUT else 4
            total += element * place.region.size * self._network.shape(place.source).channels
        return total

    def _most_held(self, useful: list[Task]) -> int:
        """The most bytes that a frame takes here: its input, and what is returned until it is read.

        What all readers have sent back whole is let go; the rest, and outputs, stay to the end.
        """
        last = max(self._stage)
        change = [0] * (last + 2)
        for task in useful:
            read = [self.tasks[reader] for reader in task.readers]
            stays = task.final or not all(each.whole for each in read)
            until = last if stays else max(each.stage for each in read)
            change[task.stage] += task.returned_bytes
            change[until + 1] -= task.returned_bytes
        height, width, _ = self._network.input
        taken = self._band or Region(0, height, 0, width)
        held = most = self.bytes_of([Place(INPUT, taken)])
        for each in change:
            held += each
            most = max(most, held)
        return most


def _part(tile: Tile) -> Plan:
    """Any of a tile's parts: they agree on layers and region."""
    return next(part for part in tile.parts if part is not None)


def _check(plan: SharedPlan) -> None:
    """InputError for tiles that nobody can make, or whose parts do not agree."""
    count = len(plan.workers)
    for stage, tiles in enumerate(plan.stages):
        layers = set()
        for tile in tiles:
            parts = [part for part in tile.parts if part is not None]
            if len(tile.parts) != count or len(tile.seconds) != count or not parts:
                raise InputError(f"stage {stage} of the plan has a tile that fits no worker")
            if tile.worker is not None and tile.parts[tile.worker] is None:
                raise InputError(f"stage {stage} of the plan has a tile that fits not its worker")
            if len({part.region for part in parts}) > 1 or parts[0].region is None:
                raise InputError(f"stage {stage} of the plan has a tile of several regions")
            layers |= {(part.first, part.stop) for part in parts}
        if len(layers) != 1:
            raise InputError(f"stage {stage} of the plan has tiles of {len(layers)} runs of layers")
