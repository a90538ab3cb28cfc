"""Find intervals of numbers by a uniform grid over the edges."""

import numpy as np
from numpy.typing import NDArray

from functions.shared.engines.engine import Floats

CELLS = 2048
MAX_STEPS = 4
"""Edges per cell beyond which plain binary search is as fast."""
PIECE_ROWS = 8192
"""Rows per step: few enough for the cache, and for reusing the memory of temporary arrays."""


class Grid:
    """Finds the interval of a value among strictly increasing finite edges.

    An interval's number is how many edges are below the value; for NaN it is `len(edges) + 1`. Despite rounding, a larger value never
    has a lower cell. So all edges of earlier cells are below the value, and none of later cells. Only the few edges of its own cell
    need to be compared.
    """

    def __init__(self, edges: Floats) -> None:
        """Lay out the grid; use binary search if the edges are too unevenly spread."""
        self._edges = np.append(edges, [np.inf, np.inf])
        self._steps: int | None = None
        if not len(edges):
            return
        with np.errstate(over="ignore", divide="ignore"):
            width = (edges[-1] - edges[0]) or np.float64(1.0)
            self._per_unit = (CELLS - 2) / width
        self._low = edges[0]
        if not (np.isfinite(self._per_unit) and self._per_unit > 0):
            return
        cells = self._cells(edges)
        below = np.searchsorted(cells, np.arange(CELLS))
        self._below: NDArray[np.intp] = np.append(below, len(edges) + 1)
        steps = int(np.bincount(cells).max())
        if steps <= MAX_STEPS:
            self._steps = steps

    def interval(self, values: Floats) -> NDArray[np.intp]:
        """Return the interval of each value, shape (values,)."""
        if self._steps is None:
            # NaN sorts after infinity, so it lands after the last interval by itself.
            return np.searchsorted(self._edges[:-1], values)
        found = np.empty(len(values), dtype=np.intp)
        for start in range(0, len(values), PIECE_ROWS):
            piece = values[start : start + PIECE_ROWS]
            place = found[start : start + PIECE_ROWS]
            np.take(self._below, self._cells(piece), out=place, mode="clip")
            for _ in range(self._steps):
                place += piece > self._edges.take(place)
        return found

    def _cells(self, values: Floats) -> NDArray[np.intp]:
        with np.errstate(over="ignore"):
            cells = np.subtract(values, self._low)
            cells *= self._per_unit
        cells += 1.0
        np.maximum(cells, 0.0, out=cells)
        np.minimum(cells, CELLS - 1.0, out=cells)
        # Only NaN would be above the last cell, and fmin prefers the number.
        np.fmin(cells, float(CELLS), out=cells)
        places: NDArray[np.intp] = cells.astype(np.intp)
        return places
