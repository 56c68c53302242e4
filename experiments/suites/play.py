"""The stage that opens the test split: everybody plays the same scenarios, and the rows are kept player by player."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stacking import __version__
from stacking.errors import StackingError
from stacking.layout import LAYOUT_VERSION

from ...envs.config import EnvConfig, env_config
from ...envs.scene import Scene, build_scene
from ..store import MANIFEST, read_results, replace_file, write_results
from ..strategy_input import file_hash
from ..training.validation import episodes
from .plan import Part, price_paths
from .players import Player, players_of, visitors_of
from .record import Cell, Suite, Test, suite_hash

OPENED = "test-opened.json"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Played:
    """Rows of one player in one test of a cell, in the order of the scenarios."""

    cell: Cell
    test: Test
    player: Player
    rows: pd.DataFrame


@dataclass(frozen=True)
class Tested:
    """All rows, what was left out, and how often the test split was opened for them."""

    played: tuple[Played, ...]
    skipped: tuple[str, ...]
    times: int


def test_config(cell: Cell, test: Test, prices: tuple[str, ...]) -> EnvConfig:
    """Return the settings of the environment in which a test is played."""
    source: dict[str, Any] = {"prices": prices} if prices else {"scenarios": test.scenarios}
    return env_config(None, {
        "design": cell.design, "portfolio": cell.portfolio, "days": test.days, "split": test.split, "scenario_seed": test.seed,
        "world": test.world or cell.world, **source,
    })  # fmt: skip


def play_tests(suite: Suite, part: Part, out: Path, data: Path | None, say: Say) -> Tested:
    """Play what is not kept yet, and return all rows.

    Raises:
        StackingError: if anybody is missing who should play, before any test scenario is looked at.
    """
    cells, skipped = part.cells_of(suite), []
    there = [cell for cell in cells if price_paths(cell.prices, data) is not None]
    skipped += [f"cell {cell.name}: no {', '.join(cell.prices)} in --data" for cell in cells if cell not in there]
    wanted: list[tuple[Cell, Test, tuple[str, ...], list[Player]]] = []
    for cell in there:
        own = players_of(suite, part, cell, out)
        for test in cell.tests:
            prices = price_paths(test.prices, data)
            if prices is None:
                skipped.append(f"{cell.name}, test {test.name}: no {', '.join(test.prices)} in --data")
                continue
            wanted.append((cell, test, prices, [*own, *visitors_of(suite, part, cell, test, tuple(there), out)]))
    found: list[Played] = []
    opening = Opening(out, suite)
    for cell, test, prices, players in wanted:
        found += play_cell(cell, test, prices, players, out, opening, say)
    return Tested(tuple(found), tuple(skipped), opening.times)


def play_cell(
    cell: Cell, test: Test, prices: tuple[str, ...], players: list[Player], out: Path, opening: Opening, say: Say
) -> list[Played]:  # fmt: skip
    """Return the rows of players in one test of a cell; what is kept from the same inputs is not played again."""
    scene: Scene | None = None
    found = []
    fresh = 0
    for player in players:
        folder = out / "tests" / test.name / cell.name / player.folder(cell.name)
        inputs = inputs_of(cell, test, prices, player)
        rows = kept_rows(folder, inputs)
        if rows is None:
            opening.note()
            scene = scene or build_scene(test_config(cell, test, prices))
            rows = episodes(scene, scene.library, player.strategy())
            keys = [str(key) for key in scene.library.keys]
            write_results(folder, {"episodes": rows}, {"configuration": inputs, "seeds": [test.seed], "scenario_keys": keys,
                                                       "notes": list(scene.library.notes)})  # fmt: skip
            fresh += 1
        found.append(Played(cell, test, player, rows))
    say(f"{cell.name}, test {test.name}: {fresh} of {len(players)} played, the others are kept, "
        f"{len(found[0].rows)} scenarios of {test.days} day(s)")  # fmt: skip
    return found


def inputs_of(cell: Cell, test: Test, prices: tuple[str, ...], player: Player) -> dict[str, Any]:
    """Return what the rows of a player hang on, as plain data."""
    settings = test.model_dump(mode="json") | {"prices": {Path(path).name: file_hash(path) for path in prices}}
    return {
        "cell": cell.name, "design": _content(cell.design), "portfolio": _content(cell.portfolio),
        "world": test.world or cell.world, "test": settings,
        "player": player.described(), "version": __version__, "layout_version": LAYOUT_VERSION,
    }  # fmt: skip


def _content(name: str) -> str:
    """Return a name as it is, of a file its content's hash."""
    return file_hash(name) if name.endswith(".toml") else name


def kept_rows(folder: Path, inputs: dict[str, Any]) -> pd.DataFrame | None:
    """Return rows that were played before from the same inputs, None if there are none.

    Raises:
        StackingError: if what lies there is damaged.
    """
    if not (folder / MANIFEST).is_file():
        return None
    kept = read_results(folder)
    same = kept.manifest["configuration"] == json.loads(json.dumps(inputs))
    return kept.frames["episodes"] if same else None


class Opening:
    """The record of how often the test split was opened in a folder: counts, no dates.

    Args:
        out: folder of the suite.
        suite: that is run.
    """

    def __init__(self, out: Path, suite: Suite) -> None:
        self.file, self._hash, self._noted = out / OPENED, suite_hash(suite), False
        self.entries: list[dict[str, Any]] = []
        if self.file.is_file():
            try:
                self.entries = list(json.loads(self.file.read_text(encoding="utf-8"))["openings"])
            except (ValueError, KeyError, TypeError):
                raise StackingError(
                    "The record of openings of the test split cannot be read.", place=str(self.file),
                    remedy="Restore it from a copy; it says how often the test split was seen.",
                ) from None  # fmt: skip

    @property
    def times(self) -> int:
        """Return how often it was opened."""
        return len(self.entries)

    def note(self) -> None:
        """Count that a player is about to play: the first one of a run opens the split."""
        if not self._noted:
            self.entries.append({"suite_hash": self._hash, "players": 0})
            self._noted = True
        self.entries[-1]["players"] += 1
        text = json.dumps({"times": self.times, "openings": self.entries}, indent=2) + "\n"
        replace_file(self.file, text.encode())
