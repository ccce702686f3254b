"""Step 1: which micrograph, and how large its pixels are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
)

from napari_ssrvae.imaging.facts import length_text
from napari_ssrvae.imaging.micrograph import MIN_SIDE, Micrograph
from napari_ssrvae.imaging.scale_bar import ScaleBar
from napari_ssrvae.imaging.typed_length import typed_length, typed_pixel_size
from napari_ssrvae.imaging.units import believable_pixel
from napari_ssrvae.viewer.panels.base import Panel, note
from napari_ssrvae.viewer.views.bar_form import BarForm
from napari_ssrvae.viewer.views.facts_table import FactsTable
from napari_ssrvae.viewer.views.length_edit import LengthEdit


class MicrographPanel(Panel):
    """Choose the micrograph to work on; see and correct its pixel size."""

    title = "1  Micrograph"
    _told: Micrograph | None = None  # what the table is about

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
        self.images = QComboBox()
        self.images.setAccessibleName("Image of the file")
        self.images.setToolTip(
            "This file holds several images, such as those of several detectors. Another one that "
            "you choose is a micrograph of its own; one with particles stays."
        )
        self.images.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.images.activated.connect(self._choose_image)
        self.body.addWidget(self.images)
        self._build_scale()
        self._build_info_bar()
        self.slices = note()
        self.slices.setToolTip(
            "The slice on the screen is the micrograph in work: step through the stack with the "
            "slider below the image. Labels and training span all slices."
        )
        self.body.addWidget(self.slices)
        self.warning = note()
        self.body.addWidget(self.warning)
        self.facts = FactsTable(
            "About this file", "What the file says of the microscope, and where the scale is from"
        )
        self.facts.open(self.workbench.settings.facts_open)
        self.facts.opened.connect(self._open_facts)
        self.body.addWidget(self.facts)
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

    def _build_scale(self) -> None:
        """Make what shows and sets the pixel size."""
        self.about = QLabel()
        self.size = LengthEdit(typed_pixel_size, length_text, "/px")
        self.size.setAccessibleName("Pixel size")
        self.size.setToolTip(
            "Edge length of one pixel, from the file; correct it if it is wrong: 10 nm, 0.01 µm, "
            "or px where it is unknown"
        )
        self.size.setMaximumWidth(120)
        self.size.entered.connect(self._set_size)
        self.size.refused.connect(self.workbench.refuse)
        row = QHBoxLayout()
        row.addWidget(self.about, 1)
        row.addWidget(self.size)
        self.body.addLayout(row)
        self.measure = QPushButton("Measure the scale bar…")
        self.measure.setCheckable(True)
        self.measure.setToolTip(
            "Draw a line along the scale bar that is burnt into the picture, and type its length. "
            "An info bar that is cut off is shown meanwhile."
        )
        self.measure.clicked.connect(self._measure)
        self.body.addWidget(self.measure)
        measuring = self.workbench.measuring
        self.bar = BarForm(typed_length, length_text, believable_pixel)
        self.bar.length.setText(self.workbench.settings.bar_length)
        self.bar.hide()
        self.bar.confirmed.connect(self._use_bar)
        self.bar.cancelled.connect(measuring.stop)
        measuring.changed.connect(self._show_measuring)
        measuring.measured.connect(self._show_bar)
        self.body.addWidget(self.bar)

    def _build_info_bar(self) -> None:
        """Make what shows, undoes and does the cut of the info bar."""
        self.cut = QSpinBox()
        self.cut.setAccessibleName("Rows of the info bar")
        self.cut.setPrefix("Info bar ")
        self.cut.setSuffix(" rows cut")
        self.cut.setSpecialValueText("Info bar not cut")
        self.cut.setKeyboardTracking(False)
        self.cut.setToolTip(
            "Rows at the foot of the picture that are the microscope's info bar, and no part of "
            "the micrograph. Particles and labels above stay whatever is cut."
        )
        self.cut.valueChanged.connect(self.workbench.info_bars.cut)
        self.keep = QPushButton("Cut it off")
        self.keep.setToolTip("Leave the info bar out of the micrograph, or bring it back")
        self.keep.clicked.connect(self._keep_or_cut)
        row = QHBoxLayout()
        row.addWidget(self.cut, 1)
        row.addWidget(self.keep)
        self.body.addLayout(row)
        self.workbench.info_bars.changed.connect(self._show_info_bar)

    def refresh(self) -> None:
        """Show the session's micrographs and the pixel size of the active one."""
        self._fill_chooser()
        self._fill_images()
        state = self.session.active
        for widget in (self.chooser, self.size, self.about, self.measure, self.facts):
            widget.setVisible(state is not None)
        self._show_info_bar()
        self.sample.setVisible(state is None)
        self._show_slices()
        if state is None:
            self.warning.setVisible(False)
            return
        micrograph = state.micrograph
        height, width = micrograph.image.shape
        self.about.setText(f"{width} x {height} px")
        self.size.show_length(micrograph.pixel_size)
        warnings = list(micrograph.metadata.get("warnings", ()))
        if micrograph.pixel_size is None:
            warnings.append(
                "The pixel size is unknown: sizes are in pixels until you type it in or measure "
                "the scale bar."
            )
        if (several := self._several_scales()) is not None:
            warnings.append(several)
        self.warning.setText(" ".join(dict.fromkeys(warnings)))
        self.warning.setVisible(bool(warnings))
        self._show_facts()

    def _several_scales(self) -> str | None:
        """Say which pixel sizes the session's micrographs have, None where they have one."""
        micrographs = [state.micrograph for state in self.session.micrographs.values()]
        counts = Counter(m.pixel_size and float(f"{m.pixel_size:.4g}") for m in micrographs)
        if len(counts) < 2:
            return None
        known = sorted((size, n) for size, n in counts.items() if size is not None)
        parts = [f"{length_text(size)}/px ({n})" for size, n in known]
        if counts[None]:
            parts.append(f"unknown ({counts[None]})")
        listed = f"{', '.join(parts[:-1])} and {parts[-1]}"
        return f"The micrographs of this session have several pixel sizes: {listed}."

    def _show_facts(self) -> None:
        """Fill the table while it is open: it asks every pixel of the picture."""
        state = self.session.active
        if state is None or not self.facts.fold.isChecked():
            return
        if self._told is not state.micrograph:
            from napari_ssrvae.imaging.facts import micrograph_facts

            self._told = state.micrograph
            self.facts.set_facts(micrograph_facts(state.micrograph))

    def _open_facts(self, opened: bool) -> None:
        self.workbench.remember("facts_open", opened)
        self._show_facts()

    def _show_info_bar(self) -> None:
        """Offer to bring a bar back that is cut off, and to cut off one that is there."""
        key, bars = self.session.active_key, self.workbench.info_bars
        state = self.session.active
        if key is None or state is None:
            self.cut.hide()
            self.keep.hide()
            return
        rows, seen = bars.rows_cut(key), bars.rows_seen(key)
        self.cut.show()
        self.cut.blockSignals(True)
        self.cut.setMaximum(state.micrograph.shape[0] + rows - MIN_SIDE)
        self.cut.setValue(rows)
        self.cut.blockSignals(False)
        self.keep.setVisible(bool(rows or seen))
        self.keep.setText("Keep all" if rows else "Cut it off")
        self.keep.setToolTip(
            "Nothing should have been cut off: show the whole picture again"
            if rows
            else f"The last {seen} rows look like an info bar: leave them out of the micrograph"
        )

    def _keep_or_cut(self) -> None:
        key, bars = self.session.active_key, self.workbench.info_bars
        if key is not None:
            bars.cut(0 if bars.rows_cut(key) else bars.rows_seen(key))

    # -- the scale bar ---------------------------------------------------------------------
    def _measure(self, wanted: bool) -> None:
        measuring = self.workbench.measuring
        measuring.start() if wanted else measuring.stop()
        self._show_measuring()

    def _show_measuring(self) -> None:
        measuring = self.workbench.measuring
        self.measure.setChecked(measuring.active)
        begins = measuring.active and not self.bar.isVisible()
        self.bar.setVisible(measuring.active)
        if begins or measuring.shows_info_bar:
            self.bar.ask(
                "The info bar is shown while you measure." if measuring.shows_info_bar else ""
            )

    def _show_bar(self, bar: ScaleBar) -> None:
        self.bar.measured(bar.length, bar.found)

    def _use_bar(self, pixel_size: float, length: str) -> None:
        self.workbench.remember("bar_length", length)
        self.workbench.measuring.confirm(pixel_size)

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

    def _fill_images(self) -> None:
        """Offer the images of the file, if it holds several beside each other."""
        images = self.workbench.file_images
        offered = images.offered()
        self.images.setVisible(bool(offered))
        self.images.clear()
        for page, name in offered:
            self.images.addItem(name, page)
        self.images.setCurrentIndex(self.images.findData(images.page()))

    def _choose_image(self, row: int) -> None:
        self.workbench.file_images.open(self.images.itemData(row))
        self._fill_images()  # until the other one is there

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

    def _set_size(self, value: float | None) -> None:
        if self.session.active_key is not None:
            self.workbench.set_pixel_size(value)

    def _open_library(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a particle library (folder)")
        if folder:
            self.workbench.files.open_library(folder)

    def _open_workflow(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a trained model (workflow folder)")
        if folder:
            self.workbench.files.open_model(folder)


def _numbered(name: str) -> Iterator[str]:
    """Give a name, then the name with numbers."""
    yield name
    yield from (f"{name} ({number})" for number in count(2))
