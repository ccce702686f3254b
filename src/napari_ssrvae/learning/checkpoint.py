"""Models on disk: JSON and safetensors in one folder. Nothing is pickled or executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyro
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

import napari_ssrvae
from napari_ssrvae.errors import ReadError, VersionError, WriteError

from .calibration import Calibration
from .matching import Matching
from .model import Architecture, PosedVAE
from .networks import ClassEncoder
from .preprocessing import Normalisation

FORMAT_VERSION = 2
_MODEL, _CLASSIFIER = "napari-ssrvae model", "napari-ssrvae classifier"


@dataclass(frozen=True)
class TrainedState:
    """Everything that training left: replaced as a whole, never changed."""

    module: PosedVAE
    normalisation: Normalisation
    classes: NDArray[np.int64]
    history: pd.DataFrame
    optimiser: dict[str, Tensor]
    seed: int
    calibration: Calibration


def save_model(folder: Path, parameters: Mapping[str, Any], state: TrainedState) -> None:
    """Write an estimator's parameters and trained state.

    Raises
    ------
    WriteError
        Where the folder cannot be written.
    """
    about = {
        "kind": _MODEL,
        "parameters": _plain(parameters),
        "architecture": asdict(state.module.architecture),
        "normalisation": asdict(state.normalisation),
        "classes": state.classes.tolist(),
        "history": json.loads(state.history.to_json(orient="split", double_precision=15)),
        "seed": state.seed,
        "calibration": asdict(state.calibration),
    }
    _write(folder, "model.json", about, {
        "weights.safetensors": state.module.state_dict(),
        "optimiser.safetensors": state.optimiser,
    })  # fmt: skip


def load_model(folder: Path) -> tuple[dict[str, Any], TrainedState]:
    """Read what `save_model` wrote: parameters and state.

    Raises
    ------
    ReadError
        Where a file is missing or damaged; `VersionError` where it is from a newer version.
    """
    about = _read_json(folder / "model.json", _MODEL)
    weights = _read_tensors(folder / "weights.safetensors")
    optimiser = _read_tensors(folder / "optimiser.safetensors")
    try:
        settings = about["architecture"]
        architecture = Architecture(**{**settings, "invariances": tuple(settings["invariances"])})
        with torch.random.fork_rng():
            module = PosedVAE(architecture)
        module.load_state_dict(weights)
        history = about["history"]
        state = TrainedState(
            module=module.requires_grad_(False).eval(),
            normalisation=Normalisation(**about["normalisation"]),
            classes=np.array(about["classes"], np.int64),
            history=_history(history["data"], history["columns"]),
            optimiser=optimiser,
            seed=int(about["seed"]),
            calibration=Calibration(**about["calibration"]),
        )
        return dict(about["parameters"]), state
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _damaged(folder) from error


def save_classifier(
    folder: Path,
    encoder: ClassEncoder,
    normalisation: Normalisation,
    classes: NDArray[np.int64],
    temperature: float,
    matching: Matching,
) -> None:
    """Write a class encoder, and what answers for images that are too noisy for it."""
    numbers = asdict(matching)
    uprights = numbers.pop("uprights")
    about = {
        "kind": _CLASSIFIER,
        "size": encoder.size,
        "normalisation": asdict(normalisation),
        "classes": classes.tolist(),
        "temperature": temperature,
        "matching": numbers,
    }
    tensors = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    _write(folder, "classifier.json", about, {
        "classifier.safetensors": {**tensors, "uprights": uprights}
    })  # fmt: skip


def load_classifier(
    folder: Path,
) -> tuple[ClassEncoder, Normalisation, NDArray[np.int64], float, Matching]:
    """Read what `save_classifier` wrote."""
    about = _read_json(folder / "classifier.json", _CLASSIFIER)
    tensors = _read_tensors(folder / "classifier.safetensors")
    try:
        classes = np.array(about["classes"], np.int64)
        matching = Matching(tensors.pop("uprights"), **about["matching"])
        with torch.random.fork_rng():
            encoder = ClassEncoder(len(classes), int(about["size"]))
        encoder.load_state_dict({name.removeprefix("encoder."): v for name, v in tensors.items()})
        normalisation = Normalisation(**about["normalisation"])
        encoder.requires_grad_(False).eval()
        return encoder, normalisation, classes, float(about["temperature"]), matching
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _damaged(folder) from error


def _history(rows: list[list[float | None]], columns: list[str]) -> pd.DataFrame:
    """Rebuild the history: JSON has no NaN and no difference of 1 and 1.0."""
    table = pd.DataFrame(rows, columns=columns)
    counts = ("epoch", "n_epochs")
    return table.astype({name: "int64" if name in counts else "float64" for name in columns})


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON knows them (numpy numbers and tuples come in too)."""
    plain: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, np.generic):
            plain[name] = value.item()
        elif isinstance(value, list | tuple | set | frozenset):
            plain[name] = list(value)
        else:
            plain[name] = value
    return plain


def _write(
    folder: Path, name: str, about: Mapping[str, Any], tensors: Mapping[str, dict[str, Tensor]]
) -> None:
    document = {
        "format_version": FORMAT_VERSION,
        "versions": {
            "napari-ssrvae": napari_ssrvae.__version__,
            "torch": torch.__version__,
            "pyro-ppl": pyro.__version__,
        },
        **about,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, values in tensors.items():
            flat = {key: value.detach().cpu().contiguous() for key, value in values.items()}
            _replace(folder / file, save_tensors(flat))
        # Last, so that a folder with this file holds everything.
        _replace(folder / name, json.dumps(document, indent=1).encode())
    except OSError as error:
        raise WriteError(f"Cannot write the model to {folder}: {error.strerror}.") from error


def _replace(path: Path, content: bytes) -> None:
    """Write beside the file first: an interrupted save leaves the old one whole."""
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    beside.replace(path)


def _read_json(path: Path, kind: str) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReadError(f"No saved model can be read at {path}: {error.strerror}.") from error
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(about, dict) or about.get("kind") != kind:
        raise ReadError(f"{path} does not describe a {kind}; choose the folder that was saved.")
    version = about.get("format_version")
    if not isinstance(version, int):
        raise _damaged(path)
    if version < FORMAT_VERSION:
        raise VersionError(
            f"{path} was written by an older version of napari-ssrvae (format {version}, needed "
            f"{FORMAT_VERSION}), whose models work in another way; train it again."
        )
    if version > FORMAT_VERSION:
        raise VersionError(
            f"{path} was written by a newer version of napari-ssrvae (format {version}, known up "
            f"to {FORMAT_VERSION}); update napari-ssrvae to open it."
        )
    return about


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_tensors(path.read_bytes())
    except OSError as error:
        raise ReadError(f"{path} is missing or unreadable; save the model again.") from error
    except SafetensorError as error:
        raise _damaged(path) from error
    return tensors


def _damaged(path: Path) -> ReadError:
    return ReadError(f"{path} is damaged or incomplete; save the model again or use a copy.")
