"""Background jobs: frozen inputs, job ids, and errors that reach the person.

Every job is a plain generator function run by napari's `thread_worker` machinery. It gets copies
made on the main thread; it must never touch the session, a layer or a widget. What it yields and
returns arrives on the main thread, and only while the job is still the newest of its kind.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QObject, Signal

from napari_ssrvae.errors import ParticleError

# What torch says on CUDA, MPS and CPU; on the CPU it is a plain RuntimeError.
_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")

PERCENT = 100

JobFunction = Callable[..., Generator[Any, None, Any]]


class JobError(ParticleError):
    """A job failed with something that is not ours; the message says what a person can do."""


class Failure(NamedTuple):
    """What a job returns that could not be done."""

    error: ParticleError


def guarded(function: JobFunction, *args: Any) -> Generator[Any, None, Any]:
    """Run a job; what it raises becomes its result, in words that a person can read.

    superqt takes a `RuntimeError` in a generator for the end of the application: no signal fires
    and the worker counts as running for ever. Torch's shape and out-of-memory errors are
    `RuntimeError`. And under PySide6 a worker's `errored` signal shows the person a `TypeError`:
    napari 0.9 connects it to a function that has no room for the error.
    """
    try:
        return (yield from function(*args))
    except ParticleError as error:
        return Failure(error)
    except Exception as error:
        return Failure(JobError(readable(error)))


def readable(error: BaseException) -> str:
    """Return one sentence for a person about an exception that is not ours."""
    text = str(error).strip().split("\n")[0] or type(error).__name__
    if isinstance(error, MemoryError) or any(sign in text.lower() for sign in _NO_MEMORY):
        return "The computer ran out of memory: use fewer particles or close other programs."
    if isinstance(error, OSError):
        return f"The file could not be used ({text}): check that the place exists and is writable."
    return (
        f"This step failed unexpectedly ({type(error).__name__}: {text}). Nothing was lost; "
        "try again, and report it with this sentence if it comes back."
    )


def weakly(method: Callable[..., None]) -> Callable[..., None]:
    """Return a function that calls a method as long as its object lives, and keeps it not alive."""
    known = weakref.WeakMethod(method)

    def call(*args: Any) -> None:
        if (living := known()) is not None:
            living(*args)

    return call


def _show_share(worker: Any, share: float) -> None:
    """Show in napari's activity dock which share of a job is done, if it is there at all."""
    if (bar := getattr(worker, "pbar", None)) is not None:
        bar.total = PERCENT
        bar.update(round(PERCENT * share) - bar.n)


class _ClosingWorker(GeneratorWorker):
    """Closes its generator in the worker's thread, so that `finally` blocks run there and now."""

    def __init__(self, function: JobFunction, *args: Any) -> None:
        super().__init__(function, *args)
        self.begun = threading.Event()
        self.done = threading.Event()

    def work(self) -> Any:
        self.begun.set()
        try:
            return super().work()
        finally:
            with contextlib.suppress(Exception):
                self._gen.close()
            self.done.set()


@dataclass(eq=False)
class Job:
    """One run of a job; `stop` asks it to finish early and still return what it has."""

    kind: str
    on_yield: Callable[[Any], None] | None = None
    on_done: Callable[[Any], None] | None = None
    on_error: Callable[[Exception], None] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    worker: _ClosingWorker | None = None


class Jobs(QObject):
    """Starts jobs, at most one of a kind that counts; an older one's results are dropped."""

    changed = Signal()  # a job began or ended
    failed = Signal(str, str)  # kind, sentence

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._current: dict[str, Job] = {}
        self._all: set[Job] = set()

    def running(self, kind: str) -> bool:
        """Say whether the newest job of this kind is still at work."""
        return kind in self._current

    def start(
        self,
        kind: str,
        function: JobFunction,
        *args: Any,
        title: str | None,
        on_yield: Callable[[Any], None] | None = None,
        on_done: Callable[[Any], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
        stoppable: bool = False,
    ) -> Job:
        """Start a job.

        Parameters
        ----------
        kind : str
            Jobs of the same kind replace each other.
        function : generator function
            Called with `args` in another thread, and with the keyword-free extra argument
            ``stop`` (a `threading.Event`) in front of them if `stoppable`.
        title : str or None
            What napari's activity dock says; None: nothing, for what is over in an instant or
            has a bar of ours, since making napari's takes a fifth of a second.
        on_yield, on_done, on_error : callable
            Called on the main thread with what the job yielded, returned or raised. A number from
            0 to 1 that it yields is the share done: napari's activity dock shows it.
        """
        self.cancel(kind)
        job = Job(kind, on_yield, on_done, on_error)
        if stoppable:
            args = (job.stop, *args)
        worker = create_worker(
            guarded,
            function,
            *args,
            _progress={"desc": title} if title else False,
            _worker_class=_ClosingWorker,
            _ignore_errors=True,
            _start_thread=False,
        )
        job.worker = worker
        self._current[kind] = job
        self._all.add(job)
        # napari keeps finished workers in its list of tasks, and they what they are connected with.
        worker.yielded.connect(partial(weakly(self._on_yield), job))
        worker.returned.connect(partial(weakly(self._on_returned), job))
        worker.finished.connect(partial(weakly(self._on_finished), job))
        worker.start()
        self.changed.emit()
        return job

    def ask_to_stop(self, kind: str) -> None:
        """Ask a stoppable job to finish early and return what it has."""
        if (job := self._current.get(kind)) is not None:
            job.stop.set()

    def cancel(self, kind: str) -> None:
        """Drop the newest job of this kind: it ends soon and its results go nowhere."""
        if (job := self._current.pop(kind, None)) is not None:
            job.stop.set()
            if job.worker is not None:
                job.worker.quit()
            self.changed.emit()

    def shutdown(self, seconds: float = 15.0) -> None:
        """Drop every job and wait until its thread has left our code."""
        for kind in list(self._current):
            self.cancel(kind)
        for job in list(self._all):
            if job.worker is not None and job.worker.begun.is_set():
                job.worker.done.wait(seconds)

    def _on_yield(self, job: Job, value: Any) -> None:
        if self._current.get(job.kind) is not job:
            return
        if isinstance(value, float):  # the share that is done, which is the bar's business only
            _show_share(job.worker, value)
            return
        if job.on_yield is not None:
            job.on_yield(value)

    def _on_returned(self, job: Job, value: Any) -> None:
        if self._current.get(job.kind) is not job:
            return
        del self._current[job.kind]
        if isinstance(value, Failure):
            if job.on_error is not None:
                job.on_error(value.error)
            self.failed.emit(job.kind, str(value.error))
        elif job.on_done is not None:
            job.on_done(value)
        self.changed.emit()

    def _on_finished(self, job: Job) -> None:
        self._all.discard(job)
        if self._current.get(job.kind) is job:  # cancelled from napari's own task dialog
            del self._current[job.kind]
            self.changed.emit()
        # What is left of the job, with its worker, must not keep us alive either.
        job.on_yield = job.on_done = job.on_error = job.worker = None
