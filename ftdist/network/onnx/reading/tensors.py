"""Constants of ONNX files as arrays: decoded, or mapped where they lie in a file.

What is mapped is read when it is used; ``Mapped.release`` gives its pages back. Half-wide floats
are widened, large ones when their layer is written; what is not there is refused before memory is
taken for it.
"""

from __future__ import annotations

import math
import mmap
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ftdist.errors import InputError
from ftdist.extras import needing
from ftdist.network.onnx.constant_maths import MOST_VALUES
from ftdist.network.onnx.nodes import Array
from ftdist.network.onnx.reading.schema import EXTERNAL
from ftdist.network.onnx.reading.stripped import Place

MOST_RANK = 16

_MOST_WIDENED = 4096

_BFLOAT16, _FLOAT16 = 16, 10
_DTYPES = {
    1: "f4",
    2: "u1",
    3: "i1",
    4: "u2",
    5: "i2",
    6: "i4",
    7: "i8",
    9: "?",
    _FLOAT16: "f2",
    11: "f8",
    12: "u4",
    13: "u8",
    _BFLOAT16: "u2",
}
"""TensorProto.DataType by number, in the byte order of files; bfloat16 as the bits it is."""

_FIELDS = {
    1: "float_data",
    7: "int64_data",
    11: "double_data",
    12: "uint64_data",
    13: "uint64_data",
}
"""Where values are that are no raw data; those of all other types are int32_data."""


_SHARED: WeakValueDictionary[tuple[int, ...], mmap.mmap] = WeakValueDictionary()
"""What is mapped now: a file that is read at one size, and then at another, is mapped once."""


@dataclass
class Mapped:
    """The files that constants are mapped from, by path."""

    path: Path
    files: dict[Path, mmap.mmap] = field(default_factory=dict)

    def of(self, path: Path) -> mmap.mmap:
        """A file, mapped; OSError where it cannot be."""
        if path not in self.files:
            with path.open("rb") as file:
                told = os.fstat(file.fileno())
                key = told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns
                found = _SHARED.get(key)
                if found is None:
                    found = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
                    _SHARED[key] = found
                self.files[path] = found
        return self.files[path]

    def release(self) -> None:
        """Gives the pages back that were read; they are read again when they are used again."""
        for each in self.files.values():
            each.madvise(mmap.MADV_DONTNEED)


def array(proto: Any, mapped: Mapped, place: Place | None = None) -> Array:
    """A constant whose raw data are in the message, at that `place` of the file, or in another."""
    name, path = shown(proto.name), mapped.path
    dims = tuple(int(each) for each in proto.dims)
    if len(dims) > MOST_RANK or any(each < 0 for each in dims) or math.prod(dims) > MOST_VALUES:
        raise InputError(f"{path}: constant {name} claims a shape of {dims[:MOST_RANK]}")
    try:
        if proto.data_type not in _DTYPES:
            return _widened(_by_package(proto, mapped, place))
        dtype = np.dtype(_DTYPES[proto.data_type]).newbyteorder("<")
        if proto.data_location == EXTERNAL:
            found = _external(proto, dims, dtype, mapped)
        elif place is not None:
            found = _at(mapped.of(path), place, dtype).reshape(dims)
        elif proto.HasField("raw_data"):
            found = np.frombuffer(proto.raw_data, dtype).reshape(dims)
        else:
            found = _listed(proto, dtype).reshape(dims)
    except (InputError, MemoryError):
        raise
    except Exception:  # NumPy's and protobuf's own
        raise InputError(f"{path}: constant {name} is damaged") from None
    if proto.data_type == _BFLOAT16:
        return (found.astype(np.uint32) << 16).view(np.float32)
    return _widened(found)


def _widened(found: Array) -> Array:
    if found.dtype == np.float16 and found.size > _MOST_WIDENED:
        return found
    if is_text(found):
        return found
    wide = found.dtype.kind not in "fiub" or (found.dtype.itemsize < 4 and found.dtype.kind == "f")
    return found.astype(np.float32) if wide else found


def is_text(found: Array) -> bool:
    """Whether a constant holds text, as tables of labels do."""
    return found.dtype.kind in "OUS"


def _at(file: mmap.mmap, place: Place, dtype: np.dtype[Any]) -> Array:
    begin, size = place
    if size % dtype.itemsize:
        raise ValueError("no whole number of values")
    return np.frombuffer(file, dtype, size // dtype.itemsize, begin)


def _listed(proto: Any, dtype: np.dtype[Any]) -> Array:
    """Values that are listed one by one; half-wide ones as their bits."""
    values = getattr(proto, _FIELDS.get(proto.data_type, "int32_data"))
    if proto.data_type == _FLOAT16:
        return np.array(values, np.uint16).view(dtype)
    return np.array(values, dtype)


def _by_package(proto: Any, mapped: Mapped, place: Place | None) -> Array:
    """Rare types (of 4 and 8 bits, complex numbers, texts), by the package ``onnx``."""
    with needing("reading constants of that type", "onnx", "onnx"):
        from onnx import TensorProto, numpy_helper
    if place is not None:
        begin, size = place
        proto.raw_data = mapped.of(mapped.path)[begin : begin + size]
    tensor = TensorProto.FromString(proto.SerializeToString())
    return np.asarray(numpy_helper.to_array(tensor))


def _external(proto: Any, dims: tuple[int, ...], dtype: np.dtype[Any], mapped: Mapped) -> Array:
    """A constant in another file of the same folder."""
    path = mapped.path
    told = {each.key: each.value for each in proto.external_data}
    folder = path.resolve().parent
    named, name = told.get("location", ""), shown(proto.name)
    place = (folder / named).resolve()
    if folder not in place.parents:
        raise InputError(f"{path}: data of {name} are not in its folder")
    if not place.is_file():
        raise InputError(
            f"{path}: data of {name} are in {shown(named)}, which is missing; "
            "put that file beside it"
        )
    offset = int(told.get("offset", "0"))
    needed = math.prod(dims) * dtype.itemsize
    if int(told.get("length", needed)) != needed:
        raise InputError(f"{path}: says another length of {name} than its shape takes")
    if offset < 0 or offset + needed > place.stat().st_size:
        raise InputError(f"{path}: {place.name} is too short for {name}")
    if not needed:
        return np.zeros(dims, dtype)
    return _at(mapped.of(place), (offset, needed), dtype).reshape(dims)


def shown(text: str) -> str:
    """A name from a file, fit for people."""
    return "".join(c if c.isprintable() else "?" for c in text)[:120]
