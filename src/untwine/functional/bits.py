"""Bits per dimension of a log-likelihood or its bound."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

__all__ = ["bits_per_dimension"]


def bits_per_dimension(nats: Tensor, shape: Sequence[int]) -> Tensor:
    r"""Nats of whole observations as bits for each of their elements.

    .. math::
        b = \frac{-\log p(x)}{D \log 2}

    Of a probability of 8-bit pixels (`DiscretizedLogistics`), 8 is what equal probabilities cost;
    a density has no such scale.

    Args:
        nats: Negative log-likelihoods, or negative ELBOs, of any shape.
        shape: Of one observation, with :math:`D` elements.

    References:
        Theis, van den Oord, Bethge, "A note on the evaluation of generative models", 2016,
        https://arxiv.org/abs/1511.01844, section 3.1.

    Example:
        >>> import torch
        >>> bits_per_dimension(torch.tensor(8 * 12 * math.log(2)), (3, 2, 2)).item()
        8.0
    """
    return nats / (math.prod(shape) * math.log(2))
