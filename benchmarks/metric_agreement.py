"""What every metric says of the same codes, and how far metrics agree about which is better.

Writes docs/metrics/agreement.png and docs/metrics/agreement.md. The codes follow dSprites' five
factors (3, 6, 40, 32, 32); a family of them is graded by rotation, noise, nonlinear mixing, dead,
repeated and shared dimensions. With --runs, trained runs are scored too.

    python benchmarks/metric_agreement.py --points 10000
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import common
import numpy as np
import pandas as pd
from common import SIZES, nonlinear, standardized

import untwine as ut
from untwine.metrics import METRICS

NAMES = ("shape", "scale", "orientation", "x", "y")
DOCS = common.ROOT / "docs/metrics"


def draw(n: int, seed: int = 0) -> np.ndarray:
    """Rows of dSprites' factors, drawn with repetition."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(size, size=n) for size in SIZES], axis=1)


def rotation(share: float, seed: int = 1) -> np.ndarray:
    """The random rotation of `seed`, gone through up to a share of its way."""
    from scipy.linalg import expm, logm
    from scipy.stats import special_ortho_group

    whole = special_ortho_group.rvs(len(SIZES), random_state=seed)
    return np.real(expm(share * logm(whole)))


def fixed(factors: np.ndarray) -> dict[str, np.ndarray]:
    """The codes of the table, by name."""
    rng = np.random.default_rng(3)
    n, u = len(factors), standardized(factors)
    dead = np.stack([np.zeros(n), np.full(n, 0.5), 0.01 * rng.normal(size=n)], axis=1)
    shared = np.column_stack([factors[:, 0] * SIZES[2] + factors[:, 2], u[:, [1, 3, 4]]])
    return {
        "perfect": factors.astype(np.float64),
        "rotated": u @ rotation(1.0),
        "noisy": u + 0.3 * rng.normal(size=u.shape),
        "dead dims": np.concatenate([u, dead], axis=1),
        "repeated": np.concatenate([u, u], axis=1),
        "shared": shared,
        "nonlinear": nonlinear(u, 10, np.random.default_rng(2)),
        "noise": rng.normal(size=(n, 10)),
        "constant": np.zeros((n, 10)),
    }


def family(factors: np.ndarray) -> dict[str, np.ndarray]:
    """Codes of graded quality, by name."""
    n, u = len(factors), standardized(factors)
    codes = {}
    for share in (0.0, 0.1, 0.2, 0.4, 0.7, 1.0):
        for noise in (0.0, 0.1, 0.3, 1.0):
            rng = np.random.default_rng([4, int(10 * share), int(10 * noise)])
            filler = 0.1 * rng.normal(size=(n, 3))
            z = np.concatenate([u @ rotation(share), filler], axis=1)
            codes[f"rotated {share}, noise {noise}"] = z + noise * rng.normal(size=z.shape)
    for seed in range(6):
        for mix in (0.3, 1.0):
            z = nonlinear(u, 8, np.random.default_rng(seed))
            plain = np.concatenate([u, np.zeros((n, 3))], axis=1)
            codes[f"nonlinear {mix}, seed {seed}"] = mix * 3 * z + (1 - mix) * plain
    for noise in (0.05, 0.5):
        rng = np.random.default_rng([5, int(100 * noise)])
        for name, z in fixed(factors).items():
            if name in ("repeated", "shared", "dead dims"):
                scale = z.std(axis=0)
                codes[f"{name}, noise {noise}"] = z + noise * scale * rng.normal(size=z.shape)
    return codes


