"""Few labels, a shifted domain and held-out combinations: codes beside pixels and components.

Sprites of dSprites at half size in random colors. The methods learn from them without labels; then
a logistic regression learns a factor from 10 to 10,000 labelled sprites and is judged on others of
the same kind (same), on sprites before noise (shifted), and, where no labelled sprite has large
scale on the right side, on sprites that have (held out). Components are of the same sprites.

    python benchmarks/transfer.py
    python benchmarks/transfer.py --methods VAE BetaTCVAE --steps 400 --seeds 0 --draws 5

Each line of transfer.jsonl is a seed; the same command again goes on.
"""

from __future__ import annotations

from functools import partial

import common
import numpy as np
import torch

import untwine as ut
from untwine.data import ColorDSprites, Downsampled, NoisyDSprites, Subset
from untwine.use import transfer_curve

METHODS = {
    "VAE": lambda data, **s: ut.methods.VAE.build(data, **s),
    "BetaTCVAE": lambda data, **s: ut.methods.BetaTCVAE.build(data, beta=4.0, **s),
    "AdaGVAE": lambda data, **s: ut.methods.AdaGVAE.build(data, **s),
}
DOMAINS = ("same", "shifted", "held out")


def sample(kind, rows):
    return common.held(Subset(Downsampled(kind(), 2), np.sort(rows)))


def measured(seed, options):
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(seed)
    count = len(ColorDSprites())
    rows = rng.choice(count, options.n + options.test, replace=False)
    pool = sample(ColorDSprites, rows[: options.n])
    near, far = (sample(kind, rows[options.n :]) for kind in (ColorDSprites, NoisyDSprites))

    def pixels(data):
        return common.of_all(lambda x: x.flatten(1).numpy(), data)

    x = [pixels(data) for data in (pool, near, far)]
    pca = PCA(10, random_state=0).fit(x[0][:5000])
    codes = {"pixels": x, "components": [pca.transform(part) for part in x]}
    for name in options.methods:
        optimizer = partial(torch.optim.Adam, lr=1e-3, fused=True)
        net = ut.nets.Conv(options.width, (options.hidden,))
        method = METHODS[name](pool, latent_dim=10, net=net, seed=seed, optimizer=optimizer)
        common.fit(method, pool, steps=options.steps, batch_size=64, seed=seed)
        codes[name] = [ut.encode(method, data).mean for data in (pool, near, far)]
    column = ut.data.DSprites.space.position
    corner = [
        (v[:, column("scale")] >= 3) & (v[:, column("posX")] >= 16)
        for v in (pool.factors, near.factors)
    ]
    return {
        "factors": {
            factor: curves(
                codes,
                pool.factors[:, column(factor)],
                near.factors[:, column(factor)],
                corner,
                options,
                seed,
            )
            for factor in options.factors
        }
    }


def curves(codes, y, y_test, corner, options, seed):
    """By domain, the accuracies of every representation; from pixels with few labels only."""
    everything = {}
    for domain in DOMAINS:
        learn, judge = slice(None), slice(None)
        if domain == "held out":
            learn, judge = ~corner[0], corner[1]
        place = 2 if domain == "shifted" else 1

        def curve(names, labels, learn=learn, judge=judge, place=place):
            return transfer_curve(
                {name: codes[name][0][learn] for name in names},
                y[learn],
                {name: codes[name][place][judge] for name in names},
                y_test[judge],
                labels=labels,
                draws=options.draws,
                seed=seed,
            )

        own = curve([name for name in codes if name != "pixels"], options.labels)
        raw = curve(["pixels"], [size for size in options.labels if size <= options.pixels])
        everything[domain] = {
            "labels": own.labels.tolist(),
            "chance": own.chance,
            "accuracy": {
                name: np.round(values, 4).tolist()
                for name, values in {**raw.accuracy, **own.accuracy}.items()
            },
        }
    return everything


def summary(rows, factor, domain):
    """By representation, the mean of every seed and size with its interval over all draws."""
    from scipy.stats import t

    parts = [row["factors"][factor][domain]["accuracy"] for row in rows]
    for name in parts[0]:
        values = np.concatenate([part[name] for part in parts], 1)
        half = t.ppf(0.975, values.shape[1] - 1) * values.std(1, ddof=1) / values.shape[1] ** 0.5
        yield name, values.mean(1), half


def written(rows, options):
    lines = [
        "# Transfer",
        "",
        f"`python benchmarks/transfer.py {common.flags(settings(options))}`, one thread:",
        "accuracy of a factor by number of labels, ± half of the 95 % interval over the draws of",
        "the labels (of all seeds).",
        "",
    ]
    for factor in options.factors:
        for domain in DOMAINS:
            parts = [row["factors"][factor][domain] for row in rows]
            labels = parts[0]["labels"]
            lines += [f"## {factor.capitalize()}, {domain}", ""]
            lines += common.table(["code", *(f"{size:,} labels" for size in labels)])
            for name, mean, half in summary(rows, factor, domain):
                cells = [f"{m:.3f} ± {h:.3f}" for m, h in zip(mean, half, strict=True)]
                lines.append(common.line([name, *cells, *[""] * (len(labels) - len(cells))]))
            chance = np.mean([part["chance"] for part in parts])
            lines += ["", f"Commonest class: {chance:.3f}.", ""]
    return lines


def picture(rows, options, path):
    import matplotlib.pyplot as plt

    count = len(options.factors)
    figure, axes = plt.subplots(
        count, 3, figsize=(12, 3.3 * count), sharey="row", squeeze=False, layout="constrained"
    )
    for line, factor in zip(axes, options.factors, strict=True):
        for axis, domain in zip(line, DOMAINS, strict=True):
            part = rows[0]["factors"][factor][domain]
            for name, mean, half in summary(rows, factor, domain):
                x = part["labels"][: len(mean)]
                axis.plot(x, mean, marker="o", ms=4, label=name)
                axis.fill_between(x, mean - half, mean + half, alpha=0.2)
            axis.axhline(part["chance"], color="0.5", ls=":", lw=1)
            axis.set(xscale="log", xlabel="labels", title=domain)
        line[0].set_ylabel(f"accuracy of {factor}")
    axes[0, 0].legend(fontsize=8)
    common.save(figure, path)


def settings(options):
    names = ("factors", "steps", "width", "hidden", "n", "test", "draws", "labels", "pixels")
    names = (*names, "seeds")
    return {"methods": options.methods, **common.chosen(options, names)}


def main() -> None:
    parser = common.parser(__doc__, seeds=[0, 1], out=common.RESULTS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--factors", nargs="+", default=["shape", "scale"])
    common.numbers(parser, steps=3000, width=16, hidden=128)
    parser.add_argument("--n", type=int, default=20_000, help="sprites to learn from")
    common.numbers(parser, test=4000, draws=10)
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--pixels", type=int, default=1000, help="labels to learn from pixels")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = common.Rows(options.out / "transfer.jsonl")
    key = {k: v for k, v in settings(options).items() if k != "seeds"}
    mine = [
        rows.once({**key, "seed": seed}, partial(measured, seed, options)) for seed in options.seeds
    ]
    (options.out / "transfer.md").write_text("\n".join(written(mine, options)))
    picture(mine, options, options.out / "transfer.png")


if __name__ == "__main__":
    main()
