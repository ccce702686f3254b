"""The start of training: every class's images brought into one pose, averaged, their spread learnt.

One labelled image a class, whatever its pose, defines what is upright. Found in the other images at
all turns, shifts and a few sizes and stretches, it gives each of them a first pose; the mean of the
images so aligned is the class's first template, and the principal components of their sizes and
stretches are what z does to it at first. (Class averaging as in electron microscopy.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .model import sigma_points
from .networks import resized
from .pose import centred, upright_grid, warp
from .registration import DEFORMATIONS, SIDE, Found, Registration, deformed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Architecture, PosedVAE
    from .preprocessing import TrainingData

MOST = 800  # unlabelled images looked at; more do not change the averages
MOST_LABELLED = 40  # of each class


class Poses:
    """Where each class lies in each image of a data set: looked for when first asked, and kept.

    Parameters
    ----------
    data : TrainingData
        The images.
    start : Start
        What finds the classes at first.
    background : Tensor
        () level that counts as nothing.
    """

    def __init__(self, data: TrainingData, start: Start, background: Tensor) -> None:
        self.n, self.background = len(data.y), background
        self.trial, self.anchors = start.trial, start.anchors
        self.renew(start.registration)

    def renew(self, registration: Registration) -> None:
        """Look for the classes anew, with better images of them, from here on."""
        self.registration = registration
        self.known = np.zeros(self.n, bool)
        self.found: Found | None = None

    def __call__(self, rows: NDArray[np.int64], images: Tensor) -> Found:
        """Poses in the rows whose normalised images (n, s, s) are given."""
        new = ~self.known[rows]
        if new.any() or self.found is None:
            found = self.registration(images[torch.from_numpy(new)] - self.background)
            if self.found is None:
                self.found = Found(*(v.new_zeros(len(v), self.n, *v.shape[2:]) for v in found))
            for kept, values in zip(self.found, found, strict=True):
                kept[:, torch.from_numpy(rows[new])] = values
            self.known[rows[new]] = True
        return self.found.at(torch.from_numpy(rows))


class Start(NamedTuple):
    """What finds all classes at first.

    `trial` is what found them in the first round, which knew nothing but the images of the rows
    `anchors`: by it the labels can be used to tell how good that is.
    """

    registration: Registration
    trial: Registration
    anchors: NDArray[np.int64]


@torch.no_grad()
def align(
    module: PosedVAE, data: TrainingData, fresh: Sequence[int], seed: int, device: torch.device
) -> Start:
    """Give the templates of some classes their start, in two rounds of finding and averaging.

    On cards with one label a class, .94 to .98 of the images are then found in the right class
    after no round, .98 to 1.0 after one, .99 to 1.0 after two (five seeds).

    Parameters
    ----------
    module : PosedVAE
        Its decoder is changed.
    data : TrainingData
        Images and class indices.
    fresh : sequence of int
        Classes that begin anew; the others are known by what their templates show.
    seed : int
        For the choice of images.
    device : torch.device
        Where to compute.
    """
    a = module.architecture
    size = min(SIDE, a.size)
    rows = np.array([_typical(data, c if a.n_classes > 1 else -1) for c in fresh], np.int64)
    anchors = resized(module.uprights(a.size)[:, 0], size)
    if len(rows):
        typical = centred(data.batch(rows, device), module.background)
        anchors[list(fresh)] = resized(typical, size)
    uprights = anchors - module.background
    offered = torch.tensor(DEFORMATIONS, device=device)
    trial = _deforming(uprights, offered, a)
    if not len(rows):
        return Start(module.registration(), trial, rows)
    chosen = list(fresh)
    uprights[chosen], spread = _averages(trial, offered, data, chosen, seed)
    if "scale" in a.invariances:
        spread[0], spread[:, 0] = 0, 0
    components = _components(spread, a.latent_dim)
    # Only what the class members were found to differ by: a rhombus that may be stretched along any
    # axis is also found a quarter turn away.
    offered = sigma_points(a.latent_dim).to(device) @ components.T
    second = _deforming(uprights, offered, a)
    uprights[chosen] = _averages(second, offered, data, chosen, seed)[0]
    module.start_from(uprights[chosen] + module.background, chosen, components)
    if module.has_templates:
        return Start(module.registration(), trial, rows)
    return Start(_deforming(uprights, offered, a), trial, rows)


def _deforming(uprights: Tensor, offered: Tensor, a: Architecture) -> Registration:
    """Make what finds upright images (k, s, s), background 0, in each of some deformations."""
    variants = [deformed(uprights, d.expand(len(uprights), 3)) for d in offered]
    return Registration(
        torch.stack(variants, dim=1),
        rotation="rotation" in a.invariances,
        translation="translation" in a.invariances,
    )


def _averages(
    registration: Registration,
    offered: Tensor,
    data: TrainingData,
    fresh: Sequence[int],
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Mean upright images (m, s, s) of some classes, background 0; covariance (3, 3).

    The covariance is that of the deformations, out of those offered (j, 3), within the classes.
    """
    device, background = registration.device, data.normalisation.background
    size = min(SIDE, data.normalisation.size)
    n_classes = registration.n_classes
    rows = _sample(data, n_classes, seed)
    images = data.batch(rows, device) - background
    found = registration(images)
    y, trusted = _members(found, torch.from_numpy(data.y[rows]).to(device), n_classes)
    deformation = offered[found.variant[y, torch.arange(len(rows), device=device)]]
    means, deviations = [], []
    for c in fresh:
        member = trusted & (y == c)
        own = deformation[member]
        deviations.append(own - own.mean(0))
        grid = upright_grid(found.angle[c, member], found.shift[c, member], size, deviations[-1])
        means.append(warp(resized(images[member], size), grid, 0.0).mean(0))
    deviation = torch.cat(deviations)
    return torch.stack(means), deviation.T @ deviation / len(deviation)


def _typical(data: TrainingData, c: int) -> int:
    """Row of the image of median mass among those of a class (-1: among all)."""
    rows = np.flatnonzero(data.y == c)[:500]
    images = data.normalisation(data.images[rows])
    mass = np.abs(images - data.normalisation.background).sum(axis=(1, 2))
    return int(rows[np.argsort(mass)[len(rows) // 2]])


def _sample(data: TrainingData, k: int, seed: int) -> NDArray[np.int64]:
    unlabelled = np.flatnonzero(data.y < 0)
    parts = [np.random.default_rng(seed).permutation(unlabelled)[:MOST]]
    parts += [np.flatnonzero(data.y == c)[:MOST_LABELLED] for c in range(k)]
    return np.concatenate(parts)


def _members(found: Found, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Class of each image, and whether it may shape that class's average.

    Labelled images may; of the others the clearer half of each class.
    """
    top = found.score.topk(min(2, k), dim=0).values
    margin = top[0] - top[1] if k > 1 else top[0]
    labelled = y >= 0
    guess = torch.where(labelled, y, found.score.argmax(0))
    trusted = labelled.clone()
    for c in range(k):
        of_class = ~labelled & (guess == c)
        if of_class.any():
            trusted |= of_class & (margin >= margin[of_class].median())
    return guess, trusted


def _components(spread: Tensor, latent_dim: int) -> Tensor:
    """Principal components (3, d) of a covariance (3, 3), each as long as its deviation."""
    values, vectors = torch.linalg.eigh(spread)
    order = values.argsort(descending=True)[:latent_dim]
    components = spread.new_zeros(3, latent_dim)
    components[:, : len(order)] = vectors[:, order] * values[order].clamp(min=1e-4).sqrt()
    return components
