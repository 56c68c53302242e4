"""The training itself: legs of learning with a look at the validation split between them, from checkpoint to checkpoint.

A leg begins new episodes and takes all its random numbers from a seed of its own (training seed, leg), so what comes out of it
depends on the parameters at its beginning alone. A training that is killed loses a leg at most, and ends with the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from stable_baselines3.common.logger import Logger, configure  # pyright: ignore[reportMissingImports]
from stable_baselines3.common.utils import set_random_seed  # pyright: ignore[reportMissingImports]

from stacking.errors import StackingError

from ...agents.seeds import seed_of
from ...envs.policy import Policy, save_policy
from . import progress_file
from .checkpoint import STATE, Progress, load_checkpoint, save_checkpoint
from .model import make_model, make_rows, only_value, to_policy
from .progress_file import Line
from .record import Training
from .validation import Look, Validation

SEEDS = 2**32  # seeds of torch and NumPy that are used
BEST, LAST, RECORD = "policy.npz", "last.npz", "training.json"


@dataclass(frozen=True)
class Trained:
    """What came out: the policy that earned most on the validation split, its file, and how far the training has come."""

    policy: Policy
    file: Path
    progress: Progress
    look: Look


class Trainer:
    """One training in a folder.

    Args:
        training: what to train.
        folder: for policies, checkpoint and record; made if it is not there.
        env_id: id of the environment, for the card.
        name: of the policy as a strategy.
        seed: of everything that is drawn.
        made_by: the command, for the card.
        resume: whether a checkpoint that lies there is taken up; else a folder with one is an error.

    Raises:
        StackingError: for bad settings, or a checkpoint that is not of this training.
    """

    def __init__(
        self, training: Training, folder: str | Path, *, env_id: str, name: str = "policy", seed: int = 0, made_by: str = "",
        resume: bool = True,
    ) -> None:  # fmt: skip
        self.training, self.folder, self.seed = training, Path(folder), seed
        self._card = {"name": name, "env": env_id, "seed": seed, "made_by": made_by}
        self.env = make_rows(training)
        self.worlds = self.env.env.worlds
        self._share_left = 1.0
        self.model = make_model(training, self.env, _seed(seed, "parameters"), self._rate())
        self.folder.mkdir(parents=True, exist_ok=True)
        self.progress = self._found(resume)
        progress_file.begin(self.folder, self.progress.leg)
        self._write_record()
        self.model.set_logger(_logger(self.folder))

    def run(self, tell: Callable[[Line], None] | None = None, validation: Validation | None = None) -> Trained:
        """Learn until the budget is used up, and return the policy that earned most on the validation split.

        Args:
            tell: called after each leg.
            validation: where the policy is looked at; made if None.
        """
        training, validation = self.training, validation or Validation(self.training)
        if self.progress.leg == 0:
            self._keep(validation.look(self.policy()), first=True)
        while self.progress.leg < training.legs:
            began = time.perf_counter()
            reward = self._leg()
            leg = self.progress.leg + 1
            look = None
            if leg % training.evaluate_legs == 0 or leg == training.legs:
                look = validation.look(self.policy())
                self._keep(look)
            seconds = self.progress.seconds + time.perf_counter() - began
            self.progress = dataclasses.replace(self.progress, leg=leg, steps=self.model.num_timesteps, seconds=seconds)
            line = self._line(reward, look)
            progress_file.append(self.folder, line)
            save_checkpoint(self.folder, self.model, training, self.seed, self.progress)
            if tell is not None:
                tell(line)
        return self._result(validation)

    def policy(self, **more: Any) -> Policy:
        """Return the present policy as plain arrays."""
        return to_policy(self.model, self.training, self.worlds, **self._card, **more)

    # ---- one leg -----------------------------------------------------------------------------------------------------
    def _leg(self) -> float:
        """Learn for one leg and return the mean reward of the episodes that ended in it."""
        training, leg = self.training, self.progress.leg
        self._share_left = 1.0 - leg / training.legs
        seed = _seed(self.seed, "leg", leg)
        set_random_seed(seed)
        torch.set_num_threads(training.threads)
        self.model.action_space.seed(seed)
        self.env.seed(seed % 2**31)
        self.model._last_obs = None  # episodes begin anew
        if self.model.ep_info_buffer is not None:
            self.model.ep_info_buffer.clear()
        only_value(self.model, training, leg < training.warmup_legs)
        steps = training.leg_steps * training.rows
        self.model.learn(steps, reset_num_timesteps=False, log_interval=10**9)
        if not all(bool(torch.isfinite(p).all()) for p in self.model.policy.parameters()):
            raise StackingError(
                "The training has diverged: a parameter is not finite.", place=f"leg {leg}", key="parameters",
                remedy="Lower learning_rate, or set max_grad_norm; the last checkpoint is kept.",
            )  # fmt: skip
        rewards = [info["r"] for info in self.model.ep_info_buffer or []]
        return float(np.mean(rewards)) if rewards else float("nan")

    def _rate(self) -> Callable[[float], float] | None:
        """Return the learning rate by leg, None for the algorithm's own."""
        first, decay = self.training.parameters.get("learning_rate"), self.training.decay
        if not isinstance(first, int | float):
            return None
        return lambda _: float(first) * (decay + (1.0 - decay) * self._share_left)

    def _line(self, reward: float, look: Look | None) -> Line:
        logged = self.model.logger.name_to_value
        log_std: Any = getattr(self.model.policy, "log_std", None)
        line = Line(
            self.progress.leg, self.progress.steps, round(self.progress.seconds, 3), reward,
            float(log_std.detach().exp().mean()) if isinstance(log_std, torch.Tensor) else float("nan"),
            float(logged.get("train/explained_variance", float("nan"))),
        )  # fmt: skip
        if look is not None:
            gain = look.gain
            line = dataclasses.replace(line, policy_eur=look.policy_eur, rival_eur=look.rival_eur, gain_eur=gain.estimate,
                                       gain_low_eur=gain.low, gain_high_eur=gain.high)  # fmt: skip
        for key, value in dataclasses.asdict(line).items():
            self.model.logger.record(f"stacking/{key}", value)
        self.model.logger.dump(self.progress.steps)
        return line

    # ---- files -------------------------------------------------------------------------------------------------------
    def _found(self, resume: bool) -> Progress:
        """Return how far the training in the folder has come."""
        if not (self.folder / STATE).is_file():
            return Progress()
        if not resume:
            raise StackingError("There is a training in this folder.", key="--out", value=str(self.folder),
                                remedy="Go on with --resume, or give another folder.")  # fmt: skip
        return load_checkpoint(self.folder, self.model, self.training, self.seed)

    def _keep(self, look: Look, first: bool = False) -> None:
        """Write the present policy, also as the best one if it is."""
        gain = look.gain
        told = {"policy_eur": look.policy_eur, "rival_eur": look.rival_eur, "gain_eur": gain.estimate,
                "gain_low_eur": gain.low, "gain_high_eur": gain.high, "scenarios": float(gain.count)}  # fmt: skip
        policy = self.policy(validation=told)
        save_policy(policy, self.folder / LAST)
        if first or look.policy_eur > self.progress.best_eur:
            save_policy(policy, self.folder / BEST)
            self.progress = dataclasses.replace(self.progress, best_eur=look.policy_eur)

    def _result(self, validation: Validation) -> Trained:
        from ...envs.policy import load_policy

        policy = load_policy(self.folder / BEST)
        return Trained(policy, self.folder / BEST, self.progress, validation.look(policy))

    def _write_record(self) -> None:
        data = {**self._card, "training": self.training.model_dump(mode="json")}
        (self.folder / RECORD).write_text(json.dumps(data, indent=2, default=str) + "\n", encoding="utf-8")


def _seed(*purpose: object) -> int:
    return seed_of("training", *purpose) % SEEDS


def _logger(folder: Path) -> Logger:
    """Return where algorithms write: TensorBoard if it is installed."""
    try:
        import torch.utils.tensorboard  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        return configure(None, [])
    return configure(str(folder / "tensorboard"), ["tensorboard"])
