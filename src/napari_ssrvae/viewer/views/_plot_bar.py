"""The row above the latent plot: what is drawn, what the colours mean, lasso and zoom."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QResizeEvent
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)
from superqt import QFlowLayout

from napari_ssrvae.viewer.views._scale import ColorBar, ColorScale, number
from napari_ssrvae.viewer.views.color import NO_CLASS
from napari_ssrvae.viewer.views.legend import ColorChip

WIDE = 900
"""From this width on, px, the legend has room beside the buttons; else it has a row of its own."""

MOST_ENTRIES = 12
"""More classes or micrographs than this are named in one tooltip."""

LONGEST_NAME = 28


class PlotBar(QWidget):
    """Boxes to choose axes and colours, the legend of the colours, and two buttons.

    Attributes
    ----------
    axes_chosen : Signal(str, str)
        A person chose what x and y are.
    coloring_chosen : Signal(str)
        A person chose what the colours mean.
    lasso_toggled : Signal(bool)
        Whether a plain drag draws a lasso.
    all_wanted : Signal()
        Every point is to be seen.
    """

    axes_chosen = Signal(str, str)
    coloring_chosen = Signal(str)
    lasso_toggled = Signal(bool)
    all_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hand_chip: ColorChip | None = None
        self._x = self._box("x axis", "What is drawn from left to right")
        self._y = self._box("y axis", "What is drawn from bottom to top")
        self._color = self._box(
            "color by", "What the colours of the points mean: classes, or any measurement"
        )
        for box in (self._x, self._y):
            box.activated.connect(self._on_axes)
        self._color.activated.connect(self._on_coloring)
        self._legend = QWidget(self)
        self._flow = QFlowLayout(self._legend)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(10)
        self._flow.setVerticalSpacing(2)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(4)
        self._grid.setHorizontalSpacing(10)
        self._grid.setColumnStretch(1, 1)
        self._choices = self._row_of_choices()
        self._grid.addWidget(self._choices, 0, 0)
        self._grid.addWidget(self._buttons(), 0, 2, Qt.AlignmentFlag.AlignTop)
        self._place_legend()

    def _box(self, name: str, tip: str) -> QComboBox:
        box = QComboBox(self)
        box.setObjectName(name)
        box.setAccessibleName(name)
        box.setToolTip(tip)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(8)
        # The list is as wide as its longest name, however narrow the box is.
        box.view().setTextElideMode(Qt.TextElideMode.ElideNone)
        return box

    def _row_of_choices(self) -> QWidget:
        choices = QWidget(self)
        choices.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(choices)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for text, box in (("x", self._x), ("y", self._y), ("colour", self._color)):
            label = QLabel(text, choices)
            label.setBuddy(box)
            label.setToolTip(box.toolTip())
            row.addWidget(label)
            row.addWidget(box)
        choices.hide()
        return choices

    def _buttons(self) -> QWidget:
        buttons = QWidget(self)
        show_all = QPushButton("Show all", buttons)
        show_all.setToolTip("Zoom out until every particle's point is seen")
        show_all.clicked.connect(self.all_wanted)
        lasso = QPushButton("Lasso", buttons)
        lasso.setObjectName("lasso")
        lasso.setCheckable(True)
        lasso.setToolTip(
            "Draw around points to select their particles.\n"
            "Shift and drag does it without this button, and adds them to the selection."
        )
        lasso.toggled.connect(self.lasso_toggled)
        row = QHBoxLayout(buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(lasso)
        row.addWidget(show_all)
        return buttons

    # ------------------------------------------------------------------ what can be chosen

    def offer_axes(self, names: Sequence[str], x: str, y: str) -> None:
        """Let a person choose among these columns; show which two are drawn."""
        _fill(self._x, names, x)
        _fill(self._y, names, y)
        self._choices.setVisible(bool(names))
        self._place_legend()

    def offer_colorings(self, names: Sequence[str], shown: str) -> None:
        """Let a person choose what the colours mean; show what they do."""
        _fill(self._color, names, shown)

    def _on_axes(self) -> None:
        self.axes_chosen.emit(self._x.currentText(), self._y.currentText())

    def _on_coloring(self) -> None:
        self.coloring_chosen.emit(self._color.currentText())

    # ------------------------------------------------------------------ what the colours mean

    def set_legend(
        self,
        legend: Sequence[tuple[str, str, int]],
        scale: ColorScale | None,
        ring: QColor | None,
    ) -> None:
        """Explain the colours of the points.

        Parameters
        ----------
        legend : sequence of (name, color, count)
            Classes, micrographs...
        scale : ColorScale, optional
            A measurement, instead of those.
        ring : QColor, optional
            Colour of the ring around hand-labelled particles, where there are any.
        """
        while (item := self._flow.takeAt(0)) is not None:
            widget = item.widget()
            widget.hide()
            widget.deleteLater()
        if scale is not None:
            self._add_scale(scale)
        else:
            for name, color, count in legend[:MOST_ENTRIES]:
                chip, text = ColorChip(color), f"{_short(name)} {count:,}"
                self._add_entry([chip, text], f"{name}: {count:,} particles")
        if scale is None and len(legend) > MOST_ENTRIES:
            rest = legend[MOST_ENTRIES:]
            tip = "\n".join(f"{name}: {count:,} particles" for name, _, count in rest)
            self._add_entry([f"and {len(rest)} more"], tip)
        self._hand_chip = None
        if ring is not None:
            self._hand_chip = ColorChip()
            tip = "A ring marks particles that you labelled"
            self._add_entry([self._hand_chip, "by hand"], tip)
            self.set_ring(ring)

    def set_ring(self, color: QColor) -> None:
        """Draw the ring of the hand labels in this colour."""
        if self._hand_chip is not None:
            self._hand_chip.set_ring(color)

    def _add_scale(self, scale: ColorScale) -> None:
        tip = (
            f"{scale.title}, from {number(scale.low)} to {number(scale.high)}.\n"
            "The few particles beyond have the colours of the ends."
        )
        self._add_entry([scale.title, number(scale.low), ColorBar(), number(scale.high)], tip)
        if scale.unknown:
            text = f"unknown {scale.unknown:,}"
            self._add_entry([ColorChip(NO_CLASS), text], f"{scale.title} is not known for these")

    def _add_entry(self, parts: Sequence[QWidget | str], tip: str) -> None:
        entry = QWidget(self._legend)
        entry.setToolTip(tip)
        row = QHBoxLayout(entry)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        for part in parts:
            if isinstance(part, str):
                label = QLabel(part, entry)
                label.setTextFormat(Qt.TextFormat.PlainText)
                row.addWidget(label)
            else:
                row.addWidget(part)
        self._flow.addWidget(entry)

    # ------------------------------------------------------------------ room

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Put the legend where it has room."""
        super().resizeEvent(event)
        self._place_legend()

    def _place_legend(self) -> None:
        beside = self._choices.isHidden() or self.width() >= WIDE
        self._grid.removeWidget(self._legend)
        # Beside the boxes, which are higher than a line of text, on their line.
        self._flow.setContentsMargins(0, 0 if self._choices.isHidden() or not beside else 4, 0, 0)
        if beside:
            self._grid.addWidget(self._legend, 0, 1)
        else:
            self._grid.addWidget(self._legend, 1, 0, 1, 3)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the size of the buttons: the legend wraps."""
        return QSize(120, super().minimumSizeHint().height())


def _fill(box: QComboBox, names: Sequence[str], shown: str) -> None:
    """Offer these names, and touch nothing where they are offered already: the list may be open."""
    if [box.itemText(i) for i in range(box.count())] != list(names):
        box.clear()
        box.addItems(list(names))
        box.view().setMinimumWidth(box.view().sizeHintForColumn(0) + 24)
    box.setCurrentIndex(box.findText(shown))


def _short(name: str) -> str:
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"
