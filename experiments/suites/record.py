"""The record of a suite: which policies are trained where, whom they have to beat, and on what both are tested."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, model_validator

from stacking.catalogue import PARTS
from stacking.config import Record, read_toml, validated
from stacking.errors import StackingError

from ..store import sha256_of
from ..strategy_input import file_hash

FOLDER = Path(__file__).parent
_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")


def _file_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("a name has small letters, digits and _, because it becomes a folder")
    return text


Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, AfterValidator(_file_name)]
Steps = Annotated[int, Field(ge=1, le=2**40, strict=True)]
Days = Annotated[int, Field(ge=1, le=62, strict=True)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)]


class Trained(Record):
    """A training that takes part.

    Attributes:
        name: in tables.
        algorithm: as for `stacking train`.
        set: its changes ("parameters.n_epochs=5").
        advice, reward_baseline: a rival, as it was tuned in the cell with the same steps; as in the training if None.
    """

    name: Name
    algorithm: Text
    set: tuple[Text, ...] = ()
    advice: Name | None = None
    reward_baseline: Name | None = None

    @property
    def rivals(self) -> dict[str, str]:
        """Return the settings of the environment that are a tuned rival."""
        named = {"advice": self.advice, "reward_baseline": self.reward_baseline}
        return {key: name for key, name in named.items() if name is not None}


class Rival(Record):
    """A strategy that has to be beaten, tuned in each cell with the steps of the training.

    Attributes:
        name: of the strategy.
        starts: rivals before it, whose tuned parameters its tuning tries first.
        goal_percent: what is claimed: the difference in per cent of the rival lies above this.
    """

    name: Name
    starts: tuple[Name, ...] = ()
    goal_percent: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Cells(Record):
    """Cells: each of some designs with each of some portfolios.

    Attributes:
        designs, portfolios: as for `stacking compare`; a .toml file lies beside the suite.
        label: end of the cells' names where two groups share a design and a portfolio.
        world: parameters of what is drawn in training, tuning and generated tests.
        prices: price files in the data folder on which is trained and tuned (their train and validation split) instead.
        tests: names of the tests; all but those that say `asked = true` if none.
    """

    designs: Annotated[tuple[Text, ...], Field(min_length=1)]
    portfolios: Annotated[tuple[Text, ...], Field(min_length=1)]
    label: Name | None = None
    world: Text | None = None
    prices: tuple[Text, ...] = ()
    tests: tuple[Name, ...] = ()


class Test(Record):
    """Where all are tested.

    Attributes:
        name: of the test.
        days: delivery days of an episode.
        scenarios: how many are generated.
        prices: price files in the data folder, replayed instead: all complete windows.
        split: of price files also another or all, which is refused where a cell trains and tunes on one of them.
        seed: of what is drawn; of generated scenarios one that no other command has used before.
        world: parameters of what is drawn; those of the cell if None.
        asked: whether only cells that name it have it.
        cross: whether policies and rivals of other designs (same portfolio and label) play here too.
    """

    name: Name
    days: Days
    scenarios: Annotated[int, Field(ge=2, le=10_000, strict=True)] | None = None
    prices: tuple[Text, ...] = ()
    split: Literal["train", "validation", "test", "all"] = "test"
    seed: Seed = 0
    world: Text | None = None
    asked: StrictBool = False
    cross: StrictBool = False

    @model_validator(mode="after")
    def _one_source(self) -> Test:
        if bool(self.prices) == (self.scenarios is not None):
            raise ValueError(f"test {self.name}: give either scenarios (generated) or prices (replayed)")
        if self.split != "test" and not self.prices:
            raise ValueError(f"test {self.name}: split = {self.split!r} is for price files")
        return self


@dataclass(frozen=True)
class Cell:
    """One design with one portfolio."""

    name: str
    design: str
    portfolio: str
    label: str | None
    world: str | None
    prices: tuple[str, ...]
    tests: tuple[Test, ...]


class Suite(Record):
    """A suite.

    Attributes:
        steps: budgets; each is one training and one tuning per cell.
        seeds: trainings with seeds 0 .. seeds - 1.
        tune_days: delivery days of an episode in tuning, as the validation of the trainings.
        block_days: length of the blocks of the bootstrap.
        folder: of the record, where its files lie; no part of what it says.
        notes: what a reader of the tables must know.
    """

    title: Text
    question: Text
    steps: Annotated[tuple[Steps, ...], Field(min_length=1)]
    seeds: Annotated[int, Field(ge=1, le=1000, strict=True)]
    tune_days: Days = 7
    block_days: Days = 7
    training: Annotated[tuple[Trained, ...], Field(min_length=1)]
    rival: Annotated[tuple[Rival, ...], Field(min_length=1)]
    cells: Annotated[tuple[Cells, ...], Field(min_length=1)]
    test: Annotated[tuple[Test, ...], Field(min_length=1)]
    notes: tuple[Text, ...] = ()
    folder: Path = Field(default=FOLDER, exclude=True)

    @model_validator(mode="after")
    def _consistent(self) -> Suite:
        players = [*(t.name for t in self.training), *(r.name for r in self.rival)]
        cells = [_cell_name(design, portfolio, group.label) for group, design, portfolio in self._points()]
        for what, names in (("players", players), ("tests", [t.name for t in self.test]), ("cells", cells)):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice:
                raise ValueError(f"two {what} are called {twice}; of cells, give one group a label")
        rivals = [r.name for r in self.rival]
        for k, r in enumerate(self.rival):
            if late := [name for name in r.starts if name not in rivals[:k]]:
                raise ValueError(f"rival {r.name} starts from {late[0]}, which is no rival before it")
        for t in self.training:
            if strange := [name for name in t.rivals.values() if name not in rivals]:
                raise ValueError(f"training {t.name} asks for {strange[0]}, which is no rival; rivals are {', '.join(rivals)}")
        known = {t.name for t in self.test}
        unknown = [name for group in self.cells for name in group.tests if name not in known]
        if unknown:
            raise ValueError(f"cells name a test that is not there: {unknown[0]}; tests are {', '.join(sorted(known))}")
        for group in self.cells:
            for t in self._tests(group):
                if t.split != "test" and (seen := sorted(set(t.prices) & set(group.prices))):
                    raise ValueError(f"test {t.name}: split = {t.split!r} of {seen[0]}, on which its cells are trained and tuned")
        return self

    def _points(self) -> list[tuple[Cells, str, str]]:
        return [(g, d, p) for g in self.cells for d, p in product(g.designs, g.portfolios)]

    def all_cells(self) -> tuple[Cell, ...]:
        """Return the cells in the order of the record."""
        return tuple(
            Cell(_cell_name(d, p, g.label), self._at(d), self._at(p), g.label, g.world, g.prices, self._tests(g))
            for g, d, p in self._points()
        )

    def _at(self, name: str) -> str:
        """Return a name as it is, a file where it lies."""
        return str((self.folder / name).resolve()) if name.endswith(".toml") else name

    def _tests(self, group: Cells) -> tuple[Test, ...]:
        return tuple(t for t in self.test if (t.name in group.tests if group.tests else not t.asked))


def _cell_name(design: str, portfolio: str, label: str | None) -> str:
    return "-".join([Path(design).stem, Path(portfolio).stem, *([label] if label else [])])


def suite_names() -> tuple[str, ...]:
    """Return the names of the suites that are shipped."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def read_suite(name: str) -> tuple[str, Suite]:
    """Return name and record of a suite that is shipped or lies in a file.

    Raises:
        StackingError: if there is none, or it is not valid.
    """
    path = Path(name).expanduser() if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not name.endswith(".toml") and not path.is_file():
        raise StackingError("There is no such suite.", place="stacking suite", key="NAME", value=name,
                            allowed=", ".join(suite_names()), remedy="Name one of these, or a .toml file.")  # fmt: skip
    suite = validated(Suite, {**read_toml(path), "folder": path.parent}, str(path))
    for cell in suite.all_cells():
        _check_portfolio(cell.portfolio, str(path))
    return path.stem, suite


def _check_portfolio(name: str, place: str) -> None:
    if name not in ("default", *PARTS) and not (name.endswith(".toml") and Path(name).is_file()):
        raise StackingError("There is no such portfolio.", place=place, key="portfolios", value=name,
                            allowed=f"default, {', '.join(PARTS)}, or a .toml file beside the suite")  # fmt: skip


def suite_hash(suite: Suite) -> str:
    """Return a hash of what the record and its files of designs and portfolios say to the machine, 16 characters."""
    files = sorted({name for cell in suite.all_cells() for name in (cell.design, cell.portfolio) if name.endswith(".toml")})
    data: Mapping[str, Any] = suite.model_dump(mode="json", exclude={"title", "question", "notes"})
    data = {**data, "files": [file_hash(name) for name in files]}
    return sha256_of(json.dumps(data, sort_keys=True).encode())[:16]
