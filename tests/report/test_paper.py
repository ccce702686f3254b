"""The paper's figures, drawn from tiny real trainings: what they show is measured elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from napari_ssrvae.cli import main
from napari_ssrvae.errors import InputError
from napari_ssrvae.learning.estimator import SSRVAE
from napari_ssrvae.library.storage import read_document
from napari_ssrvae.report.paper import (
    comparison_table,
    pixel_baselines,
    published,
    reproduce,
    training_frames,
)
from napari_ssrvae.report.paper.drawing import tiled, upright_plane
from napari_ssrvae.report.paper.gold_panels import recalls
from napari_ssrvae.report.paper.names import CHOICES, FIGURES, FILMS, parts
from napari_ssrvae.report.paper.panels import r_squared
from napari_ssrvae.report.paper.sets import FULL, SMALL, Sizes, agglomerates, training_cards
from napari_ssrvae.report.paper.systems import RVAE, SS_RVAE, SS_VAE, VAE, TrainedSystems

TINY = Sizes(
    unlabelled=6,
    labelled=2,
    more_labelled=4,
    test=4,
    cell=1,
    agglomerates=60,
    angles=(4.0, 60.0),
    slow_seconds=5.0,
)
TRAINING = {"epochs": 2, "steps_per_epoch": 1, "batch_size": 8, "labelled_batch_size": 4}


class Told:
    """The steps that a run told of."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def __call__(self, step: str, fraction: float, words: str = "") -> None:
        assert 0 <= fraction <= 1
        self.steps.append(step)

    @property
    def trainings(self) -> list[str]:
        return sorted({step for step in self.steps if step.startswith(("train ss", "train rV"))})


def run(figure: str | None, out: Path, told: Told | None = None, **options) -> dict:
    options = {"sizes": TINY, "training": TRAINING, **options}
    return reproduce(figure, out, progress=told or Told(), **options)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict]]:
    """Every figure, drawn once into one folder."""
    out = tmp_path_factory.mktemp("paper")
    return out, {figure: run(figure, out) for figure in FIGURES}


def numbers(out: Path, figure: str, panel: str) -> dict:
    document = json.loads((out / f"figure-{figure}.json").read_text(encoding="utf-8"))
    return document["panels"][panel]


# ----------------------------------------------------------------------- the sets


def test_the_full_form_has_the_numbers_of_the_paper() -> None:
    assert (4 * FULL.unlabelled, 4 * FULL.labelled) == (12_000, 800)
    assert FULL.slow_seconds is None
    # The smaller set is not an easier one: as few labels for each unlabelled card.
    assert SMALL.labelled / SMALL.unlabelled == pytest.approx(FULL.labelled / FULL.unlabelled, 0.02)


def test_labelled_cards_are_upright_and_centred_and_the_others_hide_their_suit() -> None:
    cards = training_cards(180.0, unlabelled=20, labelled=5, seed=0)
    known = cards.y >= 0
    assert known.sum() == 20
    assert (cards.y[known] == cards.truth[known]).all()
    assert np.bincount(cards.truth[~known]).tolist() == [20] * 4
    rows = np.arange(48) - 23.5
    off_centre = np.abs((cards.X.sum(axis=2) * rows).sum(axis=1) / cards.X.sum(axis=(1, 2)))
    assert off_centre[~known].max() > 4 > off_centre[known].max()


