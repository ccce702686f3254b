"""Tiles of the gallery: pictures fetched when they are first seen, and how a tile is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from napari_ssrvae.viewer.views._gallery_order import CONFIDENCE, GalleryItems, Rows
from napari_ssrvae.viewer.views.color import NO_CLASS, Theme, qcolor

Pictures = Callable[[Rows], NDArray[np.uint8]]

PADDING = 4
"""Px around a picture, where the selection is seen."""

_KEPT = 4000  # pictures; some 10 MB


class PictureStore:
    """Pictures of particles by row, asked for when they are first seen.

    Parameters
    ----------
    pictures : callable
        (m,) rows → (m, s, s) uint8.
    """

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._kept: dict[int, QImage] = {}

    def clear(self) -> None:
        """Forget all; they are asked for anew."""
        self._kept.clear()

    def fetch(self, rows: Rows) -> list[QImage]:
        """Return the pictures of these rows, with one call for all that are not here yet."""
        missing = [row for row in rows.tolist() if row not in self._kept]
        if missing:
            for row, patch in zip(missing, self._pictures(np.array(missing)), strict=True):
                self._kept[row] = _as_image(patch)
        found = [self._kept[row] for row in rows.tolist()]
        for old in list(self._kept)[: max(0, len(self._kept) - _KEPT)]:
            del self._kept[old]
        return found


def _as_image(patch: NDArray[np.uint8]) -> QImage:
    height, width = patch.shape
    # QImage only borrows the memory; its copy owns what it shows.
    grey = QImage.Format.Format_Grayscale8
    return QImage(np.ascontiguousarray(patch).tobytes(), width, height, width, grey).copy()


@dataclass
class Mark:
    """What is drawn around a picture because of what the person does."""

    selected: bool = False
    focus: bool = False


class TilePainter:
    """Draws tiles: picture, class, who said so, and whether it is selected.

    The stripe below a picture has the colour of its class and is as long as the model is sure. A
    label by hand makes a frame of it, with a ringed dot; a corner in the colour of another class
    is what the model says instead.
    """

    def __init__(self) -> None:
        self.upright = True
        self.side = 64
        self.set_items(GalleryItems.of(np.empty((0, 1))))
        self.set_colors(())
        self.set_theme(Theme(qcolor("black"), qcolor("white")))

    def set_items(self, items: GalleryItems) -> None:
        """Draw these particles from now on."""
        self._shown, self._by_hand = items.shown.tolist(), items.by_hand.tolist()
        self._other = np.where(items.disagrees, items.predicted, -1).tolist()
        sure = np.nan_to_num(items.column(CONFIDENCE), nan=1.0)
        self._share = np.where(items.by_hand, 1.0, sure).tolist()
        self._degrees = np.degrees(items.angles).tolist()

    def set_colors(self, colors: Sequence[str]) -> None:
        """Set the classes' colours ("#rrggbb")."""
        self._colors = [*map(qcolor, colors)]
        self._no_class = qcolor(NO_CLASS)

    def set_theme(self, theme: Theme) -> None:
        """Draw on this background."""
        self.theme = theme
        self._ring = QColor("white")

    def draw(self, painter: QPainter, cell: QRectF, row: int, image: QImage, mark: Mark) -> None:
        """Draw one tile into its cell."""
        if mark.selected:
            painter.fillRect(cell.adjusted(1, 1, -1, -1), self.theme.selected)
        if mark.focus:
            painter.setPen(QPen(self.theme.foreground, 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(cell.adjusted(0.5, 0.5, -0.5, -0.5))
        frame = cell.adjusted(PADDING, PADDING, -PADDING, -PADDING)
        self._draw_picture(painter, frame, row, image)
        self._draw_class(painter, frame, row)

    def _draw_picture(self, painter: QPainter, frame: QRectF, row: int, image: QImage) -> None:
        turn = self._degrees[row]
        if not self.upright or math.isnan(turn):  # NaN: the pose is unknown
            painter.drawImage(frame, image)
            return
        painter.save()
        painter.setClipRect(frame)
        painter.fillRect(frame, Qt.GlobalColor.black)
        painter.translate(frame.center())
        # The particle lies turned counter-clockwise; Qt turns clockwise: that takes it back.
        painter.rotate(turn)
        painter.drawImage(frame.translated(-frame.center()), image)
        painter.restore()

    def _color(self, position: int) -> QColor:
        return self._colors[position] if 0 <= position < len(self._colors) else self._no_class

    def _draw_class(self, painter: QPainter, frame: QRectF, row: int) -> None:
        color = self._color(self._shown[row])
        stripe = QRectF(frame)
        stripe.setTop(frame.bottom() - max(3.0, self.side / 16))
        painter.fillRect(stripe, color.darker(300))
        stripe.setWidth(frame.width() * self._share[row])
        painter.fillRect(stripe, color)
        if not self._by_hand[row]:
            return
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.SquareCap))
        painter.drawRect(frame.adjusted(1, 1, -1, -1))
        radius = min(6.0, max(3.5, self.side / 14))
        painter.setBrush(color)
        painter.setPen(QPen(self._ring, 1.5))
        painter.drawEllipse(frame.topLeft() + QPointF(radius + 2, radius + 2), radius, radius)
        if self._other[row] >= 0:
            self._draw_objection(painter, frame, self._color(self._other[row]))

    def _draw_objection(self, painter: QPainter, frame: QRectF, color: QColor) -> None:
        side = max(11.0, self.side / 3.5)
        corner = frame.topRight()
        across, down = QPointF(-side, 0), QPointF(0, side)
        painter.setPen(QPen(self._ring, 1.5))
        painter.setBrush(color)
        painter.drawPolygon(QPolygonF([corner, corner + across, corner + down]))
