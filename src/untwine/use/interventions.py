r"""Interventions on a code: do(z_j = v), and which factors of the decoded observation answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import check_size
from ..data import FactorDataset, FactorSpace
from ..data.seeds import check_seed
from ..encoding import batch_of, evaluating, placement
from .coding import check_coder
from .factors import FactorScale
from .readers import Reader, reader_of

__all__ = ["ANSWER", "Effects", "intervene"]

ANSWER = 0.1
"""An effect below this share of the difference of two observations is none."""


@dataclass(frozen=True, kw_only=True)
class Effects:
    r"""What the factors of decoded observations do when one dimension of the code is set.

    Attributes:
        names: Of the factors.
        dims: The dimensions that were set.
        values: What each was set to, ``(D, V)``.
        effect: Mean change of a factor between two settings, over its mean difference between two
            observations of the data: 0 is none, 1 as much as another observation; ``(D, K)``.
        low: Lower end of its interval, by bootstrap over observations.
        high: Upper end.
        additive: The share of the change that does not depend on the rest of the code,
            ``(D, K)``: 1 for a mechanism of its own, 0 if what the setting does is up to the other
            dimensions; nan where nothing changes.
        roundtrip: Mean difference between a factor and what is read of the observation decoded from
            its own code, in the same unit, ``(K,)``: what reading and model get wrong by
            themselves.
        reading: The same of observations as they are: what reading alone gets wrong, ``(K,)``.
            A reader that searches among these very observations gets nothing wrong.
        level: Of the intervals.
    """

    names: tuple[str, ...]
    dims: tuple[int, ...]
    values: np.ndarray
    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray
    additive: np.ndarray
    roundtrip: np.ndarray
    reading: np.ndarray
    level: float

    @property
    def answers(self) -> np.ndarray:
        """Which factors answer to which dimension, ``(D, K)`` booleans.

        Those whose interval is above 0.1 and above the roundtrip: what is smaller could be the
        reading.
        """
        return self.low > np.maximum(self.roundtrip, ANSWER)

    @property
    def own_share(self) -> np.ndarray:
        """Of each dimension's effects, the share that is additive, ``(D,)``; nan of none."""
        weights = np.where(np.isnan(self.additive), 0, self.effect)
        total = weights.sum(1)
        share = (np.nan_to_num(self.additive) * weights).sum(1)
        return np.where(total > 0, share / np.where(total > 0, total, 1), np.nan)

    @property
    def compactness(self) -> np.ndarray:
        """The share of each dimension's effects that falls on one factor, ``(D,)``."""
        total = self.effect.sum(1)
        return np.where(total > 0, self.effect.max(1) / np.where(total > 0, total, 1), np.nan)

    def __str__(self) -> str:
        width = max(map(len, self.names), default=4)
        head = " " * 5 + "  ".join(f"{name:>{max(width, 19)}}" for name in self.names)
        lines = [head]
        for j, row in enumerate(self.effect):
            cells = [
                f"{e:.2f} [{lo:.2f}, {hi:.2f}]"
                for e, lo, hi in zip(row, self.low[j], self.high[j], strict=True)
            ]
            lines.append(f"z{self.dims[j]:<4}" + "  ".join(f"{c:>{max(width, 19)}}" for c in cells))
        return "\n".join(lines)


