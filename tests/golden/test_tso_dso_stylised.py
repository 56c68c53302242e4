"""Four coordination schemes of a published stylised system: five TSO buses with DC flow, a DSO feeder with LinDistFlow.

Source: Lind, Cossent, Frias, IJEPES 2024, doi 10.1016/j.ijepes.2024.110155. The linear program here (HiGHS) is independent of the
kernels; the feeder and what the TSO's grid costs beyond it make a tree, on which the kernels are compared with it.

By hand. 710 MW of T3 are for others: 600 for T4, 100 for T2, d into the feeder (10 before anything is called). Let f flow from
T3 to T4 and g from T3 to T2. The two ways from T1 to T4, of 0.0108 and 0.0594 p.u., make 0.0091385. Around the ring

    0.0064 f = 0.0304 g + (0.0281 + 0.0091385) (g - 100 - d)

Undisturbed f > 400. With f = 400: g = 92.903 + 0.55055 d, G3 = f + g - 710, G4 = d - 10 - G3. They cost 50 and 20 EUR a MW in
either direction: 70 x 211.591 = 14 811.373 at d = 10, and 0.55055 x 50 - 0.44945 x 20 = 18.539 more for each MW less. The line
to D1003 carries 6 of the 10 MW needed there: FSP3 +4, 240 EUR.

- DSO first, then the TSO with TSO bids only: d = 6. 14 811.373 + 4 x 18.539 + 240 = 15 125.527.
- The DSO keeps d = 10: FSP1 -2 and FSP2 -2 besides, 20 + 60. 14 811.373 + 320 = 15 131.373.
- All bids for all, and DSO first with the rest forwarded: FSP1 is called besides (10 < 18.539 < 30), d = 8.
  14 811.373 + 2 x 18.539 + 260 = 15 108.450.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from ..joint_toy import Problem, area, problem
from ..schemes import costs, dso_stage

FILES = [folder / "shared" / "cases" / "tso_dso_stylised.json" for folder in Path(__file__).resolve().parents]
FILE = next((file for file in FILES if file.is_file()), None)
pytestmark = pytest.mark.skipif(FILE is None, reason="no shared cases")
Case = dict[str, Any]
Called = dict[tuple[str, float], float]  # (bid, +1 up or -1 down): MW


def published() -> Case:
    assert FILE is not None
    return json.loads(FILE.read_text())


@dataclass
class Rows:
    """Equations and columns of a linear program, grown by name."""

    low: list[float]
    high: list[float]
    cost: list[float]
    equations: list[tuple[dict[int, float], float]]

    def column(self, low: float, high: float, cost: float = 0.0) -> int:
        self.low.append(low)
        self.high.append(high)
        self.cost.append(cost)
        return len(self.cost) - 1

    def equal(self, terms: Mapping[int, float], right: float) -> None:
        self.equations.append((dict(terms), right))

    def solve(self) -> np.ndarray:
        matrix = np.zeros((len(self.equations), len(self.cost)))
        for row, (terms, _) in enumerate(self.equations):
            for column, factor in terms.items():
                matrix[row, column] += factor
        right = [right for _, right in self.equations]
        found = linprog(self.cost, A_eq=matrix, b_eq=right, bounds=list(zip(self.low, self.high, strict=True)), method="highs")
        assert found.status == 0, found.message
        return np.asarray(found.x)


def least(inputs: Case, free: set[str], before: Called | None = None, *, tso: bool = True, keeps: bool = False) -> Called:
    """Return what is called in all, at least cost of what is called now: a MW costs its price in either direction.

    Args:
        inputs: of the case.
        free: bids that can be called now.
        before: what was called before and stands.
        tso: the transmission grid has to hold, not the feeder alone.
        keeps: the flow into the feeder stays what it was before any bid was called.
    """
    rows, base, below, gate = Rows([], [], [], []), inputs["base_mva"], set(inputs["dso_buses"]), inputs["substation"]
    buses = {bus for branch in inputs["branches"] for bus in (branch["from"], branch["to"])}
    active: dict[str, dict[int, float]] = {bus: {} for bus in buses}  # columns that inject or flow in
    reactive: dict[str, dict[int, float]] = {bus: {} for bus in buses}
    called: dict[tuple[str, float], int] = {}
    for bid in inputs["bids"]:
        for sign, most in ((1.0, bid["up_mw"]), (-1.0, bid["down_mw"])):
            key = bid["id"], sign
            stands = (before or {}).get(key, 0.0)
            called[key] = rows.column(stands, most if bid["id"] in free else stands, bid["price_eur_per_mwh"])
            active[bid["bus"]][called[key]] = sign
            reactive[bid["bus"]][called[key]] = 0.3285 * sign
    angle = {bus: rows.column(-1.5, 1.5) for bus in buses - below}
    squared = {bus: rows.column(0.81, 1.21) for bus in below | {gate}}
    rows.equal({angle[inputs["slack"]]: 1.0}, 0.0)
    rows.equal({squared[gate]: 1.0}, 1.0)
    for branch in inputs["branches"]:
        start, end, most = branch["from"], branch["to"], branch["limit_mw"]
        flow = rows.column(-most, most)
        active[start][flow], active[end][flow] = -1.0, 1.0
        if not {start, end} & below:
            rows.equal({angle[start]: base / branch["x_pu"], angle[end]: -base / branch["x_pu"], flow: -1.0}, 0.0)
            continue
        other = rows.column(-np.inf, np.inf)
        reactive[start][other], reactive[end][other] = -1.0, 1.0
        drop = {flow: -2.0 * branch["r_pu"] / base, other: -2.0 * branch["x_pu"] / base}
        rows.equal({squared[start]: 1.0, squared[end]: -1.0, **drop}, 0.0)
        if keeps and gate in (start, end):
            rows.equal({flow: 1.0 if start == gate else -1.0}, sum(inputs["loads"].get(bus, 0.0) for bus in below))
    for bus in sorted(buses if tso else below):
        rows.equal(active[bus], inputs["loads"].get(bus, 0.0) - inputs["dispatch_mw"].get(bus, 0.0))
    for bus in sorted(below):
        rows.equal(reactive[bus], inputs["reactive_loads_mvar"].get(bus, 0.0))
    x = rows.solve()
    return {key: float(x[column]) for key, column in called.items()}


def cost(inputs: Case, called: Called) -> float:
    """Return the cost of what was called, EUR/h."""
    price = {bid["id"]: bid["price_eur_per_mwh"] for bid in inputs["bids"]}
    return sum(price[name] * mw for (name, _), mw in called.items())


def schemes(inputs: Case) -> dict[str, Called]:
    """Return what each scheme calls, and what the DSO calls where it buys first."""
    everything = {bid["id"] for bid in inputs["bids"]}
    feeder = {bid["id"] for bid in inputs["bids"] if bid["bus"] in inputs["dso_buses"]}
    local, keeping = (least(inputs, feeder, tso=False, keeps=keeps) for keeps in (False, True))
    return {
        "local": local,
        "common": least(inputs, everything),
        "local_first_tso_rebalances_with_tso_bids_only": least(inputs, everything - feeder, local),
        "fragmented_interface_fixed": least(inputs, everything - feeder, keeping),
        "local_first_residual_forwarded": least(inputs, everything, local),
    }


def test_the_published_totals() -> None:
    case = published()
    inputs, expected = case["inputs"], dict(case["expected"])
    found = schemes(inputs)
    assert cost(inputs, found.pop("local")) == pytest.approx(expected.pop("dso_local_need_cost_eur"), abs=1e-6)
    value = cost(inputs, found["local_first_tso_rebalances_with_tso_bids_only"]) - 240.0
    value -= cost(inputs, found["fragmented_interface_fixed"]) - 320.0
    assert value / 4.0 == pytest.approx(expected.pop("tso_marginal_value_of_interface_energy"), abs=1e-3)
    for name, called in found.items():
        totals = expected.pop(name)
        assert cost(inputs, called) == pytest.approx(totals.pop("total_eur"), abs=1e-3), name
        for bid, net in totals.items():
            assert called[bid, 1.0] - called[bid, -1.0] == pytest.approx(net, abs=1e-3), (name, bid)
    assert not expected


def transmission(inputs: Case, net_mw: float) -> float:
    """Return what the TSO's bids cost if the feeder takes net_mw less than before, EUR/h: the ring above, solved by hand."""
    x = {(branch["from"], branch["to"]): branch["x_pu"] for branch in inputs["branches"]}
    around = x["T4", "T5"] + x["T5", "T1"]
    back = x["T1", "T2"] + x["T1", "T4"] * around / (x["T1", "T4"] + around)
    f, load = 400.0, inputs["loads"]["D1003"]
    g = (x["T3", "T4"] * f + back * (inputs["loads"]["T2"] + load - net_mw)) / (x["T2", "T3"] + back)
    third = f + g - (inputs["dispatch_mw"]["T3"] - inputs["loads"]["T3"])
    price = {bid["id"]: bid["price_eur_per_mwh"] for bid in inputs["bids"]}
    return price["G3"] * abs(third) + price["G4"] * abs(-net_mw - third)


