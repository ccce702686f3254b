"""Sizes and shapes by class: overlaid histograms, and a table of their statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSplitter,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_ssrvae.viewer.views._note import WrappingNote
from napari_ssrvae.viewer.views._pyqtgraph import adopt_menu, color_axes, pg
from napari_ssrvae.viewer.views._table import ReadingTable
from napari_ssrvae.viewer.views.color import Theme, ThemedWidget, qcolor

FILL = 70  # of 255: classes that overlap are all seen
HEADERS = (
    ("class", "Untick a row to leave it out of plot and table"),
    ("n", "Particles of the class that were measured"),
    ("mean ± s", "Arithmetic mean and standard deviation of the particles (n - 1)"),
    ("D10", "10 % of the particles (by number) are smaller"),
    ("D50", "The median: half of the particles are smaller"),
    ("D90", "90 % of the particles (by number) are smaller"),
    ("share", "Of the particles of all rows that are ticked"),
    (
        "fit",
        "Which distribution fits better (lower AIC), and the Kolmogorov-Smirnov distance of that "
        "one: below 0.05 the curve follows the particles closely. Either: no clear difference.",
    ),
)
FITS = (
    ("no curve", ""),
    ("better fit", "better"),
    ("normal", "normal"),
    ("log-normal", "log-normal"),
)
"""Which fitted curves are drawn: what it is called, and its name in `ClassFits.chosen`."""

Curve = tuple[ArrayLike, ArrayLike]


@dataclass(frozen=True)
class SizeRow:
    """One class in the table.

    Attributes
    ----------
    class_id : int
        Its number.
    name, color : str
        Its name, and "#rrggbb".
    numbers : sequence of str
        n, mean ± s, D10, D50, D90, share, fit as they are to be read; none for a class that is
        hidden.
    about_fit : str
        What more is known of the fit.
    """

    class_id: int
    name: str
    color: str
    numbers: Sequence[str] = ()
    about_fit: str = ""


class SizesPage(ThemedWidget):
    """Histograms of one measure by class, in bins that all share.

    Attributes
    ----------
    measure_changed : Signal(str)
        The person chose another measure.
    hidden_changed : Signal()
        The person hid a class or showed it again; see `hidden`.
    fit_changed : Signal()
        The person chose which fitted curves are drawn; see `which_fit`.
    """

    measure_changed = Signal(str)
    hidden_changed = Signal()
    fit_changed = Signal()

    EMPTY_TEXT = (
        "Find particles: then their sizes are seen here.\n"
        "Label some, or train a model, to see those of each class: by hand where there is a label, "
        "else predicted."
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.hidden: frozenset[int] = frozenset()
        self._moved = False  # the splitter, by hand
        self._rows: list[SizeRow] = []
        self._curves: dict[int, pg.PlotCurveItem] = {}
        self._fits: dict[int, pg.PlotCurveItem] = {}
        self._plot = pg.PlotWidget(parent=self, enableMenu=False)
        adopt_menu(self._plot)
        self._lay_out()
        self._follow_theme()
        self.clear()

    def _lay_out(self) -> None:
        self.measure = QComboBox()
        self.measure.setToolTip("Which size or shape of the particles")
        self.measure.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.measure.textActivated.connect(self.measure_changed)
        self.fit = QComboBox()
        self.fit.setAccessibleName("Fitted curve")
        self.fit.setToolTip(
            "Draw the normal or log-normal distribution that fits each class: sizes of particles "
            "are often log-normal"
        )
        for called, name in FITS:
            self.fit.addItem(called, name)
        self.fit.setCurrentIndex(self.fit.findData("better"))
        self.fit.activated.connect(self.fit_changed)
        self.note = WrappingNote()
        self.table = ReadingTable(HEADERS)
        self.table.itemChanged.connect(self._on_ticked)
        self._plot.setFrameShape(self._plot.Shape.NoFrame)
        self._plot.setMinimumSize(140, 90)
        self._plot.setToolTip("Particles of each class, in bins that all classes share")
        item = self._plot.getPlotItem()
        item.hideButtons()
        item.setMouseEnabled(x=False, y=False)
        item.setLabel("left", "particles")
        self._empty = QLabel(self.EMPTY_TEXT)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        top = QHBoxLayout()
        top.addWidget(self.measure)
        top.addWidget(self.fit)
        top.addStretch(1)
        self._split = QSplitter(Qt.Orientation.Horizontal)
        self._split.addWidget(self._plot)
        self._split.addWidget(self.table)
        self._split.setStretchFactor(0, 1)
        self._split.setChildrenCollapsible(False)
        self._split.splitterMoved.connect(self._on_moved)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(top)
        layout.addWidget(self._empty, 1)
        layout.addWidget(self._split, 1)
        layout.addWidget(self.note)

    # -- room ------------------------------------------------------------------------------
    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Give the table its room anew."""
        super().resizeEvent(event)
        self._make_room()

    def _on_moved(self, *_: object) -> None:
        self._moved = True

    def _make_room(self) -> None:
        """Let the table have the width of its columns, until a person moves the splitter.

        The plot is read at any width; a column that is not seen is not known to be there.
        """
        if self._moved or not self._split.isVisible():
            return
        header = self.table.horizontalHeader()
        wanted = max(header.length(), header.sizeHint().width()) + 2 * self.table.frameWidth()
        wanted += self.table.verticalScrollBar().sizeHint().width()
        self._split.setSizes([max(self._split.width() - wanted, 1), wanted])

    @property
    def which_fit(self) -> str:
        """Which fitted curves are drawn: "better", "normal", "log-normal", or "" for none."""
        return str(self.fit.currentData())

    def set_measures(self, names: Sequence[str], chosen: str) -> None:
        """Offer these measures, with one of them chosen."""
        if names != [self.measure.itemText(i) for i in range(self.measure.count())]:
            self.measure.clear()
            self.measure.addItems(list(names))
        self.measure.setCurrentText(chosen)

    def show_sizes(
        self,
        rows: Sequence[SizeRow],
        edges: ArrayLike,
        counts: Mapping[int, ArrayLike],
        *,
        fits: Mapping[int, Curve] | None = None,
        note: str = "",
    ) -> None:
        """Show classes, and the histogram of those that are not hidden.

        Parameters
        ----------
        rows : sequence of SizeRow
            All classes, in the order of the table.
        edges : (b + 1,) float
            Of the bins.
        counts : mapping of int to (b,) int
            Class id → particles in each bin; hidden classes are not in it.
        fits : mapping of int to (x, y), optional
            Class id → the curve that was fitted to it.
        note : str
            What must be known of the sizes.
        """
        self._rows = list(rows)
        self._fill_table()
        plot = self._plot.getPlotItem()
        for curve in (*self._curves.values(), *self._fits.values()):
            plot.removeItem(curve)
        self._curves, self._fits = {}, {}
        for row in rows:
            if len(edges) and row.class_id in counts:  # type: ignore[arg-type]
                self._curves[row.class_id] = curve = pg.PlotCurveItem(
                    edges,
                    counts[row.class_id],
                    stepMode="center",
                    fillLevel=0,
                    pen=pg.mkPen(row.color, width=2),
                    brush=qcolor(row.color, FILL),
                )
                plot.addItem(curve)
        for row in rows:
            if fits is not None and row.class_id in fits:
                pen = pg.mkPen(row.color, width=2, style=Qt.PenStyle.DashLine)
                x, y = fits[row.class_id]
                self._fits[row.class_id] = curve = pg.PlotCurveItem(x, y, pen=pen)
                plot.addItem(curve)
        plot.setLabel("bottom", self.measure.currentText())
        plot.enableAutoRange()
        self.note.say(note)
        self._show(plot=True)
        self._make_room()

    def clear(self, message: str | None = None, *, note: str = "") -> None:
        """Show nothing but a text that says what to do."""
        self._rows = []
        self._empty.setText(message or self.EMPTY_TEXT)
        self.note.say(note)
        self._show(plot=False)

    def drawn(self) -> dict[int, tuple[list[float], list[float]]]:
        """Return edges and heights of each class's histogram, as drawn."""
        data = {c: curve.getData() for c, curve in self._curves.items()}
        return {c: (edges.tolist(), heights.tolist()) for c, (edges, heights) in data.items()}

    def drawn_fits(self) -> dict[int, tuple[list[float], list[float]]]:
        """Return x and y of each class's fitted curve, as drawn."""
        data = {c: curve.getData() for c, curve in self._fits.items()}
        return {c: (x.tolist(), y.tolist()) for c, (x, y) in data.items()}

    def _show(self, *, plot: bool) -> None:
        self._empty.setVisible(not plot)
        self._split.setVisible(plot)
        self.fit.setEnabled(plot)

    def _fill_table(self) -> None:
        self.table.blockSignals(True)
        self.table.setRowCount(len(self._rows))
        for number, row in enumerate(self._rows):
            item = self.table.put_class(number, 0, row.name, row.color)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            shown = row.class_id not in self.hidden
            item.setCheckState(Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked)
            item.setToolTip(HEADERS[0][1])
            texts = row.numbers or [""] * (len(HEADERS) - 1)
            for column, text in enumerate(texts, start=1):
                cell = self.table.put(number, column, text, number=True)
            cell.setToolTip(row.about_fit)
        self.table.blockSignals(False)

    def _on_ticked(self, item: QTableWidgetItem) -> None:
        class_id = self._rows[item.row()].class_id
        shown = item.checkState() == Qt.CheckState.Checked
        self.hidden = self.hidden - {class_id} if shown else self.hidden | {class_id}
        self.hidden_changed.emit()

    def _apply_theme(self, theme: Theme) -> None:
        color_axes(self._plot, theme)
        self._empty.setStyleSheet(f"color: {theme.muted.name()};")
        self.note.setStyleSheet(f"color: {theme.muted.name()};")
