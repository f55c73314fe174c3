"""The F-statistic loss: an embedding that separates any two classes in a few dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.optim import Adam

from ..checks import check_size
from ..data.batches import Batch, Groups
from ..distributions import Point
from ..functional import log_f_cdf
from ..nets import Architecture, default_architecture
from .loss import Loss
from .method import Context, MakeOptimizer, Method, Moves, Observations, Player

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["FStatistic"]


class FStatistic(Method):
    r"""An embedding network that separates the classes of every factor, without reconstruction.

    For two classes :math:`\alpha, \beta` with :math:`n_\alpha, n_\beta` examples each, and
    dimension j of their codes, an analysis of variance has the statistic

    .. math::
        s_j = (n - 2) \,
        \frac{\sum_{k \in \{\alpha, \beta\}} n_k (\bar z_{kj} - \bar z_j)^2}
        {\sum_{k \in \{\alpha, \beta\}} \sum_i (z_{kij} - \bar z_{kj})^2}, \qquad
        n = n_\alpha + n_\beta

    which follows F(1, n - 2) if the classes have equal means. The loss asks for separation in the
    d dimensions where there is most of it, and leaves the others to other factors:

    .. math::
        \mathcal{L} = - \sum_{\alpha, \beta} \; \sum_{j \in \mathrm{top}_d}
        \log \Pr(S < s_j), \qquad S \sim F(1, n - 2)

    A batch is made of groups, each of a class of some factor; those of the same factor and of
    different classes are compared. A group of one has no variance: it is compared with groups of
    two and more only.

    Args:
        encoder: ``x -> (B, latent_dim)``.
        dimensions: d, how many dimensions must separate a pair of classes.
        label: Name of the factor whose values are the classes; ``None`` for the classes of all
            factors, one factor at random for each group.
        group_size: Examples in a group of the default sampler, or the least and the most.
        optimizer: Called with the parameters.

    Raises:
        ValueError: for ``dimensions`` below 1, and at the first batch for more than there are, or
            for groups of one only.

    References:
        Ridgeway, Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", 2018,
        https://arxiv.org/abs/1802.05312, section 2.

    Deviations:
        The mean over pairs of classes in place of their sum; the classes of all factors are in
        one batch, where the authors' code takes the factors in turn. Sums of squares are kept
        above the smallest float, where their code clips probabilities at 1 - 1e-5.

    Example:
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(40, 7), torch.arange(40) % 4, ["kind"])
        >>> FStatistic.build(data, latent_dim=3).represent(torch.rand(5, 7)).mean.shape
        torch.Size([5, 3])
    """

    supervision = Groups
    without_covariates = "an embedding is of observations alone"

    def __init__(
        self,
        encoder: nn.Module,
        *,
        dimensions: int = 2,
        label: str | None = None,
        group_size: int | tuple[int, int] = 5,
        optimizer: MakeOptimizer = partial(Adam, lr=2e-4, fused=True),
    ) -> None:
        super().__init__()
        check_size("dimensions", dimensions)
        self.encoder, self.dimensions = encoder, dimensions
        self.label, self.group_size, self.optimizer = label, group_size, optimizer

    @classmethod
    def parts(  # type: ignore[override]
        cls, data: FactorDataset, latent_dim: int = 10, *, net: Architecture | None = None
    ) -> dict[str, object]:
        """An encoder that fits the data.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions.
            net: The architecture, of which the encoder is taken.
        """
        net = default_architecture(data.shape) if net is None else net
        return {"encoder": net.encoder(data.shape, latent_dim)}

    def sampler(self) -> Sampler:
        """Groups of examples of a class."""
        from ..data import GroupsSampler

        return GroupsSampler(self.group_size, shared=self.label)

    def players(self) -> Mapping[str, Player]:
        """One: the encoder."""
        return {"embedding": Player((self.encoder,), self.optimizer)}

    def represent(self, batch: Batch | Observations) -> Distribution:
        """The embedding, a point."""
        return Point(self.encoder(Batch.of(batch).x))

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: the separation of all pairs of classes."""
        codes = self.encoder(batch.tensor.flatten(0, 1)).unflatten(0, batch.tensor.shape[:2])
        codes = codes.float() if codes.dtype.itemsize < 4 else codes
        separation, compared = self.separation(codes, batch)
        weight = compared / compared.sum().clamp(min=1) * compared.numel()
        yield {"embedding": Loss(separation=separation * weight)}

    def separation(self, codes: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """For every pair of groups its loss, and whether it is a pair of classes to compare.

        Shape: ``codes`` ``(B, G, D)``; both results ``(B (B - 1) / 2,)``, the second of 0 and 1.
        """
        batch = Groups.check(batch)
        groups, size, dim = codes.shape
        if size < 2:
            raise ValueError(
                "the groups have one member: the F statistic needs two or more of each class, to "
                "compare the difference of classes with the differences within them"
            )
        if self.dimensions > dim:
            raise ValueError(
                f"dimensions is {self.dimensions}, but the code has {dim}: classes cannot be "
                "separated in more dimensions than there are"
            )
        there = torch.ones_like(codes[..., :1])
        if batch.present is not None:
            there = batch.present.unsqueeze(-1).to(codes.dtype)
        n = there.sum(1)
        mean = (there * codes).sum(1) / n
        within = (there * (codes - mean.unsqueeze(1)) ** 2).sum(1)
        i, j = torch.triu_indices(groups, groups, 1, device=codes.device)
        between = n[i] * n[j] / (n[i] + n[j]) * (mean[i] - mean[j]) ** 2
        freedom = n[i] + n[j] - 2
        one = torch.ones_like(freedom)
        log_p = log_f_cdf(between, within[i] + within[j], one, freedom.clamp(min=1))
        separation = -log_p.topk(self.dimensions, dim=1).values.sum(1)
        compared = (batch.classes[i] != batch.classes[j]) & (freedom.squeeze(1) > 0)
        compared = compared & (batch.shared[i] == batch.shared[j]).all(1)
        return separation, compared.to(codes.dtype)
