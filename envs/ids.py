"""The ids of environments as data: one for each shipped design, and one for anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium

from stacking.errors import StackingError

if TYPE_CHECKING:
    from .parallel import StackingParallelEnv

NAMES: dict[str, str] = {
    "exclusive": "Exclusive",
    "finflex": "FinFlex",
    "gb_stacking": "GbStacking",
    "gopacs": "Gopacs",
    "mandatory": "Mandatory",
    "norflex": "NorFlex",
    "norflex_eam": "NorFlexEam",
    "onenet": "OneNet",
    "onenet_cy": "OneNetCy",
    "onenet_hu": "OneNetHu",
    "onenet_pl": "OneNetPl",
    "opentunity": "Opentunity",
    "parallel": "Parallel",
    "parallel_adjusted": "ParallelAdjusted",
    "parallel_late": "ParallelLate",
    "redispatch": "Redispatch",
    "sthlmflex": "SthlmFlex",
    "sthlmflex_eam": "SthlmFlexEam",
}
"""Design -> name in its id. Written down, so that the spelling is right and no design is read at import; a test compares."""

VERSION = 0
"""Of all ids; it rises when an environment gives other results."""

CUSTOM = f"stacking/Custom-v{VERSION}"
"""The id of an environment that a file, a table or arguments describe."""


def env_id(design: str) -> str:
    """Return the id of a shipped design.

    >>> env_id("norflex_eam")
    'stacking/NorFlexEam-v0'

    Raises:
        StackingError: if there is none.
    """
    if design not in NAMES:
        raise StackingError("This design has no id.", key="design", value=design, allowed=", ".join(NAMES),
                            remedy=f'Use "{CUSTOM}" with design="{design}".')  # fmt: skip
    return f"stacking/{NAMES[design]}-v{VERSION}"


def env_ids() -> tuple[str, ...]:
    """Return all ids."""
    return (*(env_id(design) for design in NAMES), CUSTOM)


def settings_of(name: str) -> dict[str, Any]:
    """Return the settings that an id stands for; "NorFlexEam-v0" and "norflex_eam" are understood too.

    >>> settings_of("NorFlexEam-v0")
    {'design': 'norflex_eam'}

    Raises:
        StackingError: for an unknown id.
    """
    known = {env_id(design): {"design": design} for design in NAMES} | {CUSTOM: {}}
    for spelling in (name, f"stacking/{name}", env_id(name) if name in NAMES else name):
        if spelling in known:
            return known[spelling]
    raise StackingError("Unknown environment.", key="id", value=name, allowed=", ".join(known),
                        remedy="Use one of these ids.")  # fmt: skip


def register_all() -> None:
    """Make the ids known to Gymnasium."""
    for name in env_ids():
        gymnasium.register(
            name,
            entry_point="stacking.envs.single:StackingEnv",
            vector_entry_point="stacking.envs.vector:StackingVectorEnv",
            kwargs=settings_of(name),
        )


def parallel_env(name: str, config: Any = None, **settings: Any) -> StackingParallelEnv:
    """Return the PettingZoo environment of an id, in which several FSPs of one world learn.

    Args:
        name: id, such as "stacking/NorFlexEam-v0".
        config: TOML file or table of settings.
        settings: as for `gymnasium.make`, see `stacking.envs.EnvConfig`.

    Raises:
        StackingError: for an unknown id or bad settings, or if PettingZoo is not installed.
    """
    chosen = settings_of(name)
    try:
        from .parallel import StackingParallelEnv
    except ModuleNotFoundError as error:
        if error.name != "pettingzoo":
            raise
        raise StackingError("PettingZoo is not installed.", key="pettingzoo",
                            remedy="pip install pettingzoo, or the extra stacking[rl].") from None  # fmt: skip
    return StackingParallelEnv(config, **{**chosen, **settings})
