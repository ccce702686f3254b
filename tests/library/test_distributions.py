"""Fits of size distributions against distributions that are known, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.distributions import (
    LOG_NORMAL,
    NORMAL,
    class_fits,
    fit_distributions,
    fits_table,
)


def test_the_parameters_are_those_that_the_values_were_drawn_with() -> None:
    rng = np.random.default_rng(0)
    normal = fit_distributions(rng.normal(52.0, 4.0, 5000))
    assert normal.normal is not None
    assert normal.normal.mu == pytest.approx(52, abs=0.2)
    assert normal.normal.sigma == pytest.approx(4, rel=0.03)
    assert normal.normal.ks < 0.02
    assert (normal.verdict, normal.better) == (NORMAL, normal.normal)
    skewed = fit_distributions(rng.lognormal(np.log(30), 0.4, 5000))
    assert skewed.log_normal is not None
    assert skewed.normal is not None
    assert skewed.log_normal.geometric_mean == pytest.approx(30, rel=0.02)
    assert skewed.log_normal.geometric_std == pytest.approx(np.exp(0.4), rel=0.02)
    assert skewed.log_normal.ks < 0.02
    assert skewed.normal.ks > 0.05
    assert skewed.log_normal.in_words().startswith("log-normal, 30")
    assert " ×/÷ " in skewed.log_normal.in_words()
    assert normal.normal.in_words().startswith("normal, 5")
    assert skewed.verdict == LOG_NORMAL
    assert skewed.chosen("normal") is skewed.normal
    assert skewed.chosen("better") is skewed.log_normal


def test_fit_and_goodness_are_those_of_scipy() -> None:
    values = np.random.default_rng(1).gamma(9, 3, 300)
    both = fit_distributions(np.append(values, [np.nan, np.inf]))
    shape, _, scale = stats.lognorm.fit(values, floc=0)
    log_normal, normal = both.log_normal, both.normal
    assert log_normal is not None
    assert normal is not None
    assert (log_normal.n, log_normal.sigma) == (300, pytest.approx(shape, rel=1e-4))
    assert log_normal.geometric_mean == pytest.approx(scale, rel=1e-4)
    likelihood = stats.lognorm.logpdf(values, shape, 0, scale).sum()
    assert log_normal.aic == pytest.approx(4 - 2 * likelihood, rel=1e-6)
    assert log_normal.ks == pytest.approx(
        stats.kstest(values, "lognorm", args=(shape, 0, scale)).statistic, rel=1e-3
    )
    assert normal.aic == pytest.approx(
        4 - 2 * stats.norm.logpdf(values, values.mean(), values.std()).sum()
    )


def test_a_narrow_distribution_may_be_either() -> None:
    rng = np.random.default_rng(2)
    assert fit_distributions(rng.normal(100, 2, 40)).verdict == "either"


def test_the_curve_has_the_area_of_the_histogram() -> None:
    values = np.random.default_rng(3).lognormal(3, 0.3, 2000)
    counts, edges = np.histogram(values, 30)
    for fit in (fit_distributions(values).normal, fit_distributions(values).log_normal):
        assert fit is not None
        x, y = fit.curve(edges)
        if fit.kind == NORMAL:
            expected = stats.norm.pdf(values, fit.mu, fit.sigma)
        else:
            expected = stats.lognorm.pdf(values, fit.sigma, scale=np.exp(fit.mu))
        np.testing.assert_allclose(fit.density(values), expected)
        assert (x[0], x[-1]) == (edges[0], edges[-1])
        in_bins = np.trapezoid(y, x) / (edges[1] - edges[0])
        assert in_bins == pytest.approx(counts.sum(), rel=0.05)


@pytest.mark.parametrize("values", [[], [1.0] * 4, [3.0] * 50, [np.nan] * 20])
def test_nothing_is_fitted_to_too_few_values_or_to_one(values: list[float]) -> None:
    both = fit_distributions(values)
    assert (both.normal, both.log_normal, both.better, both.verdict) == (None, None, None, "")


def test_what_is_not_positive_has_no_log_normal_fit() -> None:
    both = fit_distributions(np.linspace(-1, 1, 20))
    assert both.normal is not None
    assert both.log_normal is None
    assert both.verdict == NORMAL
    log_normal = fit_distributions(np.linspace(1, 2, 20)).log_normal
    assert log_normal is not None
    assert log_normal.density([-1.0, 0.0]).tolist() == [0, 0]


def test_the_table_has_a_row_for_each_class() -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(50, 2, 200), rng.lognormal(3, 0.5, 400), [5.0]])
    fits = class_fits(values, np.repeat([1, 2, 7], [200, 400, 1]), [2, 1, 7])
    table = fits_table(fits).set_index("class")
    assert table.index.tolist() == [2, 1, 7]
    assert table.loc[2, "better_fit"] == LOG_NORMAL
    assert table.loc[2, "geometric_mean"] == pytest.approx(np.exp(3), rel=0.1)
    assert table.loc[1, "normal_mean"] == pytest.approx(50, abs=1)
    assert table.loc[7].drop("better_fit").isna().all()
    assert "better_fit" in fits_table({})
    with pytest.raises(InputError, match="one value and one class"):
        class_fits([1.0], [1, 2], [1])
