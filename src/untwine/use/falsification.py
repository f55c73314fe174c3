"""Whether data refute a causal graph, by dowhy: conditional independences against permutations."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_size
from ..data.seeds import check_seed
from .discovery import named_table

__all__ = ["Falsification", "falsify"]


@dataclass(frozen=True, kw_only=True)
class Falsification:
    """What data say of a graph.

    Attributes:
        names: Of the variables.
        tests: Independences that the graph implies and that were tested: of each variable and what
            does not follow from it, given its causes (local Markov conditions).
        violations: How many of them the data refute.
        broken: These, such as ``"green, polarizer_1 | red"``, with their p-values.
        by_chance: The share that is refuted of the same graph with permuted names, on average.
        p_value: The share of those graphs that violate no larger share.
        p_equivalent: The share of those graphs that imply the same independences.
        permutations: How many such graphs there were.
        level: Of the verdict.
    """

    names: tuple[str, ...]
    tests: int
    violations: int
    broken: tuple[tuple[str, float], ...]
    by_chance: float
    p_value: float
    p_equivalent: float
    permutations: int
    level: float

    @property
    def share(self) -> float:
        """The share of the tested independences that is refuted; nan of none."""
        return self.violations / self.tests if self.tests else float("nan")

    @property
    def falsifiable(self) -> bool:
        """Whether few enough graphs with permuted names say the same for a verdict."""
        return self.tests > 0 and self.p_equivalent <= self.level

    @property
    def falsified(self) -> bool:
        """Whether the graph is falsifiable and no better than one with permuted names."""
        return self.falsifiable and self.p_value > self.level

    def __str__(self) -> str:
        if not self.falsifiable:
            verdict = "no verdict: too many graphs with permuted names imply the same"
        else:
            verdict = "falsified" if self.falsified else "not falsified"
        return (
            f"{verdict}; {self.violations} of {self.tests} independences are violated "
            f"({self.by_chance:.0%} with permuted names, p {self.p_value:.3f})"
        )


def falsify(
    values: Any,
    graph: Any,
    names: Sequence[str] | None = None,
    *,
    alpha: float = 0.01,
    level: float = 0.05,
    permutations: int = 1000,
    seed: int = 0,
) -> Falsification:
    r"""Tests whether data refute a causal graph, by `dowhy.gcm.falsify`.

    A graph implies independences, :math:`x_j \perp x_k \mid \text{causes of } x_j` for every
    :math:`x_k` that does not follow from :math:`x_j`. Each is tested by the partial correlation
    (Fisher's z). The graph is compared with the same graph under permuted names: it is falsified
    if more than ``level`` of those violate no larger share of what they imply.

    Violations alone say little: with many rows even a slight curve refutes an independence, and
    variables without any relation violate nothing, whatever the graph. The latter, too, is
    falsified here: the graph is no better than any other.

    Args:
        values: A variable a column.
        graph: Weights or booleans of the arrows, from row to column, such as
            ``LightTunnel().weights``.
        names: Of the variables; ``z0``, ``z1``, ... by default.
        alpha: The level of a test of independence.
        level: That of the verdict.
        permutations: Of the names; all of them, where there are fewer.
        seed: Of their draw.

    Shape:
        - values: ``(N, K)``
        - graph: ``(K, K)``

    Raises:
        ModuleNotFoundError: without dowhy.
        ValueError: for a graph of another size, without arrows or with a cycle, a constant
            variable, too few rows, and levels that are no shares.

    References:
        Toward Falsifying Causal Graphs Using a Permutation-Based Test, Eulig, Mastakouri, Blöbaum,
        Hardt, Janzing, 2023, https://arxiv.org/abs/2305.09565. DoWhy-GCM, Blöbaum, Götz,
        Budhathoki, Mastakouri, Janzing, 2024, https://www.jmlr.org/papers/v25/22-1258.html.
    """
    for name, value in {"alpha": alpha, "level": level}.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value}; expected a share between 0 and 1")
    check_size("permutations", permutations)
    table, columns = named_table(values, names)
    true = np.asarray(graph) != 0
    if true.shape != (len(columns),) * 2 or not true.any():
        raise ValueError(
            f"graph has shape {true.shape} and {true.sum()} arrows; expected "
            f"{(len(columns),) * 2} and at least one"
        )
    if len(table) < len(columns) + 4:
        raise ValueError(f"values has {len(table)} rows; expected {len(columns) + 4} at least")
    import networkx
    import pandas

    arrows = networkx.DiGraph()
    arrows.add_nodes_from(columns)
    arrows.add_edges_from((columns[i], columns[j]) for i, j in np.argwhere(true))
    if not networkx.is_directed_acyclic_graph(arrows):
        cycle = networkx.find_cycle(arrows)
        raise ValueError(
            f"graph has a cycle through {', '.join(a for a, _ in cycle)}; expected arrows from "
            "causes to effects alone"
        )
    try:
        from dowhy.gcm.falsify import FalsifyConst, falsify_graph
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "graphs are falsified by dowhy: pip install 'untwine[causal]'"
        ) from error
    everything = math.factorial(len(columns)) <= permutations
    with _seeded(check_seed(seed)):
        summary = falsify_graph(
            arrows,
            pandas.DataFrame(table, columns=columns),
            independence_test=_dependence,
            conditional_independence_test=_dependence,
            significance_level=level,
            significance_ci=alpha,
            n_permutations=-1 if everything else permutations,
            show_progress_bar=False,
            n_jobs=1,
        ).summary
    local, equivalent = summary[FalsifyConst.VALIDATE_LMC], summary[FalsifyConst.VALIDATE_TPA]
    causes = {
        name: [columns[i] for i in np.flatnonzero(true[:, k])] for k, name in enumerate(columns)
    }
    broken = [
        (f"{node}, {other}" + (f" | {', '.join(causes[node])}" if causes[node] else ""), float(p))
        for (node, other), (p, refuted) in local[FalsifyConst.LOCAL_VIOLATION_INSIGHT].items()
        if refuted
    ]
    shares = local[FalsifyConst.F_PERM_VIOLATIONS]
    return Falsification(
        names=columns,
        tests=int(local[FalsifyConst.N_TESTS]),
        violations=int(local[FalsifyConst.GIVEN_VIOLATIONS]),
        broken=tuple(sorted(broken, key=lambda pair: pair[1])),
        by_chance=float(np.mean(shares)),
        p_value=float(local[FalsifyConst.P_VALUE]),
        p_equivalent=float(equivalent[FalsifyConst.P_VALUE]),
        permutations=len(shares),
        level=level,
    )


def _dependence(x: np.ndarray, y: np.ndarray, condition: np.ndarray | None = None) -> float:
    """The p-value of Fisher's z of a partial correlation of two columns."""
    from scipy.stats import norm

    columns = np.column_stack([np.ravel(x), np.ravel(y)]).astype(float)
    causes = np.ones((len(columns), 1))
    if condition is not None:
        causes = np.column_stack([causes, condition]).astype(float)
    residual = columns - causes @ np.linalg.lstsq(causes, columns, rcond=None)[0]
    scale = np.linalg.norm(residual, axis=0).prod()
    r = np.clip(residual[:, 0] @ residual[:, 1] / max(scale, 1e-12), -1 + 1e-12, 1 - 1e-12)
    return float(2 * norm.sf(math.sqrt(len(columns) - causes.shape[1] - 2) * abs(math.atanh(r))))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """A seed of the global generators, which dowhy sets and draws from; their states afterwards."""
    state, state_of_random = np.random.get_state(), random.getstate()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        random.setstate(state_of_random)
