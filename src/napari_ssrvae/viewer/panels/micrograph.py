"""Step 1: which micrograph, and how large its pixels are."""

from __future__ import annotations

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
        self.chooser.setToolTip("The micrograph to work on; the others are hidden meanwhile")
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
        self.warning = note()
        self.body.addWidget(self.warning)
        self.sample = QPushButton("Simulated sample")
        self.sample.setToolTip("Open a simulated micrograph of agglomerates of 1-4 spheres")
        self.sample.clicked.connect(self.workbench.open_sample)
        self.slice = QPushButton("Use the slice on screen")
        self.slice.setToolTip("Copy the slice of the stack that is on the screen as a micrograph")
        self.slice.clicked.connect(self.workbench.use_slice)
        self.library = QPushButton("Open library…")
        self.library.setToolTip("Open a particle library that was saved earlier")
        self.library.clicked.connect(self._open_library)
        self.workflow = QPushButton("Open model…")
        self.workflow.setToolTip("Open a trained model (workflow folder) to classify micrographs")
        self.workflow.clicked.connect(self._open_workflow)
        self.body.addWidget(self.slice)
        self.body.addWidget(self.sample)
        row = QHBoxLayout()
        row.addWidget(self.library)
        row.addWidget(self.workflow)
        self.body.addLayout(row)

    def refresh(self) -> None:
        """Show the session's micrographs and the pixel size of the active one."""
        keys = list(self.session.micrographs)
        self.chooser.blockSignals(True)
        self.chooser.clear()
        for key in keys:
            self.chooser.addItem(self.session.micrographs[key].micrograph.name, key)
        if self.session.active_key is not None:
            self.chooser.setCurrentIndex(keys.index(self.session.active_key))
        self.chooser.blockSignals(False)
        state = self.session.active
        for widget in (self.chooser, self.size, self.about):
            widget.setVisible(state is not None)
        self.sample.setVisible(state is None)
        self.slice.setVisible(self.workbench.stack_on_screen() is not None)
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
