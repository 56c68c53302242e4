"""The forward gate of a step, direction by direction, so that what it refuses is known by bid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import state as s
from stacking.gates.forwarding import forward_unsold
from stacking.gates.reselling import resell as sell_intraday
from stacking.lookahead import column

from .books import Books


def forward(books: Books, gate: NDArray[np.int64]) -> None:
    """Forward what is unsold; the other direction is hidden while one is passed on, which changes nothing for either."""
    source, target = int(gate[s.LEDGER]), int(gate[s.TARGET])
    product = books.engine.compiled.products[int(gate[s.MARKET])]
    for lead, d in _directions(books, gate):
        forward_unsold(
            source, target, books.slot(books.tick + lead), 1, int(gate[s.KNOWN_MIN]), product, books.rules, books.params,
            books.priority, books.ring, books.offers, books.spare, books.flow, books.work,
        )  # fmt: skip
        books.note_refusals(c.FORWARDED, d, lead)


def resell(books: Books, gate: NDArray[np.int64]) -> None:
    """Sell intraday what is unsold and meets its price, direction by direction."""
    for lead, d in _directions(books, gate):
        sell_intraday(
            books.now, books.tick + lead, 1, books.rules, books.series, books.params, books.ring, books.fleets, books.loads,
            books.flow, books.work,
        )  # fmt: skip
        books.note_refusals(c.LFM, d, lead)


def _directions(books: Books, gate: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Give MTU ahead and direction of a gate, with the local offers of the other direction hidden meanwhile."""
    for lead in range(int(gate[s.LEAD]), int(gate[s.LEAD]) + int(gate[s.COUNT])):
        for d in range(2):
            at = s.BOOK + books.slot(books.tick + lead) * s.BOOK_W + column(c.LFM, s.OFFERED, 1 - d)
            hidden = books.ring[:, at].copy()
            books.ring[:, at] = 0.0
            yield lead, d
            books.ring[:, at] = hidden
