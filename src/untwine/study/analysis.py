"""Analyses of many runs: variance explained, agreement of scores, transfer, choice of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..settings.errors import UsageError
from .folder import Folder
from .table import metrics_of

if TYPE_CHECKING:
    import pandas

__all__ = [
    "CELL",
    "agreement_between_runs",
    "beats",
    "bootstrap",
    "choices",
    "explained",
    "oriented",
    "rank_correlations",
    "strengths",
    "transfer",
    "with_strengths",
]

CELL = ("data", "method", "strength")
"""What runs have in common that differ in their seed alone."""
_POOL = 60  # runs, up to which all of them are compared with all


def strengths(frame: pandas.DataFrame) -> pandas.Series:
    """The settings that vary within each method, as a text: ``"beta=4"``.

    Settings of a method alone count, other than seeds and those that are the same in all of its
    runs; a method without any has the strength ``"-"``.

    Args:
        frame: A table of runs, see `table`.

    Example:
        >>> import pandas
        >>> frame = pandas.DataFrame({"method": ["A", "A", "B"], "method.beta": [1.0, 4.0, 2.0]})
        >>> strengths(frame).tolist()
        ['beta=1', 'beta=4', '-']
    """
    columns = [c for c in frame.columns if str(c).startswith("method.") and c != "method.seed"]
    result = frame["method"].map(lambda _: "-")
    for _, runs in frame.groupby("method"):
        varying = [c for c in columns if runs[c].nunique(dropna=False) > 1]
        if varying:
            result[runs.index] = [
                ", ".join(f"{c.removeprefix('method.')}={_short(v)}"
                          for c, v in zip(varying, row, strict=True) if v == v)
                for row in runs[varying].itertuples(index=False)
            ]  # fmt: skip
    return result.rename("strength")


def with_strengths(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A table with a column ``strength``, see `strengths`, and what needs it in order."""
    result = frame.assign(strength=strengths(frame))
    result.attrs = dict(frame.attrs)
    return result


def oriented(frame: pandas.DataFrame, metrics: Sequence[str] | None = None) -> pandas.DataFrame:
    """The scores of a table, turned so that higher is better; scores without a better end stay.

    Args:
        frame: A table of runs.
        metrics: Which columns; by default the table's metrics.
    """
    from ..metrics import METRICS

    names = metrics_of(frame) if metrics is None else list(metrics)
    scores = frame[names].astype(float)
    lower = [n for n in names if n in METRICS and METRICS[n].higher_is_better is False]
    lower += [n for n in names if n in ("nll", "kl", "seam_gap")]
    scores[lower] = -scores[lower]
    return scores


def explained(frame: pandas.DataFrame, metric: str) -> dict[str, float]:
    r"""How much of a score's variance methods, strengths and seeds explain.

    Sums of squares of the nested layout (strengths within methods, seeds within strengths), as
    shares of the total, which is what the large study reports:

    .. math::
        R^2_{\text{method}} = \frac{\sum_m n_m (\bar s_m - \bar s)^2}{\sum_i (s_i - \bar s)^2},
        \qquad R^2_{\text{strength}} = \frac{\sum_{m,h} n_{mh} (\bar s_{mh} - \bar s_m)^2}
        {\sum_i (s_i - \bar s)^2}

    and the rest is the seed's. Group means of few seeds differ by chance, too; ``method adjusted``
    and ``strength adjusted`` have that taken away (their degrees of freedom times the mean square
    within strengths), and may be negative where there is nothing to explain.

    Args:
        frame: A table of runs on one data set, with ``strength``.
        metric: A column.

    Raises:
        UsageError: if there are fewer than three runs, or the score is the same in all.

    References:
        Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations,
        Locatello et al., 2019, https://arxiv.org/abs/1811.12359, section 5.4.
    """
    rows = frame[["method", "strength", metric]].dropna()
    values = rows[metric].to_numpy(np.float64)
    total = float(((values - values.mean()) ** 2).sum())
    if len(values) < 3 or total <= 1e-12 * max(1.0, float((values**2).sum())):
        raise UsageError(f"{metric} has {len(values)} values, which are alike or fewer than three")
    by_method = rows.groupby("method")[metric].transform("mean").to_numpy()
    by_cell = rows.groupby(["method", "strength"])[metric].transform("mean").to_numpy()
    methods = rows["method"].nunique()
    cells = rows.groupby(["method", "strength"]).ngroups
    squares = {
        "method": float(((by_method - values.mean()) ** 2).sum()),
        "strength": float(((by_cell - by_method) ** 2).sum()),
        "seed": float(((values - by_cell) ** 2).sum()),
    }
    within = squares["seed"] / (len(values) - cells) if len(values) > cells else np.nan
    shares = {name: square / total for name, square in squares.items()}
    shares["method adjusted"] = (squares["method"] - (methods - 1) * within) / total
    shares["strength adjusted"] = (squares["strength"] - (cells - methods) * within) / total
    return shares


