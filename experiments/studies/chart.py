"""A chart of lines with intervals as SVG text: no dependency, and the same bytes for the same figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ..stats import Interval

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 210, 50, 60
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")  # told apart by the colour-blind
TICKS = 5


@dataclass(frozen=True)
class Chart:
    """What is drawn.

    Attributes:
        title: above.
        x_title: below.
        y_title: at the left, with unit.
        xs: names of the places along x.
        positions: of the places, in units of x; None for equal distances.
        lines: name -> one figure per place, None where there is none.
    """

    title: str
    x_title: str
    y_title: str
    xs: Sequence[str]
    positions: Sequence[float] | None
    lines: Mapping[str, Sequence[Interval | None]]


def svg(chart: Chart) -> str:
    """Return the chart as an SVG document."""
    at_x, (low, high) = _places(chart), _range(chart)
    step = _round_step((high - low) / TICKS)
    low, high = step * math.floor(low / step), step * math.ceil(high / step)

    def at_y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 24, chart.title, size=14),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, chart.x_title, anchor="middle"),
        _text(LEFT, 42, chart.y_title),
    ]
    for k in range(round((high - low) / step) + 1):
        value = low + k * step
        parts.append(_line(LEFT, at_y(value), WIDTH - RIGHT, at_y(value), "#000000" if abs(value) < step / 2 else "#dddddd"))
        parts.append(_text(LEFT - 8, at_y(value) + 4, f"{value:,.10g}", anchor="end"))
    parts += [_text(x, HEIGHT - BOTTOM + 20, name, anchor="middle") for x, name in zip(at_x, chart.xs, strict=True)]
    for number, (name, figures) in enumerate(chart.lines.items()):
        colour, shift = COLOURS[number % len(COLOURS)], 3.0 * (number - (len(chart.lines) - 1) / 2)
        points = [(x + shift, f) for x, f in zip(at_x, figures, strict=True) if f is not None and math.isfinite(f.estimate)]
        path = " ".join(f"{x:.1f},{at_y(f.estimate):.1f}" for x, f in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        for x, f in points:
            parts.append(_line(x, at_y(f.low), x, at_y(f.high), colour))
            parts.append(f'<circle cx="{x:.1f}" cy="{at_y(f.estimate):.1f}" r="3" fill="{colour}"/>')
        y = TOP + 18 * number
        parts.append(f'<rect x="{WIDTH - RIGHT + 16}" y="{y}" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 32, y + 10, name))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _places(chart: Chart) -> list[float]:
    """Return where the places lie along x, in drawing units."""
    given = chart.positions if chart.positions is not None else range(len(chart.xs))
    least, most = min(given), max(given)
    inside = (WIDTH - RIGHT - LEFT) - 60
    return [LEFT + 30 + ((p - least) / (most - least) if most > least else 0.5) * inside for p in given]


def _range(chart: Chart) -> tuple[float, float]:
    """Return the least and the largest value, zero included."""
    found = [v for line in chart.lines.values() for f in line if f is not None for v in (f.estimate, f.low, f.high)]
    finite = [0.0, *(v for v in found if math.isfinite(v))]
    low, high = min(finite), max(finite)
    return (low, high) if high > low else (0.0, 1.0)


def _round_step(rough: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten.

    >>> _round_step(0.3), _round_step(1.1), _round_step(60.0)
    (0.5, 2.0, 100.0)
    """
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * k for k in (1.0, 2.0, 5.0, 10.0) if power * k >= rough * (1 - 1e-9))


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'
