"""Codes, factors and what comes with them, checked: what all metrics of one evaluation work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..data.space import Kind, Kinds, as_kinds
from ..encoding import Codes, Facts
from ..metrics._estimators.arrays import UNKNOWN, as_codes, as_factors, constant, factor_parts
from ..metrics._estimators.kinds import of_columns, radians
from ..metrics.chance import shuffle
from ..metrics.registry import Metric
from .codes_table import Table

__all__ = ["Inputs", "as_inputs"]

_ROLES = ("label", "batch", "label or batch")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Checked codes and factors, and what comes with them.

    Attributes:
        codes: ``(N, D)``.
        factors: ``(N, K)``, those that vary, if there are any.
        names: Their names.
        stddev: ``(N, D)``, if there are any.
        blocks: Columns of vector-valued codes: each counts as one code.
        parts: Columns of the code's named parts, for metrics that compare these.
        facts: What posterior and prior are, if that is known.
        discrete_codes: Whether every distinct value of a code is its own bin.
        label: Which factor, by column, says what each row is, if that is stated.
        batch: Which factor says where each row comes from.
        clusters: Of the rows, ``(N,)`` or responsibilities ``(N, C)``, if there are any.
        kinds: What each factor is, ``None`` where it is not stated; angles are in radians.
        codes_test: ``(M, D)``, for the test part of metrics that fit something.
        factors_test: ``(M, K)``.
        left_out: Why a factor is not among ``factors``, by name.
        groups: ``(N,)``: rows of one group are not split.
    """

    codes: np.ndarray
    factors: np.ndarray | None = None
    names: tuple[str, ...] = ()
    stddev: np.ndarray | None = None
    blocks: Any = None
    parts: Any = None
    facts: Facts | None = None
    discrete_codes: bool = False
    label: int | None = None
    batch: int | None = None
    clusters: np.ndarray | None = None
    kinds: tuple[Kind | None, ...] = ()
    codes_test: np.ndarray | None = None
    factors_test: np.ndarray | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    groups: np.ndarray | None = None

    def lacks(self, metric: Metric) -> str | None:
        """What this metric needs and the data does not have."""
        for need in metric.needs:
            if need == "factors":
                if self.factors is None:
                    return self._no_factors()
            elif need == "stddev":
                if self.stddev is None:
                    return self._no_stddev()
            elif need == "blocks":
                if not self.parts:
                    return "needs the columns of vector-valued codes: give blocks="
            elif need in _ROLES:
                if not self.columns(need):
                    roles = need.replace(" or ", "= or ")
                    return f"needs to know which factor is the {need}: give {roles}="
            else:
                return f"needs {need}: call untwine.metrics.{metric.name} itself"
        if "standard normal prior" in metric.assumes:
            return self._other_prior()
        return None

    def shuffled(self, seed: int, number: int) -> Inputs:
        """The same codes beside the factors of other rows, drawn."""
        factors, separate = self.factors, self.factors_test
        return replace(
            self,
            factors=None if factors is None else shuffle(factors, seed, number),
            factors_test=None if separate is None else shuffle(separate, seed, number),
        )

    def sampled(self, seed: int) -> Inputs:
        """A sample of each posterior in the place of its mean.

        Raises:
            ValueError: where posteriors have no standard deviations, and for separate test codes.
        """
        if self.stddev is None:
            raise ValueError(f"sampled codes: {self._no_stddev()}")
        if self.codes_test is not None:
            raise ValueError("sampled codes: codes_test has no standard deviations to draw from")
        noise = np.random.default_rng([seed, 3]).standard_normal(self.codes.shape)
        return replace(self, codes=self.codes + self.stddev * noise)

    def columns(self, role: str) -> list[int]:
        """The factors that are the ``label``, the ``batch``, or either."""
        column_of_role = {"label": self.label, "batch": self.batch}
        return [
            k for name, k in column_of_role.items() if k is not None and name in role.split(" or ")
        ]

    def roles(self, metric: Metric) -> list[int] | None:
        """The factors that a metric is about, if not all."""
        role = next((role for role in _ROLES if role in metric.needs), None)
        return None if role is None else self.columns(role)

    @property
    def offers(self) -> frozenset[str]:
        """Those needs that a default suite keeps silent about where they are not met."""
        needs = {"blocks"} if self.parts else set()
        return frozenset(needs | {role for role in _ROLES if self.columns(role)})

    @property
    def has_density(self) -> bool:
        """Whether posteriors are Gaussian, none of them certain, and the prior is N(0, I)."""
        return self.stddev is not None and not self._other_prior() and bool((self.stddev > 0).all())

    def _no_factors(self) -> str:
        if not self.left_out:
            return "needs factors: give factors=, one row per code"
        reasons = ", ".join(f"factor {name!r} has {why}" for name, why in self.left_out.items())
        return f"needs a factor that varies: {reasons}"

    def _no_stddev(self) -> str:
        if self.facts is None:
            return "needs the posteriors' standard deviations: give stddev="
        if self.facts.gaussian:
            return "needs the posteriors' standard deviations, but these codes are certain"
        return (
            "needs standard deviations of Gaussian posteriors, but q(z|x) is "
            f"{self.facts.posterior}"
        )

    def _other_prior(self) -> str | None:
        if self.facts is None or self.facts.standard_normal_prior:
            return None
        if self.facts.prior is None:
            return "assumes a standard normal prior, but the method has none"
        return f"assumes a standard normal prior, but p(z) is a {self.facts.prior} of its own"


