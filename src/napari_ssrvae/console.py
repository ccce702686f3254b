"""What the command line shows on stderr: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Steps:
    """Progress of a job with named steps; a context manager.

    Call it as (step, fraction, words). Each step is a bar of its own on a terminal; elsewhere a
    line is written when a step begins and when it ends.

    Parameters
    ----------
    titles : dict of str to str
        What to call each step.
    """

    def __init__(self, titles: dict[str, str]) -> None:
        self.titles = titles
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: set[tuple[str, bool]] = set()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
            from rich.table import Column

            self._bars = Progress(
                TextColumn("{task.description}", table_column=Column(no_wrap=True)),
                BarColumn(bar_width=16, table_column=Column(min_width=16)),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeElapsedColumn(),
                # The words give way where the terminal is narrow, not the bar.
                TextColumn(
                    "{task.fields[words]}",
                    markup=False,
                    table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
                ),
                expand=True,
                console=Console(stderr=True),
            )
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, step: str, fraction: float, words: str = "") -> None:
        """Show that `fraction` (0 to 1) of `step` is done."""
        title = self.titles.get(step, step)
        if self._bars is None:
            self._tell(step, title, fraction >= 1, words)
            return
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(title, total=1.0, words="")
        self._bars.update(self._tasks[step], completed=fraction)
        if words:  # a step that ends without a word keeps its last one
            self._bars.update(self._tasks[step], words=words)

    def _tell(self, step: str, title: str, done: bool, words: str) -> None:
        if (step, done) in self._told:
            return
        self._told.add((step, done))
        say(f"{title}: done{f' ({words})' if words else ''}" if done else f"{title} ...")


def say(sentence: str) -> None:
    """Write a line to stderr."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201
