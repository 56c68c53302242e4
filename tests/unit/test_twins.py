"""Twins, equilibria and weeks: two FSPs that only reach the minimum together, solved by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from stacking.agents.consent import COSTS, Always, Bandit, BestResponse, Cost, FspChoice, scaled, yearly_eur
from stacking.agents.strategies import closed_action
from stacking.errors import StackingError
from stacking.experiments import equilibrium, fsp_types, twins, weeks
from stacking.experiments.cli import app
from stacking.experiments.game import Game, check_asks
from stacking.layout import action_layout
from stacking.units import HOURS_PER_YEAR

from ..toy import LFM, MFRR, TICKS, UP, c, design, library, local, need, portfolio

OWN_OR_CONSENT = (FspChoice.BID_ITSELF, FspChoice.CONSENT)
NAMES = action_layout((0.0, 1.0), (0.0, 1.0)).names


class Script:
    """Offers what a table says, tick by tick."""

    def __init__(self, name: str, table: dict[int, dict[str, float]]) -> None:
        self.name, self.table = name, table

    def start(self, n: int, seed: Any) -> int:
        return 0

    def act(self, observation: np.ndarray, mask: np.ndarray, tick: int) -> tuple[np.ndarray, int]:
        action = closed_action(len(observation))
        for name, value in self.table.get(tick, {}).items():
            action[:, NAMES.index(name)] = value
        return action, tick + 1


def pair(*, pooling: bool = True, power_mw: float = 0.6) -> Game:
    """Batteries a and b of 0.6 MW offer all of it locally at 60 and 70; the DSO needs nothing, the TSO 10 MW up.

    Pooled: 1.2 MW, 1 MW forwarded, 0.2 cut off b. Others 6 MW up to 55, a 0.6 at 60, others 3 at 70, b 0.4 at 70: 10 MW,
    70 EUR/MWh for one hour: a earns 42, b 28. Alone 0.6 MW is below the minimum of 1 MW: nothing.
    """
    lib = library(TICKS, 2, 2, imbalance=100.0)
    need(lib, MFRR, UP, 10.0, volume=12.0, reference=40.0, anchor=100.0)
    lib.series[:, :, c.DOMINANT] = 1.0
    need(lib, LFM, UP, 0.0, limit=300.0)
    scripts = {"sixty": Script("sixty", local("up", 1.0, 60.0)), "seventy": Script("seventy", local("up", 1.0, 70.0))}
    batteries = tuple(portfolio(name, power_mw, 2.0 * power_mw) for name in "ab")
    return Game(design("norflex_eam", pooling=pooling), scripts, ("sixty", "seventy"), batteries, lib, backend="python")


@pytest.fixture(scope="module")
def game() -> Game:
    return pair()


def test_only_both_together_earn_anything(game: Game) -> None:
    assert game.flex_eur(("always", "always")) == pytest.approx(np.array([[42.0, 28.0]] * 2))
    for profile in (("always", "never"), ("never", "always"), ("never", "never"), ("consent", "leave")):
        assert game.flex_eur(profile) == pytest.approx(np.zeros((2, 2)), abs=1e-9)


def test_a_profile_is_played_once(game: Game) -> None:
    game.flex_eur(("always", "always"))
    before = game.played
    game.flex_eur(("always", "always"))
    assert game.played == before
    with pytest.raises(StackingError):
        game.flex_eur(("always",))


def test_a_twin_helps_the_others_as_much_as_itself(game: Game) -> None:
    found = twins.twins(game, [0, 1], "always")
    for one, own, others in zip(found, (42.0, 28.0), (28.0, 42.0), strict=True):
        assert (one.figures["own_eur"].estimate, one.figures["others_eur"].estimate) == pytest.approx((own, others))
        assert one.figures["all_eur"].estimate == pytest.approx(70.0)
        # 0.6 MW for 12 MTU = 3 h
        assert one.figures["own_eur_per_kw_year"].estimate == pytest.approx(own / 600.0 * HOURS_PER_YEAR / 3.0)
        assert one.figures["own_eur"].excludes_zero()
    alone = twins.twin(game, 0, ("never", "never"))
    assert alone.own_eur.tolist() == pytest.approx([0.0, 0.0])
    assert "EUR/kW-year" in twins.to_text(found)
    assert twins.chosen_rows(game, ["b"], 1) == [1]
    with pytest.raises(StackingError):
        twins.chosen_rows(game, ["nobody"], 1)


def test_the_others_are_unchanged_where_bids_are_large_enough_alone() -> None:
    # 1 MW each, no pooling: others 6 up to 55, a 1 at 60, others 3 at 70 -> 70 with a alone;
    # b alone: others 9 up to 70 and b 1 at 70 -> 70. Neither changes what the other is paid
    one = twins.twin(pair(pooling=False, power_mw=1.0), 0, ("always", "always"))
    assert one.own_eur.tolist() == pytest.approx([70.0, 70.0])
    assert one.others_eur.tolist() == pytest.approx([0.0, 0.0])


def types_and_payoff(
    game: Game, own: list[str], costs: tuple[Cost, ...] = (), choices: tuple[FspChoice, ...] = OWN_OR_CONSENT
) -> tuple[fsp_types.FspTypes, equilibrium.Payoff]:
    """Return types of the given names, and what each earns."""
    types = fsp_types.types_as(own, game.portfolios)
    revenue = fsp_types.revenue_of(game, types, choices)
    return types, fsp_types.type_payoff(revenue, types, fsp_types.years_of(game.library), costs, choices)


# ---- equilibrium -----------------------------------------------------------------------------------------------------
def test_pooling_tips(game: Game) -> None:
    types, payoff = types_and_payoff(game, ["a", "b"])
    assert types.names == ("a", "b")
    found = {r.start: r for r in equilibrium.search(payoff, equilibrium.starts(2, ["out", "in"]), epsilon=0.0)}
    assert (found["all in"].profile, found["all in"].share_frac, found["all in"].settled) == ((1, 1), (0.0, 1.0), True)
    assert (found["all out"].profile, found["all out"].share_frac, found["all out"].settled) == ((0, 0), (1.0, 0.0), True)
    assert found["all in"].most_gain == pytest.approx(-28.0 / 600.0 * HOURS_PER_YEAR / 3.0)
    assert found["all out"].most_gain == pytest.approx(0.0, abs=1e-9)


def test_members_of_one_type_switch_together(game: Game) -> None:
    found_types = fsp_types.types_of(game.portfolios, fsp_types.TypeRule())
    assert found_types.own == ("battery 0.2-1 MW",) * 2
    types, payoff = types_and_payoff(game, list(found_types.own))
    assert (types.names, types.fsps.tolist(), types.rated_mw.tolist()) == (("battery 0.2-1 MW",), [2.0], [1.2])
    found = equilibrium.search(payoff, equilibrium.starts(1, ["out", "in"]), epsilon=0.0)
    assert [r.share_frac for r in found[:2]] == [(0.0, 1.0)] * 2


def test_costs_are_charged_per_member(game: Game) -> None:
    costs = (Cost("c", FspChoice.CONSENT, 30.0, "assumed"), Cost("b", FspChoice.BID_ITSELF, 60.0, "assumed"))
    _, free = types_and_payoff(game, ["x", "x"])
    _, paid = types_and_payoff(game, ["x", "x"], costs)
    assert free((1,)) - paid((1,)) == pytest.approx(2 * yearly_eur(FspChoice.CONSENT, costs) / 1200.0)
    assert free((0,)) - paid((0,)) == pytest.approx(2 * 60.0 / 1200.0)


def test_a_circle_and_epsilon() -> None:
    def chase(p: equilibrium.Profile) -> np.ndarray:  # the first wants to match, the second not to
        return np.array([float(p[0] == p[1]), float(p[0] != p[1])])

    (circle,) = equilibrium.search(chase, {"all in": (1, 1)}, epsilon=0.5)
    assert not circle.settled
    assert circle.most_gain == 1.0
    (still,) = equilibrium.search(chase, {"all in": (1, 1)}, epsilon=1.0)
    assert still.settled
    assert (still.profile, still.rounds) == ((1, 1), 1)

    def better_out(p: equilibrium.Profile) -> np.ndarray:
        return -np.array(p, dtype=float)

    (out,) = equilibrium.search(better_out, {"all in": (1, 1, 1)}, epsilon=0.1, weight=[1, 1, 2])
    assert (out.profile, out.share_frac, out.rounds, out.most_gain) == ((0, 0, 0), (1.0, 0.0), 2, -1.0)
    assert equilibrium.starts(50, ["out", "in"], seed=1)["random 1"] == equilibrium.starts(50, ["out", "in"], seed=1)["random 1"]
    assert equilibrium.starts(50, ["out", "in"], seed=1)["random 1"] != equilibrium.starts(50, ["out", "in"], seed=2)["random 1"]
    with pytest.raises(StackingError):
        equilibrium.search(better_out, {}, epsilon=0.1)


CHOICES = tuple(FspChoice)


def test_types_choose_among_all_ways_and_nobody_gains_by_another(game: Game) -> None:
    types, payoff = types_and_payoff(game, ["a", "b"], COSTS, CHOICES)
    begin = equilibrium.starts(2, [c.value for c in CHOICES], random=3, seed=2)
    epsilon = 0.01
    found = equilibrium.search(payoff, begin, epsilon=epsilon, choices=len(CHOICES))
    assert len(found) == len(CHOICES) + 3
    ends = {r.start: tuple(CHOICES[k] for k in r.profile) for r in found}
    assert ends["all consent"] == (FspChoice.CONSENT,) * 2
    # from own bids, which cost most, each goes for itself: alone nobody reaches the minimum, so nothing is worth a fee
    assert ends["all bid_itself"] == ends["all local_only"] == (FspChoice.LOCAL_ONLY,) * 2
    assert ends["all both"] == (FspChoice.CONSENT,) * 2  # as pooled, without the costs of own bids
    for r in found:
        assert r.settled
        # by hand, without the search: EUR/kW-year of both batteries (600 kW, 3 h) for every choice of one of them
        for k in range(2):
            entries = [CHOICES[c].value for c in r.profile]
            earned = []
            for choice in (CHOICES[r.profile[k]], *CHOICES):
                entries[k] = choice.value
                year = game.flex_eur(entries).mean(axis=0)[k] * HOURS_PER_YEAR / 3.0
                earned.append((year - yearly_eur(choice)) / 600.0)
            assert r.payoff[k] == pytest.approx(earned[0])
            assert max(earned) - earned[0] <= epsilon
    text = fsp_types.to_text(found, types, CHOICES, COSTS, game)
    assert f"End 1 of {len(set(ends.values()))} (from all consent, " in text
    assert "bid_itself 4,660 (1,560 of it sourced)" in text


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: equilibrium.search(lambda p: np.zeros(1), {"x": (0,)}, epsilon=float("nan")), "epsilon"),
        (lambda: equilibrium.search(lambda p: np.zeros(1), {"x": (0,)}, epsilon=float("inf")), "epsilon"),
        (lambda: equilibrium.search(lambda p: np.zeros(1), {"x": (2,)}, epsilon=0.0), "x"),
        (lambda: equilibrium.search(lambda p: np.zeros(1), {"x": ()}, epsilon=0.0), "x"),
        (lambda: equilibrium.search(lambda p: np.zeros(1), {}, epsilon=0.0), "begin"),
        (lambda: equilibrium.search(lambda p: np.zeros(1), {"x": (0,)}, epsilon=0.0, choices=1), "choices"),
        (lambda: equilibrium.starts(2, ["a", "b"], random=-1), "starts"),
        (lambda: fsp_types.checked_choices(["consent", "stay"]), "choice"),
        (lambda: fsp_types.checked_choices(["consent", "consent"]), "choice"),
        (lambda: fsp_types.checked_choices(["consent"]), "choice"),
        (lambda: check_asks(design("parallel")), "consent"),
        (lambda: check_asks(design("mandatory")), "consent"),
        (lambda: twins.twins(pair(), [0], "bandit"), "consent"),
        (lambda: scaled(float("inf")), "cost_factor"),
        (lambda: pair().flex_eur(("always", "sometimes")), "consent"),
    ],
)
def test_bad_input_is_named(make: Any, key: str) -> None:
    with pytest.raises(StackingError) as caught:
        make()
    assert caught.value.key == key


# ---- weeks -----------------------------------------------------------------------------------------------------------
def test_learners_over_weeks(game: Game) -> None:
    seeds = weeks.fsp_seeds(["a", "b"], 3)
    plays = [weeks.week_of(game, k % 2) for k in range(6)]
    history = weeks.adapt(BestResponse(), plays, [0.6, 0.6], seeds)
    assert history.consent.shape == history.earned_eur.shape == (6, 2)
    assert (history.consent == history.consent[0]).all()  # nobody gains by being alone: each start is an equilibrium
    assert weeks.fsp_seeds(["a", "new", "b"], 3)[[0, 2]].tolist() == seeds.tolist()  # nobody's draws move when others join
    tried = weeks.adapt(Bandit(explore_frac=0.0), plays, [0.6, 0.6], seeds).consent
    assert (tried[:2].sum(axis=0) == 1).all()
    assert weeks.week_of(game)((1, 1)) == pytest.approx([42.0, 28.0])
    with pytest.raises(StackingError):
        weeks.adapt(Always(), plays, [0.6, 0.6], seeds)


# ---- commands --------------------------------------------------------------------------------------------------------
def test_commands_print_what_they_found() -> None:
    small = ["--days", "1", "--seeds", "2", "--population", "mixed:2", "--json"]
    done = CliRunner().invoke(app, ["twins", *small, "--fsp", "fsp 2", "--others", "always"])
    assert done.exit_code == 0, done.output
    (one,) = json.loads(done.stdout)
    assert one["fsp"] == "fsp 2"
    assert len(one["own_eur"]) == 2
    done = CliRunner().invoke(app, ["equilibrium", *small, "--starts", "0"])
    assert done.exit_code == 0, done.output
    assert [s["start"] for s in json.loads(done.stdout)["starts"]] == [f"all {c.value}" for c in FspChoice]
    done = CliRunner().invoke(app, ["twins", "--days", "1", "--seeds", "2", "--fsp", "nobody"])
    assert done.exit_code == 2
    done = CliRunner().invoke(app, ["twins", "--days", "1", "--seeds", "2", "--design", "parallel", "--json"])
    assert done.exit_code == 2
    assert "asks nobody" in done.output
