"""Replay of small price files: exact values, gaps, splits, what is drawn, and every error."""

import datetime as dt
import math
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stacking import columns as c
from stacking.errors import StackingError
from stacking.scenario import SPLITS, Library, check, replay
from stacking.scenario.splits import EMBARGO_DAYS, split_period

START = dt.datetime(2025, 3, 3, 0, tzinfo=dt.UTC)
HEAD = "utc,da_price,mfrr_up_price,mfrr_dn_price,imb_price,balancing_demand_mw,dominating_direction"
ZONE = "Europe/Copenhagen"


def stamps(count: int, minutes: int, start: dt.datetime = START) -> list[str]:
    return [(start + dt.timedelta(minutes=minutes * k)).isoformat() for k in range(count)]


def row(k: int) -> str:
    """Quarter hour k: prices that name it, up in every third, down in every third."""
    direction = (1, -1, 0)[k % 3]
    da = 50 + k % 96 / 10
    up, down = da + (5.25 if direction > 0 else 0), da - (4.125 if direction < 0 else 0)
    return f"{da},{up},{down},{(up, da, down)[1 - direction]},{direction * 120.5},{direction}"


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def quarter_hours(path: Path, days: int, start: dt.datetime = START) -> Path:
    moments = stamps(96 * days, 15, start)
    return write(path, [HEAD, *(f"{moment},{row(k)}" for k, moment in enumerate(moments))])


def hours(path: Path, count: int, *, head: str = "utc,da_price", cells=lambda k: str(40 + k % 24)) -> Path:
    return write(path, [head, *(f"{moment},{cells(k)}" for k, moment in enumerate(stamps(count, 60)))])


def mfrr(library: Library, direction: int, part: int) -> np.ndarray:
    return library.series[:, :, c.background_column(direction) + part]


# ---- values ------------------------------------------------------------


def test_quarter_hours_come_out_exactly_as_they_stand_in_the_file(tmp_path):
    library = replay(quarter_hours(tmp_path / "q.csv", 8), days=2, timezone=ZONE)
    assert [str(key) for key in library.keys] == [f"all/q/0/2025030{d}" for d in (4, 6, 8)]
    for s, key in enumerate(library.keys):
        first = dt.datetime.strptime(f"{key.episode} 12", "%Y%m%d %H").replace(tzinfo=ZoneInfo(ZONE)) - dt.timedelta(days=1)
        assert library.start_utc[s] == np.datetime64(first.astimezone(dt.UTC).replace(tzinfo=None), "s")
        at = round((first - START) / dt.timedelta(minutes=15))
        rows = [[float(cell) for cell in row(k).split(",")] for k in range(at, at + 240)]
        da, up, down, settled, need, direction = np.array(rows).T
        assert library.length[s] == 240
        assert (library.series[s, :, c.DA_PRICE] == da).all()
        assert (mfrr(library, c.UP, c.ANCHOR)[s] == up).all()
        assert (mfrr(library, c.DN, c.ANCHOR)[s] == down).all()
        assert (library.series[s, :, c.IMBALANCE_PRICE] == settled).all()
        assert (library.series[s, :, c.DOMINANT] == direction).all()
        assert (mfrr(library, c.UP, c.NEED)[s] == np.maximum(need, 0)).all()
        assert (mfrr(library, c.DN, c.NEED)[s] == np.maximum(-need, 0)).all()
        assert (mfrr(library, c.UP, c.VOLUME)[s] == np.where(need > 0, need, 200.0)).all()
        assert (mfrr(library, c.UP, c.REF)[s] == np.where(need > 0, da, up)).all()
        assert (mfrr(library, c.DN, c.REF)[s] == np.where(need < 0, da, down)).all()
        assert (library.hourly[s, :60, c.DA_MEAN] == da.reshape(60, 4).mean(axis=1)).all()
        assert library.scalars[s, c.TERMINAL_PRICE] == pytest.approx(54.75)


