"""The dock below the micrograph: the views in tabs, and what the model sees beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QSplitter, QTabWidget, QVBoxLayout, QWidget

from napari_ssrvae.viewer.dock_frame import DockWidget
from napari_ssrvae.viewer.key_binding import TypingFirst, bind_keys
from napari_ssrvae.viewer.tabs.base import Tab
from napari_ssrvae.viewer.tabs.gallery import GalleryTab
from napari_ssrvae.viewer.tabs.inspector import InspectorTab
from napari_ssrvae.viewer.tabs.latent import LatentTab
from napari_ssrvae.viewer.tabs.manifold import ClassImagesTab
from napari_ssrvae.viewer.tabs.report import ReportTab

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench

TABS: tuple[type[Tab], ...] = (LatentTab, GalleryTab, ClassImagesTab, ReportTab)

SIZES = (640, 230)
"""Widths of the tabs and of the inspector beside them, as far as there is room, px."""

NEXT_TAB_MS = 60
"""Between the making of one tab and of the next."""

T = TypeVar("T", bound=Tab)


class ParticleViews(DockWidget):
    """All views of the particles, with one selection for all of them.

    Life cycle: as that of the dock that opens it, or of its own dock if that is closed before.
    """

    closed = Signal()

    def __init__(self, workbench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workbench = workbench
        self.book = QTabWidget()
        self.book.setDocumentMode(True)
        self.inspector = InspectorTab(workbench)
        self.inspector.setMinimumWidth(SIZES[1] - 30)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.addWidget(self.book)
        self.split.addWidget(self.inspector)
        self.split.setStretchFactor(0, 1)
        self.split.setSizes(list(SIZES))
        self.book.currentChanged.connect(self._fold_inspector)
        workbench.session.selection_changed.connect(self._fold_inspector)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.split)
        self.setMinimumHeight(180)
        bind_keys(self, workbench.picker.press_elsewhere, children=True, giving_way=False)
        self._typing_first = TypingFirst(self)
        # One by one when Qt has time, and after the dock has its place: all at once are a stall.
        self._to_come = list(TABS)
        self._soon = QTimer(self, interval=NEXT_TAB_MS)
        self._soon.timeout.connect(self._add_next)
        self._soon.start()

    def _add_next(self) -> None:
        """Make a tab that is not there yet."""
        if not self._to_come:
            self._soon.stop()
            return
        kind = self._to_come.pop(0)
        tab = kind(self.workbench)
        if kind in (LatentTab, GalleryTab):  # a table's Delete must not delete particles
            press = self.workbench.picker.press_elsewhere
            bind_keys(tab, press, children=True, giving_way=True)
        for combo in tab.findChildren(QComboBox):
            self._typing_first.guard(combo)
        self.book.setTabToolTip(self.book.addTab(tab, kind.title), kind.tip)

    def _fold_inspector(self, *_: object) -> None:
        """Leave its room to the report while nothing is selected: tables are wide."""
        in_report = isinstance(self.book.currentWidget(), ReportTab)
        self.inspector.setVisible(not in_report or self.workbench.session.selection is not None)

    def tab(self, kind: type[T]) -> T:
        """Return a tab by its class."""
        return next(tab for tab in self._tabs() if isinstance(tab, kind))

    def show_tab(self, title: str) -> None:
        """Bring the tab of this title to the front."""
        self.book.setCurrentWidget(next(tab for tab in self._tabs() if tab.title == title))

    def _tabs(self) -> list[Tab]:
        while self._to_come and not self._over:
            self._add_next()
        return [self.inspector, *(self.book.widget(i) for i in range(self.book.count()))]

    def _end(self) -> None:
        self._soon.stop()
        self.workbench.session.selection_changed.disconnect(self._fold_inspector)
        for tab in self._tabs():
            tab.shutdown()
        self.closed.emit()
