"""Diagnostics of trained models: what diagonal posteriors, beta and the seam gap do and say.

    python benchmarks/diagnostics.py --parts posteriors betas glue toy speed generator pythae

`posteriors`: diagonal beside full-covariance posteriors, on dSprites (squares, upright, 16 x 16)
and on Frey faces. `betas`: the same sets over several weights of the KL divergence. `glue`: which
squares a code cannot tell apart, over the same weights. `toy`: a nonlinear toy whose components are
known. `speed`: a thousand Jacobians of the literature's net. `generator`: axes of a GAN from PyPI
(`pip install --no-deps gan_face_generate==1.1.1`). `pythae`: VAEs of another library
(`pip install pythae==0.1.2`), by its own losses on MNIST's first 10,000 digits.

Rows are appended to benchmarks/results/diagnostics.jsonl; what is there is not trained again.
"""

from __future__ import annotations

import math
import resource
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import common
import numpy as np
import torch
from scipy.stats import rankdata, spearmanr
from torch import nn
from torch.distributions import Independent, Normal
from torch.optim import Adam

import untwine as ut
from untwine import diagnostics as d, plots
from untwine.data.batches import Images
from untwine.distributions import Bernoulli, Diagonal, FullCovariance, Gaussian
from untwine.methods import Context, play
from untwine.nets import MLP
from untwine.nets.architecture import Decode, Encode
from untwine.nets.mlp import mlp

FAST = partial(Adam, lr=1e-3, fused=True)
POSTERIORS = {"diagonal": Diagonal, "full": FullCovariance}
BETAS = {"dsprites": [1.0, 2.0, 4.0, 8.0], "frey": [0.5, 1.0, 2.0, 4.0, 8.0]}
USUAL = {"dsprites": 2.0, "frey": 1.0}
TURN = 0.5  # radians, of the toy
UNLABELLED = {"gap": "gap", "cosine": "cosine", "total_correlation": "TC", "used": "used"}
"""What might choose a run without labels, and what it is called."""


def squares(folder: Any) -> ut.FactorDataset:
    """dSprites' upright squares, 6 sizes at 32 x 32 places, as 16 x 16 grey values."""
    whole = ut.data.DSprites()
    rows = np.flatnonzero((whole.factors[:, 0] == 0) & (whole.factors[:, 2] == 0))
    x = torch.nn.functional.avg_pool2d(whole.observations(rows), 4)
    return ut.FactorDataset.from_arrays(x, whole.factors[rows][:, [1, 3, 4]], ["scale", "x", "y"])


def frey(folder: Any) -> ut.FactorDataset:
    """Frey faces, 1,965 frames of 14 x 10 grey values in [0, 1]."""
    images = np.load(folder / "frey_faces_28x20.npz")["images"].astype(np.float32) / 255
    halved = images.reshape(-1, 14, 2, 10, 2).mean((2, 4))
    return ut.FactorDataset.from_arrays(halved.reshape(-1, 140))


SETS = {"dsprites": squares, "frey": frey}


def trained(name: str, data: ut.FactorDataset, posterior: str, beta: float, seed: int, steps: int):
    likelihood = Bernoulli() if name == "dsprites" else Gaussian(sigma=0.1)
    method = ut.methods.BetaVAE.build(
        data, 5, beta=beta, net=MLP((128,)), likelihood=likelihood,
        posterior=POSTERIORS[posterior](), optimizer=FAST, seed=seed,
    )  # fmt: skip
    return method, taught(method, data, steps, seed)


def taught(method: Any, data: ut.FactorDataset, steps: int, seed: int, size: int = 64) -> float:
    """Trains with all data in memory, nothing logged or kept; returns processor seconds."""
    x = data.observations(range(len(data)))
    optimizer = method.players()["vae"].optimizer(method.parameters())
    torch.manual_seed(seed)
    method.train()

    def loop() -> None:
        for step in range(steps):
            batch = Images(x[torch.randint(len(x), (size,))])
            context = Context(torch.tensor(step), len(x))
            for _ in play(method.moves(batch, context), {"vae": optimizer}):
                pass

    return common.timed(loop)[2]


