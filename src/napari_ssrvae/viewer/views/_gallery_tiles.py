"""Tiles of the gallery: pictures fetched when they are first seen, and how a tile is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPixmap, QPolygonF

from napari_ssrvae.viewer.views._gallery_order import CONFIDENCE, GalleryItems, Rows
from napari_ssrvae.viewer.views._pictures import as_qimage
from napari_ssrvae.viewer.views.color import NO_CLASS, Theme, qcolor

Pictures = Callable[[Rows], NDArray[np.uint8]]

PADDING = 4
"""Px around a picture, where the selection is seen."""

_KEPT = 4000  # patches; some 10 MB
_READY_BYTES = 64 * 2**20  # of pictures as they are shown


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
                self._kept[row] = as_qimage(patch)
        found = [self._kept[row] for row in rows.tolist()]
        for old in list(self._kept)[: max(0, len(self._kept) - _KEPT)]:
            del self._kept[old]
        return found


class TilePainter:
    """Draws tiles: picture, class, who said so, and whether it is selected.

    The stripe below a picture has the colour of its class and is as long as the model is sure. A
    label by hand makes a frame of it, with a ringed dot; a corner in the colour of another class
    is what the model says instead.
    """

    def __init__(self) -> None:
        self.side, self.upright = 64, True
        self._ready: dict[int, QPixmap] = {}
        self._angles = np.empty(0)
        self.set_items(GalleryItems.of(np.empty((0, 1))), ())
        self.set_theme(Theme(qcolor("black"), qcolor("white")))

    def forget_pictures(self) -> None:
        """Make the pictures ready anew: turning one takes longer than all else of its tile."""
        self._ready.clear()

    def set_look(self, *, side: int | None = None, upright: bool | None = None) -> None:
        """Set the side of the pictures in px, and whether they are turned upright."""
        self.side = self.side if side is None else side
        self.upright = self.upright if upright is None else upright
        self.forget_pictures()

    def set_items(self, items: GalleryItems, colors: Sequence[str]) -> None:
        """Draw these particles from now on, their classes in these colours ("#rrggbb")."""
        if not np.array_equal(items.angles, self._angles, equal_nan=True):
            self.forget_pictures()
        self._angles, self._degrees = items.angles, np.degrees(items.angles).tolist()
        # No class is -1, and finds the last colour.
        self._colors = [qcolor(color) for color in (*colors, NO_CLASS)]
        self._dark_colors = [color.darker(300) for color in self._colors]
        known = len(colors)
        self._shown = np.where(items.shown < known, items.shown, -1).tolist()
        contradicts = items.disagrees & (items.predicted < known)
        self._other = np.where(contradicts, items.predicted, -1).tolist()
        self._by_hand = items.by_hand.tolist()
        sure = np.nan_to_num(items.column(CONFIDENCE), nan=1.0)
        self._share = np.where(items.by_hand, 1.0, np.clip(sure, 0, 1)).tolist()

    def set_theme(self, theme: Theme) -> None:
        """Draw on this background."""
        self.theme = theme
        self._ring = QColor("white")

    def draw(
        self,
        painter: QPainter,
        cell: QRectF,
        row: int,
        image: QImage,
        *,
        selected: bool,
        focus: bool,
    ) -> None:
        """Draw one tile into its cell."""
        if selected:
            painter.fillRect(cell.adjusted(1, 1, -1, -1), self.theme.selected)
        if focus:
            painter.setPen(QPen(self.theme.foreground, 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(cell.adjusted(0.5, 0.5, -0.5, -0.5))
        frame = cell.adjusted(PADDING, PADDING, -PADDING, -PADDING)
        picture = self._ready.get(row)
        if picture is None:
            picture = self._made_ready(painter, row, image)
            if len(self._ready) * 4 * picture.width() ** 2 >= _READY_BYTES:
                self._ready.clear()
            self._ready[row] = picture
        painter.drawPixmap(frame.topLeft(), picture)
        self._draw_class(painter, frame, row)

    def _made_ready(self, target: QPainter, row: int, image: QImage) -> QPixmap:
        """Return the picture as it is shown: upright where the angle is known, in its size."""
        ratio = target.device().devicePixelRatioF()
        side = round(self.side * ratio)
        picture = QPixmap(side, side)
        picture.fill(Qt.GlobalColor.black)
        frame = QRectF(picture.rect())
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        turn = self._degrees[row]
        if self.upright and not math.isnan(turn):
            painter.translate(frame.center())
            # The particle lies turned counter-clockwise; Qt turns clockwise: that takes it back.
            painter.rotate(turn)
            painter.translate(-frame.center())
        painter.drawImage(frame, image)
        painter.end()
        picture.setDevicePixelRatio(ratio)
        return picture

    def _draw_class(self, painter: QPainter, frame: QRectF, row: int) -> None:
        position = self._shown[row]
        color = self._colors[position]
        left, height = int(frame.left()), max(3, self.side // 16)
        top, share = int(frame.bottom()) - height, self._share[row]
        if share < 1:
            painter.fillRect(left, top, self.side, height, self._dark_colors[position])
        painter.fillRect(left, top, round(self.side * share), height, color)
        if self._by_hand[row]:
            self._draw_hand(painter, frame, color)
            if self._other[row] >= 0:
                self._draw_objection(painter, frame, self._colors[self._other[row]])

    def _draw_hand(self, painter: QPainter, frame: QRectF, color: QColor) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.SquareCap))
        painter.drawRect(frame.adjusted(1, 1, -1, -1))
        radius = min(6.0, max(3.5, self.side / 14))
        painter.setBrush(color)
        painter.setPen(QPen(self._ring, 1.5))
        painter.drawEllipse(frame.topLeft() + QPointF(radius + 2, radius + 2), radius, radius)

    def _draw_objection(self, painter: QPainter, frame: QRectF, color: QColor) -> None:
        side = max(11.0, self.side / 3.5)
        corner = frame.topRight()
        across, down = QPointF(-side, 0), QPointF(0, side)
        painter.setPen(QPen(self._ring, 1.5))
        painter.setBrush(color)
        painter.drawPolygon(QPolygonF([corner, corner + across, corner + down]))
