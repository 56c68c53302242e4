"""Parameter files: leaves with unit and origin, catalogues of named sets, reading and writing.

A leaf is a table ``{value = ..., unit = "...", origin = "...", price_year = ...}``; ``origin`` is a source or the word
``assumed``. A plain file holds the groups themselves (``[day_ahead]``, ...). A catalogue holds several of each
(``[day_ahead.NAME]``) and under ``[sets.NAME]`` which of them belong together; the first set is the default.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import StackingError

GROUPS = ("start", "day_ahead", "balancing", "local", "forecast")
QUANTILES = "quantiles"
"""Kind of a leaf whose value is a table of quantiles [level, value]."""

Facts = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Leaves:
    """One set of parameters as read: values by group, and unit, origin, kind, price year by dotted name."""

    place: str
    values: dict[str, Any]
    facts: Facts


@lru_cache(maxsize=16)
def read_leaves(path: Path, name: str | None = None, local: str | None = None) -> Leaves:
    """Return the leaves of a plain file, or of one set of a catalogue.

    Args:
        path: TOML file.
        name: set of a catalogue; None for its first.
        local: local price regime that replaces the one of the set; None for that of the set.

    Raises:
        StackingError: missing or broken file, unknown set or group, leaf without unit or origin, or a value in EUR
            without its price year.
    """
    data = _read(path)
    if "sets" in data:
        data = _choose(data, str(path), name, local)
    facts: Facts = {}
    return Leaves(str(path), _strip(data, "", str(path), facts), facts)


def set_names(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of a catalogue's sets and of its local price regimes; empty for a plain file."""
    data = _read(path)
    return (tuple(data["sets"]), tuple(data["local"])) if "sets" in data else ((), ())


def write_leaves(path: Path, values: Mapping[str, Any], facts: Mapping[str, Mapping[str, Any]], heading: str) -> None:
    """Write a plain parameter file that ``read_leaves`` gives back exactly.

    Args:
        path: file to write; an existing one is replaced.
        values: groups of values, tuples for arrays.
        facts: unit, origin and, where they belong, kind and price year of each value by its dotted name.
        heading: comment at the top.

    Raises:
        StackingError: if the file cannot be written.
    """
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    for group, entries in values.items():
        lines += _table(group, entries, facts)
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise StackingError(
            "The parameter file cannot be written.", place=str(path), value=str(error), remedy="Name another file."
        ) from error


def _table(name: str, entries: Mapping[str, Any], facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines, inner = ["", f"[{name}]"], []
    for key, value in entries.items():
        fact = facts.get(f"{name}.{key}")
        if fact is None:
            inner += _table(f"{name}.{key}", value, facts)
            continue
        kind = [f'kind = "{QUANTILES}"'] if fact.get("kind") == QUANTILES else []
        said = [f"{word} = {_toml(fact[word])}" for word in ("unit", "price_year", "origin") if word in fact]
        lines.append(f"{key} = {{ {', '.join([*kind, f'value = {_toml(value)}', *said])} }}")
    return lines + inner


def _toml(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StackingError("There is no such parameter file.", place=str(path), remedy="Check the path.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StackingError(
            "The parameter file cannot be read.",
            place=str(path),
            value=str(error),
            allowed="TOML, UTF-8",
            remedy="Correct the line named above.",
        ) from error


def _choose(data: dict[str, Any], place: str, name: str | None, local: str | None) -> dict[str, Any]:
    """Return the groups of one set of a catalogue."""
    name = name or next(iter(data["sets"]))
    chosen = dict(_entry(data, "sets", name, place))
    if local is not None:
        chosen["local"] = local
    return {group: _entry(data, group, member, place) for group, member in chosen.items()}


def _entry(data: dict[str, Any], group: str, name: str, place: str) -> dict[str, Any]:
    known = data.get(group, {})
    if name not in known:
        raise StackingError(
            "Unknown name in a catalogue of parameters.",
            place=place,
            key=group,
            value=name,
            allowed=", ".join(known) or f"a group out of {', '.join(GROUPS)}",
            remedy="Use one of the names above.",
        )
    return known[name]


def _strip(table: dict[str, Any], prefix: str, place: str, facts: Facts) -> dict[str, Any]:
    """Replace each leaf by its value and collect where it comes from."""
    out: dict[str, Any] = {}
    for name, entry in table.items():
        key = f"{prefix}{name}"
        if not isinstance(entry, dict):
            raise StackingError(
                "A parameter without an origin.",
                place=place,
                key=key,
                value=entry,
                allowed='{value = ..., unit = "...", origin = "..."}',
                remedy='Say where the value comes from, or origin = "assumed".',
            )
        if "value" not in entry:
            out[name] = _strip(entry, f"{key}.", place, facts)
            continue
        _check_origin(entry, key, place)
        facts[key] = {k: v for k, v in entry.items() if k != "value"}
        value = _frozen(entry["value"])
        out[name] = {"points": value} if entry.get("kind") == QUANTILES else value
    return out


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _check_origin(entry: dict[str, Any], key: str, place: str) -> None:
    known = {"value", "unit", "origin", "price_year", "kind"}
    if unknown := sorted(set(entry) - known):
        raise StackingError(
            "Unknown entry of a parameter.",
            place=place,
            key=f"{key}.{unknown[0]}",
            allowed=", ".join(sorted(known)),
            remedy="Remove it.",
        )
    for name in ("unit", "origin"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            raise StackingError(
                f"A parameter without {name}.",
                place=place,
                key=f"{key}.{name}",
                value=entry.get(name),
                allowed="text; for the origin a source or the word 'assumed'",
                remedy=f"Add the {name}.",
            )
    if "EUR" in entry["unit"] and not isinstance(entry.get("price_year"), int):
        raise StackingError(
            "A price without its year.",
            place=place,
            key=f"{key}.price_year",
            value=entry.get("price_year"),
            allowed="a year such as 2025",
            remedy="Add the year of the price level.",
        )
