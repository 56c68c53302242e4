"""Episodes of a strategy as data from which others learn offline: plain arrays and a card in JSON, one .npz without pickle.

Actions are recorded in double precision: played again they give the same rewards bit for bit, and a strategy earns what it earns
by itself. Rounded to float32, a power can fall below a step of a product's granularity; it moved a day of `rebid` by up to 3 %.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stacking import __version__
from stacking.config import Record, validated
from stacking.errors import StackingError
from stacking.layout import ACTIONS_W, LAYOUT_VERSION
from stacking.scenario.keys import whole_number

from ..agents.seeds import seed_of
from .advice import Advice
from .archive import DamagedError, is_writable, read_archive, write_archive
from .ids import CUSTOM, env_id, settings_of
from .learned import named_strategy
from .policy import layout_hash
from .single import StackingEnv

RANDOM = "random"
PACKAGES = ("gymnasium", "numba", "numpy")
Text = Annotated[str, Field(min_length=1)]
Array = NDArray[Any]


class EpisodesCard(Record):
    """What recorded episodes are.

    Attributes:
        format: of the file.
        layout_hash, layout_version: of the columns that are seen and decided.
        env: id; settings: with which `gymnasium.make` makes the environment.
        strategy: who decided; "random": numbers that are equally likely in -1..1.
        seed: of random decisions; the scenarios hang on `scenario_seed` of the settings.
        scenario_keys: key of each episode's scenario.
        versions: of Python and the packages that made them.
    """

    format: Literal[1] = 1
    layout_hash: Text
    layout_version: int
    env: Text
    settings: dict[str, Any] = Field(default_factory=dict)
    strategy: Text
    seed: int
    scenario_keys: Annotated[tuple[Text, ...], Field(min_length=1)]
    versions: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Episodes:
    """N episodes of T(k) steps, one behind the other; observations and masks have T(k) + 1 rows in each.

    Attributes:
        card: what they are.
        observations: (sum T + N, W) float32, scaled.
        masks: (sum T + N, ACTIONS_W) decisions that were open.
        actions: (sum T, ACTIONS_W) float64, numbers of -1..1.
        rewards: (sum T,), of the unit of the environment.
        terminations, truncations: (sum T,).
        lengths: (N,) T(k); scenarios: (N,) numbers in the library; net_eur: (N,) cash.
    """

    card: EpisodesCard
    observations: Array
    masks: Array
    actions: Array
    rewards: Array
    terminations: Array
    truncations: Array
    lengths: Array
    scenarios: Array
    net_eur: Array

    def __len__(self) -> int:
        return len(self.lengths)

    def episode(self, k: int) -> dict[str, Array]:
        """Return the arrays of one episode by name, T rows, observations and masks T + 1."""
        first, steps = int(self.lengths[:k].sum()), int(self.lengths[k])
        longer = slice(first + k, first + k + steps + 1)
        return {name: getattr(self, name)[longer if name in SEEN else slice(first, first + steps)] for name in (*SEEN, *PLAYED)}


SEEN, PLAYED = ("observations", "masks"), ("actions", "rewards", "terminations", "truncations")
DTYPES = {
    "observations": np.float32, "masks": np.bool_, "actions": np.float64, "rewards": np.float64, "terminations": np.bool_,
    "truncations": np.bool_, "lengths": np.int64, "scenarios": np.int64, "net_eur": np.float64,
}  # fmt: skip


# ---- recording -------------------------------------------------------------------------------------------------------
def record_episodes(
    env: str, *, episodes: int, strategy: str | None = None, seed: int = 0, advance: Callable[[int], None] = lambda _: None,
    **settings: Any,
) -> Episodes:  # fmt: skip
    """Play the first scenarios of an environment, each once, and return what was seen, decided and earned.

    Args:
        env: id, such as "stacking/NorFlexEam-v0", or a design.
        episodes: how many.
        strategy: name, FILE.py:Class, file of `stacking tune`, or policy; None decides at random.
        seed: of random decisions.
        advance: called with 1 after each episode.
        settings: of the environment, plain data (`stacking.envs.EnvConfig`).

    Raises:
        StackingError: for bad settings, or more episodes than scenarios.
    """
    name, plain = _id(env), _plain(settings)
    count, seed = whole_number(episodes, "episodes", least=1, place="export"), whole_number(seed, "seed", least=0, place="export")
    world = gymnasium.make(name, disable_env_checker=True, **settings).unwrapped
    assert isinstance(world, StackingEnv)
    library = world.worlds.scene.library
    if world.config.levels is not None:
        raise StackingError("Episodes are recorded as numbers of -1..1.", place="export", key="levels", value=world.config.levels,
                            allowed="no levels", remedy="Leave out levels.")  # fmt: skip
    if count > len(library):
        raise StackingError("There are fewer scenarios than episodes.", place="export", key="episodes", value=count,
                            allowed=f"1 to {len(library)}", remedy=f"Set scenarios = {count}, or record fewer.")  # fmt: skip
    adviser = None if strategy is None else _adviser(world, strategy)
    played = []
    for k in range(count):
        played.append(_play(world, k, adviser, seed))
        advance(1)
    card = EpisodesCard(
        layout_hash=layout_hash(), layout_version=LAYOUT_VERSION, env=name, settings=plain, strategy=strategy or RANDOM,
        seed=seed, scenario_keys=tuple(str(key) for key in library.keys[:count]), versions=_versions(),
    )  # fmt: skip
    arrays = {n: np.concatenate([each[n] for each in played]).astype(t) for n, t in DTYPES.items()}
    return Episodes(card, **arrays)


def _adviser(env: StackingEnv, strategy: str) -> Advice:
    worlds = env.worlds
    names = [p.name for p in worlds.scene.portfolios]
    return Advice(named_strategy(strategy), worlds.rows, names, worlds.engine.compiled.layout, 1)


def _play(env: StackingEnv, k: int, adviser: Advice | None, seed: int) -> dict[str, Array]:
    """Play scenario k to its end."""
    seen, info = env.reset(seed=0, options={"scenario": k})
    worlds, key = env.worlds, str(env.worlds.scene.library.keys[k])
    random = np.random.default_rng(seed_of("offline", seed, key))
    if adviser is not None:
        adviser.start(np.zeros(1, np.int64), [key])
    observations, masks, actions, rewards, terminations, truncations = [seen], [info["action_mask"]], [], [], [], []
    ended = False
    while not ended:
        if adviser is None:
            action = random.uniform(-1.0, 1.0, ACTIONS_W)
        else:
            action = env.numbers_of(adviser.look(worlds.engine.observation, worlds.engine.mask)[0, 0])
        seen, reward, terminated, truncated, info = env.step(action)
        ended = terminated or truncated
        observations.append(seen)
        masks.append(info["action_mask"])
        actions.append(action)
        rewards.append(reward)
        terminations.append(terminated)
        truncations.append(truncated)
    return {
        "observations": np.array(observations), "masks": np.array(masks), "actions": np.array(actions),
        "rewards": np.array(rewards), "terminations": np.array(terminations), "truncations": np.array(truncations),
        "lengths": np.array([len(rewards)]), "scenarios": np.array([k]), "net_eur": np.array([info["net_eur"]]),
    }  # fmt: skip


def _id(env: str) -> str:
    """Return the id that a spelling of it stands for."""
    design = settings_of(env).get("design")
    return CUSTOM if design is None else env_id(design)


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as a file holds them.

    Raises:
        StackingError: for objects, which no file holds.
    """
    for key, value in settings.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise StackingError("The setting is no plain data, so a file of episodes cannot tell it.", place="export", key=key,
                                value=type(value).__name__, allowed="text, numbers, lists, tables",
                                remedy="Name a file or a shipped record in its place.") from None  # fmt: skip
    return json.loads(json.dumps(dict(settings)))


