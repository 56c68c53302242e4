"""One policy that learns from all FSPs of a world: its training, what it is measured by, and that it plays as it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stacking import layout as v
from stacking.envs.shared import SharedVectorEnv
from stacking.errors import StackingError

pytest.importorskip("stable_baselines3")
pytest.importorskip("torch")
from stacking.agents.strategies import make_strategy
from stacking.envs.learned import Learned
from stacking.envs.policy import load_policy
from stacking.experiments.training.record import Training, training
from stacking.experiments.training.train import Trainer
from stacking.experiments.training.validation import Validation, episodes

ENV = {"design": "norflex_eam", "portfolio": None, "population": "mixed:2", "population_seed": 14, "days": 1, "scenarios": 4}
SMALL = (
    "learners='shared'", "rows=4", "leg_steps=40", "steps=320", "evaluate_legs=2", "validation_scenarios=3", "validation_days=1",
    "parameters.n_steps=20", "parameters.batch_size=40", "parameters.n_epochs=2", "parameters.learning_rate=0.01",
)  # fmt: skip


def small(*changes: str) -> Training:
    return training("ppo", (*SMALL, *changes), ENV)


def trainer(folder: Path, record: Training) -> Trainer:
    return Trainer(record, folder, env_id="stacking/NorFlexEam-v0", seed=3)


def test_a_killed_shared_training_ends_with_the_same_bytes(tmp_path: Path):
    whole = trainer(tmp_path / "whole", small()).run()
    assert whole.progress.steps == 320
    first = trainer(tmp_path / "killed", small())
    with pytest.raises(KeyboardInterrupt):
        first.run(lambda line: (_ for _ in ()).throw(KeyboardInterrupt))
    assert first.progress.leg == 1
    trainer(tmp_path / "killed", small()).run()
    for name in ("policy.npz", "last.npz"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    begun, learned = Trainer(small(), tmp_path / "new", env_id="x", seed=3).policy(), load_policy(tmp_path / "whole" / "last.npz")
    assert np.abs(begun.weights - learned.weights).max() > 1e-3


def test_a_shared_policy_plays_each_fsp_as_it_was_trained(tmp_path: Path):
    """The strategy decides for all rows, of different portfolios, what its network decides in the environment."""
    record = small()
    trainer(tmp_path, record).run()
    policy = load_policy(tmp_path / "last.npz")
    env, strategy = SharedVectorEnv(record.rows, record.env), Learned(policy)
    seen, _ = env.reset(seed=1)
    count = env.num_envs
    connections = [p.connection_mw for p in env.worlds.portfolios]
    assert connections[0] != connections[1]
    state: Any = strategy.start(count, 0)
    differs = 0
    for _ in range(60):
        physical, mask = (x.reshape(count, -1) for x in env.worlds.physical)
        wanted, state = strategy.act(physical, mask, state)
        given = np.where(env.action_masks(), strategy._decided(seen, env.action_masks()), 0.0)
        seen, *_ = env.step(given.astype(np.float64))
        decided = env.worlds._action[:, env.worlds.rows].reshape(count, v.ACTIONS_W)
        np.testing.assert_array_equal(np.where(mask, decided, 0.0), np.where(mask, wanted, 0.0))
        differs += int((given != 0.0).any())
    assert differs > 30  # it is not the advice alone that agrees


def test_a_shared_policy_is_measured_by_what_all_learners_earn_together():
    validation = Validation(small())
    strategy = make_strategy("stacked")
    frame = episodes(validation.scene, validation.scene.library, strategy)
    names = [validation.scene.portfolios[row].name for row in validation.scene.learners]
    keys = [str(key) for key in validation.scene.library.keys]
    assert list(zip(frame["scenario"], frame["portfolio"], strict=True)) == [(key, name) for key in keys for name in names]
    each = frame.pivot(index="scenario", columns="portfolio", values="flex_eur").loc[keys, names].to_numpy()
    np.testing.assert_allclose(validation.flex_eur(strategy), each.sum(axis=1))
    assert (np.abs(each).sum(axis=0) > 0.0).all()  # each of them counts


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("learners='all'",), "learners"),
        (("foresight=true",), "foresight"),
        (("rows=5",), "Use 4 rows"),
    ],
)
def test_bad_shared_trainings_are_refused(changes: tuple[str, ...], told: str, tmp_path: Path):
    with pytest.raises(StackingError, match=told):
        trainer(tmp_path, small(*changes))
