"""Translation between modalities, on held-out cells, beside ridge regression.

Usage: python benchmarks/modalities.py [--sets triana cell_lines] [--seeds 0 1 2] [--steps 600]
                                       [--out FILE] [--data PATH]

Every training is kept in the file named by --keep when it ends; the same line again goes on.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import common
import numpy as np
import scipy.sparse as sp
import torch
from common import numbered

import untwine as ut
from untwine.distributions import Gaussian, NegativeBinomial, StandardNormal

ARMS = {
    "common, mixture": {"fusion": "common"},
    "common, standard normal": {"fusion": "common", "prior": StandardNormal},
    "product of experts": {"fusion": "product"},
    "mixture of experts": {"fusion": "mixture"},
}


def triana(path, cells):
    """RNA and surface proteins, counts both; batches are donors."""
    z = np.load(path / "triana_abseq_full.npz")
    rows = np.sort(np.random.default_rng(0).choice(z["rna_shape"][0], cells, replace=False))
    kind = numbered(z["cellType_broad"])[rows]
    LABELS["protein"] = z["proteins"].tolist()
    rna, adt = common.counts(z, "rna")[rows], common.counts(z, "adt")[rows]
    donor = numbered(z["sample_batch"])[rows]
    c = np.eye(donor.max() + 1)[donor]
    return ("rna", "protein"), (rna, adt), kind, c, (NegativeBinomial, NegativeBinomial)


def cell_lines(path, cells):
    """RNA counts and topics of chromatin accessibility (standardized logarithms)."""
    z = np.load(path / "snareseq_cell_lines.npz")
    topics = np.log1p(z["atac_topics"])
    topics = (topics - topics.mean(0)) / topics.std(0)
    kind = numbered(z["cell_line"])
    parts = (common.counts(z, "rna"), topics.astype(np.float32))
    return ("rna", "atac"), parts, kind, None, (NegativeBinomial, partial(Gaussian, "learned"))


LABELS = {}  # names of features, by modality, where a set has them
SETS = {"triana": triana, "cell_lines": cell_lines}


def logs(x, counts):
    """What is correlated and regressed: log(1 + 10^4 x / total), or values as they are."""
    x = np.asarray(x.todense() if sp.issparse(x) else x, np.float64)
    return np.log1p(1e4 * x / np.maximum(x.sum(1, keepdims=True), 1)) if counts else x


def correlations(predicted, observed):
    """Of each feature over cells; features that do not vary are left out."""
    a, b = predicted - predicted.mean(0), observed - observed.mean(0)
    norm = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    kept = b.std(0) > 0
    return ((a * b).sum(0) / np.where(norm > 0, norm, np.inf))[kept]


def ridge(x, y, x_test, c, c_test):
    from sklearn.linear_model import RidgeCV

    if c is not None:
        x, x_test = np.concatenate([x, c], 1), np.concatenate([x_test, c_test], 1)
    return RidgeCV(np.logspace(0, 4, 9)).fit(x, y).predict(x_test)


def build(name, parts, kind, c, families, train, arm, args, seed):
    names, values = parts
    data = ut.data.Multimodal(
        {
            n: ut.FactorDataset.from_arrays(x, kind, ["cell_type"], covariates=c)
            for n, x in zip(names, values, strict=True)
        }
    )
    part = data.subset(train)
    options = dict(ARMS[arm])
    if "prior" in options:
        options["prior"] = options["prior"](args.latent_dim)
    nets = {
        n: ut.nets.MLP((128,), inputs="log1p" if f is NegativeBinomial else "raw")
        for n, f in zip(names, families, strict=True)
    }
    torch.manual_seed(seed)
    method = ut.methods.MultimodalVAE.build(
        part,
        latent_dim=args.latent_dim,
        seed=seed,
        nets=nets,
        likelihoods={n: f() for n, f in zip(names, families, strict=True)},
        **options,
    )
    _, seconds = common.fit(method, part, steps=args.steps, batch_size=128, seed=seed)
    return method, data, seconds


@torch.no_grad()
def predicted(method, data, rows, source, target, counts):
    c = None if data.covariates is None else data.covariates[rows]
    x = data.parts[source].observations(rows)
    p = method.translate(x, source, target, c)
    return logs(p.mean.numpy(), counts)


def picture(method, data, rows, names, counts, seen, path):
    """The second modality of held-out cells, predicted from the first."""
    s, t = names
    figure = ut.plots.cross_modal(
        seen[t][rows], predicted(method, data, rows, s, t, counts[t]), LABELS.get(t), features=5
    )
    common.save(figure, path)


def measure(name, parts, kind, c, families, split, seen, arm, args, seed):
    """Correlations of every way to translate held-out cells, ARI, NMI and seconds."""
    train, test = split
    names = a, b = parts[0]
    counts = {n: f is NegativeBinomial for n, f in zip(names, families, strict=True)}
    method, data, seconds = build(name, parts, kind, c, families, train, arm, args, seed)
    if args.pictures and seed == args.seeds[0]:
        picture(method, data, test, names, counts, seen, args.pictures / f"{name}.png")
    scores = []
    for s, t in ways(a, b):
        guess = predicted(method, data, test, s, t, counts[t])
        scores.append(correlations(guess, seen[t][test]).mean())
    codes = ut.encode(method, data.subset(test))
    scores += [ut.metrics.ari(codes.mean, codes.factors), ut.metrics.nmi(codes.mean, codes.factors)]
    return {"scores": [*map(float, scores), seconds]}


def ways(a, b):
    return (a, b), (b, a), (a, a), (b, b)


def main():
    files = {"data": common.SHARED, "out": None, "keep": Path("modalities.jsonl")}
    parser = common.parser(__doc__, seeds=[0, 1, 2], **files)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--cells", type=int, default=3000)
    parser.add_argument("--latent_dim", type=int, default=16)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--pictures", type=Path, help="a folder for figures of the first seed")
    args = parser.parse_args()
    kept, text = common.Rows(args.keep), []

    def say(line):
        print(line, flush=True)
        text.append(line)

    for name in args.sets:
        names, values, kind, c, families = SETS[name](args.data, args.cells)
        a, b = names
        counts = {n: f is NegativeBinomial for n, f in zip(names, families, strict=True)}
        seen = {n: logs(x, counts[n]) for n, x in zip(names, values, strict=True)}
        order = np.random.default_rng(0).permutation(len(kind))
        test, train = np.sort(order[: len(kind) // 4]), np.sort(order[len(kind) // 4 :])
        say(f"\n## {name}: {len(train)} cells to learn from, {len(test)} held out\n")
        head = ["", *(f"{s} to {t}" for s, t in ways(a, b)), "ARI", "NMI", "s a run"]
        row = ["ridge regression", "", "", "", "", "", "", ""]
        for k, (s, t) in enumerate(ways(a, b)[:2], 1):
            ct = (None, None) if c is None else (c[train], c[test])
            guess = ridge(seen[s][train], seen[t][train], seen[s][test], *ct)
            row[k] = f"{correlations(guess, seen[t][test]).mean():.3f}"
        say("\n".join(common.table(head, [row])))
        for arm in args.arms:
            part = []
            for seed in args.seeds:
                key = [name, arm, seed, args.steps, args.latent_dim, args.cells]
                run = partial(measure, name, (names, values), kind, c, families, (train, test),
                              seen, arm, args, seed)  # fmt: skip
                part.append(kept.once({"key": key}, run)["scores"])
            *columns, seconds = np.transpose(part)
            cells = [*map(common.mean_sd, columns), f"{seconds.mean():.0f}"]
            say(common.line([arm, *cells]))
    say(
        f"\n{args.steps} steps of 128 cells, latent_dim {args.latent_dim}, seeds {args.seeds}, "
        f"{torch.get_num_threads()} thread(s)."
    )
    if args.out:
        args.out.write_text("\n".join(text).lstrip() + "\n")


if __name__ == "__main__":
    main()
