"""What all tabs share: drawn from the catalogue while they are seen, one selection for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench


class Tab(QWidget):
    """One view of the particles. It shows session and catalogue and holds none of them.

    A tab that nobody sees draws nothing: it does so once it is shown.

    Parameters
    ----------
    workbench : Workbench
        Its session, catalogue, jobs and camera.
    """

    title = ""
    tip = ""

    def __init__(self, workbench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workbench, self.session = workbench, workbench.session
        self.catalogue = workbench.catalogue
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 0, 0, 0)
        self._outdated = self._selection_outdated = True
        self.build()
        self.catalogue.changed.connect(self.show_later)
        self.session.selection_changed.connect(self._on_selection)

    def build(self) -> None:
        """Make the view; called once."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show the catalogue as it stands; `show_selection` follows."""
        raise NotImplementedError

    def show_selection(self, changed: bool = False) -> None:
        """Show what is selected.

        Parameters
        ----------
        changed : bool
            Whether another selection was made since, which is then to come into sight; else the
            same one is only drawn again, and the person stays where they look.
        """

    def show_later(self) -> None:
        """Refresh now, or once the tab is seen."""
        self._outdated = True
        self._catch_up()

    def _on_selection(self) -> None:
        self._selection_outdated = True
        self._catch_up()

    def _catch_up(self) -> None:
        if not self.isVisible():
            return
        outdated, changed = self._outdated, self._selection_outdated
        self._outdated = self._selection_outdated = False
        if outdated:
            self.refresh()
        if outdated or changed:
            self.show_selection(changed)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Draw what has changed while nobody looked."""
        super().showEvent(event)
        self._catch_up()

    def shutdown(self) -> None:
        """Disconnect from the session and the catalogue."""
        self.catalogue.changed.disconnect(self.show_later)
        self.session.selection_changed.disconnect(self._on_selection)
