"""A small simulated micrograph with a briefly trained workflow: real, made once a test run.

The model is trained for seconds and classifies badly; what it can learn is tested with the demo.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from napari_ssrvae.datasets.simulation import SIMULATED_CLASSES, simulated_micrograph
from napari_ssrvae.imaging import SegmentationSettings, segment_with
from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.particles import Particles, extract_particles
from napari_ssrvae.label_tables import match_truth
from napari_ssrvae.learning.estimator import SSRVAE
from napari_ssrvae.library.classes import ParticleClass, default_color
from napari_ssrvae.library.held_back import few_per_class
from napari_ssrvae.library.particle_library import ParticleLibrary
from napari_ssrvae.library.workflow import Workflow, train_workflow

SETTINGS = SegmentationSettings()
CLASSES = tuple(
    ParticleClass(i, name, default_color(i - 1)) for i, name in enumerate(SIMULATED_CLASSES, 1)
)


@dataclass(frozen=True)
class Tiny:
    micrograph: Micrograph
    labels: np.ndarray
    truth: dict[int, int]
    hand: dict[int, int]
    particles: Particles
    workflow: Workflow
    library: ParticleLibrary


def small_model() -> SSRVAE:
    return SSRVAE(seed=0, epochs=2, steps_per_epoch=2, batch_size=16, labelled_batch_size=8)


def small_micrograph(seed: int) -> tuple[Micrograph, np.ndarray, dict[int, int]]:
    micrograph, truth, classes = simulated_micrograph(seed, shape=(400, 480), n_particles=32)
    return micrograph, truth, dict(zip(classes.index.tolist(), classes.tolist(), strict=True))


@cache
def tiny() -> Tiny:
    micrograph, true_labels, classes = small_micrograph(0)
    labels = segment_with(micrograph, SETTINGS)
    truth = match_truth(labels, true_labels, classes)
    hand = few_per_class(truth, 2)
    particles = extract_particles(micrograph, labels)
    workflow = train_workflow([particles], [hand], CLASSES, SETTINGS, model=small_model())
    library = ParticleLibrary.from_predictions(
        particles, workflow.model, CLASSES, hand, micrograph=micrograph
    )
    return Tiny(micrograph, labels, truth, hand, particles, workflow, library)
