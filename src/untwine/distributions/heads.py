"""A point that is the head of its cluster and a style beside it."""

from __future__ import annotations

from torch import Tensor

from .one_hot import OneHot
from .point import Point

__all__ = ["HeadAndStyle"]


class HeadAndStyle(Point):
    r"""The head of a cluster, and a style beside it: :math:`z = s + W^\top y`.

    Args:
        category: Which cluster; y is its mean, so that in between clusters heads are mixed.
        style: :math:`s`, ``(B, D)``.
        heads: :math:`W`, ``(K, D)``.

    References:
        Makhzani, Shlens, Jaitly, Goodfellow, Frey, "Adversarial Autoencoders", 2015,
        https://arxiv.org/abs/1511.05644, section 7.
    """

    def __init__(self, category: OneHot, style: Tensor, heads: Tensor) -> None:
        self.category, self.style, self.heads = category, style, heads
        super().__init__(style + category.mean @ heads)
