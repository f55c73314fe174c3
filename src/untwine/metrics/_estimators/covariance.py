r"""Covariances of blocks of codes, and their whitening."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import as_codes
from .selection import columns_of
from .splits import Columns

__all__ = ["SINGULAR", "covariance_of", "whitening"]

#: Eigenvalues of a correlation matrix below this are zero but for rounding.
SINGULAR = 1e-13


#: Rows that are held in double precision at once.
_ROWS = 1 << 16


def covariance_of(
    codes: Any, blocks: Columns | None
) -> tuple[np.ndarray, list[list[int]], dict[str, Any]]:
    """The covariance of those columns that are in a block, and each block's rows in it."""
    z = as_codes(codes)
    if len(z) < 2:
        raise ValueError("a covariance needs at least two points; got 1")
    protocol: dict[str, Any] = {"estimator": "sample covariance", "points": len(z)}
    if blocks is None:
        block_columns = [[j] for j in range(z.shape[1])]
    else:
        block_columns = list(columns_of(blocks, z.shape[1]).values())
        protocol["blocks"] = len(blocks)
        z = z[:, [j for block in block_columns for j in block]]
    ends = np.cumsum([len(block) for block in block_columns])
    groups = [list(range(end - len(b), end)) for b, end in zip(block_columns, ends, strict=True)]
    constant = z.min(axis=0) == z.max(axis=0)  # whose mean may be off by rounding
    center = np.where(constant, z[0], z.mean(axis=0, dtype=np.float64))
    covariance = np.zeros((z.shape[1], z.shape[1]))
    for part in np.array_split(z, -(-len(z) // _ROWS)):
        part = part - center
        covariance += part.T @ part
    return covariance / (len(z) - 1), groups, protocol


def whitening(covariance: np.ndarray, group: list[int]) -> np.ndarray:
    """A map from all columns to a block's uncorrelated ones of unit variance, ``(D, rank)``."""
    inner = covariance[np.ix_(group, group)]
    scale = np.sqrt(np.diag(inner))
    varies = scale > 0
    scale = scale[varies]
    values, vectors = np.linalg.eigh(inner[np.ix_(varies, varies)] / np.outer(scale, scale))
    positive = values > SINGULAR
    white = np.zeros((len(covariance), int(positive.sum())))
    white[np.array(group)[varies]] = (
        vectors[:, positive] / np.sqrt(values[positive]) / scale[:, None]
    )
    return white
