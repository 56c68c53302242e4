"""One delivery period: joint procurement <= forwarding with a grid check <= no forwarding, and joint <= TSO first.

The DSOs buy first, in one optimisation of their own needs from the bids in their areas. Then the TSO buys at least cost, and no
area may move further beyond its limits than the DSOs left it (the check). With forwarding off it has the bids at the root alone.
All are priced by one definition: bids as bid, shortfalls and surpluses at their penalties.

The ordering needs, and each is dropped in `tests/golden/test_order_conditions.py`:

- one delivery period whose bids do not depend on what was called before (no state of assets);
- identical bids in all schemes: nobody reprices and, with forwarding off, nobody offers again;
- identical granularity and divisibility; identical limits; identical netting of directions and between operators;
- each stage solved to optimality. For joint <= forwarding it is joint procurement that must be optimal: any set that a sequence
  of stages ends with is one that it could have picked. For forwarding <= off it is the TSO's stage, which has more bids with
  forwarding than without;
- a check of the whole accepted set, so that the bids that the TSO adds cannot cost more in penalties of areas than they save;
- one and the same DSO stage with and without forwarding (what it optimises does not matter);
- cost, not payments: bids at their prices in one sign convention, plus shortfalls and surpluses at their penalties.

Where nothing sets the schemes apart they cost the same, so what a strict inequality is due to can be told: it must vanish
where its cause is taken away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stacking.markets import joint as j

from ..joint_toy import INF, Problem, area, problem, random_bids
from ..schemes import cost_tso_first, costs, dso_stage, least_cost_with_whole, uncut

CASES = 1500
MORE_THAN_ANY_BID = 500.0  # EUR/MWh
MORE_THAN_ALL_NEEDS = 5000.0  # EUR/MWh: no limit is worth exceeding, however many needs a MW serves
Costs = tuple[float, float, float]


def drawn(
    seed: int, *, dear: bool, tso: float = 0.0, limits: bool = False, one_way: bool = False, most: int = 40
) -> Problem:  # fmt: skip
    """Draw needs of DSOs, all up or all down, a need of the TSO and bids everywhere.

    Args:
        seed: of everything; what the other arguments change leaves the rest as it is.
        dear: the DSOs' needs are worth more to them than any bid costs; otherwise 40 to 200 EUR/MWh beyond the reference.
        tso: direction of the TSO's need relative to the DSOs', 0: either.
        limits: areas have a limit 0 to 2 MW beyond their need.
        one_way: all bids are in the direction of the DSOs' needs, otherwise half of them.
        most: largest number of bids.
    """
    random = np.random.default_rng(seed)
    many, towards, turn = int(random.integers(2, 9)), float(random.choice([-1.0, 1.0])), float(random.choice([-1.0, 1.0]))
    areas = []
    for a in range(many - 1):
        needed, (mw, room, worth) = random.random() < 0.6, random.uniform([0.5, 0.0, 40.0], [6.0, 2.0, 200.0])
        need, limit = (mw if needed else -INF), ((mw if needed else 0.0) + room if limits else INF)
        worth = MORE_THAN_ANY_BID if dear else worth
        sides = (need, limit, worth, MORE_THAN_ALL_NEEDS) if towards > 0.0 else (-limit, -need, MORE_THAN_ALL_NEEDS, worth)
        areas.append(area(int(random.integers(a + 1, many)), *sides))
    need = towards * (tso or turn) * random.uniform(0.0, 20.0)
    areas.append(area(-1, need, need, *random.uniform(60.0, 300.0, 2)))
    bids = random_bids(random, many, whole=False)[:most]
    if one_way:
        bids[:, j.BID_SIGN] = towards
    return replace(problem(areas, []), bids=bids)


def whole(seed: int) -> tuple[Problem, np.ndarray]:
    """Draw at most eight bids, of which two of three cannot be cut."""
    case = drawn(seed, dear=True, most=8)
    return case, np.random.default_rng([seed, 1]).random(len(case.bids)) < 2 / 3


def costs_of_whole(seed: int) -> Costs:
    case, marked = whole(seed)
    return costs(case, uncut(marked))


CAUSES: dict[str, tuple[Callable[[int], Costs], Callable[[int], Costs], int]] = {
    "TSO need on the same path": (
        lambda seed: costs(drawn(seed, dear=False, tso=1.0)),
        lambda seed: costs(drawn(seed, dear=True, tso=1.0)),
        60,
    ),
    "mixed directions": (
        lambda seed: costs(drawn(seed, dear=False, tso=-1.0)),
        lambda seed: costs(drawn(seed, dear=False, tso=1.0)),
        250,
    ),
    "limits": (
        lambda seed: costs(drawn(seed, dear=False, tso=1.0, one_way=True, limits=True)),
        lambda seed: costs(drawn(seed, dear=False, tso=1.0, one_way=True)),
        40,
    ),
    "indivisibility": (costs_of_whole, lambda seed: costs(whole(seed)[0]), 80),
}
"""What sets joint procurement and forwarding apart: costs with the cause, costs without it, least number of strict cases.

