"""Phases: a network with layers that need whole maps, as passes over the picture by bands.

What needs a whole map (global pooling, a norm's mean, attention) is computed between two passes, of
small maps that the pass before made: `small` layers are those and all that read nothing else. A
pass makes, by bands, the maps that small layers read (a pool of the whole is a pool of whole rows
first, ``network.rewriting.streaming``), and computes all that they are made of from the picture
anew; what small layers made in between are further inputs of it. The last pass makes the output.

So of no wide map there are ever more than bands. Example, squeeze-and-excite::

    pass 1    picture -> ... -> conv 5 -> its rows' means (H x 1 x C), held whole
    between   mean -> conv -> conv -> sigmoid (1 x 1 x C)
    pass 2    picture -> ... -> conv 5 -> multiplied by that -> ... -> output
"""

from __future__ import annotations

from dataclasses import dataclass

from ftdist.errors import InputError
from ftdist.network.graph import Network, is_alias
from ftdist.network.subnetwork import Subnetwork, itself, subnetwork


@dataclass(frozen=True)
class Phase:
    """A pass over the picture, and what is computed of its maps when it is over, if anything."""

    bands: Subnetwork
    between: Subnetwork | None = None


def phases(network: Network, most_bytes: int) -> tuple[Phase, ...]:
    """The passes that make the network's outputs; one where no layer needs a whole map.

    InputError, which names the layer, for one that needs a map of more than `most_bytes`, and for
    outputs that are made of small maps alone: they are no picture.
    """
    small = _small_layers(network)
    _refuse(network, small, most_bytes)
    levels = _levels(network, small)
    outputs = sorted(network.output_sources)
    count = 1 + max(levels[each] for each in outputs)
    if count == 1:
        return (Phase(itself(network)),)
    found = []
    given: set[int] = set()
    for level in range(count - 1):
        ends = [n for n in small if levels[n] == level]
        seams = {
            source
            for number in ends
            for source in network.reads(number)
            if source >= 0 and source not in small and levels[source] == level
        }
        bands = subnetwork(network, seams, given)
        made = {n for n in ends if _is_read_beyond(network, n, small, levels)}
        between = subnetwork(network, made, given | seams)
        given |= made
        found.append(Phase(bands, between))
    return (*found, Phase(subnetwork(network, outputs, given)))


def small_bytes(network: Network, passes: tuple[Phase, ...]) -> int:
    """Bytes of all that is made whole before the last pass: more than is held at a time."""
    made = {number for each in passes[:-1] for number in each.bands.outputs}
    made |= {number for each in passes if each.between for number in each.between.outputs}
    return sum(network.shape(number).bytes for number in made)


def _small_layers(network: Network) -> frozenset[int]:
    """The layers that need whole maps, and those that read nothing but what such layers make."""
    found: set[int] = set()
    for number, layer in enumerate(network.layers):
        if not is_alias(layer):
            reads = network.reads(number)
            if number in network.whole_layers or all(each in found for each in reads):
                found.add(number)
    return frozenset(found)


def _levels(network: Network, small: frozenset[int]) -> dict[int, int]:
    """By source the pass in which it can be made first, or for small ones after which."""
    found = dict.fromkeys(network.input_numbers, 0)
    for number, layer in enumerate(network.layers):
        if not is_alias(layer):
            own = number in small
            found[number] = max(
                found[each] + (each in small and not own) for each in network.reads(number)
            )
    return found


def _is_read_beyond(
    network: Network, number: int, small: frozenset[int], levels: dict[int, int]
) -> bool:
    """Whether a small layer's map is wanted in a later pass, or by small layers after it."""
    return any(
        reader not in small or levels[reader] > levels[number]
        for reader, layer in enumerate(network.layers)
        if not is_alias(layer) and number in network.reads(reader)
    )


def _refuse(network: Network, small: frozenset[int], most_bytes: int) -> None:
    for number in sorted(network.output_sources):
        if number in small or number < 0:
            name = network.layers[max(number, 0)].name
            raise InputError(f"output {name} is made of the whole of a map, not of its rows")
    for number in sorted(small):
        for source in network.reads(number):
            shape = network.shape(source)
            if source not in small and (source < 0 or shape.bytes > most_bytes):
                name = network.layers[number].name
                raise InputError(f"layer {name} needs the whole of a map of {shape}")
