"""With `do_nothing` the engine returns the published prices of a replay exactly, in every MTU and design."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from stacking import Engine, Library, default_portfolios, design_names, load_design, replay
from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.portfolio import Battery, Portfolio

PORTFOLIOS = (
    Portfolio(name="battery", connection_mw=5.0, battery=Battery(power_mw=5.0, capacity_mwh=10.0)),
    *default_portfolios(),
)
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
QUARTER_HOURLY = [DATA / "dk1_imbalance_afrr_mfrr_2025_15min.csv"]
HOURLY = [DATA / "dk1_da_2023_2025_hourly.csv", DATA / "dk1_regulating_power_2023_2025_hourly.csv"]


def written_prices(path: Path, days: int = 5) -> Path:
    """Write a quarter-hourly file with awkward decimal prices in both directions."""
    rng = np.random.default_rng(5)
    start = datetime(2025, 3, 28, tzinfo=UTC)
    price = 0.0
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["utc", "da_price", "mfrr_up_price", "mfrr_dn_price", "imb_price", "balancing_demand_mw"])
        for i in range(96 * days):
            if i % 4 == 0:
                price = round(float(rng.normal(60.0, 30.0)), 2)
            need = round(float(rng.normal(0.0, 80.0)), 1)
            up = round(price + float(rng.exponential(31.7)), 2) if need > 0 else price
            dn = round(price - float(rng.exponential(17.3)), 2) if need < 0 else price
            out.writerow([(start + timedelta(minutes=15 * i)).isoformat(), price, up, dn, up if need > 0 else dn, need])
    return path


def assert_published(library: Library, design: str) -> int:
    """Step `do_nothing` through every scenario and compare all prices; return the number of MTU with a need."""
    worlds = len(library.keys)
    engine = Engine(load_design(design), PORTFOLIOS, library, worlds=worlds)
    engine.reset(np.arange(worlds))
    action = np.zeros((worlds, len(PORTFOLIOS), v.ACTIONS_W))
    needed = 0
    up, dn = c.background_column(0), c.background_column(1)
    for tick in range(int(library.length.max())):
        alive = tick < library.length
        engine.step(action)
        at = library.series[alive, tick]
        assert np.array_equal(engine.market[alive, f.PRICE_MFRR_UP], at[:, up + c.ANCHOR])
        assert np.array_equal(engine.market[alive, f.PRICE_MFRR_DN], at[:, dn + c.ANCHOR])
        assert np.array_equal(engine.market[alive, f.PRICE_IMBALANCE], at[:, c.IMBALANCE_PRICE])
        assert np.array_equal(engine.market[alive, f.PRICE_DA], at[:, c.DA_PRICE])
        needed += int(((at[:, up + c.NEED] > 0) | (at[:, dn + c.NEED] > 0)).sum())
    assert not engine.state[:, 0, s.CASH].any()  # a battery that does nothing
    assert engine.state[:, 1, s.CASH].any()  # cars and machines that take what they need
    return needed


@pytest.mark.parametrize("design", design_names())
def test_a_written_file_comes_back_exactly(design: str, tmp_path: Path) -> None:
    """Days with a clock change, both directions, awkward decimals."""
    library = replay([written_prices(tmp_path / "prices.csv")], days=1, portfolios=PORTFOLIOS, timezone="Europe/Copenhagen")
    assert assert_published(library, design) > 100


@pytest.mark.parametrize("paths", [QUARTER_HOURLY, HOURLY], ids=["15min", "hourly"])
def test_danish_prices_come_back_exactly(paths: list[Path]) -> None:
    """All complete weeks of the Danish files."""
    if not all(path.exists() for path in paths):
        pytest.skip("the Danish price files are not here")
    library = replay(paths, days=7, portfolios=PORTFOLIOS, timezone="Europe/Copenhagen")
    assert assert_published(library, "norflex_eam") > 1000
