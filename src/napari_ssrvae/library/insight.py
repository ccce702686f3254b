"""What the model sees in a particle: its picture turned upright, drawn by the model, what is left.

It needs no window: what the inspector shows, and what a script can ask for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_ssrvae.errors import InputError

if TYPE_CHECKING:
    from napari_ssrvae.learning.estimator import SSRVAE

Picture = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ModelView:
    """One particle, as a model sees it.

    Attributes
    ----------
    patch : (s, s) float32
        The particle as it was cut out.
    upright : (s, s) float32
        The patch turned back, moved and scaled back by the pose that the model infers: particles
        of one class look alike here.
    drawn : (s, s) float32
        What the model draws for it, in the particle's own pose; on the patch's scale of grey.
    residual : (s, s) float32
        Patch less drawing: what the model has no words for. Above 0 where the particle is brighter.
    class_id : int
        The class that the model takes it for.
    model_classes : (k,) int64
        The classes that the model knows.
    probabilities : (k,) float64
        Of each of them.
    z : (d,) float64
        Its latents without pose.
    angle : float
        Radians, counter-clockwise as seen on the screen; 0 where not modelled.
    shift : (2,) float64
        (y, x) in fractions of the frame; 0 where not modelled.
    scale : float
        Magnification; 1 where not modelled.
    unexplained : float
        Share of the patch's contrast that the drawing misses, from 0 (`SSRVAE.novelty`).
    """

    patch: Picture
    upright: Picture
    drawn: Picture
    residual: Picture
    class_id: int
    model_classes: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    z: npt.NDArray[np.float64]
    angle: float
    shift: npt.NDArray[np.float64]
    scale: float
    unexplained: float


def what_the_model_sees(model: SSRVAE, patch: npt.ArrayLike) -> ModelView:
    """Let a trained model look at one particle.

    Parameters
    ----------
    model : SSRVAE
        A trained model that knows classes.
    patch : (s, s) float
        Cut out as the model's training patches were (`Workflow.particles`).

    Raises
    ------
    InputError
        The patch is no square picture of the size that the model knows.
    NotFittedError
        The model is not trained, or knows no classes.
    """
    image = np.asarray(patch, dtype=np.float32)
    if image.ndim != 2 or image.shape[0] != image.shape[1]:
        raise InputError(f"A patch is a square picture; this has shape {image.shape}.")
    one = image[None]
    probabilities = np.asarray(model.predict_proba(one), dtype=np.float64)[0]
    seen = model.encode(one)
    drawn = model.decode(seen.y, seen.z, seen.angle, seen.shift, seen.scale)
    return ModelView(
        patch=image,
        upright=upright(one, seen.angle, seen.shift, seen.scale)[0],
        drawn=drawn[0],
        residual=image - drawn[0],
        class_id=int(seen.y[0]),
        model_classes=np.asarray(model.classes_, dtype=np.int64),
        probabilities=probabilities,
        z=seen.z[0].astype(np.float64),
        angle=float(seen.angle[0]),
        shift=seen.shift[0].astype(np.float64),
        scale=float(seen.scale[0]),
        unexplained=float(model.novelty(one, drawn=drawn)[0]),
    )


def upright(
    patches: npt.ArrayLike, angle: npt.ArrayLike, shift: npt.ArrayLike, scale: npt.ArrayLike = 1.0
) -> Picture:
    """Take the pose out of patches, so that particles of one class can be compared.

    Parameters
    ----------
    patches : (n, s, s) float
        Patches with a background of 0.
    angle : (n,) float
        Radians, counter-clockwise as seen on the screen.
    shift : (n, 2) float
        (y, x) in fractions of the frame.
    scale : (n,) or float
        Magnification.

    Returns
    -------
    (n, s, s) float32
        What leaves the frame is lost, what comes in is background.
    """
    import torch

    from napari_ssrvae.learning.pose import upright_grid, warp

    images = torch.from_numpy(np.array(patches, dtype=np.float32))
    n = len(images)
    deformation = torch.zeros(n, 3)
    log_scale = np.log(np.broadcast_to(np.asarray(scale, np.float32), (n,)))
    deformation[:, 0] = torch.from_numpy(log_scale)
    turn = torch.from_numpy(np.array(angle, dtype=np.float32))
    move = torch.from_numpy(np.array(shift, dtype=np.float32)).reshape(n, 2)
    with torch.inference_mode():
        grid = upright_grid(turn, move, images.shape[-1], deformation)
        return np.asarray(warp(images, grid, 0.0).numpy())
