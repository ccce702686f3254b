"""The pixel size from a line along the scale bar that is burnt into the picture."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.scale_bar import ScaleBar, find_bar
from napari_ssrvae.viewer.adoption import show_picture
from napari_ssrvae.viewer.placement import obstacle
from napari_ssrvae.viewer.views.line_tool import LineTool

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench

COLOR = "#ffd23f"


class BarMeasuring(QObject):
    """Lets a person draw a line over the canvas, and snaps it to the scale bar.

    An info bar that is cut off is shown meanwhile, since that is where the scale bar is; the
    session knows nothing of it. Nothing of the line stays when it is over.

    Parameters
    ----------
    workbench : Workbench
        Its active micrograph is measured.

    Attributes
    ----------
    changed : Signal()
        It has begun, or is over.
    measured : Signal(object)
        A `ScaleBar`, in pixels.
    """

    changed = Signal()
    measured = Signal(object)

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session
        self.tool: LineTool | None = None
        self.shows_info_bar = False
        self._key: int | None = None
        self._picture: NDArray[Any] | None = None
        self.session.active_changed.connect(self._on_other)
        workbench.viewer.dims.events.ndisplay.connect(self._on_view)

    @property
    def active(self) -> bool:
        """Whether a line is being drawn, or its length asked for."""
        return self._key is not None

    # -- beginning and ending ----------------------------------------------------------------
    def start(self) -> None:
        """Begin; an info bar that is cut off is brought onto the screen first."""
        key, state = self.session.active_key, self.session.active
        if key is None or state is None or self.active:
            return
        if (sentence := obstacle(self.workbench.viewer.dims)) is not None:
            self.workbench.refuse(sentence)
            return
        canvas = self.workbench.mirror.outlines.canvas
        if canvas is None:
            return
        self._key, self._picture = key, state.micrograph.image
        self.tool = LineTool(canvas, COLOR)
        self.workbench.mirror.outlines.follow_with(self.tool)
        self.tool.drawn.connect(self._on_drawn)
        self.tool.cancelled.connect(self.stop)
        if self.workbench.info_bars.rows_cut(key):
            self.workbench.info_bars.with_whole(key, partial(self._show_whole, key))
        self.changed.emit()

    def _show_whole(self, key: int, whole: NDArray[Any]) -> None:
        if key != self._key:
            return
        image = self.workbench.mirror.groups[key].image
        self._picture, self.shows_info_bar = whole, True
        show_picture(image, whole)
        self.workbench.adoption.look_at(image)
        self.changed.emit()

    def stop(self) -> None:
        """Take line and info bar off the screen."""
        if not self.active:
            return
        key, self._key, self._picture = self._key, None, None
        tool, self.tool = self.tool, None
        if tool is not None:
            self.workbench.mirror.outlines.follow_no_more(tool)
            tool.shutdown()
        if self.shows_info_bar:
            self.shows_info_bar = False
            group = self.workbench.mirror.groups.get(key or -1)
            if group is not None and key in self.session.micrographs:
                show_picture(group.image, self.session.micrographs[key].micrograph.image)
        self.changed.emit()

    def confirm(self, pixel_size: float) -> None:
        """Set the pixel size (nm) that was found, as one step of the history."""
        self.stop()
        self.workbench.set_pixel_size(pixel_size, "the scale bar")

    def _on_other(self) -> None:
        if self.active and self.session.active_key != self._key:
            self.stop()

    def _on_view(self, event: Any = None) -> None:
        if obstacle(self.workbench.viewer.dims) is not None:
            self.stop()

    # -- the line ----------------------------------------------------------------------------
    def _on_drawn(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        if self._picture is None or self.tool is None:
            return
        try:
            bar = find_bar(self._picture, self._in_pixels(start), self._in_pixels(end))
        except InputError as error:
            self.workbench.refuse(str(error))
            return
        self._show(bar)
        self.measured.emit(bar)

    def _show(self, bar: ScaleBar) -> None:
        ends = self.workbench.mirror.outlines.in_world(np.array([bar.start, bar.end]))
        if self.tool is not None:
            self.tool.show_line(*(tuple(end) for end in ends.tolist()))

    def _in_pixels(self, place: tuple[float, float]) -> tuple[float, float]:
        """Return where a place of the canvas (down, right) lies in the picture, however placed."""
        origin, down, right = self.workbench.mirror.outlines.in_world(
            np.array([(0, 0), (1, 0), (0, 1)], dtype=float)
        )
        y, x = np.linalg.solve(np.stack([down - origin, right - origin]).T, place - origin)
        return float(y), float(x)

    def shutdown(self) -> None:
        """End, and disconnect."""
        self.stop()
        self.session.active_changed.disconnect(self._on_other)
        self.workbench.viewer.dims.events.ndisplay.disconnect(self._on_view)
