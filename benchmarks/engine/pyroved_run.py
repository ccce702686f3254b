"""Train pyroVED's `ssiVAE` on a file and answer into another; runs in pyroVED's environment.

Images are halved to 24x24 first, which makes its epochs four times shorter. Network, likelihood,
prior of the shift, learning rate and the classification loss's weight of 30 are the paper's.

Usage: python pyroved_run.py QUESTION.npz ANSWER.npz EPOCHS SECONDS SEED
"""

from __future__ import annotations

import sys
import time
import types

import numpy as np
import torch

# pyroVED wants torchvision for one function of its plots, none of which is drawn here; torchvision
# itself loads only with the very build of torch that it was made for
_plots = types.ModuleType("torchvision.utils")
_plots.make_grid = None  # type: ignore[attr-defined]
sys.modules["torchvision"] = types.ModuleType("torchvision")
sys.modules["torchvision.utils"] = _plots

import pyroved  # noqa: E402
from pyroved.trainers import auxSVItrainer  # noqa: E402

BATCH = 100
SHRINK = 2


def main(question: str, answer: str, epochs: int, seconds: float, seed: int) -> None:
    with np.load(question) as stored:
        data = dict(stored)
    n_classes = int(data["labels"].max()) + 1
    # flattened: pyroVED's loss takes images only so
    labelled, unlabelled = _flat(data["labelled"]), _flat(data["unlabelled"])
    one_hot = torch.eye(n_classes)[torch.from_numpy(data["labels"])]
    sides = tuple(side // SHRINK for side in data["labelled"].shape[1:])
    model = pyroved.models.ssiVAE(
        sides, 2, n_classes, ["r", "t"], seed=seed, dx_prior=0.1, dy_prior=0.1
    )
    trainer = auxSVItrainer(model, seed=seed)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(unlabelled), BATCH, shuffle=True
    )
    # as many labelled batches as unlabelled ones: it takes one only after some of the others
    count = len(loader) * min(BATCH, len(labelled))
    repeated = torch.from_numpy(np.resize(np.random.default_rng(seed).permutation(count), count))
    repeated = repeated % len(labelled)
    known = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(labelled[repeated], one_hot[repeated]),
        min(BATCH, len(labelled)),
        shuffle=True,
    )
    start, done = time.monotonic(), 0
    while done < epochs and time.monotonic() - start < seconds:
        trainer.step(loader, known, aux_loss_multiplier=30)
        done += 1
    found = {k: model.classifier(_flat(v)).numpy() for k, v in data.items() if k.startswith("test")}
    np.savez(answer, **found, epochs=done)
    print(f"pyroVED: {done} epochs in {time.monotonic() - start:.0f} s", file=sys.stderr)


def _flat(images: np.ndarray) -> torch.Tensor:
    whole = torch.from_numpy(images.astype(np.float32))
    return torch.nn.functional.avg_pool2d(whole[:, None], SHRINK).flatten(1).clamp(0, 1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
