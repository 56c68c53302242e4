"""Random problems of joint procurement, their clearing by the kernel, by a linear program, and proofs of optimality."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy.optimize import linprog

from stacking.build import build
from stacking.markets import joint as j
from stacking.markets.cost_split import clear_and_split

EPS = 1e-7
INF = float("inf")


@dataclass
class Problem:
    """Bids, areas and reference price of one delivery period."""

    bids: np.ndarray
    areas: np.ndarray
    reference: float = 45.0

    @cached_property
    def parent(self) -> list[int]:
        return [int(p) for p in self.areas[:, j.PARENT]]

    @property
    def root(self) -> int:
        return len(self.areas) - 1

    @cached_property
    def below(self) -> np.ndarray:
        """Return the MW that one accepted MW of each bid adds to S of each area, (area, bid)."""
        units = [self.net_of(unit) for unit in np.eye(len(self.bids))]
        return np.stack(units, axis=1) if units else np.zeros((len(self.areas), 0))

    @property
    def unit_cost(self) -> np.ndarray:
        """Return what a MW of each bid costs, EUR/MWh: up is paid for, down pays back."""
        return self.bids[:, j.BID_SIGN] * self.bids[:, j.BID_EUR_PER_MWH]

    def net_of(self, accepted: np.ndarray) -> np.ndarray:
        """Return S_a from the definition: for each bid, every area on its path."""
        net = np.zeros(len(self.areas))
        for bid, mw in zip(self.bids, accepted, strict=True):
            a = int(bid[j.BID_AREA])
            while a >= 0:
                net[a] += bid[j.BID_SIGN] * mw
                a = self.parent[a]
        return net

    def bid_cost(self, accepted: np.ndarray) -> float:
        return float((self.unit_cost * accepted).sum())

    def penalties(self, net: np.ndarray) -> float:
        short = np.maximum(self.areas[:, j.LOWER_MW] - net, 0.0)
        surplus = np.maximum(net - self.areas[:, j.UPPER_MW], 0.0)
        return float(short @ self.areas[:, j.SHORTFALL_EUR_PER_MWH] + surplus @ self.areas[:, j.SURPLUS_EUR_PER_MWH])

    def cost_of(self, accepted: np.ndarray) -> float:
        """Return the cost of any acceptance from the definition, EUR/h."""
        return self.bid_cost(accepted) + self.penalties(self.net_of(accepted))


@dataclass
class Cleared:
    """What the kernel wrote."""

    cost: float
    accepted: np.ndarray
    areas: np.ndarray

    @property
    def price(self) -> np.ndarray:
        return self.areas[:, j.PRICE_EUR_PER_MWH]


def area(parent: int, lower: float = -INF, upper: float = INF, short: float = 3000.0, surplus: float = 3000.0) -> list[float]:
    return [parent, lower, upper, short, surplus]


def problem(areas: list[list[float]], bids: list[tuple[int, int, float, float]], reference: float = 45.0) -> Problem:
    """Build a problem; bids are (area, sign, EUR/MWh, MW), their row is their priority."""
    table = np.full((len(areas), j.AREAS_W), np.nan)
    table[:, :5] = areas
    offers = np.full((len(bids), j.BIDS_W), np.nan)
    for row, bid in enumerate(bids):
        offers[row, :5] = [*bid, row]
    return Problem(offers, table, reference)


kernel = cache(build)  # naming a build takes longer than clearing


def clear(case: Problem, backend: str = "serial") -> Cleared:
    """Clear by the kernel."""
    cost, accepted, areas = clear_many(case.bids.copy()[None], case.areas.copy()[None], case.reference, backend)
    return Cleared(float(cost[0]), accepted[0], areas[0])


def clear_many(
    bids: np.ndarray, areas: np.ndarray, reference: float, backend: str = "serial"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clear (world, bid, BIDS_W) and (world, area, AREAS_W); return costs, accepted MW and the areas, which are written.

    Memory and results are filled with rubbish before.
    """
    worlds, many, deep = len(bids), bids.shape[1], areas.shape[1]
    bids[..., j.BID_ACCEPTED_MW], areas[..., j.NET_MW :] = -77.0, np.nan
    rows, cost = j.pieces_needed(many, deep), np.full(worlds, np.nan)
    pieces, links = np.full((worlds, j.PIECES_W, rows), np.nan), np.full((worlds, j.LINKS_W, rows), 9999)
    lists, count = np.full((worlds, deep, j.LISTS_W), 9999), np.full(worlds, many)
    kernel(clear_and_split, backend)(bids, count, areas, np.full(worlds, reference), pieces, links, lists, cost)
    return cost, bids[..., j.BID_ACCEPTED_MW], areas