def test_hourly_rows_stand_for_four_quarter_hours_and_energies_become_mw(tmp_path):
    head = "utc,da_price,mfrr_up_price,mfrr_dn_price,imb_price,mfrr_up_act_mwh,mfrr_dn_act_mwh"
    path = hours(tmp_path / "h.csv", 24 * 5, head=head, cells=lambda k: f"{k},{k + 7},{k},{k + 7},33.5,0")
    library = replay(path, days=1)
    da = library.series[0, :, c.DA_PRICE]
    assert da[:8].tolist() == [11.0] * 4 + [12.0] * 4  # noon in Copenhagen is 11:00 UTC
    assert (mfrr(library, c.UP, c.NEED) == 33.5).all()
    assert (mfrr(library, c.UP, c.ANCHOR)[0] == da + 7).all()
    assert (library.series[0, :, c.DOMINANT] == 1).all()


def test_quarter_hourly_energies_become_mw(tmp_path):
    head = "utc,da_price,mfrr_up_price,mfrr_dn_price,mfrr_up_act_mwh,mfrr_dn_act_mwh"
    lines = [head, *(f"{moment},50,50,40,0,12.5" for moment in stamps(96 * 4, 15))]
    library = replay(write(tmp_path / "q.csv", lines), days=1)
    assert (mfrr(library, c.DN, c.NEED) == 50.0).all()
    assert (library.series[:, :, c.DOMINANT] == -1).all()
    assert (library.series[:, :, c.IMBALANCE_PRICE] == 40.0).all()
    assert any("imbalance prices" in part for part in library.synthetic)


def test_a_price_beyond_day_ahead_without_need_gets_the_stated_need(tmp_path):
    lines = [HEAD, *(f"{moment},50,60,40,60,0,1" for moment in stamps(96 * 4, 15))]
    library = replay(write(tmp_path / "q.csv", lines), days=1)
    assert (mfrr(library, c.UP, c.NEED) == 1.0).all()
    assert (mfrr(library, c.DN, c.NEED) == 1.0).all()
    assert any("1 MW" in part for part in library.synthetic)


def test_missing_parts_are_drawn_and_named(tmp_path):
    bare = replay(hours(tmp_path / "da.csv", 24 * 6), days=2)
    assert "balancing prices and needs" in bare.synthetic
    assert (mfrr(bare, c.UP, c.NEED) > 0).any()
    assert set(np.unique(bare.series[:, :, c.DOMINANT])) == {-1.0, 0.0, 1.0}
    path = hours(tmp_path / "imb.csv", 24 * 6, head="utc,da_price,imb_price", cells=lambda k: f"50,{50 + (k % 3 - 1) * 8}")
    settled = replay(path, days=2)
    assert set(np.unique(mfrr(settled, c.UP, c.ANCHOR))) == {50.0, 58.0}
    assert set(np.unique(mfrr(settled, c.DN, c.ANCHOR))) == {50.0, 42.0}
    assert (mfrr(settled, c.UP, c.NEED)[settled.series[:, :, c.DOMINANT] == 1] > 1.0).all()
    assert any(part.startswith("mFRR prices") for part in settled.synthetic)
    for library in (bare, settled):
        assert {"local needs and others' local offers", "forecasts"} <= set(library.synthetic)


def test_two_files_are_merged_and_their_union_used(tmp_path):
    one = quarter_hours(tmp_path / "q.csv", 4)
    lines = one.read_text().splitlines()
    cut = [",".join(cells.split(",")[:1] + cells.split(",")[2:]) for cells in lines]
    balancing = write(tmp_path / "balancing.csv", cut)
    prices = write(tmp_path / "prices.csv", [",".join(cells.split(",")[:2]) for cells in lines])
    both, whole = replay([prices, balancing], days=2), replay(one, days=2)
    assert both.source == "prices+balancing"
    for column in (c.DA_PRICE, c.IMBALANCE_PRICE, c.DOMINANT):
        assert (both.series[:, :, column] == whole.series[:, :, column]).all()
    assert (mfrr(both, c.UP, c.ANCHOR) == mfrr(whole, c.UP, c.ANCHOR)).all()