def rotations(factors: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of 20 random rotations."""
    names = ("factor_vae_score", "beta_vae_score", "mig", "modularity")
    rows = []
    for seed in range(20):
        table = ut.evaluate(standardized(factors) @ rotation(1.0, seed), factors, names)
        rows.append([table[name].value for name in names])
    return dict(zip(names, np.array(rows).T, strict=True))


def scores(codes: np.ndarray, factors: np.ndarray, points: int) -> dict[str, float]:
    """The value of each metric, and the parts that have names of their own."""
    e = ut.evaluate(codes, factors, points=points, names=NAMES)
    values = {name: score.value for name, score in e.scores.items()}
    for metric, part in (
        ("dci", "completeness"),
        ("dci", "informativeness"),
        ("infomec", "infoc"),
        ("infomec", "infoe"),
    ):
        if metric in values:
            values[f"{metric}: {part}"] = e[metric].parts[part]
    return values


def runs(paths: Sequence[str], n: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Codes and factors of trained runs, by path."""
    found = {}
    for path in paths:
        run = ut.Run.load(path)
        codes = ut.encode(run.method, run.data, n=n)
        found[path] = (codes.mean, codes.factors)
    return found


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlation between metrics over codes, signs turned so that more is better."""
    from scipy.stats import spearmanr

    for name in table.columns:
        entry = METRICS.get(name)
        if entry is not None and entry.higher_is_better is False:
            table[name] = -table[name]
    rho = spearmanr(table.to_numpy(), nan_policy="omit").statistic
    return pd.DataFrame(rho, index=table.columns, columns=table.columns)


def heat_map(rho: pd.DataFrame, path: Path) -> None:
    import matplotlib.pyplot as plt

    size = len(rho)
    figure, axes = plt.subplots(figsize=(0.42 * size + 3, 0.42 * size + 2.4))
    image = axes.imshow(rho.to_numpy(), cmap="RdBu", vmin=-1, vmax=1)
    axes.set_xticks(range(size), rho.columns, rotation=90)
    axes.set_yticks(range(size), rho.index)
    for i in range(size):
        for j in range(size):
            value = rho.to_numpy()[i, j]
            if np.isfinite(value):
                color = "white" if abs(value) > 0.6 else "black"
                text = f"{100 * value:.0f}"
                axes.text(j, i, text, ha="center", va="center", color=color, fontsize=7)
    figure.colorbar(image, ax=axes, shrink=0.7, label="Spearman's correlation (numbers: per cent)")
    figure.tight_layout()
    common.save(figure, path, dpi=110)
    plt.close(figure)


def markdown(table: pd.DataFrame) -> str:
    def cell(value: float) -> str:
        return "" if np.isnan(value) else "∞" if np.isinf(value) else f"{value:.3f}"

    rows = [[name, *map(cell, row)] for name, row in table.iterrows()]
    return "\n".join(common.table(["", *table.columns], rows))


def main() -> None:
    parser = common.parser(__doc__, results=DOCS)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--family-points", type=int, default=3_000)
    parser.add_argument("--runs", nargs="*", default=[], help="folders of trained runs")
    options = parser.parse_args()
    started = time.perf_counter()
    factors = draw(3 * options.points // 2)
    table = {}
    for name, codes in fixed(factors).items():
        table[name] = scores(codes, factors, options.points)
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    graded = {}
    factors = draw(3 * options.family_points // 2)
    for name, codes in family(factors).items():
        graded[name] = scores(codes, factors, options.family_points)
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    trained = {}
    for path, (codes, labels) in runs(options.runs, 3 * options.points // 2).items():
        trained[path] = scores(codes, labels, options.points)
    frame = pd.DataFrame(graded | trained).T
    heat_map(correlations(frame.drop(columns="active_units")), options.results / "agreement.png")
    turned = "; ".join(
        f"{name} {values.min():.2f} to {values.max():.2f}, median {np.median(values):.2f}"
        for name, values in rotations(draw(options.points)).items()
    )
    source = f"{len(graded)} made codes" + (f" and {len(trained)} trained runs" if trained else "")
    command = f"python benchmarks/metric_agreement.py --points {options.points}"
    if options.runs:
        command += " --runs ..."
    text = f"""# What the metrics say of the same codes

Made by `{command}`.

## Fixed codes

Five factors of dSprites' sizes (3, 6, 40, 32, 32), {options.points:,} points to learn from and half
as many to be judged on, the settings of `untwine.evaluate`. *perfect*: each factor's number on its
own dimension. *rotated*: the standardized factors turned by a random rotation. *noisy*:
standardized factors and Gaussian noise of 0.3. *dead dims*: three more dimensions that hardly vary.
*repeated*: each factor on two dimensions. *shared*: shape and orientation on one dimension.
*nonlinear*: ten outputs of a random two-layer net. *noise*: ten dimensions of nothing else.
*constant*: ten zeros.

{markdown(pd.DataFrame(table))}

The rotation matters. Over 20 random ones: {turned}.

## Agreement

Spearman's correlation between metrics over {source}, {options.family_points:,} points:
rotations of 0 to 100 % with noise of 0 to 1, nonlinear mixtures, dead, repeated and shared
dimensions with noise. Where lower is better the sign is turned: 100 means that two metrics put all
codes in the same order.

![Spearman correlation between metrics](agreement.png)
"""
    (options.results / "agreement.md").write_text(text)


if __name__ == "__main__":
    main()
