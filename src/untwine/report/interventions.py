"""Interventions in the report: which factors answer when one dimension of a code is set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data import FactorDataset, Subset
from ..methods import Decodes
from ..plots.pictures import drawable
from ..use import Effects, intervene, reader_of
from ..use.interventions import ANSWER
from .findings import Findings
from .subject import Subject

__all__ = ["interventions", "sentence"]

_ROWS = 40  # that are intervened on
_SETTINGS = 5
_SEARCHED = 2_000  # observations that are compared with what is decoded
_NUMBERS = 10_000_000  # pixels in these, at the most
_DIMS = 10
_FACTORS = 12
_WIDEST = 256  # dimensions of a code, as for edits
_FEWEST = 100  # observations
_NAMED = 4  # dimensions in a sentence


def interventions(subject: Subject, findings: Findings, seed: int) -> dict[str, Any] | None:
    """What the page says of do(z_j = v); ``None`` where nothing can be set, decoded or read.

    Factors are read by the inverse of the renderer where the library knows it, and otherwise by
    search among observations that are not intervened on.
    """
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
    known = np.flatnonzero((data.factors >= 0).all(1))
    if len(known) < _FEWEST:
        return None
    count = min(_SEARCHED, max(_NUMBERS // int(np.prod(data.shape)), _FEWEST))
    rows = np.random.default_rng([seed, 19]).permutation(known)
    rest = Subset(data, np.sort(rows[_ROWS : _ROWS + count]))
    try:
        found = intervene(
            method,
            Subset(data, np.sort(rows[:_ROWS])),
            reader_of(rest, seed=seed),
            dims=sorted(findings.which.order[:_DIMS]),
            settings=_SETTINGS,
            n=_ROWS,
            bootstrap=200,
            seed=seed,
        )
    except ValueError:  # what it decodes takes more than a code
        return None
    return {
        "rows": [_row(found, d) for d in range(len(found.dims))],
        "factors": found.names[:_FACTORS],
        "errors": {
            "roundtrip": _numbers(found.roundtrip[:_FACTORS]),
            "reading alone": _numbers(found.reading[:_FACTORS]),
        },
        "said": sentence(found),
        "count": _ROWS,
        "left_out": findings.codes.mean.shape[1] - len(found.dims),
        "factors_left_out": max(len(found.names) - _FACTORS, 0),
    }


def sentence(found: Effects) -> str:
    """Which dimension moves which factors, and which factors nothing moves."""
    answers = found.answers
    order = sorted(np.flatnonzero(answers.any(1)), key=lambda d: -found.effect[d].sum())
    words = []
    for d in order[:_NAMED]:
        moved = [found.names[k] for k in np.flatnonzero(answers[d])]
        alone = " and nothing else" if len(moved) == 1 else ""
        words.append(f"z{found.dims[d]} moves {_listed(moved)}{alone}")
    more = len(order) - _NAMED
    if more > 0:
        words.append(f"{more} more dimension{'s move' if more > 1 else ' moves'} something")
    unmoved = [found.names[k] for k in range(len(found.names)) if not answers[:, k].any()]
    if len(unmoved) == len(found.names):
        return "No dimension moves any factor further than reading and model err by themselves."
    if unmoved:
        words.append(f"nothing moves {_listed(unmoved)} further than reading and model err")
    return "; ".join(words) + "."


def _row(found: Effects, d: int) -> dict[str, Any]:
    name = f"z{found.dims[d]}"
    cells = []
    for k, factor in enumerate(found.names[:_FACTORS]):
        additive = found.additive[d, k]
        interval = f"{found.low[d, k]:.2f} to {found.high[d, k]:.2f}"
        same = "" if np.isnan(additive) else f"; {additive:.0%} the same whatever the rest is"
        cells.append(
            {
                "effect": f"{found.effect[d, k]:.2f}",
                "interval": interval,
                "shade": f"{min(float(found.effect[d, k]), 1):.2f}",
                "answers": bool(found.answers[d, k]),
                "title": f"do({name}) on {factor}: {found.effect[d, k]:.2f}, {interval}{same}",
            }
        )
    shares = np.array([found.compactness[d], found.own_share[d]])
    one, own = _numbers(shares if found.effect[d].max() >= ANSWER else np.full(2, np.nan))
    return {"name": name, "cells": cells, "one": one, "own": own}


def _numbers(values: np.ndarray) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.2f}" for value in values]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
