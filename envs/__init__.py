"""Faces for reinforcement learning on the engine; they re-shape only. Importing this package registers the ids.

    import gymnasium
    import stacking.envs

    env = gymnasium.make("stacking/NorFlexEam-v0", days=1)
    rows = gymnasium.make_vec("stacking/NorFlexEam-v0", num_envs=256, days=1)
    fsps = stacking.envs.parallel_env("stacking/NorFlexEam-v0", population="mixed:5")

Nothing that is heavy is imported before an environment is made.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .ids import env_ids, parallel_env, register_all

if TYPE_CHECKING:  # so that editors and type checkers know what is loaded on first use
    from .config import EnvConfig
    from .describe import describe
    from .parallel import StackingParallelEnv
    from .sb3 import Sb3VecEnv
    from .shared import SharedVectorEnv
    from .single import StackingEnv
    from .vector import StackingVectorEnv

_PUBLIC = {
    "EnvConfig": "config",
    "Sb3VecEnv": "sb3",
    "SharedVectorEnv": "shared",
    "StackingEnv": "single",
    "StackingParallelEnv": "parallel",
    "StackingVectorEnv": "vector",
    "describe": "describe",
}
__all__ = [
    "EnvConfig",
    "Sb3VecEnv",
    "SharedVectorEnv",
    "StackingEnv",
    "StackingParallelEnv",
    "StackingVectorEnv",
    "describe",
    "env_ids",
    "parallel_env",
]

register_all()


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'stacking.envs' has no attribute '{name}'")
    return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
