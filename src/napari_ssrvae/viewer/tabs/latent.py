"""The latent plot, connected with the session: where the model has put the particles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.library.catalogue import Catalogue
from napari_ssrvae.library.selection import Place
from napari_ssrvae.viewer.tabs.base import Tab
from napari_ssrvae.viewer.tabs.scatter import (
    CLASS,
    axes_of,
    axes_shown,
    coloring,
    colorings_of,
)
from napari_ssrvae.viewer.views import LatentPlot
from napari_ssrvae.viewer.views.units import called_now


class LatentTab(Tab):
    """Shows the classified particles of all micrographs; a click selects one everywhere."""

    title = "Latent plot"
    tip = (
        "One point a particle, where the model has put it: draw around a group to select it,\n"
        "colour it by any measurement, look for what is far from its class."
    )

    def build(self) -> None:
        """Make the plot; what was chosen for it is kept here, whether it can be shown or not."""
        self.plot = LatentPlot()
        self.plot.set_pictures(self._picture)
        self.body.addWidget(self.plot)
        self._axes, self._coloring = ("z1", "z2"), CLASS
        self._shown: Catalogue | None = None
        self._told: tuple[str, ...] = ()
        self.plot.point_clicked.connect(self._on_point)
        self.plot.point_toggled.connect(self._on_toggled)
        self.plot.points_lassoed.connect(self._on_lasso)
        self.plot.axes_chosen.connect(self._on_axes)
        self.plot.coloring_chosen.connect(self._on_coloring)

    def refresh(self) -> None:
        """Draw the classified particles; an id of the plot is a row of the catalogue."""
        catalogue = self.catalogue.current()
        rows = np.flatnonzero(catalogue.predicted > 0)
        if not rows.size or not catalogue.z.shape[1]:
            self._shown = None
            self.plot.clear()
            return
        self._shown = catalogue
        self.catalogue.want_pictures()
        axes = axes_of(catalogue)
        shown = axes_shown(axes, self._axes)
        colorings = colorings_of(catalogue)
        by = called_now(self._coloring, colorings) or CLASS
        self._told = tuple(dict.fromkeys((*shown, by)))
        points = coloring(catalogue, rows, by, self.session.classes)
        self.plot.offer(list(axes), shown, colorings, by)
        self.plot.set_points(
            np.column_stack([axes[name][rows] for name in shown]),
            points.colors,
            rows,
            catalogue.hand[rows] > 0,
            legend=points.legend,
            axis_labels=shown,
            details=self._describe,
            color_label=points.label,
        )

    def show_selection(self, changed: bool = False) -> None:
        """Mark the points of what is selected."""
        selection = self.session.selection
        if selection is None or self._shown is None:
            self.plot.select(None)
            return
        others = self._shown.rows(selection) if len(selection) > 1 else ()
        self.plot.select(self._shown.row(selection.focus), others=others, reveal=changed)

    # -- beside the pointer ----------------------------------------------------------------
    def _picture(self, row: int) -> NDArray[np.uint8] | None:
        """Return the picture of a particle, None while it is not cut out."""
        if self._shown is None:
            return None
        now = self.catalogue.current().row(self._shown.place(row))
        picture = None if now is None else self.catalogue.patches([now])[0]
        return picture if picture is not None and picture.any() else None

    def _describe(self, row: int) -> str:
        catalogue = self._shown
        if catalogue is None:
            return ""
        lines = [catalogue.where(row), self._class_of(catalogue, row)]
        measured = {**catalogue.sizes, **catalogue.shapes}

        def known(name: str) -> bool:
            return name in measured and bool(np.isfinite(measured[name][row]))

        lines += [f"{name}: {measured[name][row]:.4g}" for name in self._told if known(name)]
        return "\n".join(lines)

    def _class_of(self, catalogue: Catalogue, row: int) -> str:
        hand, predicted = int(catalogue.hand[row]), int(catalogue.predicted[row])
        model = f"{self.session.class_name(predicted)} ({catalogue.confidence[row]:.0%})"
        if not hand:
            return model
        by_hand = f"{self.session.class_name(hand)} (by hand)"
        return by_hand if hand == predicted else f"{by_hand}, model: {model}"

    # -- what a person does ----------------------------------------------------------------
    def _on_axes(self, x: str, y: str) -> None:
        self._axes = (x, y)
        self._redraw()

    def _on_coloring(self, name: str) -> None:
        self._coloring = name
        self._redraw()

    def _redraw(self) -> None:
        self.refresh()
        self.show_selection()

    def _on_point(self, row: int) -> None:
        place = self._place(row)
        if place is not None:
            self.workbench.select(place.key, place.particle, center=True)

    def _on_toggled(self, row: int) -> None:
        place = self._place(row)
        if place is not None:
            self.session.toggle(place)

    def _on_lasso(self, rows: NDArray[np.int64], adds: bool) -> None:
        found = None if self._shown is None else self._shown.selection(rows)
        if not adds:
            self.session.select(found)
        elif found is not None:
            self.session.select_also(found)

    def _place(self, row: int) -> Place | None:
        return None if self._shown is None else self._shown.place(row)

    def point_of(self, place: Place) -> int | None:
        """Return the id that the plot gives to a particle's point."""
        return None if self._shown is None else self._shown.row(place)
