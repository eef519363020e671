"""Objects as GeoJSON (RFC 7946), where their picture says where it lies on the earth.

GeoJSON's own coordinates are longitude and latitude. A picture in another system is written in it,
with its EPSG number in the member `crs`, as programs for maps read and write it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ftdist.answers.measures import enclosed
from ftdist.answers.seen import Found, Seen
from ftdist.errors import InputError
from ftdist.pictures.rows.protocol import Tags
from ftdist.pictures.rows.tiff.tags import Place, coordinate_system, place

_WGS84 = 4326
_SCORE_DIGITS = 4


def geojson(result: Seen, tags: Tags) -> str:
    """The objects of one picture as a collection of rectangles; InputError without coordinates."""
    where = place(tags)
    if where is None:
        raise InputError(
            f"{result.file}: the picture does not say where it lies; use --format json or coco"
        )
    value: dict[str, Any] = {"type": "FeatureCollection"}
    number = coordinate_system(tags)
    if number is not None and number != _WGS84:
        name = f"urn:ogc:def:crs:EPSG::{number}"
        value["crs"] = {"type": "name", "properties": {"name": name}}
    value["features"] = [
        {
            "type": "Feature",
            "geometry": _shape(each, where),
            "properties": {"label": each.label, "score": round(each.score, _SCORE_DIGITS)},
        }
        for each in result.objects
    ]
    return json.dumps(value) + "\n"


def _shape(found: Found, where: Place) -> dict[str, Any]:
    """Its box or, of a mask or a turned box, what its outlines enclose; holes are filled."""
    lines = [line for line in found.outlines if enclosed(line) > 0]
    if not lines:
        right, bottom = found.x + found.width, found.y + found.height
        box = (found.x, bottom, right, bottom, right, found.y, found.x, found.y)
        return {"type": "Polygon", "coordinates": [_ring(box, where)]}
    return {"type": "MultiPolygon", "coordinates": [[_ring(line, where)] for line in lines]}


def _ring(line: Sequence[float], where: Place) -> list[tuple[float, float]]:
    """Corners x, y, x, y and so on, where they lie, against the clock; the first again last."""
    corners = [where(*each) for each in zip(line[0::2], line[1::2], strict=True)]
    x, y = corners[0]  # from there, for areas are small beside coordinates
    if enclosed([value for each in corners for value in (each[0] - x, each[1] - y)]) < 0:
        corners.reverse()
    return [*corners, corners[0]]