def test_parquet_reads_like_csv(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.csv
    import pyarrow.parquet

    path = quarter_hours(tmp_path / "q.csv", 4)
    table = pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(column_types={"utc": pa.string()}))
    (tmp_path / "text").mkdir()
    pyarrow.parquet.write_table(table, tmp_path / "text" / "q.parquet")
    local = pa.array([dt.datetime.fromisoformat(s) for s in table["utc"].to_pylist()], pa.timestamp("ns", "Europe/Oslo"))
    (tmp_path / "stamp").mkdir()
    pyarrow.parquet.write_table(table.set_column(0, "utc", local), tmp_path / "stamp" / "q.parquet")
    csv = replay(path, days=2)
    for folder in ("text", "stamp"):
        parquet = replay(tmp_path / folder / "q.parquet", days=2)
        assert parquet.series.tobytes() == csv.series.tobytes()
        assert parquet.hourly.tobytes() == csv.hourly.tobytes()


@pytest.mark.parametrize("text", ["{:%Y-%m-%d %H:%M}Z", "{:%Y-%m-%dT%H:%M:%S} UTC", "{:%Y-%m-%d %H:%M:%S}+00:00"])
def test_spellings_of_utc(tmp_path, text):
    moments = [START + dt.timedelta(hours=k) for k in range(96)]
    path = write(tmp_path / "h.csv", ["utc,da_price", *(f"{text.format(m)},1" for m in moments)])
    assert len(replay(path, days=1)) == 2


def test_offsets_are_honoured(tmp_path):
    moments = [START + dt.timedelta(hours=k) for k in range(96)]
    local = [m.astimezone(ZoneInfo("Asia/Kolkata")).isoformat() for m in moments]
    path = write(tmp_path / "h.csv", ["utc,da_price", *(f"{m},{k}" for k, m in enumerate(local))])
    (tmp_path / "utc").mkdir()
    plain = replay(hours(tmp_path / "utc" / "h.csv", 96, cells=str), days=1)
    assert (replay(path, days=1).series == plain.series).all()


