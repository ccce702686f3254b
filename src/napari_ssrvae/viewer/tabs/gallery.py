"""The tab with the gallery: pictures of all particles, to be sorted, selected and labelled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.library.catalogue import Catalogue, positions
from napari_ssrvae.viewer.tabs.base import Tab
from napari_ssrvae.viewer.views.gallery import Gallery, GalleryItems


class GalleryTab(Tab):
    """Shows every particle of the session as a tile; what is selected here is so everywhere."""

    title = "Gallery"
    tip = "Pictures of all particles: sort and filter them, select many, and label them by key"

    def build(self) -> None:
        """Make the gallery."""
        # Rows are those of the catalogue that is drawn; the session may be ahead of it.
        self._drawn = self.catalogue.current()
        self.gallery = Gallery(self._pictures, self._describe, self)
        self.body.addWidget(self.gallery)
        self.gallery.selection_made.connect(self._select)
        self.gallery.activated_row.connect(self._go_to)
        self.catalogue.pictures_changed.connect(self.gallery.refresh_pictures)

    def refresh(self) -> None:
        """Show all particles as they are known now."""
        self._drawn = catalogue = self.catalogue.current()
        if not len(catalogue):
            self.gallery.clear()
            return
        self.catalogue.want_pictures()
        self.gallery.set_items(
            _items(catalogue, [c.id for c in self.session.classes]),
            legend=[(c.name, c.color) for c in self.session.classes],
            micrograph_names=[*catalogue.micrograph_names.values()],
            ranges=("confidence", *catalogue.sizes),
        )

    def show_selection(self, changed: bool = False) -> None:
        """Mark what is selected."""
        selection = self.session.selection
        focus = self._drawn.row(selection.focus) if selection else None
        self.gallery.set_selected(self._drawn.rows(selection), focus, reveal=changed)

    def _select(self, rows: NDArray[np.int64]) -> None:
        self.session.select(self._drawn.selection(rows))

    def _go_to(self, row: int) -> None:
        place = self._drawn.place(row)
        self.workbench.select(*place, center=True, among=True)

    def _pictures(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        if not _same_particles(self.catalogue.current(), self._drawn):
            return np.zeros((len(rows), 1, 1), np.uint8)  # drawn anew in a moment
        return self.catalogue.patches(rows)

    def _describe(self, row: int) -> str:
        """Say what is known of a particle: where it is, its class and who says so, its size."""
        catalogue = self._drawn
        lines = [catalogue.where(row)]
        if hand := int(catalogue.hand[row]):
            lines.append(f"{self.session.class_name(hand)} (by hand)")
        if predicted := int(catalogue.predicted[row]):
            name, sure = self.session.class_name(predicted), catalogue.confidence[row]
            lines.append(f"{name} (the model, {sure:.0%} sure)")
        if not hand and not predicted:
            lines.append("no class")
        for name, values in catalogue.sizes.items():
            if np.isfinite(values[row]):
                lines.append(f"{name}: {values[row]:.3g}")
        return "\n".join(lines)

    def shutdown(self) -> None:
        """Disconnect from the session and the catalogue."""
        super().shutdown()
        self.catalogue.pictures_changed.disconnect(self.gallery.refresh_pictures)


def _same_particles(one: Catalogue, other: Catalogue) -> bool:
    return np.array_equal(one.keys, other.keys) and np.array_equal(one.particles, other.particles)


def _items(catalogue: Catalogue, class_ids: list[int]) -> GalleryItems:
    """Return the catalogue as the view wants it: classes and micrographs as positions in lists."""
    return GalleryItems.of(
        np.stack([catalogue.keys, catalogue.particles], axis=1),
        hand=positions(catalogue.hand, class_ids),
        predicted=positions(catalogue.predicted, class_ids),
        angles=catalogue.angle,
        micrographs=positions(catalogue.keys, [*catalogue.micrograph_names]),
        columns=catalogue.columns,
    )
