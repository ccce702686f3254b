"""The grid of the gallery: Qt's item view with a geometry that costs nothing, however many tiles.

`QListView` lays out every item again on each reset and resize: 100 ms for 20,000, twice. All tiles
have one size here, so where a tile lies is a division. What a click, Shift, Ctrl, a drag or a key
mean is Qt's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimerEvent,
    Signal,
)
from qtpy.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QRegion,
    QResizeEvent,
    QWheelEvent,
)
from qtpy.QtWidgets import QAbstractItemView, QWidget

from napari_ssrvae.viewer.views._gallery_order import Flags, GalleryItems, Rows
from napari_ssrvae.viewer.views._gallery_tiles import (
    PADDING,
    Pictures,
    PictureStore,
    TilePainter,
)

SMALLEST, LARGEST = 32, 160
"""Sides of a picture, in px."""

_Command = QItemSelectionModel.SelectionFlag
_Action = QAbstractItemView.CursorAction


class TileModel(QAbstractListModel):
    """The rows that are shown, in their order; a tile's text is asked for when it is needed."""

    def __init__(self, describe: Callable[[int], str], parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: Rows = np.empty(0, np.int64)
        self._describe = describe

    def set_rows(self, rows: Rows) -> None:
        """Show these rows."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        """Return how many tiles there are."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return the text of a tile, for its tooltip and for screen readers."""
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._describe(int(self.rows[index.row()]))
        return None


class AskedSelection(QItemSelectionModel):
    """Holds no selection: what is asked for is passed on, to whoever does."""

    def __init__(self, model: TileModel, choose: Callable[[Rows, Any], None]) -> None:
        super().__init__(model, model)
        self._choose = choose

    def select(self, what: Any, command: Any) -> None:
        """Pass on what Qt wants to select: one index, or ranges of them."""
        if isinstance(what, QModelIndex):
            ranges = [(what.row(), what.row())] if what.isValid() else []
        else:
            ranges = [(part.top(), part.bottom()) for part in what]
        positions = [np.arange(first, last + 1) for first, last in ranges]
        self._choose(np.concatenate(positions) if positions else np.empty(0, np.int64), command)


class TileGrid(QAbstractItemView):
    """A grid of tiles, of which only those in sight are fetched and drawn.

    Parameters
    ----------
    pictures : callable
        (m,) rows → (m, s, s) uint8.
    describe : callable
        Row → its tooltip.
    parent : QWidget
        The parent widget.

    Attributes
    ----------
    selection_wanted : Signal(object)
        The rows, (m,) int64, that a person wants selected, the one in focus last.
    row_activated : Signal(int)
        The row that was double-clicked, or had Enter pressed on it.
    side_wanted : Signal(int)
        Side of the tiles, in px, that Ctrl and the wheel ask for.
    """

    selection_wanted = Signal(object)
    row_activated = Signal(int)
    side_wanted = Signal(int)

    def __init__(self, pictures: Pictures, describe: Callable[[int], str], parent: QWidget) -> None:
        super().__init__(parent)
        self.painter, self.store = TilePainter(), PictureStore(pictures)
        self.tiles = TileModel(describe, self)
        self._columns, self._cell = 1, self.painter.side + 2 * PADDING
        # Of all rows, shown or not: as set from outside; as the gesture in progress wants them;
        # and what that gesture began with, from which a longer or shorter range starts again.
        self._selected = self._wanted = self._fixed = np.zeros(0, bool)
        self._band: tuple[QPoint, QPoint] | None = None
        self._takes_out = self._is_late = False
        self.setModel(self.tiles)
        self.setSelectionModel(AskedSelection(self.tiles, self._choose))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # A bar that came and went would change the number of columns, and that again the bar.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setAccessibleName("Particles")
        self.setFrameShape(self.Shape.NoFrame)
        # What scrolls is moved on the screen and not drawn again only if nothing shines through.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.doubleClicked.connect(self._activate)

    # ------------------------------------------------------------------ what is shown

    def set_items(self, items: GalleryItems, colors: Sequence[str]) -> None:
        """Draw these particles; selection and pictures stay if there are as many as before."""
        self.painter.set_items(items, colors)
        if len(items) != len(self._selected):
            self._selected = self._wanted = self._fixed = np.zeros(len(items), bool)
        self.viewport().update()

    def set_rows(self, rows: Rows, *, back_to_top: bool) -> None:
        """Show these rows in this order."""
        scrolled, focus = self.verticalScrollBar().value(), self.focus_row()
        self.tiles.set_rows(rows)
        self._lay_out()
        self.set_focus_row(focus)
        self.verticalScrollBar().setValue(0 if back_to_top else scrolled)

    def set_selected(self, selected: Flags) -> None:
        """Mark these of all rows, (n,) bool, as selected."""
        if not np.array_equal(selected, self._wanted):
            self._fixed = selected
        self._selected = self._wanted = selected
        self.viewport().update()

    def focus_row(self) -> int | None:
        """Return the row that the arrow keys start from."""
        index = self.currentIndex()
        return int(self.tiles.rows[index.row()]) if index.isValid() else None

    def set_focus_row(self, row: int | None, *, reveal: bool = False) -> None:
        """Let the arrow keys start from a row, if it is shown; scroll to it if asked."""
        found = np.flatnonzero(self.tiles.rows == (-1 if row is None else row))
        index = self.tiles.index(int(found[0])) if len(found) else QModelIndex()
        scrolls = self.hasAutoScroll()
        self.setAutoScroll(False)
        self.selectionModel().setCurrentIndex(index, _Command.NoUpdate)
        self.setAutoScroll(scrolls)
        if reveal and index.isValid():
            self.scrollTo(index)
        self.viewport().update()

    def set_side(self, side: int) -> None:
        """Draw the pictures with this many px a side."""
        self.painter.set_look(side=side)
        self._lay_out()

    def set_upright(self, upright: bool) -> None:
        """Turn the pictures upright, or show them as they lie."""
        self.painter.set_look(upright=upright)
        self.viewport().update()

    def forget_pictures(self) -> None:
        """Ask for the pictures anew when they are next seen."""
        self.store.clear()
        self.painter.forget_pictures()
        self.viewport().update()

    # ------------------------------------------------------------------ geometry

    def _lay_out(self) -> None:
        """Fit the tiles into the width; what is at the top stays there."""
        bar = self.verticalScrollBar()
        top = round(bar.value() / self._cell) * self._columns
        before = (self._columns, self._cell)
        self._cell = self.painter.side + 2 * PADDING
        self._columns = max(1, self.viewport().width() // self._cell)
        lines = -(-len(self.tiles.rows) // self._columns)
        bar.setRange(0, max(0, lines * self._cell - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(max(1, self._cell // 3))
        if before != (self._columns, self._cell):
            bar.setValue(top // self._columns * self._cell)
        self.viewport().update()

    def _position_at(self, point: QPoint) -> int:
        """Return the position of the tile at a point of the viewport, or -1."""
        column = point.x() // self._cell
        line = (point.y() + self.verticalOffset()) // self._cell
        position = int(line * self._columns + column)
        inside = 0 <= column < self._columns and 0 <= position < len(self.tiles.rows)
        return position if inside else -1

    def _cell_rect(self, position: int) -> QRect:
        line, column = divmod(position, self._columns)
        corner = QPoint(column * self._cell, line * self._cell - self.verticalOffset())
        return QRect(corner, QSize(self._cell, self._cell))

    def _positions_in(self, rect: QRect) -> Rows:
        """Return the positions of all tiles that meet a rectangle of the viewport, ascending."""
        offset = self.verticalOffset()
        lines = np.arange(
            max(0, (rect.top() + offset) // self._cell), (rect.bottom() + offset) // self._cell + 1
        )
        first = max(0, rect.left() // self._cell)
        columns = np.arange(first, min(self._columns - 1, rect.right() // self._cell) + 1)
        found = (lines[:, None] * self._columns + columns).ravel()
        return np.asarray(found[found < len(self.tiles.rows)], dtype=np.int64)

    def visualRect(self, index: QModelIndex) -> QRect:  # noqa: N802
        """Return where a tile is, in px of the viewport."""
        return self._cell_rect(index.row()) if index.isValid() else QRect()

    def indexAt(self, point: QPoint) -> QModelIndex:  # noqa: N802
        """Return the tile at a point of the viewport."""
        position = self._position_at(point)
        return self.tiles.index(position) if position >= 0 else QModelIndex()

    def scrollTo(  # noqa: N802
        self,
        index: QModelIndex,
        hint: Any = QAbstractItemView.ScrollHint.EnsureVisible,
    ) -> None:
        """Scroll until a tile is seen whole."""
        rect, bar = self.visualRect(index), self.verticalScrollBar()
        if not rect.isValid() or self._is_late:
            return
        if rect.top() < 0:
            bar.setValue(bar.value() + rect.top())
        elif rect.bottom() >= self.viewport().height():
            bar.setValue(bar.value() + rect.bottom() + 1 - self.viewport().height())

    def timerEvent(self, event: QTimerEvent) -> None:  # noqa: N802
        """Do not go back to what was clicked half a second ago: the person may have scrolled."""
        self._is_late = True
        super().timerEvent(event)
        self._is_late = False

    def horizontalOffset(self) -> int:  # noqa: N802
        """Return 0: tiles wrap."""
        return 0

    def verticalOffset(self) -> int:  # noqa: N802
        """Return how far the grid is scrolled."""
        return int(self.verticalScrollBar().value())

    def isIndexHidden(self, index: QModelIndex) -> bool:  # noqa: N802
        """Return False: what is hidden is not in the model."""
        return False

    def moveCursor(self, action: Any, modifiers: Any) -> QModelIndex:  # noqa: N802
        """Return the tile that a key leads to."""
        last = len(self.tiles.rows) - 1
        if last < 0:
            return QModelIndex()
        current = self.currentIndex()
        if not current.isValid():
            return self.tiles.index(max(0, self._position_at(QPoint(0, self._cell // 2))))
        page = max(1, self.viewport().height() // self._cell) * self._columns
        position, columns = current.row(), self._columns
        steps = {
            _Action.MoveLeft: -1,
            _Action.MovePrevious: -1,
            _Action.MoveRight: 1,
            _Action.MoveNext: 1,
            _Action.MoveUp: -columns,
            _Action.MoveDown: columns,
            _Action.MovePageUp: -page,
            _Action.MovePageDown: page,
        }
        if action in (_Action.MoveHome, _Action.MoveEnd):
            wanted = 0 if action == _Action.MoveHome else last
        else:
            wanted = position + steps[action]
        if wanted < 0:
            wanted = position % columns if action == _Action.MovePageUp else position
        elif wanted > last:
            # Down from the last line but one leads to the last tile, if there is none below.
            wanted = last if position // columns < last // columns else position
        return self.tiles.index(int(np.clip(wanted, 0, last)))

    # ------------------------------------------------------------------ selection

    def setSelection(self, rect: QRect, command: Any) -> None:  # noqa: N802
        """Choose what a drag covers, or, with Shift, all from where the range began."""
        if self.state() == QAbstractItemView.State.DragSelectingState:
            positions = self._positions_in(rect.normalized())
        else:
            current = self.currentIndex().row()
            start = self._position_at(rect.topLeft())
            start = current if start < 0 else start
            positions = np.arange(min(start, current), max(start, current) + 1)
        self._choose(positions, command)

    def visualRegionForSelection(self, selection: Any) -> QRegion:  # noqa: N802
        """Return all that is in sight: everything is drawn anew."""
        return QRegion(self.viewport().rect())

    def _choose(self, positions: Rows, command: Any) -> None:
        """Carry out a command of Qt's on the tiles at these positions."""
        if command == _Command.NoUpdate:
            return
        if command & _Command.Clear:
            self._fixed = np.zeros_like(self._selected)
        elif not command & _Command.Current:
            self._fixed = self._wanted
        wanted, rows = self._fixed.copy(), self.tiles.rows[positions[positions >= 0]]
        if command & _Command.Toggle:
            wanted[rows] ^= True
        elif command & (_Command.Select | _Command.Deselect):
            wanted[rows] = bool(command & _Command.Select) and not self._takes_out
        self._wanted = wanted
        self.viewport().update()

    def _publish(self) -> None:
        """Say what the finished gesture wants; what is selected then, the owner sets."""
        if not np.array_equal(self._wanted, self._selected):
            rows, focus = np.flatnonzero(self._wanted), self.focus_row()
            if focus is not None and self._wanted[focus]:
                rows = np.append(rows[rows != focus], focus)
            self.selection_wanted.emit(rows)
        self._wanted = self._selected
        self.viewport().update()

    # ------------------------------------------------------------------ mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Select at once what is clicked; a press beside the tiles may begin a drag."""
        position = self._position_at(event.position().toPoint())
        # Qt asks its own selection whether Ctrl adds or takes out, and that holds nothing.
        with_ctrl = event.modifiers() == Qt.KeyboardModifier.ControlModifier
        pressed = position >= 0
        self._takes_out = with_ctrl and pressed and bool(self._wanted[self.tiles.rows[position]])
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            at = event.position().toPoint() + QPoint(0, self.verticalOffset())
            self._band = (at, at)
        if pressed:
            self._publish()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Draw the band that a drag spans."""
        super().mouseMoveEvent(event)
        if self._band is not None:
            at = event.position().toPoint() + QPoint(0, self.verticalOffset())
            self._band = (self._band[0], at)
            self.viewport().update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Select what the band covers."""
        self._band = None
        super().mouseReleaseEvent(event)
        self._takes_out = False
        self._publish()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Scroll; with Ctrl, make the tiles larger or smaller."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            notches = event.angleDelta().y() / 120
            self.side_wanted.emit(round(self.painter.side * 1.15**notches))
            event.accept()
            return
        super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move and select; letters and digits are left to those who label with them."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._activate(self.currentIndex())
            return
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        # Qt would look for an item that begins with it.
        if event.text().strip().isprintable() and event.text().strip() and not held:
            event.ignore()
            return
        super().keyPressEvent(event)
        self._publish()

    def keyboardSearch(self, search: str) -> None:  # noqa: N802
        """Look for nothing: tiles have no names."""

    def _activate(self, index: QModelIndex) -> None:
        if index.isValid():
            self.row_activated.emit(int(self.tiles.rows[index.row()]))

    # ------------------------------------------------------------------ drawing

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fit the tiles into the new width."""
        super().resizeEvent(event)
        self._lay_out()

    def updateGeometries(self) -> None:  # noqa: N802
        """Keep the scroll bar's range."""
        super().updateGeometries()
        self._lay_out()

    def scrollContentsBy(self, dx: int, dy: int) -> None:  # noqa: N802
        """Move what is drawn; only what comes into sight is drawn anew."""
        self.viewport().scroll(dx, dy)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the tiles in sight."""
        positions = self._positions_in(event.rect())
        rows = self.tiles.rows[positions]
        images = self.store.fetch(rows)
        current = self.currentIndex().row()
        selected = self._wanted[rows].tolist()
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), self.painter.theme.background)
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
        )
        for position, row, image, is_selected in zip(
            positions.tolist(), rows.tolist(), images, selected, strict=True
        ):
            self.painter.draw(
                painter,
                QRectF(self._cell_rect(position)),
                row,
                image,
                selected=is_selected,
                focus=position == current,
            )
        if self._band is not None and self.state() == QAbstractItemView.State.DragSelectingState:
            self._draw_band(painter, *self._band)
        painter.end()

    def _draw_band(self, painter: QPainter, start: QPoint, end: QPoint) -> None:
        color = QColor(self.painter.theme.selected)
        painter.setPen(color)
        color.setAlpha(50)
        painter.setBrush(color)
        band = QRect(start, end).normalized().translated(0, -self.verticalOffset())
        painter.drawRect(band)
