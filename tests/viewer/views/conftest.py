"""Every view is tested in napari's two themes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QApplication, QWidget


class ThemeColors(NamedTuple):
    background: str
    foreground: str


THEMES = {"dark": ThemeColors("#262930", "#f0f1f2"), "light": ThemeColors("#efebe9", "#3b3a39")}


@pytest.fixture(params=THEMES)
def theme(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[ThemeColors]:
    """Give the application the palette of one of napari's themes."""
    colors, before = THEMES[request.param], qapp.palette()
    roles, palette = QPalette.ColorRole, QPalette()
    for role in (roles.Window, roles.Base, roles.Button):
        palette.setColor(role, QColor(colors.background))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(role, QColor(colors.foreground))
    qapp.setPalette(palette)
    yield colors
    qapp.setPalette(before)


class Screen:
    """What a widget shows."""

    def colors(self, widget: QWidget) -> set[str]:
        """Every colour in the widget's picture."""
        image = widget.grab().toImage()
        places = ((x, y) for x in range(image.width()) for y in range(image.height()))
        return {image.pixelColor(x, y).name() for x, y in places}


@pytest.fixture
def screen() -> Screen:
    return Screen()
