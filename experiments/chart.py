"""A chart of lines with intervals as SVG text: no dependency, and the same bytes for the same figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from .stats import Interval

PLOT_END, HEIGHT = 560, 420
LEFT, TOP, BOTTOM = 80, 50, 60
LETTER = 7.0  # width of one letter of the legend, about
LEGEND_ROW = 18
NEAREST = 24.0  # places that would lie closer than this are put at equal distances
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")  # told apart by the colour-blind
DASHES = ("none", "6 3", "2 2")  # where there are more lines than colours
TICKS = 5


@dataclass(frozen=True)
class Chart:
    """What is drawn.

    Attributes:
        title: above.
        x_title: below.
        y_title: at the left, with unit.
        xs: names of the places along x; a place without one needs no room, so it may lie near others.
        positions: of the places, in units of x; None for equal distances.
        lines: name -> one figure per place, None where there is none.
        bands: name of a line -> (low, high) per place, drawn as an area behind it.
        more: name of a line -> further values per place, drawn as open circles.
        joined: whether a line joins its places; not where they are things of which none is between two others.
    """

    title: str
    x_title: str
    y_title: str
    xs: Sequence[str]
    positions: Sequence[float] | None
    lines: Mapping[str, Sequence[Interval | None]]
    bands: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    more: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    joined: bool = True


def positions_of(values: Sequence[object]) -> list[float] | None:
    """Return where values lie along x: at themselves if all are numbers, else None."""
    plain = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return plain if len(plain) == len(values) else None


def svg(chart: Chart) -> str:
    """Return the chart as an SVG document."""
    (at_x, scaled), (low, high) = _places(chart), _range(chart)
    width = PLOT_END + 40 + LETTER * max((len(name) for name in chart.lines), default=0)
    slanted, told = _slant(chart), chart.x_title + ("" if scaled else " (not to scale)")
    height = max(HEIGHT + slanted, TOP + LEGEND_ROW * len(chart.lines) + 10)
    step = _round_step((high - low) / TICKS)
    low, high = step * math.floor(low / step), step * math.ceil(high / step)

    def at_y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width:.0f}" height="{height}" fill="white"/>',
        _text(LEFT, 24, chart.title, size=14),
        _text((LEFT + PLOT_END) / 2, HEIGHT + slanted - 14, told, anchor="middle"),
        _text(LEFT, 42, chart.y_title),
    ]
    for k in range(round((high - low) / step) + 1):
        value = low + k * step
        parts.append(_line(LEFT, at_y(value), PLOT_END, at_y(value), "#000000" if abs(value) < step / 2 else "#dddddd"))
        parts.append(_text(LEFT - 8, at_y(value) + 4, f"{value:,.10g}", anchor="end"))
    parts += [_place_name(x, HEIGHT - BOTTOM + 20, name, slanted > 0) for x, name in zip(at_x, chart.xs, strict=True)]
    for number, (name, figures) in enumerate(chart.lines.items()):
        shift = 3.0 * (number - (len(chart.lines) - 1) / 2)
        parts += _band_of(chart.bands.get(name, ()), [x + shift for x in at_x], at_y, number)
        parts += _line_of(name, figures, at_x, at_y, number, shift, chart.joined)
        for x, values in zip(at_x, chart.more.get(name, ()), strict=False):
            parts += [
                f'<circle cx="{x + shift:.1f}" cy="{at_y(v):.1f}" r="4" fill="none" stroke="{colour_of(number)}"/>'
                for v in values
            ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def colour_of(number: int) -> str:
    """Return the colour of a line."""
    return COLOURS[number % len(COLOURS)]


def _band_of(
    ranges: Sequence[tuple[float, float]], at_x: Sequence[float], at_y: Callable[[float], float], number: int
) -> list[str]:
    """Return the area between low and high along x, where they are finite."""
    ends = [(x, low, high) for x, (low, high) in zip(at_x, ranges, strict=False) if math.isfinite(low) and math.isfinite(high)]
    if not ends:
        return []
    there = [f"{x:.1f},{at_y(high):.1f}" for x, _, high in ends]
    back = [f"{x:.1f},{at_y(low):.1f}" for x, low, _ in ends]
    return [f'<polygon points="{" ".join([*there, *back[::-1]])}" fill="{colour_of(number)}" fill-opacity="0.15"/>']


def _line_of(
    name: str,
    figures: Sequence[Interval | None],
    at_x: Sequence[float],
    at_y: Callable[[float], float],
    number: int,
    shift: float,
    joined: bool,
) -> list[str]:
    """Return one line with its points, intervals and row of the legend."""
    colour, dash = colour_of(number), DASHES[number // len(COLOURS) % len(DASHES)]
    points = [(x + shift, f) for x, f in zip(at_x, figures, strict=True) if f is not None and math.isfinite(f.estimate)]
    path = " ".join(f"{x:.1f},{at_y(f.estimate):.1f}" for x, f in points)
    stroke = f'stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dash}"'
    parts = [f'<polyline points="{path}" fill="none" {stroke}/>'] if joined else []
    for x, f in points:
        parts.append(_line(x, at_y(f.low), x, at_y(f.high), colour))
        parts.append(f'<circle cx="{x:.1f}" cy="{at_y(f.estimate):.1f}" r="3" fill="{colour}"/>')
    y = TOP + LEGEND_ROW * number + 5
    parts.append(f'<path d="M {PLOT_END + 8} {y} h 20" {stroke}/>')
    parts.append(_text(PLOT_END + 32, y + 4, name))
    return parts


def _places(chart: Chart) -> tuple[list[float], bool]:
    """Return where the places lie along x, in drawing units, and whether they lie to scale."""
    inside = PLOT_END - LEFT - 60
    given = [float(k) for k in range(len(chart.xs))] if chart.positions is None else [float(p) for p in chart.positions]
    span = max(given) - min(given)
    named = sorted(p for p, name in zip(given, chart.xs, strict=True) if name)
    near = span > 0.0 and min((b - a for a, b in pairwise(named)), default=span) / span * inside < NEAREST
    if chart.positions is not None and near:
        given, span = [float(k) for k in range(len(given))], float(len(given) - 1)
    least = min(given)
    return [LEFT + 30 + ((p - least) / span if span > 0 else 0.5) * inside for p in given], not (chart.positions and near)


def _slant(chart: Chart) -> int:
    """Return the room that names of things need below because they stand too close to be written level, 0 if they do not."""
    longest = LETTER * max(len(name) for name in chart.xs)
    return 0 if chart.joined or longest * len(chart.xs) <= PLOT_END - LEFT else round(0.87 * longest)


def _place_name(x: float, y: float, name: str, slanted: bool) -> str:
    level = _text(x, y, name, anchor="end" if slanted else "middle")
    return level.replace("<text ", f'<text transform="rotate(-60 {x:.1f} {y:.1f})" ', 1) if slanted else level


def _range(chart: Chart) -> tuple[float, float]:
    """Return the least and the largest value, zero included."""
    found = [v for line in chart.lines.values() for f in line if f is not None for v in (f.estimate, f.low, f.high)]
    found += [v for band in chart.bands.values() for ends in band for v in ends]
    found += [v for line in chart.more.values() for values in line for v in values]
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
