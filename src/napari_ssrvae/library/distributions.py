"""Normal and log-normal distributions fitted to a measure of particles, class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.statistics import plus_minus, rounded

FEWEST = 5
"""Values below which nothing is fitted: two parameters follow any three points."""

CLEAR = 2.0
"""Difference of AIC from which on one fit is called better (Burnham and Anderson 2002)."""

_ALIKE = 1e-12  # a relative spread below which values differ by rounding only

NORMAL, LOG_NORMAL = "normal", "log-normal"


@dataclass(frozen=True)
class Fit:
    """One distribution fitted to the values of one class, by maximum likelihood.

    Attributes
    ----------
    kind : {"normal", "log-normal"}
        Which distribution.
    n : int
        Values.
    mu, sigma : float
        Mean and standard deviation: of the values, or of their natural logarithms.
    ks : float
        Kolmogorov-Smirnov distance: the largest difference of the shares below a value, between
        particles and curve. 0 fits, 1 does not.
    aic : float
        Akaike's information criterion: of two fits to the same values, the lower one is better.
    """

    kind: str
    n: int
    mu: float
    sigma: float
    ks: float
    aic: float

    @property
    def geometric_mean(self) -> float:
        """Median of a log-normal distribution, exp(mu), in the unit of the values."""
        return float(np.exp(self.mu)) if self.kind == LOG_NORMAL else float("nan")

    @property
    def geometric_std(self) -> float:
        """Factor, exp(sigma): two thirds lie between the geometric mean by this and times this."""
        return float(np.exp(self.sigma)) if self.kind == LOG_NORMAL else float("nan")

    def in_words(self) -> str:
        """Say what was fitted: "normal, 52.3 ± 4.1" or "log-normal, 30.1 ×/÷ 1.45"."""
        if self.kind == NORMAL:
            return f"normal, {plus_minus(self.mu, self.sigma)}"
        return f"log-normal, {rounded(self.geometric_mean)} ×/÷ {rounded(self.geometric_std)}"

    def density(self, x: ArrayLike) -> NDArray[np.float64]:
        """Probability density at values, by unit of the values."""
        x = np.asarray(x, np.float64)
        positive = x > 0 if self.kind == LOG_NORMAL else np.ones(x.shape, dtype=bool)
        y = np.zeros(x.shape)
        of = np.log(x[positive]) if self.kind == LOG_NORMAL else x[positive]
        y[positive] = np.exp(-0.5 * ((of - self.mu) / self.sigma) ** 2)
        y[positive] /= self.sigma * np.sqrt(2 * np.pi)
        if self.kind == LOG_NORMAL:
            y[positive] /= x[positive]
        return y

    def curve(
        self, edges: ArrayLike, points: int = 200
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the curve over a histogram: values, and particles that a bin there would hold.

        Parameters
        ----------
        edges : (b + 1,) float
            Of the histogram's bins, all of one width.
        points : int
            Of the curve.
        """
        edges = np.asarray(edges, np.float64)
        x = np.linspace(edges[0], edges[-1], points)
        return x, self.n * float(edges[1] - edges[0]) * self.density(x)


@dataclass(frozen=True)
class ClassFits:
    """Both distributions fitted to one class.

    Attributes
    ----------
    normal, log_normal : Fit or None
        None where there are too few values, or all alike; log-normal also where one is not
        positive.
    """

    normal: Fit | None = None
    log_normal: Fit | None = None

    @property
    def better(self) -> Fit | None:
        """The fit of lower AIC, however little lower; None where there is none."""
        both = [fit for fit in (self.normal, self.log_normal) if fit is not None]
        return min(both, key=lambda fit: fit.aic, default=None)

    @property
    def verdict(self) -> str:
        """Which fits better: "normal", "log-normal", "either" (no clear difference), or ""."""
        both = [fit.aic for fit in (self.normal, self.log_normal) if fit is not None]
        if self.better is None:
            return ""
        return "either" if len(both) == 2 and abs(both[0] - both[1]) < CLEAR else self.better.kind

    def chosen(self, which: str) -> Fit | None:
        """Return a fit by name: "normal", "log-normal", or "better"."""
        return {NORMAL: self.normal, LOG_NORMAL: self.log_normal}.get(which, self.better)


