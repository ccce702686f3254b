"""Whether probabilities mean what they say: reliability bins and expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from napari_ssrvae.errors import InputError

BINS = 10
TOO_FEW = 30  # answers, below which no error of the probabilities is told from chance
TOO_BLUNT = 0.1  # an error that chance alone may show: more, and nothing can be said
_DRAWS = 500


@dataclass(frozen=True, eq=False)
class Calibration:
    """Confidence against truth.

    Attributes
    ----------
    bins : DataFrame
        One row for each bin of confidence that holds answers: `low`, `high` (its edges), `n`,
        `confidence` (their mean), `accuracy` (share that was right), `accuracy_low` and
        `accuracy_high` (its 95 % Wilson interval).
    error : float
        Expected calibration error: mean over all answers of |confidence - accuracy| of their bin
        (Guo et al., ICML 2017, eq. 3). NaN without answers.
    chance : float
        A model whose probabilities were exact would show an error below this in 95 of 100 samples
        of as many answers: few answers alone make an error.
    n : int
        Answers.
    """

    bins: pd.DataFrame
    error: float
    chance: float
    n: int

    @property
    def enough(self) -> bool:
        """Whether there are enough answers to judge the probabilities."""
        sharp = self.chance <= TOO_BLUNT or self.error > self.chance
        return self.n >= TOO_FEW and sharp

    @property
    def bias(self) -> float:
        """Mean confidence minus accuracy: above 0, the model is surer than it may be."""
        if not self.n:
            return float("nan")
        gap = self.bins["confidence"] - self.bins["accuracy"]
        return float((gap * self.bins["n"]).sum() / self.n)

    def in_words(self) -> str:
        """One sentence that says whether the probabilities can be believed."""
        if not self.enough:
            return (
                f"Too few labels ({self.n} held back) to tell whether the probabilities can be "
                "believed."
            )
        if self.error <= max(self.chance, 0.05):
            return (
                f"The probabilities can be believed: they are off by {_percent(self.error)} on "
                "average."
            )
        direction = "sure of itself" if self.bias > 0 else "doubtful"
        return (
            f"The probabilities are off by {_percent(self.error)} on average: the model is too "
            f"{direction}."
        )


def calibration(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> Calibration:
    """Compare how sure answers were with how often they were right.

    Parameters
    ----------
    confidence : array_like of float
        (n,) probability of each answer, 0 to 1.
    right : array_like of bool
        (n,) whether it was right.
    bins : int
        Bins of equal width between 0 and 1.

    Returns
    -------
    Calibration
        Bins, expected calibration error, and the error that chance alone may show.

    Raises
    ------
    InputError
        Where the two differ in length, or a probability is none.
    """
    sure, hit = np.asarray(confidence, np.float64), np.asarray(right, bool)
    if sure.ndim != 1 or sure.shape != hit.shape:
        raise InputError("Calibration needs one probability and one right or wrong an answer.")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise InputError("Probabilities must lie between 0 and 1.")
    # The last bin holds 1 as well.
    place = np.minimum((sure * bins).astype(np.int64), bins - 1)
    n = np.bincount(place, minlength=bins)
    rows = [
        {
            "low": b / bins,
            "high": (b + 1) / bins,
            "n": int(n[b]),
            "confidence": float(sure[place == b].mean()),
            "accuracy": float(hit[place == b].mean()),
            **dict(
                zip(
                    ("accuracy_low", "accuracy_high"),
                    wilson_interval(int(hit[place == b].sum()), int(n[b])),
                    strict=True,
                )
            ),
        }
        for b in np.flatnonzero(n)
    ]
    columns = ["low", "high", "n", "confidence", "accuracy", "accuracy_low", "accuracy_high"]
    error = _errors(sure, hit[None].astype(np.float64), place, bins)[0]
    return Calibration(
        pd.DataFrame(rows, columns=columns), error, _by_chance(sure, place, bins), len(sure)
    )


def wilson_interval(right: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval for a share that was seen `right` times in `n` (Wilson, 1927).

    Holds its level for few tries and for shares near 0 and 1, where share ± 2 standard errors
    does not: 5 right of 5 are "57 to 100 %".

    Returns
    -------
    low, high : float
        NaN where n is 0.
    """
    if not n:
        return float("nan"), float("nan")
    interval = binomtest(int(right), int(n)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def _errors(
    sure: NDArray[np.float64], hits: NDArray[np.float64], place: NDArray[np.int64], bins: int
) -> NDArray[np.float64]:
    """Return the expected calibration error of each row of hits (d, n)."""
    if not len(sure):
        return np.full(len(hits), np.nan)
    member = (place[:, None] == np.arange(bins)).astype(np.float64)
    return np.asarray(np.abs((hits - sure) @ member).sum(axis=1) / len(sure))


def _by_chance(sure: NDArray[np.float64], place: NDArray[np.int64], bins: int) -> float:
    """95th percentile of the error if every probability were exact.

    Consistency resampling: Bröcker & Smith, Weather and Forecasting 22 (2007) 651.
    """
    if not len(sure):
        return float("nan")
    # Bounded memory, whatever the number of answers.
    draws = int(np.clip(2e7 / len(sure), 20, _DRAWS))
    hits = np.random.default_rng(0).random((draws, len(sure))) < sure
    return float(np.percentile(_errors(sure, hits.astype(np.float64), place, bins), 95))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
