from __future__ import annotations

import numpy as np
import pytest

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.classes import ParticleClass
from napari_ssrvae.library.statistics import (
    MOST_BINS,
    class_histogram,
    class_statistics,
    groups_to_count,
    plus_minus,
    rounded,
    unit_note,
)


@pytest.fixture
def sizes():
    """Three classes, one of them of a single particle, and particles that have no class or size."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(50, 4, 200), rng.normal(80, 9, 60), [33.0], [1e6, np.nan]])
    class_ids = np.repeat([1, 2, 7, 0, 1], [200, 60, 1, 1, 1])
    return values, class_ids


def test_the_numbers_are_those_of_numpy(sizes):
    values, class_ids = sizes
    table = class_statistics(values, class_ids, [2, 1]).set_index("class")
    assert table.index.tolist() == [2, 1]
    assert table["fraction"].tolist() == [60 / 260, 200 / 260]
    for class_id, members in ((1, values[:200]), (2, values[200:260])):
        row = table.loc[class_id]
        assert row["n"] == len(members)
        assert row["mean"] == pytest.approx(members.mean())
        assert row["std"] == pytest.approx(np.std(members, ddof=1))
        assert row["median"] == row["d50"] == pytest.approx(np.median(members))
        assert row["d10"] == pytest.approx(np.quantile(members, 0.1))
        assert row["d90"] == pytest.approx(np.quantile(members, 0.9))


def test_one_particle_has_no_spread_and_an_empty_class_no_numbers(sizes):
    table = class_statistics(*sizes, [7, 5]).set_index("class")
    assert table.loc[7, "n"] == 1
    assert table.loc[7, "mean"] == 33
    assert np.isnan(table.loc[7, "std"])
    assert table.loc[5, "n"] == 0
    assert table.loc[5].drop(["n", "fraction"]).isna().all()
    assert table["fraction"].tolist() == [1, 0]


def test_all_classes_share_the_bins_and_no_particle_is_lost(sizes):
    values, class_ids = sizes
    histogram = class_histogram(values, class_ids, [1, 2, 7])
    measured = values[np.isin(class_ids, [1, 2, 7]) & np.isfinite(values)]
    assert histogram.edges[0] == measured.min()
    assert histogram.edges[-1] == measured.max()
    assert {c: n.sum() for c, n in histogram.counts.items()} == {1: 200, 2: 60, 7: 1}
    for class_id, counts in histogram.counts.items():
        mine = values[(class_ids == class_id) & np.isfinite(values)]
        np.testing.assert_array_equal(counts, np.histogram(mine, histogram.edges)[0])
    table = histogram.table({1: "disc", 2: "rod", 7: "debris"})
    assert table["disc"].sum() == 200
    assert table.columns.tolist() == ["from", "to", "disc", "rod", "debris"]


def test_far_outliers_do_not_make_thousands_of_bins():
    values = np.random.default_rng(0).standard_cauchy(5000)
    histogram = class_histogram(values, np.ones(5000), [1])
    assert len(histogram.edges) <= MOST_BINS + 1
    assert histogram.counts[1].sum() == 5000


def test_without_particles_the_histogram_is_empty():
    histogram = class_histogram([np.nan], [1], [1, 2])
    assert histogram.edges.size == 0
    assert all(n.size == 0 for n in histogram.counts.values())


def test_values_and_classes_must_fit():
    with pytest.raises(InputError, match="one value and one class"):
        class_statistics([1.0, 2.0], [1], [1])
    with pytest.raises(InputError, match="one value and one class"):
        class_histogram([1.0, 2.0], [1], [1])


def test_hidden_classes_and_debris_are_not_counted():
    a, b = ParticleClass(1, "a", "#e69f00"), ParticleClass(4, "b", "#56b4e9")
    debris = ParticleClass(7, "dirt", "#bbbbbb", counted=False)
    classes = (a, debris, b)
    assert [g.name for g in groups_to_count(classes, [1, 7, 4])] == ["a", "b"]
    assert [g.id for g in groups_to_count(classes, [1, 7, 4], {1})] == [4]


def test_what_has_no_class_is_a_group_of_its_own():
    a = ParticleClass(1, "a", "#e69f00")
    assert [(g.id, g.name) for g in groups_to_count([a], [0, 1])] == [(1, "a"), (0, "no class")]
    assert [g.id for g in groups_to_count([a], [0, 1], {0})] == [1]
    # Before there is any class, the sizes of all particles are wanted all the same.
    assert [(g.id, g.name) for g in groups_to_count([a], [0, 0])] == [(0, "all particles")]
    b = ParticleClass(2, "no class", "#56b4e9")
    names = [g.name for g in groups_to_count([a, b], [0, 1])]
    assert len(set(names)) == 3


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (52.34, 4.123, "52.3 ± 4.1"),
        (52.34, 0.0412, "52.340 ± 0.041"),
        (1234.5, 180.0, "1234 ± 180"),
        (52.34, np.nan, "52.3"),
        (52.34, 0.0, "52.3 ± 0"),
        (np.nan, np.nan, "–"),
    ],
)
def test_the_spread_says_how_many_digits_mean_something(mean, std, text):
    assert plus_minus(mean, std) == text


def test_numbers_are_rounded_without_exponents():
    assert [rounded(v) for v in (0.0, 0.01234, 12345.6, np.nan)] == ["0", "0.0123", "12346", "–"]


def test_the_note_says_which_pixel_size_is_missing():
    assert unit_note([("a", 1.2, 5), ("b", 3.0, 5)]) == ""
    assert "the pixel size is not known" in unit_note([("a", None, 5)])
    assert "of any micrograph" in unit_note([("a", None, 5), ("b", None, 5)])
    mixed = unit_note([("a", None, 12), ("b", 2.0, 5), ("c", None, 1)])
    assert "13 particles are left out" in mixed
    assert "12 of a, 1 of c" in mixed
    assert " of b" not in mixed
    many = unit_note([*((f"m{i}", None, 2) for i in range(5)), ("b", 2.0, 5)])
    assert "2 of m2, 4 of 2 others" in many
