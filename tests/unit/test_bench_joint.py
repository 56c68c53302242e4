"""The benchmark of joint procurement runs, compares costs and refuses to time two methods that differ."""

from __future__ import annotations

from types import ModuleType

import pytest

from stacking.errors import StackingError


@pytest.fixture
def bench() -> ModuleType:
    pytest.importorskip("highspy")
    from stacking.experiments.benchmarks import joint

    return joint


def test_speeds_are_measured(bench: ModuleType):
    speed = bench.measure(areas=6, bids=20, trees=3)
    assert 0.0 < speed.solve_us < speed.tuned_us <= speed.default_us
    assert speed.ratio == speed.default_us / speed.kernel_us > 1.0


def test_methods_that_differ_are_refused(bench: ModuleType, monkeypatch: pytest.MonkeyPatch):
    wrong = bench.highs_of({"simplex_iteration_limit": 10_000})
    monkeypatch.setattr(bench, "highs_of", lambda setting: lambda bids, areas: (wrong(bids, areas)[0] * (1.0 + 1e-5), 0.0))
    with pytest.raises(StackingError, match="differ"):
        bench.measure(areas=6, bids=20, trees=2)
