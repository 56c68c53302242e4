"""The algorithms that can be trained, as data: where their class is, how their policy puts out decisions, what they need."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from stacking.errors import StackingError

Head = Literal["clipped", "tanh", "levels"]


@dataclass(frozen=True)
class Kind:
    """An algorithm.

    Attributes:
        module: in which its class is.
        policy: class of this project that masks closed decisions, or a name that the algorithm knows.
        head: how outputs become decisions, see `stacking.envs.policy.Card`.
        actor: path of the layers before the last one, and of the last one, in the policy.
        spread: path of a layer that puts out the logarithm of the spread; "" if it is no layer.
        replays: whether it learns from a memory of earlier steps.
    """

    module: str
    policy: str
    head: Head
    actor: tuple[str, str]
    spread: str = ""
    replays: bool = False

    def data(self, name: str) -> dict[str, Any]:
        """Return the plain data of a training with the algorithm's own defaults."""
        return {"algorithm": name, "parameters": {}}


_ACTOR_CRITIC, _ACTOR = ("mlp_extractor.policy_net", "action_net"), ("actor.latent_pi", "actor.mu")
SB3, CONTRIB = "stable_baselines3", "sb3_contrib"

ALGORITHMS: dict[str, Kind] = {
    "PPO": Kind(SB3, "MaskedActorCritic", "clipped", _ACTOR_CRITIC),
    "A2C": Kind(SB3, "MaskedActorCritic", "clipped", _ACTOR_CRITIC),
    "TRPO": Kind(CONTRIB, "MaskedActorCritic", "clipped", _ACTOR_CRITIC),
    "MaskablePPO": Kind(CONTRIB, "MlpPolicy", "levels", _ACTOR_CRITIC),
    "SAC": Kind(SB3, "MaskedSac", "tanh", _ACTOR, "actor.log_std", replays=True),
    "TD3": Kind(SB3, "MlpPolicy", "tanh", ("actor.mu", ""), replays=True),
    "DDPG": Kind(SB3, "MlpPolicy", "tanh", ("actor.mu", ""), replays=True),
    "TQC": Kind(CONTRIB, "MlpPolicy", "tanh", _ACTOR, "actor.log_std", replays=True),
    "CrossQ": Kind(CONTRIB, "MlpPolicy", "tanh", _ACTOR, "actor.log_std", replays=True),
}
"""Class -> what is known of it. DQN and QR-DQN decide one of few; these environments decide fourteen numbers."""


def kind_of(name: str) -> Kind:
    """Return what is known of an algorithm.

    Raises:
        StackingError: if it cannot be trained here.
    """
    if name not in ALGORITHMS:
        raise StackingError("This algorithm cannot be trained here.", key="algorithm", value=name, allowed=", ".join(ALGORITHMS),
                            remedy="Use one of these; with others, train on Sb3VecEnv directly.")  # fmt: skip
    return ALGORITHMS[name]


def class_of(name: str) -> Any:
    """Return the class of an algorithm.

    Raises:
        StackingError: if its package is not installed.
    """
    return _installed(kind_of(name).module, name)


def policy_of(name: str) -> Any:
    """Return the policy class of an algorithm, or the name that it knows."""
    policy = kind_of(name).policy
    return policy if policy == "MlpPolicy" else getattr(import_module(".masked", __package__), policy)


def _installed(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise StackingError("The packages for learning are not installed.", key="package", value=error.name,
                            remedy="pip install 'stacking[rl]' (torch first, see CONTRIBUTING.md).") from None  # fmt: skip
