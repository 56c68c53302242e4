"""`--set KEY=VALUE` for a study: an axis gets other values, a field another value, a list opens an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stacking.config import read_toml
from stacking.errors import StackingError

from ..design_input import toml_value
from .record import RECORDS, Study, study_from, study_path

TABLES = ("settings", "parameters", "axis", "kind", "types")
"""Entries of a study that no "key=value" can write as a whole."""


def changed_study(name: str, changes: Sequence[str]) -> Study:
    """Return a study by name or file with values changed.

    Args:
        name: shipped name or path.
        changes: "key=value", values as in TOML: "seeds=4", "rules.forward_fee_eur_per_mwh=[0, 5]", "parameters.lfm_need_mw=0".

    Raises:
        StackingError: for a study that is not there or not valid, or an unknown key.
    """
    path = study_path(name)
    data = read_toml(path)
    for text in changes:
        _change(data, text)
    return study_from(data, str(path) + (" with --set" if changes else ""))


def fields_of(kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the keys of a kind of study that can be set, and those of them that hold a list."""
    record = RECORDS.get(kind, Study)
    plain = tuple(name for name in record.model_fields if name not in TABLES)
    return (*plain, *(name for name in record.lists if "." in name)), record.lists


def _change(data: dict[str, Any], text: str) -> None:
    """Write one "key=value" into the plain data of a study."""
    fields, lists = fields_of(str(data.get("kind", "contest")))
    key, separator, given = (part.strip() for part in text.partition("="))
    value, head = toml_value(given), key.split(".")[0]
    axes = data.get("axis", [])
    axis = next((a for a in axes if isinstance(a, dict) and a.get("key") == key), None) if isinstance(axes, list) else None
    if separator and axis is not None:
        _set_values(axis, value if isinstance(value, list) else [value])
    elif separator and isinstance(value, list) and key not in lists:
        data.pop(key, None)
        data.setdefault("axis", []).append({"key": key, "values": value, "source": "--set"})
    elif separator and key in fields and "." in key:
        data.setdefault(head, {})[key.partition(".")[2]] = value
    elif separator and key in fields:
        data[key] = value
    elif separator and head in ("rules", "products"):
        data.setdefault("settings", {})[key] = value
    elif separator and head == "parameters" and key.count(".") == 1:
        data.setdefault("parameters", {})[key.partition(".")[2]] = value
    else:
        raise StackingError(
            "A study has no such key.", place="--set", key=key, value=text,
            allowed=", ".join((*fields, "rules.KEY", "products.MARKET.KEY", "parameters.NAME")),
            remedy="For example --set seeds=4, or --set rules.forward_fee_eur_per_mwh=5.",
        )  # fmt: skip


def _set_values(axis: dict[str, Any], values: list[Any]) -> None:
    """Replace the values of an axis; where other keys change with it, by some of those that it holds."""
    held, also = axis.get("values", []), axis.get("also", {})
    new = next((value for value in values if value not in held), None)
    if also and new is not None:
        raise StackingError(
            "Other keys change with each value of this axis, and nothing says what they are for this one.", place="--set",
            key=str(axis.get("key")), value=new, allowed=", ".join(map(str, held)),
            remedy="Choose among its values, or copy the study and mend its axis.",
        )  # fmt: skip
    axis["also"] = {key: [kept[held.index(value)] for value in values] for key, kept in also.items()}
    axis["values"], axis["source"] = values, f"--set; {axis.get('source', '')}"
