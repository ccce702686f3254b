"""The microscope's info bar, found in the picture where no metadata names it.

A bar is a strip at the foot that spans the whole width, has one flat background value with
lettering on it, and begins from one row to the next. A dark or empty part of a real image has no
lettering, or fades in: when in doubt nothing is cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_SHARE = 0.25  # of the image's height
_MIN_ROWS = 12
_REMNANT = 4  # rows of picture that some programs leave below the bar
_FLAT_ROW = 0.45  # share of a row of lettering that is bar background
_FRAME_ROW = 0.95  # share of a ruled line that has one value
_FLAT_BAR = 0.60
_OTHER_ROW = 0.30  # share of the picture's last row that may look like bar background
_LETTERING = (0.003, 0.40)
_TOLERANCE, _CONTRAST = 0.025, 0.40  # of the image's range of values


def find_info_bar(image: NDArray[Any]) -> int:
    """Count the rows at the foot of the picture that are a burnt-in info bar.

    Parameters
    ----------
    image
        (H, W) grey image.

    Returns
    -------
    int
        Rows to cut off, 0 where there is no bar.
    """
    height = image.shape[0]
    if height < 4 * _MIN_ROWS or image.size == 0 or image.dtype.kind not in "uif":
        return 0
    foot = image[-int(_MAX_SHARE * height) - 2 :].astype(np.float64)
    span = float(image.max()) - float(image.min())  # in integers of 8 bit it might not fit
    if not np.isfinite(span) or span == 0:
        return 0
    value = _most_common(foot[-_MIN_ROWS:-_REMNANT], span)
    near = np.abs(foot - value) <= _TOLERANCE * span
    flat = near.mean(axis=1)
    belongs = (flat >= _FLAT_ROW) | _ruled(foot, span)
    top = len(foot) - _REMNANT
    while top > 0 and belongs[top - 1]:
        top -= 1
    rows = len(foot) - top
    if top < 2 or rows < max(_MIN_ROWS, 0.02 * height) or flat[top - 2 : top].max() > _OTHER_ROW:
        return 0
    bar = slice(top, len(foot) - _REMNANT)
    lettering = float(np.mean(np.abs(foot[bar] - value) > _CONTRAST * span))
    if near[bar].mean() < _FLAT_BAR or not _LETTERING[0] <= lettering <= _LETTERING[1]:
        return 0
    return rows


def _most_common(values: NDArray[np.float64], span: float) -> float:
    """Mode, to within the tolerance."""
    step = _TOLERANCE * span
    bins = np.rint(values / step).astype(np.int64).ravel()
    low = bins.min()
    best = int(np.argmax(np.bincount(bins - low))) + low
    return float(np.median(values.ravel()[bins == best]))


def _ruled(rows: NDArray[np.float64], span: float) -> NDArray[np.bool_]:
    """Rows that have one value nearly throughout: the lines of a frame."""
    middle = np.median(rows, axis=1, keepdims=True)
    return np.asarray((np.abs(rows - middle) <= _TOLERANCE * span).mean(axis=1) >= _FRAME_ROW)
