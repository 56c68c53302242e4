"""What the laws of batteries, plans and offers are drawn from and tried on."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from stacking import columns as c
from stacking import state as s
from stacking.assets.battery import deliverable_mw, drain_mwh
from stacking.compile import compile_portfolios
from stacking.units import MTU_H

from ..toy import portfolio

EPS = 1e-7
NOTHING = np.zeros((100, c.FLEET_W))  # forecast of a fleet or load that a portfolio does not have
NEAR_MWH = 2e-6  # what is offered is kept in single precision: seven digits of a MW
fractions = st.floats(0.5, 1.0)


@st.composite
def batteries(draw: st.DrawFn) -> np.ndarray:
    """Draw one row of portfolio parameters."""
    low = draw(st.floats(0.0, 0.4))
    one = portfolio(
        power=draw(st.floats(0.1, 10.0)),
        capacity=draw(st.floats(0.2, 40.0)),
        efficiency=draw(fractions),
        low=low,
        high=draw(st.floats(low + 0.1, 1.0)),
        start=None,
    )
    return compile_portfolios((one,))[0]


def simulate(p: np.ndarray, content: float, power: list[float]) -> float:
    """Run a battery along a power path; return the largest energy that physics holds back in one MTU, MWh."""
    worst = 0.0
    for wanted in power:
        got = deliverable_mw(wanted, content, p[s.RATED_MW], p[s.MIN_MWH], p[s.MAX_MWH], p[s.INTO], p[s.OUT])
        content = min(max(content - drain_mwh(got, p[s.INTO], p[s.OUT]), p[s.MIN_MWH]), p[s.MAX_MWH])
        worst = max(worst, abs(got - wanted) * MTU_H)
    return worst