def one(name: str, posterior: str, beta: float, seed: int, data: ut.FactorDataset, steps: int):
    """Trains a model and diagnoses it."""
    method, seconds = trained(name, data, posterior, beta, seed, steps)
    found = d.diagnose(method, data, n=300, seed=0)
    seams, parts = found.orthogonality, found.elbo
    fitted = d.beta_and_sigma({beta: method}, data, n=300)
    row = {
        "verdict": found.verdict,
        "used": len(seams.dims),
        "gap": seams.gap.value,
        "rotated": seams.rotated.mean().item(),
        "cosine": seams.mean_cosine,
        "angle": seams.angle,
        "v_distance": seams.v_distance.mean().item(),
        "permuted": seams.permuted,
        "covariance_kl": seams.covariance_kl.mean().item(),
        "elbo": parts.elbo.value,
        "rate": parts.kl.value,
        "total_correlation": parts.total_correlation.value,
        "sigma": fitted.sigma[0],
        "quantiles": np.quantile(seams.seam_gap.numpy(), [0.05, 0.25, 0.5, 0.75, 0.95]).tolist(),
    }
    if name == "dsprites":
        codes = ut.encode(method, data, 1500)
        scores = ut.evaluate(codes, metrics=["mig", "dci"], points=1000, progress=False)
        row |= {metric: float(scores[metric]) for metric in ("mig", "dci")}
    return {**row, "seconds": round(seconds)}


def glue(beta: float, seed: int, data: ut.FactorDataset, steps: int) -> dict[str, Any]:
    """Which of all squares a code may stand for."""
    method, seconds = trained("dsprites", data, "diagonal", beta, seed, steps)
    found = d.overlap(method, data, n=len(data))
    numbers = {"perplexity": found.perplexity, "distance": found.distance, "chance": found.chance}
    return {**numbers, "factors": dict(found.factors), "seconds": round(seconds)}


class Smooth(MLP):
    """`MLP` with SiLU in place of ReLU, so that a decoder has derivatives of its derivatives."""

    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        return Encode(nn.Flatten(), *mlp(math.prod(shape), self.hidden, features, nn.SiLU))

    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        layers = mlp(latent_dim, self.hidden[::-1], math.prod(shape), nn.SiLU)
        return Decode(*layers, nn.Unflatten(-1, tuple(shape)))


def toy(posterior: str, seed: int, steps: int) -> dict[str, Any]:
    """Are the components of x = R (2 sinh z_1, 0.7 (z_2 + z_2^3 / 3)) found again?"""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(4000, 2))
    turn = np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
    x = np.stack([2 * np.sinh(z[:, 0]), 0.7 * (z[:, 1] + z[:, 1] ** 3 / 3)], 1) @ turn.T
    data = ut.FactorDataset.from_arrays(x.astype(np.float32))
    method = ut.methods.VAE.build(
        data, 2, net=Smooth((64, 64)), likelihood=Gaussian(sigma=0.3),
        posterior=POSTERIORS[posterior](), optimizer=FAST, seed=seed,
    )  # fmt: skip
    seconds = taught(method, data, steps, seed, 128)
    codes = ut.encode(method, data).mean
    strength = ut.metrics.mcc(codes, z, correlation="spearman", unknown=None)
    conditions = d.independence(method, data, n=200, dims=[0, 1])
    seams = d.orthogonality(method, data, n=500, dims=[0, 1])
    return {
        "mcc": float(strength),
        "cosine": conditions.crossing,
        "bending": conditions.bending,
        "gap": seams.gap.value,
        "seconds": round(seconds),
    }


def speed() -> dict[str, Any]:
    """A thousand Jacobians of the 64 x 64 net with 10 latents."""
    data = ut.FactorDataset.from_arrays(np.zeros((1000, 64, 64), np.uint8))
    method = ut.methods.VAE.build(data, 10, seed=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    z = torch.randn(1000, 10, generator=torch.Generator().manual_seed(0))
    _, wall, cpu = common.timed(lambda: d.metric_at(method, z))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "wall": round(wall, 1), "cpu": round(cpu, 1), "threads": torch.get_num_threads(),
        "megabytes": round(peak / 1024), "before": round(before / 1024),
    }  # fmt: skip


