"""Checkpoints: everything with which a training goes on, read back without running any code that a file holds.

A checkpoint is written beside the old one and then put in its place, so that a kill leaves one of the two.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from stacking.errors import StackingError

from .record import Training

STATE, REPLAY = "checkpoint.pt", "replay.npz"
MEMORY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes:
        leg: legs that are done; steps: of all rows.
        seconds: that it took, without what was lost by a kill.
        best_eur: highest validation mean so far, EUR per episode; -inf before the first look.
    """

    leg: int = 0
    steps: int = 0
    seconds: float = 0.0
    best_eur: float = -np.inf


def training_hash(training: Training, seed: int) -> str:
    """Return a hash of what a checkpoint belongs to, 16 characters."""
    text = json.dumps([training.model_dump(mode="json", exclude={"steps"}), seed], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save_checkpoint(folder: Path, model: Any, training: Training, seed: int, progress: Progress) -> None:
    """Write parameters, optimisers and progress of a model (and its memory, if it replays)."""
    states = {name: torch_state(model, name) for name in _parts(model)}
    data = {"hash": training_hash(training, seed), "progress": asdict(progress), "states": states}
    data["updates"] = int(model._n_updates)
    if model_replays(model):
        _replace(folder / REPLAY, lambda path: _write_memory(path, model.replay_buffer))
    _replace(folder / STATE, lambda path: torch.save(data, path))


def load_checkpoint(folder: Path, model: Any, training: Training, seed: int) -> Progress:
    """Write the parameters of a checkpoint into a model and return how far it had come.

    Raises:
        StackingError: for a file that is damaged or foreign, or of another training.
    """
    file = folder / STATE
    data, known = _read(file)
    if known != training_hash(training, seed):
        raise StackingError(
            "The checkpoint is of another training.", place=str(file), key="hash", value=str(known),
            allowed=training_hash(training, seed), remedy="Train with the same settings and seed, or give another --out.",
        )  # fmt: skip
    progress = _write_into(model, data, file)
    if model_replays(model):
        _read_memory(folder / REPLAY, model.replay_buffer)
    model.num_timesteps = progress.steps
    return progress


def take_over(folder: Path, model: Any) -> None:
    """Write parameters and optimisers of a checkpoint of another training, whose networks are alike, into a model.

    Raises:
        StackingError: for a file that is damaged or foreign, or of other networks.
    """
    updates, file = model._n_updates, folder / STATE
    _write_into(model, _read(file)[0], file)
    model._n_updates = updates


def _read(file: Path) -> tuple[dict[str, Any], Any]:
    """Return the content of a checkpoint, and the hash of the training that it belongs to."""
    try:
        data = torch.load(file, map_location="cpu", weights_only=True)  # tensors and plain data alone: nothing is executed
        return data, data["hash"]
    except Exception as error:  # torch raises many kinds for a damaged file
        raise StackingError(
            f"The checkpoint cannot be read: {type(error).__name__}.", key="checkpoint", value=str(file),
            allowed="a file by `stacking train`", remedy=f"Remove {file.parent} and train again, or give another --out.",
        ) from None  # fmt: skip


def _write_into(model: Any, data: dict[str, Any], file: Path) -> Progress:
    """Write a checkpoint into a model and return how far its training had come."""
    try:
        for name, state in data["states"].items():
            _load_state(model, name, state)
        model._n_updates = data["updates"]
        return Progress(**data["progress"])
    except (KeyError, TypeError, RuntimeError, ValueError, AttributeError) as error:
        raise StackingError(
            f"The checkpoint does not fit: {error}.", key="checkpoint", value=str(file), allowed="one of this version",
            remedy=f"Remove {file.parent} and train again.",
        ) from None  # fmt: skip


def model_replays(model: Any) -> bool:
    """Return whether a model learns from a memory of earlier steps."""
    return getattr(model, "replay_buffer", None) is not None


# ---- parts of a model --------------------------------------------------------------------------------------------------
def _parts(model: Any) -> list[str]:
    """Return the names of what a model of stable-baselines3 has to keep: modules, optimisers, and tensors of its own."""
    states, variables = model._get_torch_save_params()
    return [*states, *variables]


def torch_state(model: Any, name: str) -> Any:
    """Return a part of a model: the state of a module or optimiser, or a tensor."""
    part = _part(model, name)
    return part.detach().clone() if isinstance(part, torch.Tensor) else part.state_dict()


def _load_state(model: Any, name: str, state: Any) -> None:
    part = _part(model, name)
    if isinstance(part, torch.Tensor):
        with torch.no_grad():
            part.copy_(state)
    else:
        part.load_state_dict(state)


def _part(model: Any, name: str) -> Any:
    part = model
    for key in name.split("."):
        part = getattr(part, key)
    return part


# ---- files -----------------------------------------------------------------------------------------------------------
def _replace(path: Path, write: Any) -> None:
    partial = path.with_name(f"partial-{path.name}")
    write(partial)
    partial.replace(path)


def _write_memory(path: Path, memory: Any) -> None:
    arrays = {name: getattr(memory, name) for name in MEMORY}
    np.savez(path, place=np.array([memory.pos, memory.full]), **arrays)


def _read_memory(path: Path, memory: Any) -> None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            for name in MEMORY:
                getattr(memory, name)[:] = stored[name]
            memory.pos, memory.full = int(stored["place"][0]), bool(stored["place"][1])
    except Exception as error:
        raise StackingError(
            f"The memory of the training cannot be read: {type(error).__name__}.", key="replay", value=str(path),
            remedy="Remove the folder and train again.",
        ) from None  # fmt: skip