@pytest.mark.parametrize(("month", "day", "ticks"), [(3, 30, 140), (10, 26, 148)])
@pytest.mark.parametrize("minutes", [15, 60])
def test_clock_changes(tmp_path, month, day, ticks, minutes):
    start = dt.datetime(2025, month, day - 3, tzinfo=dt.UTC)
    moments = stamps(7 * 1440 // minutes, minutes, start)
    path = write(tmp_path / "c.csv", ["utc,da_price", *(f"{m},{k}" for k, m in enumerate(moments))])
    library = replay(path, days=1, timezone="Europe/Oslo")
    at = [key.episode % 100 for key in library.keys].index(day)
    assert library.length[at] == ticks
    quarter = minutes // 15
    first = int(library.series[at, 0, c.DA_PRICE])
    expected = first + np.arange(ticks) // quarter
    assert (library.series[at, :ticks, c.DA_PRICE] == expected).all()
    assert library.calendar[at, 0, c.DA_COUNT] == ticks - 48
    # the next window's first tick is noon of the day of the change
    assert library.series[at + 1, 0, c.DA_PRICE] == expected[ticks - 48]


def test_other_zones_deliver_their_own_days(tmp_path):
    path = hours(tmp_path / "h.csv", 24 * 6, cells=str)
    starts = {zone: int(replay(path, days=1, timezone=zone).series[0, 0, c.DA_PRICE]) for zone in ("UTC", "America/New_York")}
    assert starts == {"UTC": 12, "America/New_York": 17}
    kolkata = replay(path, days=1, timezone="Asia/Kolkata")  # noon is 06:30 UTC: half an hour into an hourly row
    assert kolkata.series[0, :4, c.DA_PRICE].tolist() == [6.0, 6.0, 7.0, 7.0]
    assert kolkata.hourly[0, 0, c.DA_MEAN] == 6.5


# ---- determinism and splits ------------------------------------------------------------


@pytest.fixture(scope="module")
def year(tmp_path_factory) -> Path:
    return hours(tmp_path_factory.mktemp("year") / "year.csv", 24 * 200, cells=lambda k: f"{50 + 30 * math.sin(k / 24):.2f}")


def test_replay_is_deterministic_and_seeds_change_only_what_is_drawn(year):
    one, again, other = replay(year, seed=1), replay(year, seed=1), replay(year, seed=2)
    assert one.series.tobytes() == again.series.tobytes()
    assert one.hourly.tobytes() == again.hourly.tobytes()
    assert (one.series[:, :, c.DA_PRICE] == other.series[:, :, c.DA_PRICE]).all()
    assert (one.scalars[:, 0] == other.scalars[:, 0]).all()
    assert not (one.series == other.series).all()
    assert not (one.start_frac == other.start_frac).any()


def test_splits_are_disjoint_parts_of_all_with_an_embargo(year):
    whole = replay(year, days=2)
    index = {key.episode: s for s, key in enumerate(whole.keys)}
    parts = {split: replay(year, split=split, days=2) for split in SPLITS}
    episodes = [[key.episode for key in parts[split].keys] for split in SPLITS]
    assert len({episode for part in episodes for episode in part}) == sum(len(part) for part in episodes)
    shares = [len(part) / len(whole) for part in episodes]
    assert shares == pytest.approx([0.6, 0.165, 0.165], abs=0.03)
    days = [[dt.datetime.strptime(str(episode), "%Y%m%d").date() for episode in part] for part in episodes]
    for before, after in pairwise(days):
        assert after[0] - (before[-1] + dt.timedelta(days=1)) > dt.timedelta(days=EMBARGO_DAYS)
    for split in SPLITS:
        for s, key in enumerate(parts[split].keys):
            assert key.split == split
            ticks = parts[split].length[s]
            assert (parts[split].series[s, :ticks] == whole.series[index[key.episode], :ticks]).all()
            assert (parts[split].start_frac[s] == whole.start_frac[index[key.episode]]).all()


def test_periods_by_hand():
    first, end = dt.date(2025, 1, 1), dt.date(2025, 4, 11)  # 100 days
    train, validation, test = (split_period(first, end, split) for split in SPLITS)
    assert (train.first, train.end) == (first, dt.date(2025, 3, 2))
    assert (validation.first, validation.end) == (dt.date(2025, 3, 9), dt.date(2025, 3, 22))
    assert (test.first, test.end) == (dt.date(2025, 3, 29), end)
    assert split_period(first, end, "all").first == first


def test_count_takes_windows_spread_evenly(year):
    whole, some = replay(year), replay(year, count=4)
    assert len(some) == 4
    index = [key.episode for key in whole.keys]
    steps = np.diff([index.index(key.episode) for key in some.keys])
    assert steps.min() >= len(whole) // 4 - 1
    more = replay(year, count=10_000)
    assert len(more) == len(whole)
    assert any("10000 windows were asked for" in note for note in more.notes)


def test_windows_are_consecutive_and_terminal_forecast_looks_back(year):
    library = replay(year, days=7)
    steps = np.diff(library.start_utc).astype("timedelta64[h]").astype(int)
    assert set(steps.tolist()) == {168, 167}
    # the first episode ends at midnight after the eve of the second: its last seven days are the trailing week
    week = library.series[0, library.length[0] - 672 : library.length[0], c.DA_PRICE]
    assert library.scalars[1, c.TERMINAL_FORECAST] == pytest.approx(week.mean())


def test_a_change_of_the_future_changes_no_forecast_of_the_terminal_price(tmp_path):
    ends = []
    for last in (50, 500):
        path = hours(tmp_path / f"{last}.csv", 24 * 12, cells=lambda k, last=last: str(last if k >= 24 * 8 else k % 24))
        library = replay(path, days=7)
        ends.append(library.scalars[0].tolist())
    assert ends[0][c.TERMINAL_FORECAST] == ends[1][c.TERMINAL_FORECAST]
    assert ends[0][c.TERMINAL_PRICE] < ends[1][c.TERMINAL_PRICE]


# ---- gaps ------------------------------------------------------------


def test_windows_with_missing_rows_or_empty_cells_are_skipped_and_named(tmp_path):
    path = quarter_hours(tmp_path / "q.csv", 14)
    lines = path.read_text().splitlines()
    del lines[1 + 96 * 4 + 50 : 1 + 96 * 4 + 53]  # three quarter hours of 7 March
    at = 1 + 96 * 8 + 10
    cells = lines[at].split(",")
    moment, cells[3] = cells[0], ""
    lines[at] = ",".join(cells)
    library = replay(write(path, lines), days=1)
    (tmp_path / "full").mkdir()
    whole = replay(quarter_hours(tmp_path / "full" / "q.csv", 14), days=1)
    gone = {key.episode for key in whole.keys} - {key.episode for key in library.keys}
    hole = int(dt.datetime.fromisoformat(moment).strftime("%Y%m%d"))
    # of a gap in day-ahead prices also the window whose terminal price it is
    assert {20250306, 20250307, 20250308} <= gone
    assert hole in gone
    assert len(gone) <= 5
    index = {key.episode: s for s, key in enumerate(whole.keys)}
    for s, key in enumerate(library.keys):
        assert (library.series[s] == whole.series[index[key.episode]]).all()
    text = "\n".join(library.notes)
    assert "3 missing rows in 1 gaps" in text
    assert "mfrr_dn_price has 1 empty cells" in text
    assert "skipped" in text
    assert "missing mfrr_dn_price" in text


def test_the_end_of_the_file_costs_no_window_that_only_forecasts_miss(tmp_path):
    # 3 March 00:00 to 7 March 23:00 UTC: midnight to midnight local of 4 to 7 March; the 7th is the day after the end
    library = replay(hours(tmp_path / "h.csv", 24 * 5 - 1), days=3)
    assert [key.episode for key in library.keys] == [20250304]
    end = library.length[0] // 4
    assert (library.hourly[0, end + 24 :, c.DA_MEAN] == 0).all()
    noon = library.hourly[0, :, c.DA_NOON]
    assert np.abs(noon[end + 24 : end + 48] - library.hourly[0, end - 24 : end, c.DA_MEAN]).max() < 30
    assert any("forecasts for it repeat" in note for note in library.notes)
    with pytest.raises(StackingError):
        replay(hours(tmp_path / "h.csv", 24 * 5 - 2), days=3)


def test_ignored_columns_are_reported(tmp_path):
    path = hours(tmp_path / "h.csv", 96, head="utc,da_price,wind,remark", cells=lambda k: f"1,{k},fine")
    assert any("wind, remark" in note for note in replay(path, days=1).notes)


# ---- errors ------------------------------------------------------------


def good(count: int = 96) -> list[str]:
    return ["utc,da_price", *(f"{m},{k}" for k, m in enumerate(stamps(count, 60)))]


def swap(at: int, line: str) -> list[str]:
    lines = good()
    lines[at] = line
    return lines


STAMP = stamps(96, 60)
BAD_FILES = {
    "empty file": ([""], "utc"),
    "no rows": (["utc,da_price"], "utc"),
    "one row": (good(1), "utc"),
    "no utc": (["time,da_price", *good()[1:]], "utc"),
    "semicolons": ([line.replace(",", ";") for line in good()], "utc"),
    "no price": (["utc,price", *good()[1:]], "da_price"),
    "no day-ahead price": (["utc,imb_price", *good()[1:]], "da_price"),
    "doubled column": (["utc,da_price,da_price", *(f"{m},1,1" for m in STAMP)], "da_price"),
    "up without down": (["utc,da_price,mfrr_up_price", *(f"{m},1,1" for m in STAMP)], "mfrr_dn_price"),
    "energy up without down": (["utc,da_price,mfrr_up_act_mwh", *(f"{m},1,1" for m in STAMP)], "mfrr_dn_act_mwh"),
    "unparsable stamp": (swap(5, "yesterday,4"), "utc, row 6"),
    "empty stamp": (swap(5, ",4"), "utc, row 6"),
    "naive stamp": (swap(5, "2025-03-03T04:00:00,4"), "utc, row 6"),
    "date only": (swap(5, "2025-03-03,4"), "utc, row 6"),
    "far year": (swap(5, "0001-01-01T00:00:00+00:00,4"), "utc, row 6"),
    "off the quarter hour": (swap(5, "2025-03-03T04:05:00+00:00,4"), "utc, row 6"),
    "half hour": (swap(5, "2025-03-03T04:30:00+00:00,4"), "utc, row 7"),
    "doubled stamp": (swap(5, f"{STAMP[3]},4"), "utc, row 6"),
    "unsorted": (swap(5, f"{STAMP[1]},4"), "utc, row 6"),
    "two-hourly": (["utc,da_price", *(f"{m},1" for m in stamps(96, 120))], "utc, row 3"),
    "hourly then quarter-hourly": (
        [
            "utc,da_price",
            *(f"{m},1" for m in STAMP),
            *(f"{m},1" for m in stamps(96, 15, START + dt.timedelta(hours=96))),
        ],
        "utc, row 99",
    ),
    "quarter-hourly then hourly": (
        [
            "utc,da_price",
            *(f"{m},1" for m in stamps(96, 15)),
            *(f"{m},1" for m in stamps(72, 60, START + dt.timedelta(hours=24))),
        ],
        "utc, row 99",
    ),
    "infinite": (swap(5, f"{STAMP[4]},inf"), "da_price, row 6"),
    "overflowing": (swap(5, f"{STAMP[4]},1e999"), "da_price, row 6"),
    "text": (swap(5, f"{STAMP[4]},cheap"), "da_price, row 6"),
    "underscore": (swap(5, f"{STAMP[4]},1_0"), "da_price, row 6"),
    "decimal comma": (swap(5, f'{STAMP[4]},"1,5"'), "da_price, row 6"),
    "too large": (swap(5, f"{STAMP[4]},1e6"), "da_price, row 6"),
    "ragged row": (swap(5, f"{STAMP[4]},1,2"), "line 6"),
    "negative energy": (
        ["utc,da_price,mfrr_up_act_mwh,mfrr_dn_act_mwh", *(f"{m},1,-1,0" for m in STAMP)],
        "mfrr_up_act_mwh, row 2",
    ),
    "odd direction": (
        ["utc,da_price,imb_price,dominating_direction", *(f"{m},1,1,0.5" for m in STAMP)],
        "dominating_direction, row 2",
    ),
    "empty column": (["utc,da_price,imb_price", *(f"{m},1," for m in STAMP)], "imb_price"),
    "too short": (good(40), "days"),
    "gaps everywhere": (["utc,da_price", *(f"{m},{k if k % 7 else ''}" for k, m in enumerate(STAMP))], "split"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_named_with_place_and_key(tmp_path, name):
    lines, key = BAD_FILES[name]
    path = write(tmp_path / "bad.csv", lines)
    with pytest.raises(StackingError) as caught:
        replay(path, days=1)
    assert caught.value.key == key, str(caught.value)
    assert "bad" in caught.value.place
    assert caught.value.remedy


def test_a_single_missing_row_is_a_gap_not_an_error(tmp_path):
    lines = good(24 * 8)
    del lines[100]
    library = replay(write(tmp_path / "h.csv", lines), days=1)
    assert any("1 missing rows in 1 gaps" in note for note in library.notes)
    assert any("skipped" in note for note in library.notes)


def test_a_gap_of_an_hour_in_quarter_hours_is_a_gap(tmp_path):
    path = quarter_hours(tmp_path / "q.csv", 8)
    lines = path.read_text().splitlines()
    del lines[400:403]
    assert any("3 missing rows" in note for note in replay(write(path, lines), days=1).notes)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"split": "exam"}, "split"),
        ({"split": "test", "days": 7}, "split"),
        ({"days": 0}, "days"),
        ({"days": "1"}, "days"),
        ({"days": 50}, "days"),
        ({"timezone": "Europe/Kopenhagen"}, "timezone"),
        ({"rows": 0}, "rows"),
        ({"seed": -1}, "seed"),
        ({"count": 0}, "count"),
        ({"paths": []}, "paths"),
        ({"paths": "nothing.csv"}, ""),
    ],
)
def test_bad_arguments_are_named(tmp_path, change, key):
    arguments = {"paths": hours(tmp_path / "h.csv", 24 * 20), "days": 1, **change}
    with pytest.raises(StackingError) as caught:
        replay(arguments.pop("paths"), **arguments)
    assert caught.value.key == key


