"""Sums of the system side over the steps of one engine, one row per world."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.engine import Engine, Snapshot
from stacking.invariants.step import Step
from stacking.units import MTU_H

from .auction import Auction
from .bill import Bill
from .clearings import Clearings
from .measures import correlation, hhi, market_name, mean_gap, own_need_mwh, premium, scarcity, unserved_eur
from .missing import missing_figures
from .violations import caused_mwh, exceeded

FLOAT = NDArray[np.float64]

TRUE_COSTS = (("wear", f.CASH_WEAR), ("ev_delay", f.CASH_DELAY), ("ev_unmet", f.CASH_UNMET), ("load", f.CASH_LOAD))
FLOW_SUMS = tuple(
    (name, column)
    for column, name in f.ENERGY_LABELS
    if column in (f.OFFERED_LFM, f.OFFERED_MFRR, f.FORWARDED_MWH, f.ACTIVATED_LFM, f.ACTIVATED_MFRR, f.ACTIVATED_FORWARDED,
                  f.DOUBLE_SELECTED, f.DOUBLE_ACTIVATED, f.UNDELIVERED_LFM, f.UNDELIVERED_MFRR)
)  # fmt: skip
PRICES = (("mfrr_up", f.PRICE_MFRR_UP), ("mfrr_dn", f.PRICE_MFRR_DN), ("imbalance", f.PRICE_IMBALANCE))
PARTIES = ("FSPs", "DSO", "TSO", "other people", *dict.fromkeys(
    label.counterpart for label in f.CASH_LABELS if label.counterpart not in ("DSO", "TSO")
))  # fmt: skip
"""Who receives and pays."""

BILL = {
    "lfm_mwh": "lfm_others_mwh", "mfrr_mwh": "mfrr_others_mwh",
    "cost_lfm_eur": "cost_others_lfm_eur", "cost_mfrr_eur": "cost_others_mfrr_eur",
    "dso_eur": "dso_others_eur", "tso_eur": "tso_others_eur",
    "counter_eur": "dso_counter_eur", "cost_counter_eur": "cost_counter_eur",
}  # fmt: skip
"""Columns of the rows that hold the parts of a bill."""


class Tally:
    """Adds up what coordination did to operators, markets and society in each world of an engine.

    Make it after `engine.reset`, call `record` after each step, and `rows` at the end.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        worlds, rows = engine.worlds, engine.rows
        self.sums: list[dict[str, float]] = [defaultdict(float) for _ in range(worlds)]
        self.flows = np.zeros(engine.flows.shape)
        self.accepted = np.zeros((worlds, 2, rows))  # by market, MWh
        self.content = engine.state[..., s.CONTENT].sum(axis=1).copy()
        self.premiums: list[dict[tuple[int, int, int], float]] = [{} for _ in range(worlds)]
        self.signals: list[dict[int, list[tuple[float, float]]]] = [{c.LFM: [], c.MFRR: []} for _ in range(worlds)]
        self.known: list[dict[int, float]] = [{} for _ in range(worlds)]
        self.others: list[dict[int, FLOAT]] = [{} for _ in range(worlds)]  # joint: local sales of other people, by MTU
        self.ticks = np.zeros(worlds)
        self.clearings = Clearings(engine)
        self._before: Snapshot = engine.snapshot()

    def record(self, action: FLOAT) -> None:
        """Add the step that was just made with these decisions, (B, F, ACTIONS_W).

        Raises:
            StackingError: if the engine bought something else than its books say.
        """
        before, self._before = self._before, self.engine.snapshot()
        step = Step(self.engine, before)
        self.flows += np.where(step.moved[:, None, None], step.flows, 0.0)
        for world, outcome in self.clearings.of(before, action).items():
            self.others[world].update(outcome.others_mw)
            self.sums[world]["lfm_surplus_mwh"] += outcome.surplus_mwh
            self.sums[world]["violation_caused_mwh"] += outcome.violated_mwh
            for auction in outcome.auctions:
                self._add_auction(auction)
            for bill in outcome.bills:
                self._add_bill(world, bill)
            self._add_balance(step, world)

    def _add_balance(self, step: Step, world: int) -> None:
        """Add the delivered MTU: energy of schedules, what was left to the imbalance, lost energy, prices.

        Left to the imbalance = metered - schedule - balancing orders + what other local providers moved - what the TSO knew
        of local sales when it bought, at the imbalance price: a surplus is worth it, a shortage costs it. A joint procurement
        knows all that it picks, and opposite energy elsewhere leaves the balance alone: there only what fails is left.
        """
        sums, flows, tau = self.sums[world], step.flows[world], int(step.tick[world])
        known_now = step.old["world"][world]
        for gate in step.engine.compiled.gates:
            if gate[s.KIND] == s.CLEAR and gate[s.MARKET] == c.MFRR:
                lead = int(gate[s.LEAD])
                self.known[world][tau + lead] = float(known_now[s.SHIFT_KNOWN + s.PAST + lead])
        power, position = float(flows[:, f.POWER_MW].sum()), float(flows[:, f.POSITION_MW].sum())
        orders = (step.order(c.MFRR) + step.order(c.FORWARDED))[world]
        moved = float(self.engine.world[world, s.SHIFT + step.slot]) - float(step.order(c.LFM)[world].sum())
        left = (power - position - float(orders.sum()) + moved - self.known[world].pop(tau, 0.0)) * MTU_H
        market = step.market[world]
        sums["cost_energy_eur"] -= position * MTU_H * market[f.PRICE_DA]
        sums["cost_imbalance_eur"] -= left * market[f.PRICE_IMBALANCE]
        content = float(self.engine.state[world, :, s.CONTENT].sum())
        lost = float((flows[:, f.CHARGED] - flows[:, f.DISCHARGED]).sum()) - (content - self.content[world])
        self.content[world] = content
        energy, money = exceeded(step, world, self.others[world].pop(tau, None))
        sums["exceeded_mwh"] += energy
        sums["exceeded_eur"] += money
        if orders.any() and not step.design.joint:  # there they follow from the optimisation
            sums["violation_caused_mwh"] += caused_mwh(step, world)
        sums["lost_mwh"] += lost
        sums["lost_eur"] += lost * market[f.PRICE_DA]
        for name, column in PRICES:
            sums[f"{name}_price_sum"] += market[column]
        self.ticks[world] += 1.0

    def _add_auction(self, auction: Auction) -> None:
        """Add one auction."""
        sums, hours, name = self.sums[auction.world], auction.hours, market_name(auction.market)
        sums[f"{name}_need_mwh"] += auction.counted_mw * hours
        sums[f"{name}_bought_mwh"] += auction.bought_mw * hours
        sums[f"{name}_unserved_mwh"] += auction.unserved_mw * hours
        self.accepted[auction.world, auction.market] += auction.accepted_mw * hours
        if auction.market == c.LFM:
            sums["lfm_unserved_eur"] += unserved_eur(auction)
            made, own = own_need_mwh(auction)
            sums["own_need_mwh"] += made
            sums["own_sold_mwh"] += own
            sums["lfm_fsp_mwh"] += float(auction.accepted_mw.sum()) * hours
        if auction.pays_price:
            sums[f"{name}_auctions"] += 1.0
            sums[f"{name}_pivotal_auctions"] += float(auction.pivotal.any())
            self.signals[auction.world][auction.market].append((premium(auction), scarcity(auction)))
            for tau in range(auction.tau, auction.tau + round(hours / MTU_H)):
                self.premiums[auction.world][auction.area, auction.direction, tau] = premium(auction)

    def _add_bill(self, world: int, bill: Bill) -> None:
        """Add what other people sold in one clearing."""
        for name, value in vars(bill).items():
            self.sums[world][BILL[name]] += value

    def rows(self) -> list[dict[str, float]]:
        """Return one row per world: sums of an episode (EUR, MWh), prices (EUR/MWh) and shares."""
        return [self._row(world) for world in range(self.engine.worlds)]

    def _row(self, world: int) -> dict[str, float]:
        row, flows = dict(self.sums[world]), self.flows[world].sum(axis=0)
        names = ("need_mwh", "bought_mwh", "unserved_mwh", "auctions", "pivotal_auctions")
        wanted = [f"{market}_{name}" for market in ("lfm", "mfrr") for name in names]
        wanted += [*BILL.values(), "lfm_unserved_eur", "lfm_surplus_mwh", "own_need_mwh", "own_sold_mwh", "lfm_fsp_mwh",
                   "violation_caused_mwh", "exceeded_mwh", "exceeded_eur"]  # fmt: skip
        row = {**dict.fromkeys(wanted, 0.0), **row}
        for name, _ in PRICES:
            row[f"{name}_price"] = row.pop(f"{name}_price_sum", 0.0) / max(1.0, self.ticks[world])
        row.update({name: float(flows[column]) for name, column in FLOW_SUMS})
        row.update({f"cost_{name}_eur": -float(flows[column]) for name, column in TRUE_COSTS})
        row["undelivered_mwh"] = row["undelivered_lfm_mwh"] + row["undelivered_mfrr_mwh"]
        row["cost_stored_eur"] = -float(flows[f.CASH_TERMINAL])
        row["social_cost_eur"] = sum(value for name, value in row.items() if name.startswith("cost_"))
        row["dso_fsp_eur"] = float(flows[f.CASH_LFM] + flows[f.CASH_READY])
        row["tso_fsp_eur"] = float(flows[f.CASH_MFRR] + flows[f.CASH_FORWARDED])
        row["tso_penalty_eur"], row["tso_imbalance_eur"] = float(flows[f.CASH_TSO_PENALTY]), float(flows[f.CASH_IMBALANCE])
        row["dso_paid_eur"] = row["dso_fsp_eur"] + row["dso_others_eur"] + row["dso_counter_eur"]
        row["tso_paid_eur"] = row["tso_fsp_eur"] + row["tso_others_eur"] + row["tso_penalty_eur"] + row["tso_imbalance_eur"]
        row["lfm_price"] = row["dso_paid_eur"] / row["lfm_bought_mwh"] if row["lfm_bought_mwh"] > 0.0 else float("nan")
        row.update(_net_by_party(row, flows))
        row.update(self._concentration(world))
        row.update(self._entry(world))
        row.update(self._signals(world))
        return {**row, **dict.fromkeys(missing_figures(self.engine.design), float("nan"))}

    def _concentration(self, world: int) -> dict[str, float]:
        return {f"{market_name(m)}_hhi": hhi(self.accepted[world, m]) for m in (c.LFM, c.MFRR)}

    def _entry(self, world: int) -> dict[str, float]:
        """Return forwarded energy of those whom the TSO did not see: too small to bid alone, or silent at its gate."""
        least = self.engine.compiled.products[c.MFRR, s.MIN_MW]
        flows = self.flows[world]
        small = self.engine.params[:, s.TOTAL_MW] < least
        silent = flows[:, f.OFFERED_MFRR] <= 0.0
        passed = flows[:, f.ACTIVATED_FORWARDED]
        return {
            "entry_small_offered_mwh": float(flows[small, f.FORWARDED_MWH].sum()),
            "entry_small_mwh": float(passed[small].sum()),
            "entry_silent_mwh": float(passed[silent].sum()),
        }

    def _signals(self, world: int) -> dict[str, float]:
        """Return how prices follow scarcity, and each other where an MTU has a need of both kinds in one direction."""
        table = self.premiums[world]
        both = [(value, table[-1, d, tau]) for (area, d, tau), value in table.items() if area >= 0 and (-1, d, tau) in table]
        return {
            "lfm_price_scarcity_corr": correlation(self.signals[world][c.LFM]),
            "mfrr_price_scarcity_corr": correlation(self.signals[world][c.MFRR]),
            "price_corr": correlation(both),
            "price_gap": mean_gap(both),
        }


def _net_by_party(row: dict[str, float], flows: FLOAT) -> dict[str, float]:
    """Return what each party received less what it paid, EUR: together nothing. `asset`: wear, `scenario`: energy left."""
    net = dict.fromkeys(PARTIES, 0.0)
    for label in f.CASH_LABELS:
        if label.counterpart not in ("DSO", "TSO"):
            net[label.counterpart] -= float(flows[label.column])
    net["FSPs"] = float(flows[: f.CASH_W].sum())
    net["DSO"], net["TSO"] = -row["dso_paid_eur"], -row["tso_paid_eur"]
    net["other people"] = row["dso_others_eur"] + row["tso_others_eur"]
    net["power exchange"] += row["dso_counter_eur"]
    return {party_column(name): value for name, value in net.items()}


def party_column(name: str) -> str:
    """Return the column of a party.

    >>> party_column("power exchange")
    'net_power_exchange_eur'
    """
    return f"net_{name.replace(' ', '_').lower()}_eur"
