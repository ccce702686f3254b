"""napari's busy sign, slowed down.

While a task runs, napari turns a little wheel in its status bar, twenty times a second. Each turn
paints the whole window again. With a graphics card that is nothing; where OpenGL is emulated
(remote desktops, virtual machines) it took 0.8 of a core and stalled the window in training.
"""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QMainWindow, QWidget

# In percent of the wheel's own speed: two turns a second still say "busy".
SPEED = 10


def calm_spinner(window: QWidget) -> int:
    """Slow the animations in a main window's status bar; return how many there were."""
    if not isinstance(window, QMainWindow):
        return 0
    movies = [label.movie() for label in window.statusBar().findChildren(QLabel)]
    for movie in movies:
        if movie is not None:
            movie.setSpeed(SPEED)
    return sum(movie is not None for movie in movies)
