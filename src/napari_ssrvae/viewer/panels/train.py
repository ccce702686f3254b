"""Step 4: train, in the background, with a Stop that keeps the best model so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QProgressBar, QPushButton

from napari_ssrvae.library.alike import common_pixel_size
from napari_ssrvae.viewer.guide import advice_for_training, missing_for_training
from napari_ssrvae.viewer.panels.base import Panel, note
from napari_ssrvae.viewer.patch_sizes import extents_of, fitted, in_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_ssrvae.library.micrograph_state import LabelImage
    from napari_ssrvae.viewer.views import TrainingCurve


class TrainPanel(Panel):
    """Start and stop the training; watch it."""

    title = "4  Train"

    def build(self) -> None:
        """Make the controls."""
        self.train = QPushButton("Train")
        self.train.setToolTip("Train on the labelled and unlabelled particles of all micrographs")
        self.train.clicked.connect(self.workbench.train)
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop now and use the best model so far")
        self.stop.clicked.connect(self.workbench.stop_training)
        row = QHBoxLayout()
        row.addWidget(self.train, 2)
        row.addWidget(self.stop, 1)
        self.body.addLayout(row)
        self.by_itself = QCheckBox("Learn new labels by itself")
        self.by_itself.setToolTip(
            "A moment after the last new label, the training goes on from the model that there is, "
            "and the classes on the screen follow. 'Train again' begins anew."
        )
        self.by_itself.setChecked(self.workbench.settings.retrain)
        self.by_itself.clicked.connect(self._remember_by_itself)
        self.by_itself.toggled.connect(self.workbench.retraining.set_on)
        self.workbench.retraining.changed.connect(self.refresh)
        self.body.addWidget(self.by_itself)
        self.patches = QComboBox()
        self.patches.setAccessibleName("Size of the particles")
        self.patches.addItem("counts", True)
        self.patches.addItem("does not count", False)
        self.patches.setToolTip(
            "counts: the model sees all particles at one scale, in nm where the pixel sizes are "
            "known, so it can tell large from small.\n"
            "does not count: each particle fills its picture, so only its shape and greys tell its "
            "class.\nIt is used when you train anew."
        )
        self.patches.setCurrentIndex(self.patches.findData(self.workbench.settings.common_scale))
        self.patches.activated.connect(self._choose_patches)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Size", self.patches)
        self.body.addLayout(form)
        self.fine = QCheckBox("Show the model small particles larger")
        self.fine.setToolTip(
            "Where clumps make single particles small in the model's pictures, those get as many "
            "pixels as single ones need to show their shape (up to 96 instead of 48). Training "
            "takes up to four times as long. It is used when you train anew."
        )
        self.fine.setChecked(self.workbench.settings.fine_patches)
        self.fine.clicked.connect(self._choose_fine)
        self.body.addWidget(self.fine)
        self.patch_note = note()
        self.patch_note.setToolTip(
            "The model sees each particle as a square picture, a patch: its pixels, and how much "
            "one of them shows. What is smaller than a few of them across has no shape there."
        )
        self._measured: LabelImage | None = None  # whose extents these are, or will be
        self._extents: NDArray[np.float64] | None = None
        self.body.addWidget(self.patch_note)
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.body.addWidget(self.progress)
        self.curve: TrainingCurve | None = None
        self.remark = note()
        self.body.addWidget(self.remark)
        self.workbench.training_started.connect(self._on_started)
        self.workbench.epoch.connect(self._on_epoch)

    def makes_sense(self) -> bool:
        """Say whether anything was labelled, or trained before."""
        return bool(self.session.hand_counts()) or self.session.workflow is not None

    def refresh(self) -> None:
        """Show what is missing, or what is going on."""
        self._show_patches()
        busy = self.workbench.jobs.running("train")
        missing = missing_for_training(self.session)
        self.train.setEnabled(not busy and missing is None)
        self.train.setText("Train again" if self.session.workflow is not None else "Train")
        retraining = self.workbench.retraining
        self.by_itself.setVisible(self.session.workflow is not None)
        self.by_itself.setChecked(self.workbench.settings.retrain)
        self.stop.setEnabled(busy)
        self.stop.setVisible(busy)
        self.progress.setVisible(busy)
        if busy:
            self.remark.setText("You can go on labelling meanwhile.")
        else:
            obstacle = retraining.obstacle() if self.by_itself.isChecked() else None
            advice = obstacle or advice_for_training(self.session)
            self.remark.setText(
                missing or " ".join(x for x in (self._other_patches(), advice) if x)
            )
        self.remark.setVisible(bool(self.remark.text()))

    def _show_patches(self) -> None:
        """Say what patches a training would have, and what those of the model are."""
        frozen = self.workbench.frozen_micrographs()
        parts = []
        if frozen:
            labels = frozen[0].labels
            if self._measured is not labels:
                self._measured, self._extents = labels, None
                self.workbench.jobs.start(
                    "patch sizes", extents_of, labels, title=None, on_done=self._on_extents
                )
            if self._extents is not None:
                settings = self.workbench.settings
                patches = fitted(settings.patches, self._extents, finely=settings.fine_patches)
                known = common_pixel_size(m.micrograph.pixel_size for m in frozen)
                size = frozen[0].micrograph.pixel_size or known
                parts.append(f"Patches: {in_words(patches, size)}")
        if (workflow := self.session.workflow) is not None:
            now = in_words(workflow.patches, workflow.pixel_size)
            if not any(part.endswith(now) for part in parts):
                parts.append(f"the present model has {now}")
        self.patch_note.setText("; ".join(parts))
        self.patch_note.setVisible(bool(parts))

    def _on_extents(self, extents: NDArray[np.float64]) -> None:
        self._extents = extents if len(extents) else None
        self.refresh()

    def _choose_patches(self, row: int) -> None:
        self.workbench.remember("common_scale", self.patches.itemData(row))
        self.refresh()

    def _choose_fine(self, on: bool) -> None:
        self.workbench.remember("fine_patches", on)
        self.refresh()

    def _other_patches(self) -> str:
        """Say that the model was trained with the other choice of patches, if it was."""
        workflow = self.session.workflow
        wanted = self.workbench.settings.common_scale
        if workflow is None or workflow.patches.common_scale == wanted:
            return ""
        now = "does not count" if wanted else "counts"
        return f"For the present model the size {now}: train again to change that."

    def _remember_by_itself(self) -> None:
        # `set_on` has changed the setting by now, also where a failure switched it off: only what
        # the person clicks is kept.
        self.workbench.settings_changed.emit("retrain")

    def _on_started(self) -> None:
        if self.curve is not None:
            self.curve.clear()
        self.progress.setRange(0, 1)
        self.progress.setValue(0)
        self.progress.setFormat("preparing")

    def _on_epoch(self, state: Any) -> None:
        self.progress.setRange(0, state.n_epochs)
        self.progress.setValue(state.epoch)
        self.progress.setFormat(f"%v of %m · {state.seconds:.0f} s")
        # The total loss jumps when the ELBO joins in; this one falls from start to end.
        self._curve().append(state.epoch, state.classification_loss, state.labelled_accuracy)

    def _curve(self) -> TrainingCurve:
        """Return the curve, made when it is first needed: pyqtgraph is slow to load."""
        if self.curve is None:
            from napari_ssrvae.viewer.views import TrainingCurve

            self.curve = TrainingCurve()
            self.body.insertWidget(self.body.indexOf(self.progress) + 1, self.curve)
        return self.curve
