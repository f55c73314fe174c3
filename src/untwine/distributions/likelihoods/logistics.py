"""Likelihood of pixels of 256 values: a discretized mixture of logistics."""

from __future__ import annotations

from collections.abc import Sequence

import torch.distributions as td
from torch import Tensor

from ...checks import check_size
from ..logistic_mixture import LogisticMixture
from .base import Likelihood

__all__ = ["DiscretizedLogistics"]

_LEAST, _MOST = -7.0, 7.0  # log scales: a ninth of a step of 256 values, and flat
_GRID = 1e-3  # of a step


class DiscretizedLogistics(Likelihood):
    r"""Grey and color images of 8 bits: a mixture of logistics, rounded to the values there are.

    .. math::
        P(x|z) = \prod_i \sum_k \pi_{ik} \prod_c \big[
        \sigma((x_{ic} + \tfrac{h}{2} - \mu_{ikc}) / s_{ikc})
        - \sigma((x_{ic} - \tfrac{h}{2} - \mu_{ikc}) / s_{ikc}) \big]

    for pixels :math:`i` and channels :math:`c`, whose means :math:`\mu_{ikc}` move with the
    channels before, see `LogisticMixture`. It is a probability: sums of its logarithms compare
    with those of lossless codecs, see `functional.bits_per_dimension`. Of a vector each entry is a
    pixel of one channel.

    Args:
        mixtures: :math:`K`, components of every pixel.
        values: How many values there are, equally spaced from 0 to 1.

    Raises:
        ValueError: for fewer than one component, or two values.

    References:
        Salimans, Karpathy, Chen, Kingma, "PixelCNN++: Improving the PixelCNN with Discretized
        Logistic Mixture Likelihood and Other Modifications", 2017,
        https://arxiv.org/abs/1701.05517, equations 1 to 3.

    Deviations:
        The probability of a bin is a product that never cancels, in place of the released code's
        change to a density where bins are unlikely.

    Example:
        >>> import torch
        >>> head = DiscretizedLogistics(mixtures=2)
        >>> p = head(torch.zeros(5, *head.features((3, 8, 8))))
        >>> p.mean.shape, p.log_prob(torch.ones(5, 3, 8, 8)).shape
        (torch.Size([5, 3, 8, 8]), torch.Size([5]))
    """

    def __init__(self, mixtures: int = 10, values: int = 256) -> None:
        super().__init__()
        check_size("mixtures", mixtures)
        check_size("values", values, least=2)
        self.mixtures, self.values = mixtures, values

    def features(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Channels (or entries) of logits, means, log scales and slopes, by component."""
        if len(shape) == 3:
            return (self.mixtures * _each(shape[0]), *shape[1:])
        if len(shape) != 1:
            raise ValueError(
                f"observations have shape {tuple(shape)}; expected images (C, H, W) or vectors"
            )
        return (self.mixtures * _each(1) * shape[0],)

    def problem(self, x: Tensor) -> str | None:
        """Values are among those there are."""
        steps = x.double() * (self.values - 1)
        off = ((steps - steps.round()).abs() > _GRID) | (x < 0) | (x > 1)
        if not off.any():
            return None
        return (
            f"holds {x[off][0].item():g}, but pixels have {self.values} values from 0 to 1: divide "
            f"bytes by 255, round with (x * {self.values - 1}).round() / {self.values - 1}, or "
            "choose a likelihood of any values, such as Gaussian()"
        )

    def forward(self, h: Tensor, c: Tensor | None = None) -> td.Distribution:
        """``(B, K (1 + 2 C + C (C - 1) / 2), H, W)`` to images ``(B, C, H, W)``."""
        if h.ndim == 2:
            pixels = h.reshape(len(h), -1, self.mixtures, _each(1))
            return td.Independent(_Vectors(self._mixture(pixels, 1)), 1, validate_args=False)
        pixels = h.movedim(1, -1).unflatten(-1, (self.mixtures, -1))  # (B, H, W, K, ...)
        channels = next(n for n in range(1, h.shape[1] + 1) if _each(n) == pixels.shape[-1])
        return _Images(self._mixture(pixels, channels))

    def _mixture(self, pixels: Tensor, channels: int) -> LogisticMixture:
        logits, loc, log_scale, slopes = pixels.split(
            [1, channels, channels, pixels.shape[-1] - 1 - 2 * channels], -1
        )
        return LogisticMixture(
            logits.squeeze(-1),
            loc,
            log_scale.clamp(_LEAST, _MOST),
            slopes.tanh() if channels > 1 else None,
            self.values,
        )


class _Images(td.Distribution):
    """Independent pixels, their channels first: ``(B, H, W)`` of ``(C,)`` as ``(B, C, H, W)``."""

    arg_constraints: dict = {}
    has_rsample = False

    def __init__(self, pixels: LogisticMixture) -> None:
        self.pixels = pixels
        batch, event = pixels.batch_shape, pixels.event_shape
        super().__init__(batch[:1], event + batch[1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.pixels.mean.movedim(-1, 1)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.pixels.log_prob(value.movedim(-3, -1)).sum((-2, -1))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.pixels.sample(sample_shape).movedim(-1, -3)


class _Vectors(td.Distribution):
    """Independent entries of vectors, pixels of one channel: ``(B, F)`` of ``(1,)``."""

    arg_constraints: dict = {}
    has_rsample = False

    def __init__(self, pixels: LogisticMixture) -> None:
        self.pixels = pixels
        super().__init__(pixels.batch_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.pixels.mean.squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.pixels.log_prob(value.unsqueeze(-1))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.pixels.sample(sample_shape).squeeze(-1)


def _each(channels: int) -> int:
    """What a component takes: a logit, means, log scales, slopes."""
    return 1 + 2 * channels + channels * (channels - 1) // 2
