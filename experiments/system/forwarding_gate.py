"""The forward gate of a step, direction by direction, so that what it refuses is known by bid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import state as s
from stacking.forwarding import forward_unsold
from stacking.lookahead import column

from .books import Books


def forward(books: Books, gate: NDArray[np.int64]) -> None:
    """Forward what is unsold; the other direction is hidden while one is passed on, which changes nothing for either."""
    source, target = int(gate[s.LEDGER]), int(gate[s.TARGET])
    product = books.engine.compiled.products[int(gate[s.MARKET])]
    for lead in range(int(gate[s.LEAD]), int(gate[s.LEAD]) + int(gate[s.COUNT])):
        slot = books.slot(books.tick + lead)
        for d in range(2):
            other = books.ring[:, s.BOOK + slot * s.BOOK_W + column(source, s.OFFERED, 1 - d)]
            hidden = other.copy()
            other[:] = 0.0
            forward_unsold(
                source, target, slot, 1, int(gate[s.KNOWN_MIN]), product, books.rules, books.params, books.priority,
                books.ring, books.offers, books.spare, books.flow, books.work,
            )  # fmt: skip
            other[:] = hidden
            books.note_refusals(c.FORWARDED, d, lead)
