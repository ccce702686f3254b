"""pyqtgraph, bound to the Qt library that qtpy (and with it napari) has chosen.

pyqtgraph looks for a binding by itself and may find another one than napari runs on, which ends
in a crash; it listens to ``PYQTGRAPH_QT_LIB``, which must be set before its first import.
"""

from __future__ import annotations

import os

from qtpy import API_NAME

from napari_ssrvae.viewer.views.color import Theme

os.environ["PYQTGRAPH_QT_LIB"] = API_NAME

import pyqtgraph as pg

__all__ = ["adopt_menu", "color_axes", "pg"]


def adopt_menu(plot: pg.PlotWidget) -> None:
    """Let a plot's menu go with the plot.

    pyqtgraph makes it without a parent; under PySide6 it outlives a plot that Qt has deleted.
    """
    menu = plot.getPlotItem().ctrlMenu
    menu.setParent(plot, menu.windowFlags())


def color_axes(plot: pg.PlotWidget, theme: Theme, *sides: str) -> None:
    """Give a plot its ground, and its axes (left and bottom where none are named) their greys."""
    plot.setBackground(theme.background)
    for side in sides or ("left", "bottom"):
        axis = plot.getPlotItem().getAxis(side)
        axis.setPen(theme.faint)
        axis.setTextPen(theme.muted)
