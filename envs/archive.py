"""Arrays and a card in JSON in one .npz file without pickle: how policies and episodes are kept."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CARD = "card"  # name of the array that holds the JSON as bytes
ENDING = ".npz"
QUICK = 1  # level of compression

Arrays = dict[str, NDArray[Any]]


class DamagedError(Exception):
    """Says why a file cannot be read, in words for the middle of a sentence."""


def is_writable(file: Path) -> bool:
    """Return whether a path has the right ending and lies in a folder that exists."""
    return file.suffix == ENDING and file.parent.is_dir()


def write_archive(file: Path, card: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, packed: bool) -> Path:
    """Write a card and arrays, the same bytes for the same content; return the path. A write that is cut off changes nothing.

    Args:
        file: to be written.
        card: plain data, finite numbers.
        arrays: by name.
        packed: whether to compress.
    """
    text = json.dumps(dict(card), sort_keys=True, allow_nan=False)
    partial = file.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w") as archive:
        for name, array in {CARD: np.frombuffer(text.encode(), np.uint8), **arrays}.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            about = zipfile.ZipInfo(f"{name}.npy")  # a fixed date: same bytes
            about.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            archive.writestr(about, buffer.getvalue(), compresslevel=QUICK if packed else None)
    partial.replace(file)
    return file


def read_archive(file: Path, names: Sequence[str]) -> tuple[dict[str, Any], Arrays]:
    """Return the card and the named arrays of a file; nothing in it is run.

    Raises:
        DamagedError: if it is no such file, or a part of it is lost.
    """
    wanted = (CARD, *names)
    try:
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
            found = {name: stored[name] for name in wanted if name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, zlib.error, zipfile.BadZipFile,
            NotImplementedError) as error:  # fmt: skip
        raise DamagedError(f"{type(error).__name__}: {error}") from None
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DamagedError(f"it has no {missing[0]}; it is no file of this kind, or a part of it is lost")
    try:
        card = json.loads(found.pop(CARD).tobytes().decode())
    except ValueError:
        raise DamagedError("its card is no JSON") from None
    if not isinstance(card, dict):
        raise DamagedError("its card is no table")
    return card, found
