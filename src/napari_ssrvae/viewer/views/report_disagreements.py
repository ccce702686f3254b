"""Particles that their label and the model call differently: a list to work through."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QItemSelectionModel, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_ssrvae.viewer.views._note import Note
from napari_ssrvae.viewer.views._pictures import as_qimage
from napari_ssrvae.viewer.views._table import ReadingTable
from napari_ssrvae.viewer.views.color import Theme, ThemedWidget

PICTURE = 34
HEADERS = (
    ("particle", "Click to see it in the micrograph"),
    ("labelled", "Class that you gave it"),
    ("the model says", "Class that a model gives it that had not seen the label"),
    ("how sure", "Probability that the model gives to its class; the surest are on top"),
    ("micrograph", "Where the particle is"),
)
MICROGRAPH = 4


@dataclass(frozen=True)
class DisagreementRow:
    """One particle of the list.

    Attributes
    ----------
    ident : hashable
        What the owner knows it by.
    particle : str
        Its number.
    label, label_color, model, model_color : str
        The two classes: names, and colours as "#rrggbb".
    sure : str
        Probability of the model's class.
    micrograph : str
        Name of the micrograph.
    """

    ident: Hashable
    particle: str
    label: str
    label_color: str
    model: str
    model_color: str
    sure: str
    micrograph: str = ""


class DisagreementsPage(ThemedWidget):
    """A list of disagreements, one row a particle; Enter takes the model's class.

    Attributes
    ----------
    chosen : Signal(object)
        `ident` of the row that was clicked, or that the arrow keys went to.
    taken : Signal(object)
        List of the `ident` of rows whose particles get the model's class.
    """

    chosen = Signal(object)
    taken = Signal(object)

    NONE_TEXT = "Label and model agree on every particle that was tested."
    NONE_LEFT_TEXT = (
        "None is left of those that the test found: their labels, or the particles themselves, "
        "have changed. Test again."
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[DisagreementRow] = []
        self._goes_on = False
        self.caption = Note()
        self.take = QPushButton("Take the model's class")
        self.take.setToolTip(
            "The model is right and the label was a slip: give the chosen particles the class that "
            "the model says (Enter). Undo takes it back."
        )
        self.take.clicked.connect(self._on_take)
        self.table = ReadingTable(HEADERS)
        self.table.setIconSize(QSize(PICTURE, PICTURE))
        self.table.verticalHeader().setDefaultSectionSize(PICTURE + 4)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.cellClicked.connect(self._on_chosen)
        self.table.moved.connect(self._on_chosen)
        self.table.confirmed.connect(self._on_take)
        self.table.itemSelectionChanged.connect(self._on_selection)
        top = QHBoxLayout()
        top.addWidget(self.take)
        top.addWidget(self.caption, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        self._follow_theme()
        self.set_rows([], np.empty((0, 1, 1), np.uint8))

    def set_rows(
        self,
        rows: Sequence[DisagreementRow],
        pictures: NDArray[np.uint8],
        *,
        empty_text: str = NONE_TEXT,
    ) -> None:
        """List these particles; what was chosen stays chosen where it is still there.

        After the model's class was taken, the row that follows is chosen: one Enter after the
        other goes through the list.

        Parameters
        ----------
        rows : sequence of DisagreementRow
            The model's surest first.
        pictures : (n, s, s) uint8
            Of the particles.
        empty_text : str
            What is said where there are none.
        """
        current, place = self._current(), self.table.currentRow()
        chosen = {self._rows[number].ident for number in self._chosen_numbers()}
        scrolled = self.table.verticalScrollBar().value()
        self._rows = list(rows)
        table = self.table
        table.blockSignals(True)
        table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            item = table.put(number, 0, row.particle)
            item.setIcon(_icon(pictures[number]))
            table.put_class(number, 1, row.label, row.label_color)
            table.put_class(number, 2, row.model, row.model_color)
            table.put(number, 3, row.sure, number=True)
            table.put(number, MICROGRAPH, row.micrograph)
        table.setColumnHidden(MICROGRAPH, len({row.micrograph for row in rows}) < 2)
        self._choose_again(chosen, current)
        table.verticalScrollBar().setValue(scrolled)
        table.blockSignals(False)
        self.caption.say(
            "Label or model is wrong: click a row to see the particle. The model's surest are on "
            "top."
            if rows
            else empty_text
        )
        gone = current is not None and self._current() is None
        if gone and self._goes_on and rows:
            table.selectRow(min(place, len(rows) - 1))
            self._on_chosen(table.currentRow())
        self._goes_on = False
        self._on_selection()

    def _choose_again(self, chosen: set[Hashable], current: Hashable | None) -> None:
        """Choose those rows of the new list that were chosen before, and go to the current one."""
        model: QItemSelectionModel = self.table.selectionModel()
        model.clear()
        flags = QItemSelectionModel.SelectionFlag
        for number, row in enumerate(self._rows):
            index = self.table.model().index(number, 0)
            if row.ident in chosen:
                model.select(index, flags.Select | flags.Rows)
            if row.ident == current:
                model.setCurrentIndex(index, flags.NoUpdate)

    def mark(self, ident: Hashable | None) -> None:
        """Choose the row of a particle, or none, without saying so.

        Where several rows are chosen and this is one of them, they stay chosen.
        """
        numbers = [i for i, row in enumerate(self._rows) if row.ident == ident]
        if numbers and numbers[0] in self._chosen_numbers():
            return
        self.table.blockSignals(True)
        if numbers:
            self.table.selectRow(numbers[0])
        else:
            self.table.clearSelection()
        self.table.blockSignals(False)
        self._on_selection()

    def idents(self) -> list[Hashable]:
        """Return what is listed, top to bottom."""
        return [row.ident for row in self._rows]

    def _current(self) -> Any:
        number = self.table.currentRow()
        return self._rows[number].ident if 0 <= number < len(self._rows) else None

    def _chosen_numbers(self) -> list[int]:
        model: QItemSelectionModel = self.table.selectionModel()
        return sorted(index.row() for index in model.selectedRows())

    def _on_selection(self) -> None:
        self.take.setEnabled(bool(self._chosen_numbers()))

    def _on_chosen(self, row: int, _column: int = 0) -> None:
        self.chosen.emit(self._rows[row].ident)

    def _on_take(self, *_: object) -> None:
        if chosen := self._chosen_numbers():
            self._goes_on = True
            self.taken.emit([self._rows[number].ident for number in chosen])

    def _apply_theme(self, theme: Theme) -> None:
        self.caption.setStyleSheet(f"color: {theme.muted.name()};")


def _icon(picture: NDArray[np.uint8]) -> QIcon:
    smooth = Qt.TransformationMode.SmoothTransformation
    kept = Qt.AspectRatioMode.KeepAspectRatio
    return QIcon(QPixmap.fromImage(as_qimage(picture)).scaled(PICTURE, PICTURE, kept, smooth))
