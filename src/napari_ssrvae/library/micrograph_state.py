"""One micrograph of a session, and what is known of its particles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.imaging.micrograph import Micrograph

if TYPE_CHECKING:
    from napari_ssrvae.library.predictions import Predictions

LabelImage = NDArray[np.int32]


@dataclass
class MicrographState:
    """One micrograph of the session and what is known of its particles.

    What a model said is kept as it was said; `predictions` is how that reads with the table of
    classes as it is now. So a merge of classes is a way of reading, and undo has nothing to mend.

    Attributes
    ----------
    micrograph : Micrograph
        The image, without its info bar.
    labels : (H, W) int32 array or None
        The label image; None before particles were found.
    particle_ids : (n,) int array
        The ids in `labels`, ascending.
    hand_labels : dict of int to int
        Particle id → class id, for the particles that a person labelled.
    said : Predictions or None
        What the session's model said of these particles, in its own classes.
    become : mapping of int to int
        Class of the model that the table has no more → the class that it is now, 0 for none.
    recipe : object or None
        The `SegmentationSettings` that made `labels`; None if they came from elsewhere.
    corrected : bool
        Whether a person has corrected particles since they were found.
    filtered : bool
        Whether all that was corrected was done by a filter.
    foot : (h, W) array or None
        Rows below the image that were cut off, so that they can come back; None where there are
        none, or only the file has them.
    """

    micrograph: Micrograph
    labels: LabelImage | None = None
    particle_ids: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    hand_labels: dict[int, int] = field(default_factory=dict)
    said: Predictions | None = None
    become: Mapping[int, int] = field(default_factory=dict)
    recipe: object | None = None
    corrected: bool = False
    filtered: bool = False
    foot: NDArray[Any] | None = None
    _read: tuple[object, object, Predictions] | None = field(default=None, repr=False)

    @property
    def predictions(self) -> Predictions | None:
        """What the model says of these particles, in the classes of the table; None: nothing.

        The same object until something of it changes.
        """
        if self.said is None:
            return None
        if self._read is None or self._read[0] is not self.said or self._read[1] is not self.become:
            self._read = (self.said, self.become, self.said.merged(self.become))
        return self._read[2]

    @property
    def by_hand(self) -> bool:
        """Whether a person corrected these particles, or took them from elsewhere.

        They are replaced only when a person asks for it.
        """
        return self.labels is not None and (self.corrected or self.recipe is None)

    def made_by_hand_since(self, labels: LabelImage | None) -> bool:
        """Say whether they are by hand and others than the label image that there was once."""
        return self.by_hand and self.labels is not labels


def shown_classes(state: MicrographState) -> dict[int, int]:
    """Return particle id → the class on the screen: by hand if labelled, else predicted.

    Empty before there are predictions: hand labels alone are no classification.
    """
    if state.predictions is None:
        return {}
    shown = dict(
        zip(
            state.predictions.particle_ids.tolist(),
            state.predictions.class_ids.tolist(),
            strict=True,
        )
    )
    shown.update({p: c for p, c in state.hand_labels.items() if p in shown})
    return shown
