"""Tables of a study of equilibria: the ends that the starts reach, cell by cell, and what each type does and earns there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...agents.consent import scaled, yearly_eur
from ..equilibrium import Reached, shares, switch
from ..fsp_types import Revenue, per_kw_year
from .cells import Cell, value_text
from .equilibria import Players, kept_revenue, searches
from .record import EquilibriumStudy

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class End:
    """One profile in which some starts end.

    Attributes:
        starts: names of the starts.
        one: where the first of them ends.
        fsps_frac, mw_frac: share of FSPs and of MW that made each choice.
    """

    starts: tuple[str, ...]
    one: Reached
    fsps_frac: tuple[float, ...]
    mw_frac: tuple[float, ...]


@dataclass(frozen=True)
class Outcome:
    """The ends of a cell by factor on the assumed costs, those first that most starts reach; and what earned them."""

    who: Players
    revenue: Revenue
    ends: dict[float, tuple[End, ...]]


Outcomes = Mapping[Cell, Outcome]


def outcome_of(study: EquilibriumStudy, cell: Cell, frame: pd.DataFrame) -> Outcome:
    """Return the ends of a finished cell: the same searches again, in the profiles that were kept."""
    revenue, who = kept_revenue(frame)
    found = searches(study, cell.setting.seed, revenue, who)
    return Outcome(who, revenue, {factor: _ends(study, who, reached) for factor, reached in found.items()})


def consent_frac(study: EquilibriumStudy, by_choice: tuple[float, ...]) -> float:
    """Return the share that consents, with or without own bids."""
    return sum(share for choice, share in zip(study.choices, by_choice, strict=True) if choice.consents)


def who_consents(study: EquilibriumStudy, end: End) -> tuple[bool, ...]:
    """Return for each type whether it consents at an end."""
    return tuple(study.choices[k].consents for k in end.one.profile)


def _ends(study: EquilibriumStudy, who: Players, reached: list[Reached]) -> tuple[End, ...]:
    groups: dict[object, list[Reached]] = {}
    for one in reached:
        groups.setdefault((one.profile, one.settled), []).append(one)
    found = [
        End(
            tuple(r.start for r in group), group[0],
            shares(group[0].profile, len(study.choices), who.types.fsps),
            shares(group[0].profile, len(study.choices), who.types.rated_mw),
        )
        for group in groups.values()
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda end: -len(end.starts)))


# ---- tables ----------------------------------------------------------------------------------------------------------
def cell_table(study: EquilibriumStudy, outcomes: Outcomes) -> pd.DataFrame:
    """Return one row per cell and factor on the assumed costs.

    Columns: ``cell``, the keys of the axes, ``cost_factor, starts, settled`` (number of starts), ``ends`` (different
    ones), ``ends_by_consent`` (those that differ in who consents), ``consent_fsps_frac, consent_mw_frac`` at the end that
    most starts reach, the least and the most of both over all ends, ``largest_gain`` (EUR/kW-year that some type would
    still gain at one of the ends) and whose it is.
    """
    rows = []
    for cell, outcome in outcomes.items():
        for factor, ends in outcome.ends.items():
            row = {**_place(cell), "cost_factor": factor, "starts": sum(len(end.starts) for end in ends)}
            row |= {"settled": sum(len(end.starts) for end in ends if end.one.settled), "ends": len(ends)}
            row |= {"ends_by_consent": len({who_consents(study, end) for end in ends})}
            for name, found in (("fsps", [e.fsps_frac for e in ends]), ("mw", [e.mw_frac for e in ends])):
                values = [consent_frac(study, by_choice) for by_choice in found]
                row |= {f"consent_{name}_frac": values[0], f"consent_{name}_least_frac": min(values)}
                row |= {f"consent_{name}_most_frac": max(values)}
            gain, owner = max((g, -k) for end in ends for k, g in enumerate(end.one.gains))
            rows.append({**row, "largest_gain": gain, "largest_gain_type": outcome.who.types.names[-owner]})
    return pd.DataFrame(rows)


def end_table(study: EquilibriumStudy, outcomes: Outcomes) -> pd.DataFrame:
    """Return one row per end: from which starts, whether nobody gains more than epsilon there, and who chose what.

    Columns: ``cell``, the keys of the axes, ``cost_factor, end, from_starts, starts, rounds`` (of the first start),
    ``settled``, ``fsps_CHOICE_frac`` and ``mw_CHOICE_frac`` for each choice, ``largest_gain``.
    """
    rows = []
    for cell, outcome in outcomes.items():
        for factor, ends in outcome.ends.items():
            for number, end in enumerate(ends):
                row = {**_place(cell), "cost_factor": factor, "end": number, "from_starts": len(end.starts)}
                row |= {"starts": ", ".join(end.starts), "rounds": end.one.rounds, "settled": end.one.settled}
                for name, by_choice in (("fsps", end.fsps_frac), ("mw", end.mw_frac)):
                    row |= {f"{name}_{c.value}_frac": share for c, share in zip(study.choices, by_choice, strict=True)}
                rows.append({**row, "largest_gain": end.one.most_gain})
    return pd.DataFrame(rows)


def type_table(study: EquilibriumStudy, outcomes: Outcomes) -> pd.DataFrame:
    """Return one row per end and type: its choice, what it earns, and what the best other choice would bring.

    Columns: ``cell``, the keys of the axes, ``cost_factor, end, type, fsps, rated_mw, choice, eur_per_kw_year`` (after
    costs), ``best_other, gain`` (EUR/kW-year), ``consent_worth`` (the best choice with consent less the best without,
    EUR/kW-year; all others as at the end), and of both the standard error over the scenarios, ``gain_error`` and
    ``consent_worth_error``.
    """
    rows = []
    for cell, outcome in outcomes.items():
        for factor, ends in outcome.ends.items():
            for number, end in enumerate(ends):
                at = {**_place(cell), "cost_factor": factor, "end": number}
                rows += [{**at, **type_row(study, outcome, factor, end, k)} for k in range(len(end.one.profile))]
    return pd.DataFrame(rows)


def type_row(study: EquilibriumStudy, outcome: Outcome, factor: float, end: End, k: int) -> dict[str, Any]:
    """Return what one type does and earns at an end, its best other choice, and what consent is worth to it."""
    types, now = outcome.who.types, end.one.profile[k]
    earned = earned_by_choice(study, outcome, factor, end, k)
    gain, to = max((float((earned[c] - earned[now]).mean()), -c) for c in range(len(study.choices)) if c != now)
    difference = earned[-to] - earned[now]
    return {
        "type": types.names[k], "fsps": int(types.fsps[k]), "rated_mw": float(types.rated_mw[k]),
        "choice": study.choices[now].value, "eur_per_kw_year": float(earned[now].mean()),
        "best_other": study.choices[-to].value, "gain": gain, "gain_error": _error(difference),
        **_consent_worth(study, earned),
    }  # fmt: skip


def earned_by_choice(study: EquilibriumStudy, outcome: Outcome, factor: float, end: End, k: int) -> FloatArray:
    """Return what a type earns after costs by each choice, all others as at the end, (choices, S) EUR/kW-year."""
    types, costs = outcome.who.types, scaled(factor)
    rows = []
    for to, choice in enumerate(study.choices):
        flex = per_kw_year(outcome.revenue(switch(end.one.profile, k, to)), types, outcome.who.years)[:, k]
        rows.append(flex - types.fsps[k] * yearly_eur(choice, costs) / (1000.0 * types.rated_mw[k]))
    return np.array(rows)


def _consent_worth(study: EquilibriumStudy, earned: FloatArray) -> dict[str, float]:
    """Return the best choice with consent less the best without, and its standard error; NaN where there are not both."""
    by = {
        answer: [row for row, choice in zip(earned, study.choices, strict=True) if choice.consents == answer]
        for answer in (True, False)
    }
    if not (by[True] and by[False]):
        return {"consent_worth": np.nan, "consent_worth_error": np.nan}
    yes, no = (max(rows, key=lambda row: float(row.mean())) for rows in (by[True], by[False]))
    return {"consent_worth": float((yes - no).mean()), "consent_worth_error": _error(yes - no)}


def _error(sample: FloatArray) -> float:
    """Return the standard error of a mean."""
    return float(sample.std(ddof=1) / np.sqrt(len(sample)))


def _place(cell: Cell) -> dict[str, object]:
    return {"cell": cell.number, **{key: value_text(value) for key, value in cell.point}}
