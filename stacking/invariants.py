"""What must hold after every tick, whatever was decided: energy, limits, bought = sold, money, consent, selections.

Library code for tests, `--check` runs and notebooks. It recomputes in NumPy what the kernel claims and raises with the
numbers; it never corrects anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import codes
from . import columns as c
from . import flows as f
from . import layout as v
from . import state as s
from .assets.battery import drain_mwh
from .config import Design
from .engine import Engine, Snapshot
from .errors import StackingError
from .lookahead import column
from .units import MTU_H

FLOAT = NDArray[np.float64]
BOOL = NDArray[np.bool_]
TOLERANCE_MWH = 2e-6  # offers are kept in single precision: a MW has seven digits
TOLERANCE_EUR = 1e-6
_DRAIN = np.vectorize(drain_mwh, otypes=[float])
_OFFER_CODES = (codes.PRICE_LIMIT, codes.BELOW_MINIMUM, codes.GRANULARITY_REST, codes.OPPOSITE_SALE, codes.SOLD_ELSEWHERE)


class InvariantError(StackingError):
    """A rule that must always hold does not: the engine, not its user, is wrong."""


def check_step(engine: Engine, before: Snapshot, action: FLOAT | None = None) -> None:
    """Check the last step of an engine.

    Args:
        engine: just stepped.
        before: its snapshot before that step.
        action: (world, portfolio, ACTIONS_W) decisions of that step; without them the checks of decisions are left out.

    Raises:
        InvariantError: with world, portfolio, tick, both numbers and the rule that they break.
    """
    step = _Step(engine, before)
    check_numbers(step)
    check_idle(step)
    if not step.moved.any():
        return
    check_store(step)
    check_trades(step)
    check_orders(step)
    check_money(step)
    check_calls(step)
    check_imbalance(step)
    check_sharing(step)
    check_selection(step)
    if action is not None:
        check_refusals(step, np.asarray(action))


def sees_everything(design: Design) -> bool:
    """Return whether every offer gate sees all sold and pending MW, so that nothing can be sold twice."""
    ledgers = {"lfm", "mfrr"} | ({"forwarded"} if design.shares else set())
    return all(ledgers <= set(g.sees) for g in design.gates if g.kind == "offer")


def counts(engine: Engine) -> dict[str, float]:
    """Return what happened in the last step, summed over worlds: an equivalence test must show that these are not 0."""
    flows = engine.flows.reshape(-1, f.FLOWS_W).sum(axis=0)
    return {
        "trades": float(flows[[f.ACTIVATED_LFM, f.ACTIVATED_MFRR, f.ACTIVATED_FORWARDED]].sum()),
        "local": float(flows[f.ACTIVATED_LFM]),
        "balancing": float(flows[f.ACTIVATED_MFRR]),
        "forwards": float(flows[f.FORWARDED_MWH]),
        "forwarded_activated": float(flows[f.ACTIVATED_FORWARDED]),
        "refusals": float(flows[f.REFUSED :].sum()),
        "opted_out": float(flows[f.OPTED_OUT]),
        "double_selected": float(flows[f.DOUBLE_SELECTED]),
        "double_activated": float(flows[f.DOUBLE_ACTIVATED]),
        "undelivered": float(flows[f.UNDELIVERED_LFM] + flows[f.UNDELIVERED_MFRR]),
    }


class _Step:
    """One step of an engine with what is needed to check it; signed MW are + = up."""

    def __init__(self, engine: Engine, before: Snapshot) -> None:
        self.engine, self.design, self.old = engine, engine.design, before.arrays
        self.tick: NDArray[np.int64] = self.old["control"][:, s.CLOCK]
        self.moved: BOOL = engine.clock == self.tick + 1
        self.worlds = np.arange(engine.worlds)
        self.flows, self.market = engine.flows, engine.market
        self.rules, self.params = engine.compiled.rules, engine.params
        self.slot = s.PAST - 1  # of the delivered MTU: everything has moved by one slot
        self.batteries_only = (self.params[:, s.FLEET_ROW] < 0) & (self.params[:, s.LOAD_ROW] < 0)

    def book(self, ledger: int, field: int, direction: int, *, old: bool = False) -> FLOAT:
        """Return one book column, (world, portfolio, slot), of the MTU that are in the book before and after."""
        ring = self.old["ring"] if old else self.engine.ring
        book = ring[..., s.BOOK : s.PLAN].reshape(*ring.shape[:2], s.SLOTS, s.BOOK_W)
        book = book[..., column(ledger, field, direction)].astype(np.float64)
        return book[..., 1:] if old else book[..., :-1]

    def order(self, ledger: int) -> FLOAT:
        """Return the net order of the delivered MTU, (world, portfolio), MW."""
        book = self.engine.book.astype(np.float64)
        up, down = (book[:, :, self.slot, column(ledger, s.SOLD, d)] for d in range(2))
        return up - down

    def demand(self, rule: str, holds: Any, left: Any, right: Any = None) -> None:
        """Raise if a rule does not hold somewhere in the worlds that moved."""
        bad = ~np.asarray(holds)
        bad = bad & self.moved.reshape((-1,) + (1,) * (bad.ndim - 1))
        if bad.any():
            self.fail(rule, tuple(int(i) for i in np.argwhere(bad)[0]), left, right)

    def equal(self, rule: str, left: Any, right: Any, tolerance: float) -> None:
        """Demand that two arrays agree within a tolerance, relative for large numbers."""
        left, right = np.broadcast_arrays(left, right)
        with np.errstate(invalid="ignore"):
            holds = np.abs(left - right) <= tolerance * np.maximum(1.0, np.abs(right))
        self.demand(rule, holds, left, right)

    def fail(self, rule: str, where: tuple[int, ...], left: Any, right: Any = None) -> None:
        world = where[0] if where else 0
        row = f", portfolio '{self.engine.portfolios[where[1]].name}'" if len(where) > 1 else ""
        told = []
        for x in (left, right):
            if x is not None:
                array = np.broadcast_to(np.asarray(x, dtype=float), np.shape(left))
                told.append(repr(float(array[where[: array.ndim]])))
        raise InvariantError(
            f"Invariant broken: {rule}.",
            place=f"design {self.design.name}, world {world}{row}, tick {self.tick[world]}",
            key=f"index {where}",
            value=" against ".join(told),
            allowed=rule,
            remedy="This is a fault of the engine: report it with design, seed and tick.",
        )


def check_numbers(step: _Step) -> None:
    """Every result is a finite number, energies are not negative, and nothing is open after the end."""
    e = step.engine
    for name in ("flows", "market", "reward", "observation", "state", "ring", "chargers"):
        array = getattr(e, name)
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            step.fail(f"{name} is finite", tuple(int(i) for i in bad[0]), array)
    energies = [col for col, _ in f.ENERGY_LABELS] + [col for col, _ in f.REFUSED_LABELS]
    bad = np.argwhere(e.flows[..., energies] < 0.0)
    if len(bad):
        step.fail("energies and refusals are not negative", tuple(int(i) for i in bad[0]), e.flows[..., energies])
    over = e.clock >= e.library.length[e.scenario]
    for name, wrong in (
        ("nothing is open after the end", over & e.mask.any(axis=(1, 2))),
        ("the end is told", over & ~e.ended & step.moved),
    ):
        if wrong.any():
            step.fail(name, (int(np.argmax(wrong)),), wrong)
    if (e.mask != e.mask[:, :1]).any():
        step.fail(
            "gates open for all portfolios alike",
            tuple(int(i) for i in np.argwhere(e.mask != e.mask[:, :1])[0]),
            e.mask,
        )


def check_idle(step: _Step) -> None:
    """A world that did not move changed nothing and tells no flows."""
    idle = ~step.moved
    if not idle.any():
        return
    for name in ("state", "ring", "chargers", "world", "prices", "history"):
        now, then = getattr(step.engine, name)[idle], step.old[name][idle]
        if not np.array_equal(now, then):
            step.fail(f"an idle world keeps its {name}", (int(step.worlds[idle][0]),), float(np.abs(now - then).max()))
    for name in ("flows", "market", "reward"):
        if getattr(step.engine, name)[idle].any():
            step.fail(
                f"an idle world has no {name}",
                (int(step.worlds[idle][0]),),
                float(np.abs(getattr(step.engine, name)[idle]).max()),
            )


def check_store(step: _Step) -> None:
    """Energy balance and limits of the assets and of the grid connection."""
    p, e, flows = step.params, step.engine, step.flows
    then, now = step.old["state"][..., s.CONTENT], e.state[..., s.CONTENT]
    battery = (flows[..., f.DISCHARGED] - flows[..., f.CHARGED]) / MTU_H
    drained = _DRAIN(battery, p[:, s.INTO], p[:, s.OUT])
    step.equal("content after = content before - energy drained", now, then - drained, TOLERANCE_MWH)
    room = TOLERANCE_MWH * np.maximum(1.0, p[:, s.CAPACITY_MWH])
    step.demand("content >= minimum", now >= p[:, s.MIN_MWH] - room, now, p[:, s.MIN_MWH])
    step.demand("content <= maximum", now <= p[:, s.MAX_MWH] + room, now, p[:, s.MAX_MWH])
    step.demand("battery <= rated power", np.abs(battery) <= p[:, s.RATED_MW] + room, np.abs(battery), p[:, s.RATED_MW])
    step.equal("content told = content", flows[..., f.CONTENT_MWH], now, 0.0)
    power, limit = flows[..., f.POWER_MW], p[:, s.CONNECTION_MW]
    step.demand("power <= grid connection", np.abs(power) <= limit * (1.0 + TOLERANCE_MWH), np.abs(power), limit)
    rows = np.flatnonzero(p[:, s.LOAD_ROW] >= 0)
    used = np.zeros(power.shape)
    tick = np.minimum(step.tick, e.consumption.shape[-1] - 1)
    used[:, rows] = e.consumption[e.scenario, :, tick][:, p[rows, s.LOAD_ROW].astype(int)]
    cars, load = flows[..., f.EV_CHARGED] - flows[..., f.EV_INJECTED], flows[..., f.LOAD_SHED] - flows[..., f.LOAD_RECOVERED]
    step.equal("metered = battery + cars + load", power * MTU_H, battery * MTU_H - cars + load - used * MTU_H, TOLERANCE_MWH)
    step.demand("a load gives up what it has", flows[..., f.LOAD_SHED] <= used * MTU_H + room, flows[..., f.LOAD_SHED], used)


def check_trades(step: _Step) -> None:
    """Bought = sold per market and MTU, never more than needed, never more than offered, and a sale is never taken back."""
    for name, ledgers, accepted, background, needed in (
        ("local", (c.LFM,), f.ACCEPTED_LFM_MWH, f.BACKGROUND_LFM_MWH, f.NEED_LFM_MWH),
        ("balancing", (c.MFRR, c.FORWARDED), f.ACCEPTED_MFRR_MWH, f.BACKGROUND_MFRR_MWH, f.NEED_MFRR_MWH),
    ):
        sold = np.zeros(step.engine.worlds)
        for ledger in ledgers:
            for d in range(2):
                now, then = step.book(ledger, s.SOLD, d), step.book(ledger, s.SOLD, d, old=True)
                offered = step.book(ledger, s.OFFERED, d)
                step.demand(f"a {name} sale is never taken back", now >= then, now, then)
                step.demand(f"{name}: sold <= offered", now <= offered + TOLERANCE_MWH, now, offered)
                sold += (now - then).sum(axis=(1, 2)) * MTU_H
        step.equal(f"{name}: bought = sold", step.market[:, accepted], sold, TOLERANCE_MWH)
        supplied = step.market[:, accepted] + step.market[:, background]
        step.demand(
            f"{name}: bought <= need",
            supplied <= step.market[:, needed] + TOLERANCE_MWH,
            supplied,
            step.market[:, needed],
        )


def check_orders(step: _Step) -> None:
    """Delivered + undelivered = ordered, and nobody is short of more than was ordered."""
    for ledger, activated in (
        (c.LFM, f.ACTIVATED_LFM),
        (c.MFRR, f.ACTIVATED_MFRR),
        (c.FORWARDED, f.ACTIVATED_FORWARDED),
    ):
        book = step.engine.book.astype(np.float64)
        both = sum(book[:, :, step.slot, column(ledger, s.SOLD, d)] for d in range(2))
        step.equal("activated = sold for the MTU", step.flows[..., activated], both * MTU_H, TOLERANCE_MWH)
    local, balancing = step.order(c.LFM), step.order(c.MFRR) + step.order(c.FORWARDED)
    wanted = step.flows[..., f.POSITION_MW] + local + balancing
    shortfall = (wanted - step.flows[..., f.POWER_MW]) * MTU_H
    left = shortfall.copy()
    for order, undelivered in ((local, f.UNDELIVERED_LFM), (balancing, f.UNDELIVERED_MFRR)):
        missing = step.flows[..., undelivered]
        step.demand("undelivered <= ordered", missing <= np.abs(order) * MTU_H + TOLERANCE_MWH, missing, np.abs(order) * MTU_H)
        left = left - np.sign(order) * missing
    step.demand("undelivered <= shortfall", left * np.sign(shortfall) >= -TOLERANCE_MWH, left, shortfall)
    # what no operator bears must come from an infeasible schedule: every order in its direction is wholly undelivered
    for order, undelivered in ((local, f.UNDELIVERED_LFM), (balancing, f.UNDELIVERED_MFRR)):
        could = (np.sign(order) == np.sign(left)) & (np.abs(left) > TOLERANCE_MWH)
        spare = np.abs(order) * MTU_H - step.flows[..., undelivered]
        step.demand("delivered + undelivered = ordered", ~could | (spare <= TOLERANCE_MWH), left, spare)


def check_money(step: _Step) -> None:
    """Cash of all parties sums to zero: every label has one counterpart, and the operators paid what the FSPs received."""
    flows, e = step.flows, step.engine
    if sorted(label.column for label in f.CASH_LABELS) != list(range(f.CASH_W)) or not all(x.counterpart for x in f.CASH_LABELS):
        step.fail("every cash column has one label with one counterpart", (0,), float(len(f.CASH_LABELS)))
    total = np.zeros(e.reward.shape)
    for k in range(f.CASH_W):
        total = total + flows[..., k]
    step.equal("reward = sum of the cash labels", e.reward, total, 0.0)
    step.equal("account = account before + reward", e.state[..., s.CASH], step.old["state"][..., s.CASH] + e.reward, 0.0)
    paid = {name: np.zeros(e.worlds) for name in {label.counterpart for label in f.CASH_LABELS}}
    for label in f.CASH_LABELS:
        paid[label.counterpart] -= flows[..., label.column].sum(axis=1)
    step.equal("the DSO paid what the FSPs received", step.market[:, f.DSO_PAID_EUR], -paid["DSO"], TOLERANCE_EUR)
    step.equal("the TSO paid what the FSPs received", step.market[:, f.TSO_PAID_EUR], -paid["TSO"], TOLERANCE_EUR)
    step.equal("cash of all parties sums to zero", sum(paid.values()) + e.reward.sum(axis=1), 0.0, TOLERANCE_EUR)
    for k in (f.CASH_TSO_PENALTY, f.CASH_FEE, f.CASH_WEAR, f.CASH_TARIFF):
        step.demand("penalties, fees, wear and tariffs are costs", flows[..., k] <= 0.0, flows[..., k])
    step.equal(
        "wear = wear cost x discharged",
        flows[..., f.CASH_WEAR],
        -step.params[:, s.WEAR] * flows[..., f.DISCHARGED],
        TOLERANCE_EUR,
    )
    early = (e.clock < e.library.length[e.scenario])[:, None]
    step.demand("terminal value at the end only", ~early | (flows[..., f.CASH_TERMINAL] == 0.0), flows[..., f.CASH_TERMINAL])


def check_imbalance(step: _Step) -> None:
    """Imbalance = metered - schedule - corrected activations, paid at the imbalance price."""
    flows = step.flows
    local, balancing = step.order(c.LFM) * MTU_H, (step.order(c.MFRR) + step.order(c.FORWARDED)) * MTU_H
    corrected = balancing
    if step.design.rules.tso_shortfall == "no_pay_no_correction":
        corrected = balancing - np.sign(balancing) * flows[..., f.UNDELIVERED_MFRR]
    if step.design.rules.position == "corrected":
        corrected = corrected + local
    imbalance = (flows[..., f.POWER_MW] - flows[..., f.POSITION_MW]) * MTU_H - corrected
    step.equal("imbalance = metered - schedule - corrected", flows[..., f.IMBALANCE], np.abs(imbalance), TOLERANCE_MWH)
    price = step.market[:, f.PRICE_IMBALANCE][:, None]
    step.equal("imbalance cash = imbalance x price", flows[..., f.CASH_IMBALANCE], imbalance * price, TOLERANCE_EUR)


def check_calls(step: _Step) -> None:
    """Once the result of a market is known, what the assets are to deliver is what was sold."""
    ahead = step.engine.ahead.astype(np.float64)[..., :-1]
    for high, ledgers in ((s.HI_LOCAL, (c.LFM,)), (s.HI_BALANCING, (c.MFRR, c.FORWARDED))):
        most, least = (sum(ahead[:, :, kind * s.ASSET_FIELDS + high + k] for kind in range(s.KINDS_W)) for k in range(2))
        told = sum(step.book(ledger, s.SOLD, 0) - step.book(ledger, s.SOLD, 1) for ledger in ledgers)
        known = most == least
        step.demand("calls of a known result = sales", ~known | (np.abs(most - told) <= TOLERANCE_MWH * 10), most, told)


def check_sharing(step: _Step) -> None:
    """Nothing is shared without consent, and what is shared is unsold, at the local price."""
    grown = np.zeros(step.engine.reward.shape)
    for d in range(2):
        offered, then = step.book(c.FORWARDED, s.OFFERED, d), step.book(c.FORWARDED, s.OFFERED, d, old=True)
        step.demand("a forwarded bid is never withdrawn", offered >= then, offered, then)
        grown += (offered - then).sum(axis=2)
        unsold = step.book(c.LFM, s.OFFERED, d) - step.book(c.LFM, s.SOLD, d)
        step.demand("forwarded <= unsold local offer", offered <= unsold + TOLERANCE_MWH, offered, unsold)
        price, told = step.book(c.LFM, s.PRICE, d), step.book(c.LFM, s.PRICE, d, old=True)
        local = step.book(c.LFM, s.OFFERED, d, old=True)
        step.demand("a local or forwarded bid keeps its price", (local == 0.0) | (price == told), price, told)
    step.equal("forwarded MWh = what the ledger gained", step.flows[..., f.FORWARDED_MWH], grown * MTU_H, TOLERANCE_MWH)
    consent = step.engine.state[..., s.CONSENT_NOW]
    shares = step.design.shares
    allowed = (consent >= 0.5) if shares and step.design.rules.consent == "per_bid" else np.full(consent.shape, shares)
    step.demand("nothing is shared without consent", allowed | (grown <= 0.0), grown, consent)


def check_selection(step: _Step) -> None:
    """Where every gate sees all sales, no MW is picked twice and everything sold is delivered."""
    if not sees_everything(step.design):
        return
    for k, name in ((f.DOUBLE_SELECTED, "double selection"), (f.DOUBLE_ACTIVATED, "double activation")):
        # what two-way cars can inject changes until delivery, so their headroom is an estimate
        holds = (step.flows[..., k] <= TOLERANCE_MWH) | (step.params[:, s.FLEET_ROW] >= 0)
        step.demand(f"no {name} where gates see all sales", holds, step.flows[..., k], 0.0)
    short = step.flows[..., f.UNDELIVERED_LFM] + step.flows[..., f.UNDELIVERED_MFRR] + step.flows[..., f.DEPLETED]
    # forecasts of cars and loads may fail, a battery may not
    delivered = (short <= TOLERANCE_MWH) | ~step.batteries_only
    step.demand("what is sold in sight of all commitments is delivered", delivered, short, 0.0)


def check_refusals(step: _Step, action: FLOAT) -> None:
    """Offered + refused = wanted at the balancing gate, where what was permitted is what was observed.

    That is so if the gate sees all sales and nothing else was decided in the same tick.
    """
    mask, seen = step.old["mask"], step.old["observation"].astype(float)
    action = np.where(mask, action, 0.0)  # what stands in closed columns means nothing
    others = [v.DA_VOLUME_FRAC, v.ID_POWER_FRAC, v.LFM_SHARE_UP, v.LFM_SHARE_DN]
    alone = ~(mask[..., others] & ((action[..., others] != 0.0) | (np.array(others) == v.DA_VOLUME_FRAC))).any(axis=-1)
    gate = mask[..., v.MFRR_SHARE_UP] & alone & sees_everything(step.design)
    product = step.design.products["mfrr"]
    hours = product.duration_min / 60.0
    wanted = np.zeros(gate.shape)
    for direction, share, room in (
        ("up", v.MFRR_SHARE_UP, v.FEASIBLE_UP_MFRR),
        ("dn", v.MFRR_SHARE_DN, v.FEASIBLE_DN_MFRR),
    ):
        wanted = wanted + (action[..., share] * seen[..., room] * hours if direction in product.directions else 0.0)
    told = step.flows[..., f.OFFERED_MFRR] + step.flows[..., [f.REFUSED + code for code in _OFFER_CODES]].sum(axis=-1)
    holds = ~gate | (np.abs(told - wanted) <= 1e-5 * np.maximum(1.0, wanted))  # the observation is single precision
    step.demand("offered + refused = wanted", holds, told, wanted)


# ---- fleets, loads and areas: called on their own ----------------------------------------------------------------------
def check_cars(engine: Engine, before: Snapshot) -> None:
    """Check the charging points of the last step: energy of cars and meter agree, and no order takes a car's last chance.

    Consumed = sum of (wanted before - wanted after + given back x loss) where no car came or left; a car that could be
    ready by its departure still can, unless the grid connection is full or the car gave something back.

    Raises:
        InvariantError: with the numbers.
    """
    step = _Step(engine, before)
    then, now = step.old["chargers"].astype(np.float64), engine.chargers.astype(np.float64)
    same = (then[..., s.NEXT] == now[..., s.NEXT]) & ((then[..., s.CAR_MW] > 0.0) == (now[..., s.CAR_MW] > 0.0))
    kept = same & (now[..., s.CAR_MW] > 0.0)
    given = np.where(kept, then[..., s.LENT] - now[..., s.LENT], 0.0)
    lowest = now[..., [s.LEFT, s.LENT]].min(axis=(1, 2))
    step.demand("what cars want and lend is not negative", lowest >= -TOLERANCE_MWH, lowest)
    step.demand("what cars lend does not grow", given.min(axis=1) >= -TOLERANCE_MWH, given.min(axis=1))
    room = then[..., s.CAR_MW] * MTU_H * (then[..., s.EVENT] - step.tick[:, None]) - then[..., s.LEFT]
    room_now = now[..., s.CAR_MW] * MTU_H * (now[..., s.EVENT] - engine.clock[:, None]) - now[..., s.LEFT]
    for r in np.flatnonzero(step.params[:, s.FLEET_ROW] >= 0):
        p, flows = step.params[r], step.flows[:, r]
        points = slice(int(p[s.CHARGER]), int(p[s.CHARGER] + p[s.CHARGERS]))
        drawn = (then[:, points, s.LEFT] - now[:, points, s.LEFT] + given[:, points] * p[s.V2G_LOSS_FRAC]).sum(axis=1)
        metered, loose = flows[:, f.EV_CHARGED] - flows[:, f.EV_INJECTED], TOLERANCE_MWH * p[s.CHARGERS]
        moved, gave = ~same[:, points].all(axis=1), given[:, points].sum(axis=1)
        agree = moved | (np.abs(drawn - metered) <= loose)
        step.demand(f"energy of cars = energy of charging points of '{engine.portfolios[r].name}'", agree, drawn, metered)
        step.demand("injected <= given back", moved | (flows[:, f.EV_INJECTED] <= gave + loose), flows[:, f.EV_INJECTED], gave)
        others = flows[:, f.POWER_MW] - (flows[:, f.DISCHARGED] - flows[:, f.CHARGED]) / MTU_H  # a battery comes after the cars
        full = others <= -p[s.CONNECTION_MW] * (1.0 - 1e-6)
        could = kept[:, points] & (room[:, points] >= 0.0) & (given[:, points] == 0.0) & ~full[:, None]
        worst = np.where(could, room_now[:, points], 0.0).min(axis=1)
        step.demand(f"a car of '{engine.portfolios[r].name}' that could be ready still can", worst >= -TOLERANCE_MWH, worst)


def check_loads(engine: Engine, before: Snapshot) -> None:
    """Check the loads of the last step: whole steps, energy owed = owed before + rebound x interrupted - recovered.

    Raises:
        InvariantError: with the numbers.
    """
    step = _Step(engine, before)
    p, flows, old, now = step.params, step.flows, step.old["state"], engine.state
    steps = flows[..., f.LOAD_SHED] / MTU_H / np.where(p[:, s.STEP_MW] > 0.0, p[:, s.STEP_MW], 1.0)
    step.demand("a load is interrupted in whole steps", np.abs(steps - np.round(steps)) <= 1e-6, steps)
    owed = old[..., s.OWED_MWH] + p[:, s.REBOUND_FRAC] * flows[..., f.LOAD_SHED] - flows[..., f.LOAD_RECOVERED]
    step.equal("owed = owed before + rebound - recovered", now[..., s.OWED_MWH], owed, TOLERANCE_MWH)
    both = (flows[..., f.LOAD_SHED] > 0.0) & (flows[..., f.LOAD_RECOVERED] > 0.0)
    step.demand("a load does not recover while it is interrupted", ~both, flows[..., f.LOAD_SHED])
    running = (flows[..., f.LOAD_SHED] == 0.0) | (now[..., s.RUN] > 0.0)  # it may run with nothing to give
    step.demand("an activation runs while a load is interrupted", running, now[..., s.RUN])
    first = (flows[..., f.LOAD_STARTS] > 0.0) == ((now[..., s.RUN] > 0.0) & (old[..., s.RUN] == 0.0))
    step.demand("a start is counted when an activation begins", first, flows[..., f.LOAD_STARTS])


def check_local_sales(engine: Engine, before: Snapshot) -> None:
    """Check local sales of the last step by area: nothing without a market, and no more than the markets above a row need.

    Below a top market: new sales of a direction <= sum over its areas of max(0, margin - signed injection beyond the
    reference schedule) + new sales of the other direction, which make up for each other.

    Raises:
        InvariantError: with the numbers.
    """
    step, areas = _Step(engine, before), engine.areas
    gate = next(g for g in engine.compiled.gates if g[s.KIND] == s.CLEAR and g[s.MARKET] == c.LFM)
    place, count = int(gate[s.LEAD]) - 1 + s.PAST, int(gate[s.COUNT])  # everything has moved by one slot
    block = slice(place, place + count)
    grown = [(step.book(c.LFM, s.SOLD, d) - step.book(c.LFM, s.SOLD, d, old=True))[..., block] for d in range(2)]
    outside = areas.row_area < 0
    for sold in grown:
        step.demand("no local sale without a local market", sold[:, outside] <= 0.0, sold[:, outside])
    scheduled = engine.ahead.astype(np.float64)[:, :, s.SCHEDULED :: s.ASSET_FIELDS][:, :, :2, block].sum(axis=2)
    told = sum(sign * step.book(c.LFM, s.SOLD, d, old=True)[..., block] for d, sign in enumerate((1.0, -1.0)))
    local = engine.library.local[engine.scenario]
    at = np.minimum(step.tick + int(gate[s.LEAD]), local.shape[2] - 1)
    bound = np.zeros((2, len(areas.node), engine.worlds))
    for a in range(len(areas.node)):
        beyond = (scheduled + told)[:, areas.rows(a)].mean(axis=2).sum(axis=1)
        for d, sign in enumerate((1.0, -1.0)):
            margin = local[step.worlds, a, at, c.market_column(c.LFM, d) + c.NEED]
            above = a
            while areas.parent[above] >= 0:
                above = areas.parent[above]
            bound[d, above] += np.maximum(0.0, margin - sign * beyond)
    for a in (int(k) for k in np.flatnonzero(areas.parent < 0)):
        new = [sold[:, areas.rows(a)].max(axis=2, initial=0.0).sum(axis=1) for sold in grown]
        for d in range(2):
            step.demand(f"local sales below '{areas.names[a]}' <= needs", new[d] <= bound[d, a] + new[1 - d] + 1e-5,
                        new[d], bound[d, a] + new[1 - d])  # fmt: skip
