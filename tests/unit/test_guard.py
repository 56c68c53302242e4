from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stacking import layout as at
from stacking.agents.guard import THOROUGH_EVERY, THOROUGH_FIRST, checked_act, checked_start
from stacking.agents.strategies import closed_action
from stacking.errors import StackingError
from stacking.layout import action_layout

from .observations import observation, open_mask


class Player:
    """A strategy whose act is a function of the test."""

    name = "player"

    def __init__(self, act: Callable[..., Any], start: Callable[..., Any] = lambda n, seed: None) -> None:
        self._act, self._start = act, start

    def start(self, n: int, seed: Any) -> Any:
        return self._start(n, seed)

    def act(self, observation: np.ndarray, mask: np.ndarray, state: Any) -> Any:
        return self._act(observation, mask, state)


def run(act: Callable[..., Any], n: int = 3, **options: Any) -> tuple[np.ndarray, Any]:
    mask = options.pop("mask", open_mask(n))
    return checked_act(Player(act), observation(n), mask, "before", **options)


def refused(act: Callable[..., Any], **options: Any) -> StackingError:
    with pytest.raises(StackingError) as caught:
        run(act, **options)
    assert "player" in caught.value.place
    assert caught.value.remedy
    return caught.value


def with_value(column: int, value: float, row: int = 1) -> Callable[..., Any]:
    def act(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
        action = closed_action(len(o))
        action[row, column] = value
        return action, s

    return act


def test_a_good_answer_passes_unchanged() -> None:
    action, state = run(lambda o, m, s: (closed_action(len(o)) + 0.25, s + " after"))
    assert np.all(action == 0.25)
    assert action.dtype == np.float64
    assert state == "before after"
    assert run(lambda o, m, s: (closed_action(len(o)).astype(np.float32), s))[0].dtype == np.float64


# ---- values ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("column", "value", "name", "allowed"),
    [
        (at.MFRR_SHARE_UP, 1.0001, "mfrr_up_share_frac", "0..1"),
        (at.ID_POWER_FRAC, -1.5, "id_power_frac", "-1..1"),
        (at.LFM_PRICE_DN, -501.0, "lfm_dn_price", "-500..5000 EUR/MWh"),
        (at.CONSENT_DN, float("nan"), "consent_dn", "0..1"),
        (at.MFRR_PRICE_UP, float("inf"), "mfrr_up_price", "-5000..5000 EUR/MWh"),
    ],
)
def test_a_value_out_of_bounds_is_named_with_column_row_and_range(column: int, value: float, name: str, allowed: str) -> None:
    error = refused(with_value(column, value), row_name=lambda i: f"{i} (mine)")
    assert (error.key, error.allowed) == (name, allowed)
    assert "row 1 (mine)" in error.place
    assert repr(error.value) == repr(value)
    assert ("finite" in error.problem) == (not np.isfinite(value))


def test_a_closed_column_may_hold_anything() -> None:
    action, _ = run(with_value(at.MFRR_PRICE_UP, float("nan")), mask=open_mask(3, at.MFRR_PRICE_UP))
    assert np.isnan(action[1, at.MFRR_PRICE_UP])


def test_the_bounds_are_those_of_the_design() -> None:
    wide = action_layout((-500.0, 5000.0), (-10000.0, 10000.0))
    run(with_value(at.MFRR_PRICE_UP, 9000.0), layout=wide)
    assert "10000" in refused(with_value(at.MFRR_PRICE_UP, 11000.0), layout=wide).allowed
    refused(with_value(at.MFRR_PRICE_UP, 9000.0))


@pytest.mark.parametrize(
    ("answer", "key", "text"),
    [
        (None, "return value", "NoneType"),
        (np.zeros((3, at.ACTIONS_W)), "return value", "ndarray"),
        ((np.zeros((3, at.ACTIONS_W)), 1, 2), "return value", "tuple of 3"),
        ((np.zeros((3, 12)), 1), "action", "(3, 12)"),
        ((np.zeros((1, at.ACTIONS_W)), 1), "action", f"(1, {at.ACTIONS_W})"),
        ((np.zeros(13), 1), "action", "(13,)"),
        (([[0.0] * 13] * 3, 1), "action", "list"),
        ((np.zeros((3, at.ACTIONS_W), object), 1), "action", "object"),
        ((np.zeros((3, at.ACTIONS_W), complex), 1), "action", "complex"),
        ((np.zeros((3, at.ACTIONS_W), int), 1), "action", "int64"),
    ],
)
def test_form_shape_and_type(answer: Any, key: str, text: str) -> None:
    error = refused(lambda o, m, s: answer)
    assert error.key == key
    assert text in str(error.value)


