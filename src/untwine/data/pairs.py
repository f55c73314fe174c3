"""Samplers of pairs that differ in few factors."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np

from ..checks import check_scale
from .batches import Pairs
from .lookup import FactorLookup
from .modalities import Data
from .sampler import Draw, Sampler, paired
from .space import FactorSpace

__all__ = ["AdjacentPairsSampler", "LaplacePairsSampler", "PairsSampler"]

_RANDOM = ("any", "locatello2020")
_ROUNDS = 1000
_TRIES = 8


class PairsSampler(Sampler[np.ndarray]):
    r"""Pairs of rows that differ in exactly :math:`k` factors; makes `Pairs`.

    Which factors differ is drawn uniformly for each pair, and so are the first row and, among the
    rows that qualify, the second. Where the table is no full grid, a first row and a choice of
    factors without any second row are drawn again.

    Args:
        changed: :math:`k`; or "any", a number from 1 to one less than the number of factors, drawn
            uniformly for each pair, as the paper says; or "locatello2020", as the authors' code
            has it: in half of the pairs one factor, in the others such a number, is drawn anew,
            from all values, so that it may stay. Factors with a single value do not count.

    Raises:
        ValueError: if there are fewer than ``changed`` factors, and if no such pairs are found.

    References:
        Weakly-Supervised Disentanglement Without Compromises, Locatello et al., 2020,
        https://arxiv.org/abs/2002.02886, Section 5: k = 1, and k = Rnd ("any" here); the code
        released with it, disentanglement_lib's ``simple_dynamics``.

    Deviations:
        But for "locatello2020" the values of a factor that changes always differ. On dSprites
        "any" changes 2.5 factors of 5 on average, "locatello2020" 1.54, and nothing in 7 % of
        pairs.

    Example:
        >>> space = FactorSpace(("a", "b", "c"), (3, 4, 5))
        >>> factors = space.factors(np.arange(60))
        >>> draw = PairsSampler(2).bind(space, factors)
        >>> pairs = draw(100, np.random.default_rng(0))
        >>> np.unique((factors[pairs[:, 0]] != factors[pairs[:, 1]]).sum(1))
        array([2])
    """

    supervision = Pairs

    def __init__(self, changed: int | Literal["any", "locatello2020"] = "any") -> None:
        if changed not in _RANDOM and (not isinstance(changed, int) or changed < 1):
            raise ValueError(
                f"changed is {changed!r}; expected a number from 1 on, or "
                f"{' or '.join(map(repr, _RANDOM))}"
            )
        self.changed = changed

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[np.ndarray]:
        table = FactorLookup(space, factors)
        varying = len(table.varying)
        least = self.changed if isinstance(self.changed, int) else 1
        if varying < least:
            differences = "one factor" if least == 1 else f"{least} factors"
            raise ValueError(
                f"pairs must differ in {differences}, but in the {len(table.complete)} rows whose "
                f"factors are all known, of {len(factors)}, only {varying} factors take several "
                f"values: {[space.names[k] for k in table.varying]}"
            )
        row_of = table.row_of
        if row_of is None:
            self._look_up(table, 1, np.random.default_rng(0))  # refuses a table without any pair
            return partial(self._look_up, table)

        def draw(n: int, generator: np.random.Generator) -> np.ndarray:
            first = generator.integers(0, len(factors), size=n)
            values, sizes = factors[first], np.array(space.sizes)
            least = 0 if self._may_stay else 1
            shift = generator.integers(least, np.maximum(sizes, 2), size=values.shape)
            second = (values + shift * self._choose(table, n, generator)) % sizes
            return np.stack([first, row_of[space.index(second)]], axis=1)

        return draw

    def batch(self, data: Data, indices: np.ndarray, draw: int = 0) -> Pairs:
        return paired(data, indices, draw)

    @property
    def _may_stay(self) -> bool:
        """Whether a factor's new value may be the old one."""
        return self.changed == "locatello2020"

    def _choose(self, table: FactorLookup, n: int, generator: np.random.Generator) -> np.ndarray:
        """Which factors change, ``(n, K)`` of bool."""
        varying = len(table.varying)
        if isinstance(self.changed, int):
            k = np.full((n, 1), self.changed)
        else:
            k = generator.integers(1, max(varying, 2), size=(n, 1))
            if self.changed == "locatello2020":
                k = np.where(generator.integers(0, 2, size=(n, 1)) == 0, 1, k)
        # The ranks of random numbers are a random order, of which the first k are taken.
        ranks = generator.random((n, varying)).argsort(axis=1).argsort(axis=1)
        changed = np.zeros((n, len(table.space.names)), np.bool_)
        changed[:, table.varying] = ranks < k
        return changed

    def _look_up(self, table: FactorLookup, n: int, generator: np.random.Generator) -> np.ndarray:
        pairs = np.empty((n, 2), np.int64)
        missing = np.arange(n)
        for _ in range(_ROUNDS):
            first = table.complete[generator.integers(0, len(table.complete), size=len(missing))]
            changed = self._choose(table, len(missing), generator)
            second = np.full(len(missing), -1, np.int64)
            kinds, kind = np.unique(changed, axis=0, return_inverse=True)
            for i, mask in enumerate(kinds):
                of_kind = np.flatnonzero(kind.reshape(-1) == i)
                if self._may_stay:
                    groups = table.groups(np.flatnonzero(~mask))
                    second[of_kind] = groups.pick(first[of_kind], generator)
                else:
                    second[of_kind] = _partners(table, first[of_kind], mask, generator)
            has_partner = second >= 0
            pairs[missing[has_partner]] = np.stack([first, second], axis=1)[has_partner]
            missing = missing[~has_partner]
            if not len(missing):
                return pairs
        names = [table.space.names[k] for k in table.varying]
        number = str(self.changed) if isinstance(self.changed, int) else "some"
        raise ValueError(
            f"{_ROUNDS} draws gave no two rows that differ in exactly {number} of the factors "
            f"{names} and agree in the others: the table of {len(table.factors)} rows has no such "
            "pairs, or hardly any; choose another number for changed, or drop a factor that is "
            "different in every row"
        )


