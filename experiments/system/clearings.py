"""What happened at the clearings of each step: the laws of the engine once more on the books that they met, and compared.

A result that the engine does not confirm is an error: sums, sales of each portfolio, and prices must be the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.config import Design
from stacking.engine import Engine, Snapshot
from stacking.errors import StackingError
from stacking.invariants.step import Step
from stacking.lookahead import column
from stacking.observe import is_due

from .availability import award
from .balancing_market import clear_balancing, match
from .books import FLOAT, Books, Outcome, Shelf
from .forwarding_gate import forward, resell
from .joint_market import procure_jointly
from .local_market import look_locally

TOLERANCE = 1e-5  # MWh, MW, EUR/MWh, EUR

SUMS = (
    ("need_lfm_mwh", f.NEED_LFM_MWH), ("accepted_lfm_mwh", f.ACCEPTED_LFM_MWH), ("background_lfm_mwh", f.BACKGROUND_LFM_MWH),
    ("unserved_lfm_mwh", f.UNSERVED_LFM_MWH), ("need_mfrr_mwh", f.NEED_MFRR_MWH), ("accepted_mfrr_mwh", f.ACCEPTED_MFRR_MWH),
    ("background_mfrr_mwh", f.BACKGROUND_MFRR_MWH), ("unserved_mfrr_mwh", f.UNSERVED_MFRR_MWH), ("counter_eur", f.COUNTER_EUR),
)  # fmt: skip


class Clearings:
    """Runs the clearings of each step of an engine again; make it after `engine.reset`.

    Args:
        engine: whose steps are looked at.
    """

    def __init__(self, engine: Engine) -> None:
        check_known(engine.design)
        self.engine, self.shelf = engine, Shelf(engine)

    def of(self, before: Snapshot, action: FLOAT, offered: Snapshot | None = None) -> dict[int, Outcome]:
        """Return what the clearings of the last step came to, by world that moved.

        Args:
            before: the engine's snapshot before that step.
            action: (B, F, ACTIONS_W) its decisions.
            offered: state of `shelf.offered`, if that is known.

        Raises:
            StackingError: if the engine bought something else, as under a design that clears in another way.
        """
        step, offered = Step(self.engine, before), offered or self.shelf.offered(before, action)
        found = {}
        for world in (int(b) for b in np.flatnonzero(step.moved)):
            books = self.shelf.books(offered, world, int(step.tick[world]))
            _run_gates(books)
            _confirm(step, books)
            found[world] = books.out
        return found


def check_known(design: Design) -> None:
    """Demand a design whose clearings are known here.

    Raises:
        StackingError: for a local market of the day before, whose books are kept by the hour.
    """
    clock = design.products["lfm"].gate_clock
    if clock is not None:
        raise StackingError(
            "The system side is not measured of a local market of the day before.", place=f"design {design.name}",
            key="products.lfm.gate_clock", value=clock, allowed="designs whose gates lie within hours of delivery",
            remedy="Leave it out, or compare what FSPs earn with stacking compare.",
        )  # fmt: skip


def _run_gates(books: Books) -> None:
    """Let the gates of a world clear and pass on, in their order."""
    engine, library, tick = books.engine, books.engine.library, books.tick
    k = int(engine.scenario[books.world])
    day, length = library.calendar[k, tick], int(library.length[k])
    gates = [gate for gate in engine.compiled.gates if gate[s.KIND] >= s.AWARD and is_due(gate, day, tick, length)]
    sold = {
        int(gate[s.LEAD]): np.stack([books.sold(c.LFM, d, tick + int(gate[s.LEAD])) for d in range(2)], axis=1)
        for gate in gates if gate[s.KIND] == s.MATCH
    }  # fmt: skip
    acts: dict[int, Callable[[Books, NDArray[np.int64]], None]] = {
        s.AWARD: award, s.RESELL: resell, s.FORWARD: forward, s.JOINT: procure_jointly,
        s.MATCH: lambda books, gate: match(books, gate, sold[int(gate[s.LEAD])]),
        s.CLEAR: lambda books, gate: (look_locally if gate[s.MARKET] == c.LFM else clear_balancing)(books, gate),
    }  # fmt: skip
    for gate in gates:
        acts[int(gate[s.KIND])](books, gate)


def _confirm(step: Step, books: Books) -> None:
    """Compare with what the engine holds after the step."""
    engine, world = step.engine, books.world
    for name, at in (*SUMS, *((("violated_mwh", f.VIOLATED_MWH),) if step.design.joint else ())):
        _same(step, books, name, books.out.sums[at], step.market[world, at])
    columns = [column(ledger, s.SOLD, d) for ledger in range(c.LEDGERS_W) for d in range(2)]
    columns += [column(c.FORWARDED, s.OFFERED, d) for d in range(2)]
    ours, told = (
        ring[:, s.BOOK : s.PLAN].reshape(engine.rows, s.SLOTS, s.BOOK_W)[..., columns].astype(np.float64)
        for ring in (books.ring, engine.ring[world])
    )  # fmt: skip
    _same(step, books, "MW sold by portfolio, MTU and book", ours, told)
    for name, first in (("moved by local markets", s.SHIFT), ("bought from a shared book", s.MATCHED),
                        ("price up", s.CLEARED_UP), ("price down", s.CLEARED_DN)):  # fmt: skip
        part = slice(first, first + s.SLOTS)
        _same(step, books, name, books.balance[part], engine.world[world, part])
    if step.design.joint:
        _same(step, books, "prices of areas", books.prices[:, : s.SLOTS], engine.prices[world, :, : s.SLOTS])


def _same(step: Step, books: Books, name: str, ours: FLOAT | float, told: FLOAT | float) -> None:
    """Demand that two results agree."""
    ours, told = np.atleast_1d(ours), np.atleast_1d(told)
    apart = np.abs(ours - told) > TOLERANCE * np.maximum(1.0, np.abs(told))
    if apart.any():
        raise StackingError(
            "The engine bought something else than its books say.", value=f"{ours[apart][0]!r} against {told[apart][0]!r}",
            place=f"design {step.design.name}, world {books.world}, tick {books.tick}", key=name,
            allowed="designs whose gates clear as those of stacking/gates/clearing.py",
            remedy="The system side cannot be measured for this design.",
        )  # fmt: skip
