"""Recorded episodes as a Minari dataset (optional: the extra `offline`)."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np

from stacking import __version__
from stacking.errors import StackingError
from stacking.layout import ACTIONS_W

from .offline import Episodes

EXACT = gymnasium.spaces.Box(-1.0, 1.0, (ACTIONS_W,), np.float64)


def check_minari() -> None:
    """Check that Minari is installed.

    Raises:
        StackingError: if it is not.
    """
    try:
        import minari  # noqa: F401  # pyright: ignore[reportMissingImports]
        import PIL  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        if error.name not in ("minari", "PIL"):
            raise
        raise StackingError("Minari is not installed.", key="--minari", value=error.name, allowed="the extra stacking[offline]",
                            remedy="Install stacking[offline], or leave out --minari.") from None  # fmt: skip


def to_minari(episodes: Episodes, name: str) -> Any:
    """Write episodes as a Minari dataset into its folder (MINARI_DATASETS_PATH) and return it.

    Masks go into `infos["action_mask"]`, scenario key and cash into the metadata of each episode.

    Args:
        episodes: recorded.
        name: of the dataset, such as "stacking/rebid-v0".

    Raises:
        StackingError: if Minari is not installed, or does not take the name.
    """
    check_minari()
    import minari  # pyright: ignore[reportMissingImports]  (an extra)
    from minari.data_collector import EpisodeBuffer  # pyright: ignore[reportMissingImports]

    card = episodes.card
    env = gymnasium.make(card.env, disable_env_checker=True, **card.settings)
    buffers = []
    for k in range(len(episodes)):
        each = episodes.episode(k)
        buffers.append(EpisodeBuffer(
            id=k, observations=list(each["observations"]), actions=list(each["actions"]), rewards=list(each["rewards"]),
            terminations=list(each["terminations"]), truncations=list(each["truncations"]),
            infos={"action_mask": each["masks"]}, options={"scenario": int(episodes.scenarios[k])},
        ))  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it asks for authors and links, which are not ours to give
            dataset = minari.create_dataset_from_buffers(
                name, buffer=buffers, env=env, algorithm_name=card.strategy, data_format="arrow", action_space=EXACT,
                description=f"Episodes of {card.env}, recorded by stacking {card.versions.get('stacking', '')}.",
                requirements=[f"stacking=={card.versions.get('stacking', __version__)}"],
            )  # fmt: skip
    except ValueError as error:
        raise StackingError(f"Minari does not take the dataset: {error}", key="--minari", value=name,
                            remedy="Use a new name such as stacking/rebid-v0.") from None  # fmt: skip
    about = [{"scenario_key": key, "net_eur": float(eur)} for key, eur in zip(card.scenario_keys, episodes.net_eur, strict=True)]
    dataset.storage.update_episode_metadata(about)
    return dataset
