"""A policy as it is shared: plain arrays and a card in JSON that says what they mean, in one .npz file without pickle.

The card carries a hash of the layout: numbers that were learned on other columns are refused, not reinterpreted.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stacking.config import Record, validated
from stacking.errors import StackingError
from stacking.layout import ACTIONS_W, LAYOUT_VERSION, observation_layout

from ..agents.strategies import ACTION_LAYOUT
from .archive import DamagedError, is_writable, read_archive, write_archive
from .network import ACTIVATIONS
from .scaling import PRICE_W
from .spaces import seen_width

FLOAT = NDArray[np.float64]
FORMAT = 1
ARRAYS = ("weights", "biases")
SHIPPED = Path(__file__).with_name("policies")
MOST_BYTES = 64_000_000
Text = Annotated[str, Field(min_length=1)]
Width = Annotated[int, Field(ge=1, le=65_536, strict=True)]


class Card(Record):
    """What a policy is and how its numbers are read.

    Attributes:
        format: of the file.
        layout_hash: of the columns that it sees and decides.
        name: as a strategy.
        algorithm, env, seed, steps: how it was learned; made_by: the command.
        settings: of the environment in which it was learned, as far as they are text and numbers.
        advice, advice_parameters: the strategy whose decisions it changes, None if it decides alone; how far: reach and
            steer_eur_per_mwh.
        mask_seen: whether the mask is part of what it sees.
        head: `clipped`: outputs are numbers, cut to -1..1; `tanh`: their tanh is; `levels`: the largest of each decision's
            outputs among those that may be chosen.
        levels: of the head `levels`.
        activation, sizes: of its network.
        bounds: (2, ACTIONS_W) bounds of the decisions; prices: the table of `stacking.envs.spaces.price_table`.
        fixed: decision -> value, of decisions that are not its own.
        validation: what it earned on the validation split, in words and numbers.
        versions: of the packages that made it.
    """

    format: Literal[1] = FORMAT
    layout_hash: Text
    layout_version: int
    name: Text
    algorithm: Text
    env: Text
    seed: int
    steps: int
    made_by: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    advice: Text | None = None
    advice_parameters: dict[str, float] = Field(default_factory=dict)
    reach: tuple[float, ...]
    steer_eur_per_mwh: float = 0.0
    mask_seen: bool = True
    head: Literal["clipped", "tanh", "levels"]
    levels: int | None = None
    activation: Literal["tanh", "relu"]
    sizes: Annotated[tuple[Width, ...], Field(min_length=2, max_length=16)]
    bounds: tuple[tuple[float, ...], tuple[float, ...]]
    prices: tuple[tuple[float, ...], ...]
    fixed: dict[str, float] = Field(default_factory=dict)
    validation: dict[str, float] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """A card and the parameters of its network, one behind the other as `stacking.envs.network.forward` reads them."""

    card: Card
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]


def layout_hash() -> str:
    """Return a hash of the names, units and order of all columns that are seen and decided, 16 characters."""
    columns = [(f.name, f.unit) for f in (*observation_layout().fields, *ACTION_LAYOUT.fields)]
    return hashlib.sha256(json.dumps([LAYOUT_VERSION, columns]).encode()).hexdigest()[:16]


# ---- files -----------------------------------------------------------------------------------------------------------
def save_policy(policy: Policy, path: str | Path) -> Path:
    """Write a policy to a .npz file, the same bytes for the same policy, and return its path.

    Raises:
        StackingError: for another ending, or a folder that is not there.
    """
    file = Path(path)
    if not is_writable(file):
        raise StackingError("A policy goes to a .npz file in a folder that exists.", key="FILE", value=str(file),
                            remedy="Use a name such as my_policy.npz.")  # fmt: skip
    arrays = {name: getattr(policy, name) for name in ARRAYS}
    return write_archive(file, policy.card.model_dump(mode="json"), arrays, packed=False)


def load_policy(path: str | Path) -> Policy:
    """Return the policy of a file.

    Raises:
        StackingError: for a missing, damaged or foreign file, one of another layout, or numbers that do not fit its card.
    """
    file = Path(path)
    _check_there(file)
    try:
        data, arrays = read_archive(file, ARRAYS)
    except DamagedError as why:
        raise _damaged(file, str(why)) from None
    _check_layout(file, data)
    card = validated(Card, data, str(file))
    policy = Policy(card, **arrays)
    _check_network(file, policy)
    return policy


def policy_path(spec: str) -> Path | None:
    """Return the file of a policy that is named by its file or as one that is shipped, None for anything else."""
    if spec.endswith(".npz"):
        return Path(spec).expanduser()
    shipped = SHIPPED / f"{spec}.npz"
    return shipped if spec.isidentifier() and shipped.is_file() else None


def shipped_policies() -> tuple[str, ...]:
    """Return the names of the policies that are shipped."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.npz")))


def _check_there(file: Path) -> None:
    """Check that a file exists and is of a size that a policy can have."""
    if not file.is_file():
        raise StackingError("There is no such policy.", key="policy", value=str(file),
                            allowed=f".npz file, or one of: {', '.join(shipped_policies()) or 'none is shipped'}",
                            remedy="`stacking train` writes one.")  # fmt: skip
    if file.stat().st_size > MOST_BYTES:
        raise _damaged(file, f"it has more than {MOST_BYTES:,} bytes")


def _check_layout(file: Path, data: dict[str, Any]) -> None:
    if data.get("layout_hash") != layout_hash():
        raise StackingError(
            "The policy was learned on another layout: its numbers stand for other columns.", place=str(file), key="layout_hash",
            value=data.get("layout_hash"), allowed=f"{layout_hash()} (layout {LAYOUT_VERSION})",
            remedy="Train it again with this version, or use the version that made it.",
        )  # fmt: skip


def _check_network(file: Path, policy: Policy) -> None:
    """Check that the arrays are what the card says."""
    card, pairs = policy.card, list(zip(policy.card.sizes[:-1], policy.card.sizes[1:], strict=True))
    seen = seen_width(card.advice is not None, card.steer_eur_per_mwh, card.mask_seen)
    wanted = {"weights": sum(a * b for a, b in pairs), "biases": sum(b for _, b in pairs)}
    for name, size in wanted.items():
        array = getattr(policy, name)
        if array.dtype != np.float32 or array.shape != (size,):
            raise _damaged(file, f"{name} are {array.dtype} {array.shape}, its card asks for float32 ({size},)")
        if not np.isfinite(array).all():
            raise _damaged(file, f"{name} hold a number that is not finite")
    if card.sizes[0] != seen:
        raise _damaged(file, f"its network sees {card.sizes[0]} numbers, its card asks for {seen}")
    tables = (("reach", [card.reach], ACTIONS_W), ("bounds", card.bounds, ACTIONS_W), ("prices", card.prices, PRICE_W))
    for name, table, width in tables:
        if any(len(row) != width for row in table):
            raise _damaged(file, f"{name} have not {width} columns")
    assert card.activation in ACTIVATIONS


def _damaged(file: Path, why: str) -> StackingError:
    return StackingError(
        f"The policy cannot be read: {why}.", key="policy", value=str(file), allowed="a file by `stacking train`",
        remedy="Get it again, or train it again; a model of stable-baselines3 (.zip) is read by `stacking import-policy`.",
    )  # fmt: skip
