"""Two-sample test by a kernel: whether two samples are of one distribution."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_size
from ..functional import squared_distances
from .estimates import Finding

__all__ = ["TwoSample", "two_sample"]

_BANDWIDTHS = (0.05, 0.25, 1.0)  # of the median squared distance


@dataclass(frozen=True, repr=False)
class TwoSample(Finding):
    """Whether two samples are of one distribution.

    Attributes:
        mmd: The squared maximum mean discrepancy, unbiased.
        p_value: The share of random divisions of all points with as large a discrepancy.
        points: Of each sample.
    """

    mmd: float
    p_value: float
    points: tuple[int, int]

    def __str__(self) -> str:
        return f"MMD^2 {self.mmd:.2g}, p = {self.p_value:.2g} ({self.points[0]} points each)"


@torch.no_grad()
def two_sample(x: Tensor, y: Tensor, *, permutations: int = 200, seed: int = 0) -> TwoSample:
    """A kernel two-sample test by permutations, with bandwidths about the median distance.

    Args:
        x: ``(N, ...)``.
        y: ``(M, ...)``.
        permutations: Random divisions.
        seed: Of the divisions.

    Raises:
        ValueError: for fewer than two points of either.

    References:
        Gretton et al., "A Kernel Two-Sample Test", 2012,
        https://jmlr.org/papers/v13/gretton12a.html

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> x, y = torch.randn(2, 100, 3, generator=g)
        >>> two_sample(x, y).p_value > 0.05, two_sample(x, y + 1).p_value < 0.01
        (True, True)
    """
    check_size("permutations", permutations)
    n, m = len(x), len(y)
    if min(n, m) < 2:
        raise ValueError(f"the samples have {n} and {m} points; expected at least 2 each")
    both = torch.cat([x.flatten(1), y.flatten(1)]).double()
    squares = torch.cdist(both, both) if both.shape[1] > 64 else None
    squares = squared_distances(both, both) if squares is None else squares**2
    squares = squares / squares[squares > 0].median().clamp(min=1e-12)
    kernel = torch.stack([torch.exp(-squares / h) for h in _BANDWIDTHS]).mean(0)
    kernel.fill_diagonal_(0)
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.arange(n + m)]
    orders += [torch.randperm(n + m, generator=generator) for _ in range(permutations)]
    signs = torch.zeros(len(orders), n + m, dtype=torch.float64)
    for row, order in enumerate(orders):
        signs[row, order[:n]] = 1.0
    # sums of kernels within the first part, within the second, and between them
    first = ((signs @ kernel) * signs).sum(1)
    second = (((1 - signs) @ kernel) * (1 - signs)).sum(1)
    between = ((signs @ kernel) * (1 - signs)).sum(1)
    values = first / (n * (n - 1)) + second / (m * (m - 1)) - 2 * between / (n * m)
    p = (1 + (values[1:] >= values[0]).sum().item()) / (1 + permutations)
    return TwoSample(values[0].item(), p, (n, m))
