"""The learned manifold of one class: what the model draws, and the particles that lie there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QKeyEvent, QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views._image_grid import ImageGrid
from napari_ssrvae.viewer.views._pictures import Picture, PictureButton, as_grey
from napari_ssrvae.viewer.views.color import Theme, ThemedWidget, qcolor, scrolled_sheet

NEIGHBOUR = 56
"""Side of the picture of a real particle, px."""
SIDE_BY_SIDE = 430
"""Width from which grid and particles stand beside each other, px."""
LARGE = 160, 96


class ClassManifold(ThemedWidget):
    """A grid of decoded images over (z1, z2), one of them large, and the real particles near it.

    It holds no state of the person's and computes nothing: whoever owns the model answers its
    signals with `set_grid`, `set_neighbours` and `mark`.

    Parameters
    ----------
    parent : QWidget, optional
        The parent widget.

    Attributes
    ----------
    class_chosen : Signal(int)
        Another class, as a position in the list, was chosen.
    cell_chosen : Signal(int, int)
        Row and column of a point of the grid that is to be looked at.
    neighbour_clicked : Signal(int)
        One of the real particles, as a position in `set_neighbours`, was clicked.
    back_wanted : Signal()
        All classes are to be shown again.
    """

    class_chosen = Signal(int)
    cell_chosen = Signal(int, int)
    neighbour_clicked = Signal(int)
    back_wanted = Signal()

    HINT = "Click a picture, or walk with the arrow keys, to see real particles like it"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images = np.zeros((0, 0, 1, 1), np.float32)
        self._limits = (0.0, 1.0)
        self._neighbours: list[PictureButton] = []
        self.back = QToolButton(self)
        self.back.setText("◂ All classes")
        self.back.setToolTip("Back to the pictures of all classes (Escape)")
        self.back.clicked.connect(self.back_wanted)
        self.classes = QComboBox(self)
        self.classes.setToolTip("The class whose learned manifold is shown")
        self.classes.setMinimumContentsLength(6)
        adjust = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.classes.setSizeAdjustPolicy(adjust)
        self.classes.activated.connect(self.class_chosen)
        self.grid = ImageGrid(self)
        self.grid.setToolTip(
            "What the model draws for this class over its two latent coordinates, rotation and "
            "position taken out.\nDimmed: no particle of the class is near."
        )
        self.grid.cell_chosen.connect(self._on_cell)
        self.large = Picture(LARGE[0], self)
        self.large.setToolTip("What the model draws at the chosen point")
        self.where, self.note, self.nearest = (QLabel(self) for _ in range(3))
        for label in (self.where, self.note, self.nearest):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self._lay_out()
        self._follow_theme()
        self.clear()

    def _lay_out(self) -> None:
        header = QHBoxLayout()
        header.addWidget(self.back)
        header.addWidget(self.classes)
        header.addStretch(1)
        left = QVBoxLayout()
        left.addWidget(self.grid)
        left.addWidget(self.note)
        left.addStretch(1)
        drawn = QVBoxLayout()
        drawn.addWidget(self.large)
        drawn.addWidget(self.where)
        drawn.addStretch(1)
        self._crowd = QWidget()
        self._flow = QFlowLayout(self._crowd)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(2)
        self._flow.setVerticalSpacing(2)
        real = QVBoxLayout()
        real.addWidget(self.nearest)
        real.addWidget(self._crowd)
        real.addStretch(1)
        content = QWidget()
        self._content = QBoxLayout(QBoxLayout.Direction.LeftToRight, content)
        self._content.setContentsMargins(0, 0, 0, 0)
        self._content.setSpacing(10)
        self._content.addLayout(left)
        self._content.addLayout(drawn)
        self._content.addLayout(real, 1)
        self._scroll = QScrollArea(self)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addLayout(header)
        layout.addWidget(self._scroll, 1)

    # ------------------------------------------------------------------ what is shown

    def set_classes(self, classes: Sequence[tuple[str, str]], current: int) -> None:
        """Offer classes (name, "#rrggbb"), one of which is shown."""
        self.classes.clear()
        for name, color in classes:
            chip = QPixmap(12, 12)
            chip.fill(qcolor(color))
            self.classes.addItem(QIcon(chip), name)
        self.classes.setCurrentIndex(current)

    def set_grid(
        self,
        images: NDArray[np.float32],
        near: NDArray[np.bool_],
        counts: NDArray[np.int64],
        z1: NDArray[np.float64],
        z2: NDArray[np.float64],
        note: str = "",
    ) -> None:
        """Show the images of a class.

        Parameters
        ----------
        images : (r, c, h, w) float
            Rows from the top.
        near : (r, c) bool
            Where particles of the class are; the others are dimmed.
        counts : (r, c) int
            How many particles lie in each cell.
        z1, z2 : (c,) and (r,) float
            Coordinates of columns and rows. One row is a strip over z1.
        note : str
            A sentence below the grid.

        Raises
        ------
        InputError
            If the arrays do not fit together.
        """
        shape = np.shape(images)
        if len(shape) != 4 or not shape[:2] == near.shape == counts.shape == (len(z2), len(z1)):
            raise InputError(
                f"Images of shape {shape} make no grid of {len(z2)} rows and {len(z1)} columns."
            )
        self._images = np.asarray(images, np.float32)
        finite = self._images[np.isfinite(self._images)]
        low, high = (0.0, 1.0) if not finite.size else (min(0.0, finite.min()), finite.max())
        self._limits = float(low), float(high)
        self._where = [
            [_where(z1[j], z2[i] if len(z2) > 1 else None) for j in range(len(z1))]
            for i in range(len(z2))
        ]
        self._there = [[_count(n) for n in row] for row in counts.tolist()]
        tips = [
            [f"{a}: {b}" for a, b in zip(row, there, strict=True)]
            for row, there in zip(self._where, self._there, strict=True)
        ]
        vertical = (float(z2[-1]), float(z2[0])) if len(z2) > 1 else None
        grey = as_grey(self._images, *self._limits)
        self.grid.set_images(grey, near, tips, (float(z1[0]), float(z1[-1])), vertical)
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self._forget_point()
        self._fit()

    def clear(self, note: str = "") -> None:
        """Show no grid, but a sentence if there is one."""
        self._images = np.zeros((0, 0, 1, 1), np.float32)
        self.grid.set_images(
            np.zeros((0, 0, 1, 1), np.uint8), np.ones((0, 0), bool), (), (0, 0), None
        )
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self._forget_point()

    def choose(self, row: int, column: int) -> None:
        """Look at a cell as if it had been clicked."""
        self.grid.choose((row, column))
        self._on_cell(row, column)

    def set_neighbours(
        self,
        images: NDArray[np.float32],
        captions: Sequence[str],
        tips: Sequence[str],
        marked: int | None = None,
    ) -> None:
        """Show real particles (m, h, w) of grey 0 to 1, the nearest first, one of them marked."""
        self._remove_neighbours()
        if len(images):
            self.nearest.setText("Nearest real particles, turned upright:")
        else:
            self.nearest.setText("No particle has been taken for this class.")
        for position, (image, caption, tip) in enumerate(zip(images, captions, tips, strict=True)):
            button = PictureButton(as_grey(image, 0, 1), caption, NEIGHBOUR, self._crowd)
            button.setToolTip(tip)
            button.set_marked(position == marked)
            button.clicked.connect(partial(self._on_neighbour, position))
            self._flow.addWidget(button)
            button.show()
            self._neighbours.append(button)
        self._crowd.updateGeometry()

    def neighbours(self) -> list[PictureButton]:
        """Return the real particles shown."""
        return list(self._neighbours)

    def mark(self, cell: tuple[int, int] | None, neighbour: int | None = None) -> None:
        """Show in which cell the selected particle lies, and which of the real ones it is."""
        self.grid.mark(cell)
        for position, button in enumerate(self._neighbours):
            button.set_marked(position == neighbour)

    # ------------------------------------------------------------------ events

    def _on_cell(self, row: int, column: int) -> None:
        # The grid's own image, seen large: decoding again would give the same pixels.
        self.large.set_pixels(as_grey(self._images[row, column], *self._limits))
        self.where.setText(f"{self._where[row][column]}\n{self._there[row][column]}")
        self.cell_chosen.emit(row, column)

    def _on_neighbour(self, position: int) -> None:
        self.neighbour_clicked.emit(position)

    def _forget_point(self) -> None:
        self.large.set_pixels(None)
        self.where.setText("")
        self._remove_neighbours()
        self.nearest.setText(self.HINT if self._images.size else "")

    def _remove_neighbours(self) -> None:
        for button in self._neighbours:
            self._flow.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._neighbours.clear()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Go back with Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.back_wanted.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Put things beside or below each other, as the width asks for."""
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size at which all of it is seen."""
        return QSize(640, 260)

    def _fit(self) -> None:
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        margins = self.layout().contentsMargins()
        width = self.width() - margins.left() - margins.right() - bar
        height = self._scroll.viewport().height()
        if self.width() >= SIDE_BY_SIDE:
            self._content.setDirection(QBoxLayout.Direction.LeftToRight)
            note = self.note.sizeHint().height() + 6 if self.note.text() else 0
            self.grid.fit(width // 2, height - note)
            self.large.set_side(max(LARGE[1], min(LARGE[0], height - 44, width // 4)))
        else:
            self._content.setDirection(QBoxLayout.Direction.TopToBottom)
            self.grid.fit(width, max(140, height // 2))
            self.large.set_side(max(LARGE[1], min(LARGE[0], width)))
        self.where.setMaximumWidth(max(self.large.width(), 110))

    def _apply_theme(self, theme: Theme) -> None:
        self.setStyleSheet(scrolled_sheet(theme))
        for label in (self.note, self.nearest):
            label.setStyleSheet(f"color: {theme.muted.name()};")


def _where(z1: float, z2: float | None) -> str:
    return f"z1 = {z1:.2f}" if z2 is None else f"z1 = {z1:.2f}, z2 = {z2:.2f}"


def _count(n: int) -> str:
    return {0: "no particle here", 1: "1 particle here"}.get(n, f"{n:,} particles here")
