"""The newest of many requests, answered in the background: one at a time, old ones dropped."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from napari_ssrvae.viewer.jobs import JobFunction
from napari_ssrvae.viewer.steps import FrozenMicrograph

if TYPE_CHECKING:
    from napari_ssrvae.library.session import Session
    from napari_ssrvae.viewer.jobs import Jobs

_NUMBERS = count(1)

PAUSE_MS = 60
"""A person who clicks through particles faster than this sees the last one only."""


class Latest(QObject):
    """Asks the jobs for one thing at a time, and always for the newest in the end.

    Parameters
    ----------
    jobs : Jobs
        Where the work is done.
    kind : str
        Of its jobs; two views of a kind do not wait for each other.
    on_done : callable
        Called with the result of the newest request, on the main thread.
    """

    def __init__(
        self, jobs: Jobs, kind: str, on_done: Callable[[Any], None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._jobs, self._kind, self._on_done = jobs, f"{kind} {next(_NUMBERS)}", on_done
        self._wanted: tuple[Any, ...] | None = None
        self._timer = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._timer.timeout.connect(self._start)

    def ask(self, function: JobFunction, *args: Any) -> None:
        """Ask for this in the place of whatever was asked for before."""
        self._wanted = (function, *args)
        self._timer.start()

    def forget(self) -> None:
        """Want nothing any more."""
        self._timer.stop()
        self._wanted = None

    def waiting(self) -> bool:
        """Say whether an answer is still to come."""
        return self._wanted is not None

    def _start(self) -> None:
        wanted = self._wanted
        if wanted is None or self._jobs.running(self._kind):
            return  # what runs asks again when it is done

        def done(result: Any) -> None:
            if self._wanted is wanted:
                self._wanted = None
                self._on_done(result)
            else:
                self._start()

        def failed(_: Exception) -> None:
            if self._wanted is wanted:
                self._wanted = None
            else:
                self._start()

        function, *args = wanted
        self._jobs.start(self._kind, function, *args, title=None, on_done=done, on_error=failed)


class FrozenMicrographs:
    """Micrographs as jobs know them, kept while nothing in them changes: grey levels stay known."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: dict[int, FrozenMicrograph] = {}

    def of(self, key: int) -> FrozenMicrograph:
        """Return one micrograph."""
        state, kept = self._session.micrographs[key], self._kept.get(key)
        if (
            kept is None
            or kept.labels is not state.labels
            or kept.micrograph is not state.micrograph
            or kept.predictions is not state.predictions
        ):
            self._kept = {k: f for k, f in self._kept.items() if k in self._session.micrographs}
            self._kept[key] = kept = FrozenMicrograph.of(key, state)
        return kept