class Faces(nn.Sequential):
    """The generator of `gan_face_generate` 1.1.1 (MIT): 100 numbers to 64 x 64 faces."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.Unflatten(1, (100, 1, 1))]
        sizes = [100, 512, 256, 128, 64]
        for i, (a, b) in enumerate(pairwise(sizes)):
            stride, padding = (1, 0) if i == 0 else (2, 1)
            layers += [nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False)]
            layers += [nn.BatchNorm2d(b), nn.ReLU()]
        layers += [nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh()]
        super().__init__(*layers)


def generator() -> dict[str, Any]:
    """Axes of a GAN's generator: seam gaps, effective ranks, agreement of places."""
    from importlib.util import find_spec
    from pathlib import Path

    place = find_spec("gan_face_generate")
    if place is None or not place.submodule_search_locations:
        raise SystemExit("pip install --no-deps gan_face_generate==1.1.1")
    file = Path(place.submodule_search_locations[0]) / "weights.tar"
    state = torch.load(file, map_location="cpu", weights_only=True)
    net = Faces().eval()
    weights = state["netG_state_dict"].values()
    net.load_state_dict(dict(zip(net.state_dict(), weights, strict=True)))
    z = torch.randn(6, 100, generator=torch.Generator().manual_seed(0))
    gaps = d.generator_gap(net, z).tolist()
    here, there = (d.local_axes(net, one) for one in z[:2])
    sefa, ganspace = d.sefa_axes(net), d.ganspace_axes(net, k=20, n=1000)
    ranks = [d.effective_rank(d.local_axes(net, one).strength.square()) for one in z]
    cosines = d.compare_axes(here, there, k=10).cosines
    images = d.walk(net, z[0], here, k=5, steps=9)
    canvas = plots.traversal_grid(
        (images + 1) / 2, [f"axis {k}" for k in range(5)], values=np.linspace(-3, 3, 9)
    )
    common.save(canvas, common.ROOT / "docs/diagnostics/img/faces_axes.png")
    return {
        "gaps": gaps,
        "ranks": ranks,
        "local_cosines": [cosines[0].item(), cosines[-1].item()],
        "local_sefa": d.compare_axes(here, sefa, k=10).cosines.tolist(),
        "local_ganspace": d.compare_axes(here, ganspace, k=10).cosines.tolist(),
        "sefa_ganspace": d.compare_axes(sefa, ganspace, k=10).cosines.tolist(),
    }


class Pythae:
    """A VAE of pythae 0.1.2 (Apache-2.0), as diagnostics take a model."""

    def __init__(self, theirs: Any) -> None:
        self.theirs = theirs

    def represent(self, x: torch.Tensor) -> Independent:
        q = self.theirs.encoder(x)
        return Independent(Normal(q.embedding, (q.log_covariance / 2).exp()), 1)

    def decode(self, z: torch.Tensor) -> Independent:
        return Independent(Normal(self.theirs.decoder(z).reconstruction, 1.0), 3)

    def prior(self) -> Independent:
        return Independent(Normal(torch.zeros(self.theirs.latent_dim), 1.0), 1)


def pythae(beta: float, seed: int, data: ut.FactorDataset, steps: int) -> dict[str, Any]:
    """A beta-VAE of pythae with its own nets and loss, and its diagnosis."""
    from pythae.models import BetaVAE, BetaVAEConfig

    torch.manual_seed(seed)
    config = BetaVAEConfig(input_dim=(1, 28, 28), latent_dim=10, beta=beta)
    theirs = BetaVAE(config)
    optimizer = FAST(theirs.parameters())
    x = data.observations(range(len(data)))

    def loop() -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            theirs({"data": x[torch.randint(len(x), (64,))]}).loss.backward()
            optimizer.step()

    seconds = common.timed(loop)[2]
    theirs.eval()
    found = d.diagnose(Pythae(theirs), data, n=500, beta=beta)
    seams = found.orthogonality
    return {
        "verdict": found.verdict, "used": len(seams.dims), "gap": seams.gap.value,
        "cosine": seams.mean_cosine, "rotated": seams.rotated.mean().item(),
        "covariance_kl": seams.covariance_kl.mean().item(), "elbo": found.elbo.elbo.value,
        "rate": found.elbo.kl.value, "seconds": round(seconds),
    }  # fmt: skip


