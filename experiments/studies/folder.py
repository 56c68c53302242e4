"""The folder of a study: its own copy with a hash, files per finished cell or part of one, at the end tables and figures.

Every file appears whole or not at all, holds no time stamp, and a cell's file name carries the hash of its content: a run
that was killed continues with the cells that are missing, and ends with the same bytes as one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stacking.errors import StackingError

from ..store import parquet_bytes, replace_file, sha256_of, versions
from .cells import Cell
from .record import Study

STUDY, CELLS, PARTS, FINISHED = "study.json", "cells", "parts", "finished.json"
Tables = Mapping[str, pd.DataFrame]
"""What a finished cell came to: folder of the table -> table; `CELLS` is one of them."""

_DIGITS = 12  # of the hash in a file name


class StudyFolder:
    """Where the results of one study are kept; one run at a time.

    Args:
        path: created where needed; must be empty or hold the same study.
        study: what is run.
        cells: all of them.
        tables: of which the result of a cell consists, in the order in which they are written.

    Raises:
        StackingError: if the folder holds something else, or cannot be written.
    """

    def __init__(self, path: str | Path, study: Study, cells: tuple[Cell, ...], tables: tuple[str, ...] = (CELLS,)) -> None:
        self.path, self.tables = Path(path), tables
        record = study_json(study, cells)
        try:
            self._check(record)
            self.path.mkdir(parents=True, exist_ok=True)
            if not (self.path / STUDY).exists():
                replace_file(self.path / STUDY, record)
            for name in (*tables, PARTS):
                (self.path / name).mkdir(exist_ok=True)
            for scrap in (*self.path.glob(".*.*"), *self.path.glob("*/.*.parquet.*")):
                scrap.unlink()  # of a run that was killed while it wrote
            for cell in cells:
                if self.has(cell):
                    self.parts(cell).remove()
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
        return all(self._file(cell, name) is not None for name in self.tables)

    def parts(self, cell: Cell) -> Parts:
        """Return what is kept of a cell before it is finished."""
        return Parts(self.path / PARTS, cell)

    def write(self, cell: Cell, found: Tables) -> None:
        """Keep the tables of a finished cell; its parts are no longer needed."""
        for name in self.tables:
            data = parquet_bytes(name, found[name])
            replace_file(self.path / name / f"{cell.number:04d}-{sha256_of(data)[:_DIGITS]}.parquet", data)
        self.parts(cell).remove()

    def read(self, cell: Cell) -> Tables:
        """Return the tables of a finished cell.

        Raises:
            StackingError: if a file was changed or damaged.
        """
        files = {name: self._file(cell, name) or self.path / name / f"{cell.number:04d}-*.parquet" for name in self.tables}
        return {name: _read(file, f"cell {cell.number}") for name, file in files.items()}

    def finish(self, files: Mapping[str, bytes], cells: Iterable[Cell]) -> None:
        """Write tables and figures, then the hash of every file."""
        with suppress(OSError):
            (self.path / PARTS).rmdir()
        for name, data in files.items():
            replace_file(self.path / name, data)
        hashes = {name: sha256_of(data) for name, data in files.items()}
        hashes[STUDY] = sha256_of((self.path / STUDY).read_bytes())
        for name, file in ((name, self._file(cell, name)) for cell in cells for name in self.tables):
            if file is not None:
                hashes[f"{name}/{file.name}"] = sha256_of(file.read_bytes())
        replace_file(self.path / FINISHED, (json.dumps(hashes, indent=2, sort_keys=True) + "\n").encode())

    def _file(self, cell: Cell, name: str) -> Path | None:
        return next(iter(sorted((self.path / name).glob(f"{cell.number:04d}-*.parquet"))), None)


class Parts:
    """What is kept of a cell that takes long, so that a killed run continues within it.

    Args:
        folder: of the parts of all cells.
        cell: which one.
    """

    def __init__(self, folder: Path, cell: Cell) -> None:
        self.folder, self.cell = folder, cell

    def add(self, name: str, frame: pd.DataFrame) -> None:
        """Keep one part under a name of small letters and digits."""
        data = parquet_bytes("part", frame)
        replace_file(self.folder / f"{self.cell.number:04d}-{name}-{sha256_of(data)[:_DIGITS]}.parquet", data)

    def read(self) -> dict[str, pd.DataFrame]:
        """Return all parts by name.

        Raises:
            StackingError: if a file was changed or damaged.
        """
        return {file.stem.split("-")[1]: _read(file, f"cell {self.cell.number}") for file in self._files()}

    def remove(self) -> None:
        """Remove all parts."""
        for file in self._files():
            file.unlink()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"{self.cell.number:04d}-*.parquet"))


def _read(file: Path, key: str) -> pd.DataFrame:
    """Return a table whose file name ends with the hash of its bytes."""
    try:
        data = file.read_bytes()
        if sha256_of(data)[:_DIGITS] != file.stem.rpartition("-")[2]:
            raise OSError
        return pq.read_table(BytesIO(data)).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise StackingError(
            "A finished cell or a part of one is missing, or was changed after it was written.", place=str(file), key=key,
            remedy="Remove the file and run the study again: only what it held is run.",
        ) from error  # fmt: skip


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
