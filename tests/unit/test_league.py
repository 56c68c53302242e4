"""Leagues, exploitability, cross-play: who learns beside whom, what is kept, what a figure is; a killed league goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from stacking.errors import StackingError

pytest.importorskip("stable_baselines3")

from stacking.agents.drawn import draw_population, kind_of
from stacking.config import validated
from stacking.envs.learned import named_strategy
from stacking.envs.scene import build_scene
from stacking.experiments import cli
from stacking.experiments.stats import mean_interval
from stacking.experiments.training import exploit as exploiting
from stacking.experiments.training import league as leagues
from stacking.experiments.training.checkpoint import torch_state
from stacking.experiments.training.cross_play import Side, cross_play
from stacking.experiments.training.exploit import exploit
from stacking.experiments.training.league import League, groups_of, load_league, run_league
from stacking.experiments.training.profile import KEPT_SEED, REPORT_SEED, Arena, Profile, load_profile, save_profile
from stacking.experiments.training.train import Trainer
from stacking.experiments.training.validation import flex_eur, validation_config

ENV: dict[str, Any] = {
    "design": "norflex_eam", "population": "mixed:3", "population_seed": 2, "days": 1, "scenarios": 4,
}  # fmt: skip
FSPS = ("fsp 1", "fsp 2", "fsp 3")
TINY = (
    "rows=4", "steps=96", "leg_steps=24", "evaluate_legs=1", "validation_scenarios=2", "validation_days=1",
    "parameters.n_steps=24", "parameters.batch_size=48", "parameters.n_epochs=1", "parameters.learning_rate=0.01",
)  # fmt: skip


def league(mode: str = "best_response", **settings: Any) -> League:
    data = {"mode": mode, "env": ENV, "rounds": 2, "scenarios": 3, "days": 1, "changes": TINY, **settings}
    return validated(League, data, "league")


def arena(seed: int = KEPT_SEED, scenarios: int = 3) -> Arena:
    return Arena(ENV, scenarios, 1, seed)


def answering(monkeypatch: pytest.MonkeyPatch, module: Any, answers: dict[str, str]) -> list[Any]:
    """Let FSPs "learn" a strategy that is given, and return the trainings as they come."""
    asked: list[Any] = []

    class Given:
        def __init__(self, training: Any, folder: Path, **card: Any) -> None:
            folder.mkdir(parents=True)  # a step that is done is not trained again
            self.progress, self.model = SimpleNamespace(leg=0, steps=7, seconds=0.5), None
            self.training = training
            asked.append(training)

        def run(self) -> Any:
            return SimpleNamespace(file=answers[self.training.env["learners"][0]], progress=self.progress)

    monkeypatch.setattr(module, "Trainer", Given)
    return asked


# ---- the arena -------------------------------------------------------------------------------------------------------
def test_the_arena_pays_each_fsp_what_the_validation_of_a_training_pays_it():
    plays = dict(zip(FSPS, ("rebid", "stacked", "mfrr_only"), strict=True))
    found = arena().flex_eur(plays)
    assert found.shape == (3, 3)
    assert len(np.unique(found)) > 3
    for column, name in enumerate(FSPS):
        others = [plays[other] for other in FSPS if other != name]
        config = Profile(env=ENV, plays=plays, changes=TINY).learning((name,), FSPS)
        settings = validation_config(config, "validation").model_copy(update={"scenario_seed": KEPT_SEED, "scenarios": 3})
        scene = build_scene(settings)
        assert [scene.others[k].name for k in sorted(scene.others)] == others
        np.testing.assert_array_equal(flex_eur(scene, scene.library, named_strategy(plays[name])), found[:, column])
    assert (arena().flex_eur(dict.fromkeys(FSPS, "do_nothing")) == 0.0).all()


def test_scenarios_of_choice_and_report_have_none_in_common():
    kept, reported = (set(map(str, arena(seed).scene.library.keys)) for seed in (KEPT_SEED, REPORT_SEED))
    assert not kept & reported
    assert all("validation" in key for key in kept | reported)


def test_profiles_name_each_fsp_once():
    for plays in ({"fsp 1": "rebid"}, dict.fromkeys((*FSPS, "fsp 4"), "rebid")):
        with pytest.raises(StackingError, match="name each FSP"):
            arena().flex_eur(plays)
    with pytest.raises(StackingError, match="no such FSP"):
        arena().chosen(["fsp 9"])
    for key, value in {"learners": ["fsp 1"], "co_players": "rebid", "split": "test"}.items():
        with pytest.raises(StackingError, match=key):
            Arena({**ENV, key: value}, 2, 1, 2)


def test_one_fsp_learns_beside_the_others_as_they_play_and_several_share_a_policy():
    profile = Profile(env=ENV, plays=dict(zip(FSPS, ("rebid", "stacked", "mfrr_only"), strict=True)), changes=TINY)
    one, two, all_three = (profile.learning(group, FSPS) for group in (FSPS[1:2], ("fsp 1", "fsp 3"), FSPS))
    assert (one.learners, one.env["learners"], one.env["co_players"]) == ("one", ["fsp 2"], ["rebid", "mfrr_only"])
    assert (two.learners, two.env["learners"], two.env["co_players"]) == ("shared", ["fsp 1", "fsp 3"], ["stacked"])
    assert (all_three.learners, all_three.env["co_players"]) == ("shared", None)
    assert one.env["portfolio"] is None  # the algorithm's file has a battery
    assert profile.learning(FSPS[:1], FSPS, ("steps=5",)).steps == 5


# ---- leagues ---------------------------------------------------------------------------------------------------------
def test_groups_are_partitions():
    drawn = draw_population("mixed", 3, 2)
    assert groups_of(league(), drawn) == {name: (name,) for name in FSPS}
    assert groups_of(league("shared"), drawn) == {"all": FSPS}
    by_kind = groups_of(league("independent", groups="kind"), draw_population("mixed", 3, 1))
    assert by_kind == {"mixed": ("fsp 1",), "battery": ("fsp 2", "fsp 3")}
    assert [kind_of(p) for p in draw_population("mixed", 3, 1)] == ["mixed", "battery", "battery"]
    assert groups_of(league(groups={"b": ["fsp 3", "fsp 1"], "a": ["fsp 2"]}), drawn) == {"b": FSPS[::2], "a": FSPS[1:2]}
    for wrong in ({"a": ["fsp 1", "fsp 2"]}, {"a": list(FSPS), "b": ["fsp 1"]}, {"a b": ["fsp 1", "fsp 2"], "a-b": ["fsp 3"]}):
        with pytest.raises(StackingError, match="partition"):
            groups_of(league(groups=wrong), drawn)
    with pytest.raises(StackingError, match="one policy for all"):
        league("shared", groups="each")


def test_a_best_response_is_kept_if_it_gains_more_than_epsilon_and_a_round_without_one_ends_the_league(monkeypatch, tmp_path):
    answers = {"fsp 1": "do_nothing", "fsp 2": "rebid", "fsp 3": "rebid"}
    asked = answering(monkeypatch, leagues, answers)
    start = {"fsp 1": "rebid", "fsp 2": "do_nothing", "fsp 3": "do_nothing"}
    done = run_league(league(start=start, rounds=5), tmp_path)
    earned, changed = arena().flex_eur, start
    for step, name in zip(done.steps, FSPS * 2, strict=True):  # two rounds of five: in the second nobody gained
        new = {**changed, name: answers[name]}
        column = FSPS.index(name)
        gain = earned(new)[:, column] - earned(changed)[:, column]
        assert (step.fsps, step.policy, step.steps) == ((name,), answers[name], 7)
        assert step.gain.estimate == pytest.approx(gain.mean())
        assert step.before_eur == pytest.approx(earned(changed)[:, column].mean())
        assert step.kept is bool(mean_interval(gain).low > 0.0)
        changed = new if step.kept else changed
    assert [step.kept for step in done.steps] == [False, True, True, False, False, False]
    assert done.settled
    assert dict(done.profile.plays) == dict.fromkeys(FSPS, "rebid") == dict(load_profile(done.file).plays)
    assert dict(load_profile(tmp_path / "start.json").plays) == start
    # frozen others are those of that moment: the battery learned beside a mixture that had just begun to trade
    assert asked[2].env["co_players"] == ["rebid", "rebid"]
    assert asked[1].env["co_players"] == ["rebid", "do_nothing"]
    dear = run_league(league(start=start, epsilon_eur=1e9), tmp_path / "dear")
    assert dear.settled
    assert not any(step.kept for step in dear.steps)
    assert len(dear.steps) == 3


def test_independent_policies_always_take_the_place_of_the_old_ones_and_learn_on(monkeypatch, tmp_path):
    answering(monkeypatch, leagues, dict.fromkeys(FSPS, "do_nothing"))
    taken: list[Any] = []
    monkeypatch.setattr(leagues, "take_over", lambda folder, model: taken.append(folder))
    done = run_league(league("independent"), tmp_path)
    assert all(step.kept for step in done.steps)
    assert sum(step.gain.estimate for step in done.steps) < 0.0  # told, not hidden
    assert not done.settled
    assert len(taken) == 3  # in the second round


def test_what_is_done_is_not_done_again_and_another_league_is_refused(monkeypatch, tmp_path):
    answering(monkeypatch, leagues, dict.fromkeys(FSPS, "rebid"))
    first = run_league(league("independent", rounds=1), tmp_path)
    monkeypatch.setattr(leagues, "Trainer", None)
    assert run_league(league("independent", rounds=1), tmp_path) == first
    with pytest.raises(StackingError, match="another league"):
        run_league(league("independent", rounds=1, seed=1), tmp_path)
    (tmp_path / "round-01" / "fsp-2" / "step.json").write_text('{"round": 1, "fsps": []}')
    with pytest.raises(StackingError, match="step of the league"):
        run_league(league("independent", rounds=1), tmp_path)


def test_a_league_that_stops_and_goes_on_ends_with_the_same_bytes(tmp_path):
    groups = {"pair": ["fsp 1", "fsp 3"], "single": ["fsp 2"]}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    one = run_league(league("independent", groups=groups), whole)
    run_league(league("independent", groups=groups, rounds=1), parts)
    (parts / "round-01" / "single" / "step.json").unlink()  # killed before it was written
    two = run_league(league("independent", groups=groups), parts)
    assert [s.gain for s in one.steps] == [s.gain for s in two.steps]
    assert dict(one.profile.plays) == {
        "fsp 1": str(whole / "round-02" / "pair" / "policy.npz"),
        "fsp 3": str(whole / "round-02" / "pair" / "policy.npz"),
        "fsp 2": str(whole / "round-02" / "single" / "policy.npz"),
    }
    for name in ("pair", "single"):
        cards = [(folder / "round-02" / name / "last.npz") for folder in (whole, parts)]
        a, b = (named_strategy(str(card)).policy for card in cards)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(a.weights, b.weights)
        assert a.card.steps == 96
    moved = tmp_path / "moved"
    shutil.move(whole, moved)
    assert load_profile(moved / "profile.json").plays["fsp 2"] == str(moved / "round-02" / "single" / "policy.npz")
    assert json.loads((moved / "profile.json").read_text())["plays"]["fsp 2"] == "round-02/single/policy.npz"


def test_learning_on_takes_over_the_networks_and_a_fresh_response_does_not(tmp_path):
    profile = Profile(env=ENV, plays=dict.fromkeys(FSPS, "rebid"), changes=TINY)
    first = Trainer(profile.learning(("fsp 2",), FSPS), tmp_path / "a", env_id="x", seed=1)
    first.run()
    later = Trainer(profile.changed(("fsp 1",), "stacked").learning(("fsp 2",), FSPS), tmp_path / "b", env_id="x", seed=2)
    own, fresh = torch_state(first.model, "policy"), torch_state(later.model, "policy")
    assert any((own[key] != fresh[key]).any() for key in own)
    leagues.take_over(tmp_path / "a", later.model)
    assert all((own[key] == value).all() for key, value in torch_state(later.model, "policy").items())
    assert later.model.num_timesteps == 0
    (tmp_path / "a" / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(StackingError, match="cannot be read"):
        leagues.take_over(tmp_path / "a", later.model)


# ---- figures ---------------------------------------------------------------------------------------------------------
def test_exploitability_is_the_gain_of_one_that_leaves_alone_and_never_below_zero(monkeypatch, tmp_path):
    answers = {"fsp 1": "stacked", "fsp 2": "rebid", "fsp 3": "do_nothing"}
    asked = answering(monkeypatch, exploiting, answers)
    profile = Profile(env=ENV, plays={"fsp 1": "rebid", "fsp 2": "do_nothing", "fsp 3": "rebid"}, changes=TINY)
    found = exploit(profile, tmp_path, changes=("steps=48",), scenarios=3, days=1)
    earned = arena(REPORT_SEED).flex_eur
    gains = []
    for row, (name, answer) in zip(found.fsps, answers.items(), strict=True):
        column = FSPS.index(name)
        gain = (earned({**profile.plays, name: answer}) - earned(profile.plays))[:, column]
        assert row.gain.estimate == pytest.approx(gain.mean())
        assert row.bound_eur == max(0.0, row.gain.low)
        gains.append(gain)
    assert found.fsps[2].gain.estimate < 0.0 < found.fsps[1].gain.estimate
    assert found.fsps[2].bound_eur == 0.0
    assert found.total == mean_interval(np.sum(gains, axis=0))  # the sum is paired, with those who lose
    assert found.bound_eur == max(0.0, found.total.low)
    assert [training.steps for training in asked] == [48] * 3
    assert asked[2].env["co_players"] == ["rebid", "do_nothing"]  # nobody else has moved
    with pytest.raises(StackingError, match="no such FSP"):
        exploit(profile, tmp_path, fsps=("fsp 7",), scenarios=3, days=1)


def test_cross_play_lets_one_play_the_row_and_all_others_the_column():
    world = arena(REPORT_SEED)
    sides = [Side(name, dict.fromkeys(FSPS, name)) for name in ("rebid", "mfrr_only")]
    cells = {(cell.learner, cell.others): cell for cell in cross_play(world, sides)}
    earned = [world.flex_eur({**dict.fromkeys(FSPS, "mfrr_only"), name: "rebid"})[:, k] for k, name in enumerate(FSPS)]
    alike = world.flex_eur(dict.fromkeys(FSPS, "mfrr_only")).mean(axis=1)
    cell = cells["rebid", "mfrr_only"]
    assert cell.flex.estimate == pytest.approx(np.mean(earned))
    assert cell.advantage.estimate == pytest.approx((np.mean(earned, axis=0) - alike).mean())
    assert cell.advantage.estimate != 0.0
    assert all(cells[name, name].advantage.estimate == 0.0 for name in ("rebid", "mfrr_only"))
    (one,) = cross_play(world, sides[:1], ("fsp 3",))
    assert one.flex.estimate == pytest.approx(world.flex_eur(sides[0].plays)[:, 2].mean())


# ---- files and commands ----------------------------------------------------------------------------------------------
def write(folder: Path, text: str) -> str:
    file = folder / "mine.toml"
    file.write_text(text)
    return str(file)


def test_bad_leagues_and_profiles_are_named(tmp_path):
    for text, told in (
        ('mode = "chess"\n[env]\n', "mode"),
        ('mode = "shared"\nrounds = 0\n[env]\n', "rounds"),
        ('mode = "shared"\n[env]\nco_players = "rebid"\n', "co_players"),
    ):
        with pytest.raises(StackingError, match=told):
            load_league(write(tmp_path, text))
    with pytest.raises(StackingError, match="cannot be read"):
        load_profile(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"env": {}}')
    with pytest.raises(StackingError, match="plays"):
        load_profile(tmp_path / "bad.json")


def call(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, list(arguments))


def test_the_commands_speak_json_and_tell_errors(tmp_path):
    text = f'mode = "shared"\nrounds = 1\nscenarios = 2\ndays = 1\nchanges = {json.dumps([c for c in TINY if "rows" not in c])}\n'
    text = text.replace('["', '["rows=6", "').replace("batch_size=48", "batch_size=72") + "[env]\n"
    file = write(tmp_path, text + "".join(f"{key} = {json.dumps(value)}\n" for key, value in ENV.items()))
    out = str(tmp_path / "out")
    done = call("league", file, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert set(told["plays"]) == set(FSPS)
    assert len(set(told["plays"].values())) == 1
    assert told["steps"][0]["fsps"] == list(FSPS)
    again = call("league", file, "--out", out)
    assert "1 rounds" in again.stdout
    measured = ("--scenarios", "2", "--days", "1")
    short = ("--set", "rows=4", "--set", "parameters.batch_size=48", "--fsp", "fsp 3", *measured)
    gain = json.loads(call("exploit", told["profile"], *short, "--steps", "96", "--json").stdout)
    assert gain["fsps"][0]["fsp"] == "fsp 3"
    assert gain["at_least_eur"] == gain["fsps"][0]["bound_eur"] == max(0.0, gain["total"]["low"])
    table = json.loads(call("cross-play", told["profile"], "rebid", *measured, "--json").stdout)
    both = (told["profile"], "rebid")
    assert [(c["learner"], c["others"]) for c in table["cells"]] == [(a, b) for a in both for b in both]
    plain = call("cross-play", "rebid", "stacked", "--set", "population=mixed:3", *measured)
    assert plain.stdout.count("rebid") == 1
    assert "(2) stacked" in plain.stdout
    for wrong in (("league", str(tmp_path / "no.toml")), ("exploit", "no.json"), ("cross-play", "no_such_strategy", *measured)):
        bad = call(*wrong, "--json")
        assert bad.exit_code == 2
        assert "error" in json.loads(bad.stdout)


def test_a_saved_profile_keeps_what_lies_elsewhere_as_it_is(tmp_path):
    plays = {"a": "rebid", "b": str(tmp_path.parent / "else.npz"), "c": "mine.py:Mine"}
    file = save_profile(Profile(env=ENV, plays=plays), tmp_path / "p.json")
    assert dict(load_profile(file).plays) == plays


def test_two_fsps_that_would_share_a_folder_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    arena = SimpleNamespace(scene=SimpleNamespace(library=()), chosen=lambda fsps: tuple(fsps))
    monkeypatch.setattr(exploiting, "Arena", lambda *_: arena)
    with pytest.raises(StackingError, match="share one folder") as caught:
        exploit(SimpleNamespace(env={}), tmp_path, fsps=("a b", "c", "a-b"))  # type: ignore[arg-type]
    assert caught.value.value == "a b, a-b"
    exploiting.check_folders(["fsp 1", "fsp 2"])
