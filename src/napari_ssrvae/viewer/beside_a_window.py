"""What keeps the window alive while another thread trains or predicts."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_S = 0.001
"""How long a thread may hold Python's interpreter lock while the window waits for it."""


class _BesideAWindow:
    """Counts the threads that compute, so that the last one puts all back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._before = (1, 0.005)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Keep the window alive while this thread computes.

        Torch leaves one core to the window. What exists already (half a million objects in napari)
        is kept out of Python's garbage collections, which a training provokes often: a full one
        stops every thread for a third of a second. And the window gets the interpreter lock back
        after a millisecond instead of five: one click asks for it many times.
        """
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        import torch

        with self._lock:
            self._threads += 1
            if self._threads == 1:
                self._before = torch.get_num_threads(), sys.getswitchinterval()
                sys.setswitchinterval(min(SWITCH_S, self._before[1]))
                gc.freeze()
            torch.set_num_threads(max(1, (os.cpu_count() or 1) - 1))

    def _leave(self) -> None:
        import torch

        with self._lock:
            self._threads -= 1
            torch.set_num_threads(self._before[0])
            if self._threads == 0:
                gc.unfreeze()
                sys.setswitchinterval(self._before[1])


beside_a_window = _BesideAWindow()