def as_inputs(
    codes: Any,
    factors: Any = None,
    *,
    names: Sequence[str] | None = None,
    stddev: Any = None,
    blocks: Any = None,
    discrete_codes: bool = False,
    label: str | int | None = None,
    batch: str | int | None = None,
    clusters: Any = None,
    codes_test: Any = None,
    factors_test: Any = None,
    unknown: float | str | None = UNKNOWN,
    groups: Any = None,
    kinds: Kinds = None,
) -> Inputs:
    """Unpacks `Codes`, tables and arrays; the arguments are those of `untwine.evaluate`.

    A factor that does not vary cannot be scored: it is left out here, for every metric.

    Raises:
        ValueError: for what no metric could use.
    """
    parts, facts = blocks, None
    source_kinds: Sequence[Kind | None] | None = None
    if isinstance(codes, Codes):
        parts = codes.blocks if blocks is None else blocks
        facts = codes.facts
        names = codes.space.names if names is None else names
        if factors is None and codes.space.names:
            user_kinds = as_kinds(kinds, names)
            source_kinds = [
                user_kind or space_kind
                for user_kind, space_kind in zip(user_kinds, codes.space.kinds, strict=True)
            ]
            factors = radians(codes.factors, source_kinds, codes.space.sizes)
    elif isinstance(codes, Table):
        if factors is None:
            factors, source_kinds = codes.factors, codes.kinds
        names = codes.names if names is None else names
        if codes_test is None and factors_test is None:
            clusters = codes.clusters if clusters is None else clusters
            codes_test, factors_test = codes.codes_test, codes.factors_test
    if isinstance(codes, Codes | Table):
        stddev = codes.stddev if stddev is None else stddev
        codes = codes.mean
    if names is None and hasattr(factors, "columns"):
        names = [str(column) for column in factors.columns]
    if hasattr(factors, "columns"):
        source_kinds = of_columns(factors)
    if (codes_test is None) != (factors_test is None):
        raise ValueError("codes_test and factors_test belong together: give both, or neither")
    codes = as_codes(codes)
    if stddev is not None:
        stddev = as_codes(stddev, "stddev")
        if stddev.shape != codes.shape:
            raise ValueError(f"stddev has shape {stddev.shape} but codes has {codes.shape}")
    if codes_test is not None:
        codes_test = _test_part(codes, codes_test, factors_test)
    if clusters is not None:
        clusters = np.asarray(clusters.detach().cpu() if hasattr(clusters, "detach") else clusters)
        if len(clusters) != len(codes):
            raise ValueError(f"clusters has {len(clusters)} rows but codes has {len(codes)}")
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != (len(codes),):
            raise ValueError(
                f"groups has shape {groups.shape}; expected a label for each of {len(codes)} rows"
            )
        if codes_test is not None:
            raise ValueError("groups= is for a split, but codes_test= is given")
    left_out: dict[str, str] = {}
    all_names: list[str] = []
    every_kind: tuple[Kind | None, ...] = ()
    varying: list[int] = []
    if factors is not None:
        if factors_test is None:
            factors = as_factors(factors, unknown=unknown)
        else:
            factors, factors_test = factor_parts(factors, factors_test, unknown=unknown)
        names = _names(codes, factors, names)
        every_kind = as_kinds(kinds, names)
        if source_kinds is not None:
            every_kind = tuple(a or b for a, b in zip(every_kind, source_kinds, strict=True))
        still = constant(factors)
        all_names = names
        left_out = {names[k]: why for k, why in still.items()}
        varying = [k for k in range(factors.shape[1]) if k not in still]
        names = [names[k] for k in varying]
        if factors_test is not None and still:
            factors_test = factors_test[:, varying]
        if still:
            factors = factors[:, varying] if varying else None
    return Inputs(
        codes=codes,
        factors=factors,
        names=tuple(names or ()),
        stddev=stddev,
        blocks=blocks,
        parts=parts,
        facts=facts,
        discrete_codes=discrete_codes,
        label=_role("label", label, all_names, left_out),
        batch=_role("batch", batch, all_names, left_out),
        clusters=clusters,
        kinds=tuple(every_kind[k] for k in varying),
        codes_test=codes_test,
        factors_test=factors_test,
        left_out=left_out,
        groups=groups,
    )