def test_unknown_formats_and_broken_files(tmp_path):
    for name, data, problem in (
        ("prices.xlsx", b"x", "Unknown format"),
        ("prices", b"x", "Unknown format"),
        ("prices.parquet", b"not parquet", "cannot be read"),
        ("prices.csv", b"utc,da_price\n\xff\xfe,1\n", "cannot be read"),
        ("prices.csv", b'utc,da_price\n"open,1\n', "cannot be read"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(StackingError, match=problem):
            replay(tmp_path / name)
    with pytest.raises(StackingError, match="no such price file"):
        replay(tmp_path)


def test_naive_parquet_stamps_are_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    moments = [dt.datetime.fromisoformat(m).replace(tzinfo=None) for m in STAMP]
    table = pa.table({"utc": pa.array(moments, pa.timestamp("us")), "da_price": [1.0] * 96})
    pyarrow.parquet.write_table(table, tmp_path / "h.parquet")
    with pytest.raises(StackingError, match="no offset"):
        replay(tmp_path / "h.parquet", days=1)
    prices = pa.array([1.0, math.inf, *[1.0] * 94])
    table = table.set_column(0, "utc", pa.array(moments, pa.timestamp("us", "UTC"))).set_column(1, "da_price", prices)
    pyarrow.parquet.write_table(table, tmp_path / "h.parquet")
    with pytest.raises(StackingError, match="infinite"):
        replay(tmp_path / "h.parquet", days=1)


def test_files_that_disagree_are_refused(tmp_path):
    one, two = (
        hours(tmp_path / "one.csv", 96),
        hours(tmp_path / "two.csv", 96, cells=lambda k: str(40 + k % 24 + (k == 30))),
    )
    with pytest.raises(StackingError) as caught:
        replay([one, two], days=1)
    assert caught.value.key == "da_price, 2025-03-04T06:00Z"
    assert "one.csv" in caught.value.place
    assert "two.csv" in caught.value.place
    assert "46 and 47" in caught.value.value


def test_a_span_of_a_century_is_refused(tmp_path):
    one = hours(tmp_path / "one.csv", 48)
    two = write(tmp_path / "two.csv", ["utc,da_price", *(f"{m},1" for m in stamps(48, 60, START.replace(year=2090)))])
    with pytest.raises(StackingError, match="too long a time"):
        replay([one, two], days=1)


# ---- fuzz ------------------------------------------------------------

CELLS = st.one_of(
    st.sampled_from(["", "nan", "inf", "-inf", "1e400", "1,5", '"', "''", "2025-03-03", "Z", "+", "٣", "\x00"]),
    st.text(max_size=6),
    st.floats(allow_nan=True).map(str),
    st.integers(-(10**9), 10**9).map(str),
)
BASE = ["utc,da_price,imb_price", *(f"{m},{k % 24},{k % 24 + k % 3}" for k, m in enumerate(stamps(72, 60)))]


@st.composite
def mangled(draw) -> str:
    """A good file with rows dropped, doubled, swapped, and cells replaced."""
    lines = list(BASE)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "swap", "cell", "text", "shift"])):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "cell":
                cells = lines[at].split(",")
                cells[draw(st.integers(0, len(cells) - 1))] = draw(CELLS)
                lines[at] = ",".join(cells)
            case "text":
                lines[at] = draw(st.text(max_size=30))
            case _:
                lines = lines[:at] + [
                    line.replace(":00:00+", f":{draw(st.sampled_from(['15', '30', '07']))}:00+") for line in lines[at:]
                ]
        if not lines:
            lines = [""]
    return "\n".join(lines)


def outcome(path: Path) -> str:
    library = error = None
    try:
        library = replay(path, days=1)
    except StackingError as caught:
        error = caught
    if library is None:
        assert error is not None
        assert error.problem
        assert error.remedy
        assert path.stem in error.place or error.place == "scenario"
        return "error"
    check(library)
    assert len(library) >= 1
    assert np.isfinite(library.series[:, :, c.DA_PRICE]).all()
    return "library"


@given(mangled())
@example("\n".join(BASE))
def test_mangled_files_give_an_error_or_a_valid_library(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("fuzz") / "fuzz.csv"
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    outcome(path)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_an_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("fuzz.csv", "fuzz.parquet"):
        (folder / name).write_bytes(data)
        assert outcome(folder / name) == "error"


def test_the_fuzz_reaches_both_outcomes(tmp_path):
    assert outcome(write(tmp_path / "fuzz.csv", BASE)) == "library"
    assert outcome(write(tmp_path / "fuzz.csv", BASE[:20])) == "error"
