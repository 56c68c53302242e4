"""Training: same bytes after a kill, the policy of the file is the one that learned, bad checkpoints and settings are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stacking.envs.policy import load_policy
from stacking.errors import StackingError

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")
# ruff: noqa: E402
from stacking.experiments.training import progress_file
from stacking.experiments.training.checkpoint import STATE, load_checkpoint
from stacking.experiments.training.model import make_model, make_rows
from stacking.experiments.training.record import Training, training
from stacking.experiments.training.train import BEST, LAST, Trainer

SMALL = (
    "rows=4", "leg_steps=24", "steps=288", "evaluate_legs=1", "validation_scenarios=2", "validation_days=1", "env.days=1",
    "env.scenarios=4", "env.portfolio='battery'", "parameters.n_steps=12", "parameters.batch_size=24", "network.pi=[8]",
    "network.vf=[8]", "warmup_legs=1",
)  # fmt: skip
DESIGN = {"design": "norflex_eam"}
ON_POLICY = {"ppo": (), "A2C": ("parameters.n_steps=12",), "TRPO": ("parameters.n_steps=12", "parameters.batch_size=24")}
SMALL_SAC = ("parameters.learning_starts=0", "parameters.batch_size=16", "parameters.buffer_size=200")


class KilledError(Exception):
    """Stands for a kill."""


def small(name: str = "ppo", *changes: str) -> Training:
    chosen = SMALL if name == "ppo" else tuple(c for c in SMALL if not c.startswith(("parameters", "warmup")))
    return training(name, (*chosen, *changes), DESIGN)


def trainer(folder: Path, record: Training, seed: int = 0, **more: Any) -> Trainer:
    return Trainer(record, folder, env_id="stacking/NorFlexEam-v0", seed=seed, **more)


def kill_after(legs: int) -> Any:
    def tell(line: progress_file.Line) -> None:
        if line.leg == legs:
            raise KilledError

    return tell


def test_a_training_that_was_killed_ends_with_the_same_bytes(tmp_path: Path) -> None:
    record = small()
    whole = trainer(tmp_path / "whole", record).run()
    assert record.legs == 3
    with pytest.raises(KilledError):
        trainer(tmp_path / "killed", record).run(kill_after(2))
    again = trainer(tmp_path / "killed", record)
    assert again.progress.leg == 2
    done = again.run()
    assert done.progress.steps == whole.progress.steps == 288
    for name in (BEST, LAST):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    lines = [progress_file.read(tmp_path / name).drop(columns="seconds") for name in ("whole", "killed")]
    assert lines[0].equals(lines[1])
    assert lines[0]["gain_eur"].notna().all()


def test_the_seed_makes_the_policy_and_learning_moves_it(tmp_path: Path) -> None:
    files = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        trainer(tmp_path / name, small(), seed).run()
        files.append((tmp_path / name / LAST).read_bytes())
    assert files[0] == files[1] != files[2]
    assert np.abs(load_policy(tmp_path / "a" / LAST).weights[-8 * 14 :]).max() > 0.0  # the last layer began at 0


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("TRPO", "TD3", "TQC", "A2C")]


@pytest.mark.parametrize("name", ["ppo", "sac", "maskable_ppo", *SLOW])
def test_the_policy_of_a_file_decides_as_the_model(name: str, tmp_path: Path) -> None:
    from stacking.envs.learned import Learned

    changes = ON_POLICY.get(name, ())
    if name in ("sac", "TD3", "TQC"):
        changes = SMALL_SAC
    if name == "maskable_ppo":
        changes = ("parameters.n_steps=12", "parameters.batch_size=24")
    record = small(name, *changes, "network.start_at_advice=false")
    made = trainer(tmp_path, record)
    rows = made.worlds
    made.run(kill_after(9))
    policy = Learned(made.policy())
    made.env.seed(3)
    seen, moved = made.env.reset(), 0.0
    for _ in range(30):
        is_open = rows.is_open[:, 0]
        ours = policy._decided(seen[:, : policy.policy.card.sizes[0]], is_open)
        masks = {"action_masks": rows.masks()[:, 0]} if name == "maskable_ppo" else {}
        theirs, _ = made.model.predict(seen, deterministic=True, **masks)
        if name == "maskable_ppo":
            assert rows._from_levels(theirs[:, None])[:, 0] == pytest.approx(ours)
        else:
            assert np.where(is_open, ours, 0.0) == pytest.approx(np.where(is_open, theirs, 0.0), abs=1e-5)
        seen, _, _, _ = made.env.step(theirs)
        moved = max(moved, float(np.abs(ours).max()))
    assert moved > 0.0


def test_closed_decisions_count_for_nothing() -> None:
    from stacking.experiments.training.masked import MaskedGaussian

    open_ = torch.tensor([[1.0, 0.0] + [0.0] * 12])
    found = MaskedGaussian(14).proba_distribution(torch.zeros(1, 14), torch.zeros(14))
    assert isinstance(found, MaskedGaussian)
    found.mask = open_
    one, other = torch.zeros(1, 14), torch.zeros(1, 14)
    other[0, 1:] = 5.0
    assert float(found.log_prob(one)) == float(found.log_prob(other)) == pytest.approx(-0.9189385)
    assert float(found.entropy()) == pytest.approx(1.4189385)


def test_what_sac_draws_and_keeps_is_0_where_a_decision_is_closed() -> None:
    from stacking.experiments.training.masked import MaskedSquashed

    found, mean = MaskedSquashed(14), torch.full((1, 14), 0.5)
    found.mask = torch.tensor([[1.0, 0.0] * 7])
    for deterministic in (False, True):
        drawn = found.actions_from_params(mean, torch.zeros(1, 14), deterministic)[0]
        assert drawn[1::2].tolist() == [0.0] * 7
        assert (drawn[::2] != 0.0).all()
    one, density = found.log_prob_from_params(mean, torch.zeros(1, 14))
    plain = torch.atanh(one[0, ::2]) - 0.5  # of N(0.5, 1), less the stretch of tanh
    wanted = (-0.5 * plain**2 - 0.9189385 - torch.log(1.0 - one[0, ::2] ** 2)).sum()
    assert float(density) == pytest.approx(float(wanted), abs=1e-3)


def test_in_the_memory_of_sac_closed_decisions_are_0(tmp_path: Path) -> None:
    made = trainer(tmp_path, small("sac", *SMALL_SAC))
    with pytest.raises(KilledError):
        made.run(kill_after(1))
    memory = made.model.replay_buffer
    seen, decided = memory.observations[: memory.pos], memory.actions[: memory.pos]
    assert memory.pos == 24
    assert (seen[..., -14:] == 1.0).any()
    assert ((decided != 0.0) == (seen[..., -14:] == 1.0)).all()


def test_sac_begins_at_the_advice_with_the_spread_that_is_asked_for_and_its_q_functions_learn_first(tmp_path: Path) -> None:
    made = trainer(tmp_path, small("sac", *SMALL_SAC, "warmup_legs=1", "network.log_std_init=-0.7"))
    seen = torch.as_tensor(made.env.reset())
    first = {key: value.clone() for key, value in made.model.policy.state_dict().items()}

    def moved(name: str) -> bool:
        now = made.model.policy.state_dict()
        return any(not torch.equal(now[key], value) for key, value in first.items() if key.startswith(name))

    def begins() -> bool:
        mean, log_std, _ = made.model.actor.get_action_dist_params(seen)
        return bool((mean == 0.0).all()) and torch.allclose(log_std, torch.tensor(-0.7))

    assert begins()
    with pytest.raises(KilledError):
        made.run(kill_after(1))
    assert begins()
    assert not moved("actor")
    assert moved("critic.")
    made.run()
    assert moved("actor")
    assert not begins()


def test_levels_begin_about_the_middle_and_a_small_change_makes_a_neighbour_the_likeliest() -> None:
    from stacking.envs.spaces import level_counts
    from stacking.experiments.training.model import _favoured

    outputs = np.split(_favoured(11, -1.0), np.cumsum(level_counts(11))[:-1])
    first, consent = outputs[0], outputs[-1]
    assert first == pytest.approx(first[::-1])
    assert first[5] == 0.0
    assert first[6] == pytest.approx(-0.5 * (0.2 / np.exp(-1.0)) ** 2)  # -0.148
    assert first[10] == -3.0
    assert consent.tolist() == [0.0, -3.0]  # no, as a heuristic decides that never consents
    chance = np.exp(first) / np.exp(first).sum()
    assert np.sqrt((chance * np.linspace(-1.0, 1.0, 11) ** 2).sum()) == pytest.approx(np.exp(-1.0), abs=0.02)


def test_in_the_first_legs_the_value_function_learns_alone(tmp_path: Path) -> None:
    made = trainer(tmp_path, small())
    before = made.policy()
    with pytest.raises(KilledError):
        made.run(kill_after(1))
    assert made.policy().weights.tobytes() == before.weights.tobytes()


# ---- bad input ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    with pytest.raises(KilledError):
        trainer(folder, small()).run(kill_after(1))
    return folder


def test_a_checkpoint_of_another_training_is_refused(killed: Path) -> None:
    with pytest.raises(StackingError, match="another training"):
        trainer(killed, small("ppo", "parameters.learning_rate=1e-5"))
    with pytest.raises(StackingError, match="another training"):
        trainer(killed, small(), seed=1)
    with pytest.raises(StackingError, match="There is a training"):
        trainer(killed, small(), resume=False)
    assert trainer(killed, small("ppo", "steps=960")).progress.leg == 1  # more steps are the same training


@pytest.mark.parametrize("content", [b"", b"nothing", "cut", "code"])
def test_a_damaged_or_foreign_checkpoint_is_refused_and_runs_no_code(killed: Path, tmp_path: Path, content: Any) -> None:
    good = (killed / STATE).read_bytes()
    if content == "cut":
        content = good[: len(good) // 2]
    if content == "code":
        import io

        class Harmful:
            def __reduce__(self) -> Any:
                return (Path.touch, (tmp_path / "ran",))

        buffer = io.BytesIO()
        torch.save({"hash": Harmful()}, buffer)
        content = buffer.getvalue()
    (tmp_path / STATE).write_bytes(content)
    record = small()
    model = make_model(record, make_rows(record), 0)
    with pytest.raises(StackingError, match="cannot be read"):
        load_checkpoint(tmp_path, model, record, 0)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("nobody", (), "no such algorithm"),
        ("DQN", (), "no such algorithm"),
        ("ppo", ("everything=1",), "no such key"),
        ("ppo", ("steps=0",), "steps"),
        ("ppo", ("env.levels=5",), "leave env.levels out"),
        ("maskable_ppo", ("env.levels=0",), "levels"),
        ("ppo", ("network.activation='gelu'",), "activation"),
    ],
)
def test_bad_trainings_are_named(name: str, changes: tuple[str, ...], words: str) -> None:
    with pytest.raises(StackingError, match=words):
        make_rows(training(name, changes, DESIGN))


def test_a_parameter_that_the_algorithm_does_not_take_is_named() -> None:
    record = small("ppo", "parameters.wings=2")
    with pytest.raises(StackingError, match="wings"):
        make_model(record, make_rows(record), 0)


def test_a_training_that_diverges_says_so(tmp_path: Path) -> None:
    made = trainer(tmp_path, small("ppo", "warmup_legs=0"))
    with torch.no_grad():
        made.model.policy.value_net.bias.fill_(float("nan"))
    with pytest.raises((StackingError, ValueError), match=r"diverged|nan"):
        made.run()


# ---- models from elsewhere -----------------------------------------------------------------------------------------------
def test_a_model_from_elsewhere_is_read_only_if_somebody_vouches_for_it(tmp_path: Path) -> None:
    from stable_baselines3 import PPO

    from stacking.envs import Sb3VecEnv, StackingVectorEnv
    from stacking.envs.learned import Learned
    from stacking.experiments.training.foreign import import_policy
    from stacking.experiments.training.record import bare

    env = Sb3VecEnv(StackingVectorEnv(3, design="norflex_eam", portfolio="battery", days=1, scenarios=2))
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=24, device="cpu", policy_kwargs={"net_arch": [8]}, seed=4)
    model.save(tmp_path / "model.zip")
    record = bare("PPO", ("env.portfolio='battery'",), DESIGN)
    more = {"env_id": "stacking/NorFlexEam-v0", "name": "foreign"}
    with pytest.raises(StackingError, match="was not opened"):
        import_policy(tmp_path / "model.zip", record, trusted=False, **more)
    policy = Learned(import_policy(tmp_path / "model.zip", record, trusted=True, **more))
    env.seed(1)
    seen = env.reset()
    is_open = env.env.worlds.is_open[:, 0]
    theirs = model.predict(seen, deterministic=True)[0]
    ours = policy._decided(seen, is_open)
    assert np.where(is_open, ours, 0.0) == pytest.approx(np.where(is_open, theirs, 0.0), abs=1e-6)
    assert np.abs(ours).max() > 0.0
    advised = bare("PPO", ("env.portfolio='battery'", "env.advice='rebid'"), DESIGN)
    with pytest.raises(StackingError, match="another observation space"):
        import_policy(tmp_path / "model.zip", advised, trusted=True, **more)
    (tmp_path / "cut.zip").write_bytes((tmp_path / "model.zip").read_bytes()[:500])
    with pytest.raises(StackingError, match="cannot be read"):
        import_policy(tmp_path / "cut.zip", record, trusted=True, **more)
