"""Undo and redo of what a person did, as named steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from psygnal import Signal


@dataclass(frozen=True)
class Step:
    """One thing that a person did; `apply` and `revert` are exact inverses."""

    name: str
    apply: Callable[[], None]
    revert: Callable[[], None]


class History:
    """A stack of steps with a place in it.

    Parameters
    ----------
    limit : int
        How many steps are kept; the oldest are forgotten first.
    """

    changed = Signal()

    def __init__(self, limit: int = 500) -> None:
        self._done: deque[Step] = deque(maxlen=limit)
        self._undone: list[Step] = []

    @property
    def undo_name(self) -> str | None:
        """Name of the step that `undo` would take back, or None."""
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        """Name of the step that `redo` would do again, or None."""
        return self._undone[-1].name if self._undone else None

    @property
    def undo_names(self) -> tuple[str, ...]:
        """Names of the steps that `undo` would take back, the next one first."""
        return tuple(step.name for step in reversed(self._done))

    @property
    def redo_names(self) -> tuple[str, ...]:
        """Names of the steps that `redo` would do again, the next one first."""
        return tuple(step.name for step in reversed(self._undone))

    def do(self, step: Step) -> None:
        """Apply a new step and remember it; what had been undone is forgotten."""
        step.apply()
        self._done.append(step)
        self._undone.clear()
        self.changed.emit()

    def undo(self) -> str | None:
        """Take the last step back; return its name, or None if there is none."""
        if not self._done:
            return None
        step = self._done.pop()
        step.revert()
        self._undone.append(step)
        self.changed.emit()
        return step.name

    def redo(self) -> str | None:
        """Do the last undone step again; return its name, or None if there is none."""
        if not self._undone:
            return None
        step = self._undone.pop()
        step.apply()
        self._done.append(step)
        self.changed.emit()
        return step.name

    def clear(self) -> None:
        """Forget every step."""
        self._done.clear()
        self._undone.clear()
        self.changed.emit()
