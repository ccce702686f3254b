"""The latent plot: one point a particle, where the model has put it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QEvent, QPoint, QPointF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainterPath
from qtpy.QtWidgets import QLabel, QStackedLayout, QToolTip, QVBoxLayout, QWidget

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views._cloud import PointCloud
from napari_ssrvae.viewer.views._lasso import LassoBox
from napari_ssrvae.viewer.views._plot_bar import PlotBar
from napari_ssrvae.viewer.views._points import NO_POINTS, OPACITY, as_points
from napari_ssrvae.viewer.views._pyqtgraph import adopt_menu, color_axes, pg
from napari_ssrvae.viewer.views._scale import ColorScale
from napari_ssrvae.viewer.views._tip import tip_html
from napari_ssrvae.viewer.views.color import Theme, ThemedWidget

PICK_RADIUS = 10.0
"""How far from a point, in screen px, a click or the pointer still means it."""

MARK_SIZE = 34
"""Size in px of the mark around the selected point."""


def _mark() -> QPainterPath:
    """Return a ring with four ticks, of size 1: unlike the plain rings of the hand labels."""
    path = QPainterPath()
    path.addEllipse(QPointF(0, 0), 0.3, 0.3)
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        path.moveTo(0.3 * x, 0.3 * y)
        path.lineTo(0.5 * x, 0.5 * y)
    return path


MARK = _mark()


class LatentPlot(ThemedWidget):
    """Scatter plot of the particles in the latent space, in the colours of their classes.

    A click on a point emits `point_clicked` with the particle's id; dragging pans, the wheel
    zooms. With Shift, or while the lasso button is down, dragging draws a lasso. The plot holds no
    state of the person's: whoever owns the selection calls `select`, and whoever has the columns
    answers `axes_chosen` and `coloring_chosen` with `set_points`.

    Parameters
    ----------
    parent : QWidget, optional
        The parent widget.

    Attributes
    ----------
    point_clicked : Signal(object)
        The id (int) of the particle whose point was clicked.
    point_toggled : Signal(object)
        The same, with Shift held: it is to be added to the selection, or taken out.
    points_lassoed : Signal(object, bool)
        The ids, (n,) int, of the points in a lasso (none where it is empty), and whether they are
        to be added to those selected before.
    axes_chosen : Signal(str, str)
        A person chose, among the columns of `offer`, what x and y are.
    coloring_chosen : Signal(str)
        A person chose, among the colourings of `offer`, what the colours mean.
    """

    point_clicked = Signal(object)
    point_toggled = Signal(object)
    points_lassoed = Signal(object, bool)
    axes_chosen = Signal(str, str)
    coloring_chosen = Signal(str)

    EMPTY_TEXT = "Train a model to see how the particles arrange themselves"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points = NO_POINTS
        self._selected: int | None = None
        self._chosen: NDArray[np.int64] = np.empty(0, np.int64)
        self._hovered: int | None = None
        self._axis_labels: tuple[str, str] | None = None
        self._picture: Callable[[int], NDArray[np.uint8] | None] | None = None

        self._message = QLabel(self)
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._message.setWordWrap(True)
        self._message.setMargin(12)
        self._box = LassoBox()
        self._box.drawn.connect(self._on_lasso)
        self._plot = pg.PlotWidget(parent=self, viewBox=self._box)
        adopt_menu(self._plot)
        self._plot.setFrameShape(self._plot.Shape.NoFrame)
        self._plot.setMinimumSize(120, 120)
        self._plot.getPlotItem().hideButtons()
        self._dots, self._labelled_dots, self._chosen_dots = (PointCloud() for _ in "123")
        # The halo keeps the mark visible over points of any colour.
        self._halo, self._ring = (pg.ScatterPlotItem(symbol=MARK, size=MARK_SIZE) for _ in "12")
        layers = (self._dots, self._labelled_dots, self._chosen_dots, self._halo, self._ring)
        for height, layer in enumerate(layers):
            layer.setZValue(height)
            # The mark must not change the zoom when it is at the rim.
            is_mark = layer in (self._chosen_dots, self._halo, self._ring)
            self._plot.getPlotItem().addItem(layer, ignoreBounds=is_mark)
        self._plot.scene().sigMouseClicked.connect(self._on_click)
        self._plot.scene().sigMouseMoved.connect(self._on_move)
        self._plot.viewport().installEventFilter(self)
        self._lay_out()
        self._follow_theme()
        self.clear()

    # ------------------------------------------------------------------ what is shown

    def set_points(
        self,
        xy: ArrayLike,
        colors: ArrayLike,
        ids: ArrayLike,
        labelled: ArrayLike | None = None,
        *,
        legend: Sequence[tuple[str, str, int]] = (),
        axis_labels: tuple[str, str] = ("z1", "z2"),
        details: Sequence[str] | Callable[[int], str] | None = None,
        color_label: str | None = None,
    ) -> None:
        """Show these points; the selection stays, and the zoom while the axes mean the same.

        Parameters
        ----------
        xy : (n, 2) float
            Positions; points that are not finite are left out.
        colors : (n,) int or (n, 3) or (n, 4) uint8, or (n,) float
            For each point its class, as a position in `legend` (-1: no class), or its colour. With
            `color_label`: a measurement, not finite where it is not known.
        ids : (n,) int
            The particle of each point.
        labelled : (n,) bool, optional
            Hand-labelled particles: drawn larger, with a ring.
        legend : sequence of (name, color, count)
            The classes, shown above the plot.
        axis_labels : (str, str)
            What the two axes mean.
        details : sequence of str, or callable of int, optional
            What the tooltip says of each point after its number, instead of the class name; or
            what gives for the id of a particle all that is said of it.
        color_label : str, optional
            What is measured, with its unit, where `colors` are numbers: they are shown from
            their 2nd to their 98th percentile, and a bar takes the place of the legend.

        Raises
        ------
        InputError
            If the arrays do not fit each other.
        """
        scale = None
        if color_label is not None:
            values = np.asarray(colors, dtype=float).reshape(-1)
            scale = ColorScale.of(values, color_label)
            colors = scale.rgba(values, OPACITY)
        self._points = as_points(xy, colors, ids, legend=legend, labelled=labelled, details=details)
        self._hovered = None
        self._draw_points()
        by_hand = bool(self._points.labelled.any())
        self._bar.set_legend(legend, scale, self.theme().foreground if by_hand else None)
        for side, text in zip(("bottom", "left"), axis_labels, strict=True):
            self._plot.getPlotItem().setLabel(side, text)
        if axis_labels != self._axis_labels:
            self._axis_labels = axis_labels
            self.show_all()
        self._stack.setCurrentWidget(self._page if len(self._points) else self._message)
        self._draw_ring()

    def offer(
        self, axes: Sequence[str], shown: tuple[str, str], colorings: Sequence[str], coloring: str
    ) -> None:
        """Let a person choose what is drawn; without any names, the boxes are hidden.

        Parameters
        ----------
        axes : sequence of str
            Columns that x and y can be.
        shown : (str, str)
            Those that x and y are.
        colorings : sequence of str
            What the colours can mean.
        coloring : str
            What they mean.
        """
        self._bar.offer_axes(axes, *shown)
        self._bar.offer_colorings(colorings, coloring)

    def set_pictures(self, picture: Callable[[int], NDArray[np.uint8] | None] | None) -> None:
        """Show beside the pointer what this gives for the id of a particle: (s, s) uint8, grey.

        None stands for a particle whose picture is not there yet.
        """
        self._picture = picture

    def clear(self, message: str | None = None) -> None:
        """Show no points but a text that says what to do; the next points are shown whole."""
        self._points = NO_POINTS
        self._selected = self._hovered = None
        self._chosen = np.empty(0, np.int64)
        self._draw_points()
        self._draw_ring()
        self.show_all()
        self._message.setText(message or self.EMPTY_TEXT)
        self._stack.setCurrentWidget(self._message)

    def show_all(self) -> None:
        """Zoom so that every point is seen."""
        self._box.enableAutoRange()

    def select(self, particle: int | None, *, others: ArrayLike = (), reveal: bool = True) -> None:
        """Mark the point of one particle, and less strongly those of others.

        Parameters
        ----------
        particle : int or None
            The particle's id; None, or an id without a point, marks none. The mark stays on the
            particle when new points are set.
        others : (n,) int
            Ids of what is selected besides.
        reveal : bool
            Pan to the point if it is out of sight.
        """
        self._selected = None if particle is None else int(particle)
        self._chosen = np.asarray(others, dtype=np.int64).reshape(-1)
        self._draw_chosen()
        self._draw_ring()
        position = self._points.position(self._selected)
        if reveal and position is not None:
            self._reveal(*position)

    def selected(self) -> int | None:
        """Return the id of the marked particle."""
        return self._selected

    # ------------------------------------------------------------------ where things are

    def viewport(self) -> QWidget:
        """Return the widget that receives the mouse."""
        return self._plot.viewport()

    def point_position(self, particle: int) -> QPoint:
        """Return where a particle's point is drawn, in px of `viewport`.

        Raises
        ------
        InputError
            If the particle has no point.
        """
        position = self._points.position(particle)
        if position is None:
            raise InputError(f"Particle {particle} has no point in the latent plot.")
        self._box.updateAutoRange()
        scene = self._box.mapViewToScene(QPointF(*position))
        return QPoint(self._plot.mapFromScene(scene))

    def particle_at(self, position: QPointF) -> int | None:
        """Return the id of the nearest point within `PICK_RADIUS` of a place in the scene."""
        row = self._row_at(position)
        return None if row is None else int(self._points.ids[row])

    def _row_at(self, scene: QPointF) -> int | None:
        if not len(self._points) or not self._box.sceneBoundingRect().contains(scene):
            return None
        # The map from data to scene is a scaling and a shift: two corners give it whole.
        origin = self._box.mapViewToScene(QPointF(0.0, 0.0))
        corner = self._box.mapViewToScene(QPointF(1.0, 1.0))
        scale = (corner.x() - origin.x(), corner.y() - origin.y())
        return self._points.nearest(
            (scene.x() - origin.x(), scene.y() - origin.y()), scale, PICK_RADIUS
        )

    # ------------------------------------------------------------------ mouse

    def _on_click(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        particle = self.particle_at(event.scenePos())
        if particle is not None:
            event.accept()
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.point_toggled.emit(particle)
            else:
                self.point_clicked.emit(particle)

    def _on_lasso(self, corners: NDArray[np.float64], adds: bool) -> None:
        self.points_lassoed.emit(self._points.inside(corners), adds)

    def _on_move(self, scene: QPointF) -> None:
        row = self._row_at(scene)
        if row == self._hovered:
            return
        self._hovered = row
        viewport = self._plot.viewport()
        if row is None:
            QToolTip.hideText()
            viewport.unsetCursor()
            return
        viewport.setCursor(Qt.CursorShape.PointingHandCursor)
        place = viewport.mapToGlobal(self._plot.mapFromScene(scene) + QPoint(8, 8))
        QToolTip.showText(place, self._tip(row), viewport)

    def _tip(self, row: int) -> str:
        text = self._points.describe(row)
        picture = self._picture(int(self._points.ids[row])) if self._picture else None
        if picture is None:
            return text
        color = QColor(*self._points.colors[row, :3].tolist())
        return tip_html(text, picture, color.name())

    def eventFilter(self, watched: Any, event: QEvent) -> bool:  # noqa: N802
        """Forget the hovered point when the pointer leaves; keep our tooltip over Qt's."""
        if event.type() == QEvent.Type.Leave:
            self._hovered = None
        # Qt's own tooltip would take the place of the particle's after a moment.
        if event.type() == QEvent.Type.ToolTip and self._hovered is not None:
            return True
        return bool(super().eventFilter(watched, event))

    # ------------------------------------------------------------------ drawing

    def _point_size(self) -> int:
        count = len(self._points)
        return 9 if count <= 500 else 7 if count <= 5000 else 4

    def _draw_points(self) -> None:
        points, theme, size = self._points, self.theme(), self._point_size()
        by_hand = points.labelled
        self._dots.set_cloud(
            points.xy[~by_hand],
            points.colors[~by_hand],
            size=size,
            edge=theme.background,
            edge_width=0.5 if size > 4 else 0,
        )
        self._labelled_dots.set_cloud(
            points.xy[by_hand],
            points.colors[by_hand],
            size=max(size + 1, 8),
            edge=theme.foreground,
            edge_width=1.8,
        )
        self._draw_chosen()

    def _draw_chosen(self) -> None:
        points = self._points
        rows = np.flatnonzero(np.isin(points.ids, self._chosen))
        self._chosen_dots.set_cloud(
            points.xy[rows],
            points.colors[rows],
            size=self._point_size() + 3,
            edge=self.theme().selected,
            edge_width=2,
        )

    def _draw_ring(self) -> None:
        position = self._points.position(self._selected)
        x, y = ([], []) if position is None else ([position[0]], [position[1]])
        theme = self.theme()
        for layer, color, width in (
            (self._halo, theme.background, 6),
            (self._ring, theme.foreground, 2.5),
        ):
            layer.setData(x, y, brush=None, pen=pg.mkPen(color, width=width))

    def _reveal(self, x: float, y: float) -> None:
        self._box.updateAutoRange()
        (x_low, x_high), (y_low, y_high) = self._box.viewRange()
        if x_low <= x <= x_high and y_low <= y <= y_high:
            return
        half_width, half_height = (x_high - x_low) / 2, (y_high - y_low) / 2
        self._box.setRange(
            xRange=(x - half_width, x + half_width),
            yRange=(y - half_height, y + half_height),
            padding=0,
        )

    # ------------------------------------------------------------------ around the plot

    def _lay_out(self) -> None:
        self._page = QWidget(self)
        for side in ("bottom", "left"):
            self._plot.getPlotItem().getAxis(side).setStyle(maxTickLevel=0)
        self._bar = PlotBar(self._page)
        self._bar.all_wanted.connect(self.show_all)
        self._bar.lasso_toggled.connect(self._box.set_lassoing)
        self._bar.axes_chosen.connect(self.axes_chosen)
        self._bar.coloring_chosen.connect(self.coloring_chosen)
        self._plot.setToolTip(
            "One point a particle: points close together look alike to the model.\n"
            "Click a point to find its particle in the image; drag to pan, wheel to zoom.\n"
            "Shift and drag draws a lasso; then press the number of a class."
        )
        layout = QVBoxLayout(self._page)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self._bar)
        layout.addWidget(self._plot, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._message)
        self._stack.addWidget(self._page)

    def _apply_theme(self, theme: Theme) -> None:
        color_axes(self._plot, theme)
        self._box.set_color(theme.foreground)
        self.setStyleSheet(
            f"QLabel {{ color: {theme.foreground.name()}; background: transparent; }}"
        )
        self._message.setStyleSheet(f"color: {theme.muted.name()};")
        self._bar.set_ring(theme.foreground)
        self._draw_points()
        self._draw_ring()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows the arrangement."""
        return QSize(360, 320)
