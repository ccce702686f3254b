"""Small pictures: from arrays to what Qt draws, and widgets that show one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QImage, QKeyEvent, QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views.color import Theme

# Blue below 0, black at 0 like the ground of a patch, red above: after Crameri's "berlin", which
# people with any colour vision tell apart.
_DIVERGING = np.array(
    [[158, 176, 255], [47, 124, 166], [14, 14, 14], [138, 58, 34], [255, 173, 173]]
)


def as_grey(image: ArrayLike, low: float, high: float) -> NDArray[np.uint8]:
    """Grey values of floats, `low` black and `high` white; what is missing is black."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=low)
    scaled = (values - low) / (high - low if high > low else 1.0)
    return np.asarray(np.clip(scaled, 0, 1) * 255, dtype=np.uint8)


def as_diverging(image: ArrayLike, limit: float) -> NDArray[np.uint8]:
    """(h, w, 3) colours of floats: blue at -limit, black at 0, red at +limit."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64)) / (limit if limit > 0 else 1.0)
    stops = np.linspace(-1, 1, len(_DIVERGING))
    channels = [np.interp(values, stops, channel) for channel in _DIVERGING.T]
    return np.stack(channels, axis=-1).astype(np.uint8)


def as_qimage(pixels: NDArray[np.uint8]) -> QImage:
    """Make a `QImage` of (h, w) greys or (h, w, 3) colours; it owns what it shows.

    Raises
    ------
    InputError
        If the pixels are neither.
    """
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if not pixels.size or not (colour or pixels.ndim == 2):
        raise InputError(f"A picture is (h, w) greys or (h, w, 3) colours, not {pixels.shape}.")
    height, width = pixels.shape[:2]
    form = QImage.Format.Format_RGB888 if colour else QImage.Format.Format_Grayscale8
    # QImage only borrows the memory of the array.
    return QImage(pixels.tobytes(), width, height, width * (3 if colour else 1), form).copy()


def theme_of(widget: QWidget) -> Theme:
    """Return the two colours that a widget takes from its palette."""
    palette, roles = widget.palette(), QPalette.ColorRole
    return Theme(palette.color(roles.Window), palette.color(roles.WindowText))


def draw_within(painter: QPainter, box: QRect, image: QImage) -> QRect:
    """Draw an image as large as fits in the middle of a box; return where."""
    place = QRect(box)
    place.setSize(image.size().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio))
    place.moveCenter(box.center())
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(place, image)
    return place


class Picture(QWidget):
    """A square that shows one picture, or an empty frame.

    Parameters
    ----------
    side : int
        Of the square, px.
    parent : QWidget, optional
        The parent widget.
    """

    def __init__(self, side: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_side(side)

    def set_side(self, side: int) -> None:
        """Show it as large as this."""
        self.setFixedSize(side, side)

    def set_pixels(self, pixels: NDArray[np.uint8] | None) -> None:
        """Show (h, w) greys or (h, w, 3) colours, or nothing."""
        self._image = None if pixels is None else as_qimage(pixels)
        self.update()

    def is_empty(self) -> bool:
        """Say whether there is nothing to see."""
        return self._image is None

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw it."""
        painter = QPainter(self)
        if self._image is not None:
            draw_within(painter, self.rect(), self._image)
        else:
            painter.setPen(QPen(theme_of(self).faint, 1, Qt.PenStyle.DashLine))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()


class ImageButton(QAbstractButton):
    """A button that is pressed with the mouse, Space or Enter, and lights up under the mouse."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Take Enter as Space is taken."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Frame it under the mouse and while it has the focus."""
        if self.hasFocus() or self.underMouse():
            theme = theme_of(self)
            painter = QPainter(self)
            painter.setPen(QPen(theme.foreground if self.hasFocus() else theme.muted, 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
            painter.end()


class PictureButton(ImageButton):
    """A picture with a word below it, to be clicked.

    Parameters
    ----------
    pixels : (h, w) uint8
        The picture.
    caption : str
        The word.
    side : int
        Of the picture, px.
    parent : QWidget, optional
        The parent widget.
    """

    def __init__(
        self, pixels: NDArray[np.uint8], caption: str, side: int, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._image, self._side, self._marked = as_qimage(pixels), side, False
        self.setText(caption)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_marked(self, marked: bool) -> None:
        """Frame it as the one that is selected."""
        self._marked = marked
        self.update()

    def is_marked(self) -> bool:
        """Say whether it is framed."""
        return self._marked

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return room for the picture, its frame and its caption."""
        width = max(self._side, self.fontMetrics().horizontalAdvance(self.text()))
        return QSize(width + 6, self._side + 8 + self.fontMetrics().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw picture, caption and frame."""
        theme, painter = theme_of(self), QPainter(self)
        box = QRect((self.width() - self._side) // 2, 3, self._side, self._side)
        draw_within(painter, box, self._image)
        painter.setPen(theme.muted)
        below = QRect(0, self._side + 5, self.width(), self.fontMetrics().height())
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self.text())
        if self._marked:
            painter.setPen(QPen(theme.selected, 2))
            painter.drawRect(box)
        painter.end()
        super().paintEvent(event)
