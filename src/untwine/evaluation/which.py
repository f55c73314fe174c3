"""Which dimension follows which factor, as a table and in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.space import Kinds
from ..metrics import dimension_kl
from ..metrics._estimators.arrays import sentinel
from ..metrics._estimators.information import histogram_information
from .inputs import Inputs, as_inputs

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["CLEAR", "QUIET", "Which", "which", "which_of"]

QUIET = 0.02
"""Of the most active dimension: less is called inactive."""
CLEAR = 0.3
"""Of a factor's entropy: a dimension that tells more follows that factor."""
_SEEN = 0.05


@dataclass(frozen=True, eq=False)
class Which:
    """What each dimension is of; ``print`` says it in sentences.

    Attributes:
        names: The factors that are known and vary somewhere, ``(K,)``.
        strength: How active each dimension is, ``(D,)``.
        measure: What ``strength`` is: ``"KL"`` in nats or ``"std"``, a standard deviation.
        information: Mutual information of dimensions and factors in nats, ``(D, K)``; ``None``
            without factors.
        share: The same over the factors' entropies.
        reason: Why ``strength`` is no divergence, if it is none.
    """

    names: tuple[str, ...]
    strength: np.ndarray
    measure: str
    _: KW_ONLY
    information: np.ndarray | None = None
    share: np.ndarray | None = None
    reason: str | None = None

    def __repr__(self) -> str:
        return f"Which({len(self.strength)} dimensions; factors {', '.join(self.names) or 'none'})"

    def __str__(self) -> str:
        return " ".join(self.sentences)

    @property
    def order(self) -> list[int]:
        """Dimensions, the most active one first."""
        return np.argsort(-self.strength, kind="stable").tolist()

    @property
    def active(self) -> list[int]:
        """Those above `QUIET` of the most active one, which comes first."""
        least = QUIET * max(float(self.strength.max()), 0.0)
        return [j for j in self.order if self.strength[j] > least]

    @property
    def sentences(self) -> list[str]:
        """Which active dimension follows which factor, what is in none, how many are off."""
        words = []
        active, count = self.active, len(self.strength)
        if self.share is not None and self.names:
            words += _followed(self.share, self.names, active)
        quiet = count - len(active)
        if not active:
            words.append("No dimension is active: the code says nothing of the observations.")
        elif quiet:
            words.append(f"{_count(quiet)} of the {count} dimensions {_are(quiet)} off.")
        return words

    def match(self, dimension: int) -> tuple[str, float] | None:
        """The factor that a dimension tells most of, and the share of its entropy, if any."""
        if self.share is None:
            return None
        k = int(self.share[dimension].argmax())
        share = float(self.share[dimension, k])
        return (self.names[k], share) if share >= _SEEN else None

    def dimension(self, factor: str) -> int | None:
        """The active dimension that tells most of a factor, if it follows it.

        Raises:
            ValueError: for a factor that is not there.
        """
        if self.share is None or factor not in self.names:
            raise ValueError(f"factor is {factor!r}; expected one of {', '.join(self.names)}")
        shares = self.share[:, self.names.index(factor)]
        best = max(self.active, key=lambda j: shares[j], default=None)
        return best if best is not None and shares[best] >= CLEAR else None

    def table(self) -> DataFrame:
        """Shares of the factors' entropies, a row for each dimension, the most active one first."""
        import pandas

        frame = pandas.DataFrame(
            np.empty((len(self.strength), 0)) if self.share is None else self.share,
            index=[f"z{j}" for j in range(len(self.strength))],
            columns=list(self.names),
        )
        frame.insert(0, self.measure, self.strength)
        return frame.iloc[self.order]


