"""The day of one FSP as a figure: power, content, prices, what markets took, cash; drawn from arrays, without a display."""

from __future__ import annotations

import copy
import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.engine import Engine
from stacking.units import MTU_H, MTU_MIN, MTU_PER_HOUR

from .raster import BLACK, GREY, PALE, Canvas, Color, text_width

FLOAT = NDArray[np.float64]
WIDTH, PANEL, GAP, LEFT, RIGHT, TOP, BOTTOM = 890, 104, 26, 84, 28, 44, 26
BLUE: Color = (31, 110, 180)
RED: Color = (200, 60, 50)
GREEN: Color = (50, 145, 75)
ORANGE: Color = (225, 140, 30)
VIOLET: Color = (125, 90, 165)
HOURS_APART = 3  # of the labels below
MOST_LABELS = 4  # at the side of a panel


@dataclass
class Diary:
    """What happened to a portfolio in the MTU of an episode that were noted."""

    flows: list[FLOAT] = field(default_factory=list)
    market: list[FLOAT] = field(default_factory=list)

    def begin(self) -> None:
        """Forget everything."""
        self.flows, self.market = [], []

    def note(self, engine: Engine, row: int) -> None:
        """Note the MTU that was delivered last in the first world."""
        self.flows.append(engine.flows[0, row].copy())
        self.market.append(engine.market[0].copy())

    def copy(self) -> Self:
        """Return a copy."""
        return copy.deepcopy(self)


@dataclass(frozen=True)
class Line:
    """One line of a panel: its name, color and a value for each MTU."""

    name: str
    color: Color
    values: FLOAT


