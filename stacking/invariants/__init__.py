"""What must hold after every tick, whatever was decided: energy, limits, bought = sold, money, consent, selections.

Library code for tests, scripts and notebooks. It recomputes in NumPy what the kernel claims and raises with the
numbers; it never corrects anything.
"""

from __future__ import annotations

import numpy as np

from ..engine import Engine, Snapshot
from .cars import check_cars as check_cars
from .counts import counts as counts
from .loads import check_loads as check_loads
from .local_sales import check_local_sales as check_local_sales
from .money import check_imbalance, check_money
from .refusals import check_refusals
from .results import check_idle, check_numbers
from .selection import check_selection
from .selection import sees_everything as sees_everything
from .sharing import check_sharing
from .step import FLOAT, Step
from .step import InvariantError as InvariantError
from .store import check_store
from .trades import check_calls, check_orders, check_trades


def check_step(engine: Engine, before: Snapshot, action: FLOAT | None = None) -> None:
    """Check the last step of an engine.

    Args:
        engine: just stepped.
        before: its snapshot before that step.
        action: (world, portfolio, ACTIONS_W) decisions of that step; without them the checks of decisions are left out.

    Raises:
        InvariantError: with world, portfolio, tick, both numbers and the rule that they break.
    """
    step = Step(engine, before)
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
    check_cars(engine, before)
    check_loads(engine, before)
    check_local_sales(engine, before)
    if action is not None:
        check_refusals(step, np.asarray(action))
