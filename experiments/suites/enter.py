"""Strategies of one's own in the tests of a suite: what another project brings, as one submission."""

from __future__ import annotations

from pathlib import Path

from stacking.errors import StackingError

from ..strategy_input import one_strategy
from .plan import Part, price_paths
from .play import Opening, Say, play_cell
from .players import Player
from .record import Cell, Suite
from .submissions import Submission, submissions_of

CELL, SEED = "{cell}", "{seed}"


def enter(
    name: str, suite: Suite, part: Part, spec: str, label: str, steps: int, out: Path, data: Path | None, say: Say
) -> Submission:  # fmt: skip
    """Let a strategy play the tests of a suite.

    Args:
        name, suite, part: of the suite.
        spec: strategy, FILE.py:Class or FILE.npz; {cell} and {seed} in it stand for the cell and the training seed, so that
            "runs/{cell}/seed-{seed}/policy.npz" is a policy for each.
        label: name in the table.
        steps: with which it was trained or tuned, a budget of the suite; 0 if not.
        out: folder for rows; data: folder of price files.
        say: told how far it is.

    Raises:
        StackingError: for a strategy that is not there, before any test scenario is looked at.
    """
    if steps and steps not in suite.steps:
        raise StackingError("The suite has no such budget.", key="--steps", value=steps,
                            allowed=f"0, {', '.join(map(str, suite.steps))}")  # fmt: skip
    cells = part.cells_of(suite)
    if SEED in spec and not part.seeds_of(suite):
        raise StackingError("A policy for each training seed was entered, and no seed.", key="--seeds", value=0, allowed=">= 1")
    players = {cell.name: _players(suite, part, cell, spec, label, steps) for cell in cells}
    for own in players.values():
        for player in own:
            player.strategy()
    opening = Opening(out, suite)
    played = []
    for cell in cells:
        for test in cell.tests:
            prices = price_paths(test.prices, data)
            if prices is None:
                say(f"Left out: {cell.name}, test {test.name}: no {', '.join(test.prices)} in --data")
                continue
            played += play_cell(cell, test, prices, players[cell.name], out, opening, say)
    if not played:
        raise StackingError("Nothing was played.", key="--only", remedy="Name cells with tests whose price files are there.")
    (submission,) = submissions_of(name, suite, played)
    return submission


def _players(suite: Suite, part: Part, cell: Cell, spec: str, label: str, steps: int) -> list[Player]:
    """Return one player, or one for each seed."""
    seeds = list(part.seeds_of(suite)) if SEED in spec else [None]
    out = []
    for seed in seeds:
        text = spec.replace(CELL, cell.name).replace(SEED, str(seed))
        one_strategy(text)
        file = Path(text.rpartition(":")[0] if ":" in text else text).expanduser()
        out.append(Player(label, "entry", steps, seed, cell.name if CELL in spec else "", file if file.is_file() else None, text))
    return out
