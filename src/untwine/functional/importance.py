"""Self-normalized importance sampling."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["self_normalized"]


def self_normalized(values: Tensor, log_weights: Tensor, probabilities: Tensor) -> Tensor:
    r"""Self-normalized importance sampling.

    .. math::
        \sum_s \frac{\pi_s w_s}{\sum_t \pi_t w_t} \, v_s

    With S samples of q(z|x), :math:`\pi_s = 1/S` and :math:`w_s = q(y|x,z_s)` it estimates the
    expectation of v under :math:`q(z|x,y) \propto q(z|x) q(y|x,z)`, with a bias and a variance of
    order 1/S. With every value of a discrete z and :math:`\pi_s = q(z_s|x)` it is exact.
    Samples of probability 0 count for nothing, whatever their weights and values are.

    Args:
        values: :math:`v_s`.
        log_weights: :math:`\log w_s`; a constant for each example makes no difference.
        probabilities: :math:`\pi_s`, which add up to one over the first axis.

    Shape: ``(S, B)`` each; returns ``(B,)``.

    Example:
        >>> values, even = torch.tensor([[1.0], [4.0]]), torch.full((2, 1), 0.5)
        >>> self_normalized(values, torch.tensor([[2.0], [1.0]]).log(), even).item()
        2.0
    """
    possible = probabilities > 0
    # The mask comes before the logarithm: behind it, gradients would still be 0 times infinity.
    log_pi = torch.where(possible, probabilities, 1.0).log()
    share = torch.where(possible, log_pi + log_weights, -torch.inf).softmax(0)
    return (share * torch.where(possible, values, 0.0)).sum(0)
