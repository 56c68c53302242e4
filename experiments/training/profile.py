"""Profiles: what each FSP of a world plays, and the arena in which a profile's revenues are measured.

What an FSP plays is a text that `stacking.envs.learned.named_strategy` understands: a strategy by name, FILE.py:Class, or a
policy's .npz file. So a profile is plain data, and frozen policies play inside environments as the co-players that they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stacking.config import Record, validated
from stacking.errors import StackingError

from ...agents.strategies import Strategy
from ...envs.config import env_config
from ...envs.learned import named_strategy
from ...envs.scene import build_scene
from ..players import Mixed
from ..runner import Contest, run
from .record import Training, training

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=2, le=10_000, strict=True)]
Days = Annotated[int, Field(ge=1, le=62, strict=True)]
GIVEN = ("learners", "co_players", "split", "library")  # settings that are not those of a profile
LEARNING = ("reward", "reward_baseline", "advice", "reach", "steer_eur_per_mwh", "mask_seen", "levels", "risk_threshold_eur")

KEPT_SEED, REPORT_SEED = 2, 3
"""Seeds of validation scenarios. Within a training policies are chosen on those of seed 1 (`validation.SPLIT_SEED`); whether a
league keeps one is decided on others, and what is reported of a profile is measured on others again, on which nothing was
chosen."""


class Profile(Record):
    """What the FSPs of a world play.

    Attributes:
        env: settings of the world: design, portfolio or population, days and so on (`stacking.envs.EnvConfig`).
        plays: FSP -> strategy.
        algorithm, changes: with which best responses are trained, see `stacking.experiments.training.record.training`.
    """

    env: Mapping[str, Any]
    plays: Annotated[Mapping[Text, Text], Field(min_length=1)]
    algorithm: Text = "ppo"
    changes: tuple[Text, ...] = ()

    def changed(self, fsps: Iterable[str], strategy: str) -> Profile:
        """Return the profile in which some FSPs play something else."""
        return self.model_copy(update={"plays": {**self.plays, **dict.fromkeys(fsps, strategy)}})

    def learning(self, group: Sequence[str], names: Sequence[str], more: Sequence[str] = ()) -> Training:
        """Return the training of one policy for some FSPs, beside all others as they play here.

        Args:
            group: FSPs that learn; if there are several, one policy decides for all of them.
            names: (F,) of all portfolios in row order.
            more: changes that go before those of the profile.

        Raises:
            StackingError: for a training that is not valid.
        """
        others = [self.plays[name] for name in names if name not in group]
        env = {"portfolio": None, **self.env, "learners": list(group), "co_players": others or None}
        shared = ("learners='shared'",) if len(group) > 1 else ()
        return training(self.algorithm, (*self.changes, *more, *shared), env)


class Arena:
    """The world of a profile on scenarios of the validation split.

    Args:
        env: settings of the world.
        scenarios: their number; days: of each; seed: of what is drawn in them.

    Raises:
        StackingError: for settings that a profile does not take, or that are not valid.
    """

    def __init__(self, env: Mapping[str, Any], scenarios: int, days: int, seed: int) -> None:
        check_env(env)
        kept = {key: value for key, value in env.items() if key not in LEARNING}
        drawn = {} if kept.get("prices") else {"scenarios": scenarios}
        config = env_config(None, {**kept, **drawn, "days": days, "split": "validation", "scenario_seed": seed})
        everybody = build_scene(config, everybody=True)
        self.scene, self.portfolios = everybody, everybody.portfolios
        self.names = tuple(p.name for p in self.portfolios)
        self._strategies: dict[str, Strategy] = {}
        self._found: dict[tuple[str, ...], NDArray[np.float64]] = {}

    def flex_eur(self, plays: Mapping[str, str]) -> NDArray[np.float64]:
        """Return the flex revenue of all FSPs under a profile, (S, F), EUR: net revenue less that of doing nothing.

        Raises:
            StackingError: if it does not name each FSP once, or a strategy is not there.
        """
        self.check(plays)
        key = tuple(plays[name] for name in self.names)
        if key not in self._found:
            self._found[key] = self._play(key)
        return self._found[key]

    def check(self, plays: Mapping[str, str]) -> None:
        """Check that a profile names the FSPs of this world.

        Raises:
            StackingError: if it does not.
        """
        if set(plays) != set(self.names):
            raise StackingError("The profile does not name each FSP once.", place="profile", key="plays", value=", ".join(plays),
                                allowed=", ".join(self.names[:20]), remedy="Say what each FSP plays.")  # fmt: skip

    def chosen(self, fsps: Sequence[str]) -> tuple[str, ...]:
        """Return FSPs by name, all of them if none is named.

        Raises:
            StackingError: for one that does not take part.
        """
        for name in fsps:
            if name not in self.names:
                raise StackingError("There is no such FSP.", place="profile", key="fsp", value=name,
                                    allowed=", ".join(self.names[:20]))  # fmt: skip
        return tuple(fsps) or self.names

    def columns(self, fsps: Iterable[str]) -> list[int]:
        """Return where FSPs stand in `flex_eur`."""
        return [self.names.index(name) for name in fsps]

    def _play(self, assignment: tuple[str, ...]) -> NDArray[np.float64]:
        for spec in set(assignment) - set(self._strategies):
            self._strategies[spec] = named_strategy(spec)
        scene, label = self.scene, "profile"
        mixed = Mixed({spec: self._strategies[spec] for spec in assignment}, assignment)
        contest = Contest((scene.design,), {label: mixed}, scene.portfolios, scene.library, network=scene.network)
        found = run(contest).episodes
        table = found[found["strategy"] == label].pivot(index="scenario", columns="portfolio", values="flex_eur")
        return table.loc[[str(key) for key in scene.library.keys], list(self.names)].to_numpy(np.float64)


def check_env(env: Mapping[str, Any]) -> None:
    """Check that settings leave open who learns, beside whom, and on which scenarios that is measured.

    Raises:
        StackingError: if they do not.
    """
    for key in GIVEN:
        if env.get(key) is not None:
            raise StackingError("This setting is not for a world of many learners.", place="env", key=key, value=env[key],
                                remedy="Leave it out: the profile says what everybody plays.")  # fmt: skip


# ---- files -----------------------------------------------------------------------------------------------------------
def save_profile(profile: Profile, file: Path) -> Path:
    """Write a profile as JSON, with policies that lie below its folder by their place there, so that the folder can be moved."""
    data = profile.model_dump(mode="json")
    data["plays"] = {name: inside(spec, file.parent) for name, spec in profile.plays.items()}
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    partial.replace(file)
    return file


def load_profile(path: str | Path) -> Profile:
    """Return the profile of a JSON file.

    Raises:
        StackingError: for a missing or damaged file, or one that is no profile.
    """
    file = Path(path).expanduser()
    profile = validated(Profile, read_json(file, "a profile.json by `stacking league`"), str(file))
    return profile.model_copy(update={"plays": {name: outside(spec, file.parent) for name, spec in profile.plays.items()}})


def inside(spec: str, folder: Path) -> str:
    """Return the place of a policy below a folder; what does not lie there as it is."""
    if not spec.endswith(".npz") or not Path(spec).resolve().is_relative_to(folder.resolve()):
        return spec
    return Path(spec).resolve().relative_to(folder.resolve()).as_posix()


def outside(spec: str, folder: Path) -> str:
    """Return the path of a policy whose place below a folder is given, if it lies there."""
    return str(folder / spec) if spec.endswith(".npz") and (folder / spec).is_file() else spec


def read_json(file: Path, wanted: str) -> Any:
    """Return the content of a JSON file.

    Raises:
        StackingError: if it is missing or damaged.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackingError("The file cannot be read.", key="FILE", value=str(file), allowed=wanted,
                            remedy=f"Check the path ({type(error).__name__}).") from None  # fmt: skip
