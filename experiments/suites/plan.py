"""What a suite has to train and to tune, as commands of their own, and which of it lies there already."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stacking.errors import StackingError

from ...agents.parameters import read_tuned
from ...envs.ids import CUSTOM, NAMES, env_id, settings_of
from ..training import progress_file
from ..training.record import Training, training
from .record import Cell, Rival, Suite, Trained

BEST, RECORD = "policy.npz", "training.json"


@dataclass(frozen=True)
class Part:
    """The part of a suite that is run: names of cells, budgets, and how many seeds; all of them if empty or None."""

    cells: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    seeds: int | None = None

    def seeds_of(self, suite: Suite) -> range:
        """Return the training seeds."""
        return range(suite.seeds if self.seeds is None else min(self.seeds, suite.seeds))

    def steps_of(self, suite: Suite) -> tuple[int, ...]:
        """Return the budgets.

        Raises:
            StackingError: for one that the suite does not have.
        """
        for steps in self.steps:
            if steps not in suite.steps:
                raise StackingError("The suite has no such budget.", key="--steps", value=steps,
                                    allowed=", ".join(map(str, suite.steps)))  # fmt: skip
        return self.steps or suite.steps

    def cells_of(self, suite: Suite) -> tuple[Cell, ...]:
        """Return the cells.

        Raises:
            StackingError: for one that the suite does not have.
        """
        cells = {cell.name: cell for cell in suite.all_cells()}
        for name in self.cells:
            if name not in cells:
                raise StackingError("The suite has no such cell.", key="--only", value=name, allowed=", ".join(cells))
        return tuple(cell for name, cell in cells.items() if name in self.cells or not self.cells)


@dataclass(frozen=True)
class Job:
    """One training or tuning.

    Attributes:
        kind: train or tune.
        label: for people.
        file: what it leaves: policy.npz, or the parameters.
        arguments: of the command `stacking`.
        steps: that are simulated.
        done: whether it is finished.
        needs: files of other jobs that must be there before.
    """

    kind: Literal["train", "tune"]
    label: str
    file: Path
    arguments: tuple[str, ...]
    steps: int
    done: bool
    needs: tuple[Path, ...] = ()


def price_paths(files: tuple[str, ...], data: Path | None) -> tuple[str, ...] | None:
    """Return the paths of price files, None if one of them is not there."""
    if not files:
        return ()
    paths = [] if data is None else [data / name for name in files]
    return tuple(map(str, paths)) if paths and all(path.is_file() for path in paths) else None


def policy_file(out: Path, cell: str, steps: int, name: str, seed: int) -> Path:
    """Return where the policy of a training lies."""
    return out / "cells" / cell / f"{name}-{steps}" / f"seed-{seed}" / BEST


def rival_file(out: Path, cell: str, steps: int, name: str) -> Path:
    """Return where the parameters of a rival lie."""
    return out / "cells" / cell / f"{name}-{steps}.toml"


def jobs_of(suite: Suite, part: Part, out: Path, data: Path | None) -> tuple[list[Job], list[str]]:
    """Return all trainings and tunings of a part, and what is left out because its price files are not there.

    Raises:
        StackingError: for settings that are not valid.
    """
    jobs: list[Job] = []
    skipped: list[str] = []
    for cell in part.cells_of(suite):
        prices = price_paths(cell.prices, data)
        if prices is None:
            skipped.append(f"cell {cell.name}: no {', '.join(cell.prices)} in --data")
            continue
        for steps in part.steps_of(suite):
            jobs += [_tune(rival, cell, steps, suite.tune_days, prices, out) for rival in suite.rival]
            jobs += [_train(chosen, cell, steps, seed, prices, out) for chosen in suite.training for seed in part.seeds_of(suite)]
    return jobs, skipped


# ---- commands --------------------------------------------------------------------------------------------------------
def _train(chosen: Trained, cell: Cell, steps: int, seed: int, prices: tuple[str, ...], out: Path) -> Job:
    known = cell.design in NAMES
    env: dict[str, Any] = {"portfolio": cell.portfolio}
    env |= {} if known else {"design": cell.design}
    env |= {"world": cell.world} if cell.world else {}
    env |= {"prices": list(prices)} if prices else {}
    needs = {key: rival_file(out, cell.name, steps, rival) for key, rival in chosen.rivals.items()}
    env |= {key: str(path) for key, path in needs.items()}
    changes = [*chosen.set, f"steps={steps}", *(f"env.{key}={json.dumps(value)}" for key, value in env.items())]
    name = env_id(cell.design) if known else CUSTOM
    record = training(chosen.algorithm, changes, settings_of(name))
    file = policy_file(out, cell.name, steps, chosen.name, seed)
    settings = [part for text in changes for part in ("--set", text)]
    arguments = ("train", chosen.algorithm, "--env", name, *settings, "--seed", str(seed), "--name", chosen.name,
                 "--out", str(file.parent))  # fmt: skip
    label = f"{cell.name}: {chosen.name}, {steps:,} steps, seed {seed}"
    return Job("train", label, file, arguments, steps, is_trained(file.parent, record, seed), tuple(needs.values()))


def is_trained(folder: Path, record: Training, seed: int) -> bool:
    """Return whether a folder holds a training of this record and seed that is finished."""
    if not (folder / BEST).is_file() or not (folder / RECORD).is_file():
        return False
    try:
        kept = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        legs = progress_file.read(folder)["leg"].max()
        known = Training.model_validate(kept["training"])  # settings that came later have their defaults
    except (ValueError, KeyError, TypeError, StackingError):
        return False  # the training itself says what is wrong
    same = [json.loads(json.dumps(one.model_dump(mode="json"), default=str)) for one in (known, record)]
    return same[0] == same[1] and kept.get("seed") == seed and bool(legs >= record.legs)


def _tune(rival: Rival, cell: Cell, steps: int, days: int, prices: tuple[str, ...], out: Path) -> Job:
    file = rival_file(out, cell.name, steps, rival.name)
    world = ("--world", cell.world) if cell.world else ()
    given = tuple(part for path in prices for part in ("--prices", path))
    needs = tuple(rival_file(out, cell.name, steps, name) for name in rival.starts)
    starts = tuple(part for path in needs for part in ("--start", str(path)))
    arguments = ("tune", rival.name, "--design", cell.design, "--portfolio", cell.portfolio, "--budget", str(steps), "--days",
                 str(days), *world, *given, *starts, "--out", str(file))  # fmt: skip
    label = f"{cell.name}: {rival.name} tuned with {steps:,} steps"
    return Job("tune", label, file, arguments, steps, is_tuned(file, steps), needs)


def is_tuned(file: Path, steps: int) -> bool:
    """Return whether a file holds the parameters of a tuning with this budget; one that was cut off by a kill does not.

    Raises:
        StackingError: if it is of another budget.
    """
    if not file.is_file():
        return False
    try:
        read_tuned(file)
        budget = tomllib.loads(file.read_text(encoding="utf-8"))["provenance"]["budget_steps"]
    except (StackingError, KeyError, tomllib.TOMLDecodeError):
        return False
    if budget != steps:
        raise StackingError("The parameters were tuned with another budget.", place=str(file), key="budget_steps", value=budget,
                            allowed=str(steps), remedy="Remove the file, or give another --out.")  # fmt: skip
    return True
