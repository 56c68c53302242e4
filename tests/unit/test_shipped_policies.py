"""The policies that are shipped: small, of this layout, without paths, and better than what they were advised by."""

from __future__ import annotations

import pytest

from stacking.agents.strategies import values_of
from stacking.envs.learned import Learned, adviser_of, named_strategy
from stacking.envs.policy import load_policy, policy_path, shipped_policies
from stacking.experiments.inputs import scenarios
from stacking.experiments.players import chosen_players
from stacking.experiments.request import Request
from stacking.experiments.runner import Contest, run

SHIPPED = ("ppo_norflex_eam", "ppo_parallel_adjusted")


def test_two_designs_have_one() -> None:
    assert shipped_policies() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_it_is_small_and_says_how_it_was_made(name: str) -> None:
    path = policy_path(name)
    assert path is not None
    assert path.stat().st_size < 1_000_000
    card = load_policy(path).card
    assert card.name == name
    assert card.made_by.startswith("stacking ")
    assert "/tmp" not in card.model_dump_json()
    assert card.validation["gain_low_eur"] > 0.0


@pytest.mark.parametrize("name", SHIPPED)
def test_its_card_says_all_that_its_adviser_does(name: str) -> None:
    path = policy_path(name)
    assert path is not None
    card = load_policy(path).card
    assert values_of(adviser_of(card.advice or "", card.advice_parameters)) == card.advice_parameters
    assert card.steer_eur_per_mwh > 0.0


@pytest.mark.parametrize("name", SHIPPED)
def test_it_earns_more_than_its_adviser_on_validation_weeks(name: str) -> None:
    taught = named_strategy(name)
    assert isinstance(taught, Learned)
    card = taught.policy.card
    adviser = adviser_of(card.advice or "", card.advice_parameters)
    request = Request(portfolio="battery", split="validation", seeds=24, days=7)
    players = chosen_players(request)
    from stacking.catalogue import load_design

    contest = Contest((load_design(name.removeprefix("ppo_")),), {"taught": taught, "adviser": adviser}, players.portfolios,
                      scenarios(request, "validation", players, 24))  # fmt: skip
    earned = run(contest).episodes.groupby("strategy")["flex_eur"].mean()
    assert earned["taught"] > 1.01 * earned["adviser"] > 0.0
