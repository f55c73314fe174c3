r"""Causal discovery on variables or codes by causal-learn, and comparison with a known graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_size
from ..data.seeds import check_seed
from ..metrics._estimators.arrays import as_codes

__all__ = ["CausalGraph", "Discovery", "agreement", "discover", "match"]


@dataclass(frozen=True)
class CausalGraph:
    """A graph of variables, as far as it could be told.

    Attributes:
        names: Of the variables.
        arrows: ``(K, K)`` booleans, from row to column.
        lines: ``(K, K)`` booleans, symmetric: neighbors whose direction is open.
    """

    names: tuple[str, ...]
    arrows: np.ndarray
    lines: np.ndarray

    @property
    def skeleton(self) -> np.ndarray:
        """Who is a neighbor of whom, ``(K, K)`` booleans, symmetric."""
        return self.arrows | self.arrows.T | self.lines

    def __str__(self) -> str:
        edges = [f"{self.names[i]} -> {self.names[j]}" for i, j in np.argwhere(self.arrows)]
        edges += [
            f"{self.names[i]} -- {self.names[j]}" for i, j in np.argwhere(np.triu(self.lines, 1))
        ]
        return ", ".join(edges) or "no edges"


@dataclass(frozen=True)
class Discovery:
    """A discovered graph beside the true one.

    Attributes:
        precision: The share of discovered neighbors that are true ones; nan of none.
        recall: The share of true neighbors that were discovered.
        f1: Their harmonic mean.
        chance: What :math:`F_1` is on average of graphs with as many edges at random places.
        directions: The share of true arrows that were discovered as arrows, the right way round.
        reversed: The share that was discovered the wrong way round.
        distance: The structural Hamming distance: pairs of variables that are not as they should
            be, an open direction among them.
    """

    precision: float
    recall: float
    f1: float
    chance: float
    directions: float
    reversed: float
    distance: int


def discover(
    values: Any,
    names: Sequence[str] | None = None,
    way: str = "pc",
    *,
    alpha: float = 0.01,
    seed: int = 0,
) -> CausalGraph:
    """Searches the graph that made some variables, by a method of causal-learn.

    - ``"pc"``: by tests of partial correlation (Fisher's z); of a graph without colliders no
      direction can be told.
    - ``"ges"``: greedy search for the best BIC of linear-Gaussian models; as far as ``"pc"``.
    - ``"lingam"``: DirectLiNGAM; linear, noise that is not Gaussian, all directions. Arrows whose
      standardized weight is below 0.1 are left out.

    All take causes for granted that are in the table: no hidden ones.

    Args:
        values: A variable a column.
        names: Of the variables; ``z0``, ``z1``, ... by default.
        way: Which of these.
        alpha: The tests' level.
        seed: Of ``"lingam"``.

    Shape:
        - values: ``(N, K)``

    Raises:
        ModuleNotFoundError: without causal-learn.
        ValueError: for another way, a constant variable, or names of another number.

    References:
        Causation, Prediction, and Search, Spirtes, Glymour, Scheines, 2000 (PC). Optimal structure
        identification with greedy search, Chickering, 2002,
        https://www.jmlr.org/papers/v3/chickering02b.html. DirectLiNGAM, Shimizu et al., 2011,
        https://www.jmlr.org/papers/v12/shimizu11a.html. causal-learn, Zheng et al., 2024,
        https://www.jmlr.org/papers/v25/23-0970.html.
    """
    if way not in _WAYS:
        raise ValueError(f"way is {way!r}; expected one of {', '.join(map(repr, _WAYS))}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; expected a share between 0 and 1")
    table, columns = named_table(values, names)
    try:
        arrows, lines = _WAYS[way](table, alpha, check_seed(seed))
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "causal discovery is done by causal-learn: pip install 'untwine[causal]'"
        ) from error
    return CausalGraph(columns, arrows, lines)


def agreement(graph: CausalGraph, truth: Any, *, draws: int = 1000, seed: int = 0) -> Discovery:
    """Compares a graph with the true one.

    Args:
        graph: As discovered.
        truth: Weights or booleans of the true arrows, from row to column, such as
            ``LightTunnel().weights``.
        draws: Random graphs for chance.
        seed: Of these.

    Shape:
        - truth: ``(K, K)``

    Raises:
        ValueError: for a true graph of another size or without arrows.

    Example:
        >>> true = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
        >>> graph = CausalGraph(("a", "b", "c"), true.T.astype(bool) & False, (true + true.T) > 0)
        >>> result = agreement(graph, true)
        >>> result.f1, result.directions, result.distance
        (1.0, 0.0, 2)
    """
    check_size("draws", draws)
    true = np.asarray(truth) != 0
    if true.shape != graph.arrows.shape or not true.any():
        raise ValueError(
            f"truth has shape {true.shape} and {true.sum()} arrows; expected "
            f"{graph.arrows.shape} and at least one"
        )
    upper = np.triu_indices(len(true), 1)
    actual, own = (true | true.T)[upper], graph.skeleton[upper]
    rng = np.random.default_rng(check_seed(seed))
    by_chance = np.mean([_f1(rng.permutation(own), actual) for _ in range(draws)])
    right = graph.arrows & true & ~graph.arrows.T
    wrong = graph.arrows.T & true & ~graph.arrows
    same = (graph.arrows == true) & (graph.arrows.T == true.T) & ~graph.lines
    hits = int((own & actual).sum())
    return Discovery(
        precision=hits / own.sum() if own.any() else float("nan"),
        recall=hits / int(actual.sum()),
        f1=_f1(own, actual),
        chance=float(by_chance),
        directions=float(right.sum() / true.sum()),
        reversed=float(wrong.sum() / true.sum()),
        distance=int((~same[upper]).sum()),
    )


def match(codes: Any, factors: Any) -> np.ndarray:
    """The dimension that stands for each factor, ``(K,)``, each at most once.

    By the assignment with the largest sum of absolute rank correlations.

    Args:
        codes: ``(N, D)``, at least as many dimensions as factors.
        factors: ``(N, K)``.

    Raises:
        ValueError: for fewer dimensions than factors.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.stats import rankdata

    z, v = as_codes(codes), as_codes(factors, "factors")
    if z.shape[1] < v.shape[1]:
        raise ValueError(f"codes has {z.shape[1]} dimensions; expected at least {v.shape[1]}")
    both = np.concatenate([rankdata(z, axis=0), rankdata(v, axis=0)], 1)
    both = both - both.mean(0)
    both = both / np.maximum(np.sqrt((both**2).sum(0)), 1e-12)
    correlation = np.abs(both[:, : z.shape[1]].T @ both[:, z.shape[1] :])
    return linear_sum_assignment(-correlation.T)[1]


def named_table(values: Any, names: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Standardized columns ``(N, K)`` and their names, ``z0``, ``z1``, ... by default.

    Raises:
        ValueError: for a constant variable, and names of another number or that are twice there.
    """
    table = as_codes(values, "values").astype(np.float64)
    count = table.shape[1]
    columns = tuple(f"z{j}" for j in range(count)) if names is None else tuple(names)
    if len(columns) != count:
        raise ValueError(f"names has {len(columns)} entries; expected {count}, one for each column")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ValueError(f"names has {twice[0]!r} twice; expected a name for each column")
    deviation = table.std(0)
    if (deviation <= 1e-12).any():
        raise ValueError(
            f"values of {columns[int(deviation.argmin())]!r} are all the same: drop it"
        )
    return (table - table.mean(0)) / deviation, columns


def _f1(own: np.ndarray, actual: np.ndarray) -> float:
    return 2 * float((own & actual).sum()) / max(1, int(own.sum() + actual.sum()))


def _pc(table: np.ndarray, alpha: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from causallearn.search.ConstraintBased.PC import pc

    return _ends(pc(table, alpha, "fisherz", show_progress=False).G.graph)


def _ges(table: np.ndarray, alpha: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from causallearn.search.ScoreBased.GES import ges

    return _ends(ges(table, "local_score_BIC")["G"].graph)


def _lingam(table: np.ndarray, alpha: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from causallearn.search.FCMBased.lingam import DirectLiNGAM

    model = DirectLiNGAM(random_state=seed)
    model.fit(table)
    arrows = np.abs(model.adjacency_matrix_.T) > 0.1
    return arrows, np.zeros_like(arrows)


def _ends(graph: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Arrows and lines of causal-learn's matrix, whose entry (i, j) is the mark of i's end."""
    tail, head = graph == -1, graph == 1
    arrows = tail & head.T
    return arrows, (tail & tail.T) | (head & head.T)


_WAYS: dict[str, Callable[[np.ndarray, float, int], tuple[np.ndarray, np.ndarray]]] = {
    "pc": _pc,
    "ges": _ges,
    "lingam": _lingam,
}
