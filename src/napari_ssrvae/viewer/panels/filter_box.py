"""Sliders that say which particles stay, with their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QFormLayout, QPushButton, QVBoxLayout, QWidget
from superqt import QLabeledDoubleSlider

from napari_ssrvae.imaging import ParticleFilter
from napari_ssrvae.imaging.particle_filter import sizes
from napari_ssrvae.viewer.panels.base import note
from napari_ssrvae.viewer.views.range_edit import RangeEdit
from napari_ssrvae.viewer.views.sliders import explain_slider

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench


class FilterBox(QWidget):
    """Size, circularity, solidity, border and clumps; opened by its title."""

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.filtering = workbench.filtering
        self._unit = "px"
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.title = QCheckBox("Filter by size and shape")
        self.title.setToolTip("Sort out particles: what would go is shown in red before it goes")
        self.title.toggled.connect(self._open)
        column.addWidget(self.title)
        self.inside = QWidget()
        self.inside.setVisible(False)
        column.addWidget(self.inside)
        form = QFormLayout(self.inside)
        form.setContentsMargins(0, 0, 0, 0)
        self._sliders(form)
        self.border = QCheckBox("Cut by the border")
        self.border.setToolTip("Leave out particles that the edge of the image cuts")
        self.clumps = QCheckBox("Clumps and debris")
        self.clumps.setToolTip(
            "Leave out what is much larger than the typical particle and ragged, and crumbs of "
            "under a quarter of its area"
        )
        form.addRow("Leave out", self.border)
        form.addRow("", self.clumps)
        self.count = note()
        form.addRow(self.count)
        self.apply = QPushButton("Take the others away")
        self.apply.setToolTip("Keep only the particles within these limits; undo brings all back")
        self.apply.clicked.connect(self.filtering.apply)
        form.addRow(self.apply)
        for changed in (
            self.size.valueChanged,
            self.circularity.valueChanged,
            self.solidity.valueChanged,
            self.border.toggled,
            self.clumps.toggled,
        ):
            changed.connect(self._changed)
        self.filtering.changed.connect(self.refresh)

    def _sliders(self, form: QFormLayout) -> None:
        self.size = RangeEdit()
        self.size.setRange(0, 1)
        self.size.setValue((0, 1))
        self._explain_size("px")
        self.circularity, self.solidity = (
            QLabeledDoubleSlider(Qt.Orientation.Horizontal) for _ in range(2)
        )
        for slider in (self.circularity, self.solidity):
            slider.setRange(0, 1)
            slider.setDecimals(2)
            slider.setSingleStep(0.01)
        explain_slider(
            self.circularity, "Least circularity", "1 for a circle, less for long or ragged ones"
        )
        explain_slider(
            self.solidity,
            "Least solidity",
            "Share of the convex hull that is filled: clumps have bays",
        )
        form.addRow(self.size)
        form.addRow("Circularity ≥", self.circularity)
        form.addRow("Solidity ≥", self.solidity)

    def _explain_size(self, unit: str) -> None:
        self.size.explain(
            f"Size ({unit})",
            "Diameter of the particles that stay",
            f"Diameter ({unit}) of the circle of the same area",
        )

    def wanted(self) -> ParticleFilter:
        """Return the filter that the controls show; a slider at its end sets no limit."""
        low, high = self.size.value()
        least, most = self.size.minimum(), self.size.maximum()
        return ParticleFilter(
            min_size=float(low) if low > least else None,
            max_size=float(high) if high < most else None,
            min_circularity=self.circularity.value() or None,
            min_solidity=self.solidity.value() or None,
            drop_border=self.border.isChecked(),
            drop_clumps=self.clumps.isChecked(),
        )

    def refresh(self) -> None:
        """Show how many particles stay, and sliders that span all of them."""
        seen = self.filtering.seen
        self.apply.setEnabled(seen is not None and bool(seen.gone.size))
        if seen is None:
            self.count.setText("")
            return
        self._span()
        kept = seen.total - seen.gone.size
        text = f"<b>{kept:,} of {seen.total:,}</b> kept"
        if lost := self.filtering.labels_that_go():
            text += f"; {lost} hand label{'s' if lost > 1 else ''} would go with the others"
        self.count.setText(text)

    def _span(self) -> None:
        """Let the slider of sizes reach from the smallest particle to the largest."""
        seen = self.filtering.seen
        assert seen is not None
        size = sizes(seen.table)
        unit = "nm" if "area_nm2" in seen.table else "px"
        least, most = float(np.floor(size.min())), float(np.ceil(size.max())) + 1.0
        if (least, most, unit) == (self.size.minimum(), self.size.maximum(), self._unit):
            return
        before = self.wanted()
        self.size.blockSignals(True)
        self.size.setRange(least, most)
        fresh = unit != self._unit
        low = least if fresh or before.min_size is None else max(before.min_size, least)
        high = most if fresh or before.max_size is None else min(before.max_size, most)
        self.size.setValue((min(low, high), max(low, high)))
        self.size.blockSignals(False)
        self._unit = unit
        self._explain_size(unit)
        self.filtering.want(self.wanted())

    def _open(self, is_open: bool) -> None:
        self.inside.setVisible(is_open)
        if is_open:
            self.filtering.start()
        else:
            self.filtering.stop()

    def _changed(self, *_: object) -> None:
        self.filtering.want(self.wanted())
