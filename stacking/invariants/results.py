"""Results are finite, nothing is open after the end, and a world that did not move changed nothing."""

from __future__ import annotations

import numpy as np

from .. import flows as f
from .step import Step


def check_numbers(step: Step) -> None:
    """Every result is a finite number, energies are not negative, and nothing is open after the end."""
    e = step.engine
    for name in ("flows", "market", "reward", "observation", "state", "ring", "chargers"):
        array = getattr(e, name)
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            step.fail(f"{name} is finite", tuple(int(i) for i in bad[0]), array)
    energies = [col for col, _ in f.ENERGY_LABELS] + [col for col, _ in f.REFUSED_LABELS]
    bad = np.argwhere(e.flows[..., energies] < 0.0)
    if len(bad):
        step.fail("energies and refusals are not negative", tuple(int(i) for i in bad[0]), e.flows[..., energies])
    over = e.clock >= e.library.length[e.scenario]
    for name, wrong in (
        ("nothing is open after the end", over & e.mask.any(axis=(1, 2))),
        ("the end is told", over & ~e.ended & step.moved),
    ):
        if wrong.any():
            step.fail(name, (int(np.argmax(wrong)),), wrong)
    if (e.mask != e.mask[:, :1]).any():
        step.fail(
            "gates open for all portfolios alike",
            tuple(int(i) for i in np.argwhere(e.mask != e.mask[:, :1])[0]),
            e.mask,
        )


def check_idle(step: Step) -> None:
    """A world that did not move changed nothing and tells no flows."""
    idle = ~step.moved
    if not idle.any():
        return
    for name in ("state", "ring", "early", "chargers", "world", "prices", "history"):
        now, then = getattr(step.engine, name)[idle], step.old[name][idle]
        if not np.array_equal(now, then):
            step.fail(f"an idle world keeps its {name}", (int(step.worlds[idle][0]),), float(np.abs(now - then).max()))
    for name in ("flows", "market", "reward"):
        if getattr(step.engine, name)[idle].any():
            step.fail(
                f"an idle world has no {name}",
                (int(step.worlds[idle][0]),),
                float(np.abs(getattr(step.engine, name)[idle]).max()),
            )
