"""The inspector: one particle, and what the model sees in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QFrame,
    QGridLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_ssrvae.viewer.views._pictures import Picture, as_diverging, as_grey, theme_of
from napari_ssrvae.viewer.views.color import NO_CLASS, Theme, ThemedWidget, qcolor, scrolled_sheet

SIDE_BY_SIDE = 480
"""Width from which pictures and numbers stand beside each other, px."""
SMALL, LARGE = 84, 128
RESIDUAL_LIMIT = 0.5
"""Difference of grey that is shown in full colour: the same for all particles, to compare them."""


@dataclass(frozen=True, eq=False)
class ProbabilityBar:
    """One class and how probable it is.

    Attributes
    ----------
    name, color : str
        Of the class; the colour as "#rrggbb".
    probability : float
        0 to 1.
    """

    name: str
    color: str
    probability: float


@dataclass(frozen=True, eq=False)
class InspectedParticle:
    """All that the inspector shows of a particle.

    Attributes
    ----------
    title : str
        What it is called.
    patch : (s, s) float
        As it was cut out, grey 0 to 1.
    upright, drawn, residual : (s, s) float or None
        Turned upright; what the model draws; patch less drawing. None where there is no model.
    angle : float or None
        Radians, counter-clockwise as seen on the screen; None where it is not known.
    bars : sequence of ProbabilityBar
        Classes in their order; none where it is not classified.
    facts : sequence of (name, value)
        Everything else, in words and numbers with units.
    note : str
        A sentence on what is missing.
    """

    title: str
    patch: NDArray[np.float32]
    upright: NDArray[np.float32] | None = None
    drawn: NDArray[np.float32] | None = None
    residual: NDArray[np.float32] | None = None
    angle: float | None = None
    bars: Sequence[ProbabilityBar] = field(default=())
    facts: Sequence[tuple[str, str]] = field(default=())
    note: str = ""


class Dial(QWidget):
    """An angle as the hand of a dial: up is upright, and it turns as the particle does."""

    def __init__(self, side: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._angle: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_side(side)

    def set_side(self, side: int) -> None:
        """Show it as large as this."""
        self.setFixedSize(side, side)

    def angle(self) -> float | None:
        """Return what is shown, in radians."""
        return self._angle

    def set_angle(self, angle: float | None) -> None:
        """Show an angle (radians, counter-clockwise as seen on the screen), or none."""
        self._angle = angle
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw ring, hand, and the way from upright to the hand."""
        painter, theme = QPainter(self), theme_of(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ring = QRectF(self.rect()).adjusted(8, 8, -8, -8)
        painter.setPen(QPen(theme.faint, 2))
        painter.drawEllipse(ring)
        middle, radius = ring.center(), ring.width() / 2
        painter.drawLine(middle, middle + QPointF(0, -radius))
        if self._angle is not None:
            degrees = math.degrees(self._angle)
            painter.setPen(QPen(theme.muted, 3))
            # Qt too counts counter-clockwise, in sixteenths of a degree, from three o'clock.
            painter.drawArc(ring, 90 * 16, round(degrees * 16))
            hand = QPointF(-math.sin(self._angle), -math.cos(self._angle)) * radius
            painter.setPen(QPen(theme.foreground, 2))
            painter.drawLine(middle, middle + hand)
            painter.setBrush(theme.foreground)
            painter.drawEllipse(middle + hand, 3, 3)
        painter.end()


class ProbabilityBars(QWidget):
    """Horizontal bars, a class each, with name and percentage."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bars: tuple[ProbabilityBar, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(120)
        self.setToolTip("How probable the model holds each class to be")

    def bars(self) -> tuple[ProbabilityBar, ...]:
        """Return what is shown."""
        return self._bars

    def set_bars(self, bars: Sequence[ProbabilityBar]) -> None:
        """Show these classes, top to bottom."""
        self._bars = tuple(bars)
        self.setFixedHeight(len(self._bars) * self._line())
        self.setAccessibleName(", ".join(f"{b.name} {_percent(b.probability)}" for b in bars))
        self.update()

    def _line(self) -> int:
        return int(self.fontMetrics().height()) + 6

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw name, bar and percentage of each class."""
        painter, theme, metrics = QPainter(self), theme_of(self), self.fontMetrics()
        number = metrics.horizontalAdvance("100 %") + 6
        names = [metrics.horizontalAdvance(bar.name) for bar in self._bars]
        name = min(max(names, default=0) + 8, self.width() * 2 // 5)
        room = max(1, self.width() - name - number)
        likeliest = max((bar.probability for bar in self._bars), default=0)
        middle = Qt.AlignmentFlag.AlignVCenter
        for i, bar in enumerate(self._bars):
            line = QRect(0, i * self._line(), self.width(), self._line())
            text = metrics.elidedText(bar.name, Qt.TextElideMode.ElideRight, name - 6)
            painter.setPen(theme.foreground if bar.probability == likeliest else theme.muted)
            painter.drawText(line, Qt.AlignmentFlag.AlignLeft | middle, text)
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | middle, _percent(bar.probability))
            rail = QRect(name, line.top() + 4, room, line.height() - 8)
            painter.fillRect(rail, theme.faint)
            rail.setWidth(max(1, round(room * bar.probability)))
            painter.fillRect(rail, qcolor(bar.color or NO_CLASS))
        painter.end()


class Inspector(ThemedWidget):
    """What the model sees in one particle: pictures, angle, probabilities, numbers.

    Parameters
    ----------
    parent : QWidget, optional
        The parent widget.
    """

    EMPTY_TEXT = "Click a particle to see it as the model sees it"
    TILES = (
        ("patch", "as cut out", "The particle as it was cut out of the micrograph."),
        (
            "upright",
            "turned upright",
            "The particle turned, moved and scaled back by the pose that the model infers.\n"
            "Particles of one class look alike here.",
        ),
        (
            "drawn",
            "drawn by the model",
            "What the model draws for this particle, in the particle's own pose.",
        ),
        (
            "residual",
            "what is left",
            "Particle less drawing: red where the particle is brighter, blue where it is darker,\n"
            "black where the model is right.",
        ),
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._message = QLabel(self)
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._message.setWordWrap(True)
        self._message.setMargin(12)
        self.title, self.note = QLabel(), QLabel()
        for label in (self.title, self.note):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.pictures: dict[str, Picture] = {}
        self.dial, self._turned = Dial(SMALL), QLabel()
        self.bars, self._facts = ProbabilityBars(), QGridLayout()
        self._lay_out()
        self._follow_theme()
        self.clear()

    def _lay_out(self) -> None:
        gallery = QWidget()
        self._gallery = gallery
        flow = QFlowLayout(gallery)
        flow.setContentsMargins(0, 0, 0, 0)
        flow.setHorizontalSpacing(6)
        flow.setVerticalSpacing(6)
        self._captions: list[QLabel] = []
        for name, caption, tip in self.TILES:
            self.pictures[name] = Picture(SMALL)
            flow.addWidget(self._tile(self.pictures[name], QLabel(caption), tip))
        self._turned.setTextFormat(Qt.TextFormat.PlainText)
        tip = "How far the particle is turned from upright, as seen on the screen."
        self._dial_tile = self._tile(self.dial, self._turned, tip)
        flow.addWidget(self._dial_tile)
        self._facts.setContentsMargins(0, 0, 0, 0)
        self._facts.setHorizontalSpacing(8)
        self._facts.setVerticalSpacing(2)
        self._facts.setColumnStretch(1, 1)
        numbers = QVBoxLayout()
        numbers.setSpacing(6)
        numbers.addWidget(self.note)
        numbers.addWidget(self.bars)
        numbers.addLayout(self._facts)
        numbers.addStretch(1)
        pictures = QVBoxLayout()
        pictures.addWidget(self.title)
        pictures.addWidget(gallery)
        pictures.addStretch(1)
        content = QWidget()
        self._content = QBoxLayout(QBoxLayout.Direction.TopToBottom, content)
        self._content.setContentsMargins(6, 4, 6, 4)
        self._content.setSpacing(8)
        self._content.addLayout(pictures, 3)
        self._content.addLayout(numbers, 2)
        self._scroll = QScrollArea(self)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(content)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._message)
        self._stack.addWidget(self._scroll)

    def _tile(self, picture: QWidget, caption: QLabel, tip: str) -> QWidget:
        tile = QWidget()
        column = QVBoxLayout(tile)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(picture)
        column.addWidget(caption)
        caption.setWordWrap(True)
        caption.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self._captions.append(caption)
        tile.setToolTip(tip)
        return tile

    # ------------------------------------------------------------------ what is shown

    def clear(self, message: str | None = None) -> None:
        """Show no particle but a sentence that says what to do."""
        self._message.setText(message or self.EMPTY_TEXT)
        self._stack.setCurrentWidget(self._message)

    def show_particle(self, particle: InspectedParticle) -> None:
        """Show a particle; pictures share one scale of grey, so that they can be compared."""
        self.title.setText(particle.title)
        self.note.setText(particle.note)
        self.note.setVisible(bool(particle.note))
        patch = np.asarray(particle.patch)
        high = max(float(patch.max()), 1e-6)
        for name in ("patch", "upright", "drawn"):
            image = getattr(particle, name)
            self.pictures[name].set_pixels(None if image is None else as_grey(image, 0.0, high))
        left = particle.residual
        self.pictures["residual"].set_pixels(
            None if left is None else as_diverging(left, RESIDUAL_LIMIT * high)
        )
        self.dial.set_angle(particle.angle)
        self._turned.setText("" if particle.angle is None else turned(particle.angle))
        for name in ("upright", "drawn", "residual"):
            self.pictures[name].parentWidget().setVisible(not self.pictures[name].is_empty())
        self._dial_tile.setVisible(particle.angle is not None)
        self.bars.set_bars(particle.bars)
        self.bars.setVisible(bool(particle.bars))
        self._show_facts(particle.facts)
        self._stack.setCurrentWidget(self._scroll)
        self._fit()

    def facts(self) -> dict[str, str]:
        """Return the numbers shown, by name."""
        return dict(self._shown_facts)

    def _show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        self._shown_facts = tuple(facts)
        while (item := self._facts.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for row, (name, value) in enumerate(facts):
            what, said = QLabel(name), QLabel(value)
            what.setProperty("second_rank", "true")
            for label in (what, said):
                label.setTextFormat(Qt.TextFormat.PlainText)
                label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
            said.setWordWrap(True)
            said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._facts.addWidget(what, row, 0)
            self._facts.addWidget(said, row, 1)

    # ------------------------------------------------------------------ its size and colours

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Put things beside or below each other, as the width asks for."""
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows most of it in a side pane."""
        return QSize(240, 420)

    def _fit(self) -> None:
        wide = self.width() >= SIDE_BY_SIDE
        direction = QBoxLayout.Direction
        self._content.setDirection(direction.LeftToRight if wide else direction.TopToBottom)
        room = self.width() - self._scroll.verticalScrollBar().sizeHint().width() - 18
        columns = 5 if wide else 2
        share = room * 3 // 5 if wide else room
        side = max(SMALL, min(LARGE, (share - 6 * (columns - 1)) // columns))
        self.dial.set_side(side)
        for picture in self.pictures.values():
            picture.set_side(side)
        for caption in self._captions:
            caption.setFixedWidth(side)

    def _apply_theme(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"{scrolled_sheet(theme)}QLabel[second_rank='true'] {{ color: {theme.muted.name()}; }}"
        )
        for label in (self._message, self.note, *self._captions):
            label.setStyleSheet(f"color: {theme.muted.name()};")


def turned(angle: float) -> str:
    """Say an angle (radians, counter-clockwise on the screen) in degrees with its sense."""
    degrees = round(math.degrees(angle))
    if degrees == 0:
        return "upright"
    return f"{abs(degrees)}° {'↺' if degrees > 0 else '↻'}"


def _percent(probability: float) -> str:
    return f"{probability:.0%}".replace("%", " %")
