"""What to label next, and why."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_ssrvae.viewer.panels.base import Panel, note


class SuggestionPanel(Panel):
    """One button to the particle that the model would learn most from, one to agree with it."""

    title = "Label this next"

    def build(self) -> None:
        """Make the controls."""
        suggesting = self.workbench.suggesting
        self.go_on = QPushButton("Next (N)")
        self.go_on.setToolTip(
            "Go to the particle whose label would teach the model most: one that it doubts, that "
            "many others resemble, and unlike those that have a label"
        )
        self.go_on.clicked.connect(suggesting.go_on)
        self.accept = QPushButton("Accept (A)")
        self.accept.setToolTip("Label it as what the model takes it for, and go to the next")
        self.accept.clicked.connect(suggesting.accept)
        row = QHBoxLayout()
        row.addWidget(self.go_on)
        row.addWidget(self.accept)
        self.body.addLayout(row)
        self.why = note()
        self.body.addWidget(self.why)
        suggesting.changed.connect(self.refresh)

    def makes_sense(self) -> bool:
        """Say whether a model has classified something."""
        return self.workbench.suggesting.possible

    def refresh(self) -> None:
        """Show the particle in question and the reason."""
        suggesting = self.workbench.suggesting
        current = suggesting.current
        self.accept.setEnabled(current is not None)
        if current is None:
            self.why.setText("A few more labels help most where the model is in doubt.")
        else:
            self.why.setText(
                f"Particle {current.place.particle}: {suggesting.reason}. "
                "A class's key gives it another."
            )
