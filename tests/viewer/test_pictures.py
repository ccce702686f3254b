"""Pictures and measures of particles, cut out in the background."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_ssrvae.errors import InputError
from napari_ssrvae.library import alike


def test_pictures_and_sizes_come_when_they_are_wanted_and_follow_the_particles(
    hands: Any, spheres: np.ndarray
) -> None:
    hands.viewer.add_image(spheres, name="spheres", scale=(5, 5), units=("nm", "nm"))
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    catalogue = hands.workbench.catalogue
    assert not catalogue.patches(np.arange(35)).any()
    assert np.isnan(catalogue.current().sizes["diameter (nm)"]).all()
    told: list[int] = []
    catalogue.pictures_changed.connect(lambda: told.append(1))
    catalogue.want_pictures()
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    assert told
    patches = catalogue.patches([3, 0])
    assert patches.dtype == np.uint8
    assert (patches.max(axis=(1, 2)) > 150).all()
    np.testing.assert_array_equal(patches[::-1], catalogue.patches([0, 3]))
    diameters = catalogue.current().sizes["diameter (nm)"]
    np.testing.assert_allclose(np.unique(diameters)[[0, -1]], [80, 180], rtol=0.1)

    key, labels = hands.session.active_key, hands.session.active.labels
    hands.session.set_particles(key, np.where(labels == 1, 0, labels))
    assert not catalogue.patches([0]).any()
    catalogue.want_pictures()
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    assert catalogue.patches(np.arange(34)).any(axis=(1, 2)).all()

    # After a correction, only what is new is cut out; the others stay as they are.
    before = catalogue.patches(np.arange(34))
    labels = hands.session.active.labels
    particle = int(hands.session.active.particle_ids[3])
    cut = labels.copy()
    cut[(labels == particle) & (np.arange(labels.shape[0])[:, None] % 66 > 45)] = 99
    hands.session.edit_particles(key, cut, "cut")
    rows = np.setdiff1d(np.arange(34), [3])
    np.testing.assert_array_equal(catalogue.patches(rows), before[rows])
    assert not catalogue.patches([3, 34]).any()
    catalogue.want_pictures()
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    assert catalogue.patches([3, 34]).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(catalogue.patches(rows), before[rows])
    assert np.isfinite(catalogue.current().sizes["diameter (nm)"]).all()

    # Found again and corrected while nobody looks: no old picture comes back.
    started: list[str] = []
    start = hands.workbench.jobs.start
    hands.workbench.jobs.start = lambda kind, *a, **k: (started.append(kind), start(kind, *a, **k))
    labels = hands.session.active.labels
    ids = hands.session.active.particle_ids
    turned = np.zeros_like(labels)
    for particle, other in zip(ids.tolist(), ids[::-1].tolist(), strict=True):
        turned[labels == particle] = other  # the same ids, of other particles
    hands.session.set_particles(key, turned)
    hands.session.edit_particles(key, np.where(turned == ids[0], 0, turned), "delete")
    assert not catalogue.patches(np.arange(34)).any()
    catalogue.want_pictures()
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    assert catalogue.patches(np.arange(34)).any(axis=(1, 2)).all()
    assert started.count("pictures") == 1


def test_what_cannot_be_cut_out_is_tried_once_and_keeps_nothing_else_back(
    hands: Any, spheres: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, catalogue, jobs = hands.session, hands.workbench.catalogue, hands.workbench.jobs
    keys = []
    for name in ("broken", "sound"):
        hands.viewer.add_image(spheres, name=name)
        hands.wait(lambda: len(session.micrographs) > len(keys))
        keys.append(session.active_key)
        hands.find()
    tried = []
    extract = alike.iter_extract_alike

    def extract_or_fail(micrograph: Any, *args: Any, **kwargs: Any) -> Any:
        tried.append(micrograph.name)
        if micrograph.name == "broken":
            raise InputError("It cannot be cut out.")
        return extract(micrograph, *args, **kwargs)

    monkeypatch.setattr(alike, "iter_extract_alike", extract_or_fail)
    catalogue.want_pictures()
    hands.wait(lambda: not jobs.running("pictures"))
    assert tried == ["broken", "sound"]
    assert hands.dock.banner.text() == "It cannot be cut out."
    catalogue.want_pictures()
    assert not jobs.running("pictures")
    # Other particles: another try.
    monkeypatch.setattr(alike, "iter_extract_alike", extract)
    session.set_particles(keys[0], session.micrographs[keys[0]].labels.copy())
    catalogue.want_pictures()
    hands.wait(lambda: not jobs.running("pictures"))
    assert catalogue.patches(np.arange(len(catalogue.current()))).any(axis=(1, 2)).all()