@torch.no_grad()
def intervene(
    method: Any,
    data: FactorDataset,
    reader: Reader | None = None,
    *,
    dims: Sequence[int] | None = None,
    settings: int = 5,
    n: int = 200,
    bootstrap: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Effects:
    r"""Sets one dimension of a code at a time, decodes, and reads the factors of what comes out.

    For observations i and settings v, quantiles of the dimension from 5 % to 95 %, with
    :math:`f_k` what the reader says and :math:`d_k` a distance of two values of factor k,

    .. math::
        e_{jk} = \frac{\mathbb{E}_i \, \mathbb{E}_{v, v'} \, d_k\big(f_k(g(z_i; z_j = v)),
        f_k(g(z_i; z_j = v'))\big)}{\mathbb{E}_{i \ne i'} \, d_k(v_{ik}, v_{i'k})}

    where v and v' are two different settings. The distance is whether two classes differ, the
    absolute difference of ordinal and real levels, and that by the shorter way round of angles. The
    share that is additive splits the variance over settings into that of the mean over observations
    and the interaction with them, both without bias.

    Args:
        method: What represents and decodes.
        data: Observations and their factors; covariates are kept as they are.
        reader: Observations to factors ``(B, K)``; by default `reader_of` the data.
        dims: Which dimensions to set; all by default.
        settings: How many values each is set to.
        n: Observations.
        bootstrap: Resamples of the observations.
        level: Of the intervals.
        seed: Of the draws.

    Returns:
        `Effects`.

    Raises:
        TypeError: for a method that does not decode.
        ValueError: for dimensions that there are none of, factors that are unknown, a level that is
            no share, and a reader of another shape.

    References:
        Robustly Disentangled Causal Mechanisms, Suter, Miladinović, Schölkopf, Bauer, 2019,
        https://arxiv.org/abs/1811.00007 (interventions, there on factors); Counterfactuals uncover
        the modular structure of deep generative models, Besserve et al., 2020,
        https://arxiv.org/abs/1812.03253 (interventions within a generator).
    """
    check_coder(method)
    for name, value in {"settings": settings, "n": n, "bootstrap": bootstrap}.items():
        check_size(name, value, 1 if name == "bootstrap" else 2)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a share between 0 and 1")
    rng = np.random.default_rng(check_seed(seed))
    rows = np.sort(rng.choice(len(data), min(n, len(data)), replace=False))
    factors = data.factors[rows]
    if not factors.shape[1] or (factors < 0).any():
        raise ValueError("the data has observations without known factors, which cannot answer")
    reader = reader_of(data, seed=seed) if reader is None else reader
    with evaluating(method):
        batch = batch_of(method, data, rows)
        z = method.represent(batch).mean
        beside = {} if batch.c is None else {"c": batch.c}
        chosen = tuple(range(z.shape[1])) if dims is None else tuple(int(j) for j in dims)
        outside = [j for j in chosen if not 0 <= j < z.shape[1]]
        if outside:
            raise ValueError(
                f"dims has {outside[0]}; the code has dimensions 0 to {z.shape[1] - 1}"
            )

        def answer_of(observations: Tensor) -> np.ndarray:
            answer = np.asarray(reader(observations.float().cpu()), dtype=np.float64)
            if answer.shape != factors.shape:
                raise ValueError(
                    f"reader returns an array {answer.shape}; expected {factors.shape}, a value of "
                    f"each of {', '.join(data.space.names)}"
                )
            return answer

        def read(codes: Tensor) -> np.ndarray:
            return answer_of(method.decode(codes.to(*placement(method)), **beside).mean)

        plain, roundtrip = answer_of(batch.tensor), read(z)
        points = np.quantile(z.cpu().numpy(), np.linspace(0.05, 0.95, settings), axis=0)
        answers = np.empty((len(chosen), settings, *factors.shape))
        for a, j in enumerate(chosen):
            for b in range(settings):
                code = z.clone()
                code[:, j] = float(points[b, j])
                answers[a, b] = read(code)
    samples = rng.integers(0, len(rows), (bootstrap, len(rows)))
    return Effects(
        names=tuple(data.space.names),
        dims=chosen,
        values=points[:, list(chosen)].T,
        level=level,
        **_effects(
            answers, {"roundtrip": roundtrip, "reading": plain}, factors, data.space, samples, level
        ),
    )


def _effects(
    answers: np.ndarray,
    alone: dict[str, np.ndarray],
    factors: np.ndarray,
    space: FactorSpace,
    samples: np.ndarray,
    level: float,
) -> dict[str, np.ndarray]:
    """From what was read, ``(D, V, n, K)``, and without interventions, to arrays of `Effects`."""
    count, settings, n, width = answers.shape
    tail = (1 - level) / 2
    effect, low, high, additive = (np.full((count, width), np.nan) for _ in range(4))
    errors = {part: np.empty(width) for part in alone}
    first, second = np.triu_indices(settings, 1)
    one, two = np.triu_indices(n, 1)
    for k, (name, size, kind) in enumerate(zip(space.names, space.sizes, space.kinds, strict=True)):
        scale = FactorScale(name, k, size, kind or "ordinal")
        unit = scale.distance(factors[one, k], factors[two, k]).mean()
        unit = unit if unit > 0 else np.inf
        for part, read in alone.items():
            errors[part][k] = scale.distance(read[:, k], factors[:, k]).mean() / unit
        for j in range(count):
            read = answers[j, :, :, k]
            change = scale.distance(read[first], read[second]).mean(0) / unit
            effect[j, k] = change.mean()
            low[j, k], high[j, k] = np.quantile(change[samples].mean(1), [tail, 1 - tail])
            additive[j, k] = _additive(scale.coordinates(read.ravel()).reshape(*read.shape, -1))
    return {
        "effect": effect,
        "low": low,
        "high": high,
        "additive": additive,
        **errors,
    }


def _additive(read: np.ndarray) -> float:
    """Share of the variance over settings, ``(V, n, C)``, that is the same for all observations."""
    n = read.shape[1]
    total = read.var(0, ddof=1).sum(-1).mean()
    if total <= 1e-12:
        return float("nan")
    of_mean = read.mean(1).var(0, ddof=1).sum()
    interaction = (total - of_mean) * n / (n - 1)
    return float(np.clip(1 - interaction / total, 0, 1))
