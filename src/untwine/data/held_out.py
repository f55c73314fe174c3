"""Held-out combinations of factors: what was never seen together in training.

References:
    The role of Disentanglement in Generalisation, Montero, Ludwig, Costa, Malhotra, Bowers, 2021,
    https://openreview.net/forum?id=qbH974jKUVy (recombination to element, to range, extrapolation).
    Visual Representation Learning Does Not Generalize Strongly Within the Same Domain, Schott et
    al., 2022, https://arxiv.org/abs/2107.08221 (random, composition, interpolation, extrapolation).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from .dataset import FactorDataset, Subset
from .lookup import FactorLookup
from .seeds import check_seed
from .space import FactorSpace

__all__ = ["HeldOut", "HeldOutAtRandom", "corner"]

Part = Literal["train", "test"]


class HeldOut(Subset):
    """All but the observations at which some factors have certain values, or these alone.

    One factor at one value asks for extrapolation, two at one value each for a combination whose
    parts were seen, and several at several values for a corner of the grid (`corner`).

    Args:
        data: The data set.
        at: The values that are held out, by factor: one or several. An observation is held out if
            *every* named factor has one of its values.
        part: "train" for what is left, "test" for what is held out.

    Raises:
        ValueError: for factors and values that there are none of, and if a part would be empty.

    Example:
        >>> table = FactorSpace(("shape", "color"), (3, 4)).factors(np.arange(12))
        >>> data = FactorDataset.from_arrays(np.zeros((12, 2)), table, names=["shape", "color"])
        >>> train = HeldOut(data, {"shape": 2, "color": [2, 3]})
        >>> test = HeldOut(data, {"shape": 2, "color": [2, 3]}, part="test")
        >>> len(train), test.factors.tolist()
        (10, [[2, 2], [2, 3]])
    """

    needs = "a data set"

    def __init__(
        self,
        data: FactorDataset,
        at: Mapping[str, int | Sequence[int]],
        part: Part = "train",
    ) -> None:
        if not at:
            raise ValueError("at is empty: name a factor and the values that are held out")
        held = np.ones(len(data), np.bool_)
        for name, values in at.items():
            column = data.space.position(name)
            size = data.space.sizes[column]
            numbers = [values] if isinstance(values, int | np.integer) else [int(v) for v in values]
            for value in numbers:
                if not 0 <= value < size:
                    raise ValueError(f"factor {name!r} has the values 0 to {size - 1}, not {value}")
            held &= np.isin(data.factors[:, column], numbers)
        super().__init__(data, _part(held, part, f"the values {dict(at)}"))
        self.at, self.part = dict(at), part


class HeldOutAtRandom(Subset):
    """All but a share of the combinations of some factors, or the observations of these alone.

    Combinations are drawn, not observations: what is held out was never seen with any value of the
    other factors. Every value of every factor that has one in the data keeps one in what is left.

    Args:
        data: The data set.
        fraction: Of the combinations that occur, how many are held out.
        factors: The factors whose combinations these are; by default all of them.
        seed: Of the draw.
        part: "train" for what is left, "test" for what is held out.

    Raises:
        ValueError: if a part would be empty, or if a value can only be held out whole.

    Example:
        >>> table = FactorSpace(("shape", "color", "x"), (3, 4, 5)).factors(np.arange(60))
        >>> names = ["shape", "color", "x"]
        >>> data = FactorDataset.from_arrays(np.zeros((60, 2)), table, names=names)
        >>> test = HeldOutAtRandom(data, 0.25, ["shape", "color"], part="test")
        >>> len(test), len(np.unique(test.factors[:, :2], axis=0))
        (15, 3)
    """

    needs = "a data set"

    def __init__(
        self,
        data: FactorDataset,
        fraction: float,
        factors: Sequence[str] | None = None,
        seed: int = 0,
        part: Part = "train",
    ) -> None:
        if not 0 < fraction < 1:
            raise ValueError(f"fraction is {fraction}; expected a share between 0 and 1")
        names = list(data.space.names) if factors is None else list(factors)
        if not names:
            raise ValueError("the data has no factors, and so no combinations to hold out")
        columns = [data.space.position(name) for name in names]
        table = FactorLookup(data.space, data.factors)
        complete = np.flatnonzero((data.factors[:, columns] >= 0).all(axis=1))
        if not len(complete):
            raise ValueError(f"no observation has known values of {names}")
        keys, first, combination = np.unique(
            table.keys(complete, columns), return_index=True, return_inverse=True
        )
        count = round(fraction * len(keys))
        if not 0 < count < len(keys):
            raise ValueError(
                f"fraction {fraction} holds {count} of {len(keys)} combinations out; both parts "
                "need at least one"
            )
        values = data.factors[complete[first]][:, columns]
        order = np.random.default_rng(check_seed(seed)).permutation(len(keys))
        out = _spared(values, order, count, names)
        held = np.zeros(len(data), np.bool_)
        held[complete] = out[combination.reshape(-1)]
        super().__init__(data, _part(held, part, f"a share of {fraction}"))
        self.fraction, self.names, self.seed, self.part = fraction, names, seed, part


def corner(
    space: FactorSpace, share: float, names: Sequence[str] | None = None
) -> dict[str, list[int]]:
    """The last values of some factors: a corner of the grid, for `HeldOut`.

    Args:
        space: The factors.
        share: Of the combinations of these factors, about what the corner has; each factor gives
            the same share of its values, and at least one.
        names: Which factors; by default those with more than one value.

    Raises:
        ValueError: for a share outside (0, 1), and factors that there are none of.

    Example:
        >>> corner(FactorSpace(("a", "b"), (4, 10)), 0.25)
        {'a': [2, 3], 'b': [5, 6, 7, 8, 9]}
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; expected one between 0 and 1")
    if names is None:
        names = [n for n, s in zip(space.names, space.sizes, strict=True) if s > 1]
    if not names:
        raise ValueError("there is no factor with several values, and so no corner")
    per_factor = math.exp(math.log(share) / len(names))
    sizes = {name: space.sizes[space.position(name)] for name in names}
    return {
        n: list(range(s - max(1, min(s - 1, round(per_factor * s))), s)) for n, s in sizes.items()
    }


def _spared(values: np.ndarray, order: np.ndarray, count: int, names: list[str]) -> np.ndarray:
    """Which combinations are held out, the first of an order that leave no value without one."""
    counts_of = [np.bincount(column) for column in values.T]
    out = np.zeros(len(values), np.bool_)
    for row in order:
        if all(counts[value] > 1 for counts, value in zip(counts_of, values[row], strict=True)):
            out[row] = True
            for counts, value in zip(counts_of, values[row], strict=True):
                counts[value] -= 1
            count -= 1
            if not count:
                return out
    raise ValueError(
        f"{out.sum()} of the {len(values)} combinations of {names} are all that can be held "
        "out without losing a value: use a smaller fraction, or HeldOut for whole values"
    )


def _part(held: np.ndarray, part: str, reason: str) -> np.ndarray:
    if part not in ("train", "test"):
        raise ValueError(f"part is {part!r}; expected 'train' or 'test'")
    if held.all() or not held.any():
        where = "every" if held.any() else "no"
        raise ValueError(
            f"{where} observation has {reason}: both parts need at least one observation"
        )
    return np.flatnonzero(held if part == "test" else ~held)
