"""The award of local availability in a step, by the law of `stacking.gates.awarding`; what is not awarded is returned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stacking import codes
from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.gates.awarding import award as award_availability
from stacking.state import column
from stacking.units import MTU_H

from .books import Books


def award(books: Books, gate: NDArray[np.int64]) -> None:
    """Award what the DSO asks for; the cut of each offer is what was refused of it."""
    lead, count = int(gate[s.LEAD]), int(gate[s.COUNT])
    before = _offered(books, lead, count)
    award_availability(
        gate, books.now, books.tick + lead, books.rules, books.engine.compiled.curves[c.LFM], books.spans, books.local,
        books.local_hourly, books.background_priority, books.priority, books.params, books.ring, books.offers, books.spare,
        books.flow,
    )  # fmt: skip
    cut = before - _offered(books, lead, count)
    books.flow[:] = 0.0
    for k in range(count):
        for d in range(2):
            books.flow[:, f.REFUSED + codes.NOT_AWARDED] = np.maximum(cut[:, k, d], 0.0) * MTU_H
            books.note_refusals(c.LFM, d, lead + k)


def _offered(books: Books, lead: int, count: int) -> NDArray[np.float64]:
    """Return the local offers of a block, (F, MTU, direction) MW."""
    cells = books.ring[:, s.BOOK : s.PLAN].reshape(len(books.ring), s.SLOTS, s.BOOK_W).astype(np.float64)
    first = books.slot(books.tick + lead)
    return cells[:, first : first + count, [column(c.LFM, s.OFFERED, d) for d in range(2)]]
