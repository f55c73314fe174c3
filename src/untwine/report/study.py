"""A study as a page: what was run, its table, and the field's questions of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..plots import correlations, curves, shares, violins
from ..study import Folder, metrics_of, table
from ..study.analysis import (
    CELL,
    agreement_between_runs,
    bootstrap,
    choices,
    explained,
    oriented,
    rank_correlations,
    transfer,
    with_strengths,
)
from ..study.figures import TRAVERSALS
from ..study.forecast import in_words
from .page import page_path, write
from .sheets import inline_svg

if TYPE_CHECKING:
    import pandas

__all__ = ["study_page"]

_UNSUPERVISED = ("nll", "kl", "elbo", "seam_gap", "udr", "model_centrality")
_LOSS_FREE = (
    *("elbo", "kl", "seam_gap", "udr", "model_centrality"),
    "gaussian_total_correlation",
)
_ROWS = 300
_DRAWS = 300


def study_page(path: str | Path, out: str | Path | None = None, *, seed: int = 0) -> Path:
    """Writes what a study has found as one HTML page that needs no network.

    The page has a violin of every score by method and strength; what methods, strengths and seeds
    explain of it; whether scores agree with each other and with scores that need no labels; how far
    settings carry over from one score to another; what choosing a run without labels gains;
    reconstruction against scores; and the table. Intervals are over seeds (see
    `study.analysis.bootstrap`). What there are too few runs for is left out, with the reason.

    Args:
        path: The study's folder.
        out: The page; ``report.html`` in the folder by default.
        seed: Of intervals, and of what ModelCentrality draws.

    Returns:
        The page's path.

    Raises:
        FileNotFoundError: if there is no study.
        ValueError: if no run is finished, or ``out`` names no page.
    """
    folder = Folder(path)
    page = folder.path / "report.html" if out is None else page_path(out)
    study = folder.study()
    runs = study.runs()
    names = [run.name for run in runs]
    counts = Counter(one.status for one in folder.compare(runs))
    frame = with_strengths(table(folder.path, only=names))
    metrics = [m for m in metrics_of(frame) if frame[m].notna().any()]
    if not len(frame) or not metrics:
        raise ValueError(
            f"{folder.path} has no finished runs to report: untwine study run makes some"
        )
    frame = agreement_between_runs(folder.path, frame, seed=seed)
    varied = [m for m in metrics if frame[m].notna().sum() > 2 and frame[m].std() > 1e-9]
    scores = [m for m in varied if _is_quality(m)]
    missing: dict[str, str] = {}

    def section(name: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except ValueError as error:
            missing[name] = str(error)
            return None

    return write(
        "study.html.jinja",
        page,
        version=__version__,
        name=study.name,
        about=study.about,
        facts=_facts(frame, counts, len(runs)),
        failures=Counter(o.error.get("error", "") for o in folder.compare(runs)
                         if o.status == "failed"),
        violins=section("violins", lambda: _violins(frame, metrics)),
        explained=section("explained", lambda: _explained(frame, scores, seed)),
        agreement=section("agreement", lambda: _agreement(frame, scores, seed)),
        unsupervised=section("unsupervised", lambda: _unsupervised(frame, scores)),
        transferred=section("transferred", lambda: _transferred(frame, scores)),
        choices=section("choices", lambda: _choices(frame, scores)),
        tradeoff=section("tradeoff", lambda: _tradeoff(frame, scores)),
        efficiency=section("efficiency", lambda: _efficiency(frame, scores)),
        missing=missing,
        pictures=_pictures(folder, frame, scores, page),
        columns=["method", "strength", *(["data"] if frame["data"].nunique() > 1 else []), "seed",
                 *metrics],
        rows=_table(frame, metrics, page, folder),
        left_out=max(len(frame) - _ROWS, 0),
        command=f"untwine study run {folder.path / 'study.yaml'} --out {folder.path}",
        spec=(folder.path / "study.yaml").read_text(encoding="utf-8"),
    )  # fmt: skip


def _is_quality(metric: str) -> bool:
    """Whether a metric of factors has a better end."""
    from ..metrics import METRICS

    noted = METRICS.get(metric)
    return noted is None or (noted.higher_is_better is not None and "factors" in noted.needs)


def _facts(frame: pandas.DataFrame, counts: Counter[Any], total: int) -> dict[str, str]:
    seconds = float(frame.filter(regex=r"^seconds\.").sum().sum())
    facts = {
        "runs": f"{total:,}",
        "finished": f"{counts['finished']:,}",
        "failed": f"{counts['failed']:,}" if counts["failed"] else "",
        "data": ", ".join(map(str, frame["data"].unique())),
        "methods": ", ".join(map(str, frame["method"].unique())),
        "seeds": f"{frame['seed'].nunique():,}",
        "steps of a run": ", ".join(f"{s:,}" if isinstance(s, int) else str(s)
                                    for s in sorted(set(frame["steps"]), key=str)[:4]),
        "work": in_words(seconds),
        "a run": in_words(seconds / len(frame)),
        "versions": ", ".join(
            f"{c.removeprefix('version.')} {'/'.join(map(str, frame[c].unique()))}"
            for c in map(str, frame.columns)
            if c.startswith("version.")
        ),
    }  # fmt: skip
    return {name: text for name, text in facts.items() if text}


def _groups(frame: pandas.DataFrame) -> dict[str, pandas.DataFrame]:
    """Runs by method and strength, in the order in which strengths grow."""
    several = frame["data"].nunique() > 1
    result: dict[str, pandas.DataFrame] = {}
    for key, runs in frame.groupby(list(CELL), sort=False):
        data, method, strength = map(str, key)
        label = method if strength == "-" else f"{method} {strength}"
        result[f"{label} on {data}" if several else label] = runs
    return {label: result[label] for label in sorted(result, key=_natural)}


def _natural(text: str) -> list[tuple[int, float, str]]:
    import re

    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(0, float(p), "") if i % 2 else (1, 0.0, p) for i, p in enumerate(parts)]


def _violins(frame: pandas.DataFrame, metrics: Sequence[str]) -> Any:
    groups = _groups(frame)
    if len(groups) > 24:  # a violin for each method
        groups = {str(m): runs for m, runs in frame.groupby("method")}
    panels = {m: {label: runs[m] for label, runs in groups.items()} for m in metrics}
    figure = violins(panels, columns=3 if len(groups) <= 10 else 2)
    medians = {m: {k: v.median() for k, v in inside.items()} for m, inside in panels.items()}
    words = "; ".join(
        f"{m}: highest median {max(v, key=v.__getitem__)}" for m, v in medians.items()
    )
    return inline_svg(figure, "violins", f"Violins. {words}")


def _explained(frame: pandas.DataFrame, scores: Sequence[str], seed: int) -> dict[str, Any]:
    sets = list(frame.groupby("data"))
    parts: dict[str, dict[str, float]] = {}
    rows: list[dict[str, Any]] = []
    for data, runs in sets:
        for metric in scores:
            try:
                variance = explained(runs, metric)
            except ValueError:
                continue
            label = metric if len(sets) == 1 else f"{metric} on {data}"
            parts[label] = {k: variance[k] for k in ("method", "strength", "seed")}

            def gap(table: pandas.DataFrame, metric: str = metric) -> float:
                return _gap(explained(table, metric))

            low, high = bootstrap(runs, gap, repeats=_DRAWS, seed=seed)
            rows.append(
                {
                    "label": label,
                    **variance,
                    "gap": _gap(variance),
                    "low": low,
                    "high": high,
                }
            )
    if not parts:
        raise ValueError("a share of variance needs scores that vary over at least three runs")
    seeds = sum(row["low"] > 0 for row in rows)
    strengths = sum(row["high"] < 0 for row in rows)
    words = (
        f"The seed explains more than the strength for {seeds} of {len(rows)} scores, less for "
        f"{strengths}, and for {len(rows) - seeds - strengths} the interval of the difference "
        "contains 0."
    )
    return {"figure": inline_svg(shares(parts), "shares", words), "rows": rows, "words": words}


def _gap(shares: Mapping[str, float]) -> float:
    """What the seed explains more than the strength, both adjusted for chance."""
    return 1 - shares["method adjusted"] - 2 * shares["strength adjusted"]


def _agreement(frame: pandas.DataFrame, scores: Sequence[str], seed: int) -> dict[str, Any]:
    if len(scores) < 2:
        raise ValueError("agreement needs two scores that vary, or more")
    matrix = rank_correlations(frame, scores)
    off = matrix.to_numpy()[np.triu_indices(len(scores), 1)]

    def median(table: pandas.DataFrame) -> float:
        inside = rank_correlations(table, scores).to_numpy()
        return float(np.nanmedian(inside[np.triu_indices(len(scores), 1)]))

    low, high = bootstrap(frame, median, repeats=_DRAWS // 3, seed=seed)
    words = (
        f"The median rank correlation of two scores is {np.nanmedian(off):.2f} (95 % interval "
        f"{low:.2f} to {high:.2f}), the lowest {np.nanmin(off):.2f}, the highest "
        f"{np.nanmax(off):.2f}."
    )
    figure = inline_svg(correlations(matrix.to_numpy(), scores), "agreement", words)
    return {"figure": figure, "words": words}


def _unsupervised(frame: pandas.DataFrame, scores: Sequence[str]) -> dict[str, Any]:
    ways = [c for c in (*_UNSUPERVISED, "gaussian_total_correlation", "active_units")
            if c in frame and frame[c].notna().sum() > 2]  # fmt: skip
    if not ways or not scores:
        raise ValueError("there are no scores without labels beside those with labels")
    matrix = rank_correlations(frame, ways, scores)
    words = "Rank correlations of scores without labels (rows) with scores of factors (columns)."
    return {"figure": inline_svg(correlations(matrix, ways, scores), "unsupervised", words)}


def _transferred(frame: pandas.DataFrame, scores: Sequence[str]) -> dict[str, Any]:
    if frame["strength"].nunique() * frame["method"].nunique() < 2 or len(scores) < 2:
        raise ValueError("transfer needs several settings and several scores")
    few = scores if frame["data"].nunique() == 1 else scores[:3]
    matrix = transfer(frame, few)
    values = matrix.to_numpy()
    same, other = np.diag(values), values[~np.eye(len(values), dtype=bool)]
    words = (
        "Settings that are best by one score, with one seed, beat a random run in "
        f"{100 * np.nanmean(same):.0f} % of cases by the same score and in "
        f"{100 * np.nanmean(other):.0f} % by another one; 50 % is chance."
    )
    figure = correlations(2 * values - 1, list(matrix.index), list(matrix.columns))
    _percent(figure, values)
    return {"figure": inline_svg(figure, "transfer", words), "words": words}


def _percent(figure: Any, values: np.ndarray) -> None:
    """Writes probabilities in percent into the cells of a heat map."""
    texts = iter(figure.axes[0].texts)
    for value in values.reshape(-1):
        if np.isfinite(value):
            next(texts).set_text(f"{100 * value:.0f}")


def _choices(frame: pandas.DataFrame, scores: Sequence[str]) -> dict[str, Any]:
    ways = [c for c in _LOSS_FREE if c in frame and frame[c].notna().sum() > 1]
    if not ways or not scores:
        raise ValueError("there is no score without labels to choose by")
    result = choices(frame, ways, scores)
    rows = []
    for way, inside in result.groupby("by", sort=False):
        rows.append(
            {
                "by": way,
                "regained": float(inside["regained"].mean()),
                "rank": float(inside["rank"].mean()),
                "ranks": {m: float(part["rank"].mean()) for m, part in inside.groupby("metric")},
            }
        )
    return {"rows": rows, "metrics": list(scores)}


def _tradeoff(frame: pandas.DataFrame, scores: Sequence[str]) -> dict[str, Any]:
    if "nll" not in frame or not frame["nll"].notna().any():
        raise ValueError("no run has a reconstruction term")
    metric = "mig" if "mig" in scores else (scores[0] if scores else None)
    if metric is None:
        raise ValueError("there is no score to set against reconstruction")
    several = frame["data"].nunique() > 1
    series: dict[str, tuple[Any, Any]] = {}
    labels: dict[str, list[str]] = {}
    for (data, method), runs in frame.groupby(["data", "method"], sort=False):
        name = f"{method} on {data}" if several else str(method)
        cells = sorted(runs.groupby("strength"), key=lambda item: _natural(str(item[0])))
        most = max(len(cell) for _, cell in cells)
        padded = [[np.resize([*cell[c].astype(float), *[np.nan] * (most - len(cell))], most)
                   for c in ("nll", metric)] for _, cell in cells]  # fmt: skip
        series[name] = np.stack([p[0] for p in padded]), np.stack([p[1] for p in padded])
        labels[name] = [str(s).partition("=")[2].partition(",")[0] for s, _ in cells]
    figure = curves(
        series, xlabel="reconstruction: −log p(x|z), nats", ylabel=metric, labels=labels
    )
    words = f"Reconstruction against {metric}; a line for each method through its strengths."
    return {"figure": inline_svg(figure, "tradeoff", words), "metric": metric}


def _efficiency(frame: pandas.DataFrame, scores: Sequence[str]) -> dict[str, Any]:
    tasks = [c for c in ("downstream_accuracy", "sample_efficiency", "downstream_accuracy.boosting")
             if c in frame and frame[c].notna().sum() > 2]  # fmt: skip
    if "sample_efficiency" not in tasks:
        raise ValueError("sample_efficiency was not measured: name it among the study's metrics")
    others = [s for s in scores if s not in tasks]
    if not others:
        raise ValueError("there are no other scores beside the tasks")
    matrix = rank_correlations(frame, others, tasks)
    words = "Rank correlations of scores (rows) with what a task needs and reaches (columns)."
    return {"figure": inline_svg(correlations(matrix, others, tasks), "efficiency", words)}


def _pictures(
    folder: Folder, frame: pandas.DataFrame, scores: Sequence[str], page: Path
) -> list[dict[str, Any]]:
    """Traversals of the best and the middle run of each method, by the first score."""
    if not scores:
        return []
    metric = "mig" if "mig" in scores else scores[0]
    quality = oriented(frame, [metric])[metric]
    pictures = []
    for method, runs in frame.groupby("method", sort=False):
        order = quality[runs.index].dropna().sort_values(ascending=False).index
        for which, place in (("best", 0), ("median", len(order) // 2)) if len(order) else ():
            row = frame.loc[order[place]]
            file = folder.runs / row["run"] / TRAVERSALS
            if file.is_file():
                import base64

                uri = base64.b64encode(file.read_bytes()).decode("ascii")
                text = f"{method} {row['strength'] if row['strength'] != '-' else ''}".strip()
                pictures.append(
                    {"uri": f"data:image/png;base64,{uri}", "which": which, "method": text,
                     "seed": row["seed"], "metric": metric, "value": f"{row[metric]:.3f}"}
                )  # fmt: skip
    return pictures


def _table(
    frame: pandas.DataFrame, metrics: Sequence[str], page: Path, folder: Folder
) -> list[dict[str, Any]]:
    rows = []
    several = frame["data"].nunique() > 1
    for _, row in frame.sort_values(["method", "strength", "seed"]).head(_ROWS).iterrows():
        cells = [row["method"], row["strength"], *([row["data"]] if several else []), row["seed"]]
        numbers = ["" if np.isnan(row[m]) else f"{row[m]:.3f}" for m in metrics]
        report = folder.runs / row["run"] / "report.html"
        link = os.path.relpath(report, page.parent) if report.exists() else None
        rows.append({"run": row["run"], "cells": cells, "numbers": numbers, "link": link})
    return rows
