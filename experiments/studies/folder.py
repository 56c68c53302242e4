"""The folder of a study: its own copy with a hash, two files per finished cell, and at the end tables and figures.

Every file appears whole or not at all, holds no time stamp, and a cell's file name carries the hash of its content: a run
that was killed continues with the cells that are missing, and ends with the same bytes as one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stacking.errors import StackingError

from ..store import parquet_bytes, replace_file, sha256_of, versions
from .cells import Cell
from .record import Study

STUDY, CELLS, WORLDS, FINISHED = "study.json", "cells", "worlds", "finished.json"
_DIGITS = 12  # of the hash in a file name


@dataclass(frozen=True)
class Played:
    """What a cell's strategy came to: rows by scenario and FSP, and rows by scenario of what the engine sums per world."""

    episodes: pd.DataFrame
    worlds: pd.DataFrame


class StudyFolder:
    """Where the results of one study are kept; one run at a time.

    Args:
        path: created where needed; must be empty or hold the same study.
        study: what is run.
        cells: all of them.

    Raises:
        StackingError: if the folder holds something else, or cannot be written.
    """

    def __init__(self, path: str | Path, study: Study, cells: tuple[Cell, ...]) -> None:
        self.path = Path(path)
        record = study_json(study, cells)
        try:
            self._check(record)
            for name in (CELLS, WORLDS):
                (self.path / name).mkdir(parents=True, exist_ok=True)
            for scrap in (*self.path.glob(".*.*"), *self.path.glob("*/.*.parquet.*")):
                scrap.unlink()  # of a run that was killed while it wrote
            if not (self.path / STUDY).exists():
                replace_file(self.path / STUDY, record)
        except OSError as error:
            raise StackingError(
                "The study cannot be written.", place=str(self.path), value=error.strerror or str(error),
                remedy="Choose a folder that exists or can be created, on a disk with space.",
            ) from error  # fmt: skip

    def _check(self, record: bytes) -> None:
        """Refuse a folder of somebody else, of another study, or of other versions."""
        if not self.path.exists():
            return
        kept = self.path / STUDY
        if not kept.exists() and any(p for p in self.path.iterdir() if not p.name.startswith(f".{STUDY}.")):
            raise StackingError(
                "The folder holds something else than a study.", place=str(self.path), key="--out",
                remedy="Choose a new or an empty folder.",
            )  # fmt: skip
        if kept.exists() and kept.read_bytes() != record:
            raise StackingError(
                "The folder holds another study, or the same one with other settings or versions.", place=str(kept),
                key="--out", value=sha256_of(record)[:_DIGITS], allowed=sha256_of(kept.read_bytes())[:_DIGITS],
                remedy="Choose another folder, or remove this one to run it anew.",
            )  # fmt: skip

    def has(self, cell: Cell) -> bool:
        """Return whether a cell is finished."""
        return all(self._file(cell, name) is not None for name in (CELLS, WORLDS))

    def write(self, cell: Cell, played: Played) -> None:
        """Keep what came of a finished cell; its episodes are written last."""
        for name, kind, frame in ((WORLDS, "worlds", played.worlds), (CELLS, "episodes", played.episodes)):
            data = parquet_bytes(kind, frame)
            replace_file(self.path / name / f"{cell.number:04d}-{sha256_of(data)[:_DIGITS]}.parquet", data)

    def read(self, cell: Cell) -> Played:
        """Return what came of a finished cell.

        Raises:
            StackingError: if a file was changed or damaged.
        """
        return Played(self._read(cell, CELLS), self._read(cell, WORLDS))

    def _read(self, cell: Cell, name: str) -> pd.DataFrame:
        file = self._file(cell, name)
        try:
            data = b"" if file is None else file.read_bytes()
            if file is None or sha256_of(data)[:_DIGITS] != file.stem.partition("-")[2]:
                raise OSError
            return pq.read_table(BytesIO(data)).to_pandas()
        except (OSError, pa.ArrowException) as error:
            raise StackingError(
                "A finished cell is missing, or was changed after it was written.",
                place=str(file or self.path / name / f"{cell.number:04d}-*.parquet"), key=f"cell {cell.number}",
                remedy="Remove the file and run the study again: only this cell is run.",
            ) from error  # fmt: skip

    def finish(self, files: Mapping[str, bytes], cells: Iterable[Cell]) -> None:
        """Write tables and figures, then the hash of every file."""
        for name, data in files.items():
            replace_file(self.path / name, data)
        hashes = {name: sha256_of(data) for name, data in files.items()}
        hashes[STUDY] = sha256_of((self.path / STUDY).read_bytes())
        for name, file in ((name, self._file(cell, name)) for cell in cells for name in (CELLS, WORLDS)):
            if file is not None:
                hashes[f"{name}/{file.name}"] = sha256_of(file.read_bytes())
        replace_file(self.path / FINISHED, (json.dumps(hashes, indent=2, sort_keys=True) + "\n").encode())

    def _file(self, cell: Cell, name: str) -> Path | None:
        return next(iter(sorted((self.path / name).glob(f"{cell.number:04d}-*.parquet"))), None)


def study_json(study: Study, cells: tuple[Cell, ...]) -> bytes:
    """Return the study's own copy: what was asked for, every cell with the hash of its inputs, and the versions used."""
    plain = study.model_dump(mode="json")
    record = {
        "study": plain,
        "study_hash": sha256_of(json.dumps(plain, sort_keys=True).encode()),
        "cells": [{"number": c.number, "point": dict(c.point), "content": c.content} for c in cells],
        "versions": versions(),
    }
    return (json.dumps(record, indent=2, sort_keys=True) + "\n").encode()
