"""The test on held-back labels: its controls, what it says in words, and its confusion matrix."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QBrush
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSplitter,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_ssrvae.viewer.views._note import Note
from napari_ssrvae.viewer.views._table import ReadingTable, chip
from napari_ssrvae.viewer.views.color import Theme, ThemedWidget, blend, qcolor

RIGHT, WRONG = "#0072b2", "#d55e00"
"""Cells on the diagonal of a confusion matrix, and off it: told apart with any colour vision."""

OUTDATED = "#e69f00"

CLASS_HEADERS = (
    ("class", "Class given by hand"),
    ("labels", "Particles with this label"),
    ("tested", "Of these, how many were held back in their turn and asked for"),
    ("precision", "Of the particles that the model calls so, how many are labelled so"),
    ("recall", "Of the particles that are labelled so, how many the model finds"),
    ("95 %", "Where the recall lies with 95 % certainty (Wilson interval): wide with few labels"),
    ("F1", "Harmonic mean of precision and recall"),
)


@dataclass(frozen=True)
class NamedClass:
    """A class as views show it: its name, and its colour as "#rrggbb"."""

    name: str
    color: str


class HeldBackBar(ThemedWidget):
    """Starts and stops the test, and says how far it is or how old its result is.

    Attributes
    ----------
    test_clicked, stop_clicked : Signal()
        What was clicked.
    """

    test_clicked = Signal()
    stop_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.test = QPushButton("Test on held-back labels")
        self.test.setToolTip(
            "How well would the model do on particles whose label it has not seen? Labels are "
            "kept back in turn,\nthe model is trained without them and asked for them: up to three "
            "trainings,\nso it takes about three times as long as one. Your model is not changed."
        )
        self.test.clicked.connect(self.test_clicked)
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop the test; it says nothing before its last training has ended")
        self.stop.clicked.connect(self.stop_clicked)
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.progress.setToolTip("Epochs of each of the trainings")
        self.note = Note()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget, stretch in ((self.test, 0), (self.stop, 0), (self.progress, 1), (self.note, 1)):
            layout.addWidget(widget, stretch)
        self._outdated = False
        self._follow_theme()
        self.show_idle("", possible=False)

    def show_idle(self, note: str, *, possible: bool, outdated: bool = False) -> None:
        """Offer the test; `note` says of what its result is, or why it is outdated."""
        self.test.setEnabled(possible)
        self.test.show()
        self.stop.hide()
        self.progress.hide()
        self._outdated = outdated
        self.note.say(("⚠ " if outdated else "") + note)
        self.note.show()
        self._apply_theme(self.theme())

    def show_progress(self, done: float, text: str) -> None:
        """Show how far the test is: a share from 0 to 1, and in words."""
        self.test.hide()
        self.note.hide()
        self.stop.show()
        self.progress.show()
        self.progress.setRange(0, 1000)
        self.progress.setValue(round(1000 * done))
        self.progress.setFormat(text)

    def _apply_theme(self, theme: Theme) -> None:
        color = theme.muted
        if self._outdated:
            light = theme.background.lightnessF() > 0.5
            color = blend(qcolor(OUTDATED), theme.foreground, 0.45 if light else 0.0)
        self.note.setStyleSheet(f"color: {color.name()};")


class QualityPage(ThemedWidget):
    """What the test says in plain words, beside a table by class."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = QLabel()
        self.words.setTextFormat(Qt.TextFormat.RichText)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.setWordWrap(True)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.words.setToolTip("Measured on labels that the models had not seen")
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumWidth(160)
        scroll.setWidget(self.words)
        self.table = ReadingTable(CLASS_HEADERS)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(scroll)
        split.addWidget(self.table)
        split.setStretchFactor(0, 1)
        split.setSizes([190, 370])
        split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(split)

    def show_quality(
        self,
        sentences: Sequence[str],
        rows: Sequence[tuple[NamedClass, Sequence[str]]],
    ) -> None:
        """Show sentences, the first one as the most important, and a row for each class.

        Parameters
        ----------
        sentences : sequence of str
            Plain text.
        rows : sequence of (NamedClass, texts)
            Each with labels, tested, precision, recall, its interval and F1 as text.
        """
        first, *others = [html.escape(sentence) for sentence in sentences]
        self.words.setText("".join(f"<p>{part}</p>" for part in (f"<b>{first}</b>", *others)))
        self.table.setRowCount(len(rows))
        for number, (named, texts) in enumerate(rows):
            self.table.put_class(number, 0, named.name, named.color)
            for column, text in enumerate(texts, start=1):
                self.table.put(number, column, text, number=True)


class ConfusionPage(ThemedWidget):
    """The confusion matrix as a heat table.

    Attributes
    ----------
    cell_chosen : Signal(int, int)
        Position of the label's class and of the model's class, of a cell that was clicked or on
        which Enter was pressed.
    """

    cell_chosen = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: NDArray[np.int64] = np.zeros((0, 0), np.int64)
        self.caption = Note(
            "Rows: as labelled. Columns: as the model says. A click (or Enter) selects the "
            "particles of a cell."
        )
        self.table = ReadingTable()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectItems)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.verticalHeader().show()
        self.table.setToolTip("Particles by label and by what the model says of them")
        self.table.cellClicked.connect(self.cell_chosen)
        self.table.confirmed.connect(self.cell_chosen)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.caption)
        layout.addWidget(self.table, 1)
        self._follow_theme()

    def show_matrix(self, classes: Sequence[NamedClass], counts: ArrayLike) -> None:
        """Show counts, (k, k): a row for each label, a column for each class the model says."""
        self._counts = np.asarray(counts, np.int64)
        self.table.set_headers([(c.name, f"The model says {c.name}") for c in classes])
        self.table.setRowCount(len(classes))
        for place, c in enumerate(classes):
            header = QTableWidgetItem(chip(qcolor(c.color)), c.name)
            header.setToolTip(f"Labelled as {c.name}")
            self.table.setVerticalHeaderItem(place, header)
            self.table.horizontalHeaderItem(place).setIcon(chip(qcolor(c.color)))
        for (i, j), count in np.ndenumerate(self._counts):
            item = self.table.put(i, j, str(count))
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            what = "particle" if count == 1 else "particles"
            item.setToolTip(
                f"{count} {what} labelled {classes[i].name} that the model calls {classes[j].name}"
            )
        self._tint()

    def _tint(self) -> None:
        """Colour each cell by its share of the row."""
        theme = self.theme()
        shares = self._counts / np.maximum(self._counts.sum(axis=1, keepdims=True), 1)
        for (i, j), share in np.ndenumerate(shares):
            hue = qcolor(RIGHT if i == j else WRONG)
            color = blend(theme.background, hue, float(share) ** 0.5 * 0.85)
            item = self.table.item(i, j)
            item.setBackground(QBrush(color))
            light = color.lightnessF() > 0.5
            item.setForeground(qcolor("#101010" if light else "#ffffff"))

    def _apply_theme(self, theme: Theme) -> None:
        self.caption.setStyleSheet(f"color: {theme.muted.name()};")
        self._tint()
