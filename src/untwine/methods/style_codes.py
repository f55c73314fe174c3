"""Codes of a style-based generator: how they are drawn, mixed and painted."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..data.batches import Batch
from ..distributions import Point
from ..nets import StyleGenerator, running_copy
from ..nets.style import NoiseInput
from .method import Method, Observations
from .projection import project

__all__ = ["StyleCodes"]


class StyleCodes(Method):
    r"""What a method does whose code is w, the style of each layer of a generator.

    .. math::
        w = f(z), \quad z \sim \mathcal{N}(0, I), \qquad x = \bar G(w_1, \ldots, w_L)

    where :math:`\bar G` is the moving average of the generator. A code is one w for all layers,
    ``(B, D)``, or one for each, ``(B, L, D)``; images are ``(B, C, H, W)``.

    Args:
        generator: Mapping f and synthesis G.
        encoder: ``x -> (B, D)``, added to the mean of w.

    References:
        Karras, Laine, Aila, "A Style-Based Generator Architecture for Generative Adversarial
        Networks", 2019, https://arxiv.org/abs/1812.04948, sections 2 (codes), 3.1 (mixing) and
        appendix B (truncation).
    """

    w_mean: Tensor
    """The running mean of w, ``(D,)``."""

    def __init__(self, generator: StyleGenerator, encoder: nn.Module) -> None:
        super().__init__()
        self.generator, self.encoder = generator, encoder
        self.averaged = running_copy(generator)
        self.register_buffer("w_mean", torch.zeros(generator.mapping.dim))

    @property
    def count(self) -> int:
        """L, the number of layers that have a style."""
        return self.generator.synthesis.count

    def draw(self, n: int) -> Tensor:
        """z, ``(n, D)``, standard normal."""
        return torch.randn_like(self.w_mean.expand(n, -1))

    @torch.no_grad()
    def codes(self, n: int, *, truncation: float = 1.0) -> Tensor:
        """W of fresh z, ``(n, D)``; see `truncate`."""
        return self.truncate(self.averaged.mapping(self.draw(n)), truncation)

    def truncate(self, w: Tensor, truncation: float, layers: int | None = None) -> Tensor:
        r"""W nearer to the mean, where images are better and more alike.

        .. math::
            w' = \bar w + \psi (w - \bar w)

        Args:
            w: Codes.
            truncation: :math:`\psi`; 1 leaves codes as they are.
            layers: The first layers alone, which then have codes of their own.

        Shape: ``(B, D)`` to ``(B, D)``; with ``layers`` to ``(B, L, D)``.
        """
        near = self.w_mean + truncation * (w - self.w_mean)
        return near if layers is None else self.mix(near, w, layers)

    def mix(self, coarse: Tensor, fine: Tensor, layer: int | Tensor) -> Tensor:
        """Codes by layer: one code before a layer, and another one from it on.

        Args:
            coarse: Codes of the layers before.
            fine: Codes of the layer and those after it.
            layer: Its number from 0 to L; one, or one for each example, ``(B,)``.

        Shape: two of ``(B, D)`` to ``(B, L, D)``.
        """
        places = torch.arange(self.count, device=coarse.device)
        cut = layer[:, None] if isinstance(layer, Tensor) else layer
        before = (places < cut).expand(len(coarse), -1)[..., None]
        return torch.where(before, coarse[:, None], fine[:, None])

    def paint(self, w: Tensor, noise: NoiseInput = "fixed") -> Tensor:
        r"""Images by :math:`\bar G`, differentiable, about in [0, 1].

        Args:
            w: ``(B, D)``, or by layer, ``(B, L, D)``.
            noise: Whether noise inputs are ``"fixed"``, ``"fresh"`` or left out, ``"none"``.
        """
        return (self.averaged.synthesis(w, noise) + 1) / 2

    @torch.no_grad()
    def style_grid(self, rows: Tensor, columns: Tensor, first: int, last: int) -> Tensor:
        """Images of every code with the styles of every other one in some of the layers.

        `plots.swap_grid` shows them.

        Args:
            rows: Codes of the other layers.
            columns: Codes of layers ``first`` to ``last - 1``.
            first: Number of a layer, from 0.
            last: One more than that of the last one, at most L.

        Shape: ``(M, D)`` and ``(N, D)`` to ``(M, N, C, H, W)``.

        Raises:
            ValueError: for layers that there are not.
        """
        if not 0 <= first < last <= self.count:
            raise ValueError(
                f"layers {first} to {last} of {self.count}; expected 0 <= first < last <= L"
            )
        one = rows.repeat_interleave(len(columns), 0)
        two = columns.repeat(len(rows), 1)
        w = self.mix(one, two, first)
        w[:, last:] = one[:, None]
        return self.decode(w).mean.unflatten(0, (len(rows), len(columns)))

    def represent(self, batch: Batch | Observations) -> Distribution:
        """The encoder's w, a point."""
        return Point(self.w_mean + self.encoder(Batch.of(batch).x))

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """Images of w, ``(B, D)`` or by layer ``(B, L, D)``, all with the same noise inputs."""
        return Point(self.paint(z).clamp(0, 1))

    @torch.no_grad()
    def sample(self, n: int, *, truncation: float = 1.0) -> Tensor:
        """``(n, C, H, W)`` images of fresh codes and noise inputs; see `truncate`."""
        return self.paint(self.codes(n, truncation=truncation), "fresh").clamp(0, 1)

    project = project
