"""Step 2: find the particles, or take a label image that was made elsewhere."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSlider,
    QSpinBox,
)

from napari_ssrvae.imaging import METHODS, SegmentationSettings
from napari_ssrvae.viewer.panels.base import Panel, note
from napari_ssrvae.viewer.panels.filter_box import FilterBox
from napari_ssrvae.viewer.panels.strokes_box import StrokesBox
from napari_ssrvae.viewer.stack_work import KIND

if TYPE_CHECKING:
    from napari_ssrvae.library.micrograph_state import MicrographState

FIND_AGAIN_MS = 350
# Who presses the button so soon after finding began by itself wants to find, not to stop.
NO_STOP_S = 1.0
PAINT = "paint strokes"
PERCENT = 100


class ParticlesPanel(Panel):
    """The recipe of the segmentation, with a live count."""

    title = "2  Particles"
    _changed_at: Any = None  # particles beside which settings were changed, without finding anew
    _began_at = 0.0  # when finding began by itself

    def build(self) -> None:
        """Make the controls."""
        settings = self.workbench.settings
        self.method = QComboBox()
        self.method.addItems([*METHODS, PAINT])
        self.method.setCurrentText(settings.segmentation.method)
        self.method.setToolTip(
            "How particles are told from the background; auto tries several, and with paint "
            "strokes you show a few of them"
        )
        self.polarity = QComboBox()
        self.polarity.addItems(["auto", "bright", "dark"])
        self.polarity.setCurrentText(settings.segmentation.polarity)
        self.polarity.setToolTip("Are the particles brighter or darker than the background?")
        self.smoothing = QDoubleSpinBox()
        self.smoothing.setRange(0, 20)
        self.smoothing.setSingleStep(0.5)
        self.smoothing.setSuffix(" px")
        self.smoothing.setValue(settings.segmentation.smoothing)
        self.smoothing.setToolTip("Sigma of the Gaussian that takes out noise before the threshold")
        self.min_area = QSpinBox()
        self.min_area.setRange(0, 1_000_000)
        self.min_area.setSpecialValueText("auto")
        self.min_area.setSuffix(" px²")
        self.min_area.setValue(round(settings.segmentation.min_area or 0))
        self.min_area.setToolTip("Smaller objects are left out; auto judges by the picture")
        splitting = self._splitting(settings.segmentation)
        self.border = QCheckBox("Leave out particles on the border")
        self.border.setChecked(settings.segmentation.exclude_border)
        self.border.setToolTip("Cut particles have the wrong shape and size")
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Method", self.method)
        form.addRow("Particles are", self.polarity)
        form.addRow("Smoothing", self.smoothing)
        form.addRow("Minimum size", self.min_area)
        self.body.addLayout(form)
        self.body.addLayout(splitting)
        self.body.addWidget(self.border)
        self.strokes = StrokesBox(self.workbench)
        self.strokes.setVisible(False)
        self.body.addWidget(self.strokes)
        self.find = QPushButton()
        self._show_busy(False)
        self.find.clicked.connect(self._find_or_stop)
        self.body.addWidget(self.find)
        self._build_all_slices()
        self._build_elsewhere()
        self.filters = FilterBox(self.workbench)
        self.body.addWidget(self.filters)
        self.body.addLayout(self._corrections())
        self._watch_settings()

    def _splitting(self, settings: SegmentationSettings) -> QHBoxLayout:
        """Return the row that says whether touching particles are split, and how readily."""
        self.split = QCheckBox("Split touching particles")
        self.split.setChecked(settings.split_touching)
        self.split.setToolTip("Off: a clump of touching particles is one object, to be classified")
        self.strength = QSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(0, PERCENT)
        self.strength.setPageStep(10)
        self.strength.setValue(round(PERCENT * settings.split_strength))
        self.strength.setAccessibleName("How readily touching particles are split")
        self.strength.setToolTip(
            "How readily: to the left only at narrow necks, to the right at slight ones too"
        )
        self.strength.setEnabled(self.split.isChecked())
        self.split.toggled.connect(self.strength.setEnabled)
        row = QHBoxLayout()
        row.addWidget(self.split)
        row.addWidget(self.strength, 1)
        return row

    def _watch_settings(self) -> None:
        # A changed setting finds again by itself once the person pauses: the count is live.
        self.again = QTimer(self, singleShot=True, interval=FIND_AGAIN_MS)
        self.again.timeout.connect(self._find_again)
        for changed in (
            self.method.currentTextChanged,
            self.polarity.currentTextChanged,
            self.smoothing.valueChanged,
            self.min_area.valueChanged,
            self.split.toggled,
            self.strength.valueChanged,
            self.border.toggled,
        ):
            changed.connect(self._settings_changed)

    def _build_elsewhere(self) -> None:
        self.elsewhere = QComboBox()
        self.elsewhere.setAccessibleName("Labels layer to use as particles")
        self.elsewhere.setToolTip("Use a Labels layer made elsewhere (Cellpose, SAM, by hand)")
        self.elsewhere.activated.connect(self._use_layer)
        self.body.addWidget(self.elsewhere)
        self.count = note()
        self.body.addWidget(self.count)

    def _build_all_slices(self) -> None:
        """Make the controls that only a stack has."""
        self.find_all = QPushButton("Find in all slices")
        self.find_all.setToolTip(
            "Segment every slice of the stack with these settings, in the background; slices whose "
            "particles you painted, or took from a Labels layer, stay as they are"
        )
        self.find_all.clicked.connect(self._find_in_all)
        self.body.addWidget(self.find_all)
        self.progress = QProgressBar()
        self.progress.setFormat("slice %v of %m")
        self.progress.setToolTip("Slices of the stack that are done")
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("End after this slice; the particles found so far stay")
        self.stop.clicked.connect(self.workbench.stack_work.stop)
        row = QHBoxLayout()
        row.addWidget(self.progress, 2)
        row.addWidget(self.stop, 1)
        self.body.addLayout(row)
        self.workbench.stack_work.progress.connect(self._show_progress)

    def _corrections(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.merge = self._button(
            "Merge", "Make one particle of those selected (M); Shift + click selects", "merge"
        )
        self.divide = self._button(
            "Split",
            "Take what is selected apart at its necks (S). With Ctrl + drag, draw a line through a "
            "particle to cut it there",
            "split",
        )
        self.delete = self._button("Delete", "Delete the selected particles (Delete)", "delete")
        for button in (self.merge, self.divide, self.delete):
            row.addWidget(button)
        return row

    def _button(self, text: str, tip: str, what: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip + ".")
        button.clicked.connect(partial(self._correct, what))
        return button

    def _correct(self, what: str, *_: object) -> None:
        picker = self.workbench.picker
        picker.mean_selection()  # the mouse is on the button, not on a particle
        getattr(picker, f"ask_{what}")()

    def settings(self) -> SegmentationSettings:
        """Return the recipe that the controls show."""
        method = self.method.currentText()
        return SegmentationSettings(
            method=self.workbench.settings.segmentation.method if method == PAINT else method,
            smoothing=self.smoothing.value(),
            min_area=float(self.min_area.value()) or None,
            split_touching=self.split.isChecked(),
            exclude_border=self.border.isChecked(),
            polarity=self.polarity.currentText(),
            split_strength=self.strength.value() / PERCENT,
        )

    def makes_sense(self) -> bool:
        """Say whether there is a micrograph."""
        return self.session.active is not None

    def refresh(self) -> None:
        """Show the count and the Labels layers that could be used instead."""
        layers = self.workbench.adoption.labels_layers()
        self.elsewhere.clear()
        self.elsewhere.addItem("… or use a Labels layer")
        for layer in layers:
            self.elsewhere.addItem(layer.name)
        self.elsewhere.setVisible(bool(layers))
        busy = self.workbench.finding.busy
        self._show_busy(busy)
        state = self.session.active
        self.filters.setVisible(state is not None and bool(state.particle_ids.size))
        self.strokes.refresh()
        self._refresh_all_slices()
        if busy:
            self.count.setText("Looking for particles…")
        else:
            self.count.setText("" if state is None else self._said(state))
        selection = self.session.selection
        here = selection.of_micrograph(self.session.active_key) if selection else frozenset()
        self.merge.setEnabled(len(here) > 1)
        self.divide.setEnabled(bool(here))
        self.delete.setEnabled(bool(selection))

    def _said(self, state: MicrographState) -> str:
        """Say how many particles there are, what was done with them, and what Find would do."""
        if state.labels is None:
            return ""
        left_out = self.workbench.finding.left_out(self.session.active_key)
        if not state.particle_ids.size:
            text = "No particles found: try another method or a smaller minimum size."
            if left_out or self.border.isChecked():
                text += f" Or keep {f'the {left_out}' if left_out else 'those'} on the border."
            return text + self._pending(state)
        text = self._counted(state.particle_ids.size)
        if state.corrected:
            text += ", filtered" if state.filtered else ", corrected by hand"
        elif left_out:
            text += f"; {left_out} on the border left out"
        return text + self._pending(state)

    def _pending(self, state: MicrographState) -> str:
        """Say that settings were changed which these particles do not follow."""
        if state.labels is not self._changed_at or state.recipe == self.settings():
            return ""
        if not state.by_hand:
            return ". They follow the settings before; <b>Find particles</b> applies the new ones."
        goes = "it replaces these particles"
        if state.corrected:
            goes = "what was filtered out comes back" if state.filtered else "corrections go"
        return f". <b>Find particles</b> applies the changed settings; {goes}."

    def _counted(self, here: int) -> str:
        """Return how many particles there are, here and in all micrographs."""
        sizes = {k: s.particle_ids.size for k, s in self.session.micrographs.items()}
        found = {key: size for key, size in sizes.items() if size}
        plural = "particle" if here == 1 else "particles"
        if len(found) < 2:
            return f"<b>{here}</b> {plural}"
        where = self.workbench.stacks.counted(found)
        return f"<b>{here}</b> {plural} here, {sum(found.values()):,} in {where}"

    def _refresh_all_slices(self) -> None:
        stack = self.workbench.stacks.of(self.session.active_key)
        busy = self.workbench.jobs.running(KIND)
        self.find_all.setVisible(stack is not None)
        self.find_all.setEnabled(not busy)
        if stack is not None:
            self.find_all.setText(f"Find in all {len(stack.reader)} slices")
        self.progress.setVisible(busy)
        self.stop.setVisible(busy)

    def _show_progress(self, done: int, total: int) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)

    def _find_in_all(self) -> None:
        self.workbench.stack_work.find_in_all(self.settings())

    def _settings_changed(self, *_: object) -> None:
        self.workbench.remember("segmentation", self.settings())
        painting = self.method.currentText() == PAINT
        if painting == self.strokes.isHidden():
            self._paint(painting)
        elif painting:
            self.workbench.strokes.learn()
        if not painting and self._is_live():
            self.again.start()
        elif not painting and self.session.active is not None:
            self._changed_at = self.session.active.labels
            self.refresh()

    def _paint(self, painting: bool) -> None:
        """Show what painting strokes needs, or what the other methods need."""
        self.strokes.setVisible(painting)
        self.find.setVisible(not painting)
        self.polarity.setEnabled(not painting)  # the strokes say that
        if painting:
            self.workbench.strokes.start()
        else:
            self.workbench.strokes.stop()

    def _is_live(self) -> bool:
        """Say whether particles are found again by themselves: none that are by hand."""
        state = self.session.active
        return state is not None and state.recipe is not None and not state.by_hand

    def _find_again(self) -> None:
        # Another micrograph may be active by now.
        if self._is_live() and self.isVisible():
            self._find()
            self._began_at = time.monotonic()

    def _show_busy(self, busy: bool) -> None:
        self.find.setText("Stop" if busy else "Find particles")
        self.find.setToolTip(
            "Look no further; the particles stay as they were"
            if busy
            else "Segment the micrograph with these settings"
        )

    def _find_or_stop(self) -> None:
        if not self.workbench.finding.busy:
            self._find()
        elif time.monotonic() - self._began_at > NO_STOP_S:
            state = self.session.active
            self._changed_at = None if state is None else state.labels
            self.workbench.finding.stop()

    def _find(self) -> None:
        self.again.stop()
        self.workbench.find_particles(self.settings())

    def _use_layer(self, row: int) -> None:
        if row > 0:
            self.workbench.use_labels_layer(self.elsewhere.itemText(row))
        self.elsewhere.setCurrentIndex(0)
