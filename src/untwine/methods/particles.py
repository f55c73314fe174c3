"""Particles: weighted samples of a batch's unobserved variables."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..functional import kl

__all__ = ["Particles"]

_TINY = 1e-30


class Particles:
    r"""Values of the variables of B examples, in S versions of each, going from one to the next.

    Everything that is kept has a row for each version of each example, versions slowest. Summing
    over a discrete variable makes a version for each class out of every version there is.

    Args:
        x: Observations, ``(B, ...)``.
        samples: Versions to begin with, all equally probable.

    Attributes:
        values: By variable, ``(S B, width)``.
    """

    def __init__(self, x: Tensor, samples: int) -> None:
        self.x, self.count = x, samples
        self.values: dict[str, Tensor] = {}
        self._spreads: dict[str, Tensor] = {}
        self._probabilities = x.new_full((samples * len(x),), 1 / samples)
        self._log_weights = x.new_zeros(samples * len(x))
        self._ratio = x.new_zeros(samples * len(x))

    @property
    def rows(self) -> int:
        """S B."""
        return self.count * len(self.x)

    @property
    def probabilities(self) -> Tensor:
        r""":math:`\pi_s`, ``(S, B)``; they add up to one for each example."""
        return self._probabilities.reshape(self.count, -1)

    @property
    def log_weights(self) -> Tensor:
        r""":math:`\log w_s`, the log probability of what is observed, ``(S, B)``."""
        return self._log_weights.reshape(self.count, -1)

    @property
    def ratio(self) -> Tensor:
        """Log p less log q of all that was added, ``(S, B)``."""
        return self._ratio.reshape(self.count, -1)

    def spread(self, t: Tensor) -> Tensor:
        """A tensor with a row for each example, ``(B, ...)``, repeated for each version."""
        return t if self.count == 1 else t.repeat(self.count, *[1] * (t.ndim - 1))

    def level(self, t: Tensor) -> Tensor:
        """A tensor with a row for each example or for each version, with one for each version."""
        return self.spread(t) if len(t) < self.rows else t

    def add(self, ratio: Tensor) -> None:
        """Adds to log p less log q, a value for each row."""
        self._ratio = self._ratio + ratio

    def latent(self, name: str, q: Distribution, prior: Distribution) -> None:
        """Draws a variable; its divergence from the prior is in closed form if there is one."""
        z = self._draw(q)
        alone = z.reshape(-1, *q.batch_shape, z.shape[-1])
        divergence = kl(q, prior, alone if len(alone) > 1 else alone[0])
        if divergence.numel() < self.rows:
            divergence = divergence.expand(self.count, -1)
        self.add(-divergence.reshape(-1))
        self.values[name] = z

    def continuous(
        self, name: str, q: Distribution, label: Tensor | None, known: Tensor | None
    ) -> None:
        """Draws a variable, or takes its value where that is known; adds -log q."""
        if label is None:
            value = self._draw(q)
        else:
            value = self.spread(label)
            if known is not None:
                value = torch.where(self.spread(known).unsqueeze(-1), value, self._draw(q))
        log_q = q.log_prob(value.reshape(-1, *q.batch_shape, value.shape[-1])).reshape(-1)
        if label is not None:
            self._weigh(log_q, known)
        self.add(-log_q)
        self.values[name] = value

    def discrete(
        self,
        name: str,
        logits: Tensor,
        label: Tensor | None,
        known: Tensor | None,
        temperature: float | None,
    ) -> None:
        """Takes a class where it is known; elsewhere every one, or a relaxed one; adds -log q."""
        log_q = self.level(logits.float() if logits.dtype.itemsize < 4 else logits).log_softmax(-1)
        if label is not None and known is None:
            value = self.spread(label)
            of_label = (value * log_q).sum(-1)
            self._weigh(of_label, None)
            self.add(-of_label)
        elif temperature is None:
            value = self._every_class(log_q, label, known)
        else:
            noise = -torch.empty_like(log_q).exponential_().clamp(min=_TINY).log()
            value = ((log_q + noise) / temperature).softmax(-1)
            ratio = -(log_q.exp() * log_q).sum(-1)
            if label is not None and known is not None:
                observed = self.spread(known)
                value = torch.where(observed.unsqueeze(-1), self.spread(label), value)
                of_label = (value * log_q).sum(-1)
                self._weigh(of_label, known)
                ratio = torch.where(observed, -of_label, ratio)
            self.add(ratio)
        self.values[name] = value

    def settle(self, name: str, mean: Tensor, variance: Tensor | None = None) -> None:
        """Notes a variable's mean and variance, and passes the mean on as its value."""
        self.values[name] = mean
        self._spreads[name] = torch.zeros_like(mean) if variance is None else variance

    def moments(self) -> dict[str, tuple[Tensor, Tensor]]:
        """By variable, mean and variance ``(B, width)`` of the mixture of all versions."""
        found, share = {}, self.probabilities.unsqueeze(-1)
        for name, value in self.values.items():
            m = value.reshape(self.count, len(self.x), -1)
            mean = (share * m).sum(0)
            within = (share * self._spreads[name].reshape(m.shape)).sum(0)
            found[name] = mean, within + (share * (m - mean) ** 2).sum(0)
        return found

    def _draw(self, q: Distribution) -> Tensor:
        """A draw for each row, from a distribution with a row for each, or for each example."""
        if q.batch_shape[0] == self.rows:
            return q.rsample()
        return q.rsample((self.count,)).flatten(0, 1)

    def _weigh(self, log_q: Tensor, known: Tensor | None) -> None:
        of_known = log_q if known is None else log_q * self.spread(known)
        self._log_weights = self._log_weights + of_known

    def _every_class(self, log_q: Tensor, label: Tensor | None, known: Tensor | None) -> Tensor:
        """A version for each class, classes slowest; returns the classes."""
        rows, classes = log_q.shape
        share = log_q.exp()
        if label is not None and known is not None:
            share = torch.where(self.spread(known).unsqueeze(-1), self.spread(label), share)
        self.count *= classes
        for kept in (self.values, self._spreads):
            for name, value in kept.items():
                kept[name] = value.repeat(classes, 1)
        self._probabilities = self._probabilities.repeat(classes) * share.mT.reshape(-1)
        self._log_weights = self._log_weights.repeat(classes)
        of_class = log_q.mT.reshape(-1)
        if known is not None:
            self._weigh(of_class, known)
        self._ratio = self._ratio.repeat(classes) - of_class
        eye = torch.eye(classes, dtype=log_q.dtype, device=log_q.device)
        return eye.unsqueeze(1).expand(-1, rows, -1).flatten(0, 1)