def _versions() -> dict[str, str]:
    return {"stacking": __version__, "python": platform.python_version(), **{package: version(package) for package in PACKAGES}}


# ---- files -----------------------------------------------------------------------------------------------------------
def save_episodes(episodes: Episodes, path: str | Path) -> Path:
    """Write episodes to a .npz file, the same bytes for the same episodes, and return its path.

    Raises:
        StackingError: for another ending, or a folder that is not there.
    """
    arrays = {name: getattr(episodes, name) for name in DTYPES}
    return write_archive(checked_path(path), episodes.card.model_dump(mode="json"), arrays, packed=True)


def checked_path(path: str | Path) -> Path:
    """Return the path of a file of episodes that can be written.

    Raises:
        StackingError: for another ending, or a folder that is not there.
    """
    file = Path(path).expanduser()
    if not is_writable(file):
        raise StackingError("Episodes go to a .npz file in a folder that exists.", key="--out", value=str(file),
                            remedy="Use a name such as episodes.npz.")  # fmt: skip
    return file


def load_episodes(path: str | Path) -> Episodes:
    """Return the episodes of a file.

    Raises:
        StackingError: for a missing, damaged or foreign file, one of another layout, or arrays that do not fit together.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise StackingError("There are no such episodes.", key="FILE", value=str(file),
                            remedy="`stacking export` writes them.")  # fmt: skip
    try:
        data, arrays = read_archive(file, tuple(DTYPES))
    except DamagedError as why:
        raise _damaged(file, str(why)) from None
    if data.get("layout_hash") != layout_hash():
        raise StackingError(
            "The episodes were recorded on another layout: their numbers stand for other columns.", place=str(file),
            key="layout_hash", value=data.get("layout_hash"), allowed=f"{layout_hash()} (layout {LAYOUT_VERSION})",
            remedy="Record them again, or use the version that made them.",
        )  # fmt: skip
    episodes = Episodes(validated(EpisodesCard, data, str(file)), **arrays)
    _check_arrays(file, episodes)
    return episodes


def _check_arrays(file: Path, episodes: Episodes) -> None:
    """Check that arrays have their types, fit together and hold finite numbers."""
    count, lengths = len(episodes.card.scenario_keys), episodes.lengths
    if lengths.shape != (count,) or lengths.dtype != np.int64 or (lengths < 1).any():
        raise _damaged(file, f"its card names {count} episodes, lengths do not")
    steps = int(lengths.sum())
    width = episodes.observations.shape[1:]
    shapes = {"observations": (steps + count, *width), "masks": (steps + count, ACTIONS_W), "actions": (steps, ACTIONS_W)}
    shapes |= {name: (steps,) for name in PLAYED[1:]} | {name: (count,) for name in ("lengths", "scenarios", "net_eur")}
    for name, dtype in DTYPES.items():
        array = getattr(episodes, name)
        if array.dtype != dtype or array.shape != shapes[name]:
            raise _damaged(file, f"{name} are {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shapes[name]}")
        if not np.isfinite(array).all():
            raise _damaged(file, f"{name} hold a number that is not finite")
    if len(width) != 1:
        raise _damaged(file, "observations are no table")
    if (np.abs(episodes.actions) > 1.0).any():
        raise _damaged(file, "actions lie outside -1..1")


def _damaged(file: Path, why: str) -> StackingError:
    return StackingError(f"The episodes cannot be read: {why}.", key="FILE", value=str(file),
                         allowed="a file by `stacking export`", remedy="Get it again, or record them again.")  # fmt: skip
