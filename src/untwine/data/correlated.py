r"""Correlated factors: samplers and data sets in which some combinations are rarer than others.

The settings are those of two studies; both draw combinations with the probabilities of
`Correlation`.

References:
    On Disentangled Representations Learned from Correlated Data, Träuble et al., 2021,
    https://arxiv.org/abs/2006.07886, equation 1.
    Disentanglement of Correlated Factors via Hausdorff Factorized Support, Roth, Ibrahim, Akata,
    Vincent, Bouchacourt, 2023, https://arxiv.org/abs/2210.07347, Section 5 and the code released
    with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..checks import check_scale
from ..spec import Recorded
from .batches import Images
from .dataset import FactorDataset, Subset
from .modalities import Data
from .sampler import Draw, Sampler, one_modality
from .seeds import check_seed
from .space import FactorSpace

__all__ = [
    "Correlated",
    "CorrelatedSampler",
    "Correlation",
    "confounder",
    "correlated_settings",
    "row_weights",
]


@dataclass(frozen=True)
class Correlation(Recorded):
    r"""A correlation of two factors: combinations near the diagonal of their values are likely.

    .. math::
        p(c_1, c_2) \propto e^{-(c_1 - c_2)^2 / 2 \sigma^2}

    with both factors scaled to [0, 1], from their first value to their last.

    Args:
        first: A factor.
        second: Another.
        width: :math:`\sigma`, the width of the line. 0.1 is strong, 0.7 weak.
        inverse: Whether the diagonal falls: high values go with low ones.

    Raises:
        ValueError: for a factor with itself, and a width that is not positive.

    Example:
        >>> Correlation("shape", "scale", 0.1)
        Correlation(first='shape', second='scale', width=0.1, inverse=False)
    """

    first: str
    second: str
    width: float
    inverse: bool = False

    def __post_init__(self) -> None:
        if self.first == self.second:
            raise ValueError(f"first and second are both {self.first!r}; expected two factors")
        check_scale("width", self.width)


def confounder(
    space: FactorSpace, factor: str, width: float, inverse: bool = False
) -> tuple[Correlation, ...]:
    """One factor correlated with every other, as a common cause would do it.

    Args:
        space: The factors; those of a single value are passed over.
        factor: Which of them.
        width: Of each correlation.
        inverse: See `Correlation`.

    Raises:
        ValueError: if there is no such factor.

    Example:
        >>> space = FactorSpace(("shape", "scale", "x"), (3, 6, 32))
        >>> [(c.first, c.second) for c in confounder(space, "x", 0.2)]
        [('x', 'shape'), ('x', 'scale')]
    """
    space.position(factor)
    partners = [n for n, s in zip(space.names, space.sizes, strict=True) if n != factor and s > 1]
    return tuple(Correlation(factor, second, width, inverse) for second in partners)


class CorrelatedSampler(Sampler[np.ndarray]):
    r"""Rows whose factors are correlated, drawn with replacement; makes `Images`.

    A row has the probability :math:`\prod_i p_i` of the correlations. For pairs, groups and other
    supervision under correlated factors make a data set, `Correlated`, and give it to their
    samplers.

    Args:
        correlations: Of which factors, and how strong.

    Raises:
        ValueError: for no correlations, for factors that there are none of or that take a single
            value, and for a table without a row whose values are known.

    References:
        Träuble et al., 2021, https://arxiv.org/abs/2006.07886, equation 1.

    Example:
        >>> space = FactorSpace(("a", "b"), (10, 10))
        >>> factors = space.factors(np.arange(100))
        >>> draw = CorrelatedSampler([Correlation("a", "b", 0.1)]).bind(space, factors)
        >>> rows = draw(1000, np.random.default_rng(0))
        >>> bool(np.corrcoef(factors[rows].T)[0, 1] > 0.8)
        True
    """

    supervision = Images

    def __init__(self, correlations: Sequence[Correlation]) -> None:
        self.correlations = tuple(correlations)

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[np.ndarray]:
        total = np.cumsum(row_weights(self.correlations, space, factors))

        def draw(n: int, generator: np.random.Generator) -> np.ndarray:
            return np.searchsorted(total, generator.random(n) * total[-1], side="right")

        return draw

    def batch(self, data: Data, indices: np.ndarray, draw: int = 0) -> Images:
        return one_modality(data).batch(indices, draw)


class Correlated(Subset):
    """Observations of another data set, drawn once so that their factors are correlated.

    What is rare may not be there at all, and what is common is there many times: any sampler,
    split and metric sees the correlation.

    Args:
        data: The data set.
        correlations: Of which factors, and how strong.
        n: How many observations are drawn, with replacement; by default as many as there are.
        seed: Of the draw.

    Raises:
        ValueError: for fewer than one observation, and what `CorrelatedSampler` refuses.

    Example:
        >>> table = FactorSpace(("a", "b"), (10, 10)).factors(np.arange(100))
        >>> data = FactorDataset.from_arrays(np.zeros((100, 2)), table, names=["a", "b"])
        >>> biased = Correlated(data, [Correlation("a", "b", 0.1)], n=1000)
        >>> bool(np.corrcoef(biased.factors.T)[0, 1] > 0.8)
        True
    """

    needs = "a data set"

    def __init__(
        self,
        data: FactorDataset,
        correlations: Sequence[Correlation],
        n: int | None = None,
        seed: int = 0,
    ) -> None:
        n = len(data) if n is None else n
        if n < 1:
            raise ValueError(f"n is {n}; expected at least 1 observation")
        draw = CorrelatedSampler(correlations).bind(data.space, data.factors)
        rows = draw(n, np.random.default_rng(check_seed(seed)))
        super().__init__(data, np.sort(rows))
        self.correlations, self.seed = tuple(correlations), seed


def row_weights(
    correlations: Sequence[Correlation], space: FactorSpace, factors: np.ndarray
) -> np.ndarray:
    """The probability of every row, up to a factor, under some correlations.

    Rows in which a correlated factor is unknown have none.

    Shape:
        factors ``(N, K)``; returns ``(N,)`` of float64.

    Raises:
        ValueError: see `CorrelatedSampler`.
    """
    if not correlations:
        raise ValueError("correlations is empty: name at least one, such as Correlation(a, b, 0.1)")
    complete = np.ones(len(factors), np.bool_)
    exponent = np.zeros(len(factors))
    for correlation in correlations:
        positions = []
        for name in (correlation.first, correlation.second):
            column = space.position(name)
            if space.sizes[column] < 2:
                raise ValueError(f"factor {name!r} has one value, so nothing correlates with it")
            complete &= factors[:, column] >= 0
            positions.append(factors[:, column] / (space.sizes[column] - 1))
        first, second = positions
        distance = first - (1 - second if correlation.inverse else second)
        exponent -= distance**2 / (2 * correlation.width**2)
    if not complete.any():
        raise ValueError("the correlated factors are unknown in every row")
    exponent -= exponent[complete].max()
    return np.where(complete, np.exp(exponent), 0.0)


def correlated_settings(space: FactorSpace) -> dict[str, tuple[Correlation, ...]]:
    """The correlations of published studies for a set of the field, recognized by its factors.

    ``pair``, ``pairs`` and ``triple`` are one, two and three correlations at once, ``confounder``
    one factor with every other (Roth et al. 2023: thirteen for Shapes3D); names that begin with
    ``traeuble`` are those of Träuble et al. 2021, in whose code widths from 1 on are uniform.

    Args:
        space: Of dSprites, Shapes3D (and `Rooms3D`), MPI3D or Cars3D.

    Raises:
        ValueError: for other factors.

    Example:
        >>> from untwine.data import DSprites
        >>> for name, correlations in list(correlated_settings(DSprites.space).items())[:2]:
        ...     print(name, correlations[0])
        pair 1, width 0.1 Correlation(first='shape', second='scale', width=0.1, inverse=False)
        pair 2, width 0.1 Correlation(first='posX', second='posY', width=0.1, inverse=False)
    """
    for names, table in _TABLES:
        if set(names) == set(space.names):
            return _settings(space, table)
    raise ValueError(
        f"there are no published settings for the factors {list(space.names)}; there are for "
        f"{', '.join(str(list(names)) for names, _ in _TABLES)}: name your own with Correlation"
    )


_Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Table:
    pair: _Pairs
    pairs: tuple[_Pairs, ...] = ()
    triple: tuple[_Pairs, ...] = ()
    confounder: tuple[str, ...] = ()
    traeuble: tuple[tuple[str, tuple[str, str]], ...] = ()
    widths: tuple[float, ...] = (0.1,)


_TABLES: tuple[tuple[tuple[str, ...], _Table], ...] = (
    (
        ("shape", "scale", "orientation", "posX", "posY"),
        _Table(
            pair=(("shape", "scale"), ("posX", "posY"), ("shape", "posY")),
            pairs=(
                (("shape", "posX"), ("scale", "posY")),
                (("shape", "scale"), ("posX", "posY")),
            ),
            confounder=("shape", "posX"),
            traeuble=(("B", ("posX", "posY")),),
        ),
    ),
    (
        ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"),
        _Table(
            pair=(("floor_hue", "wall_hue"), ("shape", "scale"), ("shape", "wall_hue")),
            pairs=(
                (("scale", "floor_hue"), ("shape", "wall_hue")),
                (("scale", "shape"), ("floor_hue", "wall_hue")),
            ),
            triple=(
                (("scale", "orientation"), ("shape", "wall_hue"), ("object_hue", "floor_hue")),
                (("object_hue", "orientation"), ("shape", "scale"), ("floor_hue", "wall_hue")),
            ),
            confounder=("shape", "wall_hue"),
            traeuble=(
                ("A", ("scale", "orientation")),
                ("D", ("object_hue", "scale")),
                ("E", ("object_hue", "orientation")),
            ),
        ),
    ),
    (
        ("color", "shape", "size", "height", "background", "horizontal", "vertical"),
        _Table(
            pair=(("height", "background"), ("color", "size"), ("horizontal", "vertical")),
            pairs=(
                (("color", "shape"), ("horizontal", "vertical")),
                (("color", "horizontal"), ("shape", "vertical")),
            ),
            triple=(
                (("color", "background"), ("height", "horizontal"), ("shape", "vertical")),
                (("color", "shape"), ("horizontal", "vertical"), ("background", "height")),
            ),
            confounder=("shape", "horizontal"),
            traeuble=(("C", ("horizontal", "vertical")),),
        ),
    ),
    (
        ("elevation", "azimuth", "car"),
        _Table(
            pair=(("elevation", "azimuth"), ("elevation", "car"), ("azimuth", "car")),
            confounder=("elevation", "azimuth", "car"),
            widths=(0.1, 0.2),
        ),
    ),
)


def _settings(space: FactorSpace, table: _Table) -> dict[str, tuple[Correlation, ...]]:
    settings: dict[str, tuple[Correlation, ...]] = {}

    def add(name: str, pairs: _Pairs, width: float) -> None:
        settings[f"{name}, width {width:g}"] = tuple(Correlation(a, b, width) for a, b in pairs)

    for width in table.widths:
        for i, pair in enumerate(table.pair, 1):
            add(f"pair {i}", (pair,), width)
    for i, pairs in enumerate(table.pairs, 1):
        for width in (0.04, 0.1, 0.4):
            add(f"pairs {i}", pairs, width)
    for i, pairs in enumerate(table.triple, 1):
        add(f"triple {i}", pairs, 0.1)
    for i, factor in enumerate(table.confounder, 1):
        settings[f"confounder {i}, width 0.2"] = confounder(space, factor, 0.2)
    for letter, pair in table.traeuble:
        for width in (0.2, 0.4, 0.7):
            add(f"traeuble {letter}", (pair,), width)
    return settings