- TSO need on the same path: a bid is dearer than it is worth to either operator, and cheaper than it is worth to both.
- mixed directions: a DSO buys what is worth it to itself, and the TSO has to buy the opposite energy for more than was gained.
- limits: what a DSO calls for a need takes room below a limit from a bid that would cost less for all needs together.
- indivisibility: the DSO takes the cheapest bid that is large enough for its own need, and not one that serves both.

`tests/golden/test_order_conditions.py` has one of each solved by hand.
"""


def less(a: float, b: float) -> bool:
    return a < b - 1e-6 * max(1.0, abs(a), abs(b))


@pytest.mark.parametrize("cause", CAUSES)
def test_joint_costs_at_most_forwarding_and_that_at_most_none(cause: str):
    strict: Counter[str] = Counter()
    with_it, without, enough = CAUSES[cause]
    for seed in range(CASES):
        joint, checked, off = with_it(seed)
        assert not less(checked, joint), (seed, joint, checked)
        assert not less(off, checked), (seed, checked, off)
        strict["checked < off"] += less(checked, off)
        if less(joint, checked):
            cured, sequence, _ = without(seed)
            strict["joint < checked by the cause"] += not less(cured, sequence)
    assert strict["joint < checked by the cause"] >= enough, strict
    assert strict["checked < off"] >= 500, strict


@pytest.mark.parametrize("limits", [False, True])
def test_where_nothing_sets_them_apart_joint_and_forwarding_cost_the_same(limits: bool):
    """The DSOs' needs are all in one direction and worth more than any bid, and bids can be cut.

    Then the DSOs buy the cheapest MW without which some need is not met. Whatever the TSO needs, a cheapest set for all needs
    holds these MW, and the TSO adds the rest. With limits this is so while no bid in the other direction makes room.
    """
    bought = 0
    for seed in range(CASES):
        case = drawn(seed, dear=True, limits=limits, one_way=limits)
        joint, checked, _ = costs(case)
        assert abs(joint - checked) <= 1e-6 * max(1.0, abs(joint)), (seed, joint, checked)
        bought += bool(dso_stage(case, np.zeros(len(case.bids))).any())
    assert bought >= 1000


def test_joint_costs_at_most_what_the_tso_first_costs():
    """Where DSO first costs the same as joint procurement, TSO first costs more: it buys elsewhere what must be bought below.

    In general neither sequence is always the cheaper one.
    """
    strict: Counter[str] = Counter()
    for seed in range(CASES):
        for dear in (True, False):
            case = drawn(seed, dear=dear)
            (joint, dso_first, _), tso_first = costs(case), cost_tso_first(case)
            assert not less(tso_first, joint), (seed, dear, joint, tso_first)
            strict[f"joint < TSO first, dear = {dear}"] += less(joint, tso_first)
            strict[f"TSO first < DSO first, dear = {dear}"] += less(tso_first, dso_first)
            strict[f"DSO first < TSO first, dear = {dear}"] += less(dso_first, tso_first)
    assert strict["joint < TSO first, dear = True"] >= 500, strict
    assert strict["TSO first < DSO first, dear = True"] == 0, strict
    assert strict["TSO first < DSO first, dear = False"] >= 10, strict
    assert strict["DSO first < TSO first, dear = False"] >= 500, strict


def test_every_set_of_whole_bids_is_looked_at():
    """The least cost with bids that cannot be cut is that of a mixed-integer program; whole bids are whole or not there."""
    taken = 0
    for seed in range(200):
        case, marked = whole(seed)
        accepted = uncut(marked)(case)
        least = least_cost_with_whole(case, marked)
        assert abs(case.cost_of(accepted) - least) <= 1e-6 * max(1.0, abs(least)), seed
        share = accepted[marked] / np.maximum(case.bids[marked, j.BID_MW], 1e-9)
        assert np.isin(share, [0.0, 1.0]).all()
        taken += int((share == 1.0).sum())
    assert taken >= 100
