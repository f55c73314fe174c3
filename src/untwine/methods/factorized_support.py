r"""Factorized support: a penalty on combinations of code values that the batch does not have."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..checks import check_size
from ..functional import Schedule, at
from .loss import Loss
from .method import Context
from .penalty import Penalty, Terms, Trace

__all__ = ["FactorizedSupport", "hausdorff_factorization", "lacking_spread"]


class FactorizedSupport(Penalty):
    r"""The Hausdorff distance between the support of pairs of dimensions and its factorization.

    .. math::
        \gamma \sum_{i < j} \max_{z \in z_{:,i} \times z_{:,j}} \, \min_{z' \in z_{:,(i,j)}}
        \| z - z' \|^2 + \delta \sum_j \max\!\big(0, 1 - \sqrt{\mathrm{Var}[z_j] + \epsilon}\big)

    over the posterior means of a batch. Correlated factors may stay correlated: every combination
    of values must be possible, and need not be as likely. The second term keeps codes from
    shrinking, which the first one rewards. Added to others: ``KL() + FactorizedSupport()``.

    Args:
        weight: :math:`\gamma`.
        spread: :math:`\delta`.
        points: Combinations that are drawn for each pair; ``None`` for all of the batch's.
        scale: ``"batch"``: the variance of each dimension over the batch; ``"released"``: that of
            each example over its dimensions, as in the authors' code, which does not say how far a
            dimension reaches.

    References:
        Disentanglement of Correlated Factors via Hausdorff Factorized Support, Roth, Ibrahim,
        Akata, Vincent, Bouchacourt, 2023, https://arxiv.org/abs/2210.07347, and the code released
        with it.

    Deviations:
        All pairs of dimensions instead of 25 at random, and the variance over the batch.

    Example:
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import KL, VAE
        >>> data = FactorDataset.from_arrays(torch.rand(50, 7))
        >>> method = VAE.build(data, 3, penalty=KL() + FactorizedSupport(10.0))
        >>> method.model.latent_dim
        3
    """

    def __init__(
        self,
        weight: float | Schedule = 1.0,
        spread: float | Schedule = 1.0,
        points: int | None = 100,
        scale: Literal["batch", "released"] = "batch",
    ) -> None:
        if scale not in ("batch", "released"):
            raise ValueError(f"scale is {scale!r}; expected 'batch' or 'released'")
        if points is not None:
            check_size("points", points)
        self.weight, self.spread, self.points, self.scale = weight, spread, points, scale

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """Two terms, ``factorized_support`` and ``spread``, in squared units of the code."""
        z, axis = t.q.mean, 0 if self.scale == "batch" else 1
        return Loss(
            factorized_support=(at(self.weight, ctx.step), hausdorff_factorization(z, self.points)),
            spread=(at(self.spread, ctx.step), lacking_spread(z, axis)),
        )


def hausdorff_factorization(z: Tensor, points: int | None = None) -> Tensor:
    r"""The sum over pairs of dimensions of the largest squared distance to a code of the batch.

    Args:
        z: Codes.
        points: Combinations that are drawn for each pair; ``None`` for all.

    Shape:
        - z: ``(B, D)``; output: scalar.

    Example:
        >>> grid = torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0))
        >>> hausdorff_factorization(grid).item(), hausdorff_factorization(grid[::4]).item()
        (0.0, 2.0)
    """
    count, dim = z.shape
    i, j = torch.triu_indices(dim, dim, 1, device=z.device)
    pairs = torch.stack([z[:, i], z[:, j]], dim=-1)  # (B, P, 2)
    if points is None:
        row = torch.arange(count, device=z.device)
        rows = torch.cartesian_prod(row, row)
        combined = torch.stack([pairs[rows[:, 0], :, 0], pairs[rows[:, 1], :, 1]], dim=-1)
    else:
        rows = torch.randint(count, (points, len(i), 2), device=z.device)
        combined = pairs.gather(0, rows)
    distances = (combined[:, None] - pairs[None]).square().sum(-1)
    return distances.amin(1).amax(0).sum()


def lacking_spread(z: Tensor, axis: int = 0, epsilon: float = 1e-6) -> Tensor:
    r"""How far standard deviations along an axis are below 1, in sum.

    Shape:
        - z: ``(B, D)``; output: scalar.

    Example:
        >>> z = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
        >>> round(lacking_spread(z).item(), 3)
        0.999
    """
    return torch.relu(1 - torch.sqrt(z.var(dim=axis) + epsilon)).sum()
