"""`--set KEY=VALUE` for a study: an axis gets other values, a field another value, a list opens an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stacking.config import read_toml
from stacking.errors import StackingError

from ..design_input import toml_value
from .record import Setting, Study, study_from, study_path

FIELDS = (*(name for name in Setting.model_fields if name not in ("settings", "parameters")), "metrics", "groups")


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


def _change(data: dict[str, Any], text: str) -> None:
    """Write one "key=value" into the plain data of a study."""
    key, separator, given = (part.strip() for part in text.partition("="))
    value, head = toml_value(given), key.split(".")[0]
    axes = data.get("axis", [])
    axis = next((a for a in axes if isinstance(a, dict) and a.get("key") == key), None) if isinstance(axes, list) else None
    if separator and axis is not None:
        axis["values"] = value if isinstance(value, list) else [value]
        axis["source"] = f"--set; {axis.get('source', '')}"
    elif separator and isinstance(value, list) and key not in ("metrics", "groups"):
        data.pop(key, None)
        data.setdefault("axis", []).append({"key": key, "values": value, "source": "--set"})
    elif separator and key in FIELDS:
        data[key] = value
    elif separator and head in ("rules", "products"):
        data.setdefault("settings", {})[key] = value
    elif separator and head == "parameters" and key.count(".") == 1:
        data.setdefault("parameters", {})[key.partition(".")[2]] = value
    else:
        raise StackingError(
            "A study has no such key.", place="--set", key=key, value=text,
            allowed=", ".join((*FIELDS, "rules.KEY", "products.MARKET.KEY", "parameters.NAME")),
            remedy="For example --set seeds=4, or --set rules.forward_fee_eur_per_mwh=5.",
        )  # fmt: skip
