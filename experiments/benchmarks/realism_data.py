"""Real series of the realism benchmark: which files, which columns, which zone; and published figures of closed series."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stacking.errors import StackingError
from stacking.scenario.calibrate import split_at
from stacking.scenario.table import PriceTable, read_table

HELD_OUT_FRAC = 0.25
"""Last part of each series that calibration does not see."""


@dataclass(frozen=True)
class Case:
    """One real series: file, zone, and the columns of a file that is not in the schema of docs/price-files.md."""

    name: str
    file: str
    timezone: str
    base: str  # shipped set of the nearest zone, for months that the fitted part does not hold
    columns: dict[str, str] = field(default_factory=dict)  # column of the schema -> column of the file


CASES = (
    Case("DK1 2025, 15-min balancing", "dk1_imbalance_afrr_mfrr_2025_15min.csv", "Europe/Copenhagen", "dk1_2025"),
    Case("DK1 2023-25, hourly balancing", "dk1_regulating_power_2023_2025_hourly.csv", "Europe/Copenhagen", "dk1_2024"),
    Case(
        "NO1 2023, hourly balancing",
        "no1_2023_spot_fcr_afrr_mfrr_hourly.csv",
        "Europe/Oslo",
        "no2_2024",
        {
            "da_price": "no1_eur_per_mwh",
            "mfrr_up_price": "mfrr_eam_up_eur_per_mwh",
            "mfrr_dn_price": "mfrr_eam_down_eur_per_mwh",
        },
    ),
    Case("DK1 2023-25, day-ahead", "dk1_da_2023_2025_hourly.csv", "Europe/Copenhagen", "dk1_2024"),
    Case("DE-LU 2024, day-ahead", "da_2024_hourly_entsoe.csv", "Europe/Berlin", "dk1_2024", {"da_price": "DE_LU"}),
    Case("FI 2024, day-ahead", "da_2024_hourly_entsoe.csv", "Europe/Helsinki", "no2_2024", {"da_price": "FI"}),
    Case("FR 2024, day-ahead", "da_2024_hourly_entsoe.csv", "Europe/Paris", "dk1_2024", {"da_price": "FR"}),
    Case("ES 2024, day-ahead", "da_2024_hourly_entsoe.csv", "Europe/Madrid", "dk1_2024", {"da_price": "ES"}),
)

PUBLISHED = {
    # day-ahead: 15-min rows of 2025 to 1 December; balancing: 4 March to 1 December; runs and correlations: whole year
    "no2_2025": {
        "day-ahead: mean": 65.0, "day-ahead: deviation": 33.2, "day-ahead: 1 %": 1.2, "day-ahead: 5 %": 13.6,
        "day-ahead: 25 %": 47.7, "day-ahead: 50 %": 64.9, "day-ahead: 75 %": 78.2, "day-ahead: 95 %": 120.4,
        "day-ahead: 99 %": 179.3, "day-ahead: % below 0": 0.45, "day-ahead: % above 200": 0.9,
        "day-ahead: autocorrelation 1 h": 0.921, "day-ahead: autocorrelation 24 h": 0.605, "day-ahead: daily max - min": 61.0,
        "mFRR up: mean": 67.3, "mFRR up: deviation": 38.0, "mFRR up: 5 %": 16.1, "mFRR up: 50 %": 67.2, "mFRR up: 95 %": 109.0,
        "mFRR up: 99 %": 173.0, "mFRR up: autocorrelation 1 step": 0.851, "mFRR up: autocorrelation 1 h": 0.682,
        "mFRR up: autocorrelation 24 h": 0.423, "mFRR down: mean": 51.8, "mFRR down: deviation": 26.2, "mFRR down: 5 %": 3.3,
        "mFRR down: 50 %": 55.0, "mFRR down: 95 %": 86.4, "mFRR down: 99 %": 129.0, "mFRR down: autocorrelation 1 step": 0.944,
        "mFRR down: autocorrelation 1 h": 0.846, "mFRR down: autocorrelation 24 h": 0.547, "imbalance: mean": 57.3,
        "imbalance: deviation": 37.1, "imbalance: 5 %": 5.6, "imbalance: 50 %": 56.8, "imbalance: 95 %": 101.0,
        "imbalance: 99 %": 156.0, "imbalance: autocorrelation 1 step": 0.824, "imbalance: autocorrelation 24 h": 0.367,
        "activation: % up": 17.5, "activation: % down": 69.0, "activation: % both": 1.45, "activation: run up, mean h": 1.08,
        "activation: run up, 95 % h": 3.75, "activation: run down, mean h": 2.79, "activation: run down, 95 % h": 11.5,
        "premium: mean": 21.0, "premium: 50 %": 12.0, "premium: 95 %": 49.9, "premium: 99 %": 160.0, "discount: mean": 15.2,
        "discount: 50 %": 12.2, "discount: 95 %": 41.9, "discount: 99 %": 76.5, "correlation day-ahead, up": 0.81,
        "correlation day-ahead, down": 0.87, "correlation day-ahead, imbalance": 0.69, "volume up: mean MW": 140.0,
        "volume down: mean MW": 220.0,
    },
    # 2024, an hourly market in 15-min rows: autocorrelations over one row are left out
    "no2_2024": {
        "day-ahead: mean": 50.1, "day-ahead: deviation": 34.2, "day-ahead: 1 %": -2.0, "day-ahead: 5 %": 4.1,
        "day-ahead: 25 %": 37.4, "day-ahead: 50 %": 47.2, "day-ahead: 75 %": 58.4, "day-ahead: 95 %": 97.1,
        "day-ahead: 99 %": 147.3, "day-ahead: % below 0": 2.345, "day-ahead: % above 200": 0.3,
        "day-ahead: autocorrelation 1 h": 0.943, "day-ahead: autocorrelation 24 h": 0.608, "day-ahead: daily max - min": 46.3,
        "mFRR up: mean": 53.0, "mFRR up: deviation": 40.6, "mFRR up: 5 %": 6.8, "mFRR up: 50 %": 48.9, "mFRR up: 95 %": 102.0,
        "mFRR up: 99 %": 166.7, "mFRR up: autocorrelation 1 h": 0.860, "mFRR up: autocorrelation 24 h": 0.492,
        "mFRR down: mean": 44.0, "mFRR down: deviation": 32.3, "mFRR down: 5 %": 0.0, "mFRR down: 50 %": 43.5,
        "mFRR down: 95 %": 88.3, "mFRR down: 99 %": 138.2, "mFRR down: autocorrelation 1 h": 0.829,
        "mFRR down: autocorrelation 24 h": 0.528, "imbalance: mean": 47.0, "imbalance: deviation": 39.6, "imbalance: 50 %": 45.0,
        "imbalance: 95 %": 94.3, "imbalance: 99 %": 151.4, "activation: % up": 18.1, "activation: % down": 30.2,
        "activation: % both": 1.10, "activation: run up, mean h": 2.89, "activation: run up, 95 % h": 9.0,
        "activation: run down, mean h": 3.31, "activation: run down, 95 % h": 10.0, "premium: mean": 12.09, "premium: 50 %": 7.60,
        "premium: 95 %": 26.05, "discount: mean": 15.73, "discount: 50 %": 11.19, "discount: 95 %": 35.99,
        "correlation day-ahead, up": 0.87, "correlation day-ahead, down": 0.84, "correlation day-ahead, imbalance": 0.72,
        "volume up: mean MW": 205.0, "volume down: mean MW": 258.0,
    },
}  # fmt: skip
"""Figures of NO2 from Nord Pool exports that are not open (docs/sources.md); what the shipped sets are compared with."""


def read_cases(folder: str | Path) -> list[tuple[Case, PriceTable, PriceTable]]:
    """Return each case with the part that calibration sees and the part held out.

    Raises:
        StackingError: if a file is missing, naming all that are.
    """
    folder = Path(folder).expanduser()
    missing = sorted({case.file for case in CASES if not (folder / case.file).is_file()})
    if missing:
        raise StackingError(
            "The real series are not there.",
            place=str(folder),
            key="--data",
            value=f"missing: {', '.join(missing)}",
            allowed="a folder with the files that docs/realism.md lists",
            remedy="Name the folder with --data FOLDER; docs/realism.md says where the series come from.",
        )
    tables = [(case, _read(case, folder / case.file)) for case in CASES]
    return [(case, *split_at(table, 1.0 - HELD_OUT_FRAC)) for case, table in tables]


def _read(case: Case, path: Path) -> PriceTable:
    """Return a table from its first to its last hour with a day-ahead price."""
    table = _foreign(case, path) if case.columns else read_table(path)
    there = np.flatnonzero(~np.isnan(table.columns["da_price"]))
    first, stop = int(there[0]), int(there[-1]) + 1
    columns = {name: values[first:stop] for name, values in table.columns.items()}
    return PriceTable(table.first_s + 900 * first, columns, path.stem, ())


def _foreign(case: Case, path: Path) -> PriceTable:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stamps = np.array([int(dt.datetime.fromisoformat(row["utc"]).timestamp()) for row in rows])
    if (np.diff(stamps) != 3600).any():
        raise StackingError("The hours of a real series do not follow each other.", place=str(path), key="utc")
    columns = {
        name: np.repeat([float(row[column]) if row[column] else np.nan for row in rows], 4)
        for name, column in case.columns.items()
    }
    return PriceTable(int(stamps[0]), columns, path.stem, ())
