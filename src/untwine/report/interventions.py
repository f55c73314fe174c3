"""Interventions in the report: which factors answer when one dimension of a code is set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data import Subset
from ..use import Effects, intervene, reader_of
from ..use.interventions import ANSWER
from .edits import decoded
from .findings import Findings
from .subject import Subject

__all__ = ["interventions", "sentence"]

_ROWS = 40  # that are intervened on
_SETTINGS = 5
_SEARCHED = 2_000  # observations that are compared with what is decoded
_NUMBERS = 10_000_000  # pixels in these, at the most
_DIMS = 10
_FACTORS = 12
_FEWEST = 100  # observations
_NAMED = 4  # dimensions in a sentence


def interventions(subject: Subject, findings: Findings, seed: int) -> dict[str, Any] | None:
    """What the page says of do(z_j = v); ``None`` where nothing can be set, decoded or read.

    Factors are read by the inverse of the renderer where the library knows it, and otherwise by
    search among observations that are not intervened on.
    """
    pair = decoded(subject, findings)
    if pair is None:
        return None
    method, data = pair
    complete = np.flatnonzero((data.factors >= 0).all(1))
    if len(complete) < _FEWEST:
        return None
    count = min(_SEARCHED, max(_NUMBERS // int(np.prod(data.shape)), _FEWEST))
    rows = np.random.default_rng([seed, 19]).permutation(complete)
    searched = Subset(data, np.sort(rows[_ROWS : _ROWS + count]))
    try:
        effects = intervene(
            method,
            Subset(data, np.sort(rows[:_ROWS])),
            reader_of(searched, seed=seed),
            dims=sorted(findings.which.order[:_DIMS]),
            settings=_SETTINGS,
            n=_ROWS,
            bootstrap=200,
            seed=seed,
        )
    except ValueError:  # what it decodes takes more than a code
        return None
    return {
        "rows": [_row(effects, d) for d in range(len(effects.dims))],
        "factors": effects.names[:_FACTORS],
        "errors": {
            "roundtrip": _numbers(effects.roundtrip[:_FACTORS]),
            "reading alone": _numbers(effects.reading[:_FACTORS]),
        },
        "said": sentence(effects),
        "count": _ROWS,
        "left_out": findings.codes.mean.shape[1] - len(effects.dims),
        "factors_left_out": max(len(effects.names) - _FACTORS, 0),
    }


def sentence(effects: Effects) -> str:
    """Which dimension moves which factors, and which factors nothing moves."""
    answers = effects.answers
    order = sorted(np.flatnonzero(answers.any(1)), key=lambda d: -effects.effect[d].sum())
    words = []
    for d in order[:_NAMED]:
        moved = [effects.names[k] for k in np.flatnonzero(answers[d])]
        alone = " and nothing else" if len(moved) == 1 else ""
        words.append(f"z{effects.dims[d]} moves {_listed(moved)}{alone}")
    more = len(order) - _NAMED
    if more > 0:
        words.append(f"{more} more dimension{'s move' if more > 1 else ' moves'} something")
    unmoved = [effects.names[k] for k in range(len(effects.names)) if not answers[:, k].any()]
    if len(unmoved) == len(effects.names):
        return "No dimension moves any factor further than reading and model err by themselves."
    if unmoved:
        words.append(f"nothing moves {_listed(unmoved)} further than reading and model err")
    return "; ".join(words) + "."


def _row(effects: Effects, d: int) -> dict[str, Any]:
    name = f"z{effects.dims[d]}"
    cells = []
    for k, factor in enumerate(effects.names[:_FACTORS]):
        effect, additive = float(effects.effect[d, k]), effects.additive[d, k]
        interval = f"{effects.low[d, k]:.2f} to {effects.high[d, k]:.2f}"
        constant = "" if np.isnan(additive) else f"; {additive:.0%} the same whatever the rest is"
        cells.append(
            {
                "effect": f"{effect:.2f}",
                "interval": interval,
                "shade": f"{min(effect, 1):.2f}",
                "answers": bool(effects.answers[d, k]),
                "title": f"do({name}) on {factor}: {effect:.2f}, {interval}{constant}",
            }
        )
    shares = np.array([effects.compactness[d], effects.own_share[d]])
    on_one, additive_share = _numbers(
        shares if effects.effect[d].max() >= ANSWER else np.full(2, np.nan)
    )
    return {"name": name, "cells": cells, "one": on_one, "own": additive_share}


def _numbers(values: np.ndarray) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.2f}" for value in values]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
