"""Tens of thousands of points as one pyqtgraph item that can be set anew at every epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QColor

from napari_ssrvae.viewer.views._pyqtgraph import pg

MOST_COLORS = 512
"""Where there are more distinct colours, they are rounded: each is a picture that is kept."""

LARGEST_ATLAS = 2048
"""Pictures of points that are kept before all are drawn anew."""


class PointCloud(pg.ScatterPlotItem):
    """A scatter plot whose points are set as arrays.

    `ScatterPlotItem.setData` looks up the style of each point in Python (0.3 s for 50,000), and
    builds an object for each point at the first click. Here the styles are looked up once a
    colour, and clicks are left to the plot. The drawn points are kept as a picture: drawing a
    lasso over 50,000 points, or panning them, would paint them all again at every move.
    """

    data: Any
    """pyqtgraph's record array: one record a point."""

    def __init__(self) -> None:
        super().__init__(pxMode=True)
        self.setCacheMode(self.CacheMode.DeviceCoordinateCache)
        self._style_key: tuple[int, int, float] | None = None
        self._pen: Any = None
        self._brushes: dict[int, Any] = {}

    def set_cloud(
        self,
        xy: NDArray[np.float64],
        colors: NDArray[np.uint8],
        *,
        size: int,
        edge: QColor,
        edge_width: float,
    ) -> None:
        """Show these points.

        Parameters
        ----------
        xy : (n, 2) float64
            Positions, finite.
        colors : (n, 4) uint8
            RGBA.
        size : int
            Diameter in px.
        edge : QColor
            Colour of the outline.
        edge_width : float
            Width of the outline in px; 0 draws none.
        """
        self._use_edge(size, edge, edge_width)
        distinct, index = _distinct(colors)
        brushes = np.array([self._brush(value) for value in distinct.tolist()], dtype=object)
        coordinates = self.fragmentAtlas[[("o", size, self._pen, brush) for brush in brushes]]

        if len(self.data) != len(xy):
            self.data = np.zeros(len(xy), dtype=self.data.dtype)
        data = self.data
        data["x"], data["y"] = xy.T
        data["size"], data["symbol"], data["pen"], data["visible"] = size, "o", self._pen, True
        data["brush"] = brushes[index]
        for place, field in enumerate(("x", "y", "w", "h")):
            data["sourceRect"][field] = np.array([c[place] for c in coordinates], dtype=int)[index]
        self.prepareGeometryChange()
        self.updateSpots()
        self.informViewBoundsChanged()
        self.invalidate()

    def mouseClickEvent(self, event: Any) -> None:  # noqa: N802
        """Leave the click to the plot."""
        event.ignore()

    def _use_edge(self, size: int, edge: QColor, width: float) -> None:
        # pyqtgraph keeps a picture for each pen and brush *object*: the same ones are used from
        # call to call, and all are forgotten when they change or grow too many.
        key = (size, edge.rgba(), width)
        if key != self._style_key or len(self.fragmentAtlas) > LARGEST_ATLAS:
            self._style_key = key
            self._pen = pg.mkPen(edge, width=width) if width else pg.mkPen(None)
            self._brushes.clear()
            self.fragmentAtlas.clear()

    def _brush(self, packed: int) -> Any:
        if packed not in self._brushes:
            rgba = (packed >> shift & 255 for shift in (24, 16, 8, 0))
            self._brushes[packed] = pg.mkBrush(*rgba)
        return self._brushes[packed]


def _distinct(colors: NDArray[np.uint8]) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Return the distinct colours, packed as 0xRRGGBBAA, and which of them each point has."""
    pack = np.array([1 << 24, 1 << 16, 1 << 8, 1], dtype=np.uint32)
    packed = colors.astype(np.uint32) @ pack
    distinct, index = np.unique(packed, return_inverse=True)
    if len(distinct) > MOST_COLORS:
        distinct, index = np.unique(packed & np.uint32(0xE0E0E0FF), return_inverse=True)
    return distinct, index
