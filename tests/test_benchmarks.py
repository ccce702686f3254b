"""The benchmark's own arithmetic: a wrong measure would flatter or slander the engine."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_ssrvae.learning.inference import Latents

FOLDER = Path(__file__).parents[1] / "benchmarks"
if not FOLDER.is_dir():
    pytest.skip("the benchmarks come with the checkout only", allow_module_level=True)
sys.path.insert(0, str(FOLDER))

from engine import agglomerates, cells, measures, outliers, rows, tasks  # noqa: E402
from engine.peers import forest_on_shape  # noqa: E402


def test_calibration_error_is_that_of_a_worked_example() -> None:
    # one bin of two at .95, one of them right: |.95 - .5| of half the images; one right at .6
    confidence = [0.95, 0.95, 0.6, 0.6]
    assert measures.calibration_error(confidence, [1, 0, 1, 1]) == pytest.approx(
        0.5 * 0.45 + 0.5 * 0.4
    )


def test_concentration_knows_symmetry_and_a_constant_offset() -> None:
    half_turns = 0.7 + np.pi * np.arange(100)
    assert measures.concentration(half_turns, 2) == pytest.approx(1)
    assert measures.concentration(half_turns, 1) == pytest.approx(0, abs=1e-9)


def test_factors_are_read_a_class_at_a_time_from_every_continuous_latent() -> None:
    rng = np.random.default_rng(0)
    n = 1200
    y = rng.integers(0, 3, n)
    z = rng.standard_normal((n, 2)).astype(np.float32)
    latents = Latents(
        z,
        rng.uniform(-3, 3, n).astype(np.float32),
        np.zeros((n, 2), np.float32),
        np.ones(n, np.float32),
        y,
    )
    columns = measures.continuous_latents(latents)
    assert columns.shape == (n, 4)  # z, cos and sin; shift and scale do not vary
    truth = pd.DataFrame({"scale": z[:, 0] ** 2 * (y - 1), "shear": rng.standard_normal(n)})
    read = measures.readable(columns, y, truth.assign(scale=truth["scale"] + z[:, 1]), ("scale",))
    assert read["scale"]["worst"] > 0.99
    assert read["scale"]["blind"] < 0.5
    assert measures.readable(columns, y, truth, ("shear",))["shear"]["median"] < 0.1


def test_a_row_is_reached_by_its_median_and_its_worst_seed() -> None:
    figure = rows.Figure("accuracy", 0.95, lambda cell: cell["a"])

    def reached(*values: float) -> object:
        return figure.judged([{"a": value} for value in values])["reached"]

    assert reached(0.96, 0.95, 0.93) == "yes"
    assert reached(0.99, 0.99, 0.92) == "NO"  # the worst is too far off
    assert reached(0.99, 0.94, 0.94) == "NO"  # the median is not there
    at_most = rows.Figure("ECE", 0.05, lambda cell: cell["a"], least=False)
    assert at_most.judged([{"a": 0.04}, {"a": 0.08}, {"a": 0.03}])["worst"] == 0.08
    assert at_most.judged([{"a": 0.04}, {"a": 0.08}, {"a": 0.03}])["reached"] == "NO"


def test_a_cell_is_measured_once_and_again_when_what_it_depends_on_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cells, "CACHE", tmp_path)
    asked = []

    def measure() -> cells.Cell:
        asked.append(1)
        return {"accuracy": len(asked)}

    kept = cells.Cells()
    assert kept.get("a row, 0", {"seed": 0}, measure) == {"accuracy": 1}
    assert cells.Cells().get("a row, 0", {"seed": 0}, measure) == {"accuracy": 1}
    assert kept.get("a row, 0", {"seed": 0, "code": "new"}, measure) == {"accuracy": 2}
    assert cells.Cells(fresh=True).get("a row, 0", {"seed": 0}, measure) == {"accuracy": 3}
    assert len(list(tmp_path.rglob("*.json"))) == 2
    assert capsys.readouterr().err.count("a row, 0") == 3

    def killed() -> cells.Cell:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.get("a row, 1", {"seed": 1}, killed)
    assert kept.get("a row, 1", {"seed": 1}, measure) == {"accuracy": 4}


def test_words_cost_no_measurement_but_code_does(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text('def f():\n    """One."""\n    return 1\n')
    first = cells.code_fingerprint([path])
    path.write_text('def f():\n    """Two."""  # said better\n\n    return 1\n')
    assert cells.code_fingerprint([path]) == first
    path.write_text("def f():\n    return 2\n")
    assert cells.code_fingerprint([path]) != first


def test_agglomerates_are_counted_whole_and_clumps_cut_without_overlap() -> None:
    instances = np.zeros((300, 420), np.int32)
    number = 0

    def squares(top: int, lefts: range) -> None:
        nonlocal number
        for left in lefts:
            number += 1
            instances[top : top + 18, left : left + 18] = number

    squares(10, range(20, 400, 60))  # seven alone
    squares(60, range(20, 50, 19))  # a pair with a line of one pixel between
    squares(60, range(120, 160, 20))  # two alone: a gap of two pixels
    squares(110, range(20, 80, 19))  # four in a row
    squares(160, range(20, 380, 19))  # nineteen in a row
    squares(210, range(20, 60, 40))  # one alone
    squares(282, range(100, 140, 19))  # three that the rim cuts
    instances[60:65, 240:245] = number + 1  # a speck
    groups, counts = agglomerates._groups(instances, np.random.default_rng(0))
    assert len(counts) == groups.max()
    whole = np.unique(groups[:150])
    assert sorted(counts[whole[whole > 0] - 1].tolist()) == [1] * 9 + [2, 4]
    row = np.unique(groups[160:178])
    parts = counts[row[row > 0] - 1]
    assert parts.sum() == 19
    assert parts.max() <= 4
    assert not groups[282:].any()
    for group in row[row > 0]:
        inside = np.unique(instances[groups == group])
        inside = inside[inside > 0]
        assert np.ptp(inside) == len(inside) - 1  # neighbours in the row


def test_outliers_look_like_cards_in_all_but_shape() -> None:
    inside, _ = tasks.fresh_cards(0, 40, 180, 1)
    kinds = outliers.outliers(12, seed=1)
    assert len(kinds) == 4
    for images in kinds.values():
        assert images.shape == (12, 48, 48)
        assert images.dtype == np.float32
        assert images.min() >= 0
        assert 0.9 < images.max() <= 1
        lit = images.mean((1, 2))
        assert 0.25 * inside.mean() < lit.mean() < 2 * inside.mean()
        assert len(np.unique(images.reshape(12, -1), axis=0)) == 12


def test_tasks_hide_the_labels_that_they_ask_for() -> None:
    task = tasks.few_labels(0, 5, tasks.QUICK)
    assert np.bincount(task.y[task.y >= 0]).tolist() == [5] * 4
    assert len(task.X) == 220
    simulated = tasks.imbalanced(0, tasks.QUICK)
    asked, truth = simulated.tests["unlabelled"]
    assert len(asked) == (simulated.y < 0).sum() == len(truth)
    assert np.bincount(simulated.y[simulated.y >= 0])[1:].tolist() == [15] * 4
    again = tasks.few_labels(0, 5, tasks.QUICK)
    np.testing.assert_array_equal(task.X, again.X)


def test_the_forest_on_shape_is_no_straw_man() -> None:
    task = tasks.few_labels(0, 5, tasks.QUICK)
    clean = replace(task, tests={"180°": task.tests["180°"]})
    assert (forest_on_shape(clean, 0)["180°"] == clean.tests["180°"][1]).mean() >= 0.97


@pytest.mark.realdata
def test_real_agglomerates_hold_enough_of_every_class(
    realdata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSRVAE_REALDATA", str(realdata))
    monkeypatch.setattr(agglomerates, "CACHE", tmp_path)
    images, labels = agglomerates.agglomerates("bam_tio2")
    assert images.shape[1:] == (48, 48)
    counts = np.bincount(labels)[1:]
    assert len(counts) == 4
    assert counts.min() >= 25
    areas = [(images[labels == c] > 0).sum((1, 2)).mean() for c in (1, 2, 3, 4)]
    assert areas == sorted(areas)
    again, _ = agglomerates.agglomerates("bam_tio2")
    np.testing.assert_array_equal(images, again)
