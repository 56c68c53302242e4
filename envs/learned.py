"""A learned policy as a strategy: NumPy arrays and compiled loops, no torch; it stands in `compare` and plays beside others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking import layout as v
from stacking.build import build

from ..agents.parameters import read_tuned, shipped_parameters
from ..agents.strategies import Strategy, load_strategy, make_strategy
from ..agents.strategies.base import BoolArray, FloatArray, Seed
from .advice import numbers_of_alternatives, shown_alternatives
from .network import ACTIVATIONS, forward
from .policy import Policy, load_policy, policy_path
from .scaling import to_changed, to_numbers, to_physical, to_seen
from .spaces import level_masks, level_numbers, rates_of, series_tables


@dataclass(frozen=True)
class LearnedState:
    """What a learned policy remembers: what its adviser does."""

    adviser: Any = None


class Learned:
    """A strategy that decides by the network of a policy; every row by what it sees alone.

    Args:
        policy: as `stacking.envs.policy.load_policy` returns it.
        name: under which it stands in tables; that of its card if None.
    """

    def __init__(self, policy: Policy, name: str | None = None) -> None:
        card = policy.card
        self.policy, self.name = policy, name or card.name
        self._adviser = None if card.advice is None else adviser_of(card.advice, card.advice_parameters)
        self._sizes = np.array(card.sizes, np.int64)
        self._weights, self._biases = policy.weights.astype(np.float64), policy.biases.astype(np.float64)
        self._kind, self._work = ACTIVATIONS[card.activation], np.zeros((2, max(card.sizes)))
        self._bounds, self._prices = np.array(card.bounds, np.float64), np.array(card.prices, np.float64).reshape(-1, 5)
        self._reach = np.array(card.reach, np.float64)
        names = v.action_layout((0.0, 0.0), (0.0, 0.0)).names
        self._fixed = np.array([card.fixed.get(column, np.nan) for column in names])
        self._forward, self._to_seen = build(forward), build(to_seen)
        self._to_changed, self._to_numbers, self._to_physical = build(to_changed), build(to_numbers), build(to_physical)

    def start(self, n: int, seed: Seed) -> LearnedState:
        """Return the state of n rows; nothing is drawn."""
        return LearnedState(None if self._adviser is None else self._adviser.start(n, seed))

    def act(self, observation: FloatArray, mask: BoolArray, state: LearnedState) -> tuple[FloatArray, LearnedState]:
        """Decide one tick for n rows: scale, advise, evaluate, scale back; the laws are those of the environments."""
        n = len(observation)
        rows, observation = np.arange(n), np.ascontiguousarray(observation, np.float32)
        fixed = np.tile(self._fixed, (n, 1))
        seen, is_open = self._seen(observation, mask, rows, fixed)
        advised, parts = np.zeros((1, n, v.ACTIONS_W)), [seen]
        alternatives = np.full((1, n, 2, v.ACTIONS_W), np.nan)
        if self._adviser is not None:
            advice, adviser = self._adviser.act(observation, mask, state.adviser)
            advised[0] = self._numbers(advice, observation, mask)
            parts.append(advised[0].astype(np.float32))
            if self.policy.card.steer_eur_per_mwh > 0.0:
                found = self._adviser.alternatives(observation, mask, adviser, self.policy.card.steer_eur_per_mwh)  # type: ignore[attr-defined]
                alternatives[0] = numbers_of_alternatives(found, lambda action: self._numbers(action, observation, mask))
                parts.append(shown_alternatives(alternatives[0]).astype(np.float32))
            is_open = is_open & (self._reach > 0.0)
            state = LearnedState(adviser)
        if self.policy.card.mask_seen:
            parts.append(is_open.astype(np.float32))
        given = self._decided(np.concatenate(parts, axis=1), is_open)[None]
        fault, clipped = np.zeros(3, np.int64), np.zeros((1, n), np.int64)
        if self._adviser is not None:
            changed = np.zeros_like(given)
            self._to_changed(given, advised, self._reach, alternatives, is_open[None], changed, fault)
            given = changed
        action = np.zeros((1, n, v.ACTIONS_W))
        self._to_physical(given, observation[None], mask[None], rows, fixed, self._bounds, self._prices, action, clipped, fault)
        return action[0], state

    def _numbers(self, action: FloatArray, observation: FloatArray, mask: BoolArray) -> NDArray[np.float64]:
        """Return the numbers of -1..1 of decisions in physical units, (n, ACTIONS_W)."""
        out = np.zeros((len(action), v.ACTIONS_W))
        self._to_numbers(np.ascontiguousarray(action, np.float64), observation, mask, self._bounds, self._prices, out)
        return out

    def _seen(self, observation: FloatArray, mask: BoolArray, rows: Any, fixed: FloatArray) -> tuple[Any, BoolArray]:
        """Return what the rows see, scaled (n, OBSERVATIONS_W), and which decisions are theirs."""
        n, (large, sources, runs) = len(observation), series_tables()
        last = np.full((1, n, len(large)), np.nan, np.float32)
        seen, is_open = np.zeros((1, *observation.shape), np.float32), np.zeros((1, *mask.shape), np.bool_)
        self._to_seen(observation[None], mask[None], rows, fixed, np.zeros(1, np.int64), rates_of(observation), large, sources,
                      runs, last, np.zeros_like(last), seen, is_open)  # fmt: skip
        return seen[0], is_open[0]

    def _decided(self, seen: NDArray[np.float32], is_open: BoolArray) -> FloatArray:
        """Return the numbers of -1..1 that the network puts out, (n, ACTIONS_W)."""
        out = np.zeros((len(seen), self._sizes[-1]))
        self._forward(seen, self._sizes, self._weights, self._biases, self._kind, self._work, out)
        card = self.policy.card
        if card.head == "levels":
            assert card.levels is not None
            return _best_levels(out, is_open, card.levels)
        return np.tanh(out) if card.head == "tanh" else np.minimum(np.maximum(out, -1.0), 1.0)


def _best_levels(out: FloatArray, is_open: BoolArray, levels: int) -> FloatArray:
    """Return the numbers of the levels with the largest output among those that may be chosen, (n, ACTIONS_W)."""
    numbers, at = level_numbers(levels), 0
    found = np.zeros((len(out), v.ACTIONS_W))
    allowed = np.where(level_masks(is_open, levels), out, -np.inf)
    for k in range(v.ACTIONS_W):
        count = int(np.isfinite(numbers[k]).sum())
        found[:, k] = numbers[k, np.argmax(allowed[:, at : at + count], axis=1)]
        at += count
    return found


# ---- names -----------------------------------------------------------------------------------------------------------
def adviser_of(name: str, parameters: dict[str, float]) -> Strategy:
    """Return the strategy that a policy changes, with the parameters that it had then."""
    return load_strategy(name, **parameters) if ":" in name else make_strategy(name, **parameters)


def named_strategy(spec: str) -> Strategy:
    """Return a strategy by name, tuned as it is shipped, by FILE.py:Class or a file of `stacking tune`, or a policy likewise.

    Raises:
        StackingError: if there is none, or its file is not valid.
    """
    path = policy_path(spec)
    if path is not None:
        return Learned(load_policy(path))
    if spec.endswith(".toml"):
        name, parameters = read_tuned(spec)
        return make_strategy(name, **parameters)
    return load_strategy(spec) if ":" in spec else make_strategy(spec, **shipped_parameters(spec))
