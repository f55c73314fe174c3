"""Expression of genes: at one library size, and between groups of cells with intervals."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..checks import check_size
from ..data import Batch, Cells, FactorDataset
from ..data.seeds import check_seed
from ..encoding import batch_of, evaluating
from ..methods import Method
from ..training import Run
from .annotation import source_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["differential_expression", "normalized_expression"]

_PRIOR = 0.5  # counts that stand for a gene which was not seen


@torch.no_grad()
def normalized_expression(
    cells: Any,
    method: Method | Run,
    data: FactorDataset | None = None,
    *,
    library: float = 10_000,
    at: Mapping[str, str | Sequence[str]] | None = None,
    batch_size: int = 512,
) -> DataFrame:
    r"""Means of p(x|z) at one library size, :math:`\ell \, \rho_g(z_i, c_i)`, cells by genes.

    Args:
        cells: An AnnData object with the genes and covariates of the training data.
        method: The method, or its run.
        data: The `Cells` that it was trained on; by default the run's data.
        library: The library size.
        at: Values of covariates to decode at, in the place of each cell's own: ``{"donor": "d1"}``;
            a list of values is averaged over.
        batch_size: Cells at a time.

    Raises:
        ValueError: for cells that do not fit, values of covariates that there are not, and a method
            whose likelihood has no library size.
    """
    import pandas

    method, source = source_of(cells, method, data)
    parts = []
    with evaluating(method):
        for batch in _batches(method, source, batch_size):
            parts.append(library * _profile(method, batch, _conditions(batch, source, at)))
    table = torch.cat(parts).cpu().numpy()
    return pandas.DataFrame(table, index=cells.obs_names, columns=list(source.features))


@torch.no_grad()
def differential_expression(
    cells: Any,
    method: Method | Run,
    data: FactorDataset | None = None,
    *,
    by: str,
    group: str,
    other: str | None = None,
    correct: Sequence[str] | None = None,
    unit: str | None = None,
    delta: float = 0.25,
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
    batch_size: int = 512,
) -> DataFrame:
    r"""Log2 fold changes of all genes between two groups of cells, with intervals.

    A group's expression of gene g is its counts, carried over to common covariates by the model,
    over its library sizes:

    .. math::
        \hat\rho_g = \frac{\sum_i x_{ig} r_{ig}}{\sum_i \ell_i}, \qquad
        r_{ig} = \frac{1}{|C|} \sum_{c \in C} \frac{\rho_g(z_i, c)}{\rho_g(z_i, c_i)}

    with C every combination of values of the covariates that are corrected for. Without any,
    :math:`r = 1` and no model is used. Intervals are the quantiles of a Bayesian bootstrap: each
    cell (each ``unit``) has a weight drawn from Exp(1). In each draw a Gamma(1/2) of counts is
    added to both groups, spread over the smaller one's library, its mean in the estimate: a gene
    that was not seen has an interval, and a fold change of 0.

    What the intervals cover is the choice of cells (units) and the noise of counts; not that of the
    model's weights. Where donors are few and their cells alike, cells are no independent units:
    name ``unit="donor"``.

    Args:
        cells: An AnnData object with the genes and covariates of the training data.
        method: The method, or its run.
        data: The `Cells` that it was trained on; by default the run's data.
        by: The column of ``obs`` that says which group a cell is of.
        group: The value whose expression is compared.
        other: The value that it is compared with; by default all other cells.
        correct: The covariates whose influence is taken out; by default all that are text or
            categories, but ``by``.
        unit: The column of ``obs`` whose values, such as donors, are drawn instead of cells.
        delta: Fold changes (log2) below are no changes.
        confidence: Level of the intervals.
        draws: Of the bootstrap.
        seed: Of the draws.
        batch_size: Cells at a time.

    Returns:
        By gene, the surest first: ``group`` and ``other``, expression in 10,000 counts; ``lfc``,
        log2 fold change, with ``low`` and ``high``; ``probability``, the share of draws in which
        it is ``delta`` or more either way; ``fdr``, the mean of 1 - probability up to here.

    Raises:
        ValueError: for columns, values and covariates that are not there, and for a group without
            cells, or with fewer than two units.

    References:
        Rubin, "The Bayesian Bootstrap", 1981, https://doi.org/10.1214/aos/1176345338. Boyeau,
        Regier, Gayoso, Jordan, Lopez, Yosef, "An empirical Bayes method for differential expression
        analysis of single cells with deep generative models", 2023,
        https://doi.org/10.1073/pnas.2209124120, for the probability of a change and the rate.

    Deviations:
        There fold changes are of the decoder's profiles, whose posterior does not hold the
        decoder's own error; here the model only carries counts over.
    """
    import pandas

    method, source = source_of(cells, method, data)
    check_size("draws", draws)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected a level between 0 and 1")
    rows = _rows_of_groups(cells.obs, by, group, other)
    names = _corrected(source, correct, by)
    at = {name: source.covariate_values[name] for name in names}
    sums = []
    for k, chosen in enumerate(rows):
        rng = np.random.default_rng([check_seed(seed), k])
        weights = _weights(cells.obs, chosen, unit, draws, rng)
        sums.append(_sums(method, source, chosen, weights, at, batch_size))
    smaller = min(totals[0] for _, totals in sums)
    rates = []
    for k, (counts, totals) in enumerate(sums):
        rng = np.random.default_rng([seed, 2 + k])
        extra = rng.gamma(_PRIOR, size=counts.shape)
        extra[0] = _PRIOR
        rates.append(counts / totals[:, None] + extra / smaller)
    change = np.log2(rates[0]) - np.log2(rates[1])
    tail = (1 - confidence) / 2
    low, high = np.quantile(change[1:], [tail, 1 - tail], axis=0)
    table = pandas.DataFrame(
        {
            "group": 1e4 * sums[0][0][0] / sums[0][1][0],
            "other": 1e4 * sums[1][0][0] / sums[1][1][0],
            "lfc": change[0],
            "low": low,
            "high": high,
            "probability": (np.abs(change[1:]) >= delta).mean(0),
        },
        index=pandas.Index(source.features, name="gene"),
    )
    order = np.lexsort((-table["lfc"].abs().to_numpy(), -table["probability"].to_numpy()))
    table = table.iloc[order]
    table["fdr"] = (1 - table["probability"]).expanding().mean()
    return table


def _rows_of_groups(
    obs: Any, by: str, group: str, other: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the cells of both groups."""
    if by not in obs:
        raise ValueError(f"by is {by!r}; the columns of obs are {list(obs)}")
    values = obs[by].astype(str).to_numpy()
    listing = ", ".join(sorted(set(values.tolist())))
    for name in (group, other):
        if name is not None and name not in values:
            raise ValueError(f"no cell has {by} {name!r}; there are {listing}")
    first = values == group
    second = ~first if other is None else values == other
    if not second.any() or group == other:
        raise ValueError(f"all cells have {by} {group!r}, or other is the same: nothing to compare")
    return np.flatnonzero(first), np.flatnonzero(second)


