"""Strips and tiles that are JPEGs, as aerial pictures and slides of microscopes have them.

Their tables stand once for all in a tag, and what their colours are stands in the directory: both
are put in front of each block, which Pillow then reads as a picture of its own.
"""

from __future__ import annotations

import io

import numpy as np

from ftdist.extras import needing
from ftdist.pictures.rows.codings import Bytes
from ftdist.pictures.rows.tiff.layout import YCBCR, Layout

_START, _END = b"\xff\xd8", b"\xff\xd9"
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
_MODES = {1: "L", 3: "RGB"}


def decoded(content: bytes, tables: bytes, layout: Layout, rows: int) -> Bytes:
    """`rows` of a block as (rows, columns x samples); ValueError where it is no such block."""
    with needing("reading a TIFF of JPEGs", "Pillow", "image"):
        from PIL import Image
    mode = _MODES.get(layout.samples)
    if mode is None or layout.bits != 8:
        raise ValueError(f"it is a TIFF of JPEGs with {layout.samples} bands of {layout.bits} bits")
    if content[:2] != _START:
        raise ValueError("the file is cut off or damaged: a strip or tile is no JPEG")
    colours = _ADOBE + bytes([layout.photometric == YCBCR]) if mode == "RGB" else b""
    inner = tables[2:-2] if tables[:2] == _START and tables[-2:] == _END else tables[2:]
    whole = io.BytesIO(_START + colours + inner + content[2:])
    with Image.open(whole, formats=("JPEG",)) as block:
        fits = block.size[0] == layout.block_width and rows <= block.size[1] <= layout.block_height
        if not fits or block.mode != mode:
            width, height = block.size
            raise ValueError(
                f"one of its strips or tiles is a JPEG of {width}x{height} ({block.mode})"
            )
        found = np.array(block)
    return found.reshape(len(found), -1)[:rows]
