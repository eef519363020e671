"""A device profile: what one machine does in a second, as far as plans need to know.

Pure data with JSON in and out; ``runtime.measuring`` measures one, a shipped default serves
otherwise. Rates are those of one thread while all threads work.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.errors import InputError

VERSION = 6

_TRANSFORMED_MACS = 8
"""Transforming a value takes as long as so many multiply-accumulates: 5 to 8 in six shapes, with
256- and 512-bit vectors."""

_EXPANDED_MACS = 6
"""Making a transformed weight takes as long as so many multiply-accumulates: 4 to 7 likewise."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """Rates of one device.

    `narrow`, `wide`: multiply-accumulates per second of the convolution kernel, by the pixels of
    its block (index 0: one pixel), for one and for two blocks of 16 output channels; `wide` is
    empty where the instruction set has no such kernel. `sum_s`: seconds for 16 output channels of a
    pixel beside their sums. `traffic_s`: seconds for each byte of a map that is made or read,
    beside the arithmetic; `weights_s`: for each byte of weights that is read again; both by the
    working set in bytes, ascending. `disk_bytes_per_s`: the rate of reading streamed weights from
    the disk; `reading_s_per_byte`, `reading_s_per_piece`: seconds for each byte and each chunk
    copied from the page cache. `call_s`: seconds of a kernel call that does nothing; `group_s`:
    that threads wait for each other after a group. `parallel`: how many times longer kernels take
    while all threads work. `winograd_s`: seconds for each value that Winograd's kernel transforms,
    beside its products; `winograd_weights_s`: for each transformed weight that it makes
    as it goes. Both are None where they have not been measured.
    """

    name: str
    instruction_set: str
    version: int
    narrow: tuple[float, ...]
    wide: tuple[float, ...]
    sum_s: float
    depthwise_macs_per_s: float
    pool_bytes_per_s: float
    copy_bytes_per_s: float
    planar_bytes_per_s: float
    traffic_s: tuple[tuple[float, float], ...]
    weights_s: tuple[tuple[float, float], ...]
    disk_bytes_per_s: float
    reading_s_per_byte: float
    reading_s_per_piece: float
    call_s: float
    group_s: float
    parallel: float
    winograd_s: float | None = None
    winograd_weights_s: float | None = None

    @property
    def expanded_s(self) -> float:
        """Seconds for each transformed weight that is made as it is needed."""
        if self.winograd_weights_s is not None:
            return self.winograd_weights_s
        return _EXPANDED_MACS / max((*self.narrow, *self.wide))

    @property
    def transformed_s(self) -> float:
        """Seconds for each value of a transformed block of inputs or of outputs."""
        if self.winograd_s is not None:
            return self.winograd_s
        return _TRANSFORMED_MACS / max((*self.narrow, *self.wide))

    def traffic_s_per_byte(self, working_set: Numbers) -> Numbers:
        """Seconds for each byte of a map, in groups of these working sets in bytes."""
        return _interpolated(self.traffic_s, working_set)

    def weights_s_per_byte(self, working_set: Numbers) -> Numbers:
        """Seconds for each byte of weights that is read again, at these working sets in bytes."""
        return _interpolated(self.weights_s, working_set)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


def from_json(text: str) -> DeviceProfile:
    """The profile in a JSON text; InputError when it is not a profile of this version."""
    try:
        value: dict[str, Any] = json.loads(text)
        if value["version"] != VERSION:
            raise InputError(f"a profile of version {value['version']}, not {VERSION}")
        for curve in ("traffic_s", "weights_s"):
            value[curve] = tuple((float(size), float(cost)) for size, cost in value[curve])
        value["narrow"] = tuple(map(float, value["narrow"]))
        value["wide"] = tuple(map(float, value["wide"]))
        profile = DeviceProfile(**value)
    except (ValueError, KeyError, TypeError):
        raise InputError("no device profile") from None
    numbers = [*profile.narrow, *profile.wide, profile.depthwise_macs_per_s, profile.call_s]
    if not (profile.narrow and profile.traffic_s and profile.weights_s) or min(numbers) <= 0:
        raise InputError("a device profile without rates")
    return profile


def _interpolated(curve: tuple[tuple[float, float], ...], sizes: Numbers) -> Numbers:
    """Costs at sizes between a curve's points, linear in the logarithm of the size."""
    points, costs = _points(curve)
    return np.asarray(np.interp(np.log(np.maximum(sizes, 1)), points, costs))


@cache
def _points(curve: tuple[tuple[float, float], ...]) -> tuple[Numbers, Numbers]:
    """The logarithms of a curve's sizes, and the costs there."""
    return np.log([size for size, _ in curve]), np.array([cost for _, cost in curve])


_MIB = float(1 << 20)

DEFAULT = DeviceProfile(
    name="default",
    instruction_set="",
    version=VERSION,
    narrow=(17e9, 33e9, 50e9, 66e9, 81e9, 94e9, 99e9, 102e9, 106e9, 108e9, *(110e9,) * 4),
    wide=(33e9, 65e9, 96e9, 118e9, 124e9, *(131e9,) * 9),
    sum_s=7e-10,
    depthwise_macs_per_s=34e9,
    pool_bytes_per_s=145e9,
    copy_bytes_per_s=100e9,
    planar_bytes_per_s=97e9,
    traffic_s=((_MIB / 2, 0.0), (2 * _MIB, 2e-11), (16 * _MIB, 3.4e-11), (40 * _MIB, 5e-11)),
    weights_s=((2 * _MIB, 0.0), (6 * _MIB, 1e-12), (16 * _MIB, 6e-12), (40 * _MIB, 2.4e-11)),
    disk_bytes_per_s=1e9,
    reading_s_per_byte=3.4e-11,
    reading_s_per_piece=2e-6,
    call_s=5e-8,
    group_s=1e-6,
    parallel=1.01,
    winograd_s=7e-11,
    winograd_weights_s=3.5e-11,
)
"""A desktop core with 512-bit vectors and a large last cache, as ``ftdist calibrate`` found it; its
ratios serve where nothing has been measured."""
