"""Waiting until a layout has settled: the X server answers when it likes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from qtpy.QtTest import QTest

Places = TypeVar("Places")


def settled(places: Callable[[], Places], *, rounds: int = 4, limit_s: float = 3.0) -> Places:
    """Process events until the places stay the same for some rounds; return them.

    After the limit they are returned as they are: what never settles must not go unseen.
    """
    end = time.monotonic() + limit_s
    last, same = places(), 0
    while same < rounds and time.monotonic() < end:
        QTest.qWait(5)
        now = places()
        same = same + 1 if now == last else 0
        last = now
    return last