def draw_day(diary: Diary, engine: Engine, row: int, title: str) -> NDArray[np.uint8]:
    """Return the local day of the MTU that was delivered last, as far as it was noted, (height, width, 3).

    Args:
        diary: of the episode.
        engine: its first world is shown.
        row: portfolio.
        title: of the design.
    """
    first, last = day_bounds(engine, max(0, len(diary.flows) - 1))
    flows = np.array(diary.flows[first:]).reshape(-1, f.FLOWS_W)
    market = np.array(diary.market[first:]).reshape(-1, f.MARKET_W)
    panels = day_panels(flows, market)
    canvas = Canvas(WIDTH, TOP + len(panels) * (PANEL + GAP) + BOTTOM)
    date = local_time(engine, first).strftime("%Y-%m-%d")
    net = flows[:, : f.CASH_W].sum()
    canvas.text(LEFT, 14, f"{engine.portfolios[row].name}   {title}   {date}   net {net:.0f} EUR")
    hours = [local_time(engine, tick).hour for tick in range(first, last + 1)]
    for k, (name, lines) in enumerate(panels.items()):
        draw_panel(canvas, TOP + k * (PANEL + GAP), name, lines, last - first)
    bottom = TOP + len(panels) * (PANEL + GAP) - GAP
    for k in range(0, last - first + 1, MTU_PER_HOUR):
        if hours[k] % HOURS_APART == 0:
            label = f"{hours[k]:02d}:00" if k < last - first else "24:00"
            canvas.text(_x(k, last - first) - text_width(label) // 2, bottom + 8, label)
    return canvas.pixels


def day_panels(flows: FLOAT, market: FLOAT) -> dict[str, tuple[Line, ...]]:
    """Return the panels of a day: title -> lines; money is summed from the start of the day."""
    cash = np.cumsum(flows[:, : f.CASH_W], axis=0)
    by_market = {
        markets[0]: cash[:, [x.column for x in f.CASH_LABELS if x.market in markets]].sum(axis=1) for markets in CASH_LINES
    }
    rest = cash.sum(axis=1) - np.sum(list(by_market.values()), axis=0)
    colors = dict(zip(by_market, (BLUE, GREEN, ORANGE, VIOLET), strict=True))
    return {
        "power MW": (
            Line("schedule", GREY, flows[:, f.POSITION_MW]),
            Line("metered", BLUE, flows[:, f.POWER_MW]),
        ),
        "content MWh": (Line("battery", BLUE, flows[:, f.CONTENT_MWH]),),
        "price EUR/MWh": (
            Line("day-ahead", GREY, market[:, f.PRICE_DA]),
            Line("mFRR up", RED, market[:, f.PRICE_MFRR_UP]),
            Line("mFRR down", BLUE, market[:, f.PRICE_MFRR_DN]),
        ),
        "ordered MW": (
            Line("local", GREEN, flows[:, f.ACTIVATED_LFM] / MTU_H),
            Line("mFRR", ORANGE, flows[:, f.ACTIVATED_MFRR] / MTU_H),
            Line("forwarded", VIOLET, flows[:, f.ACTIVATED_FORWARDED] / MTU_H),
        ),
        "cash EUR": (
            *(Line(name, colors[name], values) for name, values in by_market.items()),
            Line("other", GREY, rest),
            Line("net", BLACK, cash.sum(axis=1)),
        ),
    }


CASH_LINES = (("da", "id"), ("lfm",), ("mfrr",), ("imbalance",))
"""Markets whose cash is one line, named as the first of them."""


def draw_panel(canvas: Canvas, top: int, name: str, lines: Sequence[Line], count: int) -> None:
    """Draw one panel: frame, labels, names of the lines, and the lines over `count` MTU."""
    low, high, step = scale(np.concatenate([line.values for line in lines]))
    right, bottom = WIDTH - RIGHT, top + PANEL

    def y(value: float) -> int:
        return bottom - round((value - low) / (high - low) * PANEL)

    for k in range(round((high - low) / step) + 1):
        value = low + k * step
        canvas.fill(LEFT, y(value), right, y(value) + 1, GREY if abs(value) < 1e-9 * step else PALE)
        label = f"{value:g}"
        canvas.text(LEFT - 8 - text_width(label), y(value) - 4, label)
    for k in range(0, count + 1, MTU_PER_HOUR * HOURS_APART):
        canvas.fill(_x(k, count), top, _x(k, count) + 1, bottom, PALE)
    canvas.text(LEFT, top - 14, name)
    at = right
    for line in reversed(lines):
        at -= text_width(line.name) + 8
        canvas.text(at, top - 14, line.name)
        canvas.fill(at - 14, top - 12, at - 5, top - 6, line.color)
        at -= 20
    for line in sorted(lines, key=lambda line: np.ptp(line.values) if len(line.values) else 0.0):  # flat ones below the others
        if len(line.values):
            edges = [_x(k, count) for k in range(len(line.values) + 1)]
            canvas.steps(edges, [y(value) for value in line.values], line.color)


def scale(values: FLOAT) -> tuple[float, float, float]:
    """Return lowest and highest value of an axis that holds the values and 0, and the step of its labels.

    >>> scale(np.array([3.0, -1.0])), scale(np.array([]))
    ((-2.0, 4.0, 2.0), (0.0, 1.0, 1.0))
    """
    low, high = min(0.0, values.min(initial=0.0)), max(0.0, values.max(initial=0.0))
    if high - low < 1e-9:
        return 0.0, 1.0, 1.0
    raw = (high - low) / (MOST_LABELS - 1)
    ten = 10.0 ** math.floor(math.log10(raw))
    step = next(m * ten for m in (1.0, 2.0, 5.0, 10.0) if m * ten >= raw * (1.0 - 1e-9))
    return math.floor(low / step + 1e-9) * step + 0.0, math.ceil(high / step - 1e-9) * step, step


def day_bounds(engine: Engine, tick: int) -> tuple[int, int]:
    """Return the first tick of the local day of a tick in the first world (0 on the eve), and the one behind its last."""
    left = engine.library.calendar[engine.scenario[0], :, c.DAY_LEFT]
    last = tick + int(left[tick])
    while tick > 0 and left[tick - 1] != 1:
        tick -= 1
    return tick, last


def local_time(engine: Engine, tick: int) -> dt.datetime:
    """Return the local time of a tick of the first world."""
    start: dt.datetime = engine.library.start_utc[int(engine.control[0, s.SCENARIO])].item().replace(tzinfo=dt.UTC)
    return (start + dt.timedelta(minutes=MTU_MIN * tick)).astimezone(ZoneInfo(engine.library.timezone))


def _x(k: int, count: int) -> int:
    """Return the pixel column at which MTU k of a day begins."""
    return LEFT + round(k / count * (WIDTH - RIGHT - LEFT))
