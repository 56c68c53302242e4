"""Which gate, direction and delivery a refusal belongs to: the engine counts refused MWh per portfolio and tick only.

What clearings and forward gates refuse is known from running them again (`clearings`), what owners change of forwarded bids from
the books. What the gates of offers and intraday trades refuse is told apart by taking the same step with only some of the offers.
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
from stacking.codes import CODES_W
from stacking.engine import Snapshot
from stacking.errors import StackingError
from stacking.invariants.step import Step
from stacking.state import column
from stacking.units import MTU_H

from .clearings import Clearings

FLOAT = NDArray[np.float64]

INTRADAY = 3
"""Number of the intraday market behind the ledgers LFM, MFRR and FORWARDED."""

SHARES = {c.LFM: (v.LFM_SHARE_UP, v.LFM_SHARE_DN), c.MFRR: (v.MFRR_SHARE_UP, v.MFRR_SHARE_DN)}
NOTHING = 1e-12  # MWh
TOLERANCE_MWH = 1e-5
Refused = tuple[int, int, int, int, FLOAT]


def refused_by_gate(clearings: Clearings, before: Snapshot, action: FLOAT, offered: Snapshot) -> Iterator[Refused]:
    """Give what was refused in the last step as (market, direction, MTU ahead of the tick, MTU, (B, F, CODES_W) MWh).

    The offer gates are passed again with some of the offers left out: refused(offer) = refused(with it) - refused(without it).

    Args:
        clearings: of an engine that just stepped.
        before: its snapshot before that step.
        action: (B, F, ACTIONS_W) decisions of that step.
        offered: state of `Shelf.offered` for them.

    Raises:
        StackingError: if the sum of all that is found is not what the engine counted.
    """
    step = Step(clearings.engine, before)
    refused = step.flows[..., f.REFUSED : f.FLOWS_W]
    if not (np.abs(refused[step.moved]) > NOTHING).any():
        return
    action = np.where(before.arrays["mask"], action, 0.0)
    found = list(_changed(step, action, offered))
    changed = sum((each[-1] for each in found), np.zeros(refused.shape))
    found += _at_offers(clearings, before, action, _refused(step, offered) - changed, changed)
    for world, outcome in clearings.of(before, action, offered).items():
        for each in outcome.refusals:
            whole = np.zeros(refused.shape)
            whole[world] = each.refused_mwh
            found.append((each.ledger, each.direction, each.lead, 1, whole))
    _confirm(step, sum((each[-1] for each in found), np.zeros(refused.shape)))
    yield from found


def _changed(step: Step, action: FLOAT, offered: Snapshot) -> Iterator[Refused]:
    """Give what owners withdrew of forwarded bids, and new prices of such bids that lie outside the limits."""
    engine, shape = step.engine, (*step.flows.shape[:2], CODES_W)
    product, ring = engine.compiled.products[c.MFRR], offered.arrays["ring"][..., s.BOOK : s.PLAN].astype(np.float64)
    book = ring.reshape(*ring.shape[:2], s.SLOTS, s.BOOK_W)[:, :, :-1]
    gate = next(g for g in engine.compiled.gates if g[s.KIND] == s.OFFER and g[s.LEDGER] == c.MFRR)
    repriced = range(int(gate[s.LEAD]), int(gate[s.LEAD] + gate[s.COUNT])) if step.rules[s.CHANGES] > 0.0 else range(0)
    for d in range(2):
        then = step.book(c.FORWARDED, s.OFFERED, d, old=True)
        lost = np.where(step.moved[:, None, None], then - book[..., column(c.FORWARDED, s.OFFERED, d)], 0.0) * MTU_H
        price = action[..., v.MFRR_PRICE_UP + d]
        wrong = (price < product[s.PRICE_FLOOR]) | (price > product[s.PRICE_CAP])
        wrong &= step.old["mask"][..., v.MFRR_PRICE_UP + d] & step.moved[:, None]
        for lead in range(lost.shape[2]):
            refused = np.zeros(shape)
            refused[..., codes.WITHDRAWN] = np.maximum(lost[..., lead], 0.0)
            if lead in repriced:
                refused[..., codes.PRICE_LIMIT] = np.where(wrong, then[..., lead] * MTU_H, 0.0)
            if (refused > NOTHING).any():
                yield c.FORWARDED, d, lead, 1, refused


def _at_offers(clearings: Clearings, before: Snapshot, action: FLOAT, whole: FLOAT, changed: FLOAT) -> Iterator[Refused]:
    """Pass the offer gates with ever more of the offers; what each adds to the refusals is its own."""
    if not (np.abs(whole) > NOTHING).any():
        return
    step = Step(clearings.engine, before)
    gates = [(g, d) for g in clearings.engine.compiled.gates if g[s.KIND] == s.OFFER for d in range(2)]
    gates = [(g, d) for g, d in gates if (action[..., SHARES[int(g[s.LEDGER])][d]] > 0.0).any()]
    part = action.copy()
    for columns in SHARES.values():
        part[..., list(columns)] = 0.0
    known = whole if not gates else _apart(step, clearings, before, part, changed)
    trade = next((g for g in clearings.engine.compiled.gates if g[s.KIND] == s.TRADE), None)
    if trade is not None:
        bought = action[..., v.ID_POWER_FRAC] < 0.0
        for d in range(2):
            yield INTRADAY, d, int(trade[s.LEAD]), 1, np.where((bought == (d == 1))[..., None], known, 0.0)
    for k, (gate, d) in enumerate(gates):
        share = SHARES[int(gate[s.LEDGER])][d]
        part[..., share] = action[..., share]
        now = whole if k == len(gates) - 1 else _apart(step, clearings, before, part, changed)
        yield int(gate[s.LEDGER]), d, int(gate[s.LEAD]), int(gate[s.COUNT]), now - known
        known = now


def _apart(step: Step, clearings: Clearings, before: Snapshot, action: FLOAT, changed: FLOAT) -> FLOAT:
    """Return what the gates refuse of only some offers, without what is changed of forwarded bids."""
    refused = _refused(step, clearings.shelf.offered(before, action)) - changed
    refused[..., codes.WITHDRAWN] = 0.0  # with less offered, more would be withdrawn
    return refused


def _refused(step: Step, offered: Snapshot) -> FLOAT:
    """Return what the gates of offers and trades refused, (B, F, CODES_W) MWh."""
    return np.where(step.moved[:, None, None], offered.arrays["flows"][..., f.REFUSED : f.FLOWS_W], 0.0)


def _confirm(step: Step, found: FLOAT) -> None:
    """Compare with what the engine counted."""
    told = np.where(step.moved[:, None, None], step.flows[..., f.REFUSED : f.FLOWS_W], 0.0)
    apart = np.abs(found - told) > TOLERANCE_MWH * np.maximum(1.0, told)
    if apart.any():
        world, row, code = (int(k) for k in np.argwhere(apart)[0])
        raise StackingError(
            "The engine refused something else than its gates, taken one by one.", key=f"code {code}",
            place=f"design {step.design.name}, world {world}, portfolio {row}, tick {step.tick[world]}",
            value=f"{found[world, row, code]!r} against {told[world, row, code]!r} MWh",
            remedy="The history of bids cannot be recorded for this design.",
        )  # fmt: skip
