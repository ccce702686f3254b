"""A model or a library comes into a session that has another: nothing changes its meaning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_ssrvae.library.micrograph_state import MicrographState
from napari_ssrvae.library.predictions import predict_particles
from napari_ssrvae.library.scene import Scene
from napari_ssrvae.viewer import steps
from tiny import CLASSES, tiny


def test_corrected_particles_are_exported_in_the_classes_that_were_merged(tmp_path: Path) -> None:
    workflow = tiny().workflow
    said = predict_particles(tiny().particles, workflow.model)
    state = MicrographState(tiny().micrograph, tiny().labels, said.particle_ids)
    state.said, state.become = said.subset(np.arange(3, len(said))), {2: 1}
    frozen = steps.FrozenMicrograph.of(1, state)
    left = tuple(c for c in CLASSES if c.id != 2)
    path = tmp_path / "table.csv"
    for _ in steps.export([frozen], workflow, left, path, "csv"):
        pass
    table = pd.read_csv(path)
    assert len(table) == len(said)
    assert set(table["class"]) <= {c.name for c in left}


def names_by_hand(session: Any) -> dict[int, str]:
    return {p: session.class_name(c) for p, c in session.active.hand_labels.items()}


def test_labels_keep_their_names_under_another_model_which_classifies_everything_again(
    trained: Any, tmp_path: Path
) -> None:
    session, workbench = trained.session, trained.workbench
    key, mine = session.active_key, session.workflow
    session.edit_class(1, name="cube")
    session.add_class("dimer")
    spare = session.active.particle_ids[10:12].tolist()
    session.label(key, dict.fromkeys(spare, 3))
    names = names_by_hand(session)
    assert set(names.values()) == {"cube", "class 2", "dimer"}

    # A model of other classes under the same numbers, one of which the table has too.
    classes = [replace(c, name="dimer") if c.id == 2 else c for c in tiny().workflow.classes]
    replace(tiny().workflow, classes=tuple(classes)).save(tmp_path / "model")
    workbench.files.open_model(str(tmp_path / "model"))
    trained.wait(lambda: workbench.armed)
    assert names_by_hand(session) == names
    assert [c.name for c in session.classes][:4] == [c.name for c in classes]
    assert "does not know cube, class 2" in trained.dock.banner.text()
    trained.wait(lambda: session.active.predictions is not None)
    now = session.active.predictions
    assert now.is_of(session.workflow.model)
    assert not now.is_of(mine.model)

    # Jobs that were begun with the model before are done again with this one.
    frozen = steps.FrozenMicrograph.of(key, session.active)
    session.set_predictions(key, None)
    old = predict_particles(mine.particles(frozen.micrograph, frozen.labels), mine.model)
    workbench.classifying._on_classified(mine, {key: frozen.labels}, {key: old})
    assert session.active.predictions is None
    trained.wait(lambda: session.active.predictions is not None)
    assert session.active.predictions.is_of(session.workflow.model)


def test_a_library_over_a_labelled_micrograph_is_one_step_and_keeps_all_names(
    hands: Any, tmp_path: Path
) -> None:
    session, workbench = hands.session, hands.workbench
    hands.viewer.add_image(tiny().micrograph.image, name=tiny().micrograph.name)
    hands.wait(lambda: session.active is not None)
    session.set_particles(session.active_key, tiny().labels)
    labelled = sorted(tiny().hand)
    others = [int(p) for p in session.active.particle_ids if int(p) not in tiny().hand]
    session.label(session.active_key, {others[0]: 1, labelled[0]: 2})
    before, classes = dict(session.active.hand_labels), session.classes
    steps_before = session.history.undo_names

    library = tiny().library
    source = library.micrographs[tiny().micrograph.name]
    scene = Scene(tiny().micrograph.image, tiny().labels)
    kept = replace(library, micrographs={tiny().micrograph.name: replace(source, scene=scene)})
    kept.save(tmp_path / "library")
    workbench.files.open_library(str(tmp_path / "library"))
    hands.wait(lambda: session.active.predictions is not None)
    names = {c.id: c.name for c in CLASSES}
    by_hand = {p: names[c] for p, c in tiny().hand.items()}
    assert names_by_hand(session) == by_hand | {others[0]: "class 1"}
    shown = [session.class_name(c) for c in session.active.predictions.class_ids]
    assert shown == library.table["predicted"].tolist()

    session.history.undo()
    assert session.history.undo_names == steps_before
    assert session.classes == classes
    assert session.active.hand_labels == before
    assert session.active.predictions is None
