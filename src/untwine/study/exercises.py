"""The classic exercises as studies: what beta does, on dSprites, in minutes of one core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .shrunk import every_tenth, seeds_at, steps_at
from .study import Measuring, Study
from .sweeps import Sweep, chain, fixed, product, seeds

__all__ = ["EXERCISES", "annealing", "beta_tcvae", "mig_over_beta", "spread", "total_correlation",
           "trade_off", "traversals"]  # fmt: skip

SMALL: Mapping[str, Any] = {
    "data": {
        "class_path": "untwine.data.Downsampled",
        "init_args": {
            "data": {
                "class_path": "untwine.data.Slice",
                "init_args": {
                    "data": {"class_path": "untwine.data.DSprites"},
                    "at": {"orientation": 0},
                },
            },
            "by": 4,
        },
    },
    "method.latent_dim": 6,
    "method.net": "MLP",
    "method.net.hidden": [64],
    "method.optimizer.lr": 1e-3,
}
"""dSprites without its orientation at 16x16 pixels, and a net for it."""

_PIXELS = 16  # small pictures have as many times fewer, and their reconstruction as many fewer nats
_SCORES = ("mig", "factor_vae_score", "dci", "gaussian_total_correlation", "active_units",
           "dimension_kl")  # fmt: skip


def traversals(scale: float = 1.0, data: Mapping[str, Any] | None = None) -> Study:
    """Traversals of beta-VAE for beta 1, 4 and 10: each run's folder has the picture.

    Args:
        scale: The share of the steps; of seeds its square root.
        data: Settings of the data, and of a net for it, instead of small pictures; 20,000 steps.

    References:
        beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework, Higgins
        et al., 2017, https://openreview.net/forum?id=Sy2fzU9gl.

    Deviations:
        Small pictures have a sixteenth of the pixels, and a sixteenth of the weights; the column
        ``tags.beta`` says what they are at full size.

    Example:
        >>> [(point["tags.beta"], point["method.beta"]) for point in traversals().sweep]
        [(1, 0.0625), (4, 0.25), (10, 0.625)]
    """
    points = _weighed("BetaVAE", (1, 4, 10), data) * seeds(1)
    about = "What does each dimension move, for beta 1, 4 and 10?"
    return _study("Traversals over beta", about, points, scale, data, figures=True)


def mig_over_beta(scale: float = 1.0, data: Mapping[str, Any] | None = None) -> Study:
    """MIG of beta-VAE for beta 1, 4 and 10, three seeds each.

    Args:
        scale: See `traversals`.
        data: See `traversals`.

    Example:
        >>> len(mig_over_beta().sweep)
        9
    """
    points = _weighed("BetaVAE", (1, 4, 10), data) * seeds(seeds_at(3, scale))
    return _study("MIG over beta", "Does a larger beta disentangle better?", points, scale, data)


def trade_off(scale: float = 1.0, data: Mapping[str, Any] | None = None) -> Study:
    """Reconstruction against disentanglement of beta-VAE over beta, three seeds each.

    Args:
        scale: See `traversals`.
        data: See `traversals`.

    Example:
        >>> len(trade_off().sweep)
        12
    """
    points = _weighed("BetaVAE", (1, 2, 4, 10), data) * seeds(seeds_at(3, scale))
    about = "What does a larger beta cost, and what does it bring?"
    return _study("The trade-off over beta", about, points, scale, data)


def beta_tcvae(scale: float = 1.0, data: Mapping[str, Any] | None = None) -> Study:
    """beta-TCVAE beside beta-VAE at the same weights, three seeds each.

    Args:
        scale: See `traversals`.
        data: See `traversals`.

    References:
        Isolating Sources of Disentanglement in Variational Autoencoders, Chen et al., 2018,
        https://arxiv.org/abs/1802.04942.

    Example:
        >>> len(beta_tcvae().sweep)
        24
    """
    methods = (_weighed(name, (1, 2, 4, 10), data) for name in ("BetaVAE", "BetaTCVAE"))
    points = chain(*methods) * seeds(seeds_at(3, scale))
    about = "Does a weight on total correlation alone bring more?"
    return _study("beta-TCVAE beside beta-VAE", about, points, scale, data)


def total_correlation(scale: float = 1.0, data: Mapping[str, Any] | None = None) -> Study:
    """The total correlation of the code over beta, of both methods: the runs of `beta_tcvae`.

    Args:
        scale: See `traversals`.
        data: See `traversals`.

    Example:
        >>> len(total_correlation().sweep)
        24
    """
    study = beta_tcvae(scale, data)
    question = "Does the total correlation of the code fall as beta rises?"
    return Study(study.sweep, "Total correlation over beta", question, study.measure, figures=False)


def spread(scale: float = 1.0, data: Mapping[str, Any] | None = None) -> Study:
    """One setting of beta-VAE, beta 4, with ten seeds.

    Args:
        scale: See `traversals`.
        data: See `traversals`.

    Example:
        >>> len(spread().sweep)
        10
    """
    points = _weighed("BetaVAE", (4,), data) * seeds(seeds_at(10, scale))
    about = "How far apart are runs that differ in their seed alone?"
    return _study("The spread over seeds", about, points, scale, data)


def annealing(scale: float = 1.0, data: Mapping[str, Any] | None = None) -> Study:
    """Beta 10 from the start, and reached in a line over the first half of the training.

    Args:
        scale: See `traversals`.
        data: See `traversals`.

    References:
        Generating Sentences from a Continuous Space, Bowman et al., 2016,
        https://arxiv.org/abs/1511.06349, section 3.1: the weight of the divergence rises from 0.

    Example:
        >>> [point.get("method.beta.end") for point in annealing().sweep][::3]
        [None, 0.625]
    """
    weight = 10 / (_PIXELS if data is None else 1)
    over = max(_steps(scale, data) // 2, 1)
    line = {"method.beta": "Linear", "method.beta.start": 0.0, "method.beta.end": weight,
            "method.beta.steps": over, "tags.beta": "0 to 10"}  # fmt: skip
    rising = fixed(line, method="BetaVAE")
    points = chain(_weighed("BetaVAE", (10,), data), rising) * seeds(seeds_at(3, scale))
    about = "Is more of the code in use if beta rises from 0?"
    return _study("Annealing the divergence", about, points, scale, data)


EXERCISES: Mapping[str, Callable[..., Study]] = {
    "traversals": traversals,
    "mig_over_beta": mig_over_beta,
    "trade_off": trade_off,
    "beta_tcvae": beta_tcvae,
    "total_correlation": total_correlation,
    "spread": spread,
    "annealing": annealing,
}
"""The exercises by name."""


def _weighed(method: str, betas: Sequence[float], data: Mapping[str, Any] | None) -> Sweep:
    """A method with weights that are those of full size, or what they are on small pictures."""
    share = _PIXELS if data is None else 1
    each = (fixed({"method.beta": beta / share, "tags.beta": beta}) for beta in betas)
    others = ("alpha", "gamma") if method == "BetaTCVAE" else ()  # of the bound's other terms
    return fixed({f"method.{name}": 1 / share for name in others}, method=method) * chain(*each)


def _steps(scale: float, data: Mapping[str, Any] | None) -> int:
    return steps_at(1500 if data is None else 20_000, scale)


def _study(
    name: str,
    about: str,
    points: Sweep,
    scale: float,
    data: Mapping[str, Any] | None,
    figures: bool = False,
) -> Study:
    steps = _steps(scale, data)
    base = fixed(SMALL if data is None else data, steps=steps, batch_size=64, **every_tenth(steps))
    measure = Measuring({name: {"predictor": "lasso"} if name == "dci" else {} for name in _SCORES},
                        n=2000)  # fmt: skip
    return Study(product(base, points), name, about, measure, figures)