def _role(
    role: str, factor: str | int | None, names: Sequence[str], left_out: Mapping[str, str]
) -> int | None:
    """The column, among the factors that vary, of the one that is named or numbered."""
    if factor is None:
        return None
    listing = ", ".join(names) or "none"
    if isinstance(factor, str):
        name = factor
    elif 0 <= factor < len(names):
        name = names[factor]
    else:
        raise ValueError(f"{role} is {factor}; expected one of {len(names)} factors: {listing}")
    if name in left_out:
        raise ValueError(f"factor {name!r} cannot be the {role}: it has {left_out[name]}")
    if name not in names:
        raise ValueError(f"{role} is {name!r}; expected the name of a factor: {listing}")
    return [n for n in names if n not in left_out].index(name)


def _names(codes: np.ndarray, factors: np.ndarray, names: Sequence[str] | None) -> list[str]:
    """A name for each factor, with as many rows of factors as of codes."""
    if len(codes) != len(factors):
        raise ValueError(
            f"codes has {len(codes)} rows but factors has {len(factors)}: row i of both must "
            "belong to the same observation"
        )
    if not names:
        return [f"factor {k}" for k in range(factors.shape[1])]
    if len(names) != factors.shape[1]:
        raise ValueError(
            f"factors has {factors.shape[1]} columns but names has {len(names)}: {list(names)}"
        )
    return [str(name) for name in names]


def _test_part(codes: np.ndarray, codes_test: Any, factors_test: Any) -> np.ndarray:
    codes_test = as_codes(codes_test, "codes_test")
    if len(codes_test) != len(factors_test):
        raise ValueError(
            f"codes_test has {len(codes_test)} rows but factors_test has {len(factors_test)}"
        )
    if codes_test.shape[1] != codes.shape[1]:
        raise ValueError(
            f"codes_test has {codes_test.shape[1]} dimensions but codes has {codes.shape[1]}"
        )
    return codes_test
