"""Numbers as colours: the scale that points are coloured by, and the bar that explains it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_ssrvae.viewer.views._pyqtgraph import pg
from napari_ssrvae.viewer.views.color import NO_CLASS, qcolor

ROBUST = (2.0, 98.0)
"""Percentiles that get the first and the last colour: one odd particle must not hide the rest."""

ENDS = (0.12, 0.92)
"""The part of viridis that is seen on a dark ground and on a light one."""

LEVELS = 64
"""So many colours: points are drawn from one picture a colour."""


def number(value: float) -> str:
    """Return a number as short as it can be read."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class ColorScale:
    """A measurement as colours from viridis; equal steps look equal, also to the colour-blind.

    Attributes
    ----------
    title : str
        What is measured, with its unit.
    low, high : float
        The values that get the first and the last colour; what lies beyond gets the same.
    unknown : int
        How many values are not known.
    """

    title: str
    low: float
    high: float
    unknown: int

    @classmethod
    def of(cls, values: NDArray[np.float64], title: str) -> ColorScale:
        """Fit a scale to (n,) values; those that are not finite are unknown."""
        known = values[np.isfinite(values)]
        low, high = np.percentile(known, ROBUST).tolist() if known.size else (0.0, 1.0)
        return cls(title, low, high, int(values.size - known.size))

    def rgba(self, values: NDArray[np.float64], opacity: int) -> NDArray[np.uint8]:
        """Return the colours of (n,) values, (n, 4) uint8; grey where a value is not known."""
        span = self.high - self.low
        share = (np.nan_to_num(values, nan=self.low) - self.low) / span if span > 0 else 0.5
        level = np.clip(share * (LEVELS - 1), 0, LEVELS - 1).round().astype(np.int64)
        grey = qcolor(NO_CLASS).getRgb()[:3]
        table = np.vstack([_viridis(), grey]).astype(np.uint8)
        rgb = table[np.where(np.isfinite(values), level, LEVELS)]
        return np.column_stack([rgb, np.full(len(rgb), opacity, np.uint8)])


def _viridis() -> NDArray[np.uint8]:
    """Return `LEVELS` colours, (LEVELS, 3)."""
    table = pg.colormap.get("viridis").map(np.linspace(*ENDS, LEVELS), mode="byte")
    return np.asarray(table[:, :3], dtype=np.uint8)


class ColorBar(QWidget):
    """The colours of a `ColorScale`, from left to right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size of a bar beside a line of text."""
        return QSize(110, 12)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the colours."""
        gradient = QLinearGradient(0, 0, self.width(), 0)
        for share, rgb in zip(np.linspace(0, 1, LEVELS), _viridis().tolist(), strict=True):
            gradient.setColorAt(float(share), QColor(*rgb))
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(gradient)
        painter.drawRoundedRect(QRectF(self.rect()), 3, 3)
        painter.end()
