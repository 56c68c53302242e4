"""Weekly learners of consent: bandits, best responses and imitation, solved by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stacking.agents.consent import Bandit, BestResponse, Imitation, WeekRevenue, parse_weekly
from stacking.agents.neighbours import neighbour_graph
from stacking.agents.seeds import row_seeds
from stacking.errors import StackingError


def week(earned: list[float], other: list[float] | None = None, rated: list[float] | None = None) -> WeekRevenue:
    return WeekRevenue(np.array(earned), np.array(rated or [1.0] * len(earned)), None if other is None else np.array(other))


@pytest.mark.parametrize(("policy", "wrong_frac"), [(Bandit(explore_frac=0.0), 0.0), (Bandit(explore_frac=0.2), 0.1)])
def test_a_bandit_tries_both_and_keeps_what_pays(policy: Bandit, wrong_frac: float) -> None:
    n = 500
    pays = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)  # consent pays for even rows only
    state, found = policy.start(row_seeds(n, 4)), []
    assert 0.4 < state.choice.mean() < 0.6
    for k in range(40):
        found.append(state.choice)
        state = policy.after_week(state, week((10.0 + state.choice * pays).tolist()))
        if k == 1:
            assert (np.array(found).sum(axis=0) == 1).all()  # both arms once
    right = np.array(found[2:]) == (pays > 0)
    assert 1.0 - right.mean() == pytest.approx(wrong_frac, abs=0.01)
    assert np.allclose(state.mean_eur[:, 0], 10.0)
    assert np.allclose(state.mean_eur[:, 1], 10.0 + pays)


def test_ucb_returns_to_the_worse_arm_ever_more_rarely() -> None:
    policy = Bandit("ucb", 1.0)
    state, found = policy.start(row_seeds(1, 5)), []
    for _ in range(300):
        found.append(int(state.choice[0]))
        state = policy.after_week(state, week([float(state.choice[0])]))
    assert found.count(0) > 3
    assert found[:150].count(0) > found[150:].count(0)


def test_best_response_switches_where_the_other_choice_earned_more_than_epsilon() -> None:
    policy = BestResponse(epsilon_eur=1.0)
    state = policy.start(row_seeds(4, 6))
    after = policy.after_week(state, week([5.0, 5.0, 5.0, 5.0], [6.5, 6.0, 4.0, 9.0]))
    assert (after.choice != state.choice).tolist() == [True, False, False, True]
    lazy = BestResponse(inertia_frac=1.0)
    assert (lazy.after_week(state, week([0.0] * 4, [9.0] * 4)).choice == state.choice).all()
    with pytest.raises(StackingError):
        policy.after_week(state, week([5.0] * 4))


def test_imitation_copies_the_neighbour_that_earned_most_per_mw() -> None:
    names = ["a", "b", "c", "d"]
    graph = neighbour_graph(names, [0] * 4, within=0, across=0)
    graph.add_edges_from([("a", "b"), ("b", "c")])
    policy = Imitation.on(graph, names, 1.0)
    assert policy.neighbours == ((1,), (0, 2), (1,), ())
    state = policy.start(row_seeds(4, 7))
    state = type(state)(state.seeds, np.array([1, 0, 0, 1]), 0, state.count, state.mean_eur)
    # per MW: a 3, b 1, c 2 (10 EUR for 5 MW), d 0: b copies a, a and c have no better neighbour, d has none
    after = policy.after_week(state, week([3.0, 1.0, 10.0, 0.0], rated=[1.0, 1.0, 5.0, 1.0]))
    assert after.choice.tolist() == [1, 1, 0, 1]
    never = Imitation.on(graph, names, 0.0)
    assert never.after_week(state, week([3.0, 1.0, 10.0, 0.0])).choice.tolist() == [1, 0, 0, 1]
    assert parse_weekly("imitation:0.5", graph, names).name == "imitation:0.5"
    with pytest.raises(StackingError):
        parse_weekly("imitation:0.5")


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Bandit("best"), "rule"),  # type: ignore[arg-type]
        (lambda: Bandit(explore_frac=1.5), "explore_frac"),
        (lambda: Bandit("ucb", float("nan")), "explore_frac"),
        (lambda: BestResponse(epsilon_eur=-1.0), "epsilon_eur"),
        (lambda: BestResponse(inertia_frac=2.0), "inertia_frac"),
        (lambda: Imitation.on(neighbour_graph(["a", "b"], [0, 0]), ["a", "c"]), "neighbours"),
        (lambda: Imitation(((1,), (0,))).after_week(Bandit().start(row_seeds(3, 0)), week([1.0] * 3)), "neighbours"),
        (lambda: week([1.0, 2.0], rated=[1.0]), "shape"),
        (lambda: week([1.0], rated=[0.0]), "shape"),
        (lambda: week([float("nan")]), "earned_eur"),
        (lambda: parse_weekly("bandit:best"), "consent"),
        (lambda: parse_weekly("imitation:2", neighbour_graph(["a"], [0]), ["a"]), "consent"),
    ],
)
def test_bad_input_is_named(make, key: str) -> None:
    with pytest.raises(StackingError) as caught:
        make()
    assert caught.value.key == key