def figure(rows: list[dict]) -> Any:
    """Seam gaps of every run, diagonal beside full-covariance posteriors."""
    from untwine.plots.style import ACCENT, INK, SIZE, WARM, figure, quiet

    canvas = figure(7.2, 2.7)
    for axes, name in zip(canvas.subplots(1, 2), SETS, strict=True):
        quiet(axes, grid="x")
        runs = [r for r in rows if r["part"] == "posteriors" and r["set"] == name]
        runs.sort(key=lambda r: (r["posterior"], r["seed"]))
        for place, row in enumerate(runs):
            color = ACCENT if row["posterior"] == "diagonal" else WARM
            low, first, middle, third, high = row["quantiles"]
            axes.hlines(place, low, high, color=color, linewidth=1.1)
            axes.hlines(place, first, third, color=color, linewidth=5, alpha=0.55)
            axes.plot([middle], [place], "o", color=color, markersize=4)
        labels = [f"{r['posterior']}, seed {r['seed']}" for r in runs]
        axes.set_yticks(range(len(runs)), labels, fontsize=SIZE - 2, color=INK)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(runs) - 0.5, -0.5)
        axes.set_title(f"{name}, beta {USUAL[name]:g}", fontsize=SIZE, loc="left", color=INK)
        axes.set_xlabel("seam gap (nats)", fontsize=SIZE, color=INK)
    return canvas


def within(rows: list[dict], measure: str, metric: str) -> tuple[float, float]:
    """The mean over betas of a small measure's rank correlation with a metric, and its p-value."""
    groups = [g for g in common.grouped(rows, "beta") if len({r[measure] for r in g}) > 1]
    rng = np.random.default_rng(0)

    def ranks(values: list[float]) -> np.ndarray:
        centered = rankdata(values) - (len(values) + 1) / 2
        return centered / np.linalg.norm(centered)

    one = [ranks([-r[measure] for r in g]) for g in groups]
    two = [ranks([r[metric] for r in g]) for g in groups]
    found = np.mean([a @ b for a, b in zip(one, two, strict=True)])
    chance = [
        np.mean([a @ rng.permutation(b) for a, b in zip(one, two, strict=True)])
        for _ in range(5000)
    ]
    return float(found), float(np.mean([c >= found - 1e-12 for c in chance]))


