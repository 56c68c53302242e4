"""docs/stacking-matrix.md says what is so, and its examples run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from stacking.pair_table import MODES, VERDICTS
from stacking.pairs import load_matrix, matrix_from

DOCS = Path(__file__).resolve().parents[2] / "docs"
MATRIX_PAGE = (DOCS / "stacking-matrix.md").read_text("utf-8")


def test_the_counts_on_the_page_are_those_of_the_matrix() -> None:
    for mode in MODES:
        (line,) = [line for line in MATRIX_PAGE.splitlines() if line.startswith(f"| `{mode}` |")]
        told = [int(cell) for cell in line.split("|")[3:-1]]
        assert told == [load_matrix().counts(mode)[verdict] for verdict in VERDICTS]


def test_the_example_file_is_valid() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", MATRIX_PAGE, re.S)
    data = tomllib.loads(text)
    assert matrix_from(data, "docs").cell("winter", "mfrr", "splitting").same_direction
    assert matrix_from(data, "docs", "bold").verdict("local", "mfrr", "co_delivery")[0] == "Y"
    assert matrix_from(data, "docs").verdict("local", "mfrr", "co_delivery")[0] == "N"


def test_the_example_in_python_runs() -> None:
    (text,) = re.findall(r"```python\n(.*?)```", MATRIX_PAGE, re.S)
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["service"] == "SU"
    assert names["gates"].behaviour == "parallel_adjusted"
    assert names["design"].name == "gb_split"