def which(
    codes: Any,
    factors: Any = None,
    *,
    names: Sequence[str] | None = None,
    stddev: Any = None,
    unknown: float | str | None = -1,
    kinds: Kinds = None,
) -> Which:
    r"""Which dimension of a code follows which factor.

    The share that dimension :math:`z_j` tells of factor :math:`v_k` is

    .. math::
        s_{jk} = \frac{I(z_j; v_k)}{H(v_k)},

    by the plug-in estimate over 20 bins of equal width. A dimension follows the factors of which it
    tells 0.3 or more. It is active if its divergence from the prior (its standard deviation, where
    q(z|x) or p(z) is not Gaussian) is above 0.02 of the most active one's. It is what the report
    says first, and `untwine measure` last.

    Args:
        codes: `Codes`, a `Table` of `untwine.evaluation.read`, or an array ``(N, D)``.
        factors: ``(N, K)``, taken from ``codes`` if it has them.
        names: The factors' names.
        stddev: The posteriors' standard deviations ``(N, D)``; the prior is taken for N(0, I).
        unknown: The value that means unknown, beside nan; see `untwine.evaluate`.
        kinds: What each factor is, in order or by name; see `untwine.evaluate`.

    Raises:
        ValueError: for what `untwine.evaluate` refuses.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> factors = rng.integers(0, 4, (1000, 3))
        >>> codes = np.stack([factors[:, 2], rng.normal(size=1000), -factors[:, 0]], 1)
        >>> told = which(codes, factors, names=["shape", "size", "place"])
        >>> print(told.sentences[0])
        z0 follows place (1.00 of its entropy); z2 follows shape (1.00).
        >>> told.dimension("place"), told.dimension("size")
        (0, None)
    """
    inputs = as_inputs(codes, factors, names=names, stddev=stddev, unknown=unknown, kinds=kinds)
    return which_of(inputs)


def which_of(inputs: Inputs) -> Which:
    """The same, of checked codes and factors."""
    strength, measure, reason = _strength(inputs)
    if inputs.factors is None or not inputs.names:
        return Which((), strength, measure, reason=reason)
    information = histogram_information(
        inputs.codes, inputs.factors, unknown=sentinel(inputs.factors), kinds=inputs.kinds
    )
    return Which(
        inputs.names,
        strength,
        measure,
        information=information.mutual,
        share=information.normalized("factor"),
        reason=reason,
    )


def _strength(inputs: Inputs) -> tuple[np.ndarray, str, str | None]:
    """How active each dimension is, in which unit, and why that is not a KL divergence."""
    spread = inputs.codes.std(0).astype(np.float64)
    if inputs.stddev is None:
        return spread, "std", "the codes have no Gaussian posterior"
    if inputs.facts is not None and not inputs.facts.standard_normal_prior:
        return spread, "std", "the prior is no standard normal: the divergence has no closed form"
    return dimension_kl(inputs.codes, inputs.stddev).parts["kl"], "KL", None


def _followed(share: np.ndarray, names: Sequence[str], active: Sequence[int]) -> list[str]:
    """Which active dimension follows which factor, what is spread, and what is nowhere."""
    clear = {j: [k for k in range(len(names)) if share[j, k] >= CLEAR] for j in active}
    unit, single = " of its entropy", []
    for j, ks in clear.items():
        told = []
        for k in sorted(ks, key=lambda k: -share[j, k]):
            told.append(f"{names[k]} ({share[j, k]:.2f}{unit})")
            unit = ""  # said once
        if told:
            single.append(f"z{j} follows {_both(told)}")
    held = {k for ks in clear.values() for k in ks}
    nowhere = [names[k] for k in range(len(names)) if k not in held]
    loose = [f"z{j}" for j, ks in sorted(clear.items()) if not ks]
    words = [f"{'; '.join(single)}." if single else "No single dimension follows a factor."]
    if single and nowhere:
        words.append(f"In no single dimension: {_both(nowhere)}.")
    elif single and len(names) > 1:
        words.append("Every factor is in some dimension.")
    if loose and single:
        active_too = "is active and follows" if len(loose) == 1 else "are active and follow"
        words.append(f"{_both(loose)} {active_too} no factor.")
    return words


def _both(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _count(count: int) -> str:
    numerals = ("None", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    return numerals[count] if count < len(numerals) else str(count)
