"""Plain-text tables: figures with intervals, as wide as the terminal, columns moved to further blocks where it is narrow."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence

from .stats import Interval

WIDTH = 140
"""Width where nothing tells how wide the reader's screen is (a pipe, a file)."""

NOTHING = 1e-6
"""Below this a figure (EUR, MWh) is printed as 0: rounding noise of sums; the stored rows keep it."""


def number(value: float) -> str:
    """Return a figure with the digits that a reader can use.

    >>> [number(x) for x in (12345.6, -23.45, 1.234, 0.00123, 1e-12, float("nan"))]
    ['12,346', '-23.4', '1.23', '0.0012', '0', '-']
    """
    if math.isnan(value):
        return "-"
    size = abs(value)
    if size < NOTHING:
        return "0"
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}" if size >= 0.01 else f"{value:.2g}"


def percent(value: float) -> str:
    """Return a share as per cent.

    >>> percent(0.4567), percent(0.0)
    ('45.7 %', '0 %')
    """
    return "-" if math.isnan(value) else "0 %" if value == 0.0 else f"{100 * value:.1f} %"


def bracketed(figure: Interval | None) -> str:
    """Return "estimate [low, high]".

    >>> bracketed(Interval(120.0, 100.4, 140.0, 0.95, 30))
    '120 [100, 140]'
    """
    if figure is None or math.isnan(figure.estimate):
        return "-"
    if figure.high - figure.low < NOTHING:
        return number(figure.estimate)
    return f"{number(figure.estimate)} [{number(figure.low)}, {number(figure.high)}]"


def plus_minus(figure: Interval | None) -> str:
    """Return "estimate ±half the width of the interval".

    >>> plus_minus(Interval(120.0, 100.0, 140.0, 0.95, 30))
    '120 ±20.0'
    """
    if figure is None or math.isnan(figure.estimate):
        return "-"
    half = 0.5 * (figure.high - figure.low)
    return number(figure.estimate) + (f" ±{number(half)}" if half >= NOTHING else "")


def share(figure: Interval | None) -> str:
    """Return "50 % ±10" (in per cent), with a decimal where the interval is narrow.

    >>> share(Interval(0.5, 0.4, 0.6, 0.95, 30)), share(Interval(0.5, 0.499, 0.501, 0.95, 30))
    ('50 % ±10', '50.0 % ±0.1')
    """
    if figure is None or math.isnan(figure.estimate):
        return "-"
    half = 50.0 * (figure.high - figure.low)
    if half >= 2.0:
        return f"{100 * figure.estimate:.0f} % ±{half:.0f}"
    return percent(figure.estimate) + (f" ±{half:.1f}" if half >= 0.05 else "")


def screen_width() -> int:
    """Return the width to write for."""
    return max(60, shutil.get_terminal_size((WIDTH, 40)).columns)


def render(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None = None, left: int = 1) -> str:
    """Return an aligned table; columns that do not fit follow in further blocks that repeat the first column.

    Args:
        header: column titles.
        rows: cells; a row of one cell is a heading inside the table.
        width: of the screen; asked from the terminal by default.
        left: how many columns are aligned to the left.

    >>> print(render(["name", "x"], [["a", "1"], ["b", "22"]]))
    name   x
    --------
    a      1
    b     22
    """
    width = screen_width() if width is None else width
    full = [header, *(row for row in rows if len(row) > 1)]
    sizes = [max(len(row[k]) for row in full) for k in range(len(header))]
    blocks, used = [[0]], sizes[0]
    for k in range(1, len(header)):
        if used + 2 + sizes[k] > width and len(blocks[-1]) > 1:
            blocks.append([0])
            used = sizes[0]
        blocks[-1].append(k)
        used += 2 + sizes[k]
    return "\n\n".join(_block(header, rows, sizes, block, left) for block in blocks)


def _block(header: Sequence[str], rows: Sequence[Sequence[str]], sizes: Sequence[int], columns: Sequence[int], left: int) -> str:
    def line(cells: Sequence[str]) -> str:
        padded = (cells[k].ljust(sizes[k]) if k < left else cells[k].rjust(sizes[k]) for k in columns)
        return "  ".join(padded).rstrip()

    rule = "-" * (sum(sizes[k] for k in columns) + 2 * (len(columns) - 1))
    return "\n".join([line(header), rule, *(row[0] if len(row) == 1 else line(row) for row in rows)])


def wrapped(text: str, *, indent: str = "", width: int | None = None) -> str:
    """Return a paragraph broken into lines; continuation lines are indented."""
    import textwrap

    return textwrap.fill(text, min(width or screen_width(), 110), subsequent_indent=indent, break_on_hyphens=False)
