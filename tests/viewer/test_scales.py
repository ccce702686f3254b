"""Micrographs of several magnifications in one window, and what size counts for in the patches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_ssrvae.imaging import propose_size
from napari_ssrvae.library import ParticleLibrary
from napari_ssrvae.library.micrograph_state import MicrographState
from napari_ssrvae.viewer import steps
from napari_ssrvae.viewer.patch_sizes import in_words
from tiny import CLASSES, tiny


def opened(hands: Any, image: np.ndarray, name: str, pixel_size: float | None) -> int:
    """Open an image, give its pixel size, and find its particles."""
    before = len(hands.session.micrographs)
    hands.viewer.add_image(image, name=name)
    hands.wait(lambda: len(hands.session.micrographs) > before)
    hands.workbench.set_pixel_size(pixel_size)
    hands.find()
    return int(hands.session.active_key)


def label_three_sizes(hands: Any) -> None:
    session, labels = hands.session, hands.session.active.labels
    by_area = sorted(session.active.particle_ids.tolist(), key=lambda p: int((labels == p).sum()))
    session.label(session.active_key, dict.fromkeys(by_area[:3], 1))
    session.label(session.active_key, dict.fromkeys(by_area[-3:], 2))
    hands.settle()


def test_two_magnifications_are_trained_on_together(hands: Any, spheres: np.ndarray) -> None:
    near = opened(hands, np.kron(spheres, np.ones((2, 2), np.uint8)), "near", 2.0)
    far = opened(hands, spheres, "far", 4.0)
    label_three_sizes(hands)
    hands.workbench.settings.max_seconds = 2
    said: list[str] = []
    hands.workbench.message.connect(lambda text, _: said.append(text))
    hands.train()
    workflow = hands.session.workflow
    assert workflow.pixel_size == 4.0
    assert workflow.segmentation.polarity == "bright"
    states = hands.session.micrographs
    cut = [workflow.particles(states[k].micrograph, states[k].labels) for k in (far, near)]
    sizes = [np.sort(part.masks.sum((1, 2))) for part in cut]
    np.testing.assert_allclose(sizes[1], sizes[0], rtol=0.08)
    assert not any("pixel size" in text for text in said)


def test_an_unknown_pixel_size_among_known_ones_is_said(hands: Any, spheres: np.ndarray) -> None:
    opened(hands, spheres, "known", 4.0)
    opened(hands, spheres, "unknown", None)
    label_three_sizes(hands)
    hands.settle()
    assert "pixel size of unknown is unknown" in hands.panel("Train").remark.text()
    hands.workbench.settings.max_seconds = 2
    said: list[str] = []
    hands.workbench.message.connect(lambda text, _: said.append(text))
    hands.train()
    assert any("The pixel size of unknown is unknown" in text for text in said)
    assert hands.session.workflow.pixel_size == 4.0
    # A model that knows its pixel size says so of every micrograph that does not.
    said.clear()
    hands.workbench.classifying.active()
    hands.wait(lambda: bool(said))
    assert any("was treated as if it had the pixels of the training" in text for text in said)


def test_a_person_chooses_whether_size_counts(trained: Any) -> None:
    panel, session = trained.panel("Train"), trained.session
    assert session.workflow.patches.common_scale
    assert panel.patches.currentText() == "counts"
    panel.patches.setFocus()
    QTest.keyClick(panel.patches, Qt.Key.Key_Down)
    trained.settle()
    assert not trained.workbench.settings.common_scale
    assert "train again" in panel.remark.text()
    trained.train()
    assert not session.workflow.patches.common_scale
    cut = session.workflow.particles(session.active.micrograph, session.active.labels)
    filled = cut.masks.mean((1, 2))
    assert filled.max() / filled.min() < 1.3  # discs of 16 and 36 px alike
    assert "train again" not in panel.remark.text()


def test_cutting_out_can_be_stopped_and_a_library_says_what_scale_it_could_not_know(
    tmp_path: Path,
) -> None:
    blind = replace(tiny().micrograph, pixel_size=None)
    state = MicrographState(blind, tiny().labels, np.unique(tiny().labels)[1:])
    frozen = steps.FrozenMicrograph.of(1, state)
    cutting = steps.cut_out([(frozen, None)], (tiny().workflow.patches, 10.0))
    assert next(cutting) is None
    measured = next(cutting)  # and nothing cut out yet
    assert isinstance(measured, float)
    assert 0 < measured < 1
    cutting.close()
    told = [x for x in steps.classify(tiny().workflow, [frozen, frozen]) if x is not None]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (measured / 2, 1)
    path = tmp_path / "library"
    for _ in steps.export([frozen], tiny().workflow, CLASSES, path, "library"):
        pass
    notes = ParticleLibrary.load(path).notes
    assert any("pixel size of simulated-0 is unknown" in note for note in notes)


def test_the_share_that_is_done_is_napari_s_business_alone(hands: Any) -> None:
    jobs, got = hands.workbench.jobs, []

    def half() -> Any:
        yield 0.25
        yield "a result"
        yield 1.0

    job = jobs.start("half", half, title="Half", on_yield=got.append)
    bar = job.worker.pbar
    shown: list[int] = []
    update = bar.update
    bar.update = lambda n: (update(n), shown.append(bar.n))
    hands.wait(lambda: not jobs.running("half"))
    assert got == ["a result"]
    assert shown[0] == 25
    assert 100 in shown


def test_small_particles_are_shown_larger_on_request(hands: Any) -> None:
    image = np.full((420, 600), 40, np.uint8)
    y, x = np.mgrid[:420, :600]
    discs = [(60 + 70 * (k // 8), 50 + 70 * (k % 8), 8) for k in range(32)]
    for row, column, radius in [*discs, (350, 120, 40), (350, 300, 40), (350, 480, 40)]:
        image[np.hypot(y - row, x - column) <= radius] = 200
    image = image + np.random.default_rng(0).integers(0, 20, image.shape).astype(np.uint8)
    hands.viewer.add_image(image, name="unlike")
    hands.wait(lambda: hands.session.active is not None)
    assert hands.find() == 35
    ids = hands.session.active.particle_ids.tolist()
    hands.session.label(hands.session.active_key, dict.fromkeys(ids[:3], 1) | {ids[-1]: 2})
    hands.settle()
    hands.workbench.settings.max_seconds = 2
    panel = hands.panel("Train")
    hands.wait(lambda: "48 × 48 px" in panel.patch_note.text())
    hands.click(panel.fine)
    assert hands.workbench.settings.fine_patches
    hands.train()
    patches = hands.session.workflow.patches
    assert patches.size == propose_size(hands.session.active.labels) > 48
    # What was said before is what was done; no pixel size is known.
    said = panel.patch_note.text()
    assert said == f"Patches: {in_words(patches, None)}"
    assert f"{patches.size} × {patches.size} px, {patches.scale:.3g} px of the micrograph" in said
    hands.workbench.set_pixel_size(10.0)
    hands.settle()
    assert f"{patches.scale * 10:.3g} nm per px" in panel.patch_note.text()
