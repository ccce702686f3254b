"""The reliability diagram: how sure the model was against how often it was right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from napari_ssrvae.viewer.views._pyqtgraph import adopt_menu, color_axes, pg
from napari_ssrvae.viewer.views.color import Theme, ThemedWidget

POINT = "#56b4e9"
SMALL, LARGE = 7.0, 17.0


class CalibrationPage(ThemedWidget):
    """One point for each bin of confidence, with its count and its 95 % interval."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = pg.PlotWidget(parent=self, enableMenu=False)
        adopt_menu(self._plot)
        self._plot.setFrameShape(self._plot.Shape.NoFrame)
        self._plot.setMinimumSize(160, 120)
        self._plot.setToolTip(
            "Each point: the particles of which the model was about so sure (their number beside "
            "it),\nand how many of them it had right. On the diagonal, the probabilities mean what "
            "they say;\nbelow it, the model is too sure of itself. The bars are 95 % intervals."
        )
        item = self._plot.getPlotItem()
        item.hideButtons()
        item.setMouseEnabled(x=False, y=False)
        item.setLabel("bottom", "how sure the model is")
        item.setLabel("left", "how often it is right")
        item.setXRange(0, 1.05, padding=0)
        item.setYRange(-0.04, 1.08, padding=0)
        self._diagonal = item.plot([0, 1], [0, 1])
        self._bars = pg.ErrorBarItem(x=np.empty(0), y=np.empty(0), top=np.empty(0), bottom=0)
        self._points = pg.ScatterPlotItem(brush=pg.mkBrush(POINT), pen=pg.mkPen(None))
        self._texts: list[pg.TextItem] = []
        item.addItem(self._bars)
        item.addItem(self._points)
        self.words = QLabel()
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot, 2)
        layout.addWidget(self.words, 1)
        self._follow_theme()

    def show_bins(
        self,
        confidence: ArrayLike,
        accuracy: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        counts: Sequence[int],
        *,
        words: str = "",
    ) -> None:
        """Show bins of confidence.

        Parameters
        ----------
        confidence, accuracy : (b,) float
            Mean confidence of the answers in each bin, and the share that was right.
        low, high : (b,) float
            Interval of that share.
        counts : (b,) int
            Answers in each bin.
        words : str
            What this means.
        """
        x, y = np.asarray(confidence, float), np.asarray(accuracy, float)
        top, bottom = np.asarray(high, float) - y, y - np.asarray(low, float)
        n = np.asarray(counts, float)
        size = SMALL + (LARGE - SMALL) * np.sqrt(n / max(n.max(initial=1.0), 1.0))
        self._bars.setData(x=x, y=y, top=top, bottom=bottom)
        self._points.setData(x=x, y=y, size=size)
        plot = self._plot.getPlotItem()
        for text in self._texts:
            plot.removeItem(text)
        self._texts = []
        for bx, by, count in zip(x.tolist(), y.tolist(), counts, strict=True):
            # To the left of the point: the surest bin is at the right rim.
            text = pg.TextItem(str(count), anchor=(1.4, 0.5))
            text.setPos(bx, by)
            plot.addItem(text, ignoreBounds=True)
            self._texts.append(text)
        self.words.setText(words)
        self._apply_theme(self.theme())

    def drawn(self) -> tuple[list[float], list[float], list[str]]:
        """Return the positions of the points, and the counts beside them, as drawn."""
        x, y = self._points.getData()
        return x.tolist(), y.tolist(), [text.toPlainText() for text in self._texts]

    def _apply_theme(self, theme: Theme) -> None:
        color_axes(self._plot, theme)
        self._diagonal.setPen(pg.mkPen(theme.muted, style=Qt.PenStyle.DashLine))
        self._bars.setOpts(pen=pg.mkPen(theme.muted), beam=0.012)
        for text in self._texts:
            text.setColor(theme.foreground)
        self.words.setStyleSheet(f"color: {theme.foreground.name()};")
