"""Models of stable-baselines3 from elsewhere: read only if somebody vouches for them, and kept as plain arrays from then on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn  # pyright: ignore[reportMissingImports]

from stacking.errors import StackingError

from ...envs.config import env_config
from ...envs.policy import Policy
from ...envs.spaces import action_space, observation_space
from ...envs.worlds import Worlds
from .algorithms import class_of
from .model import to_policy
from .record import Training

KNOWN = {nn.Tanh: "tanh", nn.ReLU: "relu"}
RISK = "A model of stable-baselines3 (.zip) holds pickled objects: reading it runs whatever code its maker put there."


def import_policy(path: str | Path, record: Training, *, env_id: str, name: str, trusted: bool, made_by: str = "") -> Policy:
    """Return the policy of a model file as plain arrays.

    Args:
        path: .zip by `model.save`.
        record: its algorithm, and the environment whose spaces it was trained on.
        env_id, name, made_by: for the card.
        trusted: whether somebody vouches for the file; else it is not opened.

    Raises:
        StackingError: if nobody does, the file is none or damaged, or was trained on other spaces.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise StackingError("There is no such model.", key="FILE", value=str(file), remedy="Check the path.")
    if not trusted:
        raise StackingError(f"{RISK} It was not opened.", key="--trust", value=str(file),
                            remedy="Ask its maker for a .npz, or give --trust if you know who made it.")  # fmt: skip
    try:
        model: Any = class_of(record.algorithm).load(file, device="cpu")
    except StackingError:
        raise
    except Exception as error:  # whatever a damaged or foreign file raises
        raise StackingError(
            f"The model cannot be read: {type(error).__name__}: {error}", key="FILE", value=str(file),
            allowed=f"a file by {record.algorithm}.save", remedy="Name the algorithm that made it: --algorithm SAC.",
        ) from None  # fmt: skip
    worlds = Worlds(env_config(None, {"scenarios": 1, "days": 1, **record.env}), 1)
    _check_spaces(model, worlds, file)
    network = record.network.model_copy(update={"activation": _activation(model)})
    known = record.model_copy(update={"network": network})
    return to_policy(model, known, worlds, name=name, env=env_id, seed=int(model.seed or 0), made_by=made_by)


def _check_spaces(model: Any, worlds: Worlds, file: Path) -> None:
    wanted = observation_space(worlds.portfolios[0], worlds.config), action_space(worlds.config.levels)
    for key, own, theirs in zip(("observation", "action"), wanted, (model.observation_space, model.action_space), strict=True):
        if own.shape != theirs.shape or type(own).__name__ != type(theirs).__name__:
            raise StackingError(
                f"The model was trained on another {key} space.", place=str(file), key=key, value=str(theirs)[:80],
                allowed=f"{type(own).__name__} {own.shape}",
                remedy="Give the settings of its environment: --env ID --set env.advice=rebid --set env.mask_seen=true ...",
            )  # fmt: skip


def _activation(model: Any) -> str:
    kind = getattr(model.policy, "activation_fn", None)
    if kind not in KNOWN:
        raise StackingError("The network of the model cannot be exported.", key="activation_fn",
                            value=getattr(kind, "__name__", str(kind)), allowed="Tanh, ReLU")  # fmt: skip
    return KNOWN[kind]
