"""What each level of a hierarchy costs: its divergence and its share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..checks import check_size
from ..data import FactorDataset
from ..data.seeds import check_seed
from ..encoding import batch_of, evaluating
from ..functional import kl_blocks
from .level_parts import posterior_of_levels, prior_of_levels, seeded
from .models import LatentModel

__all__ = ["LevelRates", "level_rates"]

_ROWS = 128
_ACTIVE = 0.1  # nats


@dataclass(frozen=True)
class LevelRates:
    r"""The divergence of every level, averages over observations.

    .. math::
        \mathbb{E} \, D_{KL}(q(z_l|z_{<l}, x) \,\|\, p(z_l|z_{<l}))

    Attributes:
        names: Of the levels, the uppermost first.
        nats: Their divergences, averages over observations, ``(L,)``.
        errors: Standard errors of these averages, ``(L,)``.
        dims: Code dimensions of each level.

    Example:
        >>> rates = LevelRates(("z_2", "z_1"), np.array([3.0, 9.0]), np.zeros(2), (2, 4))
        >>> rates.share.tolist(), rates.active()
        ([0.25, 0.75], ('z_2', 'z_1'))
    """

    names: tuple[str, ...]
    nats: np.ndarray
    errors: np.ndarray
    dims: tuple[int, ...]

    @property
    def total(self) -> float:
        """Nats of all levels."""
        return float(self.nats.sum())

    @property
    def share(self) -> np.ndarray:
        """Of the total, by level."""
        return self.nats / max(self.total, 1e-12)

    def active(self, nats: float = _ACTIVE) -> tuple[str, ...]:
        """Names of the levels that carry more than so much."""
        return tuple(n for n, value in zip(self.names, self.nats, strict=True) if value > nats)

    def __str__(self) -> str:
        lines = [
            f"{name:>10} {value:8.2f} ± {error:.2f} nats {share:6.1%} in {dim} dimensions"
            for name, value, error, share, dim in zip(
                self.names, self.nats, self.errors, self.share, self.dims, strict=True
            )
        ]
        lines.append(f"{len(self.active())} of {len(self.names)} levels carry more than "
                     f"{_ACTIVE} nats; {self.total:.2f} in all")  # fmt: skip
        return "\n".join(lines)


@torch.no_grad()
def level_rates(
    method: LatentModel, data: FactorDataset, n: int = 1000, seed: int = 0
) -> LevelRates:
    """The divergence of each level from its prior, given samples of the levels above.

    Args:
        method: Whose posterior and prior have levels, or other named blocks.
        data: Observations.
        n: How many of them are looked at.
        seed: Of their choice and of the samples.

    Raises:
        NoDensity: for a method whose code has no levels.
        ValueError: for an ``n`` below 2.
    """
    check_size("n", n, least=2)
    check_seed(seed)
    index = np.arange(len(data))
    if n < len(data):
        index = np.sort(np.random.default_rng([seed, 17]).choice(len(data), n, replace=False))
    parts: list[np.ndarray] = []
    with evaluating(method), seeded(method, seed):
        prior = prior_of_levels(method)
        for rows in np.array_split(index, -(-len(index) // _ROWS)):
            q = posterior_of_levels(method, batch_of(method, data, rows))
            terms = kl_blocks(q, prior, q.rsample())
            parts.append(np.stack([v.double().cpu().numpy() for v in terms.values()]))
    each = np.concatenate(parts, 1)
    errors = each.std(1, ddof=1) / each.shape[1] ** 0.5
    widths = tuple(where.stop - where.start for where in q.slices.values())
    return LevelRates(q.names, each.mean(1), errors, widths)
