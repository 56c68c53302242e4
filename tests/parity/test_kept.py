"""What was seen to be feasible is taken at the gate instead of being worked out again: it must be what would be worked out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from stacking import columns as c
from stacking import state as s
from stacking.catalogue import design_names
from stacking.engine import Engine
from stacking.gates import bidding
from stacking.lookahead import free_power, kept_feasible
from stacking.scenario import generate, scenario_keys

from ..toy import busy, design, lively
from .test_backends import FOUR


@pytest.mark.parametrize("name", design_names())
def test_what_is_kept_for_a_gate_is_what_is_feasible_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: Counter[int] = Counter()
    original = bidding.take_offer

    def checked(gate: Any, *given: Any) -> None:
        _, _, p, action, state, feasible, ring, fleet, load, _, tick, same_day, as_seen, work = given
        first = gate[s.ACTION]
        sees = gate[s.SEES_LOCAL] == gate[s.SEES_BALANCING] == 1
        if as_seen and sees and max(action[first], action[first + 1]) > 0.0:
            other = np.zeros_like(work)
            *room, _, _ = free_power(p, state, ring, fleet, load, tick, gate[s.LEAD], gate[s.COUNT], gate[s.KNOWN_MIN], 1.0, 1.0,
                                     gate[s.WHOLE] == 1, same_day, other)  # fmt: skip
            at = s.FEASIBLE_LOCAL if gate[s.LEDGER] == c.LFM else s.FEASIBLE_BALANCING
            assert list(kept_feasible(feasible, at, work)) == room
            kinds = slice(s.ROOM, s.ROOM + 2 * s.KINDS_W)
            assert work[kinds].tolist() == other[kinds].tolist()
            taken[int(gate[s.LEDGER])] += sum(room) > 0.0
        original(gate, *given)

    monkeypatch.setattr(bidding, "take_offer", checked)
    lib = busy(generate(scenario_keys("train", 1, seed=3), portfolios=FOUR, days=1), seed=3)
    engine = Engine(design(name), FOUR, lib, 1, "python")
    random = np.random.default_rng(2)
    while not engine.ended.all():
        engine.step(lively(engine.compiled.bounds, engine.mask.shape[:2], random))
    gates = engine.compiled.gates
    for ledger in (c.LFM, c.MFRR):
        offers = (gates[:, s.KIND] == s.OFFER) & (gates[:, s.LEDGER] == ledger)
        sees = offers & (gates[:, s.SEES_LOCAL] == 1) & (gates[:, s.SEES_BALANCING] == 1)
        assert (taken[ledger] > 0) == sees.any(), ledger
