"""Overlap of posteriors: which observations a code cannot tell apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..checks import check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..data.seeds import check_seed
from ..functional import log_densities
from ..methods.abilities import Represents
from .elbo import drawn
from .estimates import Estimate, Finding
from .models import Encoded, encode_for

__all__ = ["Overlap", "overlap"]

_HELD = 1 << 21  # densities that are held at once


@dataclass(frozen=True, repr=False)
class Overlap(Finding):
    r"""What the codes of a model glue together.

    Attributes:
        entropy: :math:`H(n | z)`, nats: of which observation a code may be.
        distance: How far those observations are from each other, root mean square over entries.
        chance: How far observations at random are.
        factors: How often each factor differs between them, of how often it does at random: 0 of
            what is told apart, 1 of what is lost.
        size: Among how many observations.
    """

    entropy: Estimate
    distance: float
    chance: float
    factors: Mapping[str, float] = field(default_factory=dict)
    size: int = 0

    @property
    def perplexity(self) -> float:
        """How many observations a code stands for."""
        return math.exp(self.entropy.value)

    def __str__(self) -> str:
        lines = [
            f"A code stands for {self.perplexity:.3g} of {self.size} observations, which are "
            f"{self.distance:.2g} apart per entry (at random: {self.chance:.2g})."
        ]
        if self.factors:
            parts = [f"{name} {share:.2g}" for name, share in self.factors.items()]
            lines.append(f"Differing factors, of chance: {', '.join(parts)}.")
        return "\n".join(lines)


def overlap(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    n: int = 1000,
    samples: int = 1,
    seed: int = 0,
) -> Overlap:
    r"""Which observations a code may stand for: those whose posteriors overlap.

    .. math::
        q(m|z) = \frac{q(z|x_m)}{\sum_k q(z|x_k)}, \qquad
        H(n|z) = \log N - I_q(z; n), \qquad
        d^2 = \mathbb{E}_n \mathbb{E}_{q(z|x_n)} \sum_m q(m|z) \, \|x_n - x_m\|^2 / M

    A larger :math:`\beta` makes posteriors wider, and so glues together what is nearer than the
    scale that it stands for. How often a factor differs between :math:`x_n` and :math:`x_m`, of
    how often it does in two observations at random, says which factors went.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: See `encode_for`. Of a part of a set neighbors are missing, so that codes seem to
            stand for fewer: take a small set whole.
        n: How many observations.
        samples: Of each posterior.
        seed: Of observations and samples.

    Raises:
        NoDensity: for a model without densities, and posteriors that are no Gaussians.

    References:
        Hoffman, Johnson, "ELBO surgery: yet another way to carve up the variational evidence lower
        bound", 2016 (the information and q(n|z)); Allen, "Unpicking Data at the Seams", 2024,
        https://arxiv.org/abs/2410.22559 (what :math:`\beta` blends).
    """
    check_size("samples", samples)
    factors: np.ndarray | None = None
    names: tuple[str, ...] = ()
    if isinstance(data, FactorDataset):
        check_seed(seed)
        check_size("n", n, least=2)
        index = np.arange(len(data))
        if n < len(data):
            index = np.sort(np.random.default_rng([seed, 13]).choice(index, n, replace=False))
        factors, names = np.asarray(data.factors)[index], data.space.names
        data = data.batch(index)
    encoded = encode_for(model, data, n, seed)
    encoded.need_gaussian("the overlap", prior=False)
    return _overlap(encoded, factors, names, samples, seed)


@torch.no_grad()
def _overlap(
    encoded: Encoded, factors: np.ndarray | None, names: tuple[str, ...], samples: int, seed: int
) -> Overlap:
    size, dim = len(encoded), encoded.latent_dim
    x = encoded.x.flatten(1).double()
    x = x - x.mean(0)
    norms = x.square().sum(1)
    table = None if factors is None or not names else torch.from_numpy(factors).to(x.device)
    differs = x.new_zeros(len(names))
    entropy, squares = x.new_empty(samples, size), x.new_zeros(())
    for s, z in enumerate(drawn(encoded.q, samples, seed)):
        for rows in torch.arange(size, device=z.device).split(max(1, _HELD // (size * dim))):
            weights = log_densities(encoded.q, z[rows])[0].softmax(1)  # q(m|z)
            entropy[s, rows] = -torch.xlogy(weights, weights).sum(1)
            apart = norms[rows, None] + norms - 2 * x[rows] @ x.T
            squares += (weights * apart.clamp(min=0)).sum()
            if table is not None:
                for k, column in enumerate(table.T):
                    differs[k] += (weights * (column[rows, None] != column)).sum()
    count = samples * size
    shares = {}
    for k, name in enumerate(names):
        assert factors is not None
        _, counts = np.unique(factors[:, k], return_counts=True)
        chance = 1 - float(((counts / size) ** 2).sum())
        if chance > 0:
            shares[name] = differs[k].item() / count / chance
    return Overlap(
        entropy=Estimate.of(entropy.mean(0)),
        distance=math.sqrt(squares.item() / count / x.shape[1]),
        chance=math.sqrt(2 * norms.mean().item() / x.shape[1]),
        factors=shares,
        size=size,
    )
