"""Modulated convolutions: kernels whose inputs are scaled example by example, and demodulated."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

__all__ = ["modulated_conv"]


def modulated_conv(
    x: Tensor, weight: Tensor, style: Tensor, *, demodulate: bool = True, eps: float = 1e-8
) -> Tensor:
    r"""A convolution with a kernel for each example: scaled by its style, then normalized.

    .. math::
        w'_{b,ijk} = s_{bi} \, w_{ijk}, \qquad
        w''_{b,ijk} = w'_{b,ijk} \Big/ \sqrt{\textstyle\sum_{i,k} {w'_{b,ijk}}^2 + \epsilon}

    for input channel i, output channel j and place k of the kernel. Outputs of independent inputs
    of variance 1 have variance 1.

    It is computed as one convolution of scaled inputs, whose outputs are scaled: the same numbers
    as a convolution with as many groups as there are examples.

    Args:
        x: Feature maps.
        weight: :math:`w`, shared by the examples; of odd height and width.
        style: :math:`s`.
        demodulate: Whether kernels are normalized, :math:`w''`; otherwise :math:`w'` is used.
        eps: :math:`\epsilon`.

    Shape:
        x ``(B, I, H, W)``; weight ``(J, I, k, k)``; style ``(B, I)``; returns ``(B, J, H, W)``.

    References:
        Karras, Laine, Aittala, Hellsten, Lehtinen, Aila, "Analyzing and Improving the Image Quality
        of StyleGAN", 2020, https://arxiv.org/abs/1912.04958, equations 1 and 3.

    Example:
        >>> import torch
        >>> x, weight = torch.randn(2, 3, 8, 8), torch.randn(5, 3, 3, 3)
        >>> one = modulated_conv(x, weight, torch.ones(2, 3))
        >>> torch.allclose(one, modulated_conv(x, weight, torch.full((2, 3), 9.0)), atol=1e-5)
        True
    """
    y = F.conv2d(x * style[:, :, None, None], weight, padding=weight.shape[-1] // 2)
    if not demodulate:
        return y
    squares = style.square() @ weight.square().sum((2, 3)).T
    return y * (squares + eps).rsqrt()[:, :, None, None]
