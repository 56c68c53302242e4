"""The value of stored energy against a dynamic programme that tries every step."""

from __future__ import annotations

import numpy as np
import pytest

from stacking.agents.strategies.observed import look
from stacking.agents.strategies.value import CELLS, content_value, content_worth_more_than, value_at

from .observations import observation


def brute_force(
    price: np.ndarray,
    hours: int,
    final: np.ndarray,
    wear: float,
    tariff: float,
    eta: float,
    need: dict[int, tuple[float, float]],
) -> np.ndarray:
    """Return the marginal values at the start of hours 1..3 by trying every whole number of cells in every hour.

    `need` is hour -> (MW, + = up; price of the local sale).
    """
    step = 10.0 / CELLS
    buy_cells, sell_cells = round(5.0 * eta / step), round(5.0 / eta / step)
    value = np.concatenate([[0.0], np.cumsum(final)])
    curves = {}
    for hour in range(35, 0, -1):
        if hour < hours:
            b, s = (price[hour] + tariff) / eta, (price[hour] - wear) * eta
            best = np.full(CELLS + 1, -np.inf)
            for content in range(CELLS + 1):
                for sold in range(-buy_cells, sell_cells + 1):
                    if 0 <= content - sold <= CELLS:
                        gain = s * sold if sold > 0 else b * sold
                        best[content] = max(best[content], gain + value[content - sold])
            value = best
            mw, local = need.get(hour, (0.0, 0.0))
            if mw:
                cells = round(abs(mw) * (1.0 / eta if mw > 0.0 else eta) / step)
                gain = (local - wear) * eta if mw > 0.0 else -(local + tariff) / eta  # of a cell sold or filled
                value = np.array(
                    [
                        max(
                            gain * moved + best[content - (moved if mw > 0.0 else -moved)]
                            for moved in range(cells + 1)
                            if 0 <= content - (moved if mw > 0.0 else -moved) <= CELLS
                        )
                        for content in range(CELLS + 1)
                    ]
                )
        curves[hour] = np.diff(value)
    return np.stack([curves[1], curves[2], curves[3]])


NEEDS = {2: (3.0, 400.0), 3: (9.0, 300.0), 6: (-2.0, -100.0)}


@pytest.mark.parametrize("need", [{}, NEEDS])
@pytest.mark.parametrize(("hours", "seed"), [(100, 0), (100, 1), (20, 2), (36, 3), (2, 4)])
def test_values_equal_a_dynamic_programme_over_every_step(hours: int, seed: int, need: dict[int, tuple[float, float]]) -> None:
    price = np.random.default_rng(seed).uniform(0.0, 200.0, 36).astype(np.float32).astype(float)
    columns = {f"lfm_need_h{h}": mw for h, (mw, _) in need.items()}
    columns |= {f"lfm_limit_h{h}": 2.0 * local for h, (_, local) in need.items()}
    seen = look(observation(1, price=price, hours_to_end=hours, terminal_price_forecast=80.0, cost_dn=3.0, **columns))
    start_mwh = 7.0
    reference, last = (start_mwh, 80.0) if hours <= 36 else (5.0, price[12:].mean())
    middle = (np.arange(CELLS) + 0.5) * 10.0 / CELLS
    final = np.where(middle < reference, last / 0.9, (last - 10.0) * 0.9)
    served = {h: (float(np.clip(mw, -5.0, 5.0)), local) for h, (mw, local) in need.items()}
    expected = brute_force(price, hours, final, 10.0, 3.0, 0.9, served)
    found = content_value(seen, np.array([start_mwh]), 0.5)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # float32 efficiency
    assert hours < 3 or len(np.unique(found.round(3))) > 3  # not a constant


def test_energy_is_worth_the_peak_if_it_comes_at_once_and_its_replacement_if_it_comes_later() -> None:
    now, later = np.full(36, 40.0), np.full(36, 40.0)
    now[1], later[6] = 200.0, 200.0
    curves = [content_value(look(observation(1, price=p)), np.array([5.0]), 0.7)[0, 0] for p in (now, later)]
    assert curves[0][0] == pytest.approx((200.0 - 10.0) * 0.9, rel=1e-6)
    assert curves[0][-1] < 40.0 / 0.9 + 1e-3  # one hour sells 5.6 MWh of the 10
    assert curves[1][0] == pytest.approx(40.0 / 0.9, rel=1e-6)  # there is time to buy it back
    assert all(np.all(np.diff(c) <= 1e-9) for c in curves)


def test_reading_a_curve() -> None:
    curve, capacity = np.linspace(100.0, 77.0, CELLS)[None], np.array([24.0])
    assert value_at(curve, np.array([0.5]), capacity) == 100.0
    assert value_at(curve, np.array([1.5]), capacity) == 99.0
    assert value_at(curve, np.array([99.0]), capacity) == 77.0
    assert value_at(curve, np.array([-5.0]), capacity) == 100.0
    assert content_worth_more_than(curve, np.array([98.5]), capacity) == 2.0
    assert content_worth_more_than(curve, np.array([1e9]), capacity) == 0.0
