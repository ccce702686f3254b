"""The controls for painting strokes, below the method that asks for them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_ssrvae.viewer.panels.base import note
from napari_ssrvae.viewer.strokes import BACKGROUND, COLORS, KIND, NOTHING, PARTICLE

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench

FILES = "Pixel classifier (*.strokes)"
_BRUSHES = (
    (PARTICLE, "&Particle", "Paint where particles are: a few short strokes, not all of it"),
    (
        BACKGROUND,
        "&Background",
        "Paint where no particle is: support film, charging, dirt, gaps between particles",
    ),
    (NOTHING, "&Erase", "Take a stroke away that went wrong"),
)


class StrokesBox(QWidget):
    """Two brushes and an eraser, what they find, and files."""

    def __init__(self, workbench: Workbench) -> None:
        super().__init__()
        self.strokes, self.workbench = workbench.strokes, workbench
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.hint = note()
        column.addWidget(self.hint)
        column.addLayout(self._brushes())
        self.use = QPushButton("&Use as particles")
        self.use.setToolTip("Make what is outlined the particles of this micrograph; can be undone")
        self.use.clicked.connect(self.strokes.use)
        column.addWidget(self.use)
        column.addLayout(self._files())
        self.strokes.changed.connect(self.refresh)

    def _brushes(self) -> QVBoxLayout:
        self.brushes: dict[int, QPushButton] = {}
        group = QButtonGroup(self)
        row = QHBoxLayout()
        for value, text, tip in _BRUSHES:
            button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            if value in COLORS:
                button.setStyleSheet(
                    f"QPushButton:checked {{ border: 2px solid {COLORS[value]}; }}"
                )
            button.clicked.connect(partial(self._take, value))
            group.addButton(button)
            row.addWidget(button)
            self.brushes[value] = button
        self.size = QSpinBox()
        self.size.setRange(1, 60)
        self.size.setValue(6)
        self.size.setPrefix("brush ")
        self.size.setSuffix(" px")
        self.size.setAccessibleName("Width of the brush")
        self.size.setToolTip("Width of the brush, in pixels of the micrograph")
        self.size.valueChanged.connect(self.strokes.set_brush)
        self.clear = QPushButton("&Clear")
        self.clear.setToolTip("Take all strokes on this micrograph away and begin anew")
        self.clear.clicked.connect(self.strokes.clear)
        below = QHBoxLayout()
        below.addWidget(self.size, 2)
        below.addWidget(self.clear, 1)
        both = QVBoxLayout()
        both.addLayout(row)
        both.addLayout(below)
        return both

    def _files(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.save = QPushButton("Save…")
        self.save.setToolTip("Keep what the strokes taught, for other micrographs")
        self.save.clicked.connect(self._save)
        self.load = QPushButton("Load…")
        self.load.setToolTip(
            "Use a saved pixel classifier on this micrograph; new strokes are added to it"
        )
        self.load.clicked.connect(self._load)
        row.addWidget(self.save)
        row.addWidget(self.load)
        return row

    def refresh(self) -> None:
        """Show which brush is in hand, and what was found."""
        strokes, held = self.strokes, self.strokes.in_hand()
        for value, button in self.brushes.items():
            button.setChecked(value == held)
        if (group := self.brushes[PARTICLE].group()) is not None and held is None:
            group.setExclusive(False)
            for button in self.brushes.values():
                button.setChecked(False)
            group.setExclusive(True)
        self.use.setEnabled(strokes.found is not None)
        self.save.setEnabled(strokes.classifier is not None)
        self.hint.setText(self._said())

    def _said(self) -> str:
        images, here = self.strokes.counts()
        if self.workbench.jobs.running(KIND):
            return "Learning the strokes…"
        if self.strokes.found is not None:
            count = int(self.strokes.found.max(initial=0))
            plural = "particle" if count == 1 else "particles"
            if self.strokes.taken is self.strokes.found:
                return f"<b>{count}</b> {plural} taken. Paint on where they are wrong."
            joined = f", from strokes on {images} micrographs" if images > 1 else ""
            return f"<b>{count}</b> {plural} outlined{joined}. Paint on where it is wrong."
        if here:
            return "Now the other kind: it takes particle and background."
        return "Paint a few strokes on particles, then a few on background."

    def _take(self, value: int, *_: object) -> None:
        if self.strokes.layer is None:
            self.strokes.start()
        self.strokes.take_brush(value)
        self.strokes.set_brush(self.size.value())

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the pixel classifier", "particles.strokes", FILES
        )
        if path:
            self.strokes.save(path)

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load a pixel classifier", "", FILES)
        if path:
            self.strokes.load(path)
