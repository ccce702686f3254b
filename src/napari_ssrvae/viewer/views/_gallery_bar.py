"""The gallery's one row of controls: what to show, in which order, and how large."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSlider,
    QToolButton,
    QWidget,
    QWidgetAction,
)
from superqt import QLabeledDoubleRangeSlider

from napari_ssrvae.viewer.views._gallery_grid import LARGEST, SMALLEST
from napari_ssrvae.viewer.views._gallery_order import CONFIDENCE, GalleryItems, Show, Sort, Wish
from napari_ssrvae.viewer.views.sliders import explain_slider
from napari_ssrvae.viewer.views.units import called_now

_SHOWN = {
    Show.ALL: "labelled or not",
    Show.UNLABELLED: "not labelled",
    Show.LABELLED: "labelled by hand",
    Show.DISAGREEING: "model disagrees",
    Show.SELECTED: "selected only",
}
_ORDERS = {Sort.DISAGREEMENT: "disagreement first", Sort.FOUND: "as found"}
_DIRECTIONS = {  # of an order: what comes first when ascending, and when descending
    CONFIDENCE: ("least sure", "surest"),
    Sort.CLASS: ("first class of the table", "last class of the table"),
    Sort.DISAGREEMENT: ("what hand label and model disagree on", "what they agree on"),
    Sort.FOUND: ("as found in the micrograph", "last found"),
}


class Range(QLabeledDoubleRangeSlider):
    """A range of a column's values; unfiltered while it covers all of them."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.name = name
        self.setMinimumWidth(260)
        self.setDecimals(2 if name == CONFIDENCE else 1)
        self.setHandleLabelPosition(self.LabelPosition.NoLabel)
        self.setEdgeLabelMode(self.EdgeLabelMode.LabelIsValue)
        explain_slider(self, name, f"Show only particles whose {name} is in this range")
        self._full = (0.0, 1.0)
        self.setRange(*self._full)
        self.setValue(self._full)

    def set_limits(self, low: float, high: float) -> None:
        """Offer values from `low` to `high`; one end that was not moved stays at the end."""
        old, value = self._full, self.value()
        step = 10.0 ** -self.decimals()
        # Rounded outwards, or the smallest and the largest particle would fall out.
        full = (np.floor(low / step) * step, np.ceil(high / step) * step + (low == high) * step)
        if full == old:
            return
        at_ends = (value[0] <= old[0], value[1] >= old[1])
        self._full = full
        with QSignalBlocker(self):
            self.setRange(*full)
            self.setValue(
                (
                    full[0] if at_ends[0] else min(max(value[0], full[0]), full[1]),
                    full[1] if at_ends[1] else max(min(value[1], full[1]), full[0]),
                )
            )

    def chosen(self) -> tuple[float, float] | None:
        """Return the range, or None while it covers everything."""
        low, high = self.value()
        if low <= self._full[0] and high >= self._full[1]:
            return None
        return (
            low if low > self._full[0] else -np.inf,
            high if high < self._full[1] else np.inf,
        )

    def reset(self) -> None:
        """Cover everything again."""
        self.setValue(self._full)


