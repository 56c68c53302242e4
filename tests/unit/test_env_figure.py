"""The figure of a day: the same bytes for the same day, other bytes for another, drawn as far as the day has gone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from stacking import layout as v
from stacking.agents.strategies import make_strategy
from stacking.envs.figure import WIDTH, day_bounds, day_panels, scale
from stacking.envs.raster import BITMAPS, BLACK, LINE, ZOOM, Canvas, text_width

from ..env_toy import library, single


def day(kind: str = "battery", ticks: int = 120, scenario: int = 1, strategy: str = "rebid"):
    """Return an environment in which a strategy has played for some ticks."""
    env = single(portfolio=kind, library=library(kind), render_mode="rgb_array")
    env.reset(options={"scenario": scenario})
    plays = make_strategy(strategy)
    state = plays.start(1, 0)
    for _ in range(ticks):
        observation, mask = env.worlds.physical
        action, state = plays.act(observation[0], mask[0], state)
        env.step(env.numbers_of(action[0]))
    return env


def test_the_same_day_gives_the_same_bytes_and_another_one_others() -> None:
    first, again = (day().render() for _ in range(2))
    assert first.tobytes() == again.tobytes()
    others = [day(ticks=121), day(scenario=2), day(strategy="do_nothing"), day("default")]
    pictures = [env.render().tobytes() for env in others]
    assert len({first.tobytes(), *pictures}) == 5


def test_a_picture_is_an_array_of_a_fixed_size_in_every_tick() -> None:
    env = single(portfolio="load", library=library("load"), render_mode="rgb_array")
    env.reset(options={"scenario": 0})
    shapes, digests = set(), set()
    for _ in range(144):
        picture = env.render()
        shapes.add((picture.shape, picture.dtype))
        digests.add(hashlib.sha256(picture.tobytes()).digest())
        env.step(np.zeros(v.ACTIONS_W))
    env.render()
    assert len(shapes) == 1
    ((shape, dtype),) = shapes
    assert shape[1:] == (WIDTH, 3)
    assert dtype == np.uint8
    assert len(digests) > 140


def test_without_a_render_mode_nothing_is_drawn() -> None:
    env = single(portfolio="battery", library=library())
    env.reset()
    assert env.render() is None


def test_a_restored_environment_draws_what_it_drew() -> None:
    env = day(ticks=100)
    moment, picture = env.snapshot(), env.render()
    for _ in range(20):
        env.step(np.zeros(v.ACTIONS_W))
    assert env.render().tobytes() != picture.tobytes()
    env.restore(moment)
    assert env.render().tobytes() == picture.tobytes()


def test_panels_hold_what_the_flows_say() -> None:
    env = day()
    flows, market = np.array(env._diary.flows[48:]), np.array(env._diary.market[48:])
    panels = day_panels(flows, market)
    cash = panels["cash EUR"]
    assert sum(line.values[-1] for line in cash[:-1]) == pytest.approx(cash[-1].values[-1])
    assert cash[-1].values[-1] == pytest.approx(
        float(env.engine.state[0, 0, 1] - sum(x[:14].sum() for x in env._diary.flows[:48]))
    )
    assert [line.name for line in panels["ordered MW"]] == ["local", "mFRR", "forwarded"]
    assert panels["ordered MW"][1].values.max() > 0.0


def test_a_day_is_a_local_day_and_the_eve_is_half_a_day() -> None:
    env = day(ticks=1)
    assert day_bounds(env.engine, 0) == (0, 48)
    assert day_bounds(env.engine, 47) == (0, 48)
    assert day_bounds(env.engine, 48) == (48, 144)
    assert day_bounds(env.engine, 143) == (48, 144)


def test_axes_hold_the_values_and_zero_at_round_steps() -> None:
    for values in ([3.0, -1.0], [0.0], [1e4, -2e4], [0.003], [-7.0, -8.0]):
        low, high, step = scale(np.array(values))
        assert low <= min(0.0, *values)
        assert high >= max(0.0, *values)
        assert round((high - low) / step, 9) == round((high - low) / step) <= 5


def test_a_canvas_draws_what_it_is_told_and_leaves_out_what_lies_outside() -> None:
    canvas = Canvas(40, 20)
    canvas.text(1, 1, "I")
    lit = (canvas.pixels == BLACK).all(axis=2)
    assert lit[1 : 1 + LINE, 1 : 1 + 3 * ZOOM].tolist() == BITMAPS["I"].tolist()
    assert int(lit.sum()) == int(BITMAPS["I"].sum())
    canvas.text(38, 15, "MW")
    canvas.fill(-5, -5, 2, 2, (1, 2, 3))
    assert canvas.pixels[0, 0].tolist() == [1, 2, 3]
    assert text_width("abc") == 3 * text_width("a")
    shapes = {bitmap.tobytes() for letter, bitmap in BITMAPS.items()}
    assert len(shapes) >= len(BITMAPS) - 2  # O and 0, S and 5 may look alike