def test_agglomerates_have_the_imbalance_and_the_labels_of_the_paper() -> None:
    assert SMALL.agglomerates == FULL.agglomerates == 477
    images = agglomerates(120, seed=0)
    counts = np.bincount(images.truth)[1:]
    np.testing.assert_allclose(counts, 120 / 477 * np.array(published.GOLD_COUNTS), atol=1)
    known = images.y >= 0
    expected = [min(published.GOLD_LABELLED, count // 2) for count in counts]
    assert np.bincount(images.y[known])[1:].tolist() == expected
    assert (images.y[known] == images.truth[known]).all()
    area = [(images.X[images.truth == k] > 0).sum(axis=(1, 2)).mean() for k in (1, 2, 3, 4)]
    assert area == sorted(area)


# -------------------------------------------------------------------- the systems


def test_the_four_systems_differ_in_pose_and_labels(tmp_path: Path) -> None:
    trained = TrainedSystems(tmp_path, 0, Told(), TRAINING)
    cards = training_cards(60.0, 6, 2, 0)
    for system, posed, classes in ((VAE, 0, 0), (RVAE, 1, 0), (SS_VAE, 0, 4), (SS_RVAE, 1, 4)):
        model = trained.get(system, cards)
        assert ("rotation" in model.invariances) == bool(posed)
        assert len(model.classes_) == classes


def test_a_model_is_kept_under_all_its_settings(tmp_path: Path) -> None:
    cards, others = training_cards(60.0, 6, 2, 0), training_cards(90.0, 6, 2, 0)
    paths = [
        TrainedSystems(tmp_path, seed, Told(), training).path(system, images)
        for seed, training, system, images in (
            (0, {}, SS_RVAE, cards),
            (1, {}, SS_RVAE, cards),
            (0, TRAINING, SS_RVAE, cards),
            (0, {}, RVAE, cards),
            (0, {}, SS_RVAE, others),
        )
    ]
    assert len(set(paths)) == len(paths)
    assert paths[0] == TrainedSystems(tmp_path, 0, Told(), {}).path(SS_RVAE, cards)


def test_baselines_learn_images_of_classes_of_any_number() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([3, 7], 100)
    X = rng.random((200, 6, 6), dtype=np.float32) + 2 * (y == 7)[:, None, None]
    found = pixel_baselines(seed=0)
    assert {"decision tree", "random forest"} <= set(found)
    assert ("XGBoost" in found) == (find_spec("xgboost") is not None)
    for baseline in found.values():
        assert baseline.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9


# -------------------------------------------------------------------- the figures


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_a_picture_and_the_numbers_of_its_panels(drawn, figure: str) -> None:
    out, results = drawn
    picture = imageio.imread(out / f"figure-{figure}.png")
    assert picture.shape[0] > 500
    assert picture.shape[1] > 800
    assert picture[..., :3].std() > 10
    document = read_document(out, f"figure-{figure}.json", "napari-ssrvae paper figure", 1)
    assert tuple(document["panels"]) == FIGURES[figure]
    assert document["sizes"]["unlabelled"] == TINY.unlabelled
    rows = [row for panel in document["panels"].values() for row in panel["compared"]]
    assert rows == results[figure]["compared"]
    assert rows
    assert all(isinstance(row["ours"], float) for row in rows)


def test_figures_say_how_small_their_sets_are(drawn) -> None:
    out, _ = drawn
    said = numbers(out, "4", "4b")["notes"]
    assert "24 unlabelled and 8 labelled cards (the paper: 12,000 and 800)" in said[0]
    assert "n = 16 (the paper: 4,000)" in said[1]


def test_figure_3a_has_both_systems_at_each_angle(drawn) -> None:
    found = numbers(drawn[0], "3", "3a")["numbers"]
    assert set(found["accuracy"]) == {"ss-VAE", "ss-rVAE"}
    assert all(len(line) == len(TINY.angles) for line in found["accuracy"].values())


def test_figure_4a_is_the_table_of_the_paper_beside_ours(drawn) -> None:
    found = numbers(drawn[0], "4", "4a")["numbers"]
    ours, paper = np.array(found["accuracy"]), np.array(found["paper"])
    assert ours.shape == paper.shape == (len(found["shears"]), len(found["angles"]))
    assert paper[1, 2] == 0.873
    assert ((ours >= 0) & (ours <= 1)).all()


def test_figure_6_is_measured_on_the_unlabelled_agglomerates_only(drawn) -> None:
    counts = np.array(numbers(drawn[0], "6", "6")["numbers"]["counts"])
    images = agglomerates(TINY.agglomerates, 0)
    assert counts.sum() == (images.y < 0).sum()
    assert counts.sum(axis=1).tolist() == np.bincount(images.truth[images.y < 0])[1:].tolist()


def test_figure_s3_gives_all_classifiers_the_same_test(drawn) -> None:
    counts = numbers(drawn[0], "S3", "S3")["numbers"]["counts"]
    assert list(counts)[-1] == "ss-rVAE"
    assert len({tuple(np.sum(table, axis=1)) for table in counts.values()}) == 1


def test_figures_share_their_models_and_a_stopped_run_goes_on(drawn, tmp_path: Path) -> None:
    out, _ = drawn
    told = Told()
    run("4b", out, told)
    assert told.trainings == []
    assert (out / "figure-4b.png").is_file()
    # A training that was stopped while its model was written is done again, the others are not.
    kept = next((out / "models").glob("ss-rvae-cards-60-*"))
    (kept / "model.json").unlink()
    told = Told()
    run("3a", out, told)
    assert told.trainings == ["train ss-rVAE, cards ±60°"]
    assert (kept / "model.json").is_file()


def test_a_kept_model_answers_as_the_trained_one(drawn) -> None:
    out, results = drawn
    assert run("6", out)["compared"] == results["6"]["compared"]


def test_the_table_has_a_line_for_each_number(drawn) -> None:
    out, results = drawn
    lines = comparison_table(out).splitlines()
    row = next(line for line in lines if line.startswith("| 4a | accuracy, shear 21.9 %, ±60°"))
    ours = results["4"]["compared"][8]["ours"]
    assert row == f"| 4a | accuracy, shear 21.9 %, ±60° | 0.873 | {ours:.3f} |"
    assert len(lines) == 2 + sum(len(result["compared"]) for result in results.values())


def test_a_folder_without_figures_has_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reproduce"):
        comparison_table(tmp_path)


def test_a_figure_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"7.*choose from 3, 4"):
        run("7", tmp_path)


# ---------------------------------------------------------------------- the films


def test_frames_show_the_model_as_it_is_in_training() -> None:
    cards = training_cards(60.0, 6, 2, 0)
    model = SSRVAE(seed=0, **{**TRAINING, "epochs": 5})
    frames = list(training_frames(model, cards.X, cards.y, most=3, n=2))
    assert [state.epoch for state, _, _ in frames] == [2, 4, 5]
    assert {manifold.shape for _, _, manifold in frames} == {(4, 2, 2, 48, 48)}
    first, last = frames[0][2], frames[-1][2]
    assert not np.array_equal(first, last)
    np.testing.assert_allclose(last[1], model.manifold(1, 2), atol=1e-6)


def test_a_film_is_made_once_and_leaves_its_model_to_the_figures(tmp_path: Path) -> None:
    told = Told()
    result = run("film-S2", tmp_path, told)
    film = imageio.imread(result["files"]["film-S2"]["film"], index=None)
    assert len(film) == TRAINING["epochs"]
    assert not np.array_equal(film[0], film[-1])
    run("4b", tmp_path, told)
    assert told.trainings == []
    again = Told()
    assert run("film-S2", tmp_path, again) == result
    assert again.steps == []
    assert "| film S2 | ss-rVAE with 8 labels" in comparison_table(tmp_path)


# ----------------------------------------------------------------- small helpers


def test_a_choice_is_taken_apart() -> None:
    assert parts(None) == (FILMS, dict(FIGURES))
    assert parts("films") == (FILMS, {})
    assert parts("film-S1") == (("film-S1",), {})
    assert parts("4") == ((), {"4": FIGURES["4"]})
    assert parts("4a") == ((), {"4a": ("4a",)})
    assert {"3c", "S3", "systems"} <= set(CHOICES)


def test_recall_and_r_squared() -> None:
    truth = np.array([0, 0, 1, 1, 1, 1])
    assert recalls(truth, np.array([0, 1, 1, 1, 1, 0])) == [0.5, 0.75]
    z = np.random.default_rng(0).standard_normal((200, 2))
    assert r_squared(z, z[:, 0] ** 2 + z[:, 1]) > 0.99
    assert r_squared(z, np.random.default_rng(1).standard_normal(200)) < 0.1


def test_a_manifold_lies_like_a_scatter_plot() -> None:
    grid = np.zeros((2, 2, 3, 3), np.float32)
    grid[1, 0] = 1  # large z1, small z2: lower right
    picture = tiled(upright_plane(grid))
    assert picture[-3:, -3:].min() == 1
    assert picture[:3, :3].max() == picture[-3:, :3].max() == picture[:3, -3:].max() == 0


# ------------------------------------------------------------------- the command


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["reproduce", *map(str, arguments)])
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def test_the_command_draws_a_figure_and_answers_in_json(tmp_path: Path, capsys) -> None:
    code, out, err = command(capsys, "4d", "--out", tmp_path / "new", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert Path(result["files"]["4d"]["picture"]).is_file()
    assert "figure 4d: done (figure-4d.png)" in err


def test_the_command_prints_the_table_of_what_is_there(drawn, capsys) -> None:
    code, out, _ = command(capsys, "--table", "--out", drawn[0])
    assert code == 0
    assert out.strip() == comparison_table(drawn[0])


def test_the_command_refuses_what_it_cannot_do(tmp_path: Path, capsys) -> None:
    code, out, err = command(capsys, "7", "--out", tmp_path)
    assert (code, out) == (2, "")
    assert "systems" in err
    code, out, err = command(capsys, "--table", "--out", tmp_path)
    assert (code, out) == (1, "")
    assert err.startswith("Error: No figures are in ")


def test_a_wrong_figure_is_refused_before_anything_heavy_is_loaded() -> None:
    code = (
        "import sys, napari_ssrvae.cli as cli\n"
        "try: cli.main(['reproduce', '7'])\n"
        "except SystemExit as stop: assert stop.code == 2, stop.code\n"
        "heavy = {'torch', 'napari', 'numpy', 'matplotlib', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