def least_cost(case: Problem) -> float:
    """Return the least cost by HiGHS: bids, shortfalls and surpluses are variables, each area two rows of a dense matrix."""
    below, k = case.below, len(case.areas)
    lower, upper = case.areas[:, j.LOWER_MW], case.areas[:, j.UPPER_MW]
    matrix = np.vstack([np.hstack([-below, -np.eye(k), 0 * np.eye(k)]), np.hstack([below, 0 * np.eye(k), -np.eye(k)])])
    right = np.concatenate([-lower, upper])
    keep = np.isfinite(right)
    cost = np.concatenate([case.unit_cost, case.areas[:, j.SHORTFALL_EUR_PER_MWH], case.areas[:, j.SURPLUS_EUR_PER_MWH]])
    bounds = [(0.0, q) for q in case.bids[:, j.BID_MW]] + [(0.0, None)] * (2 * k)
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    found = linprog(cost, matrix[keep], right[keep], bounds=bounds, method="highs", options=tight)
    assert found.status == 0, found.message
    return float(found.fun)


def check_feasible(case: Problem, got: Cleared) -> None:
    """Compare all that the kernel says about quantities and money with the definitions."""
    assert (got.accepted >= 0.0).all()
    assert (got.accepted <= case.bids[:, j.BID_MW]).all()
    net, table = case.net_of(got.accepted), got.areas
    np.testing.assert_allclose(table[:, j.NET_MW], net, atol=EPS)
    np.testing.assert_allclose(table[:, j.SHORTFALL_MW], np.maximum(case.areas[:, j.LOWER_MW] - net, 0.0), atol=EPS)
    np.testing.assert_allclose(table[:, j.SURPLUS_MW], np.maximum(net - case.areas[:, j.UPPER_MW], 0.0), atol=EPS)
    assert abs(got.cost - case.cost_of(got.accepted)) <= EPS * max(1.0, abs(got.cost))
    shares = table[:, j.COST_EUR_PER_H]
    assert abs(shares.sum() - case.bid_cost(got.accepted)) <= EPS * max(1.0, np.abs(shares).sum())
    assert (shares[:-1] >= 0.0).all()


def check_prices(case: Problem, got: Cleared) -> None:
    """Check complementary slackness of bids and limits, and that the dual objective is the cost: a proof of optimality."""
    scale = EPS * max(1.0, float(np.abs(got.price).max()))
    dual = 0.0
    for bid, mw in zip(case.bids, got.accepted, strict=True):
        gain = bid[j.BID_SIGN] * (got.price[int(bid[j.BID_AREA])] - bid[j.BID_EUR_PER_MWH])
        assert mw <= EPS or gain >= -scale
        assert mw >= bid[j.BID_MW] - EPS or gain <= scale
        dual -= max(gain, 0.0) * bid[j.BID_MW]
    for a, row in enumerate(got.areas):
        premium = got.price[a] - (got.price[case.parent[a]] if a != case.root else 0.0)
        assert -row[j.SURPLUS_EUR_PER_MWH] - scale <= premium <= row[j.SHORTFALL_EUR_PER_MWH] + scale
        assert premium <= scale or row[j.NET_MW] <= row[j.LOWER_MW] + EPS
        assert premium >= -scale or row[j.NET_MW] >= row[j.UPPER_MW] - EPS
        assert row[j.SHORTFALL_MW] <= EPS or premium >= row[j.SHORTFALL_EUR_PER_MWH] - scale or crossed(row)
        assert row[j.SURPLUS_MW] <= EPS or premium <= scale - row[j.SURPLUS_EUR_PER_MWH] or crossed(row)
        dual += support(row, premium)
    assert abs(dual - got.cost) <= EPS * max(1.0, abs(got.cost), float(np.abs(got.price).max()))


