"""Leagues: the FSPs of a world learn in turn, each group beside what the others play at that time.

`shared`: one policy decides for all FSPs and learns from all of them. `independent`: each group has a policy of its own; in turn
it learns on against the current policies of the others, and the new one always takes the place of the old. `best_response`: in
turn each group trains a policy against the others, which are frozen; it takes its place only if the whole interval of its
gain, on scenarios on which it was not chosen, lies above epsilon, and the league ends when in a whole round nobody's did (or all
rounds are used up). That nobody gained means that this learner with this budget found nothing that is better for sure, no more.

A group that learns on takes over the networks with which its last training ended; what it plays is the best policy of a training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, model_validator

from stacking.config import Record, read_toml, validated
from stacking.errors import StackingError
from stacking.portfolio import Portfolio

from ...agents.drawn import kind_of
from ...agents.seeds import seed_of
from ..stats import Interval, mean_interval
from .checkpoint import take_over
from .profile import KEPT_SEED, Arena, Count, Days, Profile, Text, check_env, inside, outside, read_json, save_profile
from .train import Trainer

Groups = Mapping[Text, Annotated[tuple[Text, ...], Field(min_length=1)]]
RECORD, STEP, PROFILE, START = "league.json", "step.json", "profile.json", "start.json"


@dataclass(frozen=True)
class Mode:
    """How a league goes on: who learns together, whether a policy has to earn more to be kept, and whether groups learn on."""

    groups: str
    has_to_gain: bool
    learns_on: bool


MODES: dict[str, Mode] = {
    "shared": Mode("all", False, True),
    "independent": Mode("each", False, True),
    "best_response": Mode("each", True, False),
}
"""Mode -> what it is when the file says nothing else."""


class League(Record):
    """A league.

    Attributes:
        mode: see the module.
        env: settings of the world, with a population or several portfolios; those of the algorithm's file go behind them.
        groups: who shares a policy: `each` FSP has its own, `kind`: one for batteries, fleets, loads and mixtures, `all`, or a
            table name -> FSPs; as the mode says if None. They learn in this order.
        learns_on: whether a group takes over the networks of its last training, or begins anew; as the mode says if None.
        rounds: most rounds; in each every group learns once.
        epsilon_eur: by how much a best response has to be better for sure, EUR per episode of its group.
        start: what all play in the beginning, or a table FSP -> strategy.
        scenarios, days: validation scenarios on which gains are measured.
        algorithm, changes: of each training, such as "ppo" and ["steps=300000"].
        seed: of everything that is drawn.
    """

    mode: Literal["shared", "independent", "best_response"]
    env: Mapping[str, Any]
    groups: Literal["each", "kind", "all"] | Groups | None = None
    learns_on: StrictBool | None = None
    rounds: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 3
    epsilon_eur: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    start: Text | Mapping[Text, Text] = "rebid"
    scenarios: Count = 64
    days: Days = 2
    algorithm: Text = "ppo"
    changes: tuple[Text, ...] = ()
    seed: Annotated[int, Field(ge=0, strict=True)] = 0

    @model_validator(mode="after")
    def _one_policy(self) -> League:
        if self.mode == "shared" and self.groups not in (None, "all"):
            raise ValueError("mode = 'shared' has one policy for all: leave groups out, or use mode = 'independent'")
        return self


@dataclass(frozen=True)
class Step:
    """What one group did in one round.

    Attributes:
        round, group, fsps: who learned when.
        policy: its file, by its place in the league's folder.
        kept: whether the group plays it from now on.
        before_eur: what the group earned, EUR per episode; gain: how much more with the policy, paired by scenario.
        steps, seconds: of the training.
    """

    round: int
    group: str
    fsps: tuple[str, ...]
    policy: str
    kept: bool
    before_eur: float
    gain: Interval
    steps: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """A league at its end: the profile, its file, what was done, and whether a whole round brought nobody a gain."""

    profile: Profile
    file: Path
    steps: tuple[Step, ...]
    settled: bool


def load_league(path: str | Path) -> League:
    """Return the league of a TOML file.

    Raises:
        StackingError: if it is missing or not valid.
    """
    league = validated(League, read_toml(path), str(path))
    check_env(league.env)
    return league


def run_league(league: League, folder: Path, *, made_by: str = "", tell: Callable[[Step], None] = lambda step: None) -> Outcome:
    """Play a league; what lies in its folder already is done and is not done again.

    Args:
        league: the record.
        folder: for policies, checkpoints, steps and profiles.
        made_by: the command, for the cards of policies.
        tell: called after each step.

    Raises:
        StackingError: for bad settings, or a folder with another league.
    """
    arena, mode = Arena(league.env, league.scenarios, league.days, KEPT_SEED), MODES[league.mode]
    groups, profile = groups_of(league, arena.portfolios), _start(league, arena)
    _begin(league, folder, profile)
    done: list[Step] = []
    settled = False
    for k in range(1, league.rounds + 1):
        for group, fsps in groups.items():
            place = folder / f"round-{k:02d}" / slug(group)
            step = _stored(place / STEP) or _learn(league, arena, profile, done, (k, group, fsps), place, made_by)
            if step.kept:
                profile = profile.changed(fsps, outside(step.policy, folder))
            done.append(step)
            tell(step)
        save_profile(profile, folder / PROFILE)
        settled = mode.has_to_gain and not any(step.kept for step in done if step.round == k)
        if settled:
            break
    return Outcome(profile, folder / PROFILE, tuple(done), settled)


def _learn(
    league: League, arena: Arena, profile: Profile, done: Sequence[Step], now: tuple[int, str, tuple[str, ...]], place: Path,
    made_by: str,
) -> Step:  # fmt: skip
    """Train one group beside the others and measure what it gains."""
    (k, group, fsps), mode, folder = now, MODES[league.mode], place.parents[1]
    training, seed = profile.learning(fsps, arena.names), seed_of("league", league.seed, k, group) % 2**31
    name = f"{slug(group)}_round_{k}".replace("-", "_")
    trainer = Trainer(training, place, env_id=str(league.env.get("design", "")), name=name, seed=seed, made_by=made_by)
    before = [step for step in done if step.group == group]
    learns_on = mode.learns_on if league.learns_on is None else league.learns_on
    if learns_on and before and trainer.progress.leg == 0:
        take_over((folder / before[-1].policy).parent, trainer.model)
    trained, columns = trainer.run(), arena.columns(fsps)
    old = arena.flex_eur(profile.plays)[:, columns].sum(axis=1)
    new = arena.flex_eur(profile.changed(fsps, str(trained.file)).plays)[:, columns].sum(axis=1)
    gain = mean_interval(new - old)
    kept = not mode.has_to_gain or gain.low > league.epsilon_eur
    step = Step(k, group, fsps, inside(str(trained.file), folder), kept, float(old.mean()), gain, trained.progress.steps,
                trained.progress.seconds)  # fmt: skip
    partial = place / "step.partial"
    partial.write_text(json.dumps(asdict(step), indent=2) + "\n", encoding="utf-8")
    partial.replace(place / STEP)
    return step


def groups_of(league: League, portfolios: Sequence[Portfolio]) -> dict[str, tuple[str, ...]]:
    """Return group -> FSPs, in the order in which they learn.

    Raises:
        StackingError: if an FSP is in no group or in two, or does not take part.
    """
    chosen, names = league.groups or MODES[league.mode].groups, [p.name for p in portfolios]
    if isinstance(chosen, str):
        label = {"each": lambda p: p.name, "kind": kind_of, "all": lambda p: "all"}[chosen]
        out: dict[str, tuple[str, ...]] = {}
        for p in portfolios:
            out[label(p)] = (*out.get(label(p), ()), p.name)
        chosen = out
    named = [name for fsps in chosen.values() for name in fsps]
    if sorted(named) != sorted(names) or len({slug(group) for group in chosen}) < len(chosen):  # each its own folder
        raise StackingError("The groups are no partition of the FSPs.", place="league", key="groups", value=", ".join(named),
                            allowed=f"each of {', '.join(names[:20])} in one group",
                            remedy="Name each FSP once; names of groups differ in letters or digits.")  # fmt: skip
    return {group: tuple(name for name in names if name in fsps) for group, fsps in chosen.items()}


def slug(name: str) -> str:
    """Return a name as part of a path.

    >>> slug("fsp 1"), slug("EV/home")
    ('fsp-1', 'ev-home')
    """
    return "".join(c if c.isalnum() else "-" for c in name.lower())


def _start(league: League, arena: Arena) -> Profile:
    plays = dict.fromkeys(arena.names, league.start) if isinstance(league.start, str) else dict(league.start)
    arena.check(plays)
    return Profile(env=league.env, plays=plays, algorithm=league.algorithm, changes=league.changes)


def _begin(league: League, folder: Path, start: Profile) -> None:
    """Write the record and the profile at the start, or check that they are those of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    data, file = league.model_dump(mode="json"), folder / RECORD
    if file.is_file():
        found = read_json(file, "a league.json by `stacking league`")
        if not isinstance(found, dict) or {**found, "rounds": 0} != {**json.loads(json.dumps(data)), "rounds": 0}:
            raise StackingError("There is another league in this folder.", key="--out", value=str(folder),
                                remedy="Give another folder; only `rounds` may change.")  # fmt: skip
    file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    save_profile(start, folder / START)


def _stored(file: Path) -> Step | None:
    """Return a step that was done before, None if it was not.

    Raises:
        StackingError: for a damaged file.
    """
    if not file.is_file():
        return None
    data = read_json(file, "a step.json by `stacking league`")
    try:
        return Step(**{**data, "fsps": tuple(data["fsps"]), "gain": Interval(**data["gain"])})
    except (KeyError, TypeError):
        raise StackingError("The step of the league cannot be read.", key="step", value=str(file),
                            remedy="Remove this file; the training beside it is taken up again.") from None  # fmt: skip
