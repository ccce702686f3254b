"""The gallery: pictures of all particles as tiles: sorted, filtered, selected, labelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from qtpy.QtCore import QPoint, QSize, Qt, Signal
from qtpy.QtGui import QKeySequence, QResizeEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QPushButton,
    QShortcut,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views._gallery_bar import GalleryBar, plain_label
from napari_ssrvae.viewer.views._gallery_grid import TileGrid
from napari_ssrvae.viewer.views._gallery_order import (
    GalleryItems,
    Rows,
    Show,
    Wish,
    arrange,
)
from napari_ssrvae.viewer.views._gallery_tiles import Pictures
from napari_ssrvae.viewer.views.color import Theme, ThemedWidget
from napari_ssrvae.viewer.views.units import called_now

__all__ = ["Gallery", "GalleryItems"]

ONE_LINE = 1100
"""Width in px from which controls and counts have room beside each other."""


class Gallery(ThemedWidget):
    """Particles as tiles that a person sorts, filters and selects.

    A click selects a tile, Ctrl adds one or takes it out, Shift and the arrow keys select ranges, a
    drag all that it covers; a double click or Enter asks to see the particle in its micrograph.
    The gallery holds no selection: whoever owns it calls `set_selected`.

    Tiles never move by themselves: when labels or predictions change, the order and what is shown
    stay as they are until the person sorts again.

    Parameters
    ----------
    pictures : callable
        (m,) rows → (m, s, s) uint8, the grey pictures; asked for when tiles come into sight.
    describe : callable
        Row → what the tooltip of its tile says.
    parent : QWidget, optional
        The parent widget.

    Attributes
    ----------
    selection_made : Signal(object)
        All rows, (m,) int64, that are to be selected, the one in focus last.
    activated_row : Signal(int)
        The row of the particle that is to be shown in its micrograph.
    """

    selection_made = Signal(object)
    activated_row = Signal(int)

    EMPTY_TEXT = "Find particles to see them here"

    def __init__(
        self,
        pictures: Pictures,
        describe: Callable[[int], str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._items = GalleryItems.of(np.empty((0, 1)))
        self._selected = np.zeros(0, bool)
        self._arranged_by, self._knew_sort = Wish(), True
        self._making = self._is_outdated = False
        self.bar = GalleryBar(self)
        self.grid = TileGrid(pictures, describe, self)
        self.line = plain_label(self)
        self.again = QPushButton("Sort again", self)
        key = QShortcut(QKeySequence("F5"), self)
        key.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        key.activated.connect(self._arrange)
        self.again.setToolTip(
            "Labels or predictions have changed since the particles were sorted and filtered. "
            "Nothing moves until you ask for it (F5)"
        )
        self._message = plain_label(self)
        self.show_all = QPushButton("Show all particles", self)
        self.show_all.setToolTip("Take all filters away")
        self._lay_out()
        self.bar.wish_changed.connect(self._arrange)
        self.bar.side_changed.connect(self.grid.set_side)
        self.bar.upright_changed.connect(self.grid.set_upright)
        self.again.clicked.connect(self._arrange)
        self.show_all.clicked.connect(self.bar.clear_filters)
        self.grid.selection_wanted.connect(self._on_selection)
        self.grid.row_activated.connect(self.activated_row)
        self.grid.side_wanted.connect(self.bar.size.setValue)
        self._follow_theme()
        self.clear()

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setContentsMargins(6, 0, 4, 0)
        line.addWidget(self.line, 1)
        self.line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        line.addWidget(self.again)
        # Room for it is kept: tiles must not move when it comes.
        policy = self.again.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.again.setSizePolicy(policy)
        self._page = QWidget(self)
        page = QVBoxLayout(self._page)
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._message.setWordWrap(True)
        page.addStretch()
        page.addWidget(self._message)
        page.addWidget(self.show_all, 0, Qt.AlignmentFlag.AlignCenter)
        page.addStretch()
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._page)
        self._stack.addWidget(self.grid)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._head = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._head.setSpacing(2)
        self._head.addWidget(self.bar, 3)
        self._head.addLayout(line, 2)
        layout.addLayout(self._head)
        layout.addWidget(self._stack, 1)

    # ------------------------------------------------------------------ what is shown

    def set_items(
        self,
        items: GalleryItems,
        *,
        legend: Sequence[tuple[str, str]],
        micrograph_names: Sequence[str] = (),
        ranges: Sequence[str] = (),
    ) -> None:
        """Show these particles.

        The same particles as before (`GalleryItems.places`) stay where they are, and selected;
        others are sorted at once, and the person goes on looking at the same height.

        Parameters
        ----------
        items : GalleryItems
            n particles.
        legend : sequence of (name, color)
            The classes.
        micrograph_names : sequence of str
            The micrographs.
        ranges : sequence of str
            Columns that a range can be chosen of.
        """
        same = items.same_particles(self._items)
        scrolled, current = self.grid.verticalScrollBar().value(), self._current()
        self._items = items
        self.bar.set_choices(items, [name for name, _ in legend], micrograph_names, ranges)
        if (sort := called_now(self._arranged_by.sort, items.columns)) is not None:
            self._arranged_by = replace(self._arranged_by, sort=sort)
        if not same:
            self.grid.forget_pictures()
            self._selected = np.zeros(len(items), bool)
            self.grid.set_rows(np.empty(0, np.int64), back_to_top=False)
        self.grid.set_items(items, [color for _, color in legend])
        as_before = self.bar.wish() == self._arranged_by
        if not same or not as_before or self._may_sort_at_last():
            self._arrange()
            if not same and as_before:
                self._go_back(scrolled, *current)
        else:
            fresh = arrange(items, self._arranged_by, self._selected)
            self._is_outdated = not np.array_equal(fresh, self.shown_rows())
            self._tell()

    def _current(self) -> tuple[Rows | None, int]:
        """Return which particle the arrow keys start from, and at which position it is shown."""
        row = self.grid.focus_row()
        place = None if row is None else self._items.places[row]
        return place, int(self.grid.currentIndex().row())

    def _go_back(self, scrolled: int, place: Rows | None, position: int) -> None:
        """Look at what was looked at, or, where it is gone, at what has taken its position."""
        rows = self.shown_rows()
        if place is not None and len(rows):
            found = np.flatnonzero((self._items.places[rows] == place).all(axis=1))
            at = int(found[0]) if len(found) else min(position, len(rows) - 1)
            self.grid.set_focus_row(int(rows[at]))
        self.grid.verticalScrollBar().setValue(scrolled)

    def _may_sort_at_last(self) -> bool:
        """Say whether an order of unknown values may become one of known ones, unasked.

        That is the first prediction, if nobody is at work here whose tiles would be moved.
        """
        knows = self._items.is_known(self._arranged_by.sort)
        return knows and not self._knew_sort and not self.grid.underMouse()

    def clear(self, message: str | None = None) -> None:
        """Show no particles but a text that says what to do."""
        self.set_items(GalleryItems.of(np.empty((0, 1))), legend=())
        self._message.setText(message or self.EMPTY_TEXT)

    def refresh_pictures(self) -> None:
        """Ask for the pictures anew."""
        self.grid.forget_pictures()

    def set_selected(
        self, rows: ArrayLike, focus: int | None = None, *, reveal: bool = True
    ) -> None:
        """Mark what is selected; what was selected elsewhere is scrolled into sight.

        Parameters
        ----------
        rows : (m,) int
            Rows of the items.
        focus : int, optional
            The one of them that stands for all.
        reveal : bool
            Scroll to it and let the arrow keys start there; False where the same selection is only
            marked again.

        Raises
        ------
        InputError
            If there is no such row.
        """
        chosen = np.asarray(rows, dtype=np.int64).reshape(-1)
        if chosen.size and not 0 <= chosen.min() <= chosen.max() < len(self._items):
            raise InputError(f"The gallery shows {len(self._items)} particles, not more.")
        selected = np.zeros(len(self._items), bool)
        selected[chosen] = True
        changed = not np.array_equal(selected, self._selected)
        self._selected = selected
        self.grid.set_selected(selected)
        if not self._making:
            if changed and self._arranged_by.show is Show.SELECTED:
                self._arrange()
            if reveal and focus is not None:
                self.grid.set_focus_row(focus, reveal=True)
        self._tell()

    def shown_rows(self) -> Rows:
        """Return the rows that are shown, in their order."""
        return self.grid.tiles.rows

    def viewport(self) -> QWidget:
        """Return the widget that receives the mouse."""
        return self.grid.viewport()

    def tile_position(self, row: int) -> QPoint:
        """Return the middle of a tile, in px of `viewport`.

        Raises
        ------
        InputError
            If the row is not shown.
        """
        found = np.flatnonzero(self.shown_rows() == row)
        if not found.size:
            raise InputError(f"Particle {row} is not shown in the gallery.")
        return QPoint(self.grid.visualRect(self.grid.tiles.index(int(found[0]))).center())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Put the line beside the controls where there is room: a line more for the tiles."""
        super().resizeEvent(event)
        wide, directions = event.size().width() >= ONE_LINE, QBoxLayout.Direction
        self._head.setDirection(directions.LeftToRight if wide else directions.TopToBottom)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows a few rows of tiles."""
        return QSize(700, 260)

    # ------------------------------------------------------------------ order

    def _arrange(self) -> None:
        """Sort and filter anew."""
        wish = self.bar.wish()
        rows = arrange(self._items, wish, self._selected)
        self._knew_sort = self._items.is_known(wish.sort)
        self.grid.set_rows(rows, back_to_top=wish != self._arranged_by)
        self._arranged_by, self._is_outdated = wish, False
        self._tell()

    def _tell(self) -> None:
        """Say how many are shown and selected, and whether the order is outdated."""
        n, shown = len(self._items), self.shown_rows()
        selected = int(self._selected.sum())
        hidden = selected - int(self._selected[shown].sum())
        count = f"{n:,}" if len(shown) == n else f"{len(shown):,} of {n:,}"
        parts = [f"{count} particle{'s' if n > 1 else ''}"]
        if selected:
            parts.append(f"{selected:,} selected" + (f" ({hidden:,} not shown)" if hidden else ""))
        if self._is_outdated:
            parts.append("sorted before the last changes")
        self.line.setText(" · ".join(parts) if n else "")
        self.again.setVisible(self._is_outdated)
        self.show_all.setVisible(bool(n))
        if n and not len(shown):
            self._message.setText(self._why_none())
        self._stack.setCurrentWidget(self.grid if len(shown) else self._page)

    def _why_none(self) -> str:
        wish = self._arranged_by
        if wish.show is Show.SELECTED and not self._selected.any():
            return "Nothing is selected: select particles in the image or the latent plot."
        return f"The filters hide all {len(self._items):,} particles: take a filter away."

    # ------------------------------------------------------------------ what the person does

    def _on_selection(self, rows: Rows) -> None:
        self._making = True
        self.selection_made.emit(rows)
        self._making = False

    def _apply_theme(self, theme: Theme) -> None:
        self.grid.painter.set_theme(theme)
        self.grid.setStyleSheet(
            f"QAbstractItemView {{ background: {theme.background.name()}; border: none; }}"
        )
        self.line.setStyleSheet(f"color: {theme.muted.name()};")
        self._message.setStyleSheet(f"color: {theme.muted.name()};")
        self.again.setStyleSheet(f"color: {theme.selected.name()}; padding: 1px 8px;")
        self.grid.viewport().update()
