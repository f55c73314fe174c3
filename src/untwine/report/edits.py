"""Edits in the report: what moves each factor, and what edits make beside the rendered truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..data import FactorDataset
from ..methods import Decodes
from ..plots.pictures import drawable, mosaic, pictures, vector_bounds
from ..use import Controls, Counterfactuals, counterfactuals
from ..use.truth import renderer_of
from .findings import Findings
from .sheets import png, shrunk
from .subject import Subject

__all__ = ["decoded", "edits"]

_ROWS = 1_500
_EDITS = 40  # of each factor
_SHOWN = 3  # pictures of each factor
_FACTORS = 8  # that have pictures
_WIDEST = 256  # dimensions: the covariance of more takes long, and so does setting each
_FEWEST = 60


def edits(subject: Subject, findings: Findings, seed: int) -> dict[str, Any] | None:
    """What the page says of edits; ``None`` where there is nothing to edit or to follow."""
    pair = decoded(subject, findings)
    if pair is None or len(pair[1]) < _FEWEST:
        return None
    method, data = pair
    try:
        controls = Controls.fit(method, data, n=_ROWS, probe=False, resamples=100, seed=seed)
    except ValueError:  # too few rows have all factors, or codes are no vectors
        return None
    found = None
    try:
        truth = renderer_of(data)
    except ValueError:  # the data is no full grid
        pass
    else:
        found = counterfactuals(
            method, data, controls=controls, probe=False, truth=truth, n=_EDITS, seed=seed,
            shown=_SHOWN,
        )  # fmt: skip
    return {
        "rows": [_row(one.factor, controls, found) for one in controls.controls],
        "truth": found is not None,
        "picture": None if found is None else _picture(found),
        "shown": [] if found is None else list(found.examples)[:_FACTORS],
    }


def decoded(subject: Subject, findings: Findings) -> tuple[Decodes, FactorDataset] | None:
    """The method and the data, where codes can be changed, drawn again and read by factors."""
    method, data = subject.method, subject.data
    if (
        not isinstance(method, Decodes)
        or not isinstance(data, FactorDataset)
        or isinstance(data.shape, Mapping)
        or not drawable(tuple(data.shape))
        or not findings.which.names
        or findings.codes.mean.shape[1] > _WIDEST
    ):
        return None
    return method, data


def _row(factor: str, controls: Controls, found: Counterfactuals | None) -> dict[str, str]:
    one = controls[factor]
    gain = None if found is None else found.values[factor]["gain"]
    return {
        "factor": factor,
        "where": one.where or "nothing",
        "sign": {1: "+", -1: "−", 0: ""}[one.sign],
        "score": f"{one.score:.2f}",
        "interval": f"{one.interval[0]:.2f} to {one.interval[1]:.2f}",
        "whole": f"{one.whole:.2f}",
        "gain": "" if gain is None or not np.isfinite(gain.value) else f"{gain.value:.2f}",
        "gain_interval": ""
        if gain is None or not np.isfinite(gain.value)
        else f"{gain.low:.2f} to {gain.high:.2f}",
    }


def _picture(found: Counterfactuals) -> str:
    """Three rows: observations, what edits made of them, the truth; factors beside each other."""
    chosen = [found.examples[name] for name in list(found.examples)[:_FACTORS]]
    rows = [np.concatenate([one[k].numpy() for one in chosen]) for k in (0, 2, 3)]
    bounds = vector_bounds(*rows) if rows[0].ndim == 2 else None
    return png(mosaic(shrunk(np.stack([pictures(row, 1, bounds) for row in rows]), 64)))
