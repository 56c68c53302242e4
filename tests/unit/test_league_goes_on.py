"""What a league keeps, from which seeds and networks it goes on, and that a kill inside a training changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("stable_baselines3")

from stacking.experiments.stats import mean_interval
from stacking.experiments.training import league as leagues
from stacking.experiments.training.league import League, run_league
from stacking.experiments.training.train import Trainer

from .test_league import FSPS, TINY, answering, arena, league


def test_a_response_is_kept_for_a_sure_gain_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The mean gain may lie above epsilon: what counts is the low end of its interval."""
    start = dict.fromkeys(FSPS, "do_nothing")
    answers = {**start, "fsp 3": "rebid"}
    answering(monkeypatch, leagues, answers)
    gain = mean_interval((arena().flex_eur(answers) - arena().flex_eur(start))[:, 2])
    assert 0.0 < gain.low < gain.estimate
    between, below = (gain.low + gain.estimate) / 2.0, 0.9 * gain.low
    unsure = run_league(league(start=start, epsilon_eur=between, rounds=1), tmp_path / "unsure")
    sure = run_league(league(start=start, epsilon_eur=below, rounds=1), tmp_path / "sure")
    assert [step.kept for step in unsure.steps] == [False, False, False]
    assert [step.kept for step in sure.steps] == [False, False, True]
    assert (unsure.settled, sure.settled) == (True, False)


@pytest.mark.parametrize(
    ("mode", "learns_on", "taken_over"),
    [("independent", None, 3), ("independent", False, 0), ("best_response", None, 0), ("best_response", True, 3)],
)
def test_each_training_has_its_seed_and_goes_on_from_networks_where_the_league_says_so(
    mode: str, learns_on: bool | None, taken_over: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    answering(monkeypatch, leagues, dict.fromkeys(FSPS, "rebid"))
    given, seeds, taken = leagues.Trainer, [], []

    def seeded(training: Any, folder: Path, **card: Any) -> Any:
        seeds.append(card["seed"])
        return given(training, folder, **card)

    monkeypatch.setattr(leagues, "Trainer", seeded)
    monkeypatch.setattr(leagues, "take_over", lambda folder, model: taken.append(folder))
    done = run_league(league(mode, learns_on=learns_on, start="do_nothing"), tmp_path)
    assert len(done.steps) == 6  # somebody gained in the first round, so that there is a second one
    assert len(taken) == taken_over
    assert len(set(seeds)) == 6  # a seed for each round and group


def test_a_league_killed_inside_a_training_that_learns_on_ends_with_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The training goes on from its own checkpoint, not again from the networks of the round before."""
    two_legs = [change for change in TINY if not change.startswith(("rows", "steps", "parameters.batch_size"))]
    record: League = league("shared", changes=(*two_legs, "rows=6", "steps=288", "parameters.batch_size=72"))
    run_league(record, tmp_path / "whole")

    class Killed(Trainer):
        """Is killed in the second leg of the second round."""

        def _leg(self) -> float:
            if self.progress.leg == 1 and "round-02" in str(self.folder):
                raise KeyboardInterrupt
            return super()._leg()

    with monkeypatch.context() as patched:
        patched.setattr(leagues, "Trainer", Killed)
        with pytest.raises(KeyboardInterrupt):
            run_league(record, tmp_path / "killed")
    assert not (tmp_path / "killed" / "round-02" / "all" / "step.json").exists()
    run_league(record, tmp_path / "killed")
    for name in ("last.npz", "policy.npz"):
        whole, killed = (tmp_path / folder / "round-02" / "all" / name for folder in ("whole", "killed"))
        assert whole.read_bytes() == killed.read_bytes()