def tree(inputs: Case) -> Problem:
    """Return D1003, the feeder above it and the TSO's grid as a tree; its cost is that beyond `transmission(inputs, 0)`.

    A line holds the net load behind it within its limit, both ways. Down bids cost money here, so their price is negative: a MW
    that they take is paid. At the root the marginal cost of a MW more from the feeder is a bid in both directions.
    """
    limit = {(branch["from"], branch["to"]): branch["limit_mw"] for branch in inputs["branches"]}
    lines = limit["D1002", "D1003"], limit["D1002", "S1"]
    load, marginal = inputs["loads"]["D1003"], transmission(inputs, 1.0) - transmission(inputs, 0.0)
    areas = [area(k + 1, load - line, load + line, 1e5, 1e5) for k, line in enumerate(lines)]
    bids = [(2, sign, -marginal, 100.0) for sign in (1, -1)]
    for bid in inputs["bids"]:
        if bid["bus"] in inputs["dso_buses"]:
            where, price = ("D1003", "D1002").index(bid["bus"]), bid["price_eur_per_mwh"]
            bids += [(where, 1, price, bid["up_mw"]), (where, -1, -price, bid["down_mw"])]
    return problem([*areas, area(-1, 0.0, 0.0, 1e5, 1e5)], bids, reference=0.0)


