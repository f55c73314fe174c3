"""Ladders of codes that get worse in one way, from a perfect code down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..metrics import METRICS

__all__ = ["LADDERS", "PROPERTIES", "SIZES", "Ladder", "codes_on", "draw_factors"]

SIZES = (3, 6, 40, 32, 32)
"""How many values the factors have: those of dSprites."""

PROPERTIES = ("modularity", "compactness", "explicitness", "invariance")
"""What a ladder may take from a code, in the words of `Metric.captures`."""


@dataclass(frozen=True)
class Ladder:
    """Codes that get worse in one way, from a perfect one.

    Attributes:
        name: What is done to the code.
        about: The same in a sentence.
        falls: What of a representation gets worse on the way down, in the words of
            `Metric.captures`; the rest stays as it is.
        climb: ``(factors, rung, generator)`` to codes, ``rung`` from 0 (perfect) to 1.
    """

    name: str
    about: str
    falls: tuple[str, ...]
    climb: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]

    def expects(self, metric: str) -> Literal["falls", "stays"] | None:
        """What a score ought to do on the way down; ``None`` if it asks for something else."""
        captures = set(METRICS[metric].captures)
        asked = captures & {*PROPERTIES}
        if not asked or "factors" not in METRICS[metric].needs:
            return None
        return "falls" if asked & set(self.falls) else "stays"


def _standard(factors: np.ndarray) -> np.ndarray:
    middle = (np.array(SIZES) - 1) / 2
    return (factors - middle) / np.sqrt((np.array(SIZES) ** 2 - 1) / 12)


def _rotated(factors: np.ndarray, rung: float, rng: np.random.Generator) -> np.ndarray:
    z, angle = _standard(factors), rung * np.pi / 4
    c, s = np.cos(angle), np.sin(angle)
    for i, j in ((0, 1), (2, 3), (4, 0)):
        z[:, i], z[:, j] = c * z[:, i] - s * z[:, j], s * z[:, i] + c * z[:, j]
    return _seen(z, rng)


def _duplicated(factors: np.ndarray, rung: float, rng: np.random.Generator) -> np.ndarray:
    z = _standard(factors)
    copies = rung * z + np.sqrt(1 - rung**2) * rng.standard_normal(z.shape)
    return _seen(np.concatenate([z, copies], axis=1), rng)


def _merged(factors: np.ndarray, rung: float, rng: np.random.Generator) -> np.ndarray:
    z = _standard(factors)
    merged = z.copy()
    for i, j in ((1, 0), (3, 2)):  # dimension i takes factor j in, which its own one loses
        merged[:, i] = (z[:, i] + rung * z[:, j]) / np.sqrt(1 + rung**2)
        merged[:, j] = (1 - rung) * z[:, j] + rung * rng.standard_normal(len(z))
    return _seen(merged, rng)


def _noisy(factors: np.ndarray, rung: float, rng: np.random.Generator) -> np.ndarray:
    return _seen(_standard(factors), rng, 0.05 + 2.0 * rung)


def _correlated(factors: np.ndarray, rung: float, rng: np.random.Generator) -> np.ndarray:
    return _seen(_standard(factors), rng)


def _seen(z: np.ndarray, rng: np.random.Generator, deviation: float = 0.05) -> np.ndarray:
    """Codes as an encoder gives them: not exact."""
    return z + deviation * rng.standard_normal(z.shape)


LADDERS: Mapping[str, Ladder] = {
    ladder.name: ladder
    for ladder in (
        Ladder(
            "rotated",
            "pairs of dimensions are rotated, by up to 45 degrees",
            ("modularity", "compactness", "invariance"),
            _rotated,
        ),
        Ladder(
            "duplicated",
            "each factor is in a second dimension, too, more and more clearly",
            ("compactness",),
            _duplicated,
        ),
        Ladder(
            "merged",
            "two dimensions take in a second factor, whose own dimensions turn into noise",
            ("modularity", "explicitness", "invariance"),
            _merged,
        ),
        Ladder(
            "noisy",
            "noise is added to all dimensions",
            ("compactness", "explicitness"),
            _noisy,
        ),
        Ladder(
            "correlated",
            "the code is perfect, and factors of the data are correlated, by up to 0.9",
            (),
            _correlated,
        ),
    )
}
"""What is done to perfect codes; names by what is done."""


def draw_factors(n: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """Factors of the sizes of dSprites, ``(n, 5)``; the third and fourth, and the last and second,
    are correlated by a Gaussian copula.
    """
    from scipy.special import ndtr

    normal = rng.standard_normal((n, len(SIZES)))
    for i, j in ((2, 3), (4, 1)):
        normal[:, j] = correlation * normal[:, i] + np.sqrt(1 - correlation**2) * normal[:, j]
    uniform = np.clip(ndtr(normal), 0, 1 - 1e-12)
    return (uniform * np.array(SIZES)).astype(np.int64)


def codes_on(name: str, rung: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and factors on one rung of a ladder.

    Args:
        name: Of the ladder.
        rung: From 0, a perfect code, to 1.
        n: Rows.
        seed: Of factors and noise.

    Example:
        >>> codes, factors = codes_on("rotated", 0.5, 100, 0)
        >>> codes.shape, factors.shape
        ((100, 5), (100, 5))
    """
    rng = np.random.default_rng([seed, sorted(LADDERS).index(name), round(1000 * rung)])
    factors = draw_factors(n, 0.9 * rung if name == "correlated" else 0.0, rng)
    return LADDERS[name].climb(factors, rung, rng), factors
