"""The table behind a stacking matrix, as a file holds it: services, groups, one rule per set of pairs, other readings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, field_validator, model_validator

from .config import Record
from .errors import StackingError

Mode = Literal["co_delivery", "splitting", "jumping"]
Verdict = Literal["Y", "y", "n", "N", "?", "-"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
Names = Annotated[tuple[Name, ...], Field(min_length=1)]
Text = Annotated[str, Field(min_length=1, max_length=500)]

MODES: dict[Mode, str] = {
    "co_delivery": "the same MW at the same time in the same direction, paid twice",
    "splitting": "different MW of one asset at the same time",
    "jumping": "different times",
}
"""What a pair of services may share, from most to least."""

VERDICTS: dict[Verdict, str] = {
    "Y": "explicit yes",
    "y": "implicit yes",
    "n": "implicit no",
    "N": "explicit no",
    "?": "no data",
    "-": "not applicable",
}
"""Meaning of each verdict."""


class Service(Record):
    """One service: its full name and who buys it."""

    title: Text
    buyer: Literal["DSO", "ESO", "wholesale", "capacity"]


class PairRule(Record):
    """What holds between each service of `a` and each of `b`, in every mode; `same_direction` is a condition of a yes."""

    a: Names
    b: Names
    co_delivery: Verdict
    splitting: Verdict
    jumping: Verdict
    reason: Text | Mapping[Mode, Text] = "the source gives no reason"
    source: Name
    same_direction: StrictBool = False

    @field_validator("reason")
    @classmethod
    def _all_modes(cls, reason: Any) -> Any:
        if not isinstance(reason, str) and set(reason) != set(MODES):
            raise ValueError(f"a text, or a table with one text for each of {', '.join(MODES)}")
        return reason

    @property
    def verdicts(self) -> dict[Mode, Verdict]:
        """Return the verdict of each mode."""
        return {"co_delivery": self.co_delivery, "splitting": self.splitting, "jumping": self.jumping}

    def why(self, mode: Mode) -> str:
        """Return the reason for the verdict of a mode; a text for all modes says nothing about one that is left open."""
        if not isinstance(self.reason, str):
            return self.reason[mode]
        undecided = self.verdicts[mode] == "?" and any(verdict != "?" for verdict in self.verdicts.values())
        return VERDICTS["?"] if undecided else self.reason

    def one_way(self, mode: Mode) -> bool:
        """Return whether a yes holds for the same direction only: at the same time, not at different times."""
        return self.same_direction and mode != "jumping" and self.verdicts[mode] in ("Y", "y")


class Reading(Record):
    """Another reading of some cells, used only where it is asked for by name."""

    name: Name
    a: Names
    b: Names
    mode: Mode
    verdict: Verdict
    reason: Text
    source: Name


class PairTable(Record):
    """The content of a matrix file."""

    title: Text
    sources: Annotated[Mapping[Name, Text], Field(min_length=1)]
    services: Annotated[Mapping[Name, Service], Field(min_length=2)]
    groups: Mapping[Name, Names] = {}
    pairs: Annotated[tuple[PairRule, ...], Field(min_length=1)]
    readings: tuple[Reading, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> PairTable:
        seen: dict[str, str] = {}
        for name in (*self.services, *self.groups):
            other = seen.setdefault(name.casefold(), name)
            if other is not name:
                raise ValueError(f"'{name}' and '{other}' are the same name where letter case is ignored")
        return self

    def check(self, place: str) -> None:
        """Check that groups, rules and readings name services, groups and sources of this file.

        Args:
            place: file named in errors.

        Raises:
            StackingError: for an unknown service, group or source, naming the entry.
        """
        for group, members in self.groups.items():
            for member in members:
                if member not in self.services:
                    raise unknown_service(member, self, f"{place} [groups] {group}", groups=False)
        entries = [("pairs", k, rule) for k, rule in enumerate(self.pairs)]
        entries += [("readings", k, reading) for k, reading in enumerate(self.readings)]
        for kind, k, entry in entries:
            where = f"{place} [[{kind}]] {k + 1}"
            self.members(entry.a, where)
            self.members(entry.b, where)
            if entry.source not in self.sources:
                raise StackingError("Unknown source.", place=where, key="source", value=entry.source,
                                    allowed=", ".join(self.sources), remedy="Name a key of [sources].")  # fmt: skip

    def members(self, names: tuple[str, ...], place: str) -> tuple[str, ...]:
        """Return the services that a list of services and groups stands for.

        Raises:
            StackingError: for a name that is neither.
        """
        found: dict[str, None] = {}
        for name in names:
            if name not in self.services and name not in self.groups:
                raise unknown_service(name, self, place, groups=True)
            found.update(dict.fromkeys(self.groups.get(name, (name,))))
        return tuple(found)


def unknown_service(name: Any, table: PairTable, place: str, *, groups: bool) -> StackingError:
    """Return the error for a name that is no service (and no group, where groups are allowed)."""
    allowed = ", ".join((*table.services, *table.groups) if groups else table.services)
    return StackingError("Unknown service.", place=place, key="service", value=name, allowed=allowed,
                         remedy="Use one of these names.")  # fmt: skip
