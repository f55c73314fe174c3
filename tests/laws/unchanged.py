"""The terms of three steps and the codes of ten points of every method, in double precision.

``python -m tests.laws.unchanged`` writes them to ``unchanged.json``, from which a change of the
house must not stray; a change that is meant to move one is recorded with its reason in REASONS.
"""

from __future__ import annotations

import json
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import untwine.methods as methods
from untwine.data import FactorDataset, FewLabelsSampler, Loader, default_sampler
from untwine.distributions import GaussianMixture, LowRank, VampPrior
from untwine.methods import DIP, KL, Capacity, Context, MixtureKL, TotalCorrelation, play

from .conftest import make_data, suited

RECORD = Path(__file__).with_suffix(".json")
STEPS, POINTS = 3, 10

CRITICS = "critics log their accuracy and how well their density ratio is calibrated, of weight 0"
REASONS: dict[str, str] = {
    **dict.fromkeys(("AAE", "ElasticInfoGAN", "FactorVAE", "InfoGAN"), CRITICS),
    **dict.fromkeys(("Mathieu2016", "VAEGAN"), CRITICS),
    "InfoGANCR": "the released setting: two steps of the generator after critic and discriminator, "
    "one noise for both images of a pair, five uniform noise inputs, batch norm in the generator, "
    "unit variance of Q, a hidden layer before it; " + CRITICS,
    "LORD": "codes and generator minimize one loss in one backward pass, so that the generator "
    "logs the terms in which it has no part, too (its gradients, and all weights, are the same)",
    "InfoVAE": "its defaults are those that train: alpha 0.9, lambda 200, inverse multiquadrics",
    "QLAE": "its weights are 0.001, those of the released settings of dSprites and Shapes3D",
    "JointVAE": "its learning rate is the paper's, 5e-4",
}
"""Of records that were made anew: what was meant to change."""


def with_covariates(n: int = 60) -> FactorDataset:
    """Vectors with two covariates."""
    data = make_data(shape=(7,), n=n)
    c = np.eye(2, dtype=np.float32)[np.arange(n) % 2]
    return FactorDataset.from_arrays(
        data.observations(range(n)), data.factors, data.space.names, covariates=c
    )


CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    **{name: (name, "images", {}) for name in methods.__all__},
    "VAE, vectors": ("VAE", "vectors", {}),
    "VAE, covariates": ("VAE", "covariates", {}),
    "FactorVAE, covariates": ("FactorVAE", "covariates", {}),
    "VAE, low-rank": ("VAE", "vectors", {"posterior": LowRank(2)}),
    "VAE, mixture prior": ("VAE", "vectors", {"prior": partial(GaussianMixture, 4, 3)}),
    "VAE, Vamp prior": ("VAE", "vectors", {"prior": partial(VampPrior, 5)}),
    "AdaGVAE, TC": ("AdaGVAE", "vectors", {"penalty": TotalCorrelation(6.0)}),
    "AdaMLVAE, DIP": ("AdaMLVAE", "vectors", {"penalty": DIP()}),
    "SlowVAE, TC": ("SlowVAE", "vectors", {"penalty": TotalCorrelation(2.0)}),
    "MLVAE, TC": ("MLVAE", "vectors", {"penalty": TotalCorrelation(6.0)}),
    "MLVAE, DIP": ("MLVAE", "vectors", {"penalty": DIP()}),
    "GVAE, capacity": ("GVAE", "vectors", {"penalty": Capacity(10.0, 2.0, 10)}),
    "M1, TC": ("M1", "vectors", {"penalty": TotalCorrelation(6.0)}),
    "M2, TC": ("M2", "vectors", {"penalty": TotalCorrelation(6.0)}),
    "M2, DIP": ("M2", "vectors", {"penalty": DIP()}),
    "M1M2, TC": ("M1M2", "vectors", {"penalty": TotalCorrelation(6.0), "m2_penalty": KL(3.0)}),
    "Mathieu2016, TC": ("Mathieu2016", "vectors", {"penalty": TotalCorrelation(6.0)}),
    "FewLabelsVAE, TC": ("FewLabelsVAE", "vectors", {"penalty": TotalCorrelation(6.0)}),
    "LabelledMixtureVAE, MixtureKL": ("LabelledMixtureVAE", "vectors", {"penalty": KL(2.0)}),
    "VAE, MixtureKL": (
        "VAE",
        "vectors",
        {"prior": partial(GaussianMixture, 4, 3), "penalty": MixtureKL("variational", 2.0)},
    ),
    "HierarchicalMixtureVAE, pretrained": (
        "HierarchicalMixtureVAE",
        "vectors",
        {"pretrain": True, "init": "kmeans"},
    ),
}
"""By name: a method, what it learns from, and arguments of ``build``; parts are made afresh."""


def _double(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _double(part) for name, part in value.items()}
    is_float = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.double() if is_float else value


def _doubled(batch: Any) -> Any:
    return type(batch)(**{name: _double(value) for name, value in vars(batch).items()})


def measure(case: str) -> dict[str, list[float]]:
    """The terms, by ``stage player/term``, and the codes, of one case."""
    name, kind, arguments = CASES[case]
    cls = getattr(methods, name)
    if kind == "covariates":
        data = with_covariates()
    else:
        data = make_data() if kind == "images" else make_data(shape=(7,))
    data = suited(cls, data)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        arguments = {k: v() if isinstance(v, partial) else v for k, v in arguments.items()}
        method = cls.build(data, latent_dim=4, seed=0, **arguments).double()
        sampler = method.sampler() or default_sampler(cls.supervision)
        if isinstance(sampler, FewLabelsSampler):
            sampler = FewLabelsSampler(
                sampler.label, labelled=30, balanced=sampler.balanced, known=sampler.known
            )
        loader = Loader(data, sampler, batch_size=16, seed=0)
        record: dict[str, list[float]] = {}
        for number, stage in enumerate(method.stages()):
            players = method.players()
            optimizers = {
                player: players[player].optimizer(players[player].parameters())
                for player in stage.players or players
            }
            torch.manual_seed(100 + number)
            if stage.begin is not None:
                stage.begin(_doubled(loader(step)) for step in range(4))
            for step in range(STEPS):
                torch.manual_seed(10 * number + step)
                ctx = Context(torch.tensor(step), len(data))
                for player, loss in play(stage.moves(_doubled(loader(step)), ctx), optimizers):
                    for term, value in {**loss.terms, "total": loss.total}.items():
                        record.setdefault(f"{stage.name} {player}/{term}", []).append(
                            float(value.detach())
                        )
        method.eval()
        torch.manual_seed(1)
        with torch.no_grad():
            record["codes"] = codes_of(method, data).flatten().tolist()
    return record


def codes_of(method: Any, data: Any) -> torch.Tensor:
    """The codes of the first points."""
    x = data.observations(range(POINTS))
    if isinstance(x, dict):
        return method.represent(_double(dict(x))).mean
    if data.covariates is None:
        return method.represent(x.double()).mean
    return method.represent(x.double(), data.covariates[:POINTS].double()).mean


if __name__ == "__main__":
    from tests.laws import unchanged

    RECORD.write_text(
        json.dumps({case: unchanged.measure(case) for case in CASES}, indent=1) + "\n"
    )
