"""Gaussian-mixture prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import (
    Categorical,
    Distribution,
    MixtureSameFamily,
    MultivariateNormal,
)

from ...checks import check_scale, check_size
from ..gaussians import diagonal_normal
from .clustered import ClusteredPrior, kmeans, one_of

__all__ = ["GaussianMixture"]


class GaussianMixture(ClusteredPrior):
    r"""A mixture of Gaussians whose weights, means and covariances are learned.

    .. math::
        p(z) = \sum_{k=1}^K \pi_k \, \mathcal{N}(z; \mu_k, \Sigma_k), \qquad
        \Sigma_k = \mathrm{diag}(\sigma_k^2) \;\text{ or }\; L_k L_k^\top

    The density is computed by log-sum-exp. With one component of mean 0 and scale 1 it is the
    standard normal.

    Args:
        latent_dim: :math:`D`.
        components: :math:`K`.
        spread: Standard deviation of the initial means around 0; with 0 all components would stay
            alike for ever.
        covariance: ``"diagonal"``, or ``"full"``, by Cholesky factors.
        init: ``"random"`` means; or at the start of training ``"data"``, codes of examples drawn
            at random for means and the codes' standard deviation for every scale; or
            ``"kmeans"``, weights, means and covariances of the codes' k-means clusters. An
            encoder that has learned nothing yet gives codes with few clusters: see `VaDE`, which
            trains it first.
        weights: ``"trainable"``, or ``"fixed"`` at 1/K.

    Raises:
        ValueError: for fewer than one component, or a word that is not among those named.

    Example:
        >>> prior = GaussianMixture(2, components=3, covariance="full")
        >>> prior.responsibilities(torch.zeros(5, 2)).sum(1).round(decimals=5).tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0]
    """

    logits: Tensor

    def __init__(
        self,
        latent_dim: int,
        components: int = 10,
        spread: float = 1.0,
        *,
        covariance: Literal["diagonal", "full"] = "diagonal",
        init: Literal["random", "data", "kmeans"] = "random",
        weights: Literal["trainable", "fixed"] = "trainable",
    ) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture has at least 1 component, got components={components}")
        check_size("latent_dim", latent_dim)
        check_size("components", components)
        check_scale("spread", spread, zero=True)
        one_of("covariance", covariance, ("diagonal", "full"))
        one_of("init", init, ("random", "data", "kmeans"))
        one_of("weights", weights, ("trainable", "fixed"))
        self.covariance, self.init, self.weights = covariance, init, weights
        if weights == "trainable":
            self.logits = nn.Parameter(torch.zeros(components))
        else:
            self.register_buffer("logits", torch.zeros(components))
        self.loc = nn.Parameter(spread * torch.randn(components, latent_dim))
        self.log_scale = nn.Parameter(torch.zeros(components, latent_dim))
        below = latent_dim * (latent_dim - 1) // 2
        full = covariance == "full" and below > 0
        self.below = nn.Parameter(torch.zeros(components, below)) if full else None

    def forward(self) -> MixtureSameFamily:
        """The mixture."""
        weights = Categorical(logits=self.logits, validate_args=False)
        return MixtureSameFamily(weights, self.gaussians(), validate_args=False)

    def gaussians(self, which: Tensor | None = None) -> Distribution:
        """The components, batch shape ``(K,)``, or those of given numbers ``(B,)``."""
        rows = slice(None) if which is None else which
        if self.below is None:
            return diagonal_normal(self.loc[rows], self.log_scale[rows].exp())
        factor = self._factor()[rows]
        return MultivariateNormal(self.loc[rows], scale_tril=factor, validate_args=False)

    def log_joint(self, z: Tensor) -> Tensor:
        """See `ClusteredPrior`."""
        return self.gaussians().log_prob(z.unsqueeze(-2)) + self.logits.log_softmax(-1)

    def components(self) -> tuple[Tensor, Tensor]:
        """See `ClusteredPrior`."""
        return self.logits.softmax(-1), self.loc

    @property
    def starts(self) -> bool:
        """Whether the means wait for codes."""
        return self.init != "random"

    @torch.no_grad()
    def start(self, codes: Tensor) -> None:
        """Puts the components where the codes are, as ``init`` says.

        Raises:
            ValueError: for fewer codes than components.
        """
        k = len(self.loc)
        if len(codes) < k:
            raise ValueError(f"{k} components cannot start from {len(codes)} codes")
        if self.init == "data":
            self.loc.copy_(codes[torch.randperm(len(codes))[:k].to(codes.device)])
            self.log_scale.copy_(codes.std(0).clamp(min=1e-3).log().expand_as(self.loc))
            if self.below is not None:
                self.below.zero_()
        elif self.init == "kmeans":
            labels, _ = kmeans(codes, k)
            self.fit(codes, torch.eye(k, dtype=codes.dtype, device=codes.device)[labels])

    @torch.no_grad()
    def fit(self, codes: Tensor, assigned: Tensor, floor: float = 1e-6) -> None:
        """Sets weights, means and covariances to those of softly assigned codes.

        Args:
            codes: ``(N, D)``.
            assigned: Shares of each code, ``(N, K)``; rows sum to one.
            floor: Added to variances, relative to the codes' own, so that none vanishes.
        """
        share = assigned.sum(0).clamp(min=1e-3)
        loc = (assigned.mT @ codes) / share[:, None]
        centered = codes - loc[:, None]  # (K, N, D)
        ridge = floor * codes.var(0).clamp(min=1e-8)
        self.loc.copy_(loc)
        if self.weights == "trainable":
            self.logits.copy_((share / share.sum()).log())
        if self.below is None:
            variance = torch.einsum("nk,knd->kd", assigned, centered**2) / share[:, None]
            self.log_scale.copy_(0.5 * (variance + ridge).log())
            return
        spread = torch.einsum("nk,kni,knj->kij", assigned, centered, centered)
        spread = spread / share[:, None, None] + torch.diag_embed(ridge)
        factor = torch.linalg.cholesky(spread)
        dim = codes.shape[1]
        rows, columns = torch.tril_indices(dim, dim, -1, device=codes.device)
        self.log_scale.copy_(torch.diagonal(factor, dim1=-2, dim2=-1).log())
        self.below.copy_(factor[:, rows, columns])

    @torch.no_grad()
    def overlap(self) -> Tensor:
        r"""How alike two components are, ``(K, K)`` from 0 to 1: Bhattacharyya's coefficient.

        .. math::
            \int \sqrt{p_a p_b} = e^{-\frac18 d^\top \Sigma^{-1} d}
            \Big( \frac{|\Sigma_a|^{1/2} |\Sigma_b|^{1/2}}{|\Sigma|} \Big)^{1/2}, \qquad
            \Sigma = \tfrac12 (\Sigma_a + \Sigma_b), \; d = \mu_a - \mu_b
        """
        factor = self._factor()
        sigma = factor @ factor.mT
        middle = torch.linalg.cholesky((sigma[:, None] + sigma[None]) / 2)
        apart = (self.loc[:, None] - self.loc[None]).unsqueeze(-1)
        distance = torch.linalg.solve_triangular(middle, apart, upper=False).square().sum((-2, -1))
        half = self.log_scale.sum(-1)  # log |Sigma_k|^(1/2)
        volume = torch.diagonal(middle, dim1=-2, dim2=-1).log().sum(-1)
        return (0.5 * (half[:, None] + half[None]) - volume - distance / 8).exp()

    def duplicates(self, threshold: float = 0.9) -> list[tuple[int, ...]]:
        """Groups of components that are nearly the same, by `overlap`; each could be one."""
        from scipy.sparse.csgraph import connected_components

        _, group = connected_components((self.overlap() >= threshold).cpu().numpy())
        members_of: dict[int, list[int]] = {}
        for k, g in enumerate(group.tolist()):
            members_of.setdefault(g, []).append(k)
        return [tuple(members) for members in members_of.values() if len(members) > 1]

    @torch.no_grad()
    def merged(self, groups: Sequence[Sequence[int]]) -> GaussianMixture:
        """A smaller mixture, in which each group is the one Gaussian of its mean and covariance.

        Args:
            groups: Components to make one of, such as `duplicates` returns; the others are kept,
                in their order, and a group stands where its first component stood.

        Raises:
            ValueError: if a component is in two groups, or there is no such component.
        """
        k, dim = self.loc.shape
        members = [c for group in groups for c in group]
        if len(set(members)) < len(members) or not set(members) <= set(range(k)):
            raise ValueError(f"groups {groups!r} must name components 0 to {k - 1}, each once")
        whole = [tuple(g) for g in groups] + [(c,) for c in range(k) if c not in members]
        whole.sort(key=min)
        weights, factor = self.logits.softmax(-1), self._factor()
        mixture = GaussianMixture(dim, len(whole), covariance=self.covariance).to(self.loc)
        for j, group in enumerate(whole):
            rows = list(group)
            # Moment matching: the Gaussian of the group's mean and covariance.
            share = weights[rows] / weights[rows].sum()
            loc = share @ self.loc[rows]
            apart = self.loc[rows] - loc
            sigma = torch.einsum("k,kij->ij", share, factor[rows] @ factor[rows].mT)
            sigma = sigma + torch.einsum("k,ki,kj->ij", share, apart, apart)
            mixture.logits[j] = weights[rows].sum().log()
            mixture.loc[j] = loc
            if mixture.below is None:
                mixture.log_scale[j] = 0.5 * sigma.diagonal().log()
            else:
                root = torch.linalg.cholesky(sigma)
                below = torch.tril_indices(dim, dim, -1, device=loc.device)
                mixture.log_scale[j] = root.diagonal().log()
                mixture.below[j] = root[below[0], below[1]]
        return mixture

    def _factor(self) -> Tensor:
        """Cholesky factors, ``(K, D, D)``."""
        factor = torch.diag_embed(self.log_scale.exp())
        if self.below is None:
            return factor
        k, dim = self.loc.shape
        rows, columns = torch.tril_indices(dim, dim, -1, device=factor.device)
        which = torch.arange(k, device=factor.device)[:, None]
        return factor.index_put((which, rows, columns), self.below)
