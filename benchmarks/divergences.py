"""How near codes of MNIST come to the prior: InfoVAE's divergences beside the VAE.

Trains on the first 10,000 training digits, measures on the standard 10,000 test digits: the sliced
Wasserstein distance of a sample of q(z) from one of the prior, and what is lost of the images.

    python benchmarks/divergences.py --seeds 0 1 2 --steps 1500

Rows are appended to benchmarks/results/divergences.jsonl; what is there is not trained again.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import common
import torch
from torch.optim import Adam

import untwine as ut
from untwine import methods as m
from untwine.functional import InverseMultiquadric, Linear, sliced_wasserstein
from untwine.nets import MLP

FAST = partial(Adam, lr=1e-3, fused=True)
METHODS: dict[str, tuple[type[m.Method], dict[str, Any]]] = {
    "VAE": (m.VAE, {}),
    "InfoVAE, as built": (m.InfoVAE, {}),
    "InfoVAE, MMD, alpha 0.9, lambda 300": (m.InfoVAE, {"alpha": 0.9, "lambda_": 300.0}),
    "InfoVAE, sliced Wasserstein, alpha 0.9, lambda 100": (
        m.InfoVAE,
        {"alpha": 0.9, "lambda_": 100.0, "divergence": m.SlicedWasserstein()},
    ),
    "InfoVAE, sliced Wasserstein, alpha 0, lambda 300": (
        m.InfoVAE,
        {"alpha": 0.0, "lambda_": 300.0, "divergence": m.SlicedWasserstein()},
    ),
    "InfoVAE, sliced Wasserstein, alpha 0.3, lambda rising to 400": (
        m.InfoVAE,
        {
            "alpha": 0.3,
            "lambda_": Linear(0.7, 400.0, 1500),
            "divergence": m.SlicedWasserstein(),
        },
    ),
    "InfoVAE, sliced Wasserstein, alpha 0.5, lambda 100": (
        m.InfoVAE,
        {"alpha": 0.5, "lambda_": 100.0, "divergence": m.SlicedWasserstein()},
    ),
    "InfoVAE, MMD, alpha 0, lambda 1000": (m.InfoVAE, {"alpha": 0.0, "lambda_": 1000.0}),
    "InfoVAE, MMD of inverse multiquadrics, alpha 0.9, lambda rising to 500": (
        m.InfoVAE,
        {
            "alpha": 0.9,
            "lambda_": Linear(0.1, 500.0, 1000),
            "divergence": m.MMD(kernel=InverseMultiquadric()),
        },
    ),
    "InfoVAE, MMD of inverse multiquadrics, alpha 0.9, lambda rising to 300": (
        m.InfoVAE,
        {
            "alpha": 0.9,
            "lambda_": Linear(0.1, 300.0, 700),
            "divergence": m.MMD(kernel=InverseMultiquadric()),
        },
    ),
    "InfoVAE, MMD of inverse multiquadrics, alpha 0.9, lambda 200": (
        m.InfoVAE,
        {"alpha": 0.9, "lambda_": 200.0, "divergence": m.MMD(kernel=InverseMultiquadric())},
    ),
}


def build(name: str, train: ut.FactorDataset, latent_dim: int, seed: int) -> m.Method:
    cls, settings = METHODS[name]
    net = MLP((512, 256))
    return cls.build(train, latent_dim, seed=seed, net=net, optimizer=FAST, **settings)


@torch.no_grad()
def measure(method: Any, test: ut.FactorDataset, seed: int) -> dict[str, float]:
    """Distance of codes from the prior, its floor, and the likelihood of the images."""
    method.eval()
    torch.manual_seed(seed)
    x = test.observations(range(len(test)))
    z = method.represent(x).sample()
    prior, other = (method.prior().sample((len(z),)) for _ in range(2))
    distances = [sliced_wasserstein(a, prior, 500).item() ** 0.5 for a in (z, other)]
    nll = -method.decode(z).log_prob(x).mean().item()
    return {"distance": distances[0], "floor": distances[1], "nll": nll}


def train_one(name: str, seed: int, options: Any, data: tuple) -> dict[str, float]:
    train, test = data
    method = build(name, train, options.latent_dim, seed)
    run, seconds = common.fit(
        method, train, steps=options.steps, batch_size=options.batch, seed=seed
    )
    return {**measure(run.method, test, seed), "seconds": round(seconds)}


def report(rows: common.Rows) -> str:
    text = [
        "# Distance of codes from the prior, MNIST",
        "",
        "10,000 digits, MLP 512-256, Adam 0.001. Sliced Wasserstein distance of one code for "
        "each of 10,000 test digits from a sample of the prior; negative log-likelihood of the "
        "digits, nats. In ten dimensions the squared distance of two samples of the prior from "
        "each other is .088 for 64 points each, .043 for 128, .012 for 512 and .003 for 2,048: a "
        "penalty of a batch has to be seen against that.",
    ]
    for part in common.grouped(rows, "steps", "latent_dim", "batch"):
        first = part[0]
        settings = {"seeds": sorted({row["seed"] for row in part}), "steps": first["steps"]}
        settings |= {"latent_dim": first["latent_dim"], "batch": first["batch"]}
        cells = [
            [
                group[0]["method"],
                len(group),
                *(common.mean_sd([r[k] for r in group]) for k in ("distance", "floor")),
                common.mean_sd([r["nll"] for r in group], 1),
                round(sum(r["seconds"] for r in group) / len(group)),
            ]
            for group in common.grouped(part, "method")
        ]
        columns = ("method", "seeds", "distance", "of two samples of the prior", "NLL", "s")
        words = f"{first['latent_dim']} dimensions, {first['steps']:,} steps of {first['batch']}"
        text += ["", f"## {words}", ""]
        text += [f"`python benchmarks/divergences.py {common.flags(settings)}`", ""]
        text += common.table(columns, cells)
    return "\n".join([*text, ""])


def main() -> None:
    parser = common.parser(__doc__, seeds=[0, 1, 2], data=common.SHARED, results=common.RESULTS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--latent_dim", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    data = common.mnist(options.data)
    rows = common.Rows(options.results / "divergences.jsonl")
    for seed in options.seeds:
        for name in options.methods:
            key = {
                "method": name,
                "seed": seed,
                **common.chosen(options, ("steps", "latent_dim", "batch")),
            }
            rows.once(key, partial(train_one, name, seed, options, data))
            (options.results / "divergences.md").write_text(report(rows))


if __name__ == "__main__":
    main()