# ---- exceptions ------------------------------------------------------------------------------------------------------
def test_an_exception_keeps_its_message_and_names_its_line() -> None:
    def act(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
        raise KeyError("no such price")

    error = refused(act)
    assert "KeyError: 'no such price'" in error.problem
    assert 'raise KeyError("no such price")' in str(error.value)
    assert "test_guard.py" in str(error.value)
    assert isinstance(error.__cause__, KeyError)


def test_leaving_the_program_is_an_exception_too_but_control_c_is_not() -> None:
    def leave(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
        raise SystemExit(2)

    def interrupt(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
        raise KeyboardInterrupt

    assert "SystemExit" in refused(leave).problem
    with pytest.raises(KeyboardInterrupt):
        run(interrupt)


def test_start_is_guarded() -> None:
    def bad(n: int, seed: int) -> Any:
        return n / 0

    with pytest.raises(StackingError, match="ZeroDivisionError") as caught:
        checked_start(Player(lambda o, m, s: None, bad), 3, 0)
    assert "start" in caught.value.place
    assert checked_start(Player(lambda o, m, s: None, lambda n, seed: n + seed), 3, 4) == 7


# ---- time ------------------------------------------------------------------------------------------------------------
def endless(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            continue


def test_a_hanging_strategy_is_stopped_and_the_alarm_put_back() -> None:
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    begin = time.perf_counter()
    error = refused(endless, time_limit_s=0.1)
    assert time.perf_counter() - begin < 2.0
    assert "0.1 s" in error.problem
    assert signal.getsignal(signal.SIGALRM) is handler
    after = signal.getitimer(signal.ITIMER_REAL)
    assert (after[0] > 0.0) == (timer[0] > 0.0)


def test_a_hanging_strategy_is_reported_outside_the_main_thread() -> None:
    done = threading.Event()
    found: list[Any] = []

    def slow(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
        done.wait(5.0)
        return closed_action(len(o)), s

    def work() -> None:
        try:
            run(slow, time_limit_s=0.1)
        except StackingError as error:
            found.append(error)
        found.append(run(lambda o, m, s: (closed_action(len(o)), "fine"), time_limit_s=5.0)[1])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10.0)
    done.set()
    assert "longer than 0.1 s" in found[0].problem
    assert found[1] == "fine"


# ---- side effects ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("which", ["observation", "mask"])
@pytest.mark.parametrize("call", [0, 5])
def test_writing_to_an_argument_is_refused_in_every_call(which: str, call: int) -> None:
    def act(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
        (o if which == "observation" else m)[0, 0] = 0
        return closed_action(len(o)), s

    error = refused(act, call=call)
    assert "copy" in error.remedy
    assert "[0, 0] = 0" in str(error.value)


def test_making_an_argument_writeable_again_is_refused() -> None:
    def act(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
        o.flags.writeable = True
        return closed_action(len(o)), s

    assert refused(act, call=5).key == "observation"


def test_writing_through_the_base_is_noticed_on_a_thorough_call() -> None:
    def act(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
        assert o.base is not None
        o.base[0, 0] = 7.0
        return closed_action(len(o)), s

    assert refused(act, call=THOROUGH_EVERY).key == "observation"


@pytest.mark.parametrize(
    ("draw", "key"),
    [
        (lambda: random.random(), "random"),
        (lambda: np.random.rand(), "numpy.random"),  # noqa: NPY002
        (lambda: np.random.seed(1), "numpy.random"),  # noqa: NPY002
    ],
)
def test_global_randomness_is_refused(draw: Callable[[], Any], key: str) -> None:
    states = random.getstate(), np.random.get_state()  # noqa: NPY002

    def act(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
        draw()
        return closed_action(len(o)), s

    try:
        for call in (0, THOROUGH_FIRST - 1, THOROUGH_EVERY):
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            assert refused(act, call=call).key == key
        run(act, call=THOROUGH_FIRST)  # between the thorough calls it is not looked for
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def test_a_generator_of_its_own_is_fine() -> None:
    def act(o: np.ndarray, m: np.ndarray, s: Any) -> Any:
        return np.random.default_rng(1).random((len(o), at.ACTIONS_W)), s

    run(act)
