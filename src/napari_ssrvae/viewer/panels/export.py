"""Step 7: the particle library, out of the session."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLineEdit, QPushButton

from napari_ssrvae.viewer.panels.base import Panel, note

FORMATS = {
    "library": "particle library (folder)",
    "csv": "table (CSV)",
    "folders": "one folder of images a class",
    "coco": "COCO annotations (JSON)",
}


class ExportPanel(Panel):
    """Write what the screen shows: every classified particle of every micrograph."""

    title = "7  Export"

    def build(self) -> None:
        """Make the controls."""
        self.format = QComboBox()
        self.format.setAccessibleName("Export as")
        for key, text in FORMATS.items():
            self.format.addItem(text, key)
        self.format.setToolTip(
            "A library can be opened again and trained on; the others are for other programs"
        )
        chosen = self.format.findData(self.workbench.settings.export_format)
        self.format.setCurrentIndex(max(chosen, 0))
        self.format.currentIndexChanged.connect(self._suggest)
        self.format.activated.connect(
            lambda _: self.workbench.remember("export_format", self.format.currentData())
        )
        self.body.addWidget(self.format)
        self.path = QLineEdit()
        self.path.setAccessibleName("Where to write")
        self.path.setToolTip("Where to write; an existing library there is replaced")
        self.browse = QPushButton("…")
        self.browse.setAccessibleName("Choose where to write")
        self.browse.setToolTip("Choose where to write")
        self.browse.setFixedWidth(30)
        self.browse.clicked.connect(self._browse)
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(self.browse)
        self.body.addLayout(row)
        self.export = QPushButton("Export")
        self.export.setToolTip("Write the classified particles of all micrographs")
        self.export.clicked.connect(self._export)
        self.body.addWidget(self.export)
        self.result = note()
        self.body.addWidget(self.result)
        self.workbench.exported.connect(self._on_exported)

    def makes_sense(self) -> bool:
        """Say whether there is anything to export."""
        return any(s.predictions is not None for s in self.session.micrographs.values())

    def refresh(self) -> None:
        """Suggest a place beside the micrograph, once."""
        if not self.path.text():
            self._suggest()
        self.export.setEnabled(not self.workbench.jobs.running("export"))

    def _suggest(self, *_: object) -> None:
        state = self.session.active
        if state is None:
            return
        beside = state.micrograph.path.parent if state.micrograph.path else Path.home()
        stack = self.workbench.stacks.of(self.session.active_key)
        stem = Path(state.micrograph.name if stack is None else stack.reader.name).stem
        names = {
            "library": f"{stem} library",
            "csv": f"{stem} particles.csv",
            "folders": f"{stem} classes",
            "coco": f"{stem} coco.json",
        }
        self.path.setText(str(beside / names[self.format.currentData()]))

    def _browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export to", self.path.text())
        if path:
            self.path.setText(path)

    def _export(self) -> None:
        self.result.setText("")
        self.workbench.export(self.path.text(), self.format.currentData())

    def _on_exported(self, path: str, particles: int) -> None:
        self.result.setText(f"{particles} particles written to {path}")
