"""Step 5: see the result on the micrograph."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QFormLayout, QPushButton

from napari_ssrvae.viewer.panels.base import Panel, note


class ResultPanel(Panel):
    """Choose what the overlay shows, and open the views."""

    title = "5  Result"

    def build(self) -> None:
        """Make the controls."""
        self.mode = QComboBox()
        self.mode.addItem("predicted class", "class")
        self.mode.addItem("confidence", "confidence")
        self.mode.setCurrentIndex(max(self.mode.findData(self.workbench.settings.overlay), 0))
        self.mode.setToolTip("Colour each particle by its class, or by how sure the model is")
        self.mode.activated.connect(self._set_mode)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Colour by", self.mode)
        self.body.addLayout(form)
        self.views = QPushButton("Plot, gallery, class images, report")
        self.views.setToolTip("Show the views below the micrograph")
        self.views.clicked.connect(lambda: self.workbench.views_wanted.emit(""))
        self.body.addWidget(self.views)
        self.classify = QPushButton("Classify these particles")
        self.classify.setToolTip("Classify the particles of this micrograph with the trained model")
        self.classify.clicked.connect(self.workbench.classifying.active)
        self.body.addWidget(self.classify)
        self.classify_all = QPushButton("Classify all")
        self.classify_all.setToolTip(
            "Classify the particles of every micrograph and slice that the trained model has not "
            "classified yet"
        )
        self.classify_all.clicked.connect(self.workbench.classifying.all)
        self.body.addWidget(self.classify_all)
        self.summary = note()
        self.body.addWidget(self.summary)

    def makes_sense(self) -> bool:
        """Say whether there are predictions, or a model that could make them."""
        return self.session.workflow is not None or any(
            s.predictions is not None for s in self.session.micrographs.values()
        )

    def refresh(self) -> None:
        """Show how many particles are classified and how sure the model is."""
        state = self.session.active
        todo = state is not None and state.particle_ids.size > 0 and state.predictions is None
        self.classify.setVisible(bool(todo and self.session.workflow is not None))
        waiting = [
            key
            for key, s in self.session.micrographs.items()
            if s.particle_ids.size and s.predictions is None
        ]
        self.classify_all.setVisible(len(waiting) > 1 and self.session.workflow is not None)
        where = self.workbench.stacks.counted(waiting)
        self.classify_all.setText(f"Classify all {where} that wait")
        for button in (self.classify, self.classify_all):
            button.setEnabled(not self.workbench.jobs.running("classify"))
        if state is None or state.predictions is None or not len(state.predictions):
            self.summary.setText("")
            return
        sure = state.predictions.confidence
        unsure = int((sure < 0.7).sum())
        text = f"{len(sure)} classified in {state.micrograph.name}"
        text += f", {unsure} with a confidence below 0.7." if unsure else ", all above 0.7 sure."
        self.summary.setText(text)

    def _set_mode(self, row: int) -> None:
        self.workbench.mirror.set_overlay_mode(self.mode.itemData(row))
        self.workbench.remember("overlay", self.mode.itemData(row))
