"""Tree in, arrays out: a validated design and portfolios become the matrices that the kernel reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import codes
from . import columns as c
from . import layout as v
from . import state as s
from .config import Design, Gate, Product
from .errors import StackingError
from .portfolio import Battery, Fleet, Load, Portfolio
from .units import MTU_H, MTU_MIN

LEDGERS = {"lfm": c.LFM, "mfrr": c.MFRR}
KINDS = {
    "publish": s.PUBLISH,
    "auction": s.AUCTION,
    "trade": s.TRADE,
    "offer": s.OFFER,
    "clear": s.CLEAR,
    "forward": s.FORWARD,
    "award": s.AWARD,
    "joint": s.JOINT,
    "match": s.MATCH,
}
OFFER_ACTIONS = {"lfm": v.LFM_OFFER, "mfrr": v.MFRR_OFFER}
BASELINES = ("schedule", "nomination", "mean", "quiet_mean")  # in the order of stacking.state
ID_LEAD_MTU = 4  # intraday gate T-60
FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]


@dataclass(frozen=True)
class Compiled:
    """A design as matrices; see `stacking.state` for the columns."""

    gates: INT  # (gate, GATE_W)
    products: FLOAT  # (MARKETS_W, PRODUCT_W)
    curves: FLOAT  # (MARKETS_W, steps, 2)
    rules: FLOAT  # (RULES_W,)
    rules_seen: FLOAT  # (9,) what the observation tells of the rules, behind the own consent
    layout: v.Layout
    bounds: FLOAT  # (2, ACTIONS_W)


def lead_mtu(minutes: float, *, earlier: bool) -> int:
    """Return a lead time in MTU; off-grid gates and clearings round to the earlier tick, publications to the later one.

    >>> lead_mtu(45, earlier=True), lead_mtu(14, earlier=True), lead_mtu(7.5, earlier=False)
    (3, 1, 0)
    """
    return math.ceil(minutes / MTU_MIN) if earlier else math.floor(minutes / MTU_MIN)


def compile_design(design: Design) -> Compiled:
    """Return the matrices of a design.

    Raises:
        StackingError: if an offer reaches further ahead than the commitment ring.
    """
    layout = v.action_layout(v.LFM_PRICES, v.MFRR_PRICES)
    # own and forwarded balancing bids are published together; passing on to redispatch is a matter of the local clearing
    silent = [("publish", "forwarded", None), ("forward", "lfm", "redispatch")]
    if design.products["lfm"].gate_clock is not None:
        silent.append(("publish", "lfm", None))  # results of the day before are told long before their MTU
    gates = [_gate(design, gate) for gate in design.gates if (gate.kind, gate.book, gate.to) not in silent]
    return Compiled(
        gates=np.array(sorted(gates + _revoking(design), key=_part_of_tick)),
        products=np.array([_product(design.products["lfm"]), _product(design.products["mfrr"])]),
        curves=_curves(design),
        rules=_rules(design),
        rules_seen=_rules_seen(design),
        layout=layout,
        bounds=np.array([layout.low, layout.high]),
    )


def compile_portfolios(portfolios: tuple[Portfolio, ...]) -> FLOAT:
    """Return the parameter matrix (portfolio, PARAMS_W).

    Raises:
        StackingError: if there is no portfolio.
    """
    if not portfolios:
        raise StackingError("A world needs at least one portfolio.", key="portfolios", value=0, allowed="1 or more")
    names = [p.name for p in portfolios]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise StackingError("Two portfolios have the same name.", key="name", value=twice, remedy="Give each its own name.")
    many = next((p for p in portfolios if p.count != 1), None)
    if many is not None:
        raise StackingError("An engine takes portfolios one by one.", place=f"portfolio '{many.name}'", key="count",
                            value=many.count,
                            allowed="1", remedy="Let `load_portfolios` expand the file.")  # fmt: skip
    out = np.zeros((len(portfolios), s.PARAMS_W))
    charger, fleets, loads = 0, 0, 0
    for row, p in zip(out, portfolios, strict=True):
        row[s.CONNECTION_MW], row[s.TARIFF], row[s.TOTAL_MW] = p.connection_mw, p.charge_tariff_eur_per_mwh, p.rated_mw
        row[s.ORDER : s.ORDER + s.KINDS_W] = _by_cost(p)
        row[s.MEMBER] = float(p.member)
        row[s.COLLATERAL] = math.inf if p.collateral_eur is None else p.collateral_eur
        row[s.FLEET_ROW] = row[s.LOAD_ROW] = -1
        row[s.CHARGE_FRAC] = row[s.DISCHARGE_FRAC] = 1.0
        if p.battery is not None:
            _battery(row, p.battery, min(p.battery.power_mw, p.connection_mw))
        if p.fleet is not None:
            _fleet(row, p.fleet, fleets, charger)
            fleets, charger = fleets + 1, charger + p.fleet.chargers
        if p.load is not None:
            _load(row, p.load, loads)
            loads += 1
    return out


def _by_cost(p: Portfolio) -> list[int]:
    """Return the asset kinds, cheapest first; ties as they are numbered, absent ones last."""
    cost = {
        s.BATTERY: p.battery.wear_eur_per_mwh if p.battery else math.inf,
        s.FLEET: p.fleet.delay_eur_per_mwh if p.fleet else math.inf,
        s.LOAD: p.load.cost_eur_per_mwh if p.load else math.inf,
    }
    return sorted(cost, key=lambda kind: (cost[kind], kind))


def _battery(row: FLOAT, b: Battery, rated_mw: float) -> None:
    row[s.RATED_MW], row[s.CAPACITY_MWH] = rated_mw, b.capacity_mwh
    row[s.MIN_MWH], row[s.MAX_MWH] = b.min_content_frac * b.capacity_mwh, b.max_content_frac * b.capacity_mwh
    row[s.CHARGE_FRAC], row[s.DISCHARGE_FRAC] = b.charge_efficiency_frac, b.discharge_efficiency_frac
    row[s.INTO], row[s.OUT] = MTU_H * b.charge_efficiency_frac, MTU_H / b.discharge_efficiency_frac
    row[s.WEAR] = b.wear_eur_per_mwh


def _fleet(row: FLOAT, fleet: Fleet, number: int, charger: int) -> None:
    row[s.FLEET_ROW], row[s.CHARGER], row[s.CHARGERS], row[s.FLEET_MW] = number, charger, fleet.chargers, fleet.power_mw
    row[s.V2G_LOSS_FRAC] = 1.0 / fleet.v2g_round_trip_frac - 1.0
    row[s.DELAY], row[s.V2G_WEAR], row[s.UNMET] = fleet.delay_eur_per_mwh, fleet.v2g_wear_eur_per_mwh, fleet.unmet_eur_per_mwh


def _load(row: FLOAT, load: Load, number: int) -> None:
    """Durations round to whole MTU: what must last at least so long up, what may last at most so long down."""
    row[s.LOAD_ROW], row[s.FLEX_FRAC], row[s.STEP_MW], row[s.NOTICE_MIN] = (
        number, load.flexible_frac, load.step_mw, load.notice_min,
    )  # fmt: skip
    row[s.MIN_RUN], row[s.MAX_RUN] = math.ceil(load.min_duration_min / MTU_MIN), math.floor(load.max_duration_min / MTU_MIN)
    row[s.REST], row[s.PER_DAY] = math.ceil(load.rest_min / MTU_MIN), load.activations_per_day
    row[s.REBOUND_FRAC], row[s.REBOUND_MTU] = load.rebound_frac, max(1, math.ceil(load.rebound_min / MTU_MIN))
    row[s.LOAD_COST] = load.cost_eur_per_mwh


def _mask(ledgers: tuple[str, ...]) -> int:
    """Return the bit mask of ledgers."""
    return sum(1 << LEDGERS[name] for name in set(ledgers))


def _gate(design: Design, gate: Gate) -> INT:
    row = np.zeros(s.GATE_W, np.int64)
    row[s.KIND] = KINDS[gate.kind]
    if gate.kind == "trade":
        row[s.LEAD], row[s.COUNT] = ID_LEAD_MTU, 1
        return row
    if gate.kind == "auction":
        return row
    product = design.products["lfm" if gate.book == "lfm" else "mfrr"]
    if product.gate_clock is not None:
        return _day_gate(design, gate, product)
    block = product.duration_min // MTU_MIN
    row[s.LEDGER] = row[s.MARKET] = LEDGERS[gate.book]
    whole = gate.kind in ("offer", "award") or product.clears == "block"
    row[s.COUNT] = block if whole else 1
    row[s.ALIGNED] = block > 1 and whole
    row[s.WHOLE] = block == 1 or product.clears == "block"
    row[s.KNOWN_MIN] = math.floor(product.publication_min)
    if gate.kind == "award":
        row[s.LEAD] = lead_mtu(product.gate_closure_min, earlier=True)
    elif gate.kind == "offer":
        row[s.LEAD] = lead_mtu(product.gate_closure_min, earlier=True)
        row[s.ACTION] = OFFER_ACTIONS[gate.book]
        row[s.SEES_LOCAL], row[s.SEES_BALANCING] = "lfm" in gate.sees, "mfrr" in gate.sees
        row[s.REFUSES] = _mask(gate.refuses_offered)
    elif gate.kind == "publish":
        row[s.LEAD] = lead_mtu(product.publication_min, earlier=False)
        row[s.TELLS] = gate.book == ("mfrr" if design.joint else "lfm")
    else:
        row[s.LEAD] = lead_mtu(product.clearing_min if gate.lead_min is None else gate.lead_min, earlier=True)
    if gate.kind == "match":
        row[s.LEDGER], row[s.MARKET] = c.FORWARDED, c.MFRR
    looks = [g for g in design.gates if (g.kind, g.book) == ("clear", "lfm")]
    told_by_mtu = (gate.kind, gate.book) == ("publish", "lfm") and any(g.by == "mtu" for g in looks)
    if gate.kind == "match" or gate.by == "mtu" or told_by_mtu:
        row[s.COUNT], row[s.ALIGNED], row[s.WHOLE] = 1, 0, 0
    if gate.kind == "clear" and gate.book == "lfm":
        row[s.AGAIN], row[s.LAST] = gate != looks[0], gate == looks[-1]
        row[s.FORECAST] = gate.need == "forecast"
    if gate.kind == "forward" and gate.to == "id":
        row[s.KIND] = s.RESELL
        _check_intraday(design, row)
    elif gate.kind == "forward":
        row[s.TARGET], row[s.MARKET] = c.FORWARDED, LEDGERS[str(gate.to)]
        receiving = design.products[str(gate.to)]  # type: ignore[index]
        row[s.KNOWN_MIN] = math.floor(receiving.publication_min)
        if row[s.LEAD] < lead_mtu(receiving.clearing_min, earlier=True):
            raise StackingError(
                "Forwarding happens after the receiving market has cleared.", place=f"design {design.name}", key="gates.forward",
                value=f"T-{product.clearing_min} min", allowed=f"T-{receiving.clearing_min} min or earlier",
                remedy="Clear the local market earlier or remove the forward gate.")  # fmt: skip
    reach = int(row[s.LEAD] + row[s.COUNT])
    if reach > s.WINDOW or row[s.LEAD] < -s.PAST:
        raise StackingError(
            "A gate reaches further than the commitment ring.", place=f"design {design.name}",
            key=f"gate {gate.kind} {gate.book}",
            value=f"{reach} MTU ahead", allowed=f"{-s.PAST} to {s.WINDOW} MTU",
            remedy="Move the gate closer to delivery.")  # fmt: skip
    return row


def _day_gate(design: Design, gate: Gate, product: Product) -> INT:
    """Return a gate of a local market on the day before; unsold bids are passed on when their MTU comes within reach."""
    row = np.zeros(s.GATE_W, np.int64)
    if gate.kind == "forward":
        receiving = design.products["mfrr"]
        row[s.KIND], row[s.LEAD], row[s.COUNT], row[s.TARGET] = s.DAY_FORWARD, s.WINDOW - 1, 1, c.FORWARDED
        row[s.LEDGER], row[s.MARKET], row[s.KNOWN_MIN] = c.LFM, c.MFRR, math.floor(receiving.publication_min)
        return row
    row[s.KIND] = s.DAY_OFFER if gate.kind == "offer" else s.DAY_CLEAR
    row[s.LEAD], row[s.COUNT] = int(str(product.gate_clock)[:2]), product.most_hours_per_day
    return row


def _part_of_tick(row: INT) -> int:
    """Return when in a tick a gate acts: telling, bidding, clearing. The kernel takes each part as a slice of the table."""
    return int(row[s.KIND] >= s.AUCTION) + int(row[s.KIND] >= s.DAY_CLEAR)


def _revoking(design: Design) -> list[INT]:
    """Return the gate at which consent for a block can be withdrawn, if there is one."""
    until = design.rules.consent_revocable_until_min
    if until is None:
        return []
    row = np.zeros(s.GATE_W, np.int64)
    row[s.KIND], row[s.LEAD], row[s.ALIGNED] = s.REVOKE, lead_mtu(until, earlier=True), 1
    row[s.COUNT] = design.products["lfm"].duration_min // MTU_MIN
    return [row]


def _check_intraday(design: Design, row: INT) -> None:
    """Refuse to pass bids on to an intraday market that has closed."""
    if row[s.LEAD] < ID_LEAD_MTU:
        raise StackingError(
            "The local market clears after the intraday gate.", place=f"design {design.name}", key="gates.forward",
            value=f"T-{design.products['lfm'].clearing_min} min", allowed=f"T-{ID_LEAD_MTU * MTU_MIN} min or earlier",
            remedy="Clear the local market earlier or remove the forward gate to id.")  # fmt: skip


def _product(product: Product) -> FLOAT:
    row = np.zeros(s.PRODUCT_W)
    row[s.MIN_MW], row[s.GRANULARITY_MW] = product.min_mw, product.granularity_mw
    row[s.PRICE_FLOOR], row[s.PRICE_CAP] = product.price_floor, product.price_cap
    row[s.THRESHOLD] = product.delivery_threshold_frac
    row[s.READY_EUR_PER_MW_H] = product.availability_eur_per_mw_h
    row[s.UP_OPEN], row[s.DN_OPEN] = float("up" in product.directions), float("dn" in product.directions)
    return row


def _curves(design: Design) -> FLOAT:
    """Return the step shapes; the shorter one repeats its last step, which adds no volume."""
    shapes = [
        np.column_stack([design.products[m].curve_volume_frac, design.products[m].curve_price_frac]) for m in ("lfm", "mfrr")
    ]
    steps = max(len(shape) for shape in shapes)
    return np.stack([np.vstack([shape, np.repeat(shape[-1:], steps - len(shape), axis=0)]) for shape in shapes])


def _rules(design: Design) -> FLOAT:
    r = design.rules
    out = np.zeros(s.RULES_W)
    out[s.FEE], out[s.PENALTY] = r.forward_fee_eur_per_mwh, r.tso_penalty_factor
    out[s.KEEP_PAYMENT] = float(r.tso_shortfall == "keep_and_penalise")
    out[s.CORRECT_LFM] = float(r.position != "none")
    out[s.NEUTRAL] = float(r.position in ("dso_counterbuys", "paired"))
    out[s.DSO_SHARE] = {"dso_first": s.DSO_FIRST, "tso_first": s.TSO_FIRST, "pro_rata": s.PRO_RATA}[r.delivery_priority]
    out[s.BLOCK_BALANCING], out[s.BLOCK_INTRADAY] = float(r.block_opposite_balancing), float(r.block_opposite_intraday)
    out[s.POOLING] = float(r.pooling)
    out[s.FORWARD_PRICE] = {"marginal": s.AT_MARGINAL, "as_bid": s.AS_BID, "better": s.BETTER}[r.forward_price]
    out[s.HAS_FORWARD], out[s.NEEDS_CONSENT] = float(design.shares), float(r.consent != "mandatory")
    out[s.CONSENT_SCOPE] = {"per_day": s.EACH_DAY, "standing": s.ONCE}.get(r.consent, s.EACH_GATE)
    out[s.MEMBERSHIP] = {"none": s.ANYBODY, "each": s.EACH_FSP, "pool": s.EACH_POOL}[r.membership]
    out[s.VERIFIED_LATE] = float(design.shares and r.verified_by == "receiving_operator")
    out[s.COLLATERAL_EUR_PER_MW] = r.collateral_eur_per_mw
    out[s.CHANGES] = {"none": s.UNCHANGED, "price": s.PRICE_CHANGES, "price_and_volume": s.ALL_CHANGES}[r.change_forwarded]
    out[s.RETURNS_REST], out[s.FEE_OF_TSO] = float(r.residual == "returned"), float(r.forward_fee_payer == "tso")
    out[s.SHARES_FAILURE], out[s.STRIPPED] = float(r.pool_failure == "shared"), float(r.location == "stripped")
    out[s.TELLS_ALL], out[s.MEASURED_APART] = float(r.transparency == "market"), float(r.validation == "separate")
    out[s.TOLERANCE_FRAC] = r.tso_tolerance_frac
    out[s.OWN_LIMITS] = float(design.products["lfm"].buyer == "DSO" and not design.shared_book)
    out[s.DAY_BEFORE] = float(design.products["lfm"].gate_clock is not None)
    out[s.AWARDS] = float(any(g.kind == "award" for g in design.gates))
    out[s.REDISPATCH] = float("redispatch" in design.receiving_markets)
    out[s.ID_HALF_SPREAD], out[s.TERMINAL_FACTOR] = r.id_half_spread_eur_per_mwh, r.terminal_factor
    out[s.NOT_ELIGIBLE] = _static_refusal(design)
    out[s.BASELINE] = BASELINES.index(r.baseline)
    out[s.BY_AREA] = float(design.joint)
    out[s.GRID_CHECK] = {"none": s.UNCHECKED, "limit": s.CHECK_LIMITS, "reject": s.CHECK_REJECTS}[r.grid_check]
    out[s.LOCK_LATENCY_S], out[s.BOTH_STAND] = r.lock_latency_s, float(r.conflict_rule == "both_stand")
    return out


def _static_refusal(design: Design) -> int:
    """Return the code of a requirement that no local bid can meet in the receiving market, or -1."""
    local, receiving = design.products["lfm"], design.products["mfrr"]
    if local.full_activation_min > receiving.full_activation_min:
        return codes.TOO_SLOW
    if local.min_run_min > receiving.duration_min:
        return codes.MIN_RUN
    return -1


def _rules_seen(design: Design) -> FLOAT:
    r, receiving = design.rules, design.products["mfrr"]
    sees_sales = any(g.kind == "offer" and g.book == "mfrr" and "lfm" in g.sees for g in design.gates)
    return np.array([
        r.forward_fee_eur_per_mwh, receiving.min_mw, receiving.granularity_mw, float(sees_sales),
        float(r.delivery_priority == "dso_first"), r.tso_penalty_factor, float(r.pooling), _rules(design)[s.CHANGES],
        revocable_until_min(design) / 60.0,
    ])  # fmt: skip


def revocable_until_min(design: Design) -> float:
    """Return the minutes before a block until which consent to share its bids can be withdrawn."""
    until = design.rules.consent_revocable_until_min
    return design.products["lfm"].gate_closure_min if until is None else until
