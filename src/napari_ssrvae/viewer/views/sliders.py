"""superqt's sliders with numbers, made reachable by keyboard and told to screen readers."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit, QWidget


def explain_slider(slider: QWidget, name: str, tip: str) -> None:
    """Name a labelled slider and its numbers, and let Tab reach the numbers that can be typed.

    superqt leaves its numbers out of the Tab order, so that a range could be set by mouse only.
    """
    slider.setAccessibleName(name)
    slider.setToolTip(tip)
    for number in slider.findChildren(QLineEdit):
        number.setAccessibleName(name)
        number.setToolTip(tip)
        number.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
