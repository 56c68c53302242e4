"""What a training is: algorithm, environment, hyper-parameters and budget, as one validated record from a TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stacking.config import Record, read_toml, validated
from stacking.errors import StackingError

from ..design_input import toml_value
from .algorithms import ALGORITHMS, kind_of

FOLDER = Path(__file__).parent
TABLES = ("env", "parameters", "network")
Count = Annotated[int, Field(ge=1, le=2**40, strict=True)]
Rows = Annotated[int, Field(ge=1, le=65_536, strict=True)]


class Network(Record):
    """Layers of the policy (`pi`) and of the value or Q function (`vf`)."""

    pi: Annotated[tuple[Rows, ...], Field(min_length=1, max_length=8)] = (64, 64)
    vf: Annotated[tuple[Rows, ...], Field(min_length=1, max_length=8)] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"
    log_std_init: Annotated[float, Field(ge=-10, le=2)] = -1.5  # of what is drawn at first, numbers (before tanh) or levels
    start_at_advice: bool = True  # the last layer of the policy begins at 0: at first it plays what it is advised


class Training(Record):
    """A training.

    Attributes:
        algorithm: class of stable-baselines3 or sb3-contrib.
        env: settings of the environment (`stacking.envs.EnvConfig`), in which rows learn.
        learners: `one` FSP of each environment, or `shared`: one policy decides for all FSPs that learn (`env.learners`, or all
            that no co-player decides for), a row for each of them in each world.
        rows: environments side by side; `shared`: worlds x learners.
        steps: of all rows together.
        leg_steps: per row, from checkpoint to checkpoint; each leg begins new episodes and draws from its own seeds, so that a
            training that was killed goes on as if nothing had happened.
        evaluate_legs: legs between two looks at the validation split; validation_scenarios, validation_days: what is played.
        ends: whether the last step of an episode is its end (`terminated`: cash is complete then) or only of time (`truncated`).
        decay: the learning rate falls linearly to this share of itself.
        warmup_legs: legs at first in which the value (or Q) function learns alone, so that the policy does not follow its errors.
        threads: of torch; small networks are slower with several.
        parameters: keywords of the algorithm; network: of its policy.
    """

    algorithm: str
    env: Mapping[str, Any] = Field(default_factory=dict)
    learners: Literal["one", "shared"] = "one"
    rows: Rows = 256
    steps: Count = 6_000_000
    leg_steps: Count = 960
    evaluate_legs: Count = 4
    validation_scenarios: Annotated[int, Field(ge=2, le=10_000, strict=True)] = 64
    validation_days: Annotated[int, Field(ge=1, le=366, strict=True)] = 7
    ends: Literal["terminated", "truncated"] = "terminated"
    decay: Annotated[float, Field(ge=0, le=1)] = 1.0
    warmup_legs: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    threads: Annotated[int, Field(ge=1, le=256, strict=True)] = 1
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    network: Network = Field(default_factory=Network)

    @model_validator(mode="after")
    def _known(self) -> Training:
        kind = kind_of(self.algorithm)
        if (self.env.get("levels") is not None) != (kind.head == "levels"):
            told = "in levels: set env.levels" if kind.head == "levels" else "numbers: leave env.levels out"
            raise ValueError(f"{self.algorithm} decides {told}")
        return self

    @property
    def legs(self) -> int:
        """Return the number of legs."""
        return -(-self.steps // (self.rows * self.leg_steps))


def shipped_trainings() -> tuple[str, ...]:
    """Return the names of the trainings that are shipped."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def training(name: str, changes: Sequence[str] = (), env: Mapping[str, Any] | None = None) -> Training:
    """Return a training by name, with values changed.

    Args:
        name: shipped (`ppo`), a class of stable-baselines3 by name (`A2C`), or a .toml file.
        changes: "key=value" as in TOML: "steps=1000000", "env.portfolio='battery'", "parameters.learning_rate=1e-4".
        env: settings of the environment, which go before those of the file.

    Raises:
        StackingError: for a training that is not there or not valid.
    """
    data, place = _data(name)
    data.setdefault("env", {}).update(env or {})
    for text in changes:
        _change(data, text)
    return validated(Training, data, place + (" with --set" if changes else ""))


def bare(algorithm: str, changes: Sequence[str] = (), env: Mapping[str, Any] | None = None) -> Training:
    """Return a training of an algorithm with nothing but its own defaults and some changes.

    Raises:
        StackingError: for an unknown key or a value that is not allowed.
    """
    data: dict[str, Any] = {"algorithm": algorithm, "env": dict(env or {})}
    for text in changes:
        _change(data, text)
    return validated(Training, data, f"algorithm {algorithm}")


def _data(name: str) -> tuple[dict[str, Any], str]:
    path = Path(name).expanduser()
    if path.suffix == ".toml":
        return dict(read_toml(path)), str(path)
    if name.lower() in shipped_trainings():
        path = FOLDER / f"{name.lower()}.toml"
        return dict(read_toml(path)), str(path)
    found = next((known for known in ALGORITHMS if known.lower() == name.lower()), None)
    if found is None:
        raise StackingError(
            "There is no such algorithm.", place="stacking train", key="ALGO", value=name,
            allowed=f"shipped: {', '.join(shipped_trainings())}; others: {', '.join(ALGORITHMS)}",
            remedy="Use one of these names, or a .toml file of your own.",
        )  # fmt: skip
    return dict(read_toml(FOLDER / "ppo.toml")) | ALGORITHMS[found].data(found), f"algorithm {found}"


def _change(data: dict[str, Any], text: str) -> None:
    """Write one "key=value" into plain data."""
    key, separator, given = (part.strip() for part in text.partition("="))
    head, dot, rest = key.partition(".")
    if separator and dot and head in TABLES:
        data[head] = {**data.get(head, {}), rest: toml_value(given)}
    elif separator and not dot and key in Training.model_fields and key not in TABLES:
        data[key] = toml_value(given)
    else:
        plain = [name for name in Training.model_fields if name not in TABLES]
        raise StackingError(
            "A training has no such key.", place="--set", key=key, value=text,
            allowed=", ".join((*plain, *(f"{table}.KEY" for table in TABLES))),
            remedy="For example --set steps=1000000, or --set env.portfolio=battery.",
        )  # fmt: skip
