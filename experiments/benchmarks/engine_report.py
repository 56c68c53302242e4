"""Results of the speed benchmarks as data and as text, with what was asked and not reached."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..tables import number, percent, render, wrapped
from .engine import Speed
from .registry import BenchSpec, Target, bench_spec

QUIET_FRAC = 0.95  # below this share of CPU time the machine was not quiet
MEASURES = {
    "world_steps_per_s": ("world-steps/s", 1.0),
    "asset_steps_per_s": ("asset-steps/s", 1.0),
    "step_us": ("microseconds a step", 1.0),
    "occupied_frac": ("% of charging points occupied", 100.0),
    "nlogn_ratio": ("of n log n", 1.0),
    "state_bytes": ("bytes of state per portfolio", 1.0),
}


def to_data(speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """Return the results as plain data, each with the targets that it misses."""
    return [{**dataclasses.asdict(speed), "not_met": [text for _, text in missed(speed)]} for speed in speeds]


def missed(speed: Speed) -> list[tuple[Target, str]]:
    """Return the targets that a result misses, with a line for each; a measure without a value misses none."""
    found = []
    for target in _spec(speed).targets:
        value = getattr(speed, target.measure)
        if value is not None and not target.met(value):
            unit, factor = MEASURES[target.measure]
            asked = f"at least {_figure(target.least * factor)}" if target.least is not None else (
                f"at most {_figure((target.most or 0.0) * factor)}")  # fmt: skip
            found.append((target, f"{speed.name} ({speed.design}): {_figure(value * factor)} {unit}, asked {asked}"))
    return found


def to_text(speeds: Sequence[Speed], width: int | None = None) -> str:
    """Return the results as tables: speed, load, size and memory, targets."""
    blocks = [render(*_speed_table(speeds), width=width), render(*_load_table(speeds), width=width)]
    sized = [speed for speed in speeds if _spec(speed).by_size]
    if sized:
        blocks.append(render(*_size_table(sized), width=width))
    blocks.append(render(*_memory_table(speeds), width=width))
    lost = [line for speed in speeds for _, line in missed(speed)]
    asked = sum(getattr(speed, target.measure) is not None for speed in speeds for target in _spec(speed).targets)
    blocks.append("\n".join([f"Targets met: {asked - len(lost)} of {asked}", *(f"not met: {line}" for line in lost)]))
    busy = [speed for speed in speeds if speed.running_frac < QUIET_FRAC]
    if busy:
        shares = ", ".join(f"{speed.name} {percent(speed.running_frac)}" for speed in busy)
        blocks.append(wrapped(f"Others took the core; the benchmarks ran for this share of the time: {shares}.", width=width))
    core = "one pinned core" if all(speed.pinned for speed in speeds) else "not pinned: this system cannot"
    return "\n\n".join([*blocks, wrapped(f"Medians over repeated episodes, {core}. {NOTES}", width=width)])


NOTES = (
    "A step makes gates, clearing, delivery, settlement, reward, observation and mask; an asset-step moves one battery, charging "
    "point or load by one MTU. 'yardstick' only moves the state of charge on the same rows; ratio = engine / yardstick. "
    "'accepted' is sold per world and step; 'DA' and 'ID' are shares of FSP-steps with such energy, 'bids' shares of FSPs with "
    "an offer at the gates; 'occupied' the share of charging points with a car. 'n log n' is the cost relative to the smallest "
    "size that is larger than the caches. 1 MB = 1,000,000 bytes."
)


def _spec(speed: Speed) -> BenchSpec:
    return bench_spec(speed.name)


def _figure(value: float) -> str:
    return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)


def _speed_table(speeds: Sequence[Speed]) -> tuple[list[str], list[list[str]]]:
    header = ["benchmark", "design", "worlds", "FSPs", "us/step", "lowest..highest", "world-steps/s", "asset-steps/s",
              "yardstick us", "ratio"]  # fmt: skip
    return header, [
        [x.name, x.design, f"{x.worlds:,}", f"{x.fsps:,}", _figure(x.step_us),
         f"{_figure(x.step_us_lowest)}..{_figure(x.step_us_highest)}", f"{x.world_steps_per_s:,.0f}",
         f"{x.asset_steps_per_s:,.0f}", _figure(x.bare_step_us), f"{x.ratio:,.0f}"]
        for x in speeds
    ]  # fmt: skip


def _load_table(speeds: Sequence[Speed]) -> tuple[list[str], list[list[str]]]:
    header = ["benchmark", "accepted MW", "LFM MW", "mFRR MW", "forwarded MW", "trading", "DA", "ID", "bids LFM",
              "bids mFRR", "occupied", "cars left", "load starts"]  # fmt: skip
    return header, [
        [x.name, number(x.accepted_mw), number(x.accepted_lfm_mw), number(x.accepted_mfrr_mw), number(x.forwarded_mw),
         _share(x.trading_frac), _share(x.da_frac), _share(x.id_frac), _share(x.bidding_lfm_frac), _share(x.bidding_mfrr_frac),
         _share(x.occupied_frac), f"{x.cars_left:,.0f}", f"{x.load_starts:,.0f}"]
        for x in speeds
    ]  # fmt: skip


def _size_table(speeds: Sequence[Speed]) -> tuple[list[str], list[list[str]]]:
    header = ["FSPs", "design", "assets per FSP", "ns per FSP and tick", "ns per asset and tick", "n log n", "state B per FSP",
              "of it charging points"]  # fmt: skip
    return header, [
        [f"{x.fsps:,}", x.design, f"{x.assets / x.fsps:.1f}", f"{x.fsp_step_ns:,.0f}",
         f"{x.fsp_step_ns * x.fsps / x.assets:,.1f}",
         "-" if x.nlogn_ratio is None else f"{x.nlogn_ratio:.2f}", f"{x.state_bytes:,.0f}", f"{x.charger_bytes:,.0f}"]
        for x in speeds
    ]  # fmt: skip


def _memory_table(speeds: Sequence[Speed]) -> tuple[list[str], list[list[str]]]:
    header = ["benchmark", "rows", "state B per portfolio", "engine MB", "scenarios MB"]
    return header, [
        [x.name, f"{x.worlds * x.fsps:,}", f"{x.state_bytes:,.0f}", f"{x.engine_mb:,.1f}", f"{x.library_mb:,.1f}"] for x in speeds
    ]