def crossed(row: np.ndarray) -> bool:
    """Return whether an area's need lies beyond its limit, so that both penalties can be due at once."""
    return bool(row[j.LOWER_MW] > row[j.UPPER_MW])


def support(row: np.ndarray, premium: float) -> float:
    """Return the least of penalties + premium x S over S: attained at a limit; without any, the premium is 0."""
    ends = np.array([s for s in (row[j.LOWER_MW], row[j.UPPER_MW]) if np.isfinite(s)] or [0.0])
    short = np.maximum(row[j.LOWER_MW] - ends, 0.0) * row[j.SHORTFALL_EUR_PER_MWH]
    surplus = np.maximum(ends - row[j.UPPER_MW], 0.0) * row[j.SURPLUS_EUR_PER_MWH]
    return float((short + surplus + premium * ends).min())


def random_problem(seed: int) -> Problem:
    """Draw 1 to 20 areas in chains, stars or mixed trees, with 0 to 40 bids, needs, limits and penalties of many sizes."""
    random = np.random.default_rng(seed)
    many, whole = int(random.integers(1, 21)), random.random() < 0.5
    shape = random.choice(["chain", "star", "mixed"])
    parents = [
        a + 1 if shape == "chain" else many - 1 if shape == "star" else int(random.integers(a + 1, many)) for a in range(many - 1)
    ]
    areas = [random_area(random, p, whole) for p in parents]
    need = random.uniform(-30.0, 30.0)
    need = float(round(need)) if whole else need
    areas.append(area(-1, need, need, *random.choice([60.0, 300.0, 3000.0], 2)))
    if random.random() < 0.1:
        areas[-1][1:3] = [-INF, INF]
    return Problem(random_bids(random, many, whole), problem(areas, []).areas, float(random.uniform(-20.0, 90.0)))


def random_area(random: np.random.Generator, parent: int, whole: bool) -> list[float]:
    """Draw an area without limit, with an up need, a down need, a connection limit, nothing allowed, a band or crossed limits."""
    mw, other = random.uniform(0.0, 8.0, 2)
    mw, other = (float(round(mw)), float(round(other))) if whole else (mw, other)
    kinds = {
        "none": (0.25, -INF, INF),
        "up": (0.15, mw, INF),
        "down": (0.15, -INF, -mw),
        "limit": (0.15, -mw, other),
        "up and limit": (0.1, mw, mw + other),
        "closed": (0.05, 0.0, 0.0),
        "export": (0.1, -INF, mw),
        "crossed": (0.05, mw, mw - other),
    }
    _, lower, upper = kinds[random.choice(list(kinds), p=[share for share, _, _ in kinds.values()])]
    short, surplus = random.choice([0.0, 10.0, 60.0, 300.0, 3000.0], 2, p=[0.05, 0.2, 0.2, 0.2, 0.35])
    return area(parent, lower, upper, float(short), float(surplus))


def random_bids(random: np.random.Generator, areas: int, whole: bool) -> np.ndarray:
    """Draw bids of both directions, some at negative prices, some of no size; whole numbers make ties."""
    count = int(random.integers(0, 41))
    bids = np.zeros((count, j.BIDS_W))
    bids[:, j.BID_AREA] = random.integers(0, areas, count)
    bids[:, j.BID_SIGN] = random.choice([-1.0, 1.0], count)
    bids[:, j.BID_EUR_PER_MWH] = random.normal(45.0, 5.0, count) + bids[:, j.BID_SIGN] * random.normal(20.0, 40.0, count)
    bids[:, j.BID_MW] = np.where(random.random(count) < 0.05, 0.0, random.uniform(0.05, 10.0, count))
    if whole:
        bids[:, j.BID_EUR_PER_MWH] = np.round(bids[:, j.BID_EUR_PER_MWH], -1)
        bids[:, j.BID_MW] = np.round(bids[:, j.BID_MW])
    bids[:, j.BID_PRIORITY] = random.permutation(count)
    return bids
