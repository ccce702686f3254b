"""Train the network that sees grains in heaps, on drawn heaps alone.

No micrograph is used; what it is worth on real ones, `segmentation.py` says. Half an hour on two
cores with AMX. Writes the package's weights with --write, else those of --to FILE.
"""

from __future__ import annotations

import argparse
import queue
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.fusion import fuse_conv_bn_eval

from drawn_heaps import clouds, draw_heap
from napari_ssrvae.imaging import grain_net
from napari_ssrvae.imaging.grain_net import GrainNet

SIDE, MARGIN, BATCH = 224, 8, 8  # px, px that are cut off again, pictures
HEAPS, LOOKS = 16, 3  # drawn at once, and how often each is looked at, changed each time
WEIGHTS = (1.0, 1.5, 2.0)  # of inside, outline, depth
RATE = 3e-3
TARGET = Path(grain_net.__file__).with_name("grain_net.safetensors")
_SQUARE = np.ones((3, 3), np.uint8)


def targets(truth: np.ndarray) -> np.ndarray:
    """Return (3, H, W) what the network shall say of an instance map."""
    inside, values = truth > 0, truth.astype(np.float32)
    outline = cv2.dilate(values, _SQUARE) != cv2.erode(values, _SQUARE)
    depth = cv2.distanceTransform((inside & ~outline).astype(np.uint8), cv2.DIST_L2, 3)
    deepest = np.zeros(int(truth.max()) + 1, np.float32)
    np.maximum.at(deepest, truth.ravel(), depth.ravel())
    share = np.where(inside, depth / np.maximum(deepest[truth], 1), 0)
    return np.stack([inside, outline, np.sqrt(share)]).astype(np.float32)


def taken_otherwise(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Change contrast, focus and noise, as another microscope or operator would."""
    image = np.clip(image, -0.3, 1.5)
    if rng.random() < 0.25:
        image = 1 - image
    image = np.sign(image) * np.abs(image) ** np.exp(rng.normal(0, 0.25))
    image = image * np.exp(rng.normal(0, 0.25)) + rng.normal(0, 0.1)
    if rng.random() < 0.3:
        image = image + rng.uniform(0, 0.1) * clouds(rng, len(image), len(image) / 3)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))
    if rng.random() < 0.5:
        image = image + rng.uniform(0, 0.08) * rng.standard_normal(image.shape)
    return image.astype(np.float32)


def example(
    rng: np.random.Generator, image: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Turn, mirror and change a drawn heap; what the network sees, and shall say."""
    turns = int(rng.integers(4))
    image, truth = np.rot90(image, turns), np.rot90(truth, turns)
    if rng.random() < 0.5:
        image, truth = image[::-1], truth[::-1]
    inner = np.s_[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    changed = taken_otherwise(rng, np.ascontiguousarray(image))
    return changed[inner], targets(np.ascontiguousarray(truth))[inner]


def draw_batches(batches: queue.Queue[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Draw heaps without end."""
    rng = np.random.default_rng(1)
    while True:
        heaps = [draw_heap(rng, SIDE + 2 * MARGIN) for _ in range(HEAPS)]
        for _ in range(LOOKS):
            for some in rng.permutation(HEAPS).reshape(-1, BATCH):
                pictures, wanted = zip(*(example(rng, *heaps[k]) for k in some), strict=True)
                batches.put(
                    (
                        torch.from_numpy(np.stack(pictures))[:, None],
                        torch.from_numpy(np.stack(wanted)),
                    )
                )


def train(steps: int) -> GrainNet:
    """Train a network; prints the mean loss of every hundred steps."""
    torch.manual_seed(0)
    cv2.setNumThreads(1)
    batches: queue.Queue[tuple[torch.Tensor, torch.Tensor]] = queue.Queue(24)
    threading.Thread(target=draw_batches, args=(batches,), daemon=True).start()
    net = GrainNet(normalised=True).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-2)
    weights = torch.tensor(WEIGHTS)[None, :, None, None]
    start, losses = time.perf_counter(), []
    for step in range(steps):
        done = step / steps
        for group in optimizer.param_groups:
            warm = min(1.0, done / 0.05 + 0.02)
            group["lr"] = RATE * warm * (0.5 * (1 + np.cos(np.pi * done)) + 0.002)
        pictures, wanted = batches.get()
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(pictures)
        each = binary_cross_entropy_with_logits(logits.float(), wanted, reduction="none")
        loss = (each * weights).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            seconds = time.perf_counter() - start
            print(
                f"{step + 1} of {steps}: loss {np.mean(losses[-100:]):.4f}, {seconds:.0f} s",
                flush=True,
            )
    return net.eval()


def as_weights(net: GrainNet) -> dict[str, torch.Tensor]:
    """Weights of the network without batch normalisation, which becomes part of them."""
    plain = GrainNet()
    with torch.no_grad():
        for own, learnt in zip([*plain.down, *plain.up], [*net.down, *net.up], strict=True):
            for to, at in ((0, 0), (2, 3)):
                fused = fuse_conv_bn_eval(learnt[at], learnt[at + 1])
                own[to].load_state_dict(fused.state_dict())
    plain.head.load_state_dict(net.head.state_dict())
    return {key: value.half().contiguous() for key, value in plain.state_dict().items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--to", type=Path, default=Path("grain_net.safetensors"))
    parser.add_argument("--write", action="store_true", help="replace the package's weights")
    arguments = parser.parse_args()
    target = TARGET if arguments.write else arguments.to
    save_file(as_weights(train(arguments.steps)), target)
    print(target, f"{target.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
