"""What `evaluate` was given: codes, factors and what comes with them, from whatever people have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics._estimators.arrays import as_codes, as_factors, check
from ..metrics.registry import Metric

__all__ = ["Given", "given"]


@dataclass(frozen=True)
class Given:
    """Checked codes and factors, and what comes with them.

    Attributes:
        codes: ``(N, D)``.
        factors: ``(N, K)``, if there are any.
        names: The factors' names.
        stddev: ``(N, D)``, if there are any.
        blocks: Columns of vector-valued codes.
        discrete_codes: Whether every distinct value of a code is its own bin.
        codes_test: ``(M, D)``, for the test part of metrics that fit something.
        factors_test: ``(M, K)``.
        refused: Why no metric can score these factors, if so.
    """

    codes: np.ndarray
    factors: np.ndarray | None
    names: tuple[str, ...]
    stddev: np.ndarray | None
    blocks: Any
    discrete_codes: bool
    codes_test: np.ndarray | None
    factors_test: np.ndarray | None
    refused: str | None

    def lacks(self, metric: Metric) -> str | None:
        """What this metric needs and the data does not have."""
        for need in metric.needs:
            if need == "factors" and self.factors is None:
                return "needs factors: give factors=, one row per code"
            if need == "factors" and self.refused is not None:
                return self.refused
            if need == "stddev" and self.stddev is None:
                return "needs the posteriors' standard deviations: give stddev="
            if need == "blocks" and self.blocks is None:
                return "needs the columns of vector-valued codes: give blocks="
            if need not in ("factors", "stddev", "blocks"):
                return f"needs {need}: call untwine.metrics.{metric.name} itself"
        return None


def given(
    codes: Any,
    factors: Any = None,
    *,
    names: Sequence[str] | None = None,
    stddev: Any = None,
    blocks: Any = None,
    discrete_codes: bool = False,
    codes_test: Any = None,
    factors_test: Any = None,
) -> Given:
    """Unpacks `Codes`, tables and arrays; the arguments are those of `untwine.evaluate`.

    Raises:
        ValueError: for what no metric could use. Factors that do not vary are noted instead, since
            metrics without factors remain.
    """
    mean = getattr(codes, "mean", None)
    if mean is not None and not callable(mean):  # arrays and frames have a method of that name
        factors = codes.factors if factors is None else factors
        stddev = codes.stddev if stddev is None else stddev
        if names is None:
            names = getattr(codes, "names", None) or codes.space.names
        if codes_test is None and factors_test is None:
            codes_test = getattr(codes, "codes_test", None)
            factors_test = getattr(codes, "factors_test", None)
        codes = mean
    if names is None and hasattr(factors, "columns"):
        names = [str(column) for column in factors.columns]
    if (codes_test is None) != (factors_test is None):
        raise ValueError("codes_test and factors_test belong together: give both, or neither")
    codes = as_codes(codes)
    refused = None
    if factors is not None:
        factors = as_factors(factors)
        if len(codes) != len(factors):
            raise ValueError(
                f"codes has {len(codes)} rows but factors has {len(factors)}: row i of both must "
                "belong to the same observation"
            )
        if names is not None and len(names) != factors.shape[1]:
            raise ValueError(
                f"factors has {factors.shape[1]} columns but names has {len(names)}: {list(names)}"
            )
        try:
            check(codes[:, :1], factors, names=names, unknown=True)
        except ValueError as error:
            refused = str(error)
        names = names or [f"factor {k}" for k in range(factors.shape[1])]
    if stddev is not None:
        stddev = as_codes(stddev, "stddev")
        if stddev.shape != codes.shape:
            raise ValueError(f"stddev has shape {stddev.shape} but codes has {codes.shape}")
    if codes_test is not None:
        codes_test = as_codes(codes_test, "codes_test")
        factors_test = as_factors(factors_test, "factors_test")
        if len(codes_test) != len(factors_test):
            raise ValueError(
                f"codes_test has {len(codes_test)} rows but factors_test has {len(factors_test)}"
            )
        if codes_test.shape[1] != codes.shape[1]:
            raise ValueError(
                f"codes_test has {codes_test.shape[1]} dimensions but codes has {codes.shape[1]}"
            )
    return Given(
        codes,
        factors,
        tuple(names or ()),
        stddev,
        blocks,
        discrete_codes,
        codes_test,
        factors_test,
        refused,
    )
