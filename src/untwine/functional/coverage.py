"""Density and coverage of samples: fidelity and mode coverage by nearest neighbors."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["density_and_coverage"]


def density_and_coverage(real: Tensor, fake: Tensor, neighbors: int = 5) -> tuple[Tensor, Tensor]:
    r"""How well samples lie among real examples, and how many of these they are near to.

    .. math::
        \text{density} = \frac{1}{kM} \sum_{j=1}^M \sum_{i=1}^N
        1\big[y_j \in B(x_i)\big], \qquad
        \text{coverage} = \frac1N \sum_{i=1}^N 1\big[\exists j: y_j \in B(x_i)\big]

    where :math:`B(x_i)` is the ball around a real example that reaches to the k-th nearest other
    one. Samples of the real distribution have a density of 1 on average, and a coverage of

    .. math::
        1 - \frac{(N - 1) \cdots (N - k)}{(N + M - 1) \cdots (N + M - k)} .

    Modes that are not generated lower the coverage and not the density.

    Args:
        real: Examples, :math:`x`.
        fake: Samples, :math:`y`.
        neighbors: k.

    Shape: ``(N, ...)`` and ``(M, ...)``, flattened; two scalars.

    Raises:
        ValueError: for fewer than k + 1 real examples.

    References:
        Naeem, Oh, Uh, Choi, Yoo, "Reliable Fidelity and Diversity Metrics for Generative Models",
        2020, https://arxiv.org/abs/2002.09797, equations 4, 5 and 8.

    Example:
        >>> real = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
        >>> [float(v) for v in density_and_coverage(real, torch.tensor([[0.4], [0.6]]), 1)]
        [2.0, 0.5]
    """
    if len(real) <= neighbors:
        raise ValueError(
            f"there are {len(real)} real examples; expected more than neighbors, {neighbors}"
        )
    real, fake = real.flatten(1), fake.flatten(1).to(real.dtype)
    radius = torch.cdist(real, real).kthvalue(neighbors + 1, dim=1).values
    inside = torch.cdist(real, fake) < radius[:, None]
    density = inside.to(real.dtype).sum(0).mean() / neighbors
    return density, inside.any(1).to(real.dtype).mean()