def fit_distributions(values: ArrayLike) -> ClassFits:
    """Fit a normal and a log-normal distribution to values.

    Parameters
    ----------
    values : (n,) float
        Those that are not finite are left out.
    """
    measured = np.asarray(values, np.float64).ravel()
    measured = measured[np.isfinite(measured)]
    if measured.size < FEWEST or not measured.std() > _ALIKE * abs(measured).max():
        return ClassFits()
    log_normal = None
    if measured.min() > 0:
        logarithms = np.log(measured)
        # the density of a value is that of its logarithm by the value
        log_normal = _fit(LOG_NORMAL, logarithms, 2 * logarithms.sum())
    return ClassFits(_fit(NORMAL, measured, 0.0), log_normal)


def _fit(kind: str, values: NDArray[np.float64], more_aic: float) -> Fit:
    """Fit a normal distribution to values or their logarithms, which leaves the distance alike.

    In closed form: `scipy.stats` takes long to load, and computes a p-value that would be wrong,
    since the parameters come from the same values.
    """
    n, mu, sigma = values.size, float(values.mean()), float(values.std())
    minus_log_likelihood = n * (np.log(sigma * np.sqrt(2 * np.pi)) + 0.5)
    below = ndtr((np.sort(values) - mu) / sigma)
    rank = np.arange(n)
    ks = max(float((below - rank / n).max()), float(((rank + 1) / n - below).max()))
    return Fit(kind, n, mu, sigma, ks, float(2 * 2 + 2 * minus_log_likelihood + more_aic))


def class_fits(
    values: ArrayLike, class_ids: ArrayLike, classes: Sequence[int]
) -> dict[int, ClassFits]:
    """Fit both distributions to each class.

    Parameters
    ----------
    values : (n,) float
        One a particle; those that are not finite are left out.
    class_ids : (n,) int
        Class of each particle.
    classes : sequence of int
        Which classes.

    Raises
    ------
    InputError
        The two arrays differ in length.
    """
    measured, of_class = np.asarray(values, np.float64), np.asarray(class_ids, np.int64)
    if measured.ndim != 1 or measured.shape != of_class.shape:
        raise InputError("Fits by class need one value and one class for each particle.")
    return {c: fit_distributions(measured[of_class == c]) for c in classes}


def fits_table(fits: Mapping[int, ClassFits]) -> pd.DataFrame:
    """One row a class: parameters and goodness of both fits, and which one is better.

    Columns: `class`, `normal_mean`, `normal_std`, `normal_ks`, `normal_aic`, `lognormal_mu`,
    `lognormal_sigma`, `geometric_mean`, `geometric_std`, `lognormal_ks`, `lognormal_aic`, and
    `better_fit` (see `ClassFits.verdict`). NaN where nothing was fitted.
    """
    none = Fit("", 0, *[float("nan")] * 4)
    rows = []
    for class_id, both in fits.items():
        normal, log_normal = both.normal or none, both.log_normal or none
        rows.append(
            {
                "class": class_id,
                "normal_mean": normal.mu,
                "normal_std": normal.sigma,
                "normal_ks": normal.ks,
                "normal_aic": normal.aic,
                "lognormal_mu": log_normal.mu,
                "lognormal_sigma": log_normal.sigma,
                "geometric_mean": log_normal.geometric_mean,
                "geometric_std": log_normal.geometric_std,
                "lognormal_ks": log_normal.ks,
                "lognormal_aic": log_normal.aic,
                "better_fit": both.verdict,
            }
        )
    columns = ["class", *(rows[0] if rows else {"better_fit": ""})]
    return pd.DataFrame(rows, columns=list(dict.fromkeys(columns)))
