"""The learned images: all classes side by side, and the manifold of the one that is clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QStackedWidget

from napari_ssrvae.library.catalogue import Ids, Values
from napari_ssrvae.library.classes import ParticleClass
from napari_ssrvae.library.manifold import nearest
from napari_ssrvae.library.selection import Place
from napari_ssrvae.viewer.insight_steps import DrawnManifold, cut_upright, draw_manifold
from napari_ssrvae.viewer.tabs._latest import FrozenMicrographs, Latest
from napari_ssrvae.viewer.tabs.base import Tab
from napari_ssrvae.viewer.views.class_images import ClassImages
from napari_ssrvae.viewer.views.manifold import ClassManifold

if TYPE_CHECKING:
    from napari_ssrvae.library.workflow import Workflow

NEIGHBOURS = 8


class ClassImagesTab(Tab):
    """What the model takes each class to look like; a click on one opens its manifold."""

    title = "Class images"
    tip = "What the model takes each class to look like; click a class for all that it has learned"

    def build(self) -> None:
        """Make both views, the overview on top."""
        self.overview, self.manifold = ClassImages(), ClassManifold()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.overview)
        self.pages.addWidget(self.manifold)
        self.body.addWidget(self.pages)
        self._images: list[tuple[str, str, Any]] = []
        self._class_id: int | None = None
        self._drawn: DrawnManifold | None = None
        self._basis: tuple[Workflow, Values] | None = None
        self._places: list[Place] = []
        self._wanted: list[tuple[Place, float]] = []
        self._frozen = FrozenMicrographs(self.session)
        self._drawing = Latest(self.workbench.jobs, "manifold", self._on_drawn, self)
        self._cutting = Latest(self.workbench.jobs, "neighbours", self._on_neighbours, self)
        self.overview.class_clicked.connect(self._open_position)
        self.manifold.class_chosen.connect(self._open_position)
        self.manifold.cell_chosen.connect(self._on_cell)
        self.manifold.neighbour_clicked.connect(self._on_neighbour)
        self.manifold.back_wanted.connect(self.show_all)
        self.workbench.class_images_changed.connect(self.show_later)

    # ------------------------------------------------------------------ what is shown

    def refresh(self) -> None:
        """Show the classes as they stand, and the manifold that is open anew."""
        classes = self._classes()
        images = [(c.name, c.color, self.workbench.class_images[c.id]) for c in classes]
        if not images:
            self.overview.clear()
        elif not self._same(images):  # new cards would take the focus from the old ones
            self.overview.set_images(images)
        self._images = images
        if self._class_id in {c.id for c in classes}:
            self.open_class(self._class_id)
        else:
            self.show_all()

    def _same(self, images: list[tuple[str, str, Any]]) -> bool:
        """Say whether these images, with names and colours, are those that are shown."""
        known = self._images
        return len(images) == len(known) and all(
            one[:2] == other[:2] and one[2] is other[2]
            for one, other in zip(images, known, strict=True)
        )

    def show_all(self) -> None:
        """Go back to the pictures of all classes."""
        self._class_id = self._drawn = self._basis = None
        self._drawing.forget()
        self._cutting.forget()
        self.pages.setCurrentWidget(self.overview)

    def open_class(self, class_id: int | None) -> None:
        """Show the learned manifold of a class."""
        workflow, classes = self.session.workflow, self._classes()
        position = next((i for i, c in enumerate(classes) if c.id == class_id), None)
        if workflow is None or position is None or class_id is None:
            self.show_all()
            return
        before, self._class_id = self._class_id, class_id
        self.manifold.set_classes([(c.name, c.color) for c in classes], position)
        self.pages.setCurrentWidget(self.manifold)
        _, z = self._members(workflow)
        known = self._basis
        same = known is not None and known[0] is workflow and np.array_equal(known[1], z)
        if same and class_id == before:
            return  # a hand label, say, changes nothing of what was learned
        if class_id != before:
            self._drawn = None
            self.manifold.clear()
        self._basis = workflow, z
        self._drawing.ask(draw_manifold, workflow, class_id, z)

    def waiting(self) -> bool:
        """Say whether something is still being drawn."""
        return self._drawing.waiting() or self._cutting.waiting()

    def show_selection(self, changed: bool = False) -> None:
        """Mark where the selected particle lies."""
        selection, drawn = self.session.selection, self._drawn
        if drawn is None:
            return
        focus, cell = (None if selection is None else selection.focus), None
        if focus is not None:
            catalogue = self.catalogue.current()
            row = catalogue.row(focus)
            # Where catalogue and grid are of two models, the grid is about to be drawn anew.
            same = catalogue.z.shape[1] == len(drawn.grid.rest)
            if row is not None and same and catalogue.predicted[row] == drawn.class_id:
                i, j = drawn.grid.cells(catalogue.z[row])[0].tolist()
                cell = (i, j)
        neighbour = self._places.index(focus) if focus in self._places else None
        self.manifold.mark(cell, neighbour)

    # ------------------------------------------------------------------ what comes back

    def _on_drawn(self, drawn: DrawnManifold) -> None:
        if drawn.class_id != self._class_id:
            return
        before = self.manifold.grid.chosen() if self._drawn is not None else None
        self._drawn, self._places = drawn, []
        note = ""
        if not drawn.grid.counts.any():
            note = "No particle is of this class yet: this is what the model expects of it."
        grid = drawn.grid
        self.manifold.set_grid(drawn.images, grid.near, grid.counts, grid.z1, grid.z2, note)
        if before is None:  # begin where most particles are
            most = np.unravel_index(int(grid.counts.argmax()), grid.counts.shape)
            before = (int(most[0]), int(most[1]))
        self.manifold.choose(*before)
        self.show_selection()

    def _on_cell(self, row: int, column: int) -> None:
        workflow = self.session.workflow
        if self._drawn is None or workflow is None:
            return
        catalogue = self.catalogue.current()
        members, z = self._members(workflow)
        rows, far = nearest(z, self._drawn.grid.z[row, column], NEIGHBOURS)
        places = [catalogue.place(int(r)) for r in members[rows]]
        self._wanted = list(zip(places, far.tolist(), strict=True))
        keys = sorted({place.key for place in places})
        self._cutting.ask(
            cut_upright, workflow, [self._frozen.of(key) for key in keys], [*map(tuple, places)]
        )

    def _on_neighbours(self, images: np.ndarray) -> None:
        names = {key: s.micrograph.name for key, s in self.session.micrographs.items()}
        if not all(place.key in names for place, _ in self._wanted):
            return
        self._places = [place for place, _ in self._wanted]
        self.manifold.set_neighbours(
            images,
            [f"{far:.2f}" for _, far in self._wanted],
            [
                f"Particle {place.particle}, {names[place.key]}: {far:.3f} away in the latent "
                "space.\nClick to select it in the micrograph."
                for place, far in self._wanted
            ],
        )
        self.show_selection()

    def _on_neighbour(self, position: int) -> None:
        place = self._places[position]
        self.workbench.select(place.key, place.particle, center=True)

    def _open_position(self, position: int) -> None:
        self.open_class(self._classes()[position].id)
        self.manifold.grid.setFocus()

    # ------------------------------------------------------------------ the classes

    def _classes(self) -> list[ParticleClass]:
        """Return the classes that there are images of, in their order."""
        return [c for c in self.session.classes if c.id in self.workbench.class_images]

    def _members(self, workflow: Workflow) -> tuple[Ids, Values]:
        """Return catalogue rows and latents of what is taken for the class that is open."""
        catalogue, dims = self.catalogue.current(), int(workflow.model.latent_dim)
        if catalogue.z.shape[1] != dims:  # classes of another model, or none yet
            return np.empty(0, np.int64), np.empty((0, dims))
        known = np.isfinite(catalogue.z).all(axis=1)
        rows = np.flatnonzero((catalogue.predicted == self._class_id) & known)
        return rows, catalogue.z[rows]

    def shutdown(self) -> None:
        """Ask for nothing more."""
        self._drawing.forget()
        self._cutting.forget()
        self.workbench.class_images_changed.disconnect(self.show_later)
        super().shutdown()
