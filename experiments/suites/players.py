"""Who plays in a test: the reference, tuned rivals and trained policies, also those of other cells."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stacking.errors import StackingError

from ...agents.parameters import read_tuned
from ...agents.strategies import Strategy, make_strategy
from ...envs.learned import Learned
from ...envs.policy import load_policy
from ..runner import REFERENCE
from ..strategy_input import file_hash, one_strategy
from .plan import Part, policy_file, rival_file
from .record import Cell, Suite, Test


@dataclass(frozen=True)
class Player:
    """One player of a test.

    Attributes:
        name: of training, rival or reference.
        kind: reference, rival or trained.
        steps: its budget, 0 of the reference; seed: of the training, None of others.
        cell: where it was tuned or trained; "" of the reference.
        file: its policy or parameters.
        entered: of an entry, the strategy that was named.
    """

    name: str
    kind: Literal["reference", "rival", "trained", "entry"]
    steps: int = 0
    seed: int | None = None
    cell: str = ""
    file: Path | None = None
    entered: str = ""

    def folder(self, cell: str) -> str:
        """Return the name of the folder for its rows in a cell."""
        parts = [self.name, *([str(self.steps)] if self.steps else []), *([] if self.seed is None else [f"seed{self.seed}"])]
        return "-".join(parts) + (f"-from-{self.cell}" if self.cell not in ("", cell) else "")

    def strategy(self) -> Strategy:
        """Return what decides.

        Raises:
            StackingError: if its file is not valid.
        """
        if self.entered:
            return one_strategy(self.entered)[0]
        if self.file is None:
            return make_strategy(self.name)
        if self.kind == "trained":
            return Learned(load_policy(self.file), name=self.name)
        name, parameters = read_tuned(self.file)
        if name != self.name:
            raise StackingError("The parameters are of another strategy.", place=str(self.file), key="strategy", value=name,
                                allowed=self.name)  # fmt: skip
        return make_strategy(name, **parameters)

    def described(self) -> dict[str, Any]:
        """Return what its rows hang on, as plain data."""
        content = None if self.file is None else file_hash(self.file)
        plain = {key: value for key, value in dataclasses.asdict(self).items() if key != "file"}
        return {**plain, "entered": Path(self.entered).name, "sha256": content}


def players_of(suite: Suite, part: Part, cell: Cell, out: Path) -> list[Player]:
    """Return the reference and who was tuned and trained in a cell.

    Raises:
        StackingError: if a file of one of them is not there.
    """
    found = [Player(REFERENCE, "reference")]
    for steps in part.steps_of(suite):
        found += [
            Player(rival.name, "rival", steps, None, cell.name, rival_file(out, cell.name, steps, rival.name))
            for rival in suite.rival
        ]
        found += [
            Player(chosen.name, "trained", steps, seed, cell.name, policy_file(out, cell.name, steps, chosen.name, seed))
            for chosen in suite.training
            for seed in part.seeds_of(suite)
        ]
    missing = [player for player in found if player.file is not None and not player.file.is_file()]
    if missing:
        raise StackingError(
            "The test split is opened when everything is trained and tuned, and something is missing.", place="stacking suite",
            key=f"{cell.name}: {missing[0].name}", value=f"{len(missing)} missing, first {missing[0].file}",
            remedy="Run the stages train and tune first (same --only, --steps, --seeds), or name a part that is complete.",
        )  # fmt: skip
    return found


def visitors_of(suite: Suite, part: Part, cell: Cell, test: Test, cells: tuple[Cell, ...], out: Path) -> list[Player]:
    """Return the trained policies of other designs that play in a cell too: same portfolio, label, world and price files."""
    if not test.cross:
        return []
    alike = [c for c in cells if c.name != cell.name and _kind(c) == _kind(cell)]
    return [p for c in alike for p in players_of(suite, part, c, out) if p.kind == "trained"]


def _kind(cell: Cell) -> tuple[object, ...]:
    return cell.portfolio, cell.label, cell.world, cell.prices
