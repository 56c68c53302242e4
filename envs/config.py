"""What an environment is made of: one validated record, from a TOML file, a table or keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, InstanceOf, StrictBool, field_validator, model_validator

from stacking.build import BACKENDS
from stacking.config import Fraction, Positive, Record, read_toml, validated
from stacking.errors import StackingError
from stacking.scenario import Library
from stacking.scenario.generator import MAX_DAYS

from ..agents.consent import FspChoice
from ..agents.strategies import ACTION_LAYOUT

Market = Literal["da", "id", "lfm", "mfrr"]
ACTION_NAMES = ACTION_LAYOUT.names
MARKETS: tuple[Market, ...] = ("da", "id", "lfm", "mfrr")
Count = Annotated[int, Field(ge=1, le=100_000, strict=True)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Reach = Annotated[float, Field(ge=0, le=2)]
Text = Annotated[str, Field(min_length=1)]


class EnvConfig(Record):
    """The settings of an environment.

    Which market:
        design: shipped name, .toml file, or a table like one.
        overrides: "rules.KEY" or "products.MARKET.KEY" -> value.
        pooling: bids that are forwarded are pooled; as the design says if None.

    Who takes part:
        portfolio: "default" (battery, cars, load), "battery", "fleet", "load" (parts of it), a .toml file, or records; the
            default portfolio if None and no population is given.
        population: NAME or FILE, with :COUNT, such as "mixed:9". Beside a portfolio they are the co-players, else the learner
            is one of them.
        population_seed: seed of that draw.
        network: name or .toml file of a network, or one; one area if None.
        learners: names of the FSPs that learn; the first portfolio if None (parallel: all that no co-player decides for).
        co_players: what the others play. {"rebid": 9} adds nine FSPs with the learner's portfolio; a strategy's name holds for
            all others; a list names one for each (also as objects); None: FSPs of a population play their drawn strategies.
        markets: those in which learners may trade; columns of the others are closed.
        choice: way of the learners to balancing (`stacking.agents.consent.FspChoice`): consent, bid_itself, both, local_only,
            leave; None leaves it to them. Columns that are decided by it are closed.

    Scenarios:
        days: delivery days of an episode.
        split: train, validation or test; of price files also all.
        scenarios: how many different ones there are (64; of price files: all windows).
        scenario_seed: seed of what is drawn in them.
        prices: CSV or Parquet files to replay; generated if there are none.
        timezone: zone of the delivery days.
        world: parameters of what is drawn: a set such as "dk1_2024:eon", or a file.
        library: scenarios of your own, in place of all of the above but days.

    Learning:
        reward: `settlement`: cash of the MTU that was settled; `award`: sales and purchases count when they are made; `marked`:
            also what energy in the battery is worth that is not sold yet (episode sums of the three are the same); `risk`:
            mean-CVaR of the episode's cash, see `stacking.envs.rewards`.
        reward_scale_eur: EUR that are a reward of 1.
        reward_baseline: `do_nothing` subtracts what the same FSP earns on the same scenario when all FSPs do nothing; the name
            of another strategy what it earns when learners play that and the others what they play: rewards add up to the gain
            over it.
        advice: name of a strategy (or FILE.py:Class, or a policy): what it would decide is part of the observation, and a
            decision is a change of it (`stacking.envs.advice`); with all changes 0 the learner plays that strategy.
        reach: decision -> how far a change of 1 leads, in the numbers of -1..1 that a decision has without advice; 0 leaves it to
            the adviser and closes it for the learner.
        steer_eur_per_mwh: by how much a change of -1 and of 1 lowers and raises the intraday prices by which the adviser trades,
            in place of changing its power by a reach; what it would trade then is observed. 0: not.
        mask_seen: what is open is part of the observation, so that a policy finds there what it may decide.
        risk_weight, risk_tail_frac, risk_threshold_eur: of the risk-aware reward.
        levels: number of levels of each decision: actions are whole numbers then (MultiDiscrete).
        info: `full` adds cash, refusals, consent to every step's info, `light` keeps to masks and episode sums.
        backend: of the engine: serial, parallel or python.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    design: Any
    overrides: Mapping[str, Any] = Field(default_factory=dict)
    pooling: StrictBool | None = None

    portfolio: Any = None
    population: Text | None = None
    population_seed: Annotated[int, Field(ge=0, strict=True)] = 0
    network: Any = None
    learners: tuple[Text, ...] | None = None
    co_players: Any = None
    markets: Annotated[tuple[Market, ...], Field(min_length=1)] = MARKETS
    choice: FspChoice | None = None

    days: Annotated[int, Field(ge=1, le=MAX_DAYS, strict=True)] = 7
    split: Literal["train", "validation", "test", "all"] = "train"
    scenarios: Count | None = None
    scenario_seed: Annotated[int, Field(ge=0, strict=True)] = 0
    prices: tuple[Text | Path, ...] = ()
    timezone: Text | None = None
    world: Text | None = None
    library: InstanceOf[Library] | None = None

    reward: Literal["settlement", "award", "marked", "risk"] = "settlement"
    reward_scale_eur: Positive = 100.0
    reward_baseline: Text = "none"
    advice: Text | None = None
    reach: Mapping[str, Reach] = Field(default_factory=dict)
    steer_eur_per_mwh: Annotated[float, Field(ge=0, le=200)] = 0.0
    mask_seen: StrictBool = False
    risk_weight: Fraction = 0.5
    risk_tail_frac: Annotated[float, Field(gt=0, le=1)] = 0.05
    risk_threshold_eur: Number | None = None

    levels: Annotated[int, Field(ge=2, le=1001, strict=True)] | None = None
    info: Literal["light", "full"] = "light"
    backend: Literal[BACKENDS] = "serial"  # type: ignore[valid-type]

    @field_validator("prices", "learners", "markets", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def _consistent(self) -> EnvConfig:
        if (self.reward == "risk") != (self.risk_threshold_eur is not None):
            raise ValueError(
                "risk_threshold_eur goes with reward = 'risk': cash of an episode below which it is a bad one, for example "
                "the 5 % quantile of a strategy that you know"
            )
        if self.reach and self.advice is None:
            raise ValueError("reach goes with advice: without it a decision is no change of anything")
        if self.steer_eur_per_mwh and self.advice is None:
            raise ValueError("steer_eur_per_mwh goes with advice: it moves prices of an adviser")
        unknown = [name for name in self.reach if name not in ACTION_NAMES]
        if unknown:
            raise ValueError(f"reach names no decision: {unknown[0]}; decisions are {', '.join(ACTION_NAMES)}")
        if self.split == "all" and not self.prices and self.library is None:
            raise ValueError("split = 'all' is for price files; generated scenarios have train, validation and test")
        drawn = [key for key in ("prices", "timezone", "world", "scenarios") if getattr(self, key)]
        if self.library is not None and drawn:
            raise ValueError(f"library = ... has its own scenarios; leave out {', '.join(drawn)}")
        return self


def env_config(config: str | Path | Mapping[str, Any] | None, settings: Mapping[str, Any]) -> EnvConfig:
    """Return the settings of a file or table, with others that go before them.

    Raises:
        StackingError: naming place, key, value and what is allowed.
    """
    data: Mapping[str, Any] = {}
    if isinstance(config, str | Path):
        data = read_toml(config)
    elif isinstance(config, Mapping):
        data = config
    elif config is not None:
        raise StackingError("The settings are no file and no table.", place="environment", key="config", value=config,
                            allowed="path of a .toml file, or a dict", remedy="See docs/environments.md.")  # fmt: skip
    place = f"environment {config}" if isinstance(config, str | Path) else "environment"
    return validated(EnvConfig, {**data, **settings}, place)
