"""The other images of a file that holds several, such as those of other detectors."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image, Labels
from napari.layers._source import layer_source
from qtpy.QtCore import QObject

from napari_ssrvae.imaging import Micrograph
from napari_ssrvae.viewer.adoption import OUR_READER
from napari_ssrvae.viewer.contributions import image_layer

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench

KIND = "image of a file"


class FileImages(QObject):
    """Opens another image of the file that the active micrograph is from.

    Each image is a micrograph of its own. One that was only looked at leaves when the next one
    comes, as slices of stacks do.

    Parameters
    ----------
    workbench : Workbench
        Its active micrograph is asked.
    """

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session

    def offered(self) -> list[tuple[int, str]]:
        """Return the pages of the file, and what they are called; none where there is only one."""
        state = self.session.active
        if state is None or state.micrograph.path is None:
            return []
        images = state.micrograph.metadata.get("images", ())
        return [
            (page, f"Image {number} of {len(images)}" + (f": {title}" if title else ""))
            for number, (page, title) in enumerate(images, start=1)
        ]

    def page(self) -> int:
        """Return which image of its file the active micrograph is."""
        state = self.session.active
        return 0 if state is None else int(state.micrograph.metadata.get("page", 0))

    def open(self, page: int) -> None:
        """Show another image of the file, from the session or from the file."""
        key, state = self.session.active_key, self.session.active
        if key is None or state is None or state.micrograph.path is None or page == self.page():
            return
        path = state.micrograph.path
        for other, known in self.session.micrographs.items():
            there = known.micrograph
            if there.path == path and there.metadata.get("page") == page:
                self.workbench.activate(other)
                return
        self.workbench.jobs.start(
            KIND,
            read_image,
            path,
            page,
            title=f"Reading {path.name}",
            on_done=partial(self._show, key),
        )

    def _show(self, before: int, micrograph: Micrograph) -> None:
        """Show an image that was read, as if napari had opened it with our reader."""
        data, options, _ = image_layer(micrograph)
        images, page = micrograph.metadata["images"], micrograph.metadata["page"]
        number, title = next((n, t) for n, (p, t) in enumerate(images, start=1) if p == page)
        # The number too: element maps of one detector are all called alike.
        options["name"] = f"{micrograph.name}, image {number}" + (f" ({title})" if title else "")
        with layer_source(path=str(micrograph.path), reader_plugin=OUR_READER):
            layer = Image(data, **options)
        self.workbench.viewer.add_layer(layer)
        self.workbench.adoption.adopt(layer)
        group = self.workbench.mirror.groups.get(before)
        if group is not None and self._only_looked_at(before):
            self.workbench.viewer.layers.remove(group.image)

    def _only_looked_at(self, key: int) -> bool:
        """Say whether nothing was done with a micrograph."""
        state, workbench = self.session.micrographs.get(key), self.workbench
        if state is None or state.labels is not None or state.hand_labels:
            return False
        changed = state.foot is not None or "pixel_size_by" in state.micrograph.metadata
        strokes = any(
            workbench.strokes.is_ours(layer)
            for layer in workbench.viewer.layers
            if isinstance(layer, Labels)
        )
        return not changed and not strokes and not workbench.jobs.running("find")


def read_image(path: Path, page: int) -> Generator[None, None, Micrograph]:
    """Read one image of a file; a step for `Jobs`.

    Raises
    ------
    ReadError
        The file is not there any more, or damaged.
    """
    from napari_ssrvae.imaging import read_micrograph

    yield
    return read_micrograph(path, page=page)
