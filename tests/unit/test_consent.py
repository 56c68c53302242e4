"""Consent policies: hand-solved gains and draws; wrappers that touch nothing but their columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from stacking import layout as at
from stacking.agents.consent import (
    COSTS,
    BreakEven,
    Cost,
    FspChoice,
    GainTerms,
    Logit,
    RandomFsps,
    WithChoices,
    WithConsent,
    forwarding_gain_eur,
    parse_consent,
    scaled,
    with_consent,
    yearly_eur,
)
from stacking.agents.drawn import draw_consents
from stacking.agents.population import Population
from stacking.agents.seeds import row_seeds, uniform
from stacking.agents.strategies import closed_action, make_strategy
from stacking.errors import StackingError
from stacking.experiments import players
from stacking.experiments.request import Request

from .observations import observation, open_mask

ONLY_FEE = GainTerms(recent_weight_frac=1.0, own_bid_frac=0.0, lock_frac=0.0)


def seen(n: int = 1, **more: Any) -> np.ndarray:
    """Up: 4.4 MW, 40 above cost in one of four MTU; down: no power. Day-ahead 50, cost 10, fee 8, steps of 1 MW."""
    prices = {"mfrr_up_price_lag0": 100.0, **{f"mfrr_up_price_lag{k}": 50.0 for k in (1, 2, 3)}}
    prices |= {f"mfrr_dn_price_lag{k}": 60.0 for k in range(4)}
    rules = {"forward_fee": 8.0, "forward_min_mw": 1.0, "forward_granularity_mw": 1.0}
    return observation(n, **{**prices, **rules, "feasible_up_lfm_mw": 4.4, "feasible_dn_lfm_mw": 0.0, **more})


# ---- gain ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("terms", "more", "gain"),
    [
        ({}, {}, 4 * (10 - 0.25 * 8)),  # chance 1/4, margin 40: 10 EUR/MWh expected, 2 of fee, 4 whole MW
        ({"own_bid_frac": 1.0}, {}, 32 - 4 * (10 + 1 - 0.5)),  # the same power can be bid later, at a better price
        ({"own_bid_frac": 0.5}, {}, 32 - 0.5 * 42),
        ({}, {"forward_min_mw": 5.0}, 0.0),  # too small: nothing is forwarded, nothing is locked
        ({"own_bid_frac": 1.0}, {"forward_min_mw": 5.0, "pooling": 1.0}, 4.4 * 8),  # only a pool can bring it there
        ({"lock_frac": 0.5}, {"lfm_need_h3": 2.0, "lfm_limit_h3": 160.0}, 32 - 0.5 * 2 * (160 - 50 - 10)),
        ({"lock_frac": 0.5}, {"lfm_need_h4": -2.0, "lfm_limit_h4": 160.0}, 32.0),  # a need in the other direction
        ({"lock_frac": 0.5}, {"lfm_need_h5": 2.0, "lfm_limit_h5": 160.0}, 32.0),  # its gate comes after delivery
        ({"effort_eur_per_block": 3.0}, {}, 29.0),
        ({"recent_weight_frac": 0.0, "chance_frac": 0.1, "margin_eur_per_mwh": 20.0}, {}, 4 * (2 - 0.8)),
        ({"recent_weight_frac": 0.5, "chance_frac": 0.1, "margin_eur_per_mwh": 20.0}, {}, 4 * (6 - 0.175 * 8)),
    ],
)
def test_gain_by_hand(terms: dict[str, float], more: dict[str, Any], gain: float) -> None:
    values = {"recent_weight_frac": 1.0, "own_bid_frac": 0.0, "lock_frac": 0.0} | terms
    found = forwarding_gain_eur(seen(**more), GainTerms(**values))
    assert found[0].tolist() == pytest.approx([gain, -values.get("effort_eur_per_block", 0.0)], rel=1e-5)
    policy = BreakEven(GainTerms(**values))
    assert policy.decide(seen(**more), np.ones(1, bool), None)[0][0].tolist() == [float(gain > 0), 0.0]


def test_the_gain_of_down_bids_mirrors_that_of_up_bids() -> None:
    down: dict[str, Any] = {f"mfrr_up_price_lag{k}": 0.0 for k in range(4)} | {"mfrr_dn_price_lag0": 0.0, "cost_dn": 10.0}
    down |= {"feasible_up_lfm_mw": 0.0, "feasible_dn_lfm_mw": 4.4}
    assert forwarding_gain_eur(seen(**down), ONLY_FEE)[0].tolist() == pytest.approx([0.0, 32.0])


def test_stated_numbers_are_checked() -> None:
    with pytest.raises(StackingError) as caught:
        GainTerms(chance_frac=1.5)
    assert caught.value.key == "chance_frac"


# ---- draws -----------------------------------------------------------------------------------------------------------
def test_logit_consents_with_its_probability_and_keeps_its_choice() -> None:
    scale = 32.0 / math.log(3.0)  # 1 / (1 + exp(-ln 3)) = 3/4
    n, seeds, asked = 4000, row_seeds(4000, 1), np.ones(4000, bool)
    free, sticky = (Logit(scale, inertia, ONLY_FEE) for inertia in (0.0, 0.8))
    for policy, switches in ((free, 2 * 0.75 * 0.25), (sticky, 0.2 * 2 * 0.75 * 0.25)):
        state, found = policy.start(seeds), []
        for hours in range(100, 80, -1):
            choice, state = policy.decide(seen(n, hours_to_end=hours), asked, state)
            found.append(choice[:, 0])
        assert np.mean(found) == pytest.approx(0.75, abs=0.015)
        assert np.abs(np.diff(found, axis=0)).mean() == pytest.approx(switches, abs=0.01)


def test_a_row_decides_the_same_alone_and_beside_rows_that_are_asked_at_other_times() -> None:
    policy, seeds = Logit(10.0, 0.7, ONLY_FEE), row_seeds(3, 2)
    together, alone = policy.start(seeds), policy.start(seeds[1:2])
    for tick in range(400):
        hours = 200.0 - tick / 4
        choice, together = policy.decide(seen(3, hours_to_end=hours), np.array([True, tick % 4 == 0, False]), together)
        if tick % 4 == 0:
            own, alone = policy.decide(seen(1, hours_to_end=hours), np.ones(1, bool), alone)
            assert own[0].tolist() == choice[1].tolist()
    assert np.isnan(together.last[2]).all()


def test_a_share_of_fsps_is_drawn_once_and_nested() -> None:
    seeds = row_seeds(2000, 3)
    few, many = RandomFsps(0.3), RandomFsps(0.6)
    a, b = few.start(seeds), many.start(seeds)
    assert a.mean() == pytest.approx(0.3, abs=0.03)
    assert (b >= a).all()
    for hours in (90.0, 50.0):
        assert np.array_equal(few.decide(seen(2000, hours_to_end=hours), np.ones(2000, bool), a)[0], np.stack([a, a], axis=1))


def test_two_policies_answer_one_direction_each() -> None:
    policy, seeds, asked = parse_consent("random:0.5/never"), row_seeds(300, 4), np.ones(300, bool)
    assert policy is not None
    plain = parse_consent("random:0.5")
    assert plain is not None
    choice, state = policy.decide(seen(300), asked, policy.start(seeds))
    alone, _ = plain.decide(seen(300), asked, plain.start(seeds))
    assert choice[:, 0].tobytes() == alone[:, 0].tobytes()
    assert 100 < choice[:, 0].sum() < 200
    assert not choice[:, 1].any()
    assert 100 < (alone[:, 0] != alone[:, 1]).sum() < 200  # each direction has its own draw
    assert policy.decide(seen(300), asked, state)[0].tobytes() == choice.tobytes()


@pytest.mark.parametrize(
    "text", ["always/never", "own", "always", "never", "random:0.5", "random_fsps:0.5", "break_even", "logit", "logit:2"]
)
def test_policies_by_name(text: str) -> None:
    policy = parse_consent(text)
    assert policy is None or policy.name == {"logit": "logit:1"}.get(text, text)


@pytest.mark.parametrize(
    "text",
    ["bandit", "best_response", "imitation:0.3", "logit:0", "random_fsps:2", "break_even:1", "own/never", "always/", "a/b/c"],
)
def test_what_has_no_meaning_within_an_episode_is_refused(text: str) -> None:
    with pytest.raises(StackingError) as caught:
        parse_consent(text)
    assert caught.value.key == "consent"


# ---- wrappers --------------------------------------------------------------------------------------------------------
class Noise:
    """Wishes drawn numbers in every column, different each tick."""

    name = "noise"

    def start(self, n, seed):
        return row_seeds(n, seed), 0

    def act(self, observation, mask, state):
        seeds, k = state
        action = closed_action(len(observation))
        for column in range(at.ACTIONS_W):
            action[:, column] = uniform(seeds, np.full(len(seeds), 100 * k + column, np.uint64))
        return action, (seeds, k + 1)


BOTH = [at.CONSENT_UP, at.CONSENT_DN]
BALANCING = [at.MFRR_SHARE_UP, at.MFRR_SHARE_DN]


def chosen(strategy: Any, choice: FspChoice) -> WithChoices:
    """Return a strategy that always consents, under one choice."""
    return WithChoices(with_consent(strategy, "always"), (choice,))


@pytest.mark.parametrize(
    ("wrap", "changed"),
    [
        *((lambda s, t=t: with_consent(s, t), BOTH) for t in ("always", "never", "random:0.5", "break_even", "logit")),
        (lambda s: chosen(s, FspChoice.CONSENT), [*BOTH, *BALANCING]),
        (lambda s: chosen(s, FspChoice.BID_ITSELF), BOTH),
        (lambda s: chosen(s, FspChoice.BOTH), BOTH),
        (lambda s: chosen(s, FspChoice.LOCAL_ONLY), [*BOTH, *BALANCING]),
        (lambda s: chosen(s, FspChoice.LEAVE), [*BOTH, at.LFM_SHARE_UP, at.LFM_SHARE_DN, *BALANCING]),
    ],
)
def test_a_wrapper_changes_no_byte_of_other_columns_or_closed_ones(wrap, changed: list[int]) -> None:
    plain, wrapped = Noise(), wrap(Noise())
    mask = open_mask(5)
    mask[0] = False
    mine, theirs = wrapped.start(5, 1), plain.start(5, 1)
    for _ in range(3):
        action, mine = wrapped.act(seen(5), mask, mine)
        wish, theirs = plain.act(seen(5), mask, theirs)
        assert np.delete(action, changed, 1).tobytes() == np.delete(wish, changed, 1).tobytes()
        assert action[0].tobytes() == wish[0].tobytes()
        assert not np.array_equal(action[1:, at.CONSENTS], wish[1:, at.CONSENTS])
        if len(changed) > 2:
            assert (action[1:, changed[2:]] == 0.0).all()
            assert (wish[1:, changed[2:]] > 0.0).all()


def test_a_policy_changes_no_draw_of_the_strategy_in_a_population() -> None:
    found = []
    for consent in ("own", "always", ["random:0.5", "never"]):
        population = Population({"noise": Noise()}, ["noise", "noise"], portfolio_names=["a", "b"], consent=consent)
        population.start(["w"])
        found.append(population.act(seen(2)[None], open_mask(2)[None])[0])
    for other in found[1:]:
        assert np.delete(other, at.CONSENTS, 1).tobytes() == np.delete(found[0], at.CONSENTS, 1).tobytes()
    assert found[1][:, at.CONSENTS].tolist() == [[1.0, 1.0]] * 2
    assert found[2][1, at.CONSENTS].tolist() == [0.0, 0.0]
    assert population.assignment == ("noise[random:0.5]", "noise[never]")
    with pytest.raises(StackingError):
        Population({"noise": Noise()}, ["noise", "noise"], consent=["always"])


def test_wrapped_strategies_keep_the_name_of_the_seed() -> None:
    inner = with_consent(make_strategy("stacked"), "always")
    assert isinstance(inner, WithConsent)
    assert WithChoices(inner, (FspChoice.LEAVE,)).seed_name == inner.seed_name == "stacked"
    assert WithChoices(inner, (FspChoice.LEAVE,)).name == "stacked[always][leave]"


def test_one_call_decides_for_fsps_of_all_choices_as_for_each_alone() -> None:
    choices = tuple(FspChoice)
    inner, mask = with_consent(Noise(), "always"), open_mask(2 * len(choices))
    together = WithChoices(inner, choices)
    seeds = np.arange(2 * len(choices), dtype=np.int64)
    state = together.start(len(seeds), seeds)
    action, _ = together.act(seen(len(seeds)), mask, state)
    for k, choice in enumerate(choices):
        alone = WithChoices(inner, (choice,))
        rows = [k, k + len(choices)]
        own, _ = alone.act(seen(2), mask[rows], alone.start(2, seeds[rows]))
        assert own.tobytes() == action[rows].tobytes(), choice
    with pytest.raises(StackingError):
        together.start(7, seeds[:7])


# ---- costs -----------------------------------------------------------------------------------------------------------
def test_costs_have_sources_and_bands_scale_only_what_is_assumed() -> None:
    assert {c.choice for c in COSTS} == {FspChoice.CONSENT, FspChoice.BID_ITSELF}
    assert all(c.assumed or "https://" in c.source for c in COSTS)
    assert yearly_eur(FspChoice.CONSENT) == 150.0
    assert yearly_eur(FspChoice.LEAVE) == yearly_eur(FspChoice.LOCAL_ONLY) == 0.0
    assert yearly_eur(FspChoice.BOTH) == yearly_eur(FspChoice.CONSENT) + yearly_eur(FspChoice.BID_ITSELF)
    known = sum(c.eur_per_year for c in COSTS if not c.assumed)
    own = yearly_eur(FspChoice.BID_ITSELF)
    assert known > 0.0
    assert yearly_eur(FspChoice.BID_ITSELF, scaled(1.2)) == pytest.approx(known + 1.2 * (own - known))
    with pytest.raises(StackingError):
        Cost("x", FspChoice.LEAVE, -1.0, "assumed")


# ---- populations -----------------------------------------------------------------------------------------------------
OWN_FILE = """base = "mixed"
title = "Half of them consent"
[strategy]
consent_weight = { value = { always = 0.5, never = 0.5 }, unit = "weight of FSPs", origin = "assumed" }
"""


def test_a_population_file_draws_consent_per_fsp(tmp_path) -> None:
    file = tmp_path / "half.toml"
    file.write_text(OWN_FILE)
    names = [f"fsp {k}" for k in range(400)]
    drawn = draw_consents(names, file, seed=1)
    assert set(drawn) == {"always", "never"}
    assert drawn.count("always") == pytest.approx(200, abs=40)
    assert draw_consents(names[7:9], file, seed=1) == drawn[7:9]
    assert draw_consents(names, file, seed=2) != drawn
    assert set(draw_consents(names, "mixed")) == {"own"}
    file.with_name("odd.toml").write_text(OWN_FILE.replace("never", "bandit"))
    with pytest.raises(StackingError) as caught:
        draw_consents(names, file.with_name("odd.toml"))
    assert (caught.value.value, "odd.toml" in caught.value.place) == ("bandit", True)
    chosen = players.chosen_players(Request(population=f"{file}:20"))
    mixed = players.mixed_strategies(chosen, make_strategy)
    assert all(label.endswith(("[always]", "[never]")) for label in mixed.assignment)
    forced = players.mixed_strategies(chosen, lambda name: with_consent(make_strategy(name), "never"))
    assert not any(label.endswith("]") for label in forced.assignment)
