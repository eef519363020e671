"""What each ONNX operator becomes, by family; importing this package registers all of them.

``values`` has functions of values, and sums of them; ``maps`` what needs rows and columns;
``places`` what moves, joins and chooses.
"""

from __future__ import annotations

from ftdist.network.onnx.translators import lists, maps, places, values

__all__ = ("lists", "maps", "places", "values")
