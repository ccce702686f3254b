"""Step 6: new micrographs are classified as they are opened."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox, QFileDialog, QPushButton

from napari_ssrvae.viewer.panels.base import Panel, note


class LivePanel(Panel):
    """Arm the trained model for every image that is opened from now on."""

    title = "6  New micrographs"

    def build(self) -> None:
        """Make the controls."""
        self.armed = QCheckBox("Classify every image that I open")
        self.armed.setToolTip(
            "Each new image, and each slice of a stack that you step to, is segmented with the "
            "same recipe, classified and overlaid by itself"
        )
        self.armed.setChecked(self.workbench.armed)
        self.armed.toggled.connect(self.workbench.set_armed)
        self.body.addWidget(self.armed)
        self.save = QPushButton("Save model…")
        self.save.setToolTip(
            "Save everything needed to treat new micrographs alike: recipe, pixel size, classes, "
            "model"
        )
        self.save.clicked.connect(self._save)
        self.body.addWidget(self.save)
        self.state = note()
        self.body.addWidget(self.state)

    def makes_sense(self) -> bool:
        """Say whether there is a trained model."""
        return self.session.workflow is not None

    def refresh(self) -> None:
        """Show how many micrographs the counts span."""
        self.armed.setChecked(self.workbench.armed)
        done = {
            key: len(s.predictions)
            for key, s in self.session.micrographs.items()
            if s.predictions is not None
        }
        where = self.workbench.stacks.counted(done) if len(done) != 1 else "1 micrograph"
        self.state.setText(f"{sum(done.values()):,} particles classified in {where}.")

    def _save(self) -> None:
        folder, _ = QFileDialog.getSaveFileName(self, "Save the model as a folder", "workflow")
        if folder:
            self.workbench.save_workflow(folder)