def varied(seed: int) -> Case:
    """Return the system with other prices, other volumes in the feeder, another load and other limits there."""
    random, inputs = np.random.default_rng(seed), deepcopy(published()["inputs"])
    inputs["loads"]["D1003"] = float(random.uniform(6.5, 9.5))
    inputs["dispatch_mw"]["T3"] = 1000.0 + inputs["loads"]["D1003"]
    for branch in inputs["branches"][-2:]:
        branch["limit_mw"] += float(random.uniform(-0.4, 2.0))
    for bid in inputs["bids"]:
        bid["price_eur_per_mwh"] = float(random.uniform(1.0, 80.0))
        if bid["bus"] in inputs["dso_buses"]:
            bid["up_mw"] += float(random.uniform(0.0, 3.0))
            bid["down_mw"] += float(random.uniform(0.0, 3.0))
    return inputs


def by_kernels(inputs: Case) -> dict[str, float]:
    """Return the cost of each scheme on the tree, EUR/h."""
    case = tree(inputs)
    joint, forwarded, off = costs(case)
    kept = Problem(case.bids, case.areas.copy(), case.reference)
    kept.areas[1, 1:3] = 0.0
    keeping = dso_stage(kept, np.zeros(len(case.bids)))
    return {
        "common": joint,
        "local_first_tso_rebalances_with_tso_bids_only": off,
        "fragmented_interface_fixed": case.cost_of(keeping),
        "local_first_residual_forwarded": forwarded,
    }


def test_the_kernels_on_the_radial_part_of_the_published_system() -> None:
    case = published()
    rest = transmission(case["inputs"], 0.0)
    assert rest == pytest.approx(14811.373, abs=1e-3)
    for name, found in by_kernels(case["inputs"]).items():
        assert rest + found == pytest.approx(case["expected"][name]["total_eur"], abs=1e-3), name


def test_the_kernels_equal_the_linear_program_on_other_feeders() -> None:
    """In all four schemes.

    FSP3 alone can help D1003, so what the DSO buys first is needed anyway: forwarding costs what joint procurement costs.
    """
    strict: Counter[str] = Counter()
    for seed in range(150):
        inputs = varied(seed)
        called, rest, kernels = schemes(inputs), transmission(inputs, 0.0), by_kernels(inputs)
        totals = {name: cost(inputs, called[name]) for name in kernels}
        assert {name: rest + found for name, found in kernels.items()} == pytest.approx(totals, abs=1e-4), seed
        assert totals["common"] == pytest.approx(totals["local_first_residual_forwarded"], abs=1e-6)
        assert totals["common"] <= min(totals.values()) + 1e-6
        strict.update(name for name, total in totals.items() if totals["common"] < total - 1e-3)
    assert strict["local_first_tso_rebalances_with_tso_bids_only"] >= 30, strict
    assert strict["fragmented_interface_fixed"] >= 100, strict
