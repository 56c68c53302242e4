"""Policies that leave closed decisions out: the mask stands in the last columns of the observation (`mask_seen`).

A decision that is closed changes nothing. Counted in the probability of an action it is noise in every gradient, so its
log-probability and its entropy are left out (as invalid actions are in Huang and Ontanon, A closer look at invalid action masking
in policy gradient algorithms, 2020, arXiv:2006.14171).
"""

from __future__ import annotations

from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from stable_baselines3.common.distributions import (  # pyright: ignore[reportMissingImports]
    DiagGaussianDistribution,
    SquashedDiagGaussianDistribution,
)
from stable_baselines3.common.policies import ActorCriticPolicy  # pyright: ignore[reportMissingImports]
from stable_baselines3.sac.policies import Actor, SACPolicy  # pyright: ignore[reportMissingImports]

from stacking.layout import ACTIONS_W

EPSILON = 1e-6  # as in SB3: log(1 - tanh^2 + epsilon)


def mask_of(observation: torch.Tensor) -> torch.Tensor:
    """Return which decisions are open, (n, ACTIONS_W) of 0 and 1."""
    return observation[:, -ACTIONS_W:]


class MaskedGaussian(DiagGaussianDistribution):
    """A normal distribution of the open decisions; the closed ones are drawn, and count for nothing."""

    mask: torch.Tensor

    def log_prob(self, actions: torch.Tensor) -> torch.Tensor:
        """Return the sum of the log-densities of the open decisions, (n,)."""
        return (self.distribution.log_prob(actions) * self.mask).sum(dim=1)

    def entropy(self) -> torch.Tensor:
        """Return the entropy of the open decisions, (n,)."""
        return (self.distribution.entropy() * self.mask).sum(dim=1)


class MaskedActorCritic(ActorCriticPolicy):
    """The policy of PPO, A2C and TRPO."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.action_dist = MaskedGaussian(ACTIONS_W)
        self._mask = torch.ones(1, ACTIONS_W)

    def extract_features(self, obs: Any, *arguments: Any, **keywords: Any) -> Any:
        """Keep the mask of the observations whose features are asked for."""
        self._mask = mask_of(obs)
        return super().extract_features(obs, *arguments, **keywords)

    def get_distribution(self, obs: Any) -> Any:
        """Return the distribution of the decisions for observations."""
        self._mask = mask_of(obs)
        return super().get_distribution(obs)

    def _get_action_dist_from_latent(self, latent_pi: torch.Tensor) -> Any:
        distribution = super()._get_action_dist_from_latent(latent_pi)
        assert isinstance(distribution, MaskedGaussian)
        distribution.mask = self._mask
        return distribution


class MaskedSquashed(SquashedDiagGaussianDistribution):
    """A squashed normal distribution of the open decisions; the closed ones are 0."""

    mask: torch.Tensor

    def log_prob(self, actions: torch.Tensor, gaussian_actions: torch.Tensor | None = None) -> torch.Tensor:
        """Return the sum of the log-densities of the open decisions, (n,)."""
        plain = self.gaussian_actions if gaussian_actions is None else gaussian_actions
        assert plain is not None
        each = self.distribution.log_prob(plain) - torch.log(1.0 - torch.tanh(plain) ** 2 + EPSILON)
        return (each * self.mask).sum(dim=1)

    def actions_from_params(self, mean_actions: torch.Tensor, log_std: torch.Tensor, deterministic: bool = False) -> torch.Tensor:
        """Return drawn decisions, or the likeliest: what is stored for the Q functions is 0 where they are asked with 0."""
        return super().actions_from_params(mean_actions, log_std, deterministic) * self.mask


class MaskedActor(Actor):
    """The actor of SAC."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.action_dist = MaskedSquashed(ACTIONS_W)  # type: ignore[assignment]

    def get_action_dist_params(self, obs: Any) -> Any:
        """Keep the mask of the observations, and return mean and spread."""
        self.action_dist.mask = mask_of(obs)  # type: ignore[attr-defined]
        return super().get_action_dist_params(obs)


class MaskedSac(SACPolicy):
    """The policy of SAC."""

    def make_actor(self, features_extractor: Any = None) -> MaskedActor:
        """Return the actor."""
        keywords = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return MaskedActor(**keywords).to(self.device)
