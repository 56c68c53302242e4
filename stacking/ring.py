"""What lies ahead of a portfolio moves one slot each tick; the MTU that enters the window is empty."""

from __future__ import annotations

from typing import Any

from . import state as s
from .build import law
from .lookahead import set_ahead
from .state import hour_cell
from .units import MTU_PER_HOUR


@law
def take_plan(ring: Any, tau: int, slot: int) -> None:
    """Let the schedule of an MTU begin as it was planned for its hour."""
    hour = tau // MTU_PER_HOUR
    set_ahead(ring, s.BATTERY, s.SCHEDULED, slot, hour_cell(ring, s.PLAN_BATTERY, hour))
    set_ahead(ring, s.FLEET, s.SCHEDULED, slot, hour_cell(ring, s.PLAN_FLEET, hour))


@law
def move_slots(ring: Any) -> None:
    """Move all that lies ahead by one slot; the MTU that enters the window is empty."""
    for k in range(s.AHEAD, s.BOOK - 1):
        ring[k] = ring[k + 1]
    for column in range(s.AHEAD_COLS):
        ring[s.AHEAD + column * s.SLOTS + s.SLOTS - 1] = 0.0
    for k in range(s.BOOK, s.PLAN - s.BOOK_W):
        ring[k] = ring[k + s.BOOK_W]
    for k in range(s.PLAN - s.BOOK_W, s.PLAN):
        ring[k] = 0.0
    for k in range(s.CONSENTS, s.CONSENTS + 2):
        ring[k] = int(ring[k]) >> 1


@law
def forget_hour(ring: Any, hour: int) -> None:
    """Empty the plan of an hour that has passed; its place will be that of an hour far ahead."""
    for field in range(2):
        ring[s.PLAN + field * s.PLAN_HOURS + hour % s.PLAN_HOURS] = 0.0
    if hour % s.REACH_HOURS == 0:
        for field in range(2):
            ring[s.REACH + field * s.REACHES + hour // s.REACH_HOURS % s.REACHES] = 0.0


@law
def move_rows(cells: Any, first: int, rows: int) -> None:
    """Move rows of SLOTS numbers, one behind the other from `first` on, by one slot."""
    end = first + rows * s.SLOTS
    for k in range(first, end - 1):  # all rows in one go: the number that crosses from one row to the other is emptied below
        cells[k] = cells[k + 1]
    for row in range(rows):
        cells[first + (row + 1) * s.SLOTS - 1] = 0.0