def _corrected(source: Cells, correct: Sequence[str] | None, by: str) -> list[str]:
    """Covariates whose influence is taken out."""
    texts = [name for name, values in source.covariate_values.items() if values]
    if correct is None:
        return [name for name in texts if name != by]
    for name in correct:
        if name not in texts or name == by:
            raise ValueError(
                f"correct names {name!r}; expected some of the covariates that are text or "
                f"categories, and not {by!r}: {[n for n in texts if n != by]}"
            )
    return list(correct)


def _weights(
    obs: Any, rows: np.ndarray, unit: str | None, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Of each cell in the estimate (1) and in each draw, ``(1 + draws, n)``."""
    if unit is None:
        drawn = rng.exponential(size=(len(rows), draws)).T
    else:
        if unit not in obs:
            raise ValueError(f"unit is {unit!r}; the columns of obs are {list(obs)}")
        labels, places = np.unique(obs[unit].astype(str).to_numpy()[rows], return_inverse=True)
        if len(labels) < 2:
            raise ValueError(
                f"a group has the one {unit} {labels[0]!r}: nothing varies between units; compare "
                "groups with two or more, or leave unit= out"
            )
        drawn = rng.exponential(size=(len(labels), draws)).T[:, places]
    return np.concatenate([np.ones((1, len(rows))), drawn]).astype(np.float32)


def _sums(
    method: Method,
    source: Cells,
    rows: np.ndarray,
    weights: np.ndarray,
    at: Mapping[str, Sequence[str]],
    batch_size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted counts ``(draws, G)`` and libraries ``(draws,)`` of some cells."""
    counts: Any = 0.0
    totals: Any = 0.0
    with evaluating(method):
        for start in range(0, len(rows), batch_size):
            batch = batch_of(method, source, rows[start : start + batch_size])
            w = torch.from_numpy(weights[:, start : start + batch_size]).to(batch.tensor.device)
            carried = batch.tensor
            if at:
                own = _profile(method, batch, [batch.c])
                carried = carried * _profile(method, batch, _conditions(batch, source, at)) / own
            counts = counts + (w @ carried.float()).double().cpu().numpy()
            totals = totals + (w @ batch.tensor.float().sum(1)).double().cpu().numpy()
    return np.asarray(counts), np.asarray(totals)


def _batches(method: Method, source: Cells, batch_size: int) -> Iterator[Batch]:
    for start in range(0, len(source), batch_size):
        yield batch_of(method, source, np.arange(start, min(start + batch_size, len(source))))


def _profile(method: Any, batch: Batch, conditions: Sequence[Tensor | None]) -> Tensor:
    """Shares of the genes, averaged over covariates, ``(B, G)``."""
    z = method.represent(batch).mean
    total: Any = 0.0
    for c in conditions:
        p = method.decode(z, c=c)
        if getattr(p, "reference", None) is None:
            raise ValueError(
                f"p(x|z) is a {type(p).__name__} without a library size: expected a method built "
                "with likelihood=NegativeBinomial() or another of counts"
            )
        total = total + p.at(1.0).mean
    return total / len(conditions)


def _conditions(
    batch: Batch, source: Cells, at: Mapping[str, str | Sequence[str]] | None
) -> list[Tensor | None]:
    """The batch's covariates with those in ``at`` replaced, one tensor for each combination."""
    if not at:
        return [batch.c]
    places, values = {}, source.covariate_values
    start = sum(not levels for levels in values.values())  # numbers come first
    for name, levels in values.items():
        if levels:
            places[name] = start
            start += len(levels)
    for name, wanted in at.items():
        listed = [wanted] if isinstance(wanted, str) else list(wanted)
        if name not in places or not listed or set(listed) - set(values[name]):
            raise ValueError(
                f"at has {name}={wanted!r}; expected values of "
                f"{ {n: list(values[n]) for n in places} }"
            )
    assert batch.c is not None
    choices = [[w] if isinstance(w, str) else list(w) for w in at.values()]
    conditions: list[Tensor | None] = []
    for combination in itertools.product(*choices):
        c = batch.c.clone()
        for name, value in zip(at, combination, strict=True):
            c[:, places[name] : places[name] + len(values[name])] = 0
            c[:, places[name] + values[name].index(value)] = 1
        conditions.append(c)
    return conditions
