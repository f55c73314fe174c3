"""Projection of images into the code of a style-based generator, by optimization."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.optim import Adam

from ..checks import check_scale, check_size
from .loss import Loss

__all__ = ["Paints", "project"]

_NOISE, _QUIET = 0.05, 0.75  # of deviations of w at first, and the share of steps it falls over
_RISE, _FALL = 0.05, 0.25  # of steps over which the learning rate rises, and falls


class Paints(Protocol):
    r"""What a projection needs of a method, such as `StyleGAN`.

    Codes w, ``(B, D)`` or by layer ``(B, L, D)``, images :math:`\bar G(w)`, ``(B, C, H, W)``, and
    their distance from others,

    .. math::
        \tfrac12 \| x - \bar G(w) \|^2 + \rho \, d\big(x, \bar G(w)\big)

    References:
        Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
        https://arxiv.org/abs/1912.04958, appendix D.
    """

    w_mean: Tensor
    """The mean of w, ``(D,)``, where a projection starts."""

    @property
    def count(self) -> int:
        """L, the number of layers that have a style."""

    def codes(self, n: int) -> Tensor:
        """Codes as they are drawn, ``(n, D)``."""

    def paint(self, w: Tensor) -> Tensor:
        """Images of codes, ``(B, C, H, W)``, differentiable."""

    def reconstruction(self, x: Tensor, painted: Tensor) -> Loss:
        """How far images are from others, terms of ``(B,)``."""


def project(
    method: Paints,
    x: Tensor,
    steps: int = 200,
    *,
    lr: float = 0.1,
    start: Tensor | None = None,
    layers: bool = False,
) -> Tensor:
    r"""Codes whose images are nearest to given ones.

    .. math::
        \min_w \; \tfrac12 \| x - \bar G(w + \sigma_t \epsilon) \|^2
        + \rho \, d\big(x, \bar G(w + \sigma_t \epsilon)\big)

    by Adam, with noise :math:`\sigma_t` that falls to 0 over three quarters of the steps and a
    learning rate that rises over the first twentieth and falls over the last quarter. Noise inputs
    are the fixed ones. Each image has a problem of its own.

    Args:
        method: Whose averaged generator it is.
        x: The images, in [0, 1].
        steps: Of Adam; 0 returns the start.
        lr: Its learning rate.
        start: The first codes, such as the encoder's; the mean of w by default.
        layers: Whether each layer gets a code of its own, which fits more than the generator makes.

    Shape:
        x ``(B, C, H, W)``; start ``(B, D)`` or ``(B, L, D)``; returns ``(B, D)``, with ``layers``
        ``(B, L, D)``.

    References:
        Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
        https://arxiv.org/abs/1912.04958, appendix D.

    Deviations:
        Images are compared by `StyleGAN.reconstruction`, and noise inputs are not optimized.
    """
    check_size("steps", steps, least=0)
    check_scale("lr", lr)
    with torch.no_grad():
        w = method.w_mean.expand(len(x), -1) if start is None else start
        if layers and w.ndim == 2:
            w = w[:, None].expand(-1, method.count, -1)
        w = w.clone()
        drawn = method.codes(1000)
        deviation = (drawn - drawn.mean(0)).square().mean().sqrt()
    w.requires_grad_()
    optimizer = Adam([w], lr=lr)
    for step in range(steps):
        part = step / steps
        fall = min(1.0, (1 - part) / _FALL)
        optimizer.param_groups[0]["lr"] = (
            lr * (0.5 - 0.5 * math.cos(math.pi * fall)) * min(1.0, (step + 1) / (_RISE * steps))
        )
        noise = _NOISE * deviation * max(0.0, 1 - part / _QUIET) ** 2
        with torch.enable_grad():
            painted = method.paint(w + noise * torch.randn_like(w))
            loss = method.reconstruction(x, painted).per_example().sum()
            (w.grad,) = torch.autograd.grad(loss, [w])
        optimizer.step()
    return w.detach()
