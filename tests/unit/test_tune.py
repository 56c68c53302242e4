"""Tuning: finds what is there, keeps to its budget, repeats itself, and stores what it found with its provenance."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from stacking.agents import parameters as tuned_files
from stacking.agents.strategies import Parameter, make_strategy, parameters_of
from stacking.errors import StackingError
from stacking.experiments import candidates, inputs, strategy_input, tune, tuned_file

BUDGET = 24_000
ASLEEP = '''
from dataclasses import dataclass

from stacking.agents.strategies import DayAheadArbitrage, tunable


@dataclass(frozen=True)
class Asleep(DayAheadArbitrage):
    """Day-ahead arbitrage whose default is to trade next to nothing."""

    name = "asleep"
    da_volume_frac: float = tunable(0.01, 0.0, 1.0, "-", "share of the rated power planned day-ahead")
'''


def _tune(spec: str = "da_arbitrage", *, seed: int = 0, budget: int = BUDGET, days: int = 1) -> tune.Tuned:
    return tune.tune(spec, designs=["parallel"], budget=budget, request=inputs.Request(days=days, seed=seed))


@pytest.fixture(scope="module")
def outcome() -> tune.Tuned:
    return _tune()


def test_same_seed_same_result(outcome: tune.Tuned, tmp_path: Path) -> None:
    again = _tune()
    assert again.parameters == outcome.parameters
    assert again.provenance == outcome.provenance
    first, second = (tuned_file.write_tuned(t, tmp_path / f"{k}.toml").read_text() for k, t in enumerate((outcome, again)))
    assert [line for line in first.splitlines() if "created_utc" not in line] == [
        line for line in second.splitlines() if "created_utc" not in line
    ]
    assert _tune(seed=1).provenance["train_eur"] != outcome.provenance["train_eur"]


def test_the_budget_is_kept_and_used(outcome: tune.Tuned) -> None:
    known = outcome.provenance
    assert 0.5 * BUDGET < known["used_steps"] <= BUDGET
    assert known["candidates"] >= 8


def test_the_splits_are_train_and_validation(outcome: tune.Tuned) -> None:
    assert outcome.provenance["train_scenarios"][0].startswith("train/generated/0/")
    assert outcome.provenance["validation_scenarios"][0].startswith("validation/generated/0/")
    assert "test" not in str(outcome.provenance)


def test_the_default_meets_the_finalists(outcome: tune.Tuned) -> None:
    assert outcome.validation_eur >= outcome.validation_default_eur
    assert outcome.gain.estimate == pytest.approx(outcome.validation_eur - outcome.validation_default_eur)
    make_strategy("da_arbitrage", **outcome.parameters)  # inside the ranges, or this raises


def test_it_finds_a_gain_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "asleep.py"
    file.write_text(ASLEEP)
    found = _tune(f"{file}:Asleep", budget=24_000, days=2)
    assert found.strategy == "asleep"
    assert found.defaults["da_volume_frac"] == 0.01
    assert found.parameters["da_volume_frac"] > 0.3
    assert found.validation_eur > found.validation_default_eur + 10.0
    assert found.gain.low > 0.0


def test_a_start_is_tried_and_meets_the_finalists(outcome: tune.Tuned, tmp_path: Path) -> None:
    file = tmp_path / "asleep.py"
    file.write_text(ASLEEP)
    sister = tuned_file.write_tuned(outcome, tmp_path / "da.toml")
    request = inputs.Request(days=1)
    job = tune.prepare(f"{file}:Asleep", designs=["parallel"], budget=BUDGET, request=request, starts=[sister])
    found = tune.search(job)
    start = tuple(outcome.parameters.values())
    on_train = [key for key in job.search.known if key[0] == "train"]
    assert (*on_train[0][:2], start) in on_train[:3]  # tried first
    assert ("validation", len(job.validation), start) in job.search.known
    assert found.provenance["starts"] == [list(start)]
    assert found.provenance["used_steps"] <= BUDGET
    assert outcome.provenance["starts"] == []


def test_a_start_gives_values_of_equal_names(tmp_path: Path) -> None:
    file = tmp_path / "rebid.toml"
    file.write_text('strategy = "rebid"\n[parameters]\nda_volume_frac = 0.0\nlfm_take_frac = 0.8\n')
    parameters = parameters_of(make_strategy("stacked"))
    names = [p.name for p in parameters]
    kept, off = (dict(zip(names, values, strict=True)) for values in tune.start_values(parameters, file))
    assert kept == {p.name: p.default for p in parameters} | {"da_volume_frac": 0.0, "lfm_take_frac": 0.8}
    assert off == {p.name: p.low for p in parameters} | {"lfm_take_frac": 0.8}
    with pytest.raises(StackingError, match="no parameter of this strategy"):
        tune.start_values([Parameter("other", 0.0, 1.0, 0.5, "-")], file)
    with pytest.raises(StackingError, match="outside the range") as caught:
        tune.start_values([Parameter("lfm_take_frac", 0.0, 0.5, 0.5, "-")], file)
    assert caught.value.key == "lfm_take_frac"


def test_the_file_holds_parameters_and_provenance(outcome: tune.Tuned, tmp_path: Path) -> None:
    path = tuned_file.write_tuned(outcome, tmp_path / "new" / "da.toml")
    assert tuned_files.read_tuned(path) == ("da_arbitrage", outcome.parameters)
    data = tomllib.loads(path.read_text())
    assert data["provenance"]["budget_steps"] == BUDGET
    assert data["provenance"]["designs"] == ["parallel"]
    assert data["provenance"]["validation_gain_eur"][0] == round(outcome.gain.estimate, 2)


def test_stored_parameters_are_used_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tuned_files, "FOLDER", tmp_path)
    values = {p.name: p.low for p in parameters_of(make_strategy("rebid"))}
    lines = [f"{key} = {value}" for key, value in values.items()]
    (tmp_path / "rebid.toml").write_text('strategy = "rebid"\n[parameters]\n' + "\n".join(lines))
    strategy, origin = strategy_input.one_strategy("rebid")
    assert (strategy, origin) == (make_strategy("rebid", **values), "tuned")
    assert strategy_input.one_strategy("rebid", tuned=False) == (make_strategy("rebid"), "defaults")
    assert strategy_input.one_strategy("overbook")[1] == "defaults"
    given = {"rebid": {"da_volume_frac": 0.5}}
    assert strategy_input.one_strategy("rebid", given) == (make_strategy("rebid", da_volume_frac=0.5), "parameter file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names its strategy"),
        ('strategy = "rebid"', "table of parameters"),
        ('strategy = "rebid"\n[parameters]\nda_volume_frac = "much"', "no number"),
        ('strategy = "rebid"\n[parameters]\nda_volume_frac = true', "no number"),
        ("strategy = ", "not valid TOML"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(StackingError, match=message) as caught:
        tuned_files.read_tuned(path)
    assert caught.value.place == str(path)


def test_values_outside_their_range_are_refused_when_used(tmp_path: Path) -> None:
    path = tmp_path / "wild.toml"
    path.write_text('strategy = "rebid"\n[parameters]\nda_volume_frac = 7.0')
    with pytest.raises(StackingError, match="inside its range"):
        strategy_input.chosen_strategies(inputs.Request(parameters=(str(path),)))


def test_what_cannot_be_tuned_is_refused() -> None:
    with pytest.raises(StackingError, match="no tunable parameters"):
        _tune("do_nothing")
    with pytest.raises(StackingError, match="budget") as caught:
        _tune(budget=100)
    assert caught.value.key == "--budget"
    assert "8,880 steps" in caught.value.allowed
    _tune(budget=8_880)  # what it says is enough is enough


def test_the_unit_cube_goes_both_ways() -> None:
    for p in (Parameter("a", -2.0, 8.0, 0.0, "-"), Parameter("b", 0.5, 50.0, 5.0, "-", log=True)):
        assert candidates.from_unit(p, 0.0) == p.low
        assert candidates.from_unit(p, 1.0) == p.high
        for x in (0.1, 0.37, 0.9):
            assert candidates.to_unit(p, candidates.from_unit(p, x)) == pytest.approx(x, abs=1e-3)
    assert candidates.from_unit(Parameter("b", 0.5, 50.0, 5.0, "-", log=True), 0.5) == 5.0


class Known(candidates.Candidates):
    """A search whose revenue is known: largest at an end of the first range, inside the second, level in the third."""

    def evaluate(self, wanted, library):
        self.used += len(wanted)
        return [candidates.Evaluation(v, 10.0 * v[0] - abs(v[1] - 0.3), np.zeros(1)) for v in wanted]

    def affords(self, library, count, reserve=0):
        return self.used + count + reserve <= self.budget


def known_search(budget: int) -> Known:
    parameters = tuple(Parameter(name, 0.0, 1.0, 0.5, "-") for name in "abc")
    return Known("", parameters, (), None, inputs.Request(), np.random.default_rng(0), budget)  # type: ignore[arg-type]


def test_the_search_finds_ends_of_ranges_and_what_lies_between() -> None:
    ranked = tune.along_axes(known_search(200), None, 0)  # type: ignore[arg-type]
    assert ranked[0].values[0] == 1.0
    assert ranked[0].values[1] == pytest.approx(0.3, abs=0.02)
    assert [e.mean_eur for e in ranked] == sorted((e.mean_eur for e in ranked), reverse=True)
    tried = {e.values for e in ranked}
    assert {0.0, 1.0} <= {v[2] for v in tried}


def test_the_search_keeps_its_reserve() -> None:
    search = known_search(30)
    tune.along_axes(search, None, 12)  # type: ignore[arg-type]
    assert 10 < search.used <= 18
