"""The native vector environment as stable-baselines3 takes it (extra [rl])."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv  # pyright: ignore[reportMissingImports]  (an extra)

from stacking.errors import StackingError

from .vector import StackingVectorEnv

ENDS = ("truncated", "terminated")


class Sb3VecEnv(VecEnv):
    """A `VecEnv` over the rows of a `StackingVectorEnv`: `PPO("MlpPolicy", Sb3VecEnv(make_vec(...)))`.

    Episodes end by time alone, so by default every end is `TimeLimit.truncated`, and algorithms go on from the value of
    `terminal_observation`. Where ends are `terminated` nothing is expected behind them: the time left is observed and the content
    that is left has been paid for, so the cash is complete (Pardo et al., Time limits in reinforcement learning, ICML 2018).
    `infos[i]["episode"]` holds return and length at the end of an episode, and its `net_eur`.

    Args:
        env: the vector environment, whose rows begin again in the same step.
        ends: "truncated" or "terminated".

    Raises:
        StackingError: if they do not, or for another end.
    """

    def __init__(self, env: StackingVectorEnv, ends: str = "truncated") -> None:
        if ends not in ENDS:
            raise StackingError("Episodes do not end like this.", place="Sb3VecEnv", key="ends", value=ends,
                                allowed=", ".join(ENDS))  # fmt: skip
        self._truncated = ends == "truncated"
        if env.metadata["autoreset_mode"] is not AutoresetMode.SAME_STEP:
            raise StackingError("The rows begin again in the next step.", place="Sb3VecEnv", key="autoreset_mode",
                                allowed="SameStep", remedy="Leave autoreset_mode out.")  # fmt: skip
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._sums, self._steps, self._began = np.zeros(env.num_envs), np.zeros(env.num_envs, np.int64), time.time()

    def reset(self) -> Any:
        """Begin an episode in all rows, with the seeds that `seed` set."""
        seeds, options = list(self._seeds), next(iter(self._options), None)
        seen, _ = self.env.reset(seed=None if None in seeds else seeds, options=options)
        self._reset_seeds()
        self._reset_options()
        self._sums[:], self._steps[:] = 0.0, 0
        return seen

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Step the rows with the actions that were kept."""
        seen, rewards, _, ended, told = self.env.step(self._actions)
        self._sums += rewards
        self._steps += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(ended):
            done = {"r": float(self._sums[i]), "l": int(self._steps[i]), "t": round(time.time() - self._began, 6)}
            net = float(told["final_info"]["net_eur"][i])
            infos[i] = {
                "TimeLimit.truncated": self._truncated,
                "terminal_observation": told["final_obs"][i],
                "episode": done,
                "net_eur": net,
            }
            self._sums[i], self._steps[i] = 0.0, 0
        return seen, rewards.astype(np.float32), ended, infos

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the vector environment, once for each row."""
        return [getattr(self.env, attr_name)] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the vector environment."""
        setattr(self.env, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of the vector environment; what it returns for each row is a list (`action_masks`)."""
        found = getattr(self.env, method_name)(*method_args, **method_kwargs)
        return [found[i] for i in self._rows(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for each row: the rows are never wrapped."""
        return [False] * len(self._rows(indices))

    def _rows(self, indices: Any) -> Sequence[int]:
        return list(self._get_indices(indices))