def rank_correlations(
    frame: pandas.DataFrame, columns: Sequence[str], others: Sequence[str] | None = None
) -> pandas.DataFrame:
    r"""Spearman's rank correlation of columns over runs, scores turned so that higher is better.

    Args:
        frame: A table of runs.
        columns: The rows of the result.
        others: Its columns; the same ones by default.
    """
    from scipy.stats import rankdata

    names = list(dict.fromkeys([*columns, *(others or columns)]))
    scores = oriented(frame, names)
    import pandas

    result = pandas.DataFrame(index=list(columns), columns=list(others or columns), dtype=float)
    for one in result.index:
        for two in result.columns:
            both = scores[[one]].join(scores[[two]].rename(columns={two: "_other"})).dropna()
            a, b = (rankdata(both[c].to_numpy()) for c in both.columns)
            varies = len(both) > 2 and np.ptp(a) > 0 and np.ptp(b) > 0
            result.loc[one, two] = np.corrcoef(a, b)[0, 1] if varies else np.nan
    return result


def bootstrap(
    frame: pandas.DataFrame,
    statistic: Callable[[pandas.DataFrame], float],
    *,
    level: float = 0.95,
    repeats: int = 500,
    seed: int = 0,
) -> tuple[float, float]:
    r"""An interval of a statistic of a study, over the seeds that might have been drawn.

    Runs are drawn with repetition within each cell (data, method, strength), where they differ in
    the seed alone. The interval is the pivotal one, :math:`2 \hat\theta` less the percentiles of
    the draws: few runs that are drawn with repetition vary less than the runs do, and what that
    takes from a share of variance is given back.

    Args:
        frame: A table of runs, with ``strength``.
        statistic: Of such a table; an error of it, or nan, drops the draw.
        level: Of the interval.
        repeats: Draws.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    cells = [
        frame.index.get_indexer_for(runs.index)
        for _, runs in frame.groupby([c for c in CELL if c in frame])
    ]
    values = []
    for _ in range(repeats):
        rows = np.concatenate([rng.choice(cell, len(cell)) for cell in cells])
        try:
            values.append(statistic(frame.iloc[rows].reset_index(drop=True)))
        except (UsageError, ValueError):
            continue
    finite = np.array([v for v in values if np.isfinite(v)])
    if not len(finite):
        return np.nan, np.nan
    tail, here = (1 - level) / 2, 2 * statistic(frame)
    return here - float(np.quantile(finite, 1 - tail)), here - float(np.quantile(finite, tail))


def beats(pick: np.ndarray, other: np.ndarray) -> float:
    """How often a draw of one sample is above a draw of another; ties count half.

    Example:
        >>> beats(np.array([2.0]), np.array([1.0, 2.0, 3.0, 0.0]))
        0.625
    """
    differences = np.subtract.outer(np.asarray(pick, float), np.asarray(other, float))
    return float((differences > 0).mean() + 0.5 * (differences == 0).mean())


def transfer(
    frame: pandas.DataFrame, metrics: Sequence[str], *, seeds: str = "one"
) -> pandas.DataFrame:
    r"""How often settings that are best by one metric beat a random run by another.

    A method and strength are chosen by the metric and data set of the row. Then a run of it with
    another seed is compared with a run drawn from all, by the metric and data set of the column;
    the entry is the probability that the first is better, ties half, by going through all pairs.
    Half is chance.

    Args:
        frame: A table of runs, with ``strength``.
        metrics: Columns to choose and to judge by.
        seeds: Whether the choice is made from ``"one"`` seed (averaged over which) or from the mean
            over ``"all"``.

    References:
        Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations,
        Locatello et al., 2019, https://arxiv.org/abs/1811.12359, section 5.4 and table 1.
    """
    import pandas

    if seeds not in ("one", "all"):
        raise UsageError(f"seeds is {seeds!r}: expected 'one' or 'all'")
    scores = oriented(frame, metrics).assign(
        cell=frame["method"].astype(str) + " " + frame["strength"].astype(str),
        data=frame.get("data", "data"),
        seed=frame["seed"],
    )
    sets = list(dict.fromkeys(scores["data"]))
    one_set = len(sets) == 1
    labels = [m if one_set else f"{m} on {d}" for d in sets for m in metrics]
    result = pandas.DataFrame(index=labels, columns=labels, dtype=float)
    for a in sets:
        source = scores[scores["data"] == a]
        for metric in metrics:
            picks = _picks(source, metric, seeds)
            for b in sets:
                target = scores[scores["data"] == b]
                for other in metrics:
                    wins = []
                    for cell, seed in picks:
                        runs = target[target["cell"] == cell]
                        fresh = runs if seed is None else runs[(runs["seed"] != seed) | (a != b)]
                        fresh = fresh if len(fresh) else runs
                        values = fresh[other].dropna().to_numpy()
                        if len(values):
                            wins.append(beats(values, target[other].dropna().to_numpy()))
                    row, column = (m if one_set else f"{m} on {d}" for m, d in
                                   ((metric, a), (other, b)))  # fmt: skip
                    result.loc[row, column] = float(np.mean(wins)) if wins else np.nan
    return result


def _picks(source: pandas.DataFrame, metric: str, seeds: str) -> list[tuple[Any, Any]]:
    """The cells that a metric chooses, each with the seed that it was chosen by."""
    rows = source.dropna(subset=[metric])
    if seeds == "all":
        return [(rows.groupby("cell")[metric].mean().idxmax(), None)] if len(rows) else []
    best = {seed: int(runs[metric].to_numpy().argmax()) for seed, runs in rows.groupby("seed")}
    return [(runs["cell"].iloc[best[seed]], seed) for seed, runs in rows.groupby("seed")]


def agreement_between_runs(
    path: str | Path, frame: pandas.DataFrame, *, seed: int = 0
) -> pandas.DataFrame:
    """A table with ``udr`` and ``model_centrality``, from the codes that runs have kept.

    UDR compares runs that differ in their seed alone, as published. ModelCentrality compares all
    runs on a data set, as published, up to 60; beyond that those of a cell, too.

    Args:
        path: The study's folder.
        frame: A table of its runs, with ``strength``.
        seed: Of what ModelCentrality draws.
    """
    from ..metrics import model_centrality, udr

    folder = Folder(path)
    codes_of: dict[str, Any] = {name: _codes(folder, name) for name in frame["run"]}
    result = frame.assign(udr=np.nan, model_centrality=np.nan)
    result.attrs = dict(frame.attrs)
    cells = [c for c in CELL if c in frame]
    for _, runs in frame.groupby(cells):
        there = [i for i in runs.index if codes_of[runs.loc[i, "run"]] is not None]
        if len(there) > 1:
            codes = [codes_of[runs.loc[i, "run"]] for i in there]
            rates = [c["kl"] for c in codes] if all("kl" in c for c in codes) else None
            with np.errstate(all="ignore"):
                score = udr([c["mean"] for c in codes], rates)
            result.loc[there, "udr"] = score.parts["per_run"]
    large = max((len(runs) for _, runs in frame.groupby("data")), default=0) > _POOL
    for _, runs in frame.groupby(cells if large else ["data"]):
        there = [i for i in runs.index if _active(codes_of[runs.loc[i, "run"]])]
        if len(there) > 1:
            codes = [codes_of[runs.loc[i, "run"]] for i in there]
            score = model_centrality([c["mean"] for c in codes], seed=seed)
            result.loc[there, "model_centrality"] = score.parts["per_run"]
    return result


def choices(frame: pandas.DataFrame, by: Sequence[str], metrics: Sequence[str]) -> pandas.DataFrame:
    r"""What a score of the run is that another score would choose, beside chance and the best.

    Each data set's run with the highest ``by`` is chosen. ``value`` is its metric, ``random`` the
    mean over all runs, ``best`` the best there is; ``regained`` is the share of the way from random
    to best, and ``rank`` the share of runs that are not better.

    Args:
        frame: A table of runs.
        by: Columns to choose by.
        metrics: Columns to judge by.
    """
    import pandas

    scores = oriented(frame, list(dict.fromkeys([*by, *metrics])))
    rows = []
    data = frame["data"] if "data" in frame else frame["run"].map(lambda _: "data")
    for name, index in scores.groupby(data).groups.items():
        there: Any = scores.loc[index]
        rest: Any = frame.loc[index]
        for way in by:
            if not there[way].notna().any():
                continue
            pick = there[way].idxmax()
            for metric in metrics:
                values = there[metric].dropna()
                value, mean, best = there.loc[pick, metric], values.mean(), values.max()
                rows.append(
                    {
                        "data": name,
                        "by": way,
                        "metric": metric,
                        "run": rest.loc[pick, "run"],
                        "value": rest.loc[pick, metric],
                        "random": rest[metric].mean(),
                        "best": rest.loc[values.idxmax(), metric],
                        "regained": (value - mean) / (best - mean) if best > mean else np.nan,
                        "rank": float((values <= value).mean()),
                    }
                )
    return pandas.DataFrame(rows)


def _codes(folder: Folder, name: str) -> dict[str, np.ndarray] | None:
    from ..reading import open_npz

    file = folder.runs / name / "codes.npz"
    try:
        with open_npz(file) as arrays:
            codes_of = {key: np.asarray(arrays[key]) for key in ("mean", "kl") if key in arrays}
    except (OSError, ValueError):
        return None
    return codes_of if "mean" in codes_of else None


def _active(codes_of: dict[str, np.ndarray] | None) -> bool:
    """Whether a run's code has a dimension that ModelCentrality can hold."""
    return codes_of is not None and bool((codes_of["mean"].std(0, ddof=1) >= 0.05).any())


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