class LaplacePairsSampler(Sampler[np.ndarray]):
    r"""Pairs of rows whose factors change by sparse steps, as in natural scenes; makes `Pairs`.

    The first row is drawn uniformly; every factor, independently of the others, goes from its
    value v to v' with

    .. math::
        \Pr(v' | v) \propto e^{-\lambda |v' - v|}

    over the values that it has. The order of a factor's values is taken to mean something. Pairs
    in which nothing changed are among them.

    Args:
        rate: :math:`\lambda`, per step from one value to the next; larger means sparser.

    Raises:
        ValueError: for a rate that is not positive, and for a table that does not have every
            combination of its factors' values exactly once.

    References:
        Towards Nonlinear Disentanglement in Natural Data with Temporal Sparse Coding, Klindt et
        al., 2021, https://arxiv.org/abs/2007.10930, Section 5.1 (the LAP data sets).

    Example:
        >>> space = FactorSpace(("a", "b"), (3, 20))
        >>> factors = space.factors(np.arange(60))
        >>> draw = LaplacePairsSampler().bind(space, factors)
        >>> pairs = draw(1000, np.random.default_rng(0))
        >>> step = abs(factors[pairs[:, 0]] - factors[pairs[:, 1]])[:, 1]
        >>> bool((step == 0).mean() > (step == 1).mean() > (step == 4).mean())
        True
    """

    supervision = Pairs

    def __init__(self, rate: float = 1.0) -> None:
        check_scale("rate", rate)
        self.rate = rate

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[np.ndarray]:
        row_of = FactorLookup(space, factors).row_of
        if row_of is None:
            raise ValueError(
                f"the table of {len(factors)} rows does not have every combination of the factors "
                f"{list(space.names)} exactly once, so that a step may lead nowhere: use "
                "PairsSampler"
            )
        steps = [np.arange(size) for size in space.sizes]
        chances = [np.exp(-self.rate * abs(v - v[:, None])).cumsum(axis=1) for v in steps]

        def draw(n: int, generator: np.random.Generator) -> np.ndarray:
            first = generator.integers(0, len(factors), size=n)
            second = factors[first].copy()
            for k, chance in enumerate(chances):
                below = chance[second[:, k]] < generator.random((n, 1)) * chance[second[:, k], -1:]
                second[:, k] = below.sum(axis=1)
            return np.stack([first, row_of[space.index(second)]], axis=1)

        return draw

    def batch(self, data: Data, indices: np.ndarray, draw: int = 0) -> Pairs:
        return paired(data, indices, draw)


class AdjacentPairsSampler(Sampler[np.ndarray]):
    """Pairs of rows ``2i`` and ``2i + 1``, as a `TorchDataset` of pairs has them; makes `Pairs`.

    Raises:
        ValueError: for an odd number of rows.

    Example:
        >>> draw = AdjacentPairsSampler().bind(FactorSpace((), ()), np.empty((6, 0), int))
        >>> draw(2, np.random.default_rng(0))
        array([[4, 5],
               [2, 3]])
    """

    supervision = Pairs

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[np.ndarray]:
        if len(factors) % 2 or not len(factors):
            raise ValueError(f"{len(factors)} rows are no pairs: expected an even number of them")

        def draw(n: int, generator: np.random.Generator) -> np.ndarray:
            return 2 * generator.integers(0, len(factors) // 2, size=(n, 1)) + np.arange(2)

        return draw

    def batch(self, data: Data, indices: np.ndarray, draw: int = 0) -> Pairs:
        return paired(data, indices, draw)


def _partners(
    table: FactorLookup, first: np.ndarray, changed: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """For each row one that differs in exactly the ``changed`` columns, or -1 if there is none."""
    blocks = table.groups(np.flatnonzero(~changed))
    second = np.full(len(first), -1, np.int64)

    def fits(candidate: np.ndarray, row: np.ndarray) -> np.ndarray:
        values = table.factors[candidate][:, changed]
        return ((values != table.factors[row][..., changed]) & (values >= 0)).all(axis=1)

    missing = np.arange(len(first))
    for _ in range(_TRIES):  # in a large block a random row will soon fit
        candidate = blocks.pick(first[missing], generator)
        good = fits(candidate, first[missing])
        second[missing[good]] = candidate[good]
        missing = missing[~good]
        if not len(missing):
            return second
    for i in missing:  # in a small one, all are looked at
        members = blocks.members(first[i])
        members = members[fits(members, first[i : i + 1])]
        if len(members):
            second[i] = members[generator.integers(0, len(members))]
    return second
