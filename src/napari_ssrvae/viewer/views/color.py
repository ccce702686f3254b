"""Colours between "#rrggbb" strings, `QColor` and arrays, and the theme that a widget follows."""

from __future__ import annotations

from typing import NamedTuple

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QWidget

from napari_ssrvae.errors import InputError

NO_CLASS = "#8c8c8c"
"""Colour of what has no class; mid-grey, so that it is seen on dark and on light."""

SELECTED = "#ffee00"
"""Colour around what is selected, in the image and in the views."""

SELECTED_ON_LIGHT = "#a86400"
"""The same on a light background, where yellow is not seen."""


def qcolor(color: str, alpha: int = 255) -> QColor:
    """Turn "#rrggbb" into a `QColor`.

    Parameters
    ----------
    color : str
        "#rrggbb", or a colour name that Qt knows.
    alpha : int
        Opacity, 0 to 255.

    Raises
    ------
    InputError
        If Qt cannot read the colour.
    """
    result = QColor(color)
    if not result.isValid():
        raise InputError(f"{color!r} is not a colour; give it as '#rrggbb'.")
    result.setAlpha(alpha)
    return result


def blend(first: QColor, second: QColor, share: float) -> QColor:
    """Mix two colours; `share` 0 is the first, 1 the second."""
    return QColor.fromRgbF(
        *(
            (1 - share) * a + share * b
            for a, b in zip(first.getRgbF()[:3], second.getRgbF()[:3], strict=True)
        )
    )


class Theme(NamedTuple):
    """The two colours from which a view mixes all its greys."""

    background: QColor
    foreground: QColor

    @property
    def selected(self) -> QColor:
        """Colour around what is selected: that of the canvas, darker on a light background."""
        light = self.background.lightnessF() > 0.5
        return qcolor(SELECTED_ON_LIGHT if light else SELECTED)

    @property
    def muted(self) -> QColor:
        """Colour of text and lines of second rank."""
        return blend(self.foreground, self.background, 0.35)

    @property
    def faint(self) -> QColor:
        """Colour of grid lines and frames."""
        return blend(self.foreground, self.background, 0.8)


def scrolled_sheet(theme: Theme) -> str:
    """Return the style sheet of a view with a scroll area: its labels, and what they lie on."""
    return (
        f"QLabel {{ color: {theme.foreground.name()}; background: transparent; }}"
        f"QScrollArea, QScrollArea > QWidget > QWidget"
        f" {{ background: {theme.background.name()}; }}"
    )


class ThemedWidget(QWidget):
    """A widget that follows its palette (napari's dark or light), or the theme it is given."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own_theme: Theme | None = None
        self._shown_theme: Theme | None = None
        self._theme_timer = QTimer(self, singleShot=True, interval=0)
        self._theme_timer.timeout.connect(self._follow_theme)

    def theme(self) -> Theme:
        """Return the colours in use."""
        palette = self.palette()
        return self._own_theme or Theme(
            palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.WindowText)
        )

    def set_theme(self, background: str | None, foreground: str | None) -> None:
        """Use these two colours ("#rrggbb") from now on; None goes back to the palette."""
        self._own_theme = (
            Theme(qcolor(background), qcolor(foreground)) if background and foreground else None
        )
        self._follow_theme()

    def _follow_theme(self) -> None:
        theme = self.theme()
        if theme != self._shown_theme:
            self._shown_theme = theme
            self._apply_theme(theme)

    def _apply_theme(self, theme: Theme) -> None:
        """Colour everything that does not follow the palette by itself."""

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the palette when napari changes its theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            # While a style sheet is set, Qt takes the palette back and gives it anew, with an
            # event for each: looked at in between, the theme would change for ever.
            self._theme_timer.start()
