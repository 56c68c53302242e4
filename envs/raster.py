"""A small canvas: rectangles, step lines and capitals on an array of pixels. The same bytes on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]

WHITE: Color = (255, 255, 255)
BLACK: Color = (25, 25, 25)
GREY: Color = (150, 150, 150)
PALE: Color = (228, 228, 228)

GLYPH_W, GLYPH_H, ZOOM = 3, 5, 2
ADVANCE, LINE = (GLYPH_W + 1) * ZOOM, GLYPH_H * ZOOM  # pixels from one letter to the next, height of a line

GLYPHS = {
    "A": "757 55", "B": "656 56", "C": "344 43", "D": "655 56", "E": "746 47", "F": "746 44", "G": "345 53", "H": "557 55",
    "I": "722 27", "J": "111 52", "K": "556 55", "L": "444 47", "M": "577 55", "N": "655 55", "O": "255 52", "P": "656 44",
    "Q": "255 63", "R": "656 55", "S": "342 16", "T": "722 22", "U": "555 57", "V": "555 52", "W": "557 75", "X": "552 55",
    "Y": "552 22", "Z": "712 47", "0": "755 57", "1": "262 27", "2": "717 47", "3": "717 17", "4": "557 11", "5": "747 17",
    "6": "747 57", "7": "711 22", "8": "757 57", "9": "757 17", ".": "000 02", ",": "000 24", ":": "020 20", "-": "007 00",
    "+": "027 20", "/": "112 44", "(": "244 42", ")": "211 12", "%": "512 45", "_": "000 07", " ": "000 00", "?": "712 02",
}  # fmt: skip
"""Rows of three pixels from the top, each as an octal digit."""


def _bitmap(rows: str) -> NDArray[np.bool_]:
    digits = [int(digit) for digit in rows.replace(" ", "")]
    small = np.array([[digit >> 2 & 1, digit >> 1 & 1, digit & 1] for digit in digits], np.bool_)
    return small.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)


BITMAPS = {letter: _bitmap(rows) for letter, rows in GLYPHS.items()}


class Canvas:
    """Pixels (height, width, 3), white at first; positions are pixels from the upper left; the outside is left out."""

    def __init__(self, width: int, height: int) -> None:
        self.pixels = np.full((height, width, 3), 255, np.uint8)

    def fill(self, left: int, top: int, right: int, bottom: int, color: Color) -> None:
        """Fill a rectangle; right and bottom are not part of it."""
        self.pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = color

    def text(self, left: int, top: int, words: str, color: Color = BLACK) -> None:
        """Write words in capitals; letters that are not there become question marks."""
        for k, letter in enumerate(words.upper()):
            glyph = BITMAPS.get(letter, BITMAPS["?"])
            at = self.pixels[top : top + LINE, left + k * ADVANCE : left + k * ADVANCE + GLYPH_W * ZOOM]
            at[glyph[: at.shape[0], : at.shape[1]]] = color

    def steps(self, edges: Sequence[int], heights: Sequence[int], color: Color, width: int = 2) -> None:
        """Draw a step line: height k from edge k to edge k + 1, with risers between."""
        before = heights[0]
        for k, height in enumerate(heights):
            self.fill(edges[k], height, edges[k + 1] + width, height + width, color)
            self.fill(edges[k], min(before, height), edges[k] + width, max(before, height) + width, color)
            before = height


def text_width(words: str) -> int:
    """Return how wide words are, pixels."""
    return len(words) * ADVANCE
