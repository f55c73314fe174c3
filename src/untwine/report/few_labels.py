"""Few labels in the report: factors learned from the code, beside components of observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_size
from ..data import FactorDataset, Subset
from ..encoding import encode
from ..metrics._estimators.arrays import is_known
from ..plots.style import ACCENT, INK, MUTED, SIZE, WARM, figure, quiet
from ..use import TransferCurve, transfer_curve
from .sheets import inline_svg
from .subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["few_labels"]

_ROWS = 3_000
_FEWEST = 60  # rows whose factor is known: half to draw labels from, half to judge on
_BUDGET = 40_000_000  # numbers in the observations of all rows
_FACTORS = 12
_CLASSES = 10  # an order of more values is a number
_DRAWS = 5
_COLORS = {"code": ACCENT, "components": WARM}


def few_labels(subject: Subject, labels: Sequence[int], n: int, seed: int) -> dict[str, Any] | None:
    """What the page says of few labels; ``None`` where no numbers of labels are given.

    Half of the rows are labelled, as many of them as is said, and the other half is judged. Where
    it does not apply, there is a ``missing`` sentence.

    Raises:
        ValueError: for a number of labels below 2.
    """
    if not labels:
        return None
    for count in labels:
        check_size("labels", count, 2)
    data = subject.data
    if not isinstance(data, FactorDataset) or isinstance(data.shape, Mapping):
        return {"missing": "components are of observations of one kind, and these have several"}
    if not data.space.names:
        return {"missing": "the data has no factors"}
    width = int(np.prod(data.shape))
    count = min(_ROWS, n, len(data), max(_FEWEST, _BUDGET // width))
    if count < _FEWEST:
        return {"missing": f"{count} observations are too few: {_FEWEST} are learned and judged on"}
    rows = np.random.default_rng([seed, 23]).permutation(len(data))[:count]
    part = Subset(data, rows)
    codes = encode(subject.method, part)
    half = count // 2
    reps = {"code": codes.mean.astype(np.float64)}
    components = _components(part, half, reps["code"].shape[1], seed)
    if components is None:
        return {"missing": "observations with holes have no components to compare the code with"}
    reps["components"] = components
    found = {}
    for k, name in enumerate(codes.space.names[:_FACTORS]):
        curve = _curve(reps, codes.factors[:, k], codes.space.kinds[k], half, labels, seed)
        if curve is not None:
            found[name] = curve
    if not found:
        return {"missing": "no factor has two values among the observations that have it"}
    return {
        "missing": "",
        "count": half,
        "components": reps["components"].shape[1],
        "draws": _DRAWS,
        "rows": [row for name, curve in found.items() for row in _rows(name, *curve)],
        "labels": [f"{size:,}" for size in _sizes(found)],
        "figure": inline_svg(_drawn(found), "labels", _said(found)),
    }


def _components(data: FactorDataset, half: int, dims: int, seed: int) -> np.ndarray | None:
    """Principal components of observations, of the half to learn from; ``None`` with holes."""
    from sklearn.decomposition import PCA

    x = np.concatenate(
        [
            data.observations(rows).flatten(1).numpy()
            for rows in np.array_split(np.arange(len(data)), -(-len(data) // 500))
        ]
    )
    if not np.isfinite(x).all():
        return None
    dims = min(dims, half, x.shape[1])
    return PCA(dims, svd_solver="randomized", random_state=seed).fit(x[:half]).transform(x)


def _curve(
    reps: Mapping[str, np.ndarray],
    factor: np.ndarray,
    kind: str | None,
    half: int,
    labels: Sequence[int],
    seed: int,
) -> tuple[TransferCurve, bool] | None:
    """What is learned of a factor, and whether that is a number; ``None`` where nothing is."""
    known = is_known(factor)
    learn, judge = np.flatnonzero(known[:half]), half + np.flatnonzero(known[half:])
    values = len(np.unique(factor[learn]))
    if min(len(learn), len(judge)) < _FEWEST // 2 or values < 2:
        return None
    number = kind == "real" or (kind in (None, "ordinal") and values > _CLASSES)
    curve = transfer_curve(
        {name: z[learn] for name, z in reps.items()},
        factor[learn],
        {name: z[judge] for name, z in reps.items()},
        factor[judge],
        labels=labels,
        draws=_DRAWS,
        predictor="ridge" if number else "logistic",
        seed=seed,
    )
    return curve, number


def _sizes(found: Mapping[str, tuple[TransferCurve, bool]]) -> list[int]:
    return max((curve.labels.tolist() for curve, _ in found.values()), key=len)


def _rows(name: str, curve: TransferCurve, number: bool) -> list[dict[str, Any]]:
    """Of the table: code, components, their difference, and the commonest answer."""

    def cells(means: np.ndarray, ends: np.ndarray) -> list[tuple[str, str]]:
        return [
            (f"{mean:.3f}", f"{low:.3f} to {high:.3f}" if high > low else "")
            for mean, (low, high) in zip(means, ends, strict=True)
        ]

    rows = [(rep, cells(curve.mean(rep), curve.interval(rep))) for rep in curve.accuracy]
    rows.append(("difference", cells(*curve.gain("code", "components"))))
    rows.append(
        ("mean" if number else "commonest", [(f"{curve.chance:.3f}", "")] * len(rows[0][1]))
    )
    measure = "R²" if number else "accuracy"
    return [{"factor": name, "measure": measure, "code": rep, "cells": row} for rep, row in rows]


def _drawn(found: Mapping[str, tuple[TransferCurve, bool]]) -> Figure:
    """A panel for each factor, four in a line."""
    columns = min(4, len(found))
    lines = -(-len(found) // columns)
    canvas = figure(2.1 * columns + 0.4, 1.75 * lines + 0.5)
    panels = canvas.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for axes in panels.flat[len(found) :]:
        axes.set_axis_off()
    for axes, (name, (curve, number)) in zip(panels.flat, found.items(), strict=False):
        quiet(axes, grid="y")
        for rep, color in _COLORS.items():
            low, high = curve.interval(rep).T
            axes.plot(curve.labels, curve.mean(rep), color=color, marker="o", ms=3, lw=1.3)
            axes.fill_between(curve.labels, low, high, color=color, alpha=0.15, lw=0)
        axes.axhline(curve.chance, color=MUTED, ls=":", lw=1)
        axes.set(xscale="log", ylim=(-0.03, 1.03))
        axes.set_title(f"{name}, {'R²' if number else 'accuracy'}", fontsize=SIZE, color=INK)
        axes.tick_params(labelsize=SIZE - 2)
    canvas.supxlabel("labels", fontsize=SIZE - 0.5, color=INK)
    return canvas


def _said(found: Mapping[str, tuple[TransferCurve, bool]]) -> str:
    return "With most labels: " + ", ".join(
        f"{name} {curve.mean('code')[-1]:.2f} of the code, "
        f"{curve.mean('components')[-1]:.2f} of components"
        for name, (curve, _) in found.items()
    )
