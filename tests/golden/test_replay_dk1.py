"""Real Danish prices: every value of every window is the one in the file. Skipped without the data folder."""

import csv
import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from stacking import columns as c
from stacking.scenario import SPLITS, Library, check, replay

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
QUARTERS = DATA / "dk1_imbalance_afrr_mfrr_2025_15min.csv"
PRICES = DATA / "dk1_da_2023_2025_hourly.csv"
REGULATING = DATA / "dk1_regulating_power_2023_2025_hourly.csv"

pytestmark = pytest.mark.skipif(not all(p.is_file() for p in (QUARTERS, PRICES, REGULATING)), reason="no shared data")

MFRR_UP, MFRR_DN = c.background_column(c.UP), c.background_column(c.DN)


def table(path: Path) -> dict[int, dict[str, str]]:
    """Rows by seconds since 1970, read by other means than the product's."""
    with path.open() as file:
        return {int(dt.datetime.fromisoformat(row["utc"]).timestamp()): row for row in csv.DictReader(file)}


def assert_equal(library: Library, rows: dict[int, dict[str, str]], step: int, columns: dict[int, str]) -> int:
    """Compare all ticks of all windows; return how many cells were compared."""
    compared = 0
    for s in range(len(library)):
        start = int(library.start_utc[s].astype(np.int64))
        seconds = [start + 900 * tick for tick in range(library.length[s])]
        for column, name in columns.items():
            real = np.array([float(rows[second - second % step][name]) for second in seconds])
            assert (library.series[s, : library.length[s], column] == real).all(), (library.keys[s], name)
            compared += len(real)
    return compared


PUBLISHED = {
    MFRR_UP + c.ANCHOR: "mfrr_up_price",
    MFRR_DN + c.ANCHOR: "mfrr_dn_price",
    c.IMBALANCE_PRICE: "imb_price",
    c.DA_PRICE: "da_price",
}


def test_quarter_hourly_2025():
    library = replay(QUARTERS)
    check(library)
    assert len(library) == 13
    rows = table(QUARTERS)
    assert assert_equal(library, rows, 900, {**PUBLISHED, c.DOMINANT: "dominating_direction"}) == 13 * 720 * 5
    inside = np.arange(library.series.shape[1]) < library.length[:, None]
    da = library.series[:, :, c.DA_PRICE]
    for at, sign in ((MFRR_UP, 1), (MFRR_DN, -1)):
        need, price = library.series[:, :, at + c.NEED], library.series[:, :, at + c.ANCHOR]
        assert (need[inside & (sign * (price - da) > 0)] > 0).all()
        assert (need == 1.0).sum() > 100  # prices without a need in the file
    assert "\n".join(library.notes).count("skipped") == 5
    # the gaps stated with the data: 11 empty needs, 4 empty imbalance prices
    assert any("balancing_demand_mw has 11 empty cells" in note for note in library.notes)
    assert any("imb_price has 4 empty cells" in note for note in library.notes)


def test_quarter_hourly_2025_day_by_day_leaves_out_only_days_with_gaps():
    library, rows = replay(QUARTERS, days=1), table(QUARTERS)
    assert len(library) == 130
    used = ("imb_price", "da_price", "mfrr_up_price", "mfrr_dn_price", "balancing_demand_mw", "dominating_direction")
    gaps = {second for second, row in rows.items() if any(row[name] == "" for name in used)}
    assert len(gaps) == 15
    reached = {int(library.start_utc[s].astype(np.int64)) + 900 * k for s in range(130) for k in range(library.length[s])}
    assert not gaps & reached


@pytest.mark.parametrize("paths", [[PRICES, REGULATING], [REGULATING, PRICES], [REGULATING]])
def test_hourly_2023_to_2025(paths):
    library = replay(paths)
    check(library)
    assert len(library) == 96
    assert set(library.length.tolist()) == {716, 720, 724}  # both changes of the clock
    rows = table(REGULATING)
    assert assert_equal(library, rows, 3600, PUBLISHED) == int(library.length.sum()) * 4
    up = library.series[:, :, MFRR_UP + c.NEED]
    first = int(library.start_utc[0].astype(np.int64))
    expected = [float(rows[first + 3600 * h]["mfrr_up_act_mwh"]) for h in range(180)]
    shown = [float(rows[first + 3600 * h]["mfrr_up_price"]) > float(rows[first + 3600 * h]["da_price"]) for h in range(180)]
    assert up[0, ::4].tolist()[:180] == [e if e > 0 else float(s) for e, s in zip(expected, shown, strict=True)]


def test_day_ahead_alone():
    library = replay(PRICES)
    assert len(library) == 125
    assert_equal(library, table(PRICES), 3600, {c.DA_PRICE: "da_price"})
    assert "balancing prices and needs" in library.synthetic


@pytest.mark.parametrize("paths", [[QUARTERS], [PRICES, REGULATING]])
def test_splits_are_disjoint(paths):
    seen = [key.episode for split in SPLITS for key in replay(paths, split=split).keys]
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)
