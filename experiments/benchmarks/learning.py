"""Frames per second of PPO on our rows beside the same PPO on rows that do nothing: what the environment costs a learner."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from gymnasium.vector import AutoresetMode
from stable_baselines3 import PPO  # pyright: ignore[reportMissingImports]

from ...envs.sb3 import Sb3VecEnv
from ...envs.vector import StackingVectorEnv

ROWS, STEPS, BATCH, EPOCHS, REPEATS = 256, 120, 7680, 4, 5
LEAST_FRAC, SCALE_EUR = 0.8, 100.0
DESIGN, PORTFOLIO, DAYS = "norflex_eam", "battery", 2


class EmptyRows:
    """Rows with the spaces of other rows that return what they returned before: the adapter and the learner remain."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  (Gymnasium's way to say it)

    def __init__(self, like: StackingVectorEnv) -> None:
        self.num_envs = like.num_envs
        self.single_observation_space, self.single_action_space = like.single_observation_space, like.single_action_space
        self._seen, _ = like.reset(seed=0)
        self._rewards, self._ends = np.zeros(self.num_envs), np.zeros(self.num_envs, np.bool_)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Return what is seen."""
        return self._seen, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Do nothing."""
        return self._seen, self._rewards, self._ends, self._ends, {}

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class LearningSpeed:
    """Frames/s of PPO on one kind of rows, medians; `frac` of the empty rows with the same spaces."""

    name: str
    frames_per_s: float
    empty_per_s: float
    cash_eur: float

    @property
    def frac(self) -> float:
        """Return frames/s as a share of those on empty rows."""
        return self.frames_per_s / self.empty_per_s


def measure(repeats: int = REPEATS, rows: int = ROWS, steps: int = STEPS) -> list[LearningSpeed]:
    """Return the speeds, plain and with advice; both learners take turns."""
    torch.set_num_threads(1)
    found = []
    for name, more in (("plain", {}), ("advice of rebid", {"advice": "rebid", "mask_seen": True})):
        own = StackingVectorEnv(rows, design=DESIGN, portfolio=PORTFOLIO, days=DAYS, **more)
        learners = [_learner(Sb3VecEnv(own), steps), _learner(Sb3VecEnv(EmptyRows(own)), steps)]  # type: ignore[arg-type]
        times: list[list[float]] = [[], []]
        for k in range(repeats + 1):
            for learner, seconds in zip(learners, times, strict=True):
                began = perf_counter()
                learner.learn(rows * steps, reset_num_timesteps=False, log_interval=10**9)
                if k:  # the first turn warms up
                    seconds.append(perf_counter() - began)
        frames = rows * steps
        found.append(LearningSpeed(name, frames / median(times[0]), frames / median(times[1]), _earned(learners[0])))
    return found


def _learner(env: Sb3VecEnv, steps: int) -> PPO:
    batch = min(BATCH, steps * env.num_envs)
    return PPO("MlpPolicy", env, n_steps=steps, batch_size=batch, n_epochs=EPOCHS, device="cpu", seed=0)


def _earned(learner: PPO) -> float:
    """Return a sign of life: the mean size of an episode's reward, EUR, so that a benchmark of closed markets would be seen."""
    sums = [abs(info["r"]) for info in learner.ep_info_buffer or []]
    return SCALE_EUR * float(np.mean(sums)) if sums else 0.0


def to_text(speeds: list[LearningSpeed]) -> str:
    """Return a table."""
    lines = [f"PPO, {ROWS} rows of {DESIGN} with a {PORTFOLIO}, {STEPS} steps a rollout, {EPOCHS} epochs, one thread"]
    lines += [
        f"{speed.name:16} {speed.frames_per_s:9,.0f} frames/s   empty rows {speed.empty_per_s:9,.0f} frames/s   "
        f"{100.0 * speed.frac:5.1f} %   mean |episode| {speed.cash_eur:,.0f} EUR"
        for speed in speeds
    ]
    return "\n".join([*lines, f"asked of plain rows: {100.0 * LEAST_FRAC:.0f} %"])
