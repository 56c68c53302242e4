"""What a policy earns on a split: the same runs as `stacking compare`, paired with the strategy that it has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stacking.scenario import Library

from ...agents.strategies import Strategy
from ...envs.config import EnvConfig, env_config
from ...envs.learned import Learned, named_strategy
from ...envs.policy import Policy
from ...envs.scene import Scene, build_scene
from ..players import Mixed
from ..runner import Contest, run
from ..stats import Interval, mean_interval
from .record import Training

RIVAL = "rebid"
SPLIT_SEED = 1  # of validation scenarios; those of training are of the environment's own seed


@dataclass(frozen=True)
class Look:
    """One look at the validation split, EUR per episode."""

    policy_eur: float
    rival_eur: float
    gain: Interval  # policy - rival, paired by scenario


class Validation:
    """Plays policies on the validation scenarios of a training's environment.

    Args:
        training: with its environment, whose co-players and portfolio take part here too.
        split: validation; the test split is opened by claims alone (`stacking.experiments.suites`).
    """

    def __init__(self, training: Training, split: str = "validation") -> None:
        self.config = validation_config(training, split)
        self.scene = build_scene(self.config, everybody=training.learners == "shared")
        self.rival = self.config.advice or RIVAL
        self._rival_eur = self.flex_eur(named_strategy(self.rival))

    def look(self, policy: Policy) -> Look:
        """Return what a policy earns beside its rival on the same scenarios."""
        own = self.flex_eur(Learned(policy))
        return Look(float(own.mean()), float(self._rival_eur.mean()), mean_interval(own - self._rival_eur))

    def flex_eur(self, strategy: Strategy) -> Any:
        """Return the flex revenue of the learner (of all learners together) by scenario, (S,), EUR."""
        return flex_eur(self.scene, self.scene.library, strategy)


def validation_config(training: Training, split: str) -> EnvConfig:
    """Return the settings of the environment of a training on another split, without what belongs to learning."""
    kept = {key: value for key, value in training.env.items() if key not in ("reward", "reward_baseline", "library")}
    changes = {"days": training.validation_days, "split": split, "scenarios": training.validation_scenarios}
    if kept.get("prices"):
        changes.pop("scenarios")
    return env_config(None, {**kept, **changes, "scenario_seed": SPLIT_SEED})


def flex_eur(scene: Scene, library: Library, strategy: Strategy) -> Any:
    """Return the flex revenue of the learners together by scenario, (S,), EUR, while the others play what they play."""
    frame = episodes(scene, library, strategy)
    return frame["flex_eur"].to_numpy().reshape(len(library), -1).sum(axis=1)


def episodes(scene: Scene, library: Library, strategy: Strategy) -> pd.DataFrame:
    """Return the rows of the learners, who all play the strategy, as `stacking.experiments.runner.run` makes them.

    They stand in the order of the library; several learners of a scenario in row order.
    """
    place = {scene.portfolios[row].name: k for k, row in enumerate(scene.learners)}
    label = f"learner {strategy.name}"
    players: dict[str, Strategy] = {label: strategy}
    labels = []
    for k in range(len(scene.portfolios)):
        other = scene.others.get(k)
        name = label if other is None else f"{other.name} {id(other)}"
        players.setdefault(name, strategy if other is None else other)
        labels.append(name)
    contest = Contest((scene.design,), {strategy.name: Mixed(players, tuple(labels))}, scene.portfolios, library,
                      network=scene.network)  # fmt: skip
    found = run(contest).episodes
    own = found[(found["strategy"] == strategy.name) & found["portfolio"].isin(list(place))]
    order = {str(key): k for k, key in enumerate(library.keys)}
    scenario, portfolio = [order[key] for key in own["scenario"]], [place[name] for name in own["portfolio"]]
    return own.iloc[np.lexsort((portfolio, scenario))].reset_index(drop=True)
