"""The one dock: panels from top to bottom in the order of the work."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import napari.viewer
from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QMainWindow, QScrollArea, QToolButton, QVBoxLayout, QWidget

from napari_ssrvae.library.session import Session
from napari_ssrvae.viewer.calm import calm_spinner
from napari_ssrvae.viewer.dock_frame import DockWidget, frame_of, hide_on_close
from napari_ssrvae.viewer.guide import next_step
from napari_ssrvae.viewer.legend import CanvasLegend, canvas_of
from napari_ssrvae.viewer.panels.base import Panel, note
from napari_ssrvae.viewer.panels.classes import ClassesPanel
from napari_ssrvae.viewer.panels.export import ExportPanel
from napari_ssrvae.viewer.panels.live import LivePanel
from napari_ssrvae.viewer.panels.micrograph import MicrographPanel
from napari_ssrvae.viewer.panels.particles import ParticlesPanel
from napari_ssrvae.viewer.panels.result import ResultPanel
from napari_ssrvae.viewer.panels.suggestion import SuggestionPanel
from napari_ssrvae.viewer.panels.train import TrainPanel
from napari_ssrvae.viewer.settings import SettingsKeeper, read_settings
from napari_ssrvae.viewer.warm_up import warm_up
from napari_ssrvae.viewer.workbench import Workbench

if TYPE_CHECKING:
    from napari_ssrvae.viewer.views_dock import ParticleViews

# Long enough for napari to have painted the dock.
WARM_UP_MS = 300
# A message that is this old has been read by who goes on with the work.
READ_S = 2.0

PANELS: tuple[type[Panel], ...] = (
    MicrographPanel,
    ParticlesPanel,
    ClassesPanel,
    TrainPanel,
    ResultPanel,
    SuggestionPanel,
    LivePanel,
    ExportPanel,
)


class PanelScroll(QScrollArea):
    """Scrolls panels up and down, and is as wide as they are with the bar beside them."""

    LEAST = 302
    """px: what the widest panel asks for, so that the dock does not widen when it appears."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # Tab goes from control to control

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Leave room for the bar, whether it is there or not: nothing may lie under it."""
        inside = self.widget()
        wide = 0 if inside is None else inside.minimumSizeHint().width()
        wide += self.verticalScrollBar().sizeHint().width() + 2 * self.frameWidth()
        return QSize(max(self.LEAST, wide), super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Ask for room anew when the panels have changed; Qt lets a scroll area watch them."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))


class ParticleClassifier(DockWidget):
    """The dock widget.

    Life cycle: napari makes it and adds it to a dock, whose cross hides it with all that a person
    has made (`dock_frame`). When the dock is removed, or the viewer closes, napari takes the
    widget out of its parent (it calls no `closeEvent`); `shutdown` then ends jobs, callbacks, key
    bindings, timers and the views, once.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session = Session()
        self._said_at = 0.0
        self.workbench = Workbench(napari_viewer, self.session, read_settings())
        self.keeper = SettingsKeeper(self.workbench)
        self.views: ParticleViews | None = None
        self._views_dock: QWidget | None = None
        self.legend: CanvasLegend | None = None
        # One action emits several signals; the panels are refreshed once after them.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.refresh)
        self._build()
        self._connect()
        self.refresh()
        self.warming: threading.Thread | None = None
        self._warm = QTimer(self, singleShot=True, interval=WARM_UP_MS)
        self._warm.timeout.connect(self._warm_up)
        self._warm.start()

    def _warm_up(self) -> None:
        self.warming = warm_up()
        calm_spinner(self.window())

    # -- building --------------------------------------------------------------------------
    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Listen to mouse and keys, until the cross is clicked."""
        super().showEvent(event)
        hide_on_close(self, self._rest)
        self.workbench.picker.wake()
        self._later()  # now that there is a canvas to draw on

    def _rest(self) -> None:
        """Be hidden by the cross: nothing is lost, and the canvas is napari's own again."""
        self.workbench.picker.sleep()
        if self.views is not None and (frame := frame_of(self.views)) is not None:
            frame.close()

    def _build(self) -> None:
        self.next = note()
        self.next.setObjectName("NextStep")
        self.banner = note()
        self.banner.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.dismiss = QToolButton()
        self.dismiss.setText("✕")
        self.dismiss.setToolTip("Dismiss this message")
        self.dismiss.setAccessibleName("Dismiss this message")
        self.dismiss.clicked.connect(self._dismiss)
        message = QHBoxLayout()
        message.addWidget(self.banner, 1)
        message.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(6, 2, 6, 6)
        self.panels = {panel: panel(self.workbench) for panel in PANELS}
        for panel in self.panels.values():
            column.addWidget(panel)
        column.addStretch(1)
        self.scroll = PanelScroll()
        self.scroll.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.next)
        layout.addLayout(message)
        layout.addWidget(self.scroll, 1)
        self._dismiss()

    def _connect(self) -> None:
        session, workbench = self.session, self.workbench
        self._signals = (
            session.micrographs_changed,
            session.active_changed,
            session.particles_changed,
            session.hand_labels_changed,
            session.classes_changed,
            session.current_class_changed,
            session.predictions_changed,
            session.workflow_changed,
            session.history.changed,
            session.selection_changed,
        )
        for signal in self._signals:
            signal.connect(self._later)
        workbench.jobs.changed.connect(self._later)
        workbench.armed_changed.connect(self._later)
        workbench.adoption.labels_layers_changed.connect(self._later)
        workbench.message.connect(self.show_message)
        session.history.changed.connect(self._dismiss_read)
        workbench.views_wanted.connect(self.show_views)
        workbench.training_started.connect(self._make_views)
        self.viewer.layers.selection.events.active.connect(self._later)

    # -- showing ---------------------------------------------------------------------------
    def _later(self, *_: object) -> None:
        if not self._over:  # jobs that end with the dock say so
            self._soon.start()

    def refresh(self) -> None:
        """Show the session as it stands; panels that make no sense yet stay hidden."""
        for panel in self.panels.values():
            sensible = panel.makes_sense()
            panel.setVisible(sensible)
            if sensible:
                panel.refresh()
        busy = self.workbench.jobs.running("train")
        self.next.setText(
            "<b>Next:</b> "
            + ("you can go on labelling while it trains." if busy else next_step(self.session))
        )
        self._refresh_legend()

    def _refresh_legend(self) -> None:
        if self.legend is None and (canvas := canvas_of(self.window())) is not None:
            self.legend = CanvasLegend(canvas, self.session)
            self.workbench.mirror.outlines.draw_on(canvas)
            self.legend.raise_()
        if self.legend is not None:
            self.legend.refresh()

    def show_message(self, sentence: str, is_error: bool = True) -> None:
        """Show one sentence to the person until it is dismissed or replaced."""
        color = "#7a2e2e" if is_error else "#2e5a3a"
        self.banner.setStyleSheet(
            f"background: {color}; color: white; padding: 6px; border-radius: 3px;"
        )
        self.banner.setText(sentence)
        self._said_at = time.monotonic()
        self.banner.show()
        self.dismiss.show()

    def _dismiss_read(self) -> None:
        """Take a message away once the person goes on, but not the one that this step brought."""
        if time.monotonic() - self._said_at > READ_S:
            self._dismiss()

    def _dismiss(self) -> None:
        self.banner.clear()
        self.banner.hide()
        self.dismiss.hide()

    def show_views(self, title: str = "") -> None:
        """Open the views below the micrograph, with the one of this title in front."""
        if self._over:
            return
        views = self._make_views()
        if self._views_dock is not None:
            self._views_dock.show()
        if title:
            views.show_tab(title)
        else:  # the next steps come into sight: looking, new micrographs, export
            self.scroll.ensureWidgetVisible(self.panels[ExportPanel])

    def _make_views(self) -> ParticleViews:
        """Return the views; made if they are not there, as a training begins, not as it ends.

        They get their place in the window at once, hidden: much of the work of showing them.
        """
        if self.views is None:
            from napari_ssrvae.viewer.views_dock import ParticleViews

            self.views = ParticleViews(self.workbench)
            self.views.closed.connect(self._forget_views)
            self._take_the_corner()
            self._views_dock = self.viewer.window.add_dock_widget(
                self.views, name="Particle views", area="bottom"
            )
            hide_on_close(self.views)
            self._views_dock.hide()
        return self.views

    def _take_the_corner(self) -> None:
        """Let the docks on both sides keep their height beside the views.

        The steps are read from top to bottom, and below napari's layer list the views would have
        no room to grow on a small screen.
        """
        window = self.window()
        if isinstance(window, QMainWindow):
            window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
            window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)

    def _forget_views(self) -> None:
        views, self.views, self._views_dock = self.views, None, None
        if views is not None:
            views.deleteLater()

    # -- end of life -----------------------------------------------------------------------
    def _end(self) -> None:
        self._soon.stop()
        self._warm.stop()
        self.panels[ParticlesPanel].again.stop()  # a setting was changed a moment ago
        self.keeper.save()
        for signal in self._signals:
            signal.disconnect(self._later)
        self.session.history.changed.disconnect(self._dismiss_read)
        self.viewer.layers.selection.events.active.disconnect(self._later)
        if self.views is not None and self._views_dock is not None:
            self.viewer.window.remove_dock_widget(self.views)  # which shuts them down
        elif self.views is not None:
            self.views.shutdown()
        if self.legend is not None:
            self.legend.shutdown()
            self.legend = None
        self.workbench.shutdown()
