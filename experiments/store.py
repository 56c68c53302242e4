"""Result store: a folder with one Parquet file per table and a manifest that says how it came about.

The manifest is written last and holds a hash of every file, so a folder is either complete and unchanged or refused.
The same frames give the same Parquet bytes; only ``created_utc`` and other unhashed notes differ between two runs.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stacking.errors import StackingError

STORE_VERSION = 0
MANIFEST = "manifest.json"
HASHED = ("configuration", "seeds", "scenario_keys")
"""Entries that the caller must give and that the configuration hash covers: they determine the results."""

_OURS = ("store_version", "configuration_hash", "versions", "created_utc", "files")
_PACKAGES = ("stacking", "numpy", "numba", "pandas", "pyarrow", "pydantic", "mesa", "gymnasium")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Results:
    """What was read: tables by name and the manifest."""

    frames: dict[str, pd.DataFrame]
    manifest: dict[str, Any]


def write_results(folder: str | Path, frames: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any]) -> Path:
    """Write tables and manifest to a folder, replacing an earlier result there, and return the folder.

    Each file appears whole or not at all; a run killed half-way leaves a folder without a manifest, which
    ``read_results`` refuses.

    Args:
        folder: created where needed.
        frames: tables by name (small letters, digits, ``_``), with the plain row number as index.
        manifest: at least ``configuration``, ``seeds`` and ``scenario_keys``; other entries are kept, unhashed. Added
            are the configuration hash, package versions, time of writing and the files with their hashes.

    Raises:
        StackingError: an entry is missing or reserved, something cannot be stored, or the folder cannot be written.
    """
    folder = Path(folder)
    record = _manifest(manifest)
    tables = {name: parquet_bytes(name, frame) for name, frame in frames.items()}
    record["files"] = {
        name: {"file": f"{name}.parquet", "sha256": sha256_of(data), "rows": len(frames[name])} for name, data in tables.items()
    }
    text = json.dumps(record, indent=2, sort_keys=True, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _forget(folder)
        for name, data in tables.items():
            replace_file(folder / f"{name}.parquet", data)
        replace_file(folder / MANIFEST, text.encode())
    except OSError as error:
        raise StackingError(
            "The results cannot be written.",
            place=str(folder),
            value=error.strerror or str(error),
            remedy="Choose a folder that exists or can be created, on a disk with space.",
        ) from error
    return folder


def read_results(folder: str | Path) -> Results:
    """Return the tables and the manifest of a folder, after checking that all is there and unchanged.

    Raises:
        StackingError: no folder, no manifest, an unreadable manifest, or a missing, changed or corrupt file.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    frames = {}
    for name, entry in manifest["files"].items():
        data = _read_bytes(folder / f"{name}.parquet", "A table of the result is missing.")
        if sha256_of(data) != entry.get("sha256"):
            raise _broken(folder / f"{name}.parquet", "A table was changed or damaged after it was written.")
        try:
            frames[name] = pq.read_table(BytesIO(data)).to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise _broken(folder / f"{name}.parquet", "A table is no readable Parquet file.") from error
    return Results(frames, manifest)


def configuration_hash(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of configuration, seeds and scenario keys, whatever the order of their keys.

    Raises:
        StackingError: an entry is missing or cannot be written as JSON.
    """
    missing = [key for key in HASHED if key not in manifest]
    if missing:
        raise StackingError("The manifest lacks an entry.", place=MANIFEST, key=missing[0], allowed=", ".join(HASHED))
    plain = {key: _plain(manifest[key], key) for key in HASHED}
    return sha256_of(json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that determine a result, without importing them."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _manifest(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given entries as plain JSON values with ours added."""
    reserved = [key for key in _OURS if key in given]
    if reserved:
        raise StackingError(
            "An entry of the manifest is filled in by the store.",
            place=MANIFEST,
            key=reserved[0],
            remedy="Leave it out, or rename it.",
        )
    record: dict[str, Any] = {key: _plain(value, key) for key, value in given.items()}
    record["store_version"] = STORE_VERSION
    record["configuration_hash"] = configuration_hash(given)
    record["versions"] = versions()
    record["created_utc"] = datetime.now(UTC).isoformat(timespec="seconds")
    return record


def _plain(value: Any, key: str) -> Any:
    """Return a value as JSON knows it: numpy scalars and arrays, tuples and paths become plain ones."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        wrong = [k for k in value if not isinstance(k, str)]
        if wrong:
            raise StackingError("A key of the manifest is not text.", place=MANIFEST, key=key, value=wrong[0])
        return {k: _plain(v, f"{key}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, f"{key}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, Path):
        return value.as_posix()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if np.isfinite(value):
            return value
        raise StackingError("JSON cannot hold a number that is not finite.", place=MANIFEST, key=key, value=value)
    raise StackingError(
        "A value cannot be written to the manifest.",
        place=MANIFEST,
        key=key,
        value=value,
        allowed="text, numbers, true/false, none, lists, tables with text keys",
    )


def parquet_bytes(name: str, frame: pd.DataFrame) -> bytes:
    """Return a table as Parquet bytes that depend on nothing but the table."""
    if not _NAME.fullmatch(name):
        raise StackingError(
            "A table's name cannot be a file name.", key="frames", value=name, allowed="small letters, digits and _"
        )
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        raise StackingError("A table has an index that would be lost.", key=name, remedy="Make it a column: frame.reset_index().")
    sink = BytesIO()
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        # Without pandas' own note (its version, attributes) in the file's head: same results, same bytes.
        pq.write_table(table.replace_schema_metadata(None), sink, compression="zstd")
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise StackingError("A table cannot be stored.", key=name, value=str(error)) from error
    return sink.getvalue()


def _forget(folder: Path) -> None:
    """Remove an earlier result: first its manifest, so that no half-replaced result looks complete, then its tables."""
    if not (folder / MANIFEST).exists():
        return
    try:
        tables = list(_read_manifest(folder)["files"])
    except StackingError:
        tables = []
    (folder / MANIFEST).unlink()
    for name in tables:
        (folder / f"{name}.parquet").unlink(missing_ok=True)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that readers see the old or the new content, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read_manifest(folder: Path) -> dict[str, Any]:
    """Return the checked manifest of a folder."""
    if not folder.is_dir():
        raise StackingError("There is no such result folder.", place=str(folder))
    path = folder / MANIFEST
    data = _read_bytes(path, "The folder holds no finished result: its manifest is missing.")
    try:
        manifest = json.loads(data)
    except ValueError as error:
        raise _broken(path, "The manifest is no readable JSON.") from error
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not all(_NAME.fullmatch(name) and isinstance(entry, dict) for name, entry in files.items()):
        raise _broken(path, "The manifest does not list its tables.")
    if manifest.get("store_version") != STORE_VERSION:
        raise StackingError(
            "The result was written by another version of the store.",
            place=str(path),
            key="store_version",
            value=manifest.get("store_version"),
            allowed=str(STORE_VERSION),
            remedy="Read it with the version of stacking named in its manifest, or run it again.",
        )
    return manifest


def _read_bytes(path: Path, problem: str) -> bytes:
    """Return a file's content."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _broken(path, problem) from error
    except OSError as error:
        raise StackingError("A file of the result cannot be read.", place=str(path), value=str(error)) from error


def _broken(path: Path, problem: str) -> StackingError:
    """Return the error for a result that cannot be trusted."""
    return StackingError(problem, place=str(path), remedy="Run it again, or restore the folder from a copy.")


def sha256_of(data: bytes) -> str:
    """Return the hash as text."""
    return hashlib.sha256(data).hexdigest()
