"""The microscope's info bar: cut off by mistake, it comes back; left in, it can be cut off."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_ssrvae.errors import ParticleError, ReadError

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench

Picture = NDArray[Any]


class InfoBars(QObject):
    """Gets whole pictures, and cuts and restores the feet of micrographs.

    Parameters
    ----------
    workbench : Workbench
        Whose micrographs these are.

    Attributes
    ----------
    changed : Signal()
        A bar was found, or lost, in a micrograph where none is cut off.
    """

    changed = Signal()

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session
        self._seen: dict[int, int] = {}  # micrograph → rows of a bar that is, or was, in it

    def rows_cut(self, key: int) -> int:
        """Return how many rows of a micrograph are cut off."""
        return int(self.session.micrographs[key].micrograph.metadata.get("info_bar_rows", 0))

    def rows_seen(self, key: int) -> int:
        """Return how many rows are probably an info bar that is not cut off; 0: none."""
        return 0 if self.rows_cut(key) else self._seen.get(key, 0)

    def look_for(self, key: int) -> None:
        """Look for a bar in a micrograph that came from nowhere that would have cut it off."""
        state = self.session.micrographs.get(key)
        if state is None or "info_bar_rows" in state.micrograph.metadata:
            return
        self.workbench.jobs.start(
            f"info bar {key}",
            look_for_bar,
            state.micrograph.image,
            title=None,
            on_done=partial(self._on_seen, key),
        )

    def _on_seen(self, key: int, rows: int) -> None:
        if rows and key in self.session.micrographs:
            self._seen[key] = rows
            self.changed.emit()

    # -- whole pictures ----------------------------------------------------------------------
    def with_whole(self, key: int, then: Callable[[Picture], None]) -> None:
        """Do something with the whole picture of a micrograph, which a file may have to give.

        One sentence tells the person where it cannot be had.
        """
        state = self.session.micrographs[key]
        micrograph, cut = state.micrograph, self.rows_cut(key)
        stack = self.workbench.stacks.of(key)
        if stack is not None:
            then(replace(stack.reader, rows=None).read(stack.index_of(key)).image)
        elif not cut:
            then(micrograph.image)
        elif state.foot is not None:
            then(np.vstack([micrograph.image, state.foot]))
        elif micrograph.path is None:
            self.workbench.refuse(
                f"What was cut off {micrograph.name} is not there any more: open its file again."
            )
        else:
            self.workbench.jobs.start(
                "whole picture",
                read_whole,
                micrograph.path,
                micrograph.image,
                cut,
                micrograph.metadata.get("page"),
                title=f"Reading {micrograph.path.name} again",
                on_done=then,
            )

    # -- cutting -----------------------------------------------------------------------------
    def cut(self, rows: int) -> None:
        """Cut so many rows off the active micrograph, or off all slices of its stack; 0: none."""
        key = self.session.active_key
        if key is not None and rows != self.rows_cut(key):
            self.workbench.mirror.flush()
            self.with_whole(key, partial(self._cut, key, rows))

    def _cut(self, key: int, rows: int, whole: Picture) -> None:
        if key not in self.session.micrographs:
            return
        before, stack = self.rows_cut(key), self.workbench.stacks.of(key)
        self.workbench.stacks.keep(key)

        def picture(one: int) -> Picture:
            if stack is None:
                return whole
            return replace(stack.reader, rows=None).read(stack.index_of(one)).image

        try:
            lost = self.session.set_rows(
                key,
                whole.shape[0] - rows,
                picture,
                alike=partial(self.workbench.stacks.alike, key),
            )
        except ParticleError as error:
            self.workbench.refuse(str(error))
            self.changed.emit()
            return
        if not rows:
            self._seen[key] = before
        if lost:
            what = "particle lay" if lost == 1 else "particles lay"
            self.workbench.tell(f"{lost} {what} in what was cut off; undo brings them back.")
        self.workbench.correcting.classify_missing(key)
        self.changed.emit()


def look_for_bar(image: Picture) -> Generator[None, None, int]:
    """Count the rows of an info bar at the foot of a picture; a step for `Jobs`."""
    from napari_ssrvae.imaging.infobar import find_info_bar

    yield
    return find_info_bar(image)


def read_whole(
    path: Path, shown: Picture, cut: int, page: int | None = None
) -> Generator[None, None, Picture]:
    """Read a micrograph with its info bar; a step for `Jobs`.

    Raises
    ------
    ReadError
        The file is not there any more, or holds another picture by now.
    """
    from napari_ssrvae.imaging import read_micrograph

    yield
    whole: Picture = read_micrograph(path, page=page, info_bar=0).image
    rows = shown.shape[0]
    same = whole.shape == (rows + cut, shown.shape[1]) and np.array_equal(whole[:rows], shown)
    if not same:
        raise ReadError(
            f"{path.name} is not the picture any more that was opened: what was cut off is lost."
        )
    return whole
