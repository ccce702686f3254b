"""From here to there: a slider with two handles, and a field for each to type in."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget
from superqt import QDoubleRangeSlider

STEPS = 100
FIELD_PX = 48


class RangeEdit(QWidget):
    """A range that is dragged or typed; the slider has a row of its own, for a narrow dock.

    Attributes
    ----------
    valueChanged : Signal(tuple)
        Lower and upper end (float), once either changed.
    """

    valueChanged = Signal(tuple)  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self.label = QLabel()
        self.low, self.high = self.fields = (QDoubleSpinBox(), QDoubleSpinBox())
        self.slider = QDoubleRangeSlider(Qt.Orientation.Horizontal)
        row = QHBoxLayout()
        row.addWidget(self.label)
        row.addWidget(self.low, 1)
        row.addWidget(QLabel("to"))
        row.addWidget(self.high, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.slider)
        self.label.setBuddy(self.low)
        for field in self.fields:
            field.setDecimals(1)
            field.setKeyboardTracking(False)  # not with every digit that is typed
            # napari's buttons would leave no room for the number; arrow keys step as well
            field.setButtonSymbols(field.ButtonSymbols.NoButtons)
            field.setStyleSheet(f"min-width: {FIELD_PX}px;")  # napari's style wants 90
        self.low.valueChanged.connect(self._on_low)
        self.high.valueChanged.connect(self._on_high)
        self.slider.valueChanged.connect(self._on_slider)

    def explain(self, label: str, name: str, tip: str) -> None:
        """Write a label before it, and say what it is for."""
        self.label.setText(label)
        for widget, which in ((self.slider, ""), (self.low, ", from"), (self.high, ", to")):
            widget.setAccessibleName(name + which)
            widget.setToolTip(tip)
        self.setToolTip(tip)

    def setRange(self, least: float, most: float) -> None:  # noqa: N802
        """Set what can be chosen; the ends move along where they must."""
        self.slider.setRange(least, most)
        self.slider.setSingleStep((most - least) / STEPS)
        for field in self.fields:
            with QSignalBlocker(field):
                field.setRange(least, most)
                field.setSingleStep((most - least) / STEPS)
        self._show()

    def minimum(self) -> float:
        """Return the least that can be chosen."""
        return float(self.slider.minimum())

    def maximum(self) -> float:
        """Return the most that can be chosen."""
        return float(self.slider.maximum())

    def value(self) -> tuple[float, float]:
        """Return lower and upper end."""
        low, high = self.slider.value()
        return float(low), float(high)

    def setValue(self, value: tuple[float, float]) -> None:  # noqa: N802
        """Choose lower and upper end."""
        self.slider.setValue(value)
        self._show()

    def _show(self) -> None:
        for field, value in zip(self.fields, self.value(), strict=True):
            with QSignalBlocker(field):
                field.setValue(value)

    def _on_low(self, low: float) -> None:
        self.slider.setValue((low, max(low, self.value()[1])))

    def _on_high(self, high: float) -> None:
        self.slider.setValue((min(high, self.value()[0]), high))

    def _on_slider(self, *_: object) -> None:
        self._show()
        self.valueChanged.emit(self.value())
