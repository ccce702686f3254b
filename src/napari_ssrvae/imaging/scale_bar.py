"""The length in pixels of a scale bar that is burnt into the picture.

A person draws a line along the bar; its ends are moved to where the bar really begins and ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError

Point = tuple[float, float]

_LEAN = 0.35  # how far a line that is meant to be level may rise, a share of its length
_BESIDE = (12.0, 0.15, 40.0)  # px, share of the length, px: how far off the bar a line may lie
_BEYOND = (8.0, 0.20, 60.0)  # the same: how far off the bar's ends its ends may lie
_SAME = 0.20  # of the range of values around: pixels that differ by less are of one colour
_STEP = 0.35  # of that range: how much an end of the bar stands out, at least
_UNIFORM = 0.90  # share of the outer parts of the bar that has its colour
_OUTER = 0.30  # the outer parts, a share of the length; between them there may be lettering
_TICK = (4.0, 0.03)  # px, share of the length: runs that differ by less are of one bar


@dataclass(frozen=True)
class ScaleBar:
    """A line along a scale bar.

    Attributes
    ----------
    start, end : (float, float)
        Its ends in pixels (y, x), on the edges of the bar: pixel 3 reaches from 2.5 to 3.5.
    found : bool
        Whether a bar was found there; else these are the ends that were drawn.
    """

    start: Point
    end: Point
    found: bool

    @property
    def length(self) -> float:
        """Its length in pixels."""
        return float(np.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1]))


class _Run(NamedTuple):
    """Pixels of one colour in one row, and where they end to a fraction of a pixel."""

    row: int
    left: float
    right: float
    color: float

    @property
    def length(self) -> float:
        return self.right - self.left


def bar_length(image: ArrayLike, start: Point, end: Point) -> float:
    """Measure the scale bar along which a line was drawn.

    Parameters
    ----------
    image : (H, W) array
        The picture with the bar.
    start, end : (float, float)
        Ends of the line in pixels (y, x), roughly at those of the bar, in any order.

    Returns
    -------
    float
        Length of the bar in pixels; of the drawn line where there is no bar near it.

    Raises
    ------
    InputError
        The ends are one point, or no finite numbers.
    """
    return find_bar(image, start, end).length


def find_bar(image: ArrayLike, start: Point, end: Point) -> ScaleBar:
    """Find the level or upright scale bar along which a line was drawn; see `bar_length`.

    The bar may be bright or dark, a box, a frame, or a line one pixel thin, with or without ticks
    at its ends and with lettering in its middle. From ticks or a frame it is measured from the
    middle of one line to the middle of the other, as microscopes draw them.

    Returns
    -------
    ScaleBar
        From left to right, or from top to bottom.
    """
    picture = np.asarray(image)
    (y0, x0), (y1, x1) = start, end
    if not np.isfinite((y0, x0, y1, x1)).all() or np.hypot(y1 - y0, x1 - x0) < 1:
        raise InputError(
            "The line has no length: draw it from one end of the scale bar to the other."
        )
    drawn = ScaleBar((y0, x0), (y1, x1), False)
    if picture.ndim != 2:
        return drawn
    if abs(y1 - y0) <= _LEAN * abs(x1 - x0):
        run = _longest_run((y0 + y1) / 2, min(x0, x1), max(x0, x1), picture)
        return drawn if run is None else ScaleBar((run.row, run.left), (run.row, run.right), True)
    if abs(x1 - x0) <= _LEAN * abs(y1 - y0):
        run = _longest_run((x0 + x1) / 2, min(y0, y1), max(y0, y1), picture.T)
        return drawn if run is None else ScaleBar((run.left, run.row), (run.right, run.row), True)
    return drawn


def _reach(limits: tuple[float, float, float], length: float) -> float:
    least, share, most = limits
    return min(max(least, share * length), most)


def _longest_run(y: float, left: float, right: float, picture: NDArray[np.generic]) -> _Run | None:
    """Return the bar near a level line; None where there is none.

    The space between two ticks, and the inside of a frame, are runs of one colour too, a little
    shorter than the bar: of the runs that end where the best does, the longest counts, and theirs
    say how wide the ticks are.
    """
    length = right - left
    beside, beyond = _reach(_BESIDE, length), _reach(_BEYOND, length)
    top, bottom = max(0, round(y - beside)), min(picture.shape[0], round(y + beside) + 1)
    first = max(0, int(left - beyond) - 4)
    last = min(picture.shape[1], int(np.ceil(right + beyond)) + 5)
    around = picture[top:bottom, first:last].astype(np.float64)
    if around.size == 0 or not np.isfinite(around).all():
        return None
    span = float(np.ptp(around))
    if span == 0:
        return None
    drawn = (left - first, right - first)
    found = [_run_in(values, drawn, beyond, span) for values in around]
    runs = [_Run(i, *ends) for i, ends in enumerate(found) if ends is not None]
    if not runs:
        return None

    def off(run: _Run) -> float:
        return abs(run.left - drawn[0]) + abs(run.right - drawn[1])

    best = min(runs, key=off)
    tick = 2 * max(_TICK[0], _TICK[1] * best.length)
    of_bar = [run for run in runs if abs(run.length - best.length) <= tick]
    longest = max(of_bar, key=lambda run: run.length)
    same = _median([run for run in of_bar if longest.length - run.length <= 1])
    between = [
        run
        for run in of_bar
        if run.left > same.left + 0.5
        and run.right < same.right - 0.5
        and abs(run.color - same.color) > _SAME * span
    ]
    inner = _median(between) if between else same
    return _Run(
        top + same.row,
        first + (same.left + inner.left) / 2,
        first + (same.right + inner.right) / 2,
        same.color,
    )


def _median(runs: list[_Run]) -> _Run:
    row, left, right, color = np.median(np.array(runs), axis=0).tolist()
    return _Run(int(row), left, right, color)


def _run_in(
    values: NDArray[np.float64], drawn: tuple[float, float], beyond: float, span: float
) -> tuple[float, float, float] | None:
    """Return where the bar begins and ends in a row, and its colour; None where it has none."""
    left, right = drawn
    length = right - left
    inset = min(beyond, 0.15 * length)
    outer = max(_OUTER * length, inset + 1)
    ends = (
        np.arange(round(left + inset), round(left + outer) + 1),
        np.arange(round(right - outer), round(right - inset) + 1),
    )
    inside = np.concatenate(ends).clip(0, len(values) - 1)
    color = float(np.median(values[inside]))
    same = np.abs(values - color) <= _SAME * span
    if same[inside].mean() < _UNIFORM:
        return None
    from_left = _edge(values[::-1], same[::-1], len(values) - 1 - int(ends[0][-1]), color, span)
    to_right = _edge(values, same, int(ends[1][0]), color, span)
    if from_left is None or to_right is None:
        return None
    begins = len(values) - 1 - from_left
    if abs(begins - left) > beyond or abs(to_right - right) > beyond:
        return None
    return begins, to_right, color


def _edge(
    values: NDArray[np.float64], same: NDArray[np.bool_], at: int, color: float, span: float
) -> float | None:
    """Go right from inside the bar until its colour ends; None where that does not stand out.

    The edge is where the values are half way between inside and outside.
    """
    at = min(max(at, 0), len(values) - 1)
    other = np.flatnonzero(~same[at:])
    if other.size == 0:
        return None
    out = at + int(other[0])
    beyond = float(np.median(values[out + 1 : out + 4] if out + 1 < len(values) else values[out]))
    # The first pixel outside may be a tick's or a frame's, thin as they are.
    level = max(float(values[out]), beyond, key=lambda v: abs(v - color))
    if abs(level - color) < _STEP * span or out == 0:
        return None
    half = (level + color) / 2
    i = out
    while i + 1 < len(values) and (values[i] - half) * (level - half) < 0:
        i += 1
    inner, outer = float(values[i - 1]), float(values[i])
    if inner == outer:
        return i - 0.5
    return i - 1 + float(np.clip((half - inner) / (outer - inner), 0, 1))
