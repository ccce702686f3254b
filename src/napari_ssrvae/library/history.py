"""Undo and redo of what a person did, as named steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from psygnal import Signal


@dataclass(frozen=True)
class Step:
    """One thing that a person did; `apply` and `revert` are exact inverses."""

    name: str
    apply: Callable[[], None]
    revert: Callable[[], None]


@dataclass(eq=False)
class Whole:
    """Steps that a person takes back as one, such as those of a job over many micrographs.

    Parameters
    ----------
    name : str
        What the person sees of them.
    """

    name: str
    _parts: list[Step] = field(default_factory=list)
    _step: Step | None = None

    def take(self, part: Step, last: Step | None) -> Step | None:
        """Take a step in; return the one for the history, None if that has it already.

        What a person did between two parts stays a step of its own, and parts the whole in two.
        """
        if self._step is not None and self._step is last:
            self._parts.append(part)
            return None
        self._parts = parts = [part]

        def apply() -> None:
            for one in parts:
                one.apply()

        def revert() -> None:
            for one in reversed(parts):
                one.revert()

        self._step = Step(self.name, apply, revert)
        return self._step


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
        self._whole: Whole | None = None

    @contextmanager
    def part_of(self, whole: Whole) -> Iterator[None]:
        """Let what is done meanwhile be taken back together with the rest of a whole."""
        before, self._whole = self._whole, whole
        try:
            yield
        finally:
            self._whole = before

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
        last = self._done[-1] if self._done else None
        new = step if self._whole is None else self._whole.take(step, last)
        if new is not None:
            self._done.append(new)
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
