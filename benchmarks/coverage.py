"""How often the confidence intervals of `untwine.evaluate` cover what they should.

Many data sets are drawn from one world; the target is the score's mean over all of them, that is,
what the protocol gives on average with that many points. An interval of 95 % should cover it 95
times in 100. The percentile bootstrap (rows drawn with replacement) is shown beside it.

    python benchmarks/coverage.py

Writes benchmarks/results/coverage.md.
"""

from __future__ import annotations

from functools import partial

import common
import numpy as np

from untwine import metrics
from untwine.evaluation.confidence import half_sample, interval

SIZES = (4, 8, 16)
COLUMNS = ("metric", "replicates", "mean", "sd", "half-samples", "width", "bootstrap", "misses")


def draw(n: int, seed: int, mix: float = 0.3, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Three factors, half mixed into four noisy dimensions, the last of which is dead."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(size, size=n) for size in SIZES], axis=1)
    clean = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    turn = np.eye(3) + mix * np.random.default_rng(123).normal(size=(3, 3))
    codes = np.concatenate([clean @ turn, np.zeros((n, 1))], axis=1)
    return codes + noise * rng.normal(size=codes.shape), factors


def study(name: str, sets: int, points: int, repeats: int, level: float, **settings) -> dict:
    entry = metrics.METRICS[name]
    values, ours, plain = [], [], []
    for i in range(sets):
        codes, factors = draw(points, seed=i)

        def score(rows, seed, codes=codes, factors=factors):
            return entry.call(codes[rows], factors[rows], seed=seed, settings=settings).value

        value = score(np.arange(points), i)
        halves = [score(half_sample(points, i, r), 1000 + r) for r in range(repeats)]
        again = [
            score(np.random.default_rng([i, r, 7]).integers(points, size=points), 1000 + r)
            for r in range(repeats)
        ]
        values.append(value)
        ours.append(interval(value, np.array(halves), level, n=points))
        plain.append(np.quantile(again, [(1 - level) / 2, (1 + level) / 2]))
    target = np.mean(values)
    ours, plain = np.array(ours), np.array(plain)
    return {
        "metric": name,
        "mean": target,
        "sd": np.std(values, ddof=1),
        "coverage": np.mean((ours[:, 0] <= target) & (target <= ours[:, 1])),
        "width": np.mean(ours[:, 1] - ours[:, 0]) / (2 * 1.96 * np.std(values, ddof=1)),
        "bootstrap": np.mean((plain[:, 0] <= target) & (target <= plain[:, 1])),
        "bootstrap_misses_score": np.mean((plain[:, 0] > values) | (plain[:, 1] < values)),
    }


CASES: dict[str, dict] = {
    "mig": {},
    "mig_sup": {},
    "dcimig": {},
    "jemmig": {},
    "modularity": {},
    "irs": {},
    "mcc": {},
    "gaussian_total_correlation": {},
    "wasserstein_correlation": {},
    "pairwise_mutual_information": {},
    "infomec": {},
    "factor_vae_score": {"votes": 1000, "test_votes": 500},
    "beta_vae_score": {"train": 1000, "test": 500},
    "sap": {},
    "explicitness": {},
    "dci": {"predictor": "fast"},
    "r2": {},
}


def main() -> None:
    parser = common.parser(__doc__, results=common.RESULTS)
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--quick", type=int, default=40, help="replicates of quick metrics")
    parser.add_argument("--metrics", default=",".join(CASES))
    options = parser.parse_args()
    lines = [
        "# Coverage of confidence intervals",
        "",
        f"`python benchmarks/coverage.py --sets {options.sets} --points {options.points} "
        f"--quick {options.quick} --metrics {options.metrics}`,",
        f"2026-11-21. {options.sets} data sets of {options.points:,} points of one world: factors",
        f"of {', '.join(map(str, SIZES))} values, each dimension partly another's, noise of 0.3,",
        "one dead dimension. The target is the mean score over the sets. *half-samples*: share",
        "of our 95 % intervals that cover it. *width*: their mean width over that of plus or minus",
        "1.96 true standard deviations. *bootstrap*: coverage of percentile intervals from as",
        "many",
        "samples with replacement; *misses*: how often these do not even hold their own score.",
        "",
        *common.table(COLUMNS),
    ]
    print("\n".join(lines))
    for name in options.metrics.split(","):
        repeats = min(options.quick, metrics.METRICS[name].repeats)
        measure = partial(study, name, options.sets, options.points, repeats, 0.95, **CASES[name])
        r, seconds, _ = common.timed(measure)
        shares = ("coverage", "width", "bootstrap", "bootstrap_misses_score")
        cells = [f"{r['mean']:.4f}", f"{r['sd']:.4f}", *(f"{r[share]:.2f}" for share in shares)]
        lines.append(common.line([name, repeats, *cells]))
        print(lines[-1], f"{seconds:.0f} s", flush=True)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "coverage.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