def report(rows: common.Rows) -> str:
    lines = ["# Diagnostics of trained models", ""]
    lines += [
        "`python benchmarks/diagnostics.py`: MLP of one hidden layer of 128, 5 dimensions, Adam "
        "0.001, batches of 64; dSprites' upright squares at 16 x 16 (Bernoulli), Frey faces "
        "at 14 x 10 (Gaussian, sigma 0.1). Jacobians at 300 posterior means. Mean ± standard "
        "deviation over seeds.",
        "",
    ]
    runs = [r for r in rows if r["part"] in ("posteriors", "betas")]
    for part, title in (
        ("posteriors", "Diagonal and full-covariance posteriors"),
        ("betas", "Over beta, diagonal posteriors"),
    ):
        groups = common.grouped([r for r in runs if r["part"] == part], "set", "posterior", "beta")
        if not groups:
            continue
        cells = [
            [
                g[0]["set"], g[0]["posterior"], f"{g[0]['beta']:g}", len(g), g[0]["steps"],
                common.mean_sd([r["used"] for r in g], 1), common.mean_sd([r["gap"] for r in g]),
                common.mean_sd([r["rotated"] for r in g]), common.mean_sd([r["cosine"] for r in g]),
                common.mean_sd([r["v_distance"] / (r["permuted"] or 1) for r in g], 2),
                common.mean_sd([r["covariance_kl"] for r in g], 2),
                common.mean_sd([r["elbo"] for r in g], 1), common.mean_sd([r["sigma"] for r in g]),
                common.mean_sd([r["mig"] for r in g if "mig" in r]),
                common.mean_sd([r["dci"] for r in g if "dci" in r]),
            ]
            for g in groups
        ]  # fmt: skip
        head = (
            "set", "posterior", "beta", "seeds", "steps", "used", "seam gap",
            "after the best rotation", "cosine", "V, of random", "KL from optimum", "ELBO",
            "sigma fitted", "MIG", "DCI",
        )  # fmt: skip
        lines += [f"## {title}", "", *common.table(head, cells), ""]
    scored = [r for r in runs if "mig" in r and r["posterior"] == "diagonal"]
    scored = [group[0] for group in common.grouped(scored, "beta", "seed", "steps")]
    if len(scored) > 5:
        lines += ["## Does the seam gap choose good runs without labels?", ""]
        cells = []
        for group, name in [
            (scored, "all betas"),
            *(
                ([r for r in scored if r["beta"] == b], f"beta {b:g}")
                for b in sorted({r["beta"] for r in scored})
            ),
        ]:
            if len(group) < 4:
                continue
            row = [name, len(group)]
            for measure in UNLABELLED:
                for metric in ("mig", "dci"):
                    values = [-r[measure] for r in group]
                    same = len(set(values)) < 2
                    rho = spearmanr(values, [r[metric] for r in group])[0] if not same else None
                    row.append("" if same else f"{rho:.2f}")
            cells.append(row)
        row = ["within a beta, mean", len(scored)]
        for measure in UNLABELLED:
            row += ["{:.2f} (p {:.3f})".format(*within(scored, measure, m)) for m in ("mig", "dci")]
        cells.append(row)
        head = ["runs", "number"]
        head += [f"-{name}, {m}" for name in UNLABELLED.values() for m in ("MIG", "DCI")]
        text = (
            "Spearman correlation over runs on dSprites; 1 would be the metric's own order. Last "
            "row: the mean over betas, and how many of 5,000 permutations within betas reach it."
        )
        lines += [text, "", *common.table(head, cells), ""]
    glued = common.grouped([r for r in rows if r["part"] == "glue"], "beta")
    if glued:
        names = list(glued[0][0]["factors"])
        cells = [
            [
                f"{g[0]['beta']:g}", len(g), g[0]["steps"],
                common.mean_sd([r["perplexity"] for r in g], 1),
                *(common.mean_sd([r[k] for r in g]) for k in ("distance", "chance")),
                *(common.mean_sd([r["factors"][k] for r in g], 2) for k in names),
            ]
            for g in glued
        ]  # fmt: skip
        head = ("beta", "seeds", "steps", "squares a code stands for", "apart", "at random", *names)
        lines += [
            "## What beta glues together", "",
            "Of all 6,144 squares: how many a code stands for (perplexity), how far they are from "
            "each other (root mean square of a pixel), and how often each factor differs between "
            "them, of how often it does at random.", "", *common.table(head, cells), "",
        ]  # fmt: skip
    toys = common.grouped([r for r in rows if r["part"] == "toy" and "net" in r], "posterior")
    if toys:
        cells = [
            [g[0]["posterior"], len(g), g[0]["steps"],
             *(common.mean_sd([r[k] for r in g]) for k in ("mcc", "cosine", "bending", "gap"))]
            for g in toys
        ]  # fmt: skip
        lines += [
            "## A toy whose components are known", "",
            "x = R (2 sinh z_1, 0.7 (z_2 + z_2^3 / 3)), sigma 0.3, MLP 64-64 of SiLU. MCC "
            "(Spearman) of codes and components: 1 finds them again.", "",
            *common.table(
                ("posterior", "seeds", "steps", "MCC", "cosine", "d log s", "seam gap"), cells
            ),
            "",
        ]  # fmt: skip
    others = common.grouped([r for r in rows if r["part"] == "pythae"], "beta")
    if others:
        numbers = ("gap", "rotated", "cosine", "covariance_kl", "rate")
        cells = [
            [
                f"{g[0]['beta']:g}", len(g), g[0]["steps"],
                common.mean_sd([r["used"] for r in g], 1),
                *(common.mean_sd([r[k] for r in g]) for k in numbers),
            ]
            for g in others
        ]  # fmt: skip
        head = (
            "beta", "seeds", "steps", "used", "seam gap", "after the best rotation", "cosine",
            "KL from optimum", "rate",
        )  # fmt: skip
        lines += [
            "## VAEs of another library", "",
            "`pythae` 0.1.2: its `BetaVAE` with its own nets (512 units, 10 dimensions) and loss "
            "(Gaussian, sigma 1), Adam 0.001, batches of 64 of MNIST's first 10,000 digits. Seed "
            "0: " + " ".join(f"beta {g[0]['beta']:g}: “{g[0]['verdict']}”" for g in others), "",
            *common.table(head, cells), "",
        ]  # fmt: skip
    for row in rows:
        if row["part"] == "speed":
            lines += [
                "## A thousand Jacobians", "",
                f"64 x 64 net, 10 latents, {row['threads']} thread(s): {row['wall']} s on a busy "
                f"machine, {row['cpu']} s of processor time; at most {row['megabytes']} MB in all, "
                f"{row['before']} MB of them before.", "",
            ]  # fmt: skip
        if row["part"] == "generator":
            low, high = min(row["gaps"]), max(row["gaps"])
            local, sefa, ganspace = (
                f"{row[k][0]:.2f} down to {row[k][-1]:.2f}"
                for k in ("local_cosines", "local_sefa", "local_ganspace")
            )
            lines += [
                "## A real generator", "",
                f"`gan_face_generate` 1.1.1, 100 numbers to 64 x 64 faces, six codes: seam gap "
                f"{low:.0f} to {high:.0f} nats at sigma 1; effective rank {min(row['ranks']):.1f} "
                f"to {max(row['ranks']):.1f} of 100; principal cosines of the local top ten of two "
                f"places {local}; of local and SeFa {sefa}, of local and GANSpace {ganspace}.", "",
            ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parts = ("posteriors", "betas", "glue", "toy", "speed", "generator", "pythae")
    parser = common.parser(
        __doc__, seeds=list(range(5)), data=common.SHARED, results=common.RESULTS
    )
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts[:-2]))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--toy-steps", type=int, default=3000)
    options = parser.parse_args()
    rows = common.Rows(options.results / "diagnostics.jsonl")

    def written() -> None:
        (options.results / "diagnostics.md").write_text(report(rows))
        if any(r["part"] == "posteriors" for r in rows):
            common.save(figure(rows), common.ROOT / "docs/diagnostics/img/posteriors.png", 120)

    for part, measure in (("speed", speed), ("generator", generator)):
        if part in options.parts:
            rows.once({"part": part}, measure)
            written()
    sets = {name: SETS[name](options.data) for name in options.sets} if {
        "posteriors", "betas", "glue"
    } & set(options.parts) else {}  # fmt: skip
    digits = common.mnist(options.data)[0] if "pythae" in options.parts else None
    for seed in options.seeds:
        jobs = []
        for name, data in sets.items():
            if "posteriors" in options.parts:
                jobs += [("posteriors", name, p, USUAL[name], data) for p in POSTERIORS]
            if "betas" in options.parts:
                jobs += [("betas", name, "diagonal", beta, data) for beta in BETAS[name]]
        for part, name, posterior, beta, data in jobs:
            key = {"set": name, "posterior": posterior, "beta": beta, "seed": seed}
            key |= {"steps": options.steps}
            other = rows.find({**key, "part": "posteriors"})
            if part == "betas" and other is not None:
                measure = partial(lambda row: {k: v for k, v in row.items() if k != "part"}, other)
            else:
                measure = partial(one, name, posterior, beta, seed, data, options.steps)
            rows.once({"part": part, **key}, measure)
            written()
        if "glue" in options.parts:
            for beta in BETAS["dsprites"]:
                key = {"part": "glue", "beta": beta, "seed": seed, "steps": options.steps}
                rows.once(key, partial(glue, beta, seed, sets["dsprites"], options.steps))
                written()
        if digits is not None:
            for beta in (1.0, 4.0):
                key = {"part": "pythae", "beta": beta, "seed": seed, "steps": options.steps}
                rows.once(key, partial(pythae, beta, seed, digits, options.steps))
                written()
        if "toy" in options.parts:
            for posterior in POSTERIORS:
                key = {"part": "toy", "net": "SiLU", "posterior": posterior, "seed": seed}
                key |= {"steps": options.toy_steps}
                rows.once(key, partial(toy, posterior, seed, options.toy_steps))
                written()


if __name__ == "__main__":
    main()
