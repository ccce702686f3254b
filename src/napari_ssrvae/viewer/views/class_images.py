"""The learned class images: what the model takes each class to look like."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views._pictures import ImageButton, as_grey, as_qimage
from napari_ssrvae.viewer.views.color import Theme, ThemedWidget, scrolled_sheet
from napari_ssrvae.viewer.views.legend import ColorChip

TILE = 96
SMALLEST_TILE = 28
GAP = 3
CARD_MARGIN = 3


class ImageStrip(QWidget):
    """A row of grey images of one size, scaled to the tile that fits.

    Parameters
    ----------
    images : (m, h, w) uint8
        The images, left to right.
    smooth : bool
        Interpolate when scaling; False shows the pixels as they are.
    parent : QWidget, optional
        The parent widget.
    """

    def __init__(
        self, images: NDArray[np.uint8], *, smooth: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._images = [as_qimage(image) for image in images]
        self._aspect = images.shape[2] / images.shape[1]
        self._smooth = smooth
        self._tile = QSize()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.fit(TILE)

    def __len__(self) -> int:
        return len(self._images)

    def fit(self, width: int) -> None:
        """Scale so that the whole row is at most `width` px wide."""
        count = len(self._images)
        side = min(TILE, max(SMALLEST_TILE, (width - GAP * (count - 1)) // count))
        self._tile = QSize(side, max(1, round(side / self._aspect)))
        self.setFixedSize(count * side + GAP * (count - 1), self._tile.height())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the images side by side."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._smooth)
        for position, image in enumerate(self._images):
            left = position * (self._tile.width() + GAP)
            painter.drawImage(QRect(left, 0, self._tile.width(), self._tile.height()), image)
        painter.end()


class ClassCard(ImageButton):
    """One class: its colour, its name, and its images below; a click asks for more of it."""

    def __init__(self, name: str, color: str, strip: ImageStrip, parent: QWidget) -> None:
        super().__init__(parent)
        self.name = name
        self.strip = strip
        label = QLabel(name, self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setMinimumWidth(0)
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        title = QHBoxLayout()
        title.setSpacing(5)
        title.addWidget(ColorChip(color, self))
        title.addWidget(label, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(4 * (CARD_MARGIN,)))
        layout.setSpacing(3)
        layout.addLayout(title)
        layout.addWidget(strip)
        meaning = (
            "From left to right: how it varies with the latent coordinate."
            if len(strip) > 1
            else "Rotation and position are taken out."
        )
        self.setToolTip(
            f"What the model takes a particle of class '{name}' to look like. {meaning}\n"
            "Click, or press Enter, to see all that it has learned of this class."
        )


class ClassImages(ThemedWidget):
    """The learned class images as a grid that wraps in the width it is given.

    Parameters
    ----------
    smooth : bool
        Interpolate when scaling up; False shows the pixels as they are.
    parent : QWidget, optional
        The parent widget.

    Attributes
    ----------
    class_clicked : Signal(int)
        A card was clicked, or pressed with Enter: its position among the classes shown.
    """

    class_clicked = Signal(int)

    EMPTY_TEXT = "Train a model to see what it takes each class to look like"

    def __init__(self, *, smooth: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._smooth = smooth
        self._cards: list[ClassCard] = []
        self._message = QLabel(self)
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._message.setWordWrap(True)
        self._message.setMargin(12)
        self._content = QWidget()
        self._flow = QFlowLayout(self._content)
        self._flow.setContentsMargins(6, 6, 6, 6)
        self._flow.setHorizontalSpacing(4)
        self._flow.setVerticalSpacing(4)
        self._scroll = QScrollArea(self)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._scroll.setWidget(self._content)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._message)
        self._stack.addWidget(self._scroll)
        self._follow_theme()
        self.clear()

    def names(self) -> list[str]:
        """Return the names of the classes shown, in order."""
        return [card.name for card in self._cards]

    def set_images(
        self,
        images: Iterable[tuple[str, str, ArrayLike]],
        *,
        limits: tuple[float, float] | None = None,
    ) -> None:
        """Show one card a class.

        Parameters
        ----------
        images : iterable of (name, color, image)
            Name of the class, "#rrggbb", and one image (h, w) or a row of them (m, h, w), float.
        limits : (float, float), optional
            The values shown black and white; by default the smallest and largest of all images,
            so that the classes can be compared.

        Raises
        ------
        InputError
            If an image is not 2-D or 3-D, or is empty.
        """
        rows = [(name, color, _as_row(name, image)) for name, color, image in images]
        if not rows:
            self.clear()
            return
        low, high = limits or _common_limits([row for _, _, row in rows])
        self._remove_cards()
        for position, (name, color, row) in enumerate(rows):
            strip = ImageStrip(as_grey(row, low, high), smooth=self._smooth)
            card = ClassCard(name, color, strip, self._content)
            card.clicked.connect(partial(self._on_card, position))
            self._flow.addWidget(card)
            self._cards.append(card)
        self._stack.setCurrentWidget(self._scroll)
        self._fit_strips()

    def _on_card(self, position: int) -> None:
        self.class_clicked.emit(position)

    def clear(self, message: str | None = None) -> None:
        """Show no images but a text that says what to do."""
        self._remove_cards()
        self._message.setText(message or self.EMPTY_TEXT)
        self._stack.setCurrentWidget(self._message)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fit the rows into the new width."""
        super().resizeEvent(event)
        self._fit_strips()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows a few classes."""
        return QSize(320, 240)

    def _fit_strips(self) -> None:
        margins = self._flow.contentsMargins()
        # Room for the scroll bar is kept whether it is shown or not: tiles that grow when it goes
        # and shrink when it comes would never settle.
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        width = self.width() - bar - margins.left() - margins.right() - 2 * CARD_MARGIN
        for card in self._cards:
            card.strip.fit(width)

    def _remove_cards(self) -> None:
        for card in self._cards:
            self._flow.removeWidget(card)
            card.setParent(None)
            card.deleteLater()
        self._cards.clear()

    def _apply_theme(self, theme: Theme) -> None:
        self.setStyleSheet(scrolled_sheet(theme))
        self._message.setStyleSheet(f"color: {theme.muted.name()};")


def _as_row(name: str, image: ArrayLike) -> NDArray[np.float64]:
    row = np.asarray(image, dtype=float)
    if row.ndim == 2:
        row = row[None]
    if row.ndim != 3 or not row.size:
        raise InputError(
            f"The images of class {name!r} have shape {np.shape(image)}; "
            "give one image (h, w) or a row of images (m, h, w)."
        )
    return row


def _common_limits(rows: list[NDArray[np.float64]]) -> tuple[float, float]:
    finite = np.concatenate([row[np.isfinite(row)] for row in rows])
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
