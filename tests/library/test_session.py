"""The session: what a person made, with undo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging import Micrograph
from napari_ssrvae.learning.estimator import SSRVAE
from napari_ssrvae.library import Predictions
from napari_ssrvae.library.changes import ids_of_all
from napari_ssrvae.library.predictions import predict_particles
from napari_ssrvae.library.selection import Place, Selection
from napari_ssrvae.library.session import (
    Session,
    carry_hand_labels,
    shown_classes,
)
from tiny import CLASSES, tiny


def label_image() -> np.ndarray:
    """Three particles: 1 and 2 small, 5 large (a gap in the ids)."""
    labels = np.zeros((20, 30), np.int32)
    labels[2:6, 2:6] = 1
    labels[2:6, 12:16] = 2
    labels[10:18, 10:20] = 5
    return labels


def predictions(classes: tuple[int, ...] = (1, 2, 2)) -> Predictions:
    ids = np.array([1, 2, 5])
    p = np.array([[0.9, 0.1] if c == 1 else [0.2, 0.8] for c in classes])
    zeros = np.zeros(3)
    return Predictions(
        ids,
        np.array(classes),
        p,
        np.array([1, 2]),
        np.zeros((3, 2)),
        zeros,
        np.zeros((3, 2)),
        zeros,
    )


@pytest.fixture
def session() -> Session:
    session = Session()
    key = session.add_micrograph(Micrograph(np.zeros((20, 30)), 10.0, "a", None, {}))
    session.set_particles(key, label_image())
    session.history.clear()
    return session


def test_starts_with_two_classes_and_no_micrograph() -> None:
    session = Session()
    assert [c.id for c in session.classes] == [1, 2]
    assert len({c.color for c in session.classes}) == 2
    assert session.active is None


def test_label_clear_undo_redo(session: Session) -> None:
    key = session.active_key
    changed = []
    session.hand_labels_changed.connect(lambda k, ids: changed.append((k, ids)))
    session.label(key, {1: 1, 5: 2})
    assert session.active.hand_labels == {1: 1, 5: 2}
    session.label(key, {1: 0})
    assert session.active.hand_labels == {5: 2}
    assert session.history.undo_names[0] == "clear the label of particle 1"
    session.history.undo()
    assert session.active.hand_labels == {1: 1, 5: 2}
    session.history.undo()
    assert session.active.hand_labels == {}
    session.history.redo()
    assert session.active.hand_labels == {1: 1, 5: 2}
    assert changed[0] == (key, frozenset({1, 5}))
    assert session.hand_counts() == {1: 1, 2: 1}


def test_a_label_that_changes_nothing_is_no_step(session: Session) -> None:
    session.label(session.active_key, {1: 1})
    session.label(session.active_key, {1: 1})
    session.history.undo()
    assert session.history.undo_names == ()


@pytest.mark.parametrize(("change", "what"), [({9: 1}, "particle 9"), ({1: 7}, "class 7")])
def test_unknown_particle_or_class(session: Session, change: dict[int, int], what: str) -> None:
    with pytest.raises(InputError, match=what):
        session.label(session.active_key, change)
    assert session.active.hand_labels == {}


def test_new_particles_carry_the_labels_over_and_undo_brings_the_old_ones(session: Session) -> None:
    key = session.active_key
    session.label(key, {1: 1, 2: 2, 5: 1})
    new = np.zeros((20, 30), np.int32)
    new[3:6, 2:6] = 4  # most of 1
    new[9:18, 9:20] = 1  # all of 5; 2 is gone
    assert session.set_particles(key, new) == 1
    assert session.active.hand_labels == {4: 1, 1: 1}
    assert session.active.particle_ids.tolist() == [1, 4]
    session.history.undo()
    assert session.active.hand_labels == {1: 1, 2: 2, 5: 1}
    np.testing.assert_array_equal(session.active.labels, label_image())


def test_the_session_keeps_its_own_copy_of_a_label_image(session: Session) -> None:
    mine = label_image()
    session.set_particles(session.active_key, mine)
    mine[:] = 0  # napari paints in place
    assert session.active.labels.max() == 5


def test_labels_of_another_shape_are_refused(session: Session) -> None:
    with pytest.raises(InputError, match="10 x 10 but the micrograph 20 x 30"):
        session.set_particles(session.active_key, np.zeros((10, 10), np.int32))


def test_new_particles_drop_the_predictions(session: Session) -> None:
    key = session.active_key
    session.set_predictions(key, predictions())
    session.set_particles(key, label_image())
    assert session.active.predictions is None
    session.history.undo()
    assert session.active.predictions is not None


def test_hand_labels_beat_predictions_on_the_screen(session: Session) -> None:
    key = session.active_key
    assert shown_classes(session.active) == {}
    session.set_predictions(key, predictions())
    session.label(key, {1: 2})
    assert shown_classes(session.active) == {1: 2, 2: 2, 5: 2}
    assert session.predicted_counts() == {2: 3}


def test_counts_span_micrographs(session: Session) -> None:
    first = session.active_key
    second = session.add_micrograph(Micrograph(np.zeros((20, 30)), 10.0, "b", None, {}))
    session.set_particles(second, label_image())
    for key in (first, second):
        session.set_predictions(key, predictions())
    session.label(first, {1: 1})
    session.label(second, {1: 1})
    assert session.hand_counts() == {1: 2}
    assert session.predicted_counts() == {1: 2, 2: 4}


def test_classes_are_added_renamed_recoloured_with_undo(session: Session) -> None:
    new = session.add_class("trimer")
    assert (new.id, session.current_class) == (3, 3)
    session.edit_class(3, name="chain", color="#123456")
    assert session.classes[2].name == "chain"
    session.history.undo()
    assert session.classes[2].name == "trimer"
    session.history.undo()
    assert [c.id for c in session.classes] == [1, 2]
    assert session.current_class == 1


def test_a_name_is_unique_and_not_empty(session: Session) -> None:
    with pytest.raises(InputError, match="already a class 'class 2'"):
        session.edit_class(1, name="class 2")
    with pytest.raises(InputError, match="needs a name"):
        session.edit_class(1, name="  ")


def test_removing_a_class_takes_its_labels_and_undo_brings_both_back(session: Session) -> None:
    session.label(session.active_key, {1: 1, 2: 2})
    session.remove_class(1)
    assert [c.id for c in session.classes] == [2]
    assert session.active.hand_labels == {2: 2}
    session.history.undo()
    assert [c.id for c in session.classes] == [1, 2]
    assert session.active.hand_labels == {1: 1, 2: 2}


def test_the_last_class_stays(session: Session) -> None:
    session.remove_class(1)
    with pytest.raises(InputError, match="last class"):
        session.remove_class(2)


def test_a_removed_micrograph_leaves_the_history_harmless(session: Session) -> None:
    key = session.active_key
    session.label(key, {1: 1})
    session.select(Selection.one(key, 1))
    session.remove_micrograph(key)
    assert session.selection is None
    assert session.active is None
    session.history.undo()
    assert session.hand_counts() == {}


def test_selection_is_told_once(session: Session) -> None:
    told = []
    session.selection_changed.connect(lambda: told.append(session.selection))
    for _ in range(2):
        session.select(Selection.one(session.active_key, 5))
    assert told == [Selection.one(session.active_key, 5)]


def test_pixel_size_is_corrected_with_undo(session: Session) -> None:
    session.set_pixel_size(session.active_key, 4.5)
    assert session.active.micrograph.pixel_size == 4.5
    session.history.undo()
    assert session.active.micrograph.pixel_size == 10.0
    with pytest.raises(InputError, match="not possible"):
        session.set_pixel_size(session.active_key, -1)


def test_two_labels_that_meet_the_larger_wins() -> None:
    old = label_image()
    new = np.zeros_like(old)
    new[2:18, 2:20] = 1
    assert carry_hand_labels(old, new, {1: 1, 5: 2}) == {1: 2}


def test_history_forgets_the_oldest_and_what_was_undone(session: Session) -> None:
    session.label(session.active_key, {1: 1})
    session.label(session.active_key, {1: 2})
    session.history.undo()
    session.label(session.active_key, {2: 1})
    assert session.history.redo_names == ()
    assert session.history.redo() is None
    assert session.history.undo() == "label particle 2 as class 1"


def test_merged_classes_share_labels_and_predictions_and_come_apart_again(
    session: Session,
) -> None:
    key = session.active_key
    third = session.add_class("trimer").id
    session.label(key, {1: 2, 5: third})
    said = Predictions.empty([1, 2, third], 2)
    said = replace(
        said,
        particle_ids=np.array([1, 2, 5]),
        class_ids=np.array([1, 2, third]),
        probabilities=np.array([[0.4, 0.3, 0.3], [0.1, 0.6, 0.3], [0.1, 0.2, 0.7]]),
        **{n: np.zeros(3) for n in ("angle", "scale")},
        **{n: np.zeros((3, 2)) for n in ("z", "shift")},
    )
    session.set_predictions(key, said)
    session.set_current_class(third)
    session.merge_class(third, 2)
    assert [c.id for c in session.classes] == [1, 2]
    assert session.current_class == 2
    assert session.active.hand_labels == {1: 2, 5: 2}
    now = session.active.predictions
    assert now.model_classes.tolist() == [1, 2]
    assert now.class_ids.tolist() == [2, 2, 2]  # 0.3 + 0.3 is more than 0.4
    np.testing.assert_allclose(now.probabilities, [[0.4, 0.6], [0.1, 0.9], [0.1, 0.9]])
    session.history.undo()
    assert session.active.hand_labels == {1: 2, 5: third}
    assert session.active.predictions is said
    session.history.redo()
    session.set_predictions(key, None)  # a new model came meanwhile
    session.history.undo()
    assert session.active.predictions is None
    with pytest.raises(InputError, match="itself"):
        session.merge_class(2, 2)


def test_what_a_model_says_of_classes_that_are_gone_is_said_of_those_that_are_left(
    session: Session,
) -> None:
    key, third = session.active_key, session.add_class("trimer").id
    said = replace(
        Predictions.empty([1, 2, third], 2),
        particle_ids=np.array([1]),
        class_ids=np.array([third]),
        probabilities=np.array([[0.1, 0.3, 0.6]]),
        **{n: np.zeros(1) for n in ("angle", "scale")},
        **{n: np.zeros((1, 2)) for n in ("z", "shift")},
    )
    session.merge_class(third, 2)
    session.remove_class(2)
    session.set_predictions(key, said)  # of a model that was trained before
    assert session.active.predictions.model_classes.tolist() == [1]
    assert session.active.predictions.class_ids.tolist() == [1]
    np.testing.assert_allclose(session.active.predictions.probabilities, 1)
    session.history.undo()
    session.set_predictions(key, said)
    np.testing.assert_allclose(session.active.predictions.probabilities, [[0.1, 0.9]])
    session.history.undo()
    session.set_predictions(key, said)
    assert session.active.predictions is said


def test_classes_are_moved_in_the_table(session: Session) -> None:
    third = session.add_class("trimer").id
    session.move_class(third, -1)
    assert [c.id for c in session.classes] == [1, third, 2]
    session.move_class(1, -1)  # it is the first already
    session.move_class(third, -5)
    assert [c.id for c in session.classes] == [third, 1, 2]
    for _ in range(2):
        session.history.undo()
    assert [c.id for c in session.classes] == [1, 2, third]
    session.move_class(1, 5)
    assert [c.id for c in session.classes] == [2, third, 1]


def test_a_selection_over_two_micrographs_is_labelled_as_one_step(session: Session) -> None:
    first = session.active_key
    second = session.add_micrograph(Micrograph(np.zeros((20, 30), np.float32), None, "second"))
    session.set_particles(second, label_image())
    session.select(Selection.of([(first, 1), (first, 5), (second, 2)]))
    told = []
    session.hand_labels_changed.connect(lambda key, ids: told.append((key, ids)))
    session.label_selected(2)
    assert session.micrographs[first].hand_labels == {1: 2, 5: 2}
    assert session.micrographs[second].hand_labels == {2: 2}
    assert told == [(first, frozenset([1, 5])), (second, frozenset([2]))]
    assert session.history.undo_names[0] == "label 3 particles as class 2"
    session.history.undo()
    assert not session.hand_counts()
    session.history.redo()
    session.label_selected(0)
    assert not session.hand_counts()
    session.select(None)
    session.label_selected(1)
    assert not session.hand_counts()


def test_a_label_that_is_refused_labels_nothing_in_any_micrograph(session: Session) -> None:
    first = session.active_key
    second = session.add_micrograph(Micrograph(np.zeros((20, 30), np.float32), None, "second"))
    session.set_particles(second, label_image())
    with pytest.raises(InputError, match="no particle 77 in second"):
        session.label_all({first: {1: 1}, second: {77: 1}})
    assert not session.hand_counts()


def test_what_is_selected_goes_with_its_particles(session: Session) -> None:
    first = session.active_key
    second = session.add_micrograph(Micrograph(np.zeros((20, 30), np.float32), None, "second"))
    session.set_particles(second, label_image())
    session.select(Selection.of([(first, 1), (second, 2), (second, 5)]))
    session.set_particles(second, label_image())
    assert list(session.selection) == [Place(first, 1)]
    session.remove_micrograph(first)
    assert session.selection is None


def test_everything_that_a_person_does_is_a_named_step(session: Session) -> None:
    key = session.active_key
    assert key is not None
    session.label(key, {1: 1, 2: 1})
    session.label(key, {1: 0, 2: 0})
    session.add_class("rod")
    session.edit_class(3, counted=False)
    session.edit_class(3, counted=True)
    session.edit_class(3, color="#000000")
    session.set_pixel_size(key, 4.0)
    session.remove_class(3)
    assert session.history.undo_names == (
        "remove rod",
        "pixel size 4 nm",
        "recolour rod",
        "count rod in the figures",
        "leave out rod in the figures",
        "add rod",
        "clear the labels of 2 particles",
        "label 2 particles as class 1",
    )
    assert session.history.redo_names == ()
    for _ in range(4):
        session.history.undo()
    assert not session.classes[2].counted
    assert session.history.redo_names[0] == "count rod in the figures"
    assert session.history.redo_names[-1] == "remove rod"


# -- corrections -----------------------------------------------------------------------------
def corrected() -> np.ndarray:
    """The label image with particle 5 cut in two, 1 gone, and 2 as it was."""
    labels = label_image()
    labels[10:18, 16:20] = 6
    labels[labels == 1] = 0
    return labels


def snapshot(session: Session) -> tuple:
    state = session.active
    said = state.predictions
    return (
        state.labels.tolist(),
        state.particle_ids.tolist(),
        dict(state.hand_labels),
        state.corrected,
        None if said is None else said.table().to_dict(),
    )


def test_a_correction_touches_only_its_particles_and_undo_is_exact(session: Session) -> None:
    key = session.active_key
    session.set_predictions(key, predictions())
    session.label(key, {1: 1, 2: 2, 5: 1})
    session.select(Selection.of([(key, 1), (key, 2)]))
    before, image, said = snapshot(session), session.active.labels, session.active.predictions
    told, count = [], []
    session.particles_edited.connect(lambda k, changes: told.append((k, changes.ids)))
    session.particles_changed.connect(count.append)
    mine = corrected()
    correction = session.edit_particles(key, mine, "cut particle 5")
    mine[:] = 0
    np.testing.assert_array_equal(image, label_image())  # replaced, never changed in place
    np.testing.assert_array_equal(session.active.labels, corrected())
    assert session.active.particle_ids.tolist() == [2, 5, 6]
    assert session.active.hand_labels == {2: 2}
    assert session.active.predictions.particle_ids.tolist() == [2]
    assert session.active.corrected
    assert correction.lost == {5: 1}
    assert list(session.selection) == [Place(key, 2)]
    assert told == [(key, {1, 5, 6})]
    assert count == [key]
    after = snapshot(session)
    assert session.history.undo_names[0] == "cut particle 5"
    session.history.undo()
    assert snapshot(session) == before
    assert session.active.predictions is said
    session.history.redo()
    assert snapshot(session) == after
    assert told == [(key, {1, 5, 6})] * 3


def test_what_was_said_of_new_particles_meanwhile_goes_with_them(session: Session) -> None:
    key = session.active_key
    session.set_predictions(key, predictions())
    session.edit_particles(key, corrected(), "cut")
    new = predictions()
    session.add_predictions(key, replace(new, particle_ids=np.array([6, 5, 7])).subset([0, 1]))
    assert session.active.predictions.particle_ids.tolist() == [2, 5, 6]
    assert session.active.predictions.class_ids.tolist() == [2, 2, 1]
    session.history.undo()
    assert session.active.predictions.particle_ids.tolist() == [1, 2, 5]
    assert session.active.predictions.class_ids.tolist() == [1, 2, 2]


def test_what_another_model_said_does_not_come_back(session: Session) -> None:
    key = session.active_key
    session.set_predictions(key, predictions())
    session.edit_particles(key, corrected(), "cut")
    of_another = replace(predictions(), particle_ids=np.array([2, 5, 6]), model="another")
    session.set_predictions(key, of_another)
    session.history.undo()
    assert session.active.predictions.particle_ids.tolist() == [2]
    assert session.active.predictions.class_ids.tolist() == [1]


def of_model(model: SSRVAE) -> Predictions:
    """What a trained model might say of the three particles."""
    said = predict_particles(tiny().particles.subset([0, 1, 2]), model)
    return replace(said, particle_ids=np.array([1, 2, 5]))


def test_what_another_model_said_comes_in_by_no_door(session: Session) -> None:
    key, workflow = session.active_key, tiny().workflow
    older, newer = replace(predictions(), model="older"), of_model(workflow.model)
    other = session.add_micrograph(Micrograph(np.zeros((20, 30)), 10.0, "b", None, {}))
    session.set_particles(other, label_image())
    for one in (key, other):
        session.set_predictions(one, older)
    session.set_particles(key, label_image())  # found again: nothing is said any more
    told: list[int] = []
    session.predictions_changed.connect(told.append)
    session.set_workflow(workflow, {key: newer})
    assert session.micrographs[key].predictions is newer
    assert session.micrographs[other].predictions is None  # of the older model
    assert told == [key, other]
    session.history.undo()
    assert session.micrographs[key].predictions is None
    session.set_predictions(key, older)  # a job that was begun with the older model ends
    session.add_predictions(other, older)
    assert [s.predictions for s in session.micrographs.values()] == [None, None]
    session.history.redo()
    session.set_predictions(key, newer)
    session.set_particles(key, label_image())
    session.history.undo()
    assert session.micrographs[key].predictions is newer


def test_undo_of_a_merge_reaches_what_was_classified_since(session: Session) -> None:
    key, model = session.active_key, tiny().workflow.model
    session.set_classes(CLASSES)
    session.set_workflow(tiny().workflow)
    said = of_model(model)
    session.set_predictions(key, said)
    kept, gone = said.model_classes[:2].tolist()
    session.merge_class(gone, kept)
    other = session.add_micrograph(Micrograph(np.zeros((20, 30)), 10.0, "b", None, {}))
    session.set_particles(other, label_image())
    session.set_predictions(other, said)  # classified while the classes are merged
    session.edit_particles(key, corrected(), "cut")
    session.add_predictions(key, replace(said, particle_ids=np.array([5, 6, 7])).subset([0, 1]))
    left = [c for c in said.model_classes.tolist() if c != gone]
    for state in session.micrographs.values():
        assert state.predictions.model_classes.tolist() == left
        assert len(state.predictions) == 3
        assert state.predictions is state.predictions  # read once
    for _ in range(3):  # the correction, the particles of the other, the merge
        session.history.undo()
    assert session.micrographs[key].predictions.model_classes.tolist() == [*model.classes_]
    np.testing.assert_array_equal(
        session.micrographs[key].predictions.probabilities, said.probabilities
    )
    session.history.redo()
    assert session.micrographs[key].predictions.model_classes.tolist() == left


def test_the_number_of_a_class_that_is_gone_is_not_given_again(session: Session) -> None:
    session.remove_class(2)  # a training that still runs knows it by this number
    dust = session.add_class("dust")
    assert dust.id == 3
    session.set_predictions(session.active_key, predictions())
    assert dust.id not in session.active.predictions.class_ids


def test_labels_keep_their_names_in_another_table(session: Session) -> None:
    rods, cubes = session.classes
    session.label(session.active_key, {1: rods.id, 2: cubes.id, 5: cubes.id})
    swapped = (replace(cubes, id=rods.id), replace(rods, id=cubes.id))
    session.set_classes(swapped, {rods.id: cubes.id, cubes.id: rods.id})
    assert session.active.hand_labels == {1: 2, 2: 1, 5: 1}
    said = predictions()
    session.set_predictions(session.active_key, said)
    assert session.active.predictions is said  # the new table is that of the model
    session.history.undo()
    assert session.active.hand_labels == {1: 1, 2: 2, 5: 2}


def test_predictions_of_other_classes_are_not_added(session: Session) -> None:
    key = session.active_key
    session.set_predictions(key, predictions())
    session.add_predictions(key, Predictions.empty([1, 2, 3], 2))
    assert session.active.predictions.model_classes.tolist() == [1, 2]
    with pytest.raises(InputError, match="another model"):
        predictions().updated(Predictions.empty([1, 2], 5))


def test_a_correction_that_changes_nothing_is_no_step(session: Session) -> None:
    assert session.edit_particles(session.active_key, label_image(), "nothing") is None
    assert session.history.undo_names == ()


def test_particles_that_were_never_found_cannot_be_corrected() -> None:
    session = Session()
    key = session.add_micrograph(Micrograph(np.zeros((20, 30)), None, "a", None, {}))
    with pytest.raises(InputError, match="find them first"):
        session.edit_particles(key, label_image(), "draw")


def test_particles_of_two_micrographs_are_corrected_as_one_step(session: Session) -> None:
    first = session.active_key
    second = session.add_micrograph(Micrograph(np.zeros((20, 30)), 10.0, "b", None, {}))
    session.set_particles(second, label_image())
    made = session.edit_all({first: corrected(), second: corrected()}, "delete debris")
    assert set(made) == {first, second}
    session.history.undo()
    for key in (first, second):
        np.testing.assert_array_equal(session.micrographs[key].labels, label_image())
    session.history.redo()
    session.remove_micrograph(second)
    session.history.undo()
    np.testing.assert_array_equal(session.micrographs[first].labels, label_image())


def test_found_again_is_not_corrected_any_more(session: Session) -> None:
    key = session.active_key
    session.edit_particles(key, corrected(), "cut")
    told = []
    session.particles_edited.connect(lambda _, changes: told.append(changes))
    session.set_particles(key, label_image())
    assert not session.active.corrected
    assert told[-1].whole
    assert told[-1].ids == {1, 2, 5, 6}
    session.history.undo()
    assert session.active.corrected
    assert told[-1].removed == {1}


def test_which_particles_are_by_hand(session: Session) -> None:
    key, state = session.active_key, session.active
    session.set_particles(key, label_image(), recipe="otsu")
    found = state.labels
    assert not state.by_hand
    session.edit_particles(key, corrected(), "cut")
    assert state.by_hand
    assert state.made_by_hand_since(found)
    assert not state.made_by_hand_since(state.labels)
    session.history.undo()
    assert not state.by_hand
    session.set_particles(key, corrected())  # from elsewhere
    assert state.by_hand


def test_an_info_bar_is_cut_and_comes_back_with_everything_that_was_made(
    session: Session,
) -> None:
    key = session.active_key
    state, labels = session.active, session.active.labels
    whole, height = state.micrograph.image, state.micrograph.shape[0]
    session.label(key, {1: 1, 2: 2, 5: 2})
    session.set_predictions(key, predictions())
    said = state.said
    lowest = max(state.particle_ids.tolist(), key=lambda p: int(np.nonzero(labels == p)[0].max()))
    rows = int(np.nonzero(labels == lowest)[0].min())
    gone = [p for p in state.particle_ids.tolist() if not (labels[:rows] == p).any()]
    edited = []
    session.particles_edited.connect(lambda key, changes: edited.append((key, changes.whole)))
    assert session.set_rows(key, rows, lambda _: whole) == len(gone) > 0
    assert state.micrograph.shape[0] == state.labels.shape[0] == rows
    assert state.micrograph.metadata["info_bar_rows"] == height - rows
    assert not set(gone) & (set(state.hand_labels) | set(state.predictions.particle_ids.tolist()))
    np.testing.assert_array_equal(np.vstack([state.micrograph.image, state.foot]), whole)
    assert edited == [(key, True)]
    session.history.undo()
    np.testing.assert_array_equal(state.labels, labels)
    assert state.hand_labels == {1: 1, 2: 2, 5: 2}
    np.testing.assert_array_equal(state.said.particle_ids, said.particle_ids)
    assert state.foot is None
    session.history.redo()
    assert state.labels.shape[0] == rows
    # The other way: the bar comes back, and what is above it stays.
    hand, ids = state.hand_labels, state.particle_ids
    session.set_rows(key, height, lambda _: whole)
    assert session.history.undo_names[0] == "keep the whole picture"
    assert state.labels.shape == labels.shape
    assert not state.labels[rows:].any()
    assert state.hand_labels == hand
    np.testing.assert_array_equal(state.particle_ids, ids)
    np.testing.assert_array_equal(state.micrograph.image, whole)


def test_rows_that_cannot_be_cut_off_are_refused(session: Session) -> None:
    key, whole = session.active_key, session.active.micrograph.image
    for rows in (3, whole.shape[0] + 1):
        with pytest.raises(InputError, match="cannot be cut off"):
            session.set_rows(key, rows, lambda _: whole)
    session.set_rows(key, whole.shape[0], lambda _: whole)
    assert session.history.undo_names == ()


def test_what_is_said_after_a_cut_stays_when_that_is_undone(session: Session) -> None:
    key, state = session.active_key, session.active
    whole = state.micrograph.image
    session.set_rows(key, whole.shape[0] - 1, lambda _: whole)
    session.set_predictions(key, predictions())
    session.history.undo()
    np.testing.assert_array_equal(state.said.particle_ids, predictions().particle_ids)


@pytest.mark.parametrize("top", [1, 7, 10**6])
def test_ids_of_a_label_image(top: int) -> None:
    labels = np.random.default_rng(0).integers(0, 8, (30, 40)).astype(np.int32)
    labels[labels == 7] = top  # also an id beyond the number of pixels
    wanted = np.unique(labels)
    assert ids_of_all(labels).tolist() == wanted[wanted > 0].tolist()
    assert ids_of_all(np.zeros((4, 4), np.int32)).size == 0
