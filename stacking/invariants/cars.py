"""Charging points: energy of cars and meter agree, and drivers get their energy."""

from __future__ import annotations

import numpy as np

from .. import flows as f
from .. import state as s
from ..engine import Engine, Snapshot
from ..units import MTU_H
from .step import TOLERANCE_MWH, Step


def check_cars(engine: Engine, before: Snapshot) -> None:
    """Check the charging points of the last step: energy of cars and meter agree, and no order takes a car's last chance.

    Consumed = sum of (wanted before - wanted after + given back x loss) where no car came or left; a car that could be
    ready by its departure still can, unless the grid connection is full or the car gave something back.

    Raises:
        InvariantError: with the numbers.
    """
    step = Step(engine, before)
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
