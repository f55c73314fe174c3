"""Which factor lives at which level of a hierarchy: probes and metrics of each level alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..checks import check_size
from ..encoding import Codes
from ..evaluation import evaluate
from ..metrics import readout

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LevelTable", "level_table"]

_WIDEST = 32  # columns of a level that metrics see
_FITTED = 2000  # rows that principal components are of


@dataclass(frozen=True)
class LevelTable:
    """Which factor lives at which level: what probes and metrics see in each level alone.

    Attributes:
        names: Of the levels, the uppermost first.
        factors: Names of the factors.
        readout: What a linear probe of the level reaches, ``(L, K)``: accuracy, or R2 of a factor
            that is a number; see `metrics.readout`.
        balanced: The accuracy with all values of equal weight; nan for R2.
        chance: What the probe reaches without the code, ``(K,)``.
        scores: By level and metric, its value and that by chance (nan where not asked for).
        columns: How many columns of each level were looked at, principal components where these
            are fewer than its dimensions.
    """

    names: tuple[str, ...]
    factors: tuple[str, ...]
    readout: np.ndarray
    balanced: np.ndarray
    chance: np.ndarray
    scores: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    columns: tuple[int, ...] = ()

    @property
    def best(self) -> dict[str, str]:
        """By factor, the level that it is read off best."""
        return {f: self.names[int(self.readout[:, k].argmax())] for k, f in enumerate(self.factors)}

    def to_frame(self) -> pd.DataFrame:
        """A row per level, then chance; columns are factors, then metrics and their chance."""
        import pandas as pd

        frame = pd.DataFrame(self.readout, index=list(self.names), columns=list(self.factors))
        metrics = list(dict.fromkeys(n for of_level in self.scores.values() for n in of_level))
        for metric in metrics:
            pairs = [self.scores[level].get(metric, (np.nan, np.nan)) for level in self.names]
            frame[metric] = [value for value, _ in pairs]
            frame[f"{metric}, chance"] = [chance for _, chance in pairs]
        frame.loc["chance", list(self.factors)] = self.chance
        return frame

    def __str__(self) -> str:
        return self.to_frame().round(3).to_string(na_rep="")


def level_table(
    codes: Codes,
    *,
    metrics: str | Sequence[str] = ("mig", "dci", "infomec"),
    chance: int | None = None,
    widest: int = _WIDEST,
    sampled: bool = False,
    seed: int = 0,
) -> LevelTable:
    """Which factor lives at which level, with chance beside it.

    A linear probe reads each factor off each level alone, and every metric is computed on each
    level alone. A level of more than ``widest`` dimensions is looked at through its first principal
    components (computed without factors), which rotate its axes: scores of single dimensions,
    such as MIG, then speak of components.

    Args:
        codes: With `Codes.blocks`, as `untwine.encode` gives them.
        metrics: Names of metrics, or ``"default"``, see `untwine.evaluate`; none is fine.
        chance: So many permutations of the factors' rows for each metric's chance; none without.
        widest: The most columns of a level.
        sampled: Whether to read samples of the posteriors instead of their means. Means are without
            noise: a level that lets hardly a nat through may tell as much by them as one that
            holds everything.
        seed: Of splits, permutations and samples.

    Raises:
        ValueError: for codes without levels or factors, and samples of codes that are no Gaussians.

    Example:
        >>> from untwine.data import FactorSpace
        >>> factors = np.stack(np.unravel_index(np.arange(600) % 6, (2, 3)), 1)
        >>> space = FactorSpace(("shape", "place"), (2, 3))
        >>> z = np.stack([factors[:, 0], factors[:, 1] == 1, factors[:, 1] == 2], 1) * 1.0
        >>> codes = Codes(z, None, factors, space, {"z_2": slice(0, 1), "z_1": slice(1, 3)})
        >>> level_table(codes, metrics=()).best
        {'shape': 'z_2', 'place': 'z_1'}
    """
    if not codes.blocks:
        raise ValueError("codes has no blocks: encode with a method whose code has levels")
    if not codes.factors.shape[1]:
        raise ValueError("codes has no factors: nothing can be read off its levels")
    check_size("widest", widest)
    varying = [k for k in range(codes.factors.shape[1]) if len(np.unique(codes.factors[:, k])) > 1]
    names = tuple(codes.space.names[k] for k in varying)
    kinds = tuple(codes.space.kinds[k] for k in varying)
    factors = codes.factors[:, varying]
    z = codes.mean
    if sampled:
        if codes.stddev is None:
            raise ValueError("codes have no standard deviations, so none are drawn: sampled=False")
        z = z + codes.stddev * np.random.default_rng([seed, 19]).normal(size=z.shape).astype(
            z.dtype
        )
    levels = {n: _narrow(z[:, where], widest) for n, where in codes.blocks.items()}
    ends = np.cumsum([0, *(part.shape[1] for part in levels.values())])
    columns = {n: list(range(a, b)) for n, a, b in zip(levels, ends, ends[1:], strict=False)}
    probe = readout(
        np.concatenate(list(levels.values()), 1), factors, columns, kinds=kinds, seed=seed
    )
    scores: dict[str, dict[str, tuple[float, float]]] = {}
    for level, part in levels.items() if metrics else ():
        table = evaluate(part, factors, metrics, chance=chance, names=names, kinds=kinds,
                         seed=seed, progress=False)  # fmt: skip
        by_chance = table.beside.get("chance", {})
        scores[level] = {
            name: (score.value, by_chance.get(name, np.nan)) for name, score in table.scores.items()
        }
    parts = probe.parts
    return LevelTable(
        tuple(levels), names, parts["matrix"], parts["balanced"], parts["chance"], scores,
        tuple(part.shape[1] for part in levels.values()),
    )  # fmt: skip


def _narrow(z: np.ndarray, widest: int) -> np.ndarray:
    """A level, or its first principal components."""
    if z.shape[1] <= widest:
        return z
    some = z[np.linspace(0, len(z) - 1, min(_FITTED, len(z))).astype(int)]
    center = some.mean(0)
    _, _, axes = np.linalg.svd(some - center, full_matrices=False)
    return (z - center) @ axes[:widest].T
