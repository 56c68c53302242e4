"""Real and generated statistics side by side. The comparison with data is skipped without the data folder."""

from pathlib import Path

import pytest

from stacking.experiments.benchmarks.realism_sites import compare_sites, site_rows

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
NEEDED = (
    "ev_sessions_norway_2018_2021.csv",
    "elaadnl_distribution_of_energy_demand.csv",
    "industrial_steel_korea_2018_15min.csv",
)


def test_without_data_it_says_so(tmp_path, capsys):
    assert site_rows(tmp_path) == []
    compare_sites(tmp_path)
    assert "skipped" in capsys.readouterr().out


@pytest.mark.skipif(not all((DATA / name).is_file() for name in NEEDED), reason="no shared data")
def test_generated_statistics_are_near_the_real_ones(capsys):
    rows = {(series, measure): (real, made) for series, measure, real, made in site_rows(DATA)}
    assert len(rows) > 70
    for (series, measure), (real, made) in rows.items():
        if measure == "mean" or (measure in ("quantile 0.5", "quantile 0.75", "quantile 0.95") and "steel" not in series):
            assert made == pytest.approx(real, rel=0.12), (series, measure)
        if "arrival hours" in measure:
            assert made < 0.02, (series, measure)
    real, made = rows[("home, sessions (Norway)", "correlation energy-connection")]
    assert made == pytest.approx(real, abs=0.03)
    compare_sites(DATA)
    assert "generated" in capsys.readouterr().out
