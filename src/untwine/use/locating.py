r"""Location of an attribute: how much each dimension, each part and the whole code tell of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_size
from ..data.seeds import check_seed
from ..encoding import Codes
from ..metrics._estimators.arrays import as_codes
from ..metrics._estimators.information import histogram_information
from ..metrics._estimators.learners import balanced_accuracy
from ..metrics._estimators.predictors import fit_predictor
from ..metrics._estimators.selection import columns_of, split

__all__ = ["Location", "Recovery", "coded", "locate", "of_width", "recover"]


@dataclass(frozen=True)
class Recovery:
    """What probes read of an attribute on rows that they have not seen, beside chance.

    Attributes:
        linear: The accuracy of logistic regression.
        strong: That of gradient boosting.
        chance: The share of the commonest class, which needs no code.
        balanced: The better probe's accuracy with all classes of equal weight; chance is one by the
            number of classes.
    """

    linear: float
    strong: float
    chance: float
    balanced: float

    @property
    def best(self) -> float:
        """The better one's accuracy."""
        return max(self.linear, self.strong)


@dataclass(frozen=True)
class Location:
    """Where in a code an attribute sits.

    Attributes:
        share: The share of the attribute's entropy that each dimension tells, ``(D,)``, 0 to 1.
        floor: The same with the attribute shuffled, ``(D,)``: what is not above it says nothing.
        parts: What probes read off each named part alone; ``"code"`` is all of it.
    """

    share: np.ndarray
    floor: np.ndarray
    parts: Mapping[str, Recovery]

    @property
    def order(self) -> np.ndarray:
        """The dimensions, those that tell most first."""
        return np.argsort(-self.share, kind="stable")

    def __str__(self) -> str:
        lines = [
            f"z{j}: {self.share[j]:.3f} of the entropy (shuffled {self.floor[j]:.3f})"
            for j in self.order
        ]
        lines += [
            f"{name}: linear {r.linear:.3f}, strong {r.strong:.3f}, chance {r.chance:.3f}"
            for name, r in self.parts.items()
        ]
        return "\n".join(lines)


def locate(
    codes: Codes | Any,
    attribute: Any,
    *,
    blocks: Mapping[str, slice | Sequence[int]] | None = None,
    bins: int = 20,
    seed: int = 0,
) -> Location:
    r"""Finds where an attribute sits in a code.

    Dimension by dimension, :math:`I(z_j; s) / H(s)` by counts in bins, beside its value for a
    shuffled :math:`s`; part by part, what `recover` reads. An attribute that is spread over many
    dimensions may be read off the whole code while each of them tells little.

    Args:
        codes: `Codes`, or an array.
        attribute: A class of each row: numbers or text.
        blocks: Columns of named parts; by default those of `Codes`.
        bins: Bins of each dimension, of equal width.
        seed: Of the shuffling, the split and the probes.

    Shape:
        - codes: ``(N, D)``
        - attribute: ``(N,)``

    Raises:
        ValueError: for an attribute of another length or with a single class.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> s = rng.integers(0, 2, 500)
        >>> z = np.stack([rng.normal(size=500), s + 0.1 * rng.normal(size=500)], 1)
        >>> int(locate(z, s).order[0])
        1
    """
    check_size("bins", bins, 2)
    if isinstance(codes, Codes):
        blocks = codes.blocks if blocks is None else blocks
        codes = codes.mean
    z, s = coded(codes, attribute)
    rng = np.random.default_rng(check_seed(seed))
    shares = []
    for values in (s, rng.permutation(s)):
        information = histogram_information(z, values, bins=bins, kinds=["nominal"])
        shares.append(information.mutual[:, 0] / information.factor_entropy[0])
    columns = {} if not blocks else columns_of(blocks, z.shape[1])
    train, test = split(len(z), None, None, seed, metric="locate")
    parts = {
        str(name): recover(z[train][:, at], s[train], z[test][:, at], s[test], seed=seed)
        for name, at in {**columns, "code": list(range(z.shape[1]))}.items()
    }
    return Location(shares[0], shares[1], parts)


def recover(
    codes: Any, attribute: Any, codes_test: Any, attribute_test: Any, *, seed: int = 0
) -> Recovery:
    """Reads an attribute off codes with a linear and a strong probe.

    Args:
        codes: Rows that the probes learn from.
        attribute: Their classes.
        codes_test: Rows that they are judged on.
        attribute_test: Their classes; one that is never seen in training counts as a mistake.
        seed: Of the boosting.

    Shape:
        - codes: ``(N, D)``, ``(M, D)``
        - attribute: ``(N,)``, ``(M,)``

    Raises:
        ValueError: for lengths that differ, or a single class to learn.
    """
    attribute, attribute_test = np.asarray(attribute), np.asarray(attribute_test)
    z, _ = coded(codes, attribute)
    z_test = as_codes(codes_test, "codes_test")
    if len(z_test) != len(attribute_test) or z_test.shape[1] != z.shape[1]:
        raise ValueError(
            f"codes_test has shape {z_test.shape} and attribute_test {attribute_test.shape}; "
            f"expected as many rows, and {z.shape[1]} dimensions"
        )
    values, s = np.unique(attribute, return_inverse=True)
    names, s_test = np.unique(attribute_test, return_inverse=True)
    number = {value: k for k, value in enumerate(values.tolist())}
    in_train = np.array([number.get(value, -1) for value in names.tolist()])[s_test]
    scores, balanced = {}, {}
    for probe in ("logistic", "fast"):
        guess = fit_predictor(probe, z, s, len(values), seed=seed).predict(z_test)
        scores[probe] = float((guess == in_train).mean())
        seen = in_train >= 0
        balanced[probe] = balanced_accuracy(guess[seen], in_train[seen]) if seen.any() else 0.0
    chance = float((in_train == np.bincount(s).argmax()).mean())
    return Recovery(scores["logistic"], scores["fast"], chance, max(balanced.values()))


def coded(codes: Any, attribute: Any, name: str = "attribute") -> tuple[np.ndarray, np.ndarray]:
    """Codes as an array, and numbers of an attribute's classes.

    Raises:
        ValueError: for lengths that differ, or a single class.
    """
    z = as_codes(codes)
    values, numbers = np.unique(np.asarray(attribute), return_inverse=True)
    if np.shape(attribute) != (len(z),):
        raise ValueError(
            f"{name} has shape {np.shape(attribute)}; expected one class for each of {len(z)} rows"
        )
    if len(values) < 2:
        raise ValueError(
            f"{name} has a single class, {values.tolist()[0]!r}: expected at least two"
        )
    return z, numbers


def of_width(codes: Any, width: int) -> np.ndarray:
    """Codes as an array ``(N, width)`` in double precision.

    Raises:
        ValueError: for another number of dimensions.
    """
    z = as_codes(codes).astype(np.float64)
    if z.shape[1] != width:
        raise ValueError(f"codes has {z.shape[1]} dimensions; expected {width}")
    return z
