"""Kullback-Leibler divergences that torch does not register."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal, register_kl

__all__ = ["full_to_diagonal"]


@register_kl(MultivariateNormal, Independent)
def full_to_diagonal(q: MultivariateNormal, p: Independent) -> Tensor:
    r"""KL of a full-covariance Gaussian from a diagonal one.

    .. math::
        \tfrac12 \sum_j \Big[ \frac{\Sigma_{jj} + (m_j - \mu_j)^2}{s_j^2} - 1
        + \log s_j^2 \Big] - \sum_j \log L_{jj}, \qquad \Sigma = L L^\top

    Raises:
        NotImplementedError: if ``p`` is not made of normals.
    """
    if not (isinstance(p.base_dist, Normal) and p.reinterpreted_batch_ndims == 1):
        raise NotImplementedError(f"no closed form for {type(q).__name__} and {p}")
    loc, scale = p.base_dist.loc, p.base_dist.scale
    spread = (q.variance + (q.loc - loc) ** 2) / scale**2
    log_det = torch.diagonal(q.scale_tril, dim1=-2, dim2=-1).log().sum(-1)
    return 0.5 * (spread - 1 + 2 * scale.log()).sum(-1) - log_det
