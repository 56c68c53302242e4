"""From a record to a model of stable-baselines3, and from a model to a policy of plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray
from torch import nn  # pyright: ignore[reportMissingImports]

from stacking import __version__
from stacking.errors import StackingError
from stacking.layout import LAYOUT_VERSION

from ...agents.strategies import ACTION_LAYOUT, values_of
from ...envs.config import EnvConfig
from ...envs.learned import named_strategy
from ...envs.policy import Card, Policy, layout_hash
from ...envs.sb3 import Sb3VecEnv
from ...envs.shared import SharedVectorEnv
from ...envs.spaces import price_table
from ...envs.vector import StackingVectorEnv
from ...envs.worlds import Worlds, fixed_decisions
from .algorithms import class_of, kind_of, policy_of
from .record import Training

ACTIVATION = {"tanh": nn.Tanh, "relu": nn.ReLU}
RARE = 3.0  # levels that begin rarest have a chance of e^-3 of the likeliest one
PACKAGES = ("numpy", "torch", "stable-baselines3")


def make_rows(training: Training) -> Sb3VecEnv:
    """Return the rows of a training as stable-baselines3 takes them.

    Raises:
        StackingError: for bad settings.
    """
    kind = SharedVectorEnv if training.learners == "shared" else StackingVectorEnv
    return Sb3VecEnv(kind(training.rows, training.env), ends=training.ends)


def make_model(training: Training, env: Sb3VecEnv, seed: int, rate: Callable[[float], float] | None = None) -> Any:
    """Return a model that has learned nothing yet.

    Args:
        training: what to train.
        env: its rows.
        seed: of its first parameters.
        rate: learning rate by what is left of the training, in place of a constant one.

    Raises:
        StackingError: for parameters that the algorithm does not take.
    """
    torch.set_num_threads(training.threads)
    kind, network = kind_of(training.algorithm), training.network
    layers = {"qf" if kind.replays else "vf": list(network.vf), "pi": list(network.pi)}
    keywords: dict[str, Any] = {"net_arch": layers, "activation_fn": ACTIVATION[network.activation]}
    if kind.head != "levels" and kind.actor[1]:
        keywords["log_std_init"] = network.log_std_init
    parameters = {key: tuple(value) if isinstance(value, list) else value for key, value in training.parameters.items()}
    if rate is not None:
        parameters["learning_rate"] = rate
    try:
        model = class_of(training.algorithm)(
            policy_of(training.algorithm), env, seed=seed, device="cpu", policy_kwargs=keywords, verbose=0, **parameters
        )
    except TypeError as error:
        raise StackingError(
            f"{training.algorithm} cannot be made with these parameters: {error}.", place="training", key="parameters",
            value=dict(training.parameters), remedy="See the documentation of stable-baselines3 for its keywords.",
        ) from None  # fmt: skip
    _start_spread(model.policy, kind.spread, network.log_std_init)
    if network.start_at_advice and training.env.get("advice"):
        _start_at_nothing(model.policy, kind.actor, kind.head, training)
    return model


def only_value(model: Any, training: Training, alone: bool) -> None:
    """Hold the policy of an actor-critic still, so that the value or Q functions learn alone, or let go of it."""
    kind = kind_of(training.algorithm)
    parts = [model.policy.get_submodule(name) for name in (*kind.actor, kind.spread) if name]
    tensors = [tensor for part in parts for tensor in part.parameters()]
    spread = getattr(model.policy, "log_std", None)
    for tensor in [*tensors, *([spread] if isinstance(spread, nn.Parameter) else [])]:
        tensor.requires_grad_(not alone)


def _start_spread(policy: nn.Module, name: str, log_std: float) -> None:
    """Make a layer that puts out the logarithm of the spread put out one number at first; SAC draws with e^0 otherwise."""
    if name:
        layer = policy.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        nn.init.zeros_(layer.weight)
        nn.init.constant_(layer.bias, log_std)


def _start_at_nothing(policy: nn.Module, actor: tuple[str, str], head: str, training: Training) -> None:
    """Make the last layer of the actor put out 0, or prefer the middle level, so that the policy begins with what is advised."""
    value: Any = getattr(policy, "value_net", None)
    if isinstance(value, nn.Linear):
        nn.init.zeros_(value.weight)
    last = policy.get_submodule(actor[1]) if actor[1] else _linears(policy.get_submodule(actor[0]))[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.mul_(0.0)
        last.bias.zero_()
        if head == "levels":
            last.bias.copy_(torch.as_tensor(_favoured(int(training.env["levels"]), training.network.log_std_init)))


def _favoured(levels: int, log_std: float) -> NDArray[np.float32]:
    """Return outputs whose chances lie about the level in the middle as a normal distribution, about the first of consent.

    Neighbours are nearly as likely then as the middle, so a small change of the outputs makes another level the likeliest, while
    what is drawn strays no further than numbers of the same spread. Further than e^-RARE of the first no level is.
    """
    from ...envs.spaces import level_numbers

    numbers = level_numbers(levels)
    counts = np.isfinite(numbers).sum(axis=1)
    middle = numbers[np.arange(len(numbers)), (counts - 1) // 2]
    outputs = np.maximum(-0.5 * ((numbers - middle[:, None]) / np.exp(log_std)) ** 2, -RARE)
    return outputs[np.isfinite(numbers)].astype(np.float32)


# ---- arrays ----------------------------------------------------------------------------------------------------------
def to_policy(
    model: Any, training: Training, worlds: Worlds, *, name: str, env: str, seed: int, made_by: str = "", **more: Any
) -> Policy:
    """Return the policy of a model as plain arrays.

    Args:
        model: of stable-baselines3.
        training: with which it was trained.
        worlds: in which it was trained.
        name: as a strategy; env: id; seed, made_by: how it was made.
        more: further entries of its card.
    """
    kind, config = kind_of(training.algorithm), worlds.config
    layers = linear_layers(model.policy, kind.actor)
    sizes = (layers[0].in_features, *(int(layer.out_features) for layer in layers))
    low_high = worlds.engine.compiled.bounds
    fixed = fixed_decisions(config, config.choice)
    advice, advised_with = (None, {}) if config.advice is None else adviser(config.advice)
    card = Card(
        layout_hash=layout_hash(), layout_version=LAYOUT_VERSION, name=name, algorithm=training.algorithm, env=env, seed=seed,
        steps=int(model.num_timesteps), made_by=made_by, settings=plain_settings(config), advice=advice,
        advice_parameters=advised_with, reach=tuple(float(x) for x in worlds.reach), steer_eur_per_mwh=config.steer_eur_per_mwh,
        mask_seen=config.mask_seen, head=kind.head, levels=config.levels,
        activation=training.network.activation, sizes=sizes, bounds=(tuple(low_high[0].tolist()), tuple(low_high[1].tolist())),
        prices=tuple(tuple(row) for row in price_table(worlds.engine.compiled).tolist()),
        fixed={n: float(x) for n, x in zip(ACTION_LAYOUT.names, fixed, strict=True) if not np.isnan(x)},
        versions={"stacking": __version__, **{package: version(package) for package in PACKAGES}}, **more,
    )  # fmt: skip
    weights = np.concatenate([layer.weight.detach().numpy().T.reshape(-1) for layer in layers])
    biases = np.concatenate([layer.bias.detach().numpy() for layer in layers])
    return Policy(card, weights.astype(np.float32), biases.astype(np.float32))


def linear_layers(policy: nn.Module, actor: tuple[str, str]) -> list[nn.Linear]:
    """Return the layers of an actor in order.

    Raises:
        StackingError: if there is anything between them that is no activation.
    """
    body = policy.get_submodule(actor[0])
    layers = _linears(body)
    if actor[1]:
        layers += _linears(policy.get_submodule(actor[1]))
    other = [m for m in body.modules() if not isinstance(m, nn.Linear | nn.Sequential | nn.Tanh | nn.ReLU)]
    if other:
        raise StackingError("The network of the policy has a layer that cannot be exported.", key="layer",
                            value=type(other[0]).__name__, allowed="linear layers with tanh or ReLU")  # fmt: skip
    return layers


def _linears(module: nn.Module) -> list[nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


def adviser(spec: str) -> tuple[str, dict[str, float]]:
    """Return how an adviser can be made again: its name, or FILE.py:Class, and the numbers with which it decides."""
    strategy = named_strategy(spec)
    return spec if ":" in spec else strategy.name, values_of(strategy)


def plain_settings(config: EnvConfig) -> dict[str, Any]:
    """Return the settings of an environment that were given and that JSON can hold, objects as their kind.

    Adviser and baseline are left out: the card has the former with its numbers, the latter is no part of what was learned.
    """
    given = {key: getattr(config, key) for key in config.model_fields_set if key not in ("advice", "reward_baseline")}
    return {key: _plain(value) for key, value in sorted(given.items())}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else type(value).__name__
