"""Diagnostics of trained models: what diagonal posteriors, beta and the seam gap do and say.

    python benchmarks/diagnostics.py --parts posteriors betas toy speed generator

`posteriors`: diagonal beside full-covariance posteriors, on dSprites (squares, upright, 16 x 16)
and on Frey faces. `betas`: the same sets over several weights of the KL divergence. `toy`: a
nonlinear toy whose components are known. `speed`: a thousand Jacobians of the literature's net.
`generator`: axes of a GAN from PyPI (`pip install --no-deps gan_face_generate==1.1.1`).

Rows are appended to benchmarks/results/diagnostics.jsonl; what is there is not trained again.
"""

from __future__ import annotations

import resource
from functools import partial
from itertools import pairwise
from typing import Any

import common
import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn
from torch.optim import Adam

import untwine as ut
from untwine import diagnostics as d, plots
from untwine.data.batches import Images
from untwine.distributions import Bernoulli, Diagonal, FullCovariance, Gaussian
from untwine.methods import Context, play
from untwine.nets import MLP

FAST = partial(Adam, lr=1e-3, fused=True)
POSTERIORS = {"diagonal": Diagonal, "full": FullCovariance}
BETAS = {"dsprites": [1.0, 2.0, 4.0, 8.0], "frey": [0.5, 1.0, 2.0, 4.0, 8.0]}
USUAL = {"dsprites": 2.0, "frey": 1.0}
TURN = 0.5  # radians, of the toy


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


def toy(posterior: str, seed: int, steps: int) -> dict[str, Any]:
    """Are the components of x = R (2 sinh z_1, 0.7 (z_2 + z_2^3 / 3)) found again?"""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(4000, 2))
    turn = np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
    x = np.stack([2 * np.sinh(z[:, 0]), 0.7 * (z[:, 1] + z[:, 1] ** 3 / 3)], 1) @ turn.T
    data = ut.FactorDataset.from_arrays(x.astype(np.float32))
    method = ut.methods.VAE.build(
        data, 2, net=MLP((64, 64)), likelihood=Gaussian(sigma=0.3),
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
            for measure in ("gap", "cosine", "total_correlation"):
                for metric in ("mig", "dci"):
                    rho = spearmanr([-r[measure] for r in group], [r[metric] for r in group])[0]
                    row.append(f"{rho:.2f}")
            cells.append(row)
        head = (
            "runs", "number", "-gap, MIG", "-gap, DCI", "-cosine, MIG", "-cosine, DCI",
            "-TC, MIG", "-TC, DCI",
        )  # fmt: skip
        text = "Spearman correlation over runs on dSprites; 1 would be the metric's own order."
        lines += [text, "", *common.table(head, cells), ""]
    toys = common.grouped([r for r in rows if r["part"] == "toy" and "scales" in r], "posterior")
    if toys:
        cells = [
            [g[0]["posterior"], len(g), g[0]["steps"],
             *(common.mean_sd([r[k] for r in g]) for k in ("mcc", "cosine", "bending", "gap"))]
            for g in toys
        ]  # fmt: skip
        lines += [
            "## A toy whose components are known", "",
            "x = R (2 sinh z_1, 0.7 (z_2 + z_2^3 / 3)), sigma 0.3, MLP 64-64. MCC "
            "(Spearman) of codes and components: 1 finds them again.", "",
            *common.table(
                ("posterior", "seeds", "steps", "MCC", "cosine", "d log s", "seam gap"), cells
            ),
            "",
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
    parts = ("posteriors", "betas", "toy", "speed", "generator")
    parser = common.parser(
        __doc__, seeds=list(range(5)), data=common.SHARED, results=common.RESULTS
    )
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
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
        "posteriors", "betas"
    } & set(options.parts) else {}  # fmt: skip
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
        if "toy" in options.parts:
            for posterior in POSTERIORS:
                key = {"part": "toy", "scales": "2, 0.7", "posterior": posterior, "seed": seed}
                key |= {"steps": options.toy_steps}
                rows.once(key, partial(toy, posterior, seed, options.toy_steps))
                written()


if __name__ == "__main__":
    main()
