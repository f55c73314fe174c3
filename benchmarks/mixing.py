"""Seconds of the metrics of a label and a batch, each called alone and all in one evaluation.

In one evaluation they share what several need: nearest neighbors, k-means, silhouettes. The codes
are 10,000 rows of 10 dimensions with a label of ten kinds and a batch of five donors; CPU seconds,
one thread, the quickest of three tries.

    python benchmarks/mixing.py

Writes benchmarks/results/mixing.md.
"""

from __future__ import annotations

import numpy as np
from common import RESULTS, parser, table, timed

import untwine as ut
from untwine import metrics
from untwine.metrics._estimators.threads import one_thread

CLUSTERS = ("ari", "nmi", "ami", "v_measure", "cluster_accuracy")
NEAR = ("lisi", "graph_connectivity", "isolated_labels_f1")
WIDTHS = ("silhouette", "isolated_labels_asw")
OTHERS = ("batch_silhouette", "kbet")
TRIES = 3


def cells(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Codes, and five factors: kind, donor and three more."""
    rng = np.random.default_rng(seed)
    kind, donor = rng.integers(0, 10, rows), rng.integers(0, 5, rows)
    more = rng.integers(0, 4, (rows, 3))
    codes = 2 * rng.normal(size=(10, 10))[kind] + 0.5 * rng.normal(size=(5, 10))[donor]
    return codes + rng.normal(size=codes.shape), np.column_stack([kind, donor, more])


def seconds(names: tuple[str, ...], codes: np.ndarray, factors: np.ndarray) -> float:
    """CPU seconds of an evaluation of these metrics."""
    options = {"label": 0, "batch": 1, "points": None, "progress": False}
    return timed(lambda: ut.evaluate(codes, factors, list(names), **options))[2]


def simpson(codes: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    """CPU seconds of LISI of five factors: a call for each, and one for all."""
    values, _, each = timed(lambda: [metrics.lisi(codes, v, points=None).value for v in factors.T])
    score, _, once = timed(lambda: metrics.lisi(codes, factors, points=None))
    assert np.allclose(score.parts["per_factor"], values)
    return each, once


def main() -> None:
    options = parser(__doc__, results=RESULTS)
    options.add_argument("--rows", type=int, default=10_000)
    chosen = options.parse_args()
    codes, factors = cells(chosen.rows)
    groups = {"k-means": CLUSTERS, "neighbors": NEAR, "silhouettes": WIDTHS}
    every = (*CLUSTERS, *NEAR, *WIDTHS, *OTHERS)
    rows: list[tuple[str, float, float]] = []
    with one_thread():
        seconds(every, codes[:500], factors[:500])  # imports
        tries = range(TRIES)
        alone = {name: min(seconds((name,), codes, factors) for _ in tries) for name in every}
        each, once = map(min, zip(*(simpson(codes, factors) for _ in tries), strict=True))
        rows.append(("`lisi` of five factors", each, once))
        for what, names in {**groups, "all twelve": every}.items():
            listed = f": {', '.join(names)}" if what in groups else ""
            whole = min(seconds(names, codes, factors) for _ in tries)
            rows.append((what + listed, sum(alone[name] for name in names), whole))
    lines = [(what, f"{a:.2f}", f"{b:.2f}", f"{a / b:.1f}") for what, a, b in rows]
    text = [
        "# Metrics of a label and a batch: each alone, and in one evaluation",
        "",
        f"CPU seconds of {chosen.rows:,} codes of 10 dimensions, one thread, of",
        "`python benchmarks/mixing.py`. What several metrics need is computed once in an",
        "evaluation; both columns give the same values.",
        "",
        *table(["metrics", "each alone, s", "together, s", "ratio"], lines),
    ]
    (chosen.results / "mixing.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
