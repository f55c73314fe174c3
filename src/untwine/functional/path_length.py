"""Lengths of the steps that a generator makes when its code moves: path length regularization."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["path_lengths"]


def path_lengths(images: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
    r"""How long the gradient of a random projection of images is, at their codes.

    .. math::
        \| J_w^\top y \|_2, \qquad y \sim \mathcal{N}\Big(0, \frac{1}{HW} I\Big)

    Its variance is least where :math:`J_w^\top J_w` is a multiple of the identity: where a step of
    one length in w changes the image by one length, in whatever direction. Path length
    regularization is the squared distance of this length from its running mean. For codes by
    layer, :math:`(B, L, D)`, squares are averaged over layers.

    Args:
        images: What was made of w, differentiably, each image of its own code.
        w: The codes.
        noise: :math:`y` in place of a draw.

    Shape:
        images ``(B, C, H, W)``; w ``(B, D)`` or ``(B, L, D)``; noise as images; returns ``(B,)``,
        differentiable.

    References:
        Karras, Laine, Aittala, Hellsten, Lehtinen, Aila, "Analyzing and Improving the Image Quality
        of StyleGAN", 2020, https://arxiv.org/abs/1912.04958, equation 4.

    Example:
        >>> w = torch.ones(2, 3, requires_grad=True)
        >>> images = (2 * w)[:, :, None, None]  # three channels of one pixel
        >>> path_lengths(images, w, torch.ones(2, 3, 1, 1)).tolist()  # 2 times sqrt(3)
        [3.464101552963257, 3.464101552963257]
    """
    if noise is None:
        noise = torch.randn_like(images) / math.sqrt(images[0, 0].numel())
    (gradient,) = torch.autograd.grad((images * noise).sum(), w, create_graph=True)
    squares = gradient.square().sum(-1)
    return (squares.mean(1) if w.ndim == 3 else squares).sqrt()
