"""The dock below the micrograph: the views in tabs, and what the model sees beside them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import QComboBox, QShortcut, QSplitter, QTabWidget, QVBoxLayout, QWidget

from napari_ssrvae.viewer.picking import SHORTCUTS
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

T = TypeVar("T", bound=Tab)


class TypingFirst(QObject):
    """Lets a list of choices have the letters and digits that are typed while it has the focus.

    The views' shortcuts would reach through it, even while it is open: "m" for "mean intensity"
    would merge particles.
    """

    def guard(self, combo: QComboBox) -> None:
        """Watch a box and the list that it opens."""
        combo.installEventFilter(self)
        combo.view().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take a plain key before any shortcut does."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            none, shift = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
            held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
            removes = event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
            types = bool(event.text()) and event.text().isprintable()
            if held in (none, shift) and (types or removes):
                event.accept()
                return True
        return bool(super().eventFilter(watched, event))


class ParticleViews(QWidget):
    """All views of the particles, with one selection for all of them."""

    def __init__(self, workbench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workbench = workbench
        self.book = QTabWidget()
        self.book.setDocumentMode(True)
        for kind in TABS:
            place = self.book.addTab(kind(workbench), kind.title)
            self.book.setTabToolTip(place, kind.tip)
        self.inspector = InspectorTab(workbench)
        self.inspector.setMinimumWidth(SIZES[1] - 30)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.addWidget(self.book)
        self.split.addWidget(self.inspector)
        self.split.setStretchFactor(0, 1)
        self.split.setSizes(list(SIZES))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.split)
        self.setMinimumHeight(180)
        self._bind_keys()

    def _bind_keys(self) -> None:
        """Let the canvas's keys work here too, on the selection."""
        for shortcut in SHORTCUTS:
            keys = QKeySequence(shortcut.keys.replace("Control", "Ctrl").replace("-", "+"))
            binding = QShortcut(keys, self)
            binding.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            binding.activated.connect(partial(self.workbench.picker.press_elsewhere, shortcut))
        typing_first = TypingFirst(self)
        for combo in self.findChildren(QComboBox):
            typing_first.guard(combo)

    def tab(self, kind: type[T]) -> T:
        """Return a tab by its class."""
        return next(tab for tab in self._tabs() if isinstance(tab, kind))

    def show_tab(self, title: str) -> None:
        """Bring the tab of this title to the front."""
        self.book.setCurrentWidget(next(tab for tab in self._tabs() if tab.title == title))

    def _tabs(self) -> list[Tab]:
        return [self.inspector, *(self.book.widget(i) for i in range(self.book.count()))]

    def shutdown(self) -> None:
        """Disconnect every view."""
        for tab in self._tabs():
            tab.shutdown()
