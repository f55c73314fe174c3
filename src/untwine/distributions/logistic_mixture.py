"""Mixture of logistics, discretized to the values that pixels have."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid, softplus

__all__ = ["LogisticMixture"]

_MOST_NOISE = 1e-5  # away from 0 and 1 of the uniform numbers that logistics are drawn from


class LogisticMixture(Distribution):
    r"""Pixels of equally spaced values in [0, 1]: a mixture of logistics, rounded to them.

    .. math::
        P(x) = \sum_k \pi_k \prod_c \big[ \sigma((x_c + \tfrac{h}{2} - \mu_{kc}(x)) / s_{kc})
        - \sigma((x_c - \tfrac{h}{2} - \mu_{kc}(x)) / s_{kc}) \big], \qquad
        \mu_{kc}(x) = m_{kc} + \sum_{d < c} \gamma_{kcd} \, x_d

    where :math:`h` is the distance of two values; the tails beyond the least and the largest value
    belong to these. The components are those of a pixel, so that its channels depend on each
    other; within a component a channel's mean moves with the channels before it. In the equation
    values run from -1 to 1, as in the paper; those that go in and come out run from 0 to 1.

    ``.mean`` is that of the mixture of logistics clipped to [0, 1], channel after channel at the
    means of those before it; rounding to the values moves it by less than half a step.

    Args:
        logits: Of the components, ``(*batch, K)``.
        loc: :math:`m`, ``(*batch, K, C)``.
        log_scale: :math:`\log s`, ``(*batch, K, C)``.
        slopes: :math:`\gamma`, ``(*batch, K, C (C - 1) / 2)``: of channel 1, of channel 2, and so
            on; ``None`` for channels that do not move with each other.
        values: How many values there are.

    Shape:
        Batch shape ``batch``, of pixels; event shape ``(C,)``.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        log_scale: Tensor,
        slopes: Tensor | None = None,
        values: int = 256,
    ) -> None:
        self.logits, self.loc, self.log_scale = logits, loc, log_scale
        self.slopes, self.values = slopes, values
        super().__init__(logits.shape[:-1], loc.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """See the class; ``(*batch, C)`` in [0, 1]."""
        pi, scale = self.logits.softmax(-1), self.log_scale.exp()
        channels: list[Tensor] = []
        for c in range(self.event_shape[0]):
            loc = self._shifted(c, channels)
            s = scale[..., c]
            # 1 less the integral of the distribution function: the mean of what is clipped.
            channels.append(1 - s * (softplus((1 - loc) / s) - softplus((-1 - loc) / s)))
        mean = (pi.unsqueeze(-1) * torch.stack(channels, -1)).sum(-2)
        return ((mean + 1) / 2).clamp(0, 1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Of pixels ``(..., C)``, in nats."""
        x = (2 * value - 1).unsqueeze(-2)
        channels = [x[..., c] for c in range(x.shape[-1])]  # each (..., 1)
        half, precision = 1 / (self.values - 1), (-self.log_scale).exp()
        width = torch.log(-torch.expm1(-2 * half * precision))
        total = self.logits.log_softmax(-1)
        for c, value_c in enumerate(channels):
            away = value_c - self._shifted(c, channels)
            # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)): nothing cancels.
            lower = logsigmoid((away + half) * precision[..., c])
            upper = logsigmoid((half - away) * precision[..., c])
            inside = torch.where(value_c > 1 - half, upper, lower + upper + width[..., c])
            total = total + torch.where(value_c < half - 1, lower, inside)
        return torch.logsumexp(total, -1)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Pixels of the values there are, ``(*sample, *batch, C)``."""
        shape = (*sample_shape, *self.batch_shape)
        noise = torch.rand((*shape, self.logits.shape[-1]), device=self.loc.device)
        gumbel = -(-noise.clamp(min=_MOST_NOISE**2).log()).log()
        chosen = (self.logits + gumbel.to(self.logits.dtype)).argmax(-1)[..., None]
        channels: list[Tensor] = []
        for c in range(self.event_shape[0]):
            u = torch.rand((*shape, 1), device=self.loc.device).to(self.loc.dtype)
            u = u.clamp(_MOST_NOISE, 1 - _MOST_NOISE)
            scale = self.log_scale[..., c].expand(*shape, -1).gather(-1, chosen).exp()
            loc = self._shifted(c, channels).expand(*shape, -1).gather(-1, chosen)
            x = (loc + scale * (u.log() - (-u).log1p())).clamp(-1, 1)
            channels.append((((x + 1) / 2) * (self.values - 1)).round() / (self.values - 1) * 2 - 1)
        return (torch.cat(channels, -1) + 1) / 2

    def _shifted(self, channel: int, before: Sequence[Tensor]) -> Tensor:
        """Means of a channel in every component, given the channels before it, ``(..., K)``."""
        loc = self.loc[..., channel]
        if self.slopes is None:
            return loc
        first = channel * (channel - 1) // 2
        for d in range(channel):
            loc = loc + self.slopes[..., first + d] * before[d]
        return loc
