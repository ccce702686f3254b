"""The report in the real window: the test on held-back labels, sizes, and what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QLineEdit

from napari_ssrvae.learning.quality import QualityReport
from napari_ssrvae.library import classes
from napari_ssrvae.library.label_test import LabelTest
from napari_ssrvae.library.selection import Place, Selection
from napari_ssrvae.viewer import steps
from napari_ssrvae.viewer.tabs.report import ReportTab
from napari_ssrvae.viewer.views import color
from napari_ssrvae.viewer.views.report import CONFUSION, DISAGREEMENTS, QUALITY, SIZES, TRAINING

Key = Qt.Key


@pytest.fixture
def open_tab(qtbot: Any) -> Any:
    """Open the report in a window of its own, of the size of a low dock."""
    tabs = []

    def make(hands: Any) -> ReportTab:
        tab = ReportTab(hands.workbench)
        qtbot.addWidget(tab)
        tab.resize(700, 240)
        tab.show()
        tabs.append(tab)
        hands.settle()
        return tab

    yield make
    for tab in tabs:
        tab.shutdown()


def found(hands: Any, spheres: np.ndarray) -> list[int]:
    """Find the discs, and return their ids by area."""
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    labels = hands.session.active.labels
    ids = hands.session.active.particle_ids.tolist()
    return sorted(ids, key=lambda p: int((labels == p).sum()))


def save_as(hands: Any, tab: ReportTab, path: Path) -> None:
    """Click Save… and answer the dialog with a path."""

    def answer() -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QFileDialog):
            dialog.findChild(QLineEdit).setText(str(path))
            box = dialog.findChild(QDialogButtonBox)
            QTest.mouseClick(
                box.button(QDialogButtonBox.StandardButton.Save), Qt.MouseButton.LeftButton
            )

    timer = QTimer(tab, interval=100)  # again until the dialog has opened
    timer.timeout.connect(answer)
    timer.start()
    hands.click(tab.view.save)
    timer.stop()
    hands.wait(path.exists)


def test_sizes_are_of_the_classes_on_the_screen(
    hands: Any, spheres: np.ndarray, open_tab: Any, tmp_path: Path
) -> None:
    by_area, session = found(hands, spheres), hands.session
    key = session.active_key
    tab = open_tab(hands)
    sizes = tab.view.sizes
    session.label(key, dict.fromkeys(by_area[:4], 1) | dict.fromkeys(by_area[-3:], 2))
    hands.wait(lambda: len(sizes.table.texts()) == 3)
    assert sizes.table.texts()[2][:2] == ["no class", str(len(by_area) - 7)]
    assert sizes.measure.currentText() == "diameter (px)"
    assert "pixel size is not known" in sizes.note.text()
    labels = session.active.labels
    small = np.array([np.sqrt(4 * (labels == p).sum() / np.pi) for p in by_area[:4]])
    cells = sizes.table.texts()
    assert cells[0][1] == "4"
    assert float(cells[0][2].split()[0]) == pytest.approx(small.mean(), abs=0.05)
    assert cells[0][2].endswith(" px")
    assert sum(sizes.drawn()[2][1]) == 3
    # In nm as soon as the pixel size is known, of the same measure.
    session.set_pixel_size(key, 2.0)
    hands.wait(lambda: sizes.measure.currentText() == "diameter (nm)")
    mean_in_nm = float(sizes.table.texts()[0][2].split()[0])
    assert mean_in_nm == pytest.approx(2 * small.mean(), abs=0.05)
    assert "pixel size" not in sizes.note.text()
    # What is saved is what is seen, without the class that is hidden.
    sizes.table.setCurrentCell(1, 0)
    QTest.keyClick(sizes.table, Key.Key_Space)
    hands.settle()
    assert sizes.drawn().keys() == {0, 1}
    sizes.table.setCurrentCell(2, 0)
    QTest.keyClick(sizes.table, Key.Key_Space)
    hands.settle()
    assert sizes.drawn().keys() == {1}
    save_as(hands, tab, tmp_path / "sizes.csv")
    table = pd.read_csv(tmp_path / "sizes.csv")
    assert table["class"].tolist() == [session.class_name(1)]
    assert table["mean"].tolist() == pytest.approx([2 * small.mean()])
    save_as(hands, tab, tmp_path / "sizes.svg")
    assert "diameter (nm)" in (tmp_path / "sizes.svg").read_text("utf-8")
    hands.wait(lambda: "Saved in" in hands.dock.banner.text())


def test_sizes_need_no_classes(
    hands: Any, spheres: np.ndarray, open_tab: Any, tmp_path: Path
) -> None:
    ids = found(hands, spheres)
    tab = open_tab(hands)
    sizes = tab.view.sizes
    hands.wait(sizes.table.isVisible)
    assert [row[:2] for row in sizes.table.texts()] == [["all particles", str(len(ids))]]
    assert sum(sizes.drawn()[0][1]) == len(ids)
    assert classes.NO_CLASS == color.NO_CLASS  # in the window as in what is saved
    assert sizes.drawn_fits().keys() == {0}
    save_as(hands, tab, tmp_path / "sizes.csv")
    table = pd.read_csv(tmp_path / "sizes.csv")
    assert table[["class", "n"]].to_numpy().tolist() == [["all particles", len(ids)]]


def test_a_micrograph_of_unknown_scale_is_left_out_of_lengths(
    hands: Any, spheres: np.ndarray, open_tab: Any
) -> None:
    known = found(hands, spheres)
    hands.workbench.set_pixel_size(2.0)
    hands.viewer.add_image(spheres[:200], name="blind")
    hands.wait(lambda: len(hands.session.micrographs) == 2)
    hands.find()
    blind = hands.session.active.particle_ids.size
    sizes = open_tab(hands).view.sizes
    hands.wait(sizes.table.isVisible)
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    assert sizes.measure.currentText() == "diameter (nm)"
    assert sizes.table.texts()[0][1] == str(len(known))
    assert f"{blind} of blind" in sizes.note.text()
    assert "not measured" not in sizes.note.text()
    sizes.measure.setCurrentText("aspect ratio")
    sizes.measure.textActivated.emit("aspect ratio")
    assert sizes.table.texts()[0][1] == str(len(known) + blind)
    assert sizes.note.text() == ""


def test_without_enough_labels_the_test_says_what_is_missing(
    hands: Any, spheres: np.ndarray, open_tab: Any
) -> None:
    by_area = found(hands, spheres)
    tab = open_tab(hands)
    tab.view.turn_to(CONFUSION)
    assert "two classes" in tab.view.untested.text()
    assert not tab.view.bar.test.isEnabled()
    hands.session.label(hands.session.active_key, {by_area[0]: 1, by_area[-1]: 2})
    hands.wait(lambda: "single label" in tab.view.untested.text())
    hands.session.label(hands.session.active_key, {by_area[1]: 1})
    hands.wait(tab.view.bar.test.isEnabled)
    assert not tab.view.save.isEnabled()


def test_labels_are_held_back_and_a_slip_is_found(trained: Any, open_tab: Any) -> None:
    session, testing = trained.session, trained.workbench.testing
    key, labels = session.active_key, session.active.labels
    ids = session.active.particle_ids.tolist()
    by_area = sorted(ids, key=lambda p: int((labels == p).sum()))
    slip = by_area[-5]
    session.label(key, dict.fromkeys(by_area[:9], 1) | dict.fromkeys(by_area[-9:], 2) | {slip: 1})
    before = session.workflow
    trained.workbench.settings.max_seconds = 2
    tab = open_tab(trained)
    view = tab.view
    view.turn_to(QUALITY)
    # Stopped: no result, and it can be started again.
    trained.click(view.bar.test)
    trained.wait(lambda: testing.progress is not None)
    assert "training 1 of 3" in view.bar.progress.text()
    trained.click(view.bar.stop)
    assert not testing.running
    assert testing.result is None
    trained.click(view.bar.test)
    trained.wait(lambda: not testing.running, 180)
    result = testing.result
    assert result.n_labels == 18
    assert session.workflow is before
    assert "not seen" in view.quality.words.text()
    assert "18 labels" in view.bar.note.text()
    assert view.bar.note.text()[0] != "⚠"
    # A cell of the matrix selects its particles, all of them in the class that was labelled.
    view.turn_to(CONFUSION)
    cells = view.confusion.table
    place = cells.visualItemRect(cells.item(1, 1)).center()
    QTest.mouseClick(cells.viewport(), Qt.MouseButton.LeftButton, pos=place)
    expected = result.cell(2, 2)
    assert sorted(session.selection) == sorted(expected)
    assert {p.particle for p in expected} <= set(by_area[-9:]) - {slip}
    # The slip is in the list; Enter gives it the model's class, as a step that can be undone.
    view.turn_to(DISAGREEMENTS)
    listed = view.disagreements.idents()
    assert Place(key, slip) in listed
    table = view.disagreements.table
    item = table.item(listed.index(Place(key, slip)), 1)
    table.scrollToItem(item)
    QTest.mouseClick(
        table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualItemRect(item).center()
    )
    assert session.selection == Selection.one(key, slip)
    middle = trained.workbench.mirror.index(key).center(slip)
    assert np.allclose(trained.viewer.scene.camera.center[-2:], middle, atol=1)
    QTest.keyClick(table, Key.Key_Return)
    trained.settle()
    assert session.active.hand_labels[slip] == 2
    assert session.history.undo_names[0] == f"take the model's class for particle {slip}"
    assert Place(key, slip) not in view.disagreements.idents()
    # The numbers stay, and say that they are of before.
    assert testing.result is result
    assert "of which 1 has changed" in view.bar.note.text()
    session.history.undo()
    trained.settle()
    assert Place(key, slip) in view.disagreements.idents()
    assert not testing.outdated()
    session.label(key, {by_area[12]: 1})
    assert "Measured with 18 labels; now there are 19" in testing.outdated()
    # Other particles: nothing points at them any more.
    session.set_particles(key, labels.copy())
    trained.settle()
    assert "particles have changed" in testing.outdated()
    assert view.disagreements.idents() == []
    session.history.undo()
    trained.settle()
    assert Place(key, slip) in view.disagreements.idents()
    view.turn_to(TRAINING)
    epochs, losses, _ = view.training.values()
    history = session.workflow.model.history_
    assert epochs == history["epoch"].tolist()
    assert losses == pytest.approx(history["classification_loss"].tolist())
    view.turn_to(SIZES)
    assert sum(map(sum, (heights for _, heights in view.sizes.drawn().values()))) == len(ids)


def test_a_test_whose_particles_go_is_dropped(
    hands: Any, spheres: np.ndarray, open_tab: Any
) -> None:
    by_area, session = found(hands, spheres), hands.session
    key, testing = session.active_key, hands.workbench.testing
    session.label(key, dict.fromkeys(by_area[:4], 1) | dict.fromkeys(by_area[-4:], 2))
    tab = open_tab(hands)
    tab.view.turn_to(QUALITY)
    hands.click(tab.view.bar.test)
    assert testing.running
    session.set_particles(key, session.active.labels.copy())
    assert not testing.running
    hands.settle()
    assert "test on held-back labels was stopped" in hands.dock.banner.text()
    assert testing.result is None
    assert not testing._running_on  # images
    assert tab.view.bar.test.isEnabled()


def click_row(table: Any, line: int, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
    place = table.visualItemRect(table.item(line, 1)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, modifier, pos=place)


@pytest.fixture
def disagreeing(hands: Any, spheres: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The report in its dock, after a test whose models would call half of the labels slips."""
    found(hands, spheres)
    workbench, session = hands.workbench, hands.session
    key, particles = session.active_key, session.active.particle_ids
    rows = np.arange(12)
    sure = np.linspace(0.6, 0.9, len(rows))[:, None]
    report = QualityReport(
        classes=np.array([1, 2]),
        counts=np.array([6, 6]),
        rows=rows,
        labels=1 + rows % 2,
        probabilities=np.where(rows[:, None] // 6 == [0, 1], sure, 1 - sure),
        folds=3,
    )
    hand = dict(zip(particles[rows].tolist(), report.labels.tolist(), strict=True))
    session.label(key, hand)
    result = LabelTest(report, np.full(len(particles), key), particles, {key: hand})

    def known_already(*_: Any) -> Any:
        yield None
        return result

    monkeypatch.setattr(steps, "hold_labels_back", known_already)  # training takes seconds
    workbench.testing.start()
    hands.wait(lambda: workbench.testing.result is result)
    hands.dock.show_views("Report")
    hands.dock.views.tab(ReportTab).view.turn_to(DISAGREEMENTS)
    hands.wait(lambda: not workbench.jobs.running("pictures"))
    return hands


def test_a_click_draws_nothing_anew_and_a_label_draws_once(
    disagreeing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, session = disagreeing, disagreeing.session
    views = hands.dock.views
    tab = views.tab(ReportTab)
    table = tab.view.disagreements.table
    drawn, refresh = [], tab.refresh
    monkeypatch.setattr(tab, "refresh", lambda: (drawn.append(1), refresh()))
    click_row(table, 0)
    click_row(table, 2, Qt.KeyboardModifier.ControlModifier)
    hands.wait(lambda: not views.inspector.waiting())
    assert drawn == []
    # Several rows stay chosen while the inspector looks at one of them, and after a label.
    listed = tab.view.disagreements.idents()
    session.label(session.active_key, {listed[1].particle: 0})
    hands.settle()
    assert drawn == [1]
    QTest.mouseClick(tab.view.disagreements.take, Qt.MouseButton.LeftButton)
    hands.settle()
    assert session.history.undo_names[0] == "take the model's class for 2 particles"
    assert drawn == [1, 1]


def test_a_correction_takes_only_its_own_particles_off_the_list(disagreeing: Any) -> None:
    hands, session, testing = disagreeing, disagreeing.session, disagreeing.workbench.testing
    key, tab = session.active_key, hands.dock.views.tab(ReportTab)
    page = tab.view.disagreements
    listed = page.idents()
    unlabelled = int(session.active.particle_ids[-1])
    assert len(listed) == 6
    hands.workbench.correcting.delete(Selection.one(key, unlabelled))
    hands.settle()
    assert page.idents() == listed
    assert "test again" in testing.outdated()
    hands.workbench.correcting.delete(Selection.one(*listed[0]))
    hands.settle()
    assert page.idents() == listed[1:]
    session.history.undo()
    hands.settle()
    assert page.idents() == listed
    session.history.undo()
    assert not testing.outdated()
    # Found again: nothing is known of any of them, and a click on a cell selects none.
    session.set_particles(key, session.active.labels.copy())
    session.select(Selection.one(key, unlabelled))
    hands.settle()
    assert page.idents() == []
    assert page.caption.text() == page.NONE_LEFT_TEXT
    tab.view.turn_to(CONFUSION)
    matrix = testing.result.report.confusion
    cell = np.unravel_index(np.argmax(matrix), matrix.shape)
    cells = tab.view.confusion.table
    place = cells.visualItemRect(cells.item(*map(int, cell))).center()
    QTest.mouseClick(cells.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert session.selection == Selection.one(key, unlabelled)
    assert "since the test" in hands.dock.banner.text()
