r"""Erasure of an attribute from codes by a map that an adversary judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import check_scale, check_size
from ..data.seeds import check_seed
from ..nets.mlp import mlp
from .locating import coded, of_width

__all__ = ["Censor", "censor"]

_BATCH = 256


@dataclass(frozen=True)
class Censor:
    r"""A map that hides an attribute from an adversary, :math:`r(z) = z + \sigma f(u)`.

    Attributes:
        mean: Of the codes that it learned from, ``(D,)``.
        deviation: :math:`\sigma`, theirs, ``(D,)``; :math:`u = (z - \mu) / \sigma`.
        net: f, from and to ``(B, D)``.
        fooled: What is left of the adversary at the end of training:
            :math:`\mathrm{KL}(p(s) \| a(s | r))` in nats, 0 where it knows no more than the shares
            of the classes.
    """

    mean: np.ndarray
    deviation: np.ndarray
    net: nn.Module
    fooled: float

    @torch.no_grad()
    def __call__(self, codes: Any) -> np.ndarray:
        """Codes ``(N, D)`` without the attribute, see `Erasure`."""
        z = of_width(codes, len(self.mean))
        u = torch.from_numpy((z - self.mean) / self.deviation).float()
        return z + self.net(u).double().numpy() * self.deviation


def censor(
    codes: Any,
    attribute: Any,
    *,
    weight: float = 3.0,
    steps: int = 1000,
    rounds: int = 3,
    hidden: int = 64,
    seed: int = 0,
) -> Censor:
    r"""Learns a map of codes after which an adversary cannot tell the attribute.

    In turns, the adversary a learns to classify what the map makes, and the map r learns to leave
    codes as they are and the adversary with nothing but the shares p(s) of the classes:

    .. math::
        \min_a \; -\mathbb{E} \log a(s | r(z)), \qquad
        \min_r \; \tfrac{1}{D} \mathbb{E} \| \sigma^{-1} (r(z) - z) \|^2
        + \lambda \, \mathbb{E} \, \mathrm{KL}\big(p(s) \| a(\cdot | r(z))\big)

    The map begins as the identity. An adversary that is fooled is no proof that nothing is left:
    another one, trained afterwards, may read it. See `recover`.

    Args:
        codes: Codes to learn from, not those that the result is judged on.
        attribute: A class of each row.
        weight: :math:`\lambda`; 0 leaves codes as they are.
        steps: Of the map.
        rounds: Steps of the adversary for each of them.
        hidden: Width of both nets, which have two hidden layers.
        seed: Of weights and batches.

    Shape:
        - codes: ``(N, D)``
        - attribute: ``(N,)``

    Raises:
        ValueError: for an attribute of one class, another length, or a weight that is negative.

    References:
        Censoring Representations with an Adversary, Edwards, Storkey, 2015,
        https://arxiv.org/abs/1511.05897, section 3.

    Deviations:
        The paper's map is an encoder of observations, learned together with the target's
        classifier, and ascends the adversary's loss. Here codes are given, no target is known, and
        the map descends the divergence from p(s), which is bounded below (Tzeng et al., 2015,
        https://arxiv.org/abs/1510.02192, equation 5, with shares instead of equal classes).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> z, s = rng.normal(size=(100, 4)), rng.integers(0, 2, 100)
        >>> bool((censor(z, s, weight=0.0, steps=3)(z) == z).all())
        True
    """
    check_scale("weight", weight, zero=True)
    for name, value in {"steps": steps, "rounds": rounds, "hidden": hidden}.items():
        check_size(name, value)
    z, s = coded(codes, attribute)
    z = z.astype(np.float64)
    mean, spread = z.mean(0), z.std(0)
    deviation = np.where(spread > 1e-6 * np.maximum(np.abs(mean), 1e-3), spread, 1.0)
    u, y = torch.from_numpy((z - mean) / deviation).float(), torch.from_numpy(s)
    shares = torch.bincount(y).float() / len(y)
    check_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(*mlp(u.shape[1], (hidden, hidden), u.shape[1]))
        adversary = nn.Sequential(*mlp(u.shape[1], (hidden, hidden), len(shares)))
        last = net[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        _play(net, adversary, u, y, shares, weight=weight, steps=steps, rounds=rounds)
    with torch.no_grad():
        divergence = _divergence(adversary(u + net(u)), shares)
    return Censor(mean, deviation, net.requires_grad_(False), float(divergence))


def _play(
    net: nn.Module,
    adversary: nn.Module,
    u: Tensor,
    y: Tensor,
    shares: Tensor,
    *,
    weight: float,
    steps: int,
    rounds: int,
) -> None:
    """Trains both nets in turns."""
    mover = torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.999))
    judge = torch.optim.Adam(adversary.parameters(), lr=2e-3, betas=(0.5, 0.999))
    schedule = torch.optim.lr_scheduler.LambdaLR(mover, lambda t: 1 - t / (steps + 1))
    size = min(_BATCH, len(u))
    for _ in range(steps):
        for _ in range(rounds):
            rows = torch.randint(len(u), (size,))
            with torch.no_grad():
                r = u[rows] + net(u[rows])
            judge.zero_grad()
            F.cross_entropy(adversary(r), y[rows]).backward()
            judge.step()
        rows = torch.randint(len(u), (size,))
        change = net(u[rows])
        mover.zero_grad()
        loss = change.square().mean()
        (loss + weight * _divergence(adversary(u[rows] + change), shares)).backward()
        mover.step()
        schedule.step()


def _divergence(scores: Tensor, shares: Tensor) -> Tensor:
    """KL(p(s) || a(s | r)) in nats, the mean over rows."""
    return F.kl_div(scores.log_softmax(1), shares.expand_as(scores), reduction="batchmean")
