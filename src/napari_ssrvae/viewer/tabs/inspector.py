"""The inspector: follows the particle in focus, and shows what the model sees in it."""

from __future__ import annotations

import numpy as np

from napari_ssrvae.library.selection import Place
from napari_ssrvae.viewer.insight_steps import Look, look_at
from napari_ssrvae.viewer.tabs._latest import FrozenMicrographs, Latest
from napari_ssrvae.viewer.tabs.base import Tab
from napari_ssrvae.viewer.views.inspector import InspectedParticle, Inspector, ProbabilityBar

KIND = "look"
LITTLE = 0.5
"""Share of a particle's contrast in the drawing below which it is like nothing learned."""


class InspectorTab(Tab):
    """What the model sees in the particle that was chosen last."""

    title = "Inspector"
    tip = "What the model sees in the particle that you clicked: pictures, angle, probabilities"

    def build(self) -> None:
        """Make the view."""
        self.view = Inspector()
        self.body.addWidget(self.view)
        self._place: Place | None = None
        self._frozen = FrozenMicrographs(self.session)
        self._latest = Latest(self.workbench.jobs, KIND, self._on_look, self)

    def refresh(self) -> None:
        """Nothing but the selection is shown; `show_selection` follows."""

    def show_selection(self, changed: bool = False) -> None:
        """Look at the particle in focus."""
        selection = self.session.selection
        self._place = None if selection is None else selection.focus
        if self._place is None or self.session.micrographs[self._place.key].labels is None:
            self._latest.forget()
            self.view.clear()
            return
        self._latest.ask(
            look_at,
            self.session.workflow,
            self.workbench.settings.patches,
            self._frozen.of(self._place.key),
            self._place.particle,
        )

    def waiting(self) -> bool:
        """Say whether the model still looks."""
        return self._latest.waiting()

    def _on_look(self, look: Look) -> None:
        if self._place is not None and self._place.key in self.session.micrographs:
            self.view.show_particle(self._described(self._place, look))

    def _described(self, place: Place, look: Look) -> InspectedParticle:
        state, view = self.session.micrographs[place.key], look.view
        bars = self._bars(place)
        note = ""
        if not bars:
            note = "Not classified yet: label a few particles of each class and train."
        elif view is None:
            note = "These classes came without a model: train, or open the model that made them."
        facts = self._facts(place, look)
        title = f"Particle {place.particle}, {state.micrograph.name}"
        if view is None:
            return InspectedParticle(title, look.patch, bars=bars, facts=facts, note=note)
        rotates = "rotation" in _invariances(self.session.workflow)
        return InspectedParticle(
            title,
            look.patch,
            view.upright,
            view.drawn,
            view.residual,
            view.angle if rotates else None,
            bars,
            facts,
            note,
        )

    def _bars(self, place: Place) -> list[ProbabilityBar]:
        predictions = self.session.micrographs[place.key].predictions
        if predictions is None:
            return []
        row = np.flatnonzero(predictions.particle_ids == place.particle)
        if not row.size:
            return []
        known = predictions.model_classes.tolist()
        p = dict(zip(known, predictions.probabilities[row[0]].tolist(), strict=True))
        return [ProbabilityBar(c.name, c.color, p[c.id]) for c in self.session.classes if c.id in p]

    def _facts(self, place: Place, look: Look) -> list[tuple[str, str]]:
        state, view, measures = self.session.micrographs[place.key], look.view, look.measures
        facts = []
        if (hand := state.hand_labels.get(place.particle)) is not None:
            facts.append(("by hand", self.session.class_name(hand)))
        pixel = state.micrograph.pixel_size
        unit = "px" if pixel is None else "nm"
        for name, column in (("diameter", "equivalent_diameter"), ("largest Feret", "max_feret")):
            value = float(measures[column]) * (pixel or 1.0)
            facts.append((name, f"{value:,.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"))
        if view is None:
            return facts
        used = _invariances(self.session.workflow)
        if "translation" in used:
            down, right = view.shift * look.patch.shape[0]
            facts.append(
                ("shift", f"{_moved(right, 'right', 'left')}, {_moved(down, 'down', 'up')}")
            )
        if "scale" in used:
            facts.append(("scale", f"× {view.scale:.2f}"))
        facts.append(("latents", ", ".join(f"z{i} = {z:.2f}" for i, z in enumerate(view.z, 1))))
        share = max(0.0, 1 - view.unexplained)
        said = f"{share:.0%} of its contrast"
        if share < LITTLE:
            said += ": like nothing that the model has learned"
        facts.append(("drawn", said))
        return facts

    def shutdown(self) -> None:
        """Ask for nothing more."""
        self._latest.forget()
        super().shutdown()


def _invariances(workflow: object) -> tuple[str, ...]:
    """Return what the model splits off as pose."""
    model = getattr(workflow, "model", None)
    return tuple(getattr(model, "invariances", ()))


def _moved(pixels: float, forward: str, back: str) -> str:
    return f"{abs(pixels):.1f} {forward if pixels >= 0 else back}"
