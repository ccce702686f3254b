"""The model learns new labels by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def learning(trained: Any) -> Any:
    trained.click(trained.panel("Train").by_itself)
    trained.workbench.retraining._pause.setInterval(50)
    return trained


def unlabelled(hands: Any) -> list[int]:
    state = hands.session.active
    return [p for p in state.particle_ids.tolist() if p not in state.hand_labels]


def test_a_new_class_is_learnt_a_moment_after_its_labels(learning: Any) -> None:
    session, workbench = learning.session, learning.workbench
    before = session.workflow
    shown = []
    workbench.views_wanted.connect(lambda: shown.append(1))
    third = session.add_class("medium").id
    labels = session.active.labels
    middle = sorted(unlabelled(learning), key=lambda p: int((labels == p).sum()))
    session.label(session.active_key, dict.fromkeys(middle[10:13], third))
    assert not workbench.jobs.running("train")
    learning.wait(lambda: session.workflow is not before)
    assert session.workflow.model.classes_.tolist() == [1, 2, third]
    assert before.model.classes_.tolist() == [1, 2]  # the old model is as it was
    assert session.workflow.patches == before.patches
    assert third in session.active.predictions.model_classes
    assert not shown  # no window opens by itself in the middle of labelling


def test_labels_during_a_training_are_learnt_in_the_next(learning: Any) -> None:
    session, workbench = learning.session, learning.workbench
    trainings = []
    session.workflow_changed.connect(lambda: trainings.append(session.hand_counts().total()))
    first, second = unlabelled(learning)[:2]
    session.label(session.active_key, {first: 1})
    learning.wait(lambda: workbench.jobs.running("train"))
    session.label(session.active_key, {second: 2})
    learning.wait(lambda: len(trainings) == 2)
    assert trainings == [8, 8]
    assert not workbench.jobs.running("train")


def test_a_label_that_is_taken_back_is_no_reason_to_train(learning: Any) -> None:
    session, workbench = learning.session, learning.workbench
    session.label(session.active_key, {unlabelled(learning)[0]: 1})
    session.history.undo()
    learning.qtbot.wait(300)
    assert not workbench.jobs.running("train")


def test_nothing_begins_when_it_is_off_or_cannot_go_on(learning: Any) -> None:
    session, workbench = learning.session, learning.workbench
    particle = unlabelled(learning)[0]
    learning.click(learning.panel("Train").by_itself)
    session.label(session.active_key, {particle: 1})
    learning.qtbot.wait(300)
    assert not workbench.jobs.running("train")
    learning.click(learning.panel("Train").by_itself)
    session.add_class()
    session.remove_class(2)
    session.label(session.active_key, {particle: 3 if 3 in _classes(session) else 1})
    learning.qtbot.wait(300)
    assert not workbench.jobs.running("train")


def test_a_model_is_not_made_to_forget_classes_that_have_no_label_here(learning: Any) -> None:
    session, workbench = learning.session, learning.workbench
    before, ones = session.workflow, [p for p, c in session.active.hand_labels.items() if c == 1]
    third = session.add_class().id
    session.label(session.active_key, dict.fromkeys(ones, third))
    learning.qtbot.wait(300)
    assert not workbench.jobs.running("train")
    assert "would forget them" in learning.panel("Train").remark.text()
    assert session.workflow is before


def test_a_model_that_was_opened_meanwhile_stays(learning: Any, tmp_path: Path) -> None:
    session, workbench = learning.session, learning.workbench
    session.workflow.save(tmp_path / "model")
    session.label(session.active_key, {unlabelled(learning)[0]: 1})
    learning.wait(lambda: workbench.jobs.running("train"))
    workbench.files.open_model(str(tmp_path / "model"))
    learning.wait(lambda: workbench.armed)
    opened = session.workflow
    learning.qtbot.wait(500)
    assert not workbench.jobs.running("train")
    assert session.workflow is opened


def test_a_resumed_workflow_keeps_recipe_and_scale_of_the_first(learning: Any) -> None:
    session = learning.session
    before = session.workflow
    learning.workbench.set_pixel_size(7.0)
    session.label(session.active_key, {unlabelled(learning)[0]: 1})
    learning.wait(lambda: session.workflow is not before)
    for name in ("segmentation", "patches", "pixel_size"):
        assert getattr(session.workflow, name) == getattr(before, name)


def _classes(session: Any) -> set[int]:
    return {c.id for c in session.classes}
