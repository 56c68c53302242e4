"""What happened while an episode was played: trades, bids, occupied charging points; so that nobody times an idle engine."""

from __future__ import annotations

import numpy as np

from stacking import flows as f
from stacking import state as s
from stacking.engine import Engine
from stacking.units import MTU_H


class Counts:
    """Sums over the steps of an episode; `add` is called after each."""

    def __init__(self, engine: Engine) -> None:
        self._charging_points = int(engine.params[:, s.CHARGERS].sum())
        self._world_steps = self._rows = self._local_rows = 0
        self._sums = dict.fromkeys(
            ("lfm", "mfrr", "forwarded", "trading", "da", "id", "bid_lfm", "bid_mfrr", "moving", "occupied"), 0.0
        )
        self._starts = self._left = 0.0

    def add(self, engine: Engine) -> None:
        """Count one step of all worlds."""
        flows, market, sums = engine.flows, engine.market, self._sums
        worlds, rows = flows.shape[:2]
        self._world_steps, self._rows = self._world_steps + worlds, self._rows + worlds * rows
        accepted = market[:, f.ACCEPTED_LFM_MWH], market[:, f.ACCEPTED_MFRR_MWH]
        sums["lfm"], sums["mfrr"] = sums["lfm"] + accepted[0].sum(), sums["mfrr"] + accepted[1].sum()
        sums["forwarded"] += flows[..., f.FORWARDED_MWH].sum()
        sums["trading"] += np.count_nonzero(accepted[0] + accepted[1])
        sums["da"] += np.count_nonzero(flows[..., f.CASH_DA])
        sums["id"] += np.count_nonzero(flows[..., f.CASH_ID])
        sums["moving"] += np.count_nonzero(flows[..., f.CHARGED] + flows[..., f.DISCHARGED])
        sums["bid_mfrr"] += np.count_nonzero(flows[..., f.OFFERED_MFRR])
        at_gate = flows[..., f.OFFERED_LFM].any(axis=1)
        self._local_rows += rows * np.count_nonzero(at_gate)
        sums["bid_lfm"] += np.count_nonzero(flows[at_gate, :, f.OFFERED_LFM])
        if self._charging_points:
            sums["occupied"] += np.count_nonzero(engine.chargers[:, : self._charging_points, s.CAR_MW])
        self._starts += flows[..., f.LOAD_STARTS].sum()
        self._left += flows[..., f.EV_LEFT_COUNT].sum()

    def figures(self) -> dict[str, float | None]:
        """Return means: MW per world and step, shares of steps, FSP-steps and point-steps; None where there is nothing."""
        sums, points = self._sums, self._world_steps * self._charging_points
        return {
            "accepted_mw": float(sums["lfm"] + sums["mfrr"]) / self._world_steps / MTU_H,
            "accepted_lfm_mw": float(sums["lfm"]) / self._world_steps / MTU_H,
            "accepted_mfrr_mw": float(sums["mfrr"]) / self._world_steps / MTU_H,
            "forwarded_mw": float(sums["forwarded"]) / self._world_steps / MTU_H,
            "trading_frac": sums["trading"] / self._world_steps,
            "da_frac": sums["da"] / self._rows,
            "id_frac": sums["id"] / self._rows,
            "bidding_lfm_frac": sums["bid_lfm"] / self._local_rows if self._local_rows else 0.0,
            "bidding_mfrr_frac": sums["bid_mfrr"] / self._rows,
            "moving_frac": sums["moving"] / self._rows,
            "occupied_frac": sums["occupied"] / points if points else None,
            "cars_left": float(self._left),
            "load_starts": float(self._starts),
        }
