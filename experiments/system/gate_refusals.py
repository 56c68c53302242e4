"""Which gate, direction and delivery a refusal belongs to: the engine counts refused MWh per portfolio and tick only.

What a forward gate refused follows from the books by its own rules. What is left was refused at the gates of offers and
intraday trades; it is told apart by taking the same step again with only some of the offers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stacking import codes
from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.engine import Engine, Snapshot
from stacking.invariants.step import Step
from stacking.observe import is_due
from stacking.units import MTU_H, POWER_EPSILON_MW

FLOAT = NDArray[np.float64]

INTRADAY = 3
"""Number of the intraday market behind the ledgers LFM, MFRR and FORWARDED."""

SHARES = {c.LFM: (v.LFM_SHARE_UP, v.LFM_SHARE_DN), c.MFRR: (v.MFRR_SHARE_UP, v.MFRR_SHARE_DN)}
Refused = tuple[int, int, int, int, FLOAT]


def refused_by_gate(engine: Engine, before: Snapshot, action: FLOAT) -> Iterator[Refused]:
    """Give what was refused in the last step as (market, direction, MTU ahead of the tick, MTU, (B, F, CODES_W) MWh).

    The engine is stepped again with some of the offers left out and then put back: refused(offer) = refused(with it) -
    refused(without it). The sum of all that is given is what the flows say.

    Args:
        engine: just stepped.
        before: its snapshot before that step.
        action: (B, F, ACTIONS_W) decisions of that step.
    """
    step = Step(engine, before)
    forwarded = forward_refusals(step)
    for lead, d, refused in forwarded:
        yield c.FORWARDED, d, lead, 1, refused
    whole = _at_offers(step, forwarded)
    if not (np.abs(whole) > 1e-12).any():
        return
    after = engine.snapshot()
    try:
        found = _probe(engine, before, np.where(before.arrays["mask"], action, 0.0), whole)
    finally:
        engine.restore(after)
    yield from found


def _probe(engine: Engine, before: Snapshot, action: FLOAT, whole: FLOAT) -> list[Refused]:
    """Take the step with ever more of its offers; what each adds to the refusals is its own."""
    gates = [(g, d) for g in engine.compiled.gates if g[s.KIND] == s.OFFER for d in range(2)]
    gates = [(g, d) for g, d in gates if (action[..., SHARES[int(g[s.LEDGER])][d]] > 0.0).any()]
    part = action.copy()
    for columns in SHARES.values():
        part[..., list(columns)] = 0.0
    known = whole if not gates else _refused_with(engine, before, part)
    found: list[Refused] = []
    trade = next((g for g in engine.compiled.gates if g[s.KIND] == s.TRADE), None)
    if trade is not None:
        bought = action[..., v.ID_POWER_FRAC] < 0.0
        sides = [np.where((bought == (d == 1))[..., None], known, 0.0) for d in range(2)]
        found += [(INTRADAY, d, int(trade[s.LEAD]), 1, sides[d]) for d in range(2)]
    for k, (gate, d) in enumerate(gates):
        share = SHARES[int(gate[s.LEDGER])][d]
        part[..., share] = action[..., share]
        now = whole if k == len(gates) - 1 else _refused_with(engine, before, part)
        found.append((int(gate[s.LEDGER]), d, int(gate[s.LEAD]), int(gate[s.COUNT]), now - known))
        known = now
    return found


def _refused_with(engine: Engine, before: Snapshot, action: FLOAT) -> FLOAT:
    """Return what the offer gates refuse of other decisions in the same tick, (B, F, CODES_W) MWh."""
    engine.restore(before)
    engine.step(action)
    step = Step(engine, before)
    return _at_offers(step, forward_refusals(step))


def _at_offers(step: Step, forwarded: list[tuple[int, int, FLOAT]]) -> FLOAT:
    """Return the refusals that no forward gate made, (B, F, CODES_W) MWh."""
    left = np.where(step.moved[:, None, None], step.flows[..., f.REFUSED : f.FLOWS_W], 0.0)
    return left - sum((refused for _, _, refused in forwarded), np.zeros(left.shape))


def forward_refusals(step: Step) -> list[tuple[int, int, FLOAT]]:
    """Return what forward gates refused as (MTU ahead of the tick, direction, (B, F, CODES_W) MWh).

    Refused = unsold - forwarded, under the code of the first rule that the bid breaks (`stacking.forwarding`). The part that
    stands on a slow load is the same in all MTU of a block, as its offers are.
    """
    found = []
    for gate in step.engine.compiled.gates:
        if gate[s.KIND] == s.FORWARD:
            found += _of_gate(step, gate)
    return found


def _of_gate(step: Step, gate: NDArray[np.int64]) -> list[tuple[int, int, FLOAT]]:
    """Return the refusals of one forward gate."""
    engine, lead, count = step.engine, int(gate[s.LEAD]), int(gate[s.COUNT])
    library, scenario = engine.library, engine.scenario
    due = step.moved & np.array([
        bool(moved) and is_due(gate, library.calendar[k, t], int(t), int(library.length[k]))
        for k, t, moved in zip(scenario, step.tick, step.moved, strict=True)
    ])  # fmt: skip
    if not due.any():
        return []
    cells = [(place, d, *_outcome(step, gate, place, d, due)) for place in range(lead, lead + count) for d in range(2)]
    slow = step.flows[..., [f.REFUSED + codes.MIN_RUN, f.REFUSED + codes.TOO_SLOW]]
    passing = sum((open_.astype(float) for _, d, _, open_, _ in cells if d == 0), np.zeros(step.flows.shape[:2]))
    slow = np.where(passing[..., None] > 0.0, slow / np.maximum(passing, 1.0)[..., None], 0.0)
    found = []
    for place, d, refused, open_, rest in cells:
        if d == 0:
            part = np.where(open_[..., None], slow, 0.0)
            refused[..., [codes.MIN_RUN, codes.TOO_SLOW]] += part
            rest = rest - part.sum(axis=-1)
        _refuse_rest(step, place, d, refused, np.where(open_, rest, 0.0))
        found.append((place, d, refused))
    return found


def _outcome(
    step: Step, gate: NDArray[np.int64], place: int, d: int, due: NDArray[np.bool_]
) -> tuple[FLOAT, NDArray[np.bool_], FLOAT]:
    """Return refusals before size matters (B, F, CODES_W), which bids get past them (B, F), and unsold - forwarded, MWh."""
    rules, product = step.rules, step.engine.compiled.products[int(gate[s.MARKET])]
    offered, sold, opposite, price = (
        step.book(c.LFM, field, side)[..., place] for field, side in ((s.OFFERED, d), (s.SOLD, d), (s.SOLD, 1 - d), (s.PRICE, d))
    )
    asked = due[:, None] & (offered - sold > POWER_EPSILON_MW)
    unsold = np.where(asked, offered - sold, 0.0) * MTU_H
    agreed = (step.engine.ring[..., s.CONSENTS + d].astype(np.int64) >> place) & 1 == 1
    blocked = np.full(asked.shape, rules[s.BLOCK_BALANCING] > 0.0) & (opposite > POWER_EPSILON_MW)
    priced_out = (price > product[s.PRICE_CAP]) | (price < product[s.PRICE_FLOOR]) | (product[s.UP_OPEN + d] == 0.0)
    refused, left = np.zeros((*asked.shape, codes.CODES_W)), asked
    checks = [(~agreed, codes.NO_CONSENT), (blocked, codes.OPPOSITE_SALE), (priced_out, codes.PRICE_LIMIT)]
    if rules[s.NOT_ELIGIBLE] >= 0.0:
        checks.insert(1, (np.ones(asked.shape, dtype=bool), int(rules[s.NOT_ELIGIBLE])))
    for fails, code in checks:
        refused[..., code] += np.where(left & fails, unsold, 0.0)
        left = left & ~fails
    passed = (step.book(c.FORWARDED, s.OFFERED, d) - step.book(c.FORWARDED, s.OFFERED, d, old=True))[..., place]
    return refused, left, unsold - np.maximum(passed, 0.0) * MTU_H


def _refuse_rest(step: Step, place: int, d: int, refused: FLOAT, rest: FLOAT) -> None:
    """Count what minimum and granularity refused, of each bid alone or of the pool, in place."""
    passed = step.book(c.FORWARDED, s.OFFERED, d)[..., place] > 0.0
    some, none = codes.GRANULARITY_REST, codes.BELOW_MINIMUM
    if step.rules[s.POOLING] > 0.0:
        passed = np.broadcast_to(passed.any(axis=1, keepdims=True), passed.shape)
        some, none = codes.POOL_TRIMMED, codes.POOL_TOO_SMALL
    rest = np.maximum(rest, 0.0)
    refused[..., some] += np.where(passed, rest, 0.0)
    refused[..., none] += np.where(passed, 0.0, rest)