class GalleryBar(QWidget):
    """Sorting, filters, size of the tiles and upright or not, in one row.

    Attributes
    ----------
    wish_changed : Signal()
        The person wants to see something else: read `wish`.
    side_changed : Signal(int)
        Side of the tiles in px.
    upright_changed : Signal(bool)
        Whether tiles are turned upright.
    """

    wish_changed = Signal()
    side_changed = Signal(int)
    upright_changed = Signal(bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.sort = _combo(self, "Order of the particles")
        self.direction = QToolButton(self)
        self.direction.setCheckable(True)
        self.classes = _combo(self, "Show the particles of this class, by hand or as predicted")
        self.show_only = _combo(self, "Show particles by what is known of their labels")
        self.filters = QPushButton("Filter", self)
        self.filters.setToolTip("Show a range of confidence or size, or one micrograph")
        self.size = QSlider(Qt.Orientation.Horizontal, self)
        self.size.setRange(SMALLEST, LARGEST)
        self.size.setValue(64)
        self.size.setPageStep(16)
        self.size.setMaximumWidth(110)
        self.size.setMinimumWidth(50)
        self.size.setToolTip("Size of the tiles (or Ctrl and the mouse wheel)")
        self.upright = QCheckBox("Upright", self)
        self.upright.setChecked(True)
        self.upright.setToolTip(
            "Turn the particles back by the angle that the model found, so that those of one "
            "class look alike; off: as they lie in the micrograph"
        )
        self.ranges: dict[str, Range] = {}
        self._lay_out()
        self._fill(self.show_only, [(text, show) for show, text in _SHOWN.items()])
        self._describe()
        for combo in (self.sort, self.classes, self.show_only, self.micrographs):
            combo.currentIndexChanged.connect(self._on_changed)
        self.direction.toggled.connect(self._on_changed)
        self.size.valueChanged.connect(self.side_changed)
        self.upright.toggled.connect(self.upright_changed)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 2, 4, 0)
        row.setSpacing(4)
        for widget, stretch in (
            (self.sort, 3),
            (self.direction, 0),
            (self.classes, 3),
            (self.show_only, 3),
            (self.filters, 0),
            (self.size, 1),
            (self.upright, 0),
        ):
            row.addWidget(widget, stretch)
        self._popup = QWidget(self)
        self._form = QFormLayout(self._popup)
        self.micrographs = _combo(self._popup, "Show the particles of one micrograph only")
        self.reset = QPushButton("Take all filters away", self._popup)
        self.reset.setToolTip("Show all particles again")
        self.reset.clicked.connect(self.clear_filters)
        self._form.addRow("micrograph", self.micrographs)
        self._form.addRow(self.reset)
        menu, action = QMenu(self), QWidgetAction(self)
        action.setDefaultWidget(self._popup)
        menu.addAction(action)
        self.filters.setMenu(menu)

    # ------------------------------------------------------------------ what can be chosen

    def set_choices(
        self,
        items: GalleryItems,
        classes: Sequence[str],
        micrographs: Sequence[str],
        ranges: Iterable[str],
    ) -> None:
        """Offer these; what was chosen stays so by its name, where it is still there.

        A measure is still there when its unit has changed.
        """
        orders = [CONFIDENCE, *Sort, *(name for name in items.columns if name != CONFIDENCE)]
        sorts = [(_ORDERS.get(name, f"by {name}"), str(name)) for name in orders]
        chosen = called_now(self.sort.currentText(), [text for text, _ in sorts])
        self._fill(self.sort, sorts, chosen)
        of_class = [*((name, i) for i, name in enumerate(classes)), ("no class", -1)]
        self._fill(self.classes, [("all classes", None), *of_class])
        of_one = [*((name, i) for i, name in enumerate(micrographs))]
        self._fill(self.micrographs, [("all micrographs", None), *of_one])
        self._set_ranges(items, [name for name in ranges if items.is_known(name)])
        self._describe()

    def _set_ranges(self, items: GalleryItems, names: list[str]) -> None:
        for gone in [name for name in self.ranges if name not in names]:
            self._form.removeRow(self.ranges.pop(gone))
        for name in names:
            if name not in self.ranges:
                self.ranges[name] = Range(name, self._popup)
                self.ranges[name].valueChanged.connect(self._on_changed)
                self._form.insertRow(self._form.rowCount() - 1, name, self.ranges[name])
            values = items.column(name)
            known = values[np.isfinite(values)]
            if name == CONFIDENCE or not known.size:
                self.ranges[name].set_limits(0.0, 1.0)
            else:
                self.ranges[name].set_limits(float(known.min()), float(known.max()))

    @staticmethod
    def _fill(combo: QComboBox, choices: list[tuple[str, Any]], chosen: str | None = None) -> None:
        if choices == [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())]:
            return
        before = chosen or combo.currentText()
        with QSignalBlocker(combo):
            combo.clear()
            for text, value in choices:
                combo.addItem(text, value)
            combo.setCurrentIndex(max(0, combo.findText(before)))

    # ------------------------------------------------------------------ what is chosen

    def wish(self) -> Wish:
        """Return what the person wants to see."""
        chosen = {name: slider.chosen() for name, slider in self.ranges.items()}
        return Wish(
            self.sort.currentData() or CONFIDENCE,
            not self.direction.isChecked(),
            self.classes.currentData(),
            Show(self.show_only.currentData()),
            self.micrographs.currentData(),
            {name: ends for name, ends in chosen.items() if ends is not None},
        )

    def clear_filters(self) -> None:
        """Show all particles, in the order that is chosen."""
        with self._as_one():
            for combo in (self.classes, self.show_only, self.micrographs):
                combo.setCurrentIndex(0)
            for slider in self.ranges.values():
                slider.reset()
        self._on_changed()

    @contextmanager
    def _as_one(self) -> Any:
        """Let several changes be heard as one."""
        was = self.blockSignals(True)
        yield
        self.blockSignals(was)

    def _on_changed(self) -> None:
        self._describe()
        self.wish_changed.emit()

    def _describe(self) -> None:
        """Say on the buttons what they do now."""
        wish = self.wish()
        first = _DIRECTIONS.get(wish.sort, ("smallest", "largest"))
        self.direction.setText("▲" if wish.ascending else "▼")
        now, other = first if wish.ascending else reversed(first)
        self.direction.setToolTip(f"Now {now} first; click for {other} first")
        count = len(wish.ranges) + (wish.micrograph is not None)
        self.filters.setText(f"Filter ({count})" if count else "Filter")


def _combo(parent: QWidget, tip: str) -> QComboBox:
    combo = QComboBox(parent)
    combo.setToolTip(tip)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    combo.setMinimumWidth(70)
    combo.setMaximumWidth(200)
    return combo


def plain_label(parent: QWidget) -> QLabel:
    """Return a label that shows names as they are, without reading them as HTML."""
    label = QLabel(parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
