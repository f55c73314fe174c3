"""Penalties of the decoder's Jacobian: its columns' cosines, and what they cost a posterior."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..checks import check_scale, check_size
from ..functional import (
    Schedule,
    at,
    fisher_information,
    gram,
    orthogonal_jacobian,
    parameters_of,
    seam_gap,
)
from .loss import Loss
from .method import Context
from .penalty import OfPart, Penalty, Terms, Trace

__all__ = ["OrthogonalJacobian", "SeamGap"]


class OrthogonalJacobian(Penalty):
    r"""The squared cosines between columns of the decoder's Jacobian.

    .. math::
        \lambda \, \frac{1}{D (D - 1)} \sum_{i \ne j} \cos^2(J_{:i}, J_{:j}), \qquad
        J = \frac{\partial \, \mathbb{E}[x|z]}{\partial z}

    Args:
        weight: :math:`\lambda`.
        examples: Of each batch, whose Jacobians are taken: the decoder runs D times for them, in
            forward mode. Of a penalty of one part of the code all are taken.

    References:
        Wei, Shi, Liu, Ji, Gao, Wu, Zuo, "Orthogonal Jacobian Regularization for Unsupervised
        Disentanglement in Image Generation", 2021, https://arxiv.org/abs/2108.07668; Kumar, Poole,
        "On Implicit Regularization in beta-VAEs", 2020, https://arxiv.org/abs/2002.00041

    Deviations:
        Cosines, where Wei et al. penalize products of columns estimated by random directions: short
        columns are no way to make it small.
    """

    def __init__(self, weight: float | Schedule = 1.0, examples: int = 8) -> None:
        check_size("examples", examples)
        self.weight, self.examples = weight, examples

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """One term, ``jacobian``."""
        z, decode = _some(t, self.examples)
        value = orthogonal_jacobian(gram(lambda v: decode(v).mean, z)).mean()
        return Loss(jacobian=(at(self.weight, ctx.step), value))


class SeamGap(Penalty):
    r"""What a diagonal posterior costs with this decoder, nats.

    .. math::
        \lambda \, \tfrac12 \Big( \sum_j \log P_{jj} - \log \det P \Big), \qquad
        P = I + \tfrac1\beta J^\top F J

    with F the Fisher information of p(x|z), which is :math:`I / \sigma^2` for a Gaussian. Beside a
    full-covariance posterior it asks of the decoder what a diagonal one asks by itself.

    Args:
        weight: :math:`\lambda`.
        beta: :math:`\beta`, that of the KL divergence's weight.
        examples: See `OrthogonalJacobian`.

    Raises:
        ValueError: for a ``beta`` that is not positive.

    References:
        Kumar, Poole, "On Implicit Regularization in beta-VAEs", 2020,
        https://arxiv.org/abs/2002.00041; Allen, "Unpicking Data at the Seams", 2024,
        https://arxiv.org/abs/2410.22559
    """

    def __init__(
        self, weight: float | Schedule = 1.0, beta: float = 1.0, examples: int = 8
    ) -> None:
        check_scale("beta", beta)
        check_size("examples", examples)
        self.weight, self.beta, self.examples = weight, beta, examples

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """One term, ``seam_gap``, nats."""
        z, decode = _some(t, self.examples)
        information = fisher_information(decode(z), sigma=1.0)
        metric = gram(lambda v: parameters_of(decode(v)), z, information) / self.beta
        identity = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
        return Loss(seam_gap=(at(self.weight, ctx.step), seam_gap(metric + identity).mean()))


def _some(t: Trace, examples: int) -> tuple[Tensor, Callable[[Tensor], Distribution]]:
    """The first codes of a batch, and their decoder under their own condition.

    All of them where other parts of the code stay where they are, which are those of the batch.
    """
    if isinstance(t.model, OfPart):
        return t.z, t.decode
    condition = {k: None if v is None else v[:examples] for k, v in t.condition.items()}
    return t.z[:examples], lambda z: t.model.decode(z, **condition)
