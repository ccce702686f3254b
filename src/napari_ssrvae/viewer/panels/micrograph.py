"""Step 1: which micrograph, and how large its pixels are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
)

from napari_ssrvae.viewer.panels.base import Panel, note


class MicrographPanel(Panel):
    """Choose the micrograph to work on; see and correct its pixel size."""

    title = "1  Micrograph"

    def build(self) -> None:
        """Make the controls."""
        self.chooser = QComboBox()
        self.chooser.setAccessibleName("Micrograph")
        self.chooser.setToolTip(
            "The micrograph or stack to work on; the others are hidden meanwhile. Classes, labels "
            "and training span all of them."
        )
        self.chooser.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.chooser.activated.connect(self._choose)
        self.body.addWidget(self.chooser)
        self.size = QDoubleSpinBox()
        self.size.setAccessibleName("Pixel size")
        self.size.setRange(0, 1e6)
        self.size.setDecimals(4)
        self.size.setSuffix(" nm/px")
        self.size.setSpecialValueText("unknown")
        self.size.setKeyboardTracking(False)
        self.size.setToolTip("Edge length of one pixel, from the file; correct it if it is wrong")
        self.size.valueChanged.connect(self._set_size)
        self.about = QLabel()
        row = QHBoxLayout()
        row.addWidget(self.about, 1)
        row.addWidget(self.size)
        self.body.addLayout(row)
        self.slices = note()
        self.slices.setToolTip(
            "The slice on the screen is the micrograph in work: step through the stack with the "
            "slider below the image. Labels and training span all slices."
        )
        self.body.addWidget(self.slices)
        self.warning = note()
        self.body.addWidget(self.warning)
        self.sample = QPushButton("Simulated sample")
        self.sample.setToolTip("Open a simulated micrograph of agglomerates of 1-4 spheres")
        self.sample.clicked.connect(self.workbench.open_sample)
        self.library = QPushButton("Open library…")
        self.library.setToolTip("Open a particle library that was saved earlier")
        self.library.clicked.connect(self._open_library)
        self.workflow = QPushButton("Open model…")
        self.workflow.setToolTip("Open a trained model (workflow folder) to classify micrographs")
        self.workflow.clicked.connect(self._open_workflow)
        self.body.addWidget(self.sample)
        row = QHBoxLayout()
        row.addWidget(self.library)
        row.addWidget(self.workflow)
        self.body.addLayout(row)

    def refresh(self) -> None:
        """Show the session's micrographs and the pixel size of the active one."""
        self._fill_chooser()
        state = self.session.active
        for widget in (self.chooser, self.size, self.about):
            widget.setVisible(state is not None)
        self.sample.setVisible(state is None)
        self._show_slices()
        if state is None:
            self.warning.setVisible(False)
            return
        micrograph = state.micrograph
        height, width = micrograph.image.shape
        self.about.setText(f"{width} x {height} px")
        self.size.blockSignals(True)
        self.size.setValue(micrograph.pixel_size or 0.0)
        self.size.blockSignals(False)
        warnings = list(micrograph.metadata.get("warnings", ()))
        if micrograph.pixel_size is None:
            warnings.append("The pixel size is unknown: sizes are in pixels until you type it in.")
        self.warning.setText(" ".join(dict.fromkeys(warnings)))
        self.warning.setVisible(bool(warnings))

    def _fill_chooser(self) -> None:
        """Offer each micrograph, and each stack once."""
        self.chooser.blockSignals(True)
        self.chooser.clear()
        taken: set[str] = set()
        for group in self.workbench.mirror.all_groups():
            state = self.session.micrographs.get(group.shown)
            if state is None:
                continue
            stack = self.workbench.stacks.of(group.shown)
            name = state.micrograph.name if stack is None else stack.reader.name
            # Files of two folders may be called alike: numbered, as in an export of both.
            name = next(n for n in _numbered(name) if n not in taken)
            taken.add(name)
            self.chooser.addItem(
                name if stack is None else f"{name}, {len(stack.reader)} slices", group.shown
            )
            row, path = self.chooser.count() - 1, state.micrograph.path
            self.chooser.setItemData(row, str(path or ""), Qt.ItemDataRole.ToolTipRole)
            if group.shown == self.session.active_key:
                self.chooser.setCurrentIndex(row)
        self.chooser.blockSignals(False)

    def _show_slices(self) -> None:
        """Say which slice of a stack is shown, and what is known of the others."""
        key, stacks = self.session.active_key, self.workbench.stacks
        stack = stacks.of(key)
        self.slices.setVisible(stack is not None)
        if stack is None or key is None:
            return
        states = stacks.states(stack).values()
        found = sum(state.labels is not None for state in states)
        by_hand = sum(bool(state.hand_labels) for state in states)
        here = ", ".join(str(i) for i in stack.index_of(key))
        last = ", ".join(str(n - 1) for n in stack.reader.leading)
        first = ", ".join("0" for _ in stack.reader.leading)
        self.slices.setText(
            f"<b>Slice {here}</b> (of {first} to {last}). Particles found in {found} of "
            f"{len(stack.reader)} slices, hand labels in {by_hand}."
        )

    def _choose(self, row: int) -> None:
        self.workbench.activate(self.chooser.itemData(row))

    def _set_size(self, value: float) -> None:
        if self.session.active_key is not None:
            self.workbench.set_pixel_size(value or None)

    def _open_library(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a particle library (folder)")
        if folder:
            self.workbench.open_library(folder)

    def _open_workflow(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a trained model (workflow folder)")
        if folder:
            self.workbench.open_workflow(folder)


def _numbered(name: str) -> Iterator[str]:
    """Give a name, then the name with numbers."""
    yield name
    yield from (f"{name} ({number})" for number in count(2))
