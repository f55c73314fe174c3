"""Interface of priors with components, and k-means to start them from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor
from torch.distributions import Distribution, MixtureSameFamily

from .base import Prior

__all__ = ["ClusteredPrior", "kmeans", "one_of"]


class ClusteredPrior(Prior):
    r"""A prior with K components, :math:`p(z) = \sum_k \pi_k \, p_k(z)`: each is a cluster."""

    @abstractmethod
    def log_joint(self, z: Tensor) -> Tensor:
        r"""Log densities of codes with each component, :math:`\log \pi_k p_k(z)`.

        Shape: ``(B, D)`` to ``(B, K)``.
        """

    @abstractmethod
    def components(self) -> tuple[Tensor, Tensor]:
        """Weights ``(K,)``, which sum to one, and means ``(K, D)``."""

    def each(self) -> Distribution:
        """The components :math:`p_k(z)`, batch shape ``(K,)``."""
        return cast(MixtureSameFamily, self()).component_distribution

    def conditions(self) -> dict[str, int]:
        """``component``, from 0 to K - 1."""
        return {"component": len(self.components()[0])}

    def sample_given(self, n: int, condition: Mapping[str, int]) -> Tensor:
        """Codes ``(n, D)`` of one component, or of the mixture."""
        if "component" not in condition:
            return super().sample_given(n, condition)
        return self.each().sample((n,))[:, condition["component"]]

    def responsibilities(self, z: Tensor) -> Tensor:
        r"""Soft assignments :math:`p(k | z) \propto \pi_k p_k(z)`.

        Shape: ``(B, D)`` to ``(B, K)``; rows sum to one.
        """
        return self.log_joint(z).softmax(-1)

    def usage(self, z: Tensor) -> Tensor:
        """The share of codes ``(B, D)`` that each component is responsible for, ``(K,)``."""
        return self.responsibilities(z).mean(0)

    def effective_components(self, z: Tensor) -> float:
        r"""How many components the codes use: :math:`e^{H(u)}` of the shares u in `usage`.

        K if all are used alike, one if a single component is responsible for everything.
        """
        return float(torch.special.entr(self.usage(z).detach()).sum().exp())

    def dead(self, z: Tensor, share: float = 0.1) -> list[int]:
        """Components that the codes hardly use: less than ``share`` of an equal part, 1/K."""
        usage = self.usage(z)
        return [k for k, used in enumerate(usage.tolist()) if used * len(usage) < share]


def kmeans(codes: Tensor, clusters: int) -> tuple[Tensor, Tensor]:
    """Labels ``(N,)`` and centers ``(K, D)`` by k-means, seeded by torch's global generator."""
    from sklearn.cluster import KMeans

    # scikit-learn has a generator of its own: seeded from torch's, so that a run repeats.
    seed = int(torch.randint(2**31, ()))
    fit = KMeans(clusters, n_init=10, random_state=seed).fit(codes.detach().cpu().double())
    labels = torch.from_numpy(fit.labels_).long().to(codes.device)
    return labels, torch.from_numpy(fit.cluster_centers_).to(codes)


def one_of(name: str, value: str, words: Sequence[str]) -> None:
    """Refuses a word that is not one of those there are.

    Raises:
        ValueError: naming them.
    """
    if value not in words:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, words))}")
