"""Published studies as expressions: their data, methods, strengths, steps and seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..settings.errors import UsageError, did_you_mean
from .exercises import EXERCISES
from .shrunk import every_tenth, seeds_at, steps_at
from .study import Measuring, Study
from .sweeps import Sweep, chain, fixed, product, seeds, sweep, zip_

__all__ = ["NAMED", "PUBLISHED", "chen2018", "kim2018", "locatello2019", "locatello2020",
           "published", "traeuble2021"]  # fmt: skip

_CLASSIC = (
    *("beta_vae_score", "factor_vae_score", "mig", "dci", "modularity", "explicitness", "sap"),
    *("irs", "gaussian_total_correlation", "wasserstein_correlation", "active_units"),
    *("dimension_kl", "downstream_accuracy", "sample_efficiency"),
)

SETS: Mapping[str, dict[str, Any]] = {
    "dsprites_full": {"data": "DSprites"},
    "color_dsprites": {"data": "ColorDSprites"},
    "noisy_dsprites": {"data": "NoisyDSprites"},
    "scream_dsprites": {"data": "ScreamDSprites"},
    "smallnorb": {"data": "SmallNORB"},
    "cars3d": {"data": "Cars3D"},
    "shapes3d": {"data": "Shapes3D"},
}
"""The sets of the large study in its order, by its names. The last three are files."""

CORRELATED: Mapping[str, tuple[str, str]] = {
    "B": ("posX", "posY"),
    "A": ("scale", "orientation"),
    "C": ("horizontal", "vertical"),
    "E": ("object_hue", "orientation"),
    "D": ("object_hue", "scale"),
}
"""The pairs of the study of correlated factors, in the order of its sweep: B is of dSprites, C of
MPI3D (real), the others of Shapes3D."""

_WIDTHS = (0.2, 0.4, 0.7, 10.0)

_RENDERED = ("dsprites_full", "color_dsprites", "noisy_dsprites", "scream_dsprites")
_NUMBERED = 1800  # models of a set


def locatello2019(scale: float = 1.0, sets: Mapping[str, Mapping[str, Any]] | None = None) -> Study:
    r"""The large study: 7 sets, 6 methods of 6 strengths, 50 seeds: 12,600 runs.

    Its numbers of models are the column ``tags.model``: :math:`1800\,s + 50\,h + \text{seed}` of
    the s-th set and the h-th method and strength, at every scale.

    Args:
        scale: The share of its 300,000 steps; of seeds and sets its square root.
        sets: Settings of data by the study's names of sets, for those that are files, such as
            ``{"cars3d": {"data": "Npz", "data.path": "cars3d.npz"}}``; by default the four that
            are rendered.

    References:
        Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations,
        Locatello et al., 2019, https://arxiv.org/abs/1811.12359, appendix; the sweep of the code
        released with it.

    Deviations:
        DCI is measured with the fast predictor. ScreamDSprites has a generated background unless
        ``sets`` says otherwise.

    Example:
        >>> every = {name: {"data": "DSprites"} for name in SETS}
        >>> len(locatello2019(sets=every).sweep), len(locatello2019(0.01).sweep)
        (12600, 180)
    """
    steps = steps_at(300_000, scale)
    chosen = dict.fromkeys(_RENDERED) if sets is None else sets
    for name in chosen:
        if name not in SETS:
            raise UsageError(f"there is no set {name!r}{did_you_mean(name, SETS)}")
    points: list[Sweep] = []
    strengths = list(_strengths(steps_at(100_000, scale)))
    count = max(1, round(len(SETS) * math.sqrt(scale)))
    for name in [n for n in SETS if n in chosen][:count]:
        place = list(SETS).index(name)
        data = SETS[name] if sets is None else dict(sets[name])
        for number, point in enumerate(strengths):
            for seed in range(seeds_at(50, scale)):
                model = _NUMBERED * place + 50 * number + seed
                points.append(fixed({**data, **point, "seed": seed, "tags.model": model}))
    base = fixed(steps=steps, batch_size=64, **every_tenth(steps))
    return Study(
        base * chain(*points),
        "Locatello 2019",
        "Do methods, strengths or seeds decide how disentangled a representation is?",
        Measuring(_CLASSIC),
    )


def _strengths(warmup: int) -> Sweep:
    """The six methods and their six strengths, in the study's order."""
    betas = [1.0, 2.0, 4.0, 6.0, 8.0, 16.0]
    lambdas = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0]
    return chain(
        fixed(method="BetaVAE") * sweep("method.beta", betas),
        fixed(method="FactorVAE") * sweep("method.gamma", [10.0, 20.0, 30.0, 40.0, 50.0, 100.0]),
        fixed(method="DIPVAEI")
        * zip_(sweep("method.lambda_od", lambdas),
               sweep("method.lambda_d", [10.0 * v for v in lambdas])),
        fixed(method="DIPVAEII")
        * zip_(sweep("method.lambda_od", lambdas), sweep("method.lambda_d", lambdas)),
        fixed(method="BetaTCVAE") * sweep("method.beta", [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
        fixed({"method.gamma": 1000.0, "method.warmup": warmup}, method="AnnealedVAE")
        * sweep("method.capacity", [5.0, 10.0, 25.0, 50.0, 75.0, 100.0]),
    )  # fmt: skip


def locatello2020(scale: float = 1.0, data: Mapping[str, Any] | None = None) -> Study:
    """Weak supervision by pairs, and few labels, beside none, on one set.

    Pairs: Ada-GVAE and Ada-ML-VAE on pairs that differ in one factor, and in a random number of
    them; beside them beta-VAE; six weights, five seeds. Labels: 100 and 1,000 of them, with the
    same weights.

    Args:
        scale: The share of its 300,000 steps; of seeds its square root.
        data: Settings of the data; dSprites by default.

    References:
        Weakly-Supervised Disentanglement Without Compromises, Locatello et al., 2020,
        https://arxiv.org/abs/2002.02886; Disentangling Factors of Variation Using Few Labels,
        Locatello et al., 2020, https://arxiv.org/abs/1905.01258.

    Deviations:
        Steps, seeds and numbers of labels are as recalled: no sweep of these studies was released.
        One weight of the supervised term (16) instead of a sweep of it.

    Example:
        >>> len(locatello2020().sweep)
        210
    """
    steps = steps_at(300_000, scale)
    betas = [1.0, 2.0, 4.0, 6.0, 8.0, 16.0]
    weighed = fixed({"method.penalty": "KL"}) * sweep("method.penalty.beta", betas)
    pairs = sweep("method", ["AdaGVAE", "AdaMLVAE"]) * chain(
        fixed({"sampler.changed": 1, "tags.pairs": "one"}, sampler="PairsSampler"),
        fixed({"sampler.changed": "locatello2020", "tags.pairs": "some"}, sampler="PairsSampler"),
    )
    drawn = {"sampler.label": "*", "sampler.balanced": False}  # any rows, with all their factors
    labels = fixed(drawn, method="FewLabelsVAE", sampler="FewLabelsSampler") * chain(
        *(fixed({"sampler.labelled": n, "tags.labels": n}) for n in (100, 1000))
    )
    methods = chain(
        fixed(method="BetaVAE") * sweep("method.beta", betas), pairs * weighed, labels * weighed
    )
    base = fixed(
        {"data": "DSprites", **(data or {})}, steps=steps, batch_size=64, **every_tenth(steps)
    )
    return Study(
        product(base, methods, seeds(seeds_at(5, scale))),
        "Locatello 2020",
        "What do pairs or few labels bring?",
        Measuring(_CLASSIC),
    )


def kim2018(scale: float = 1.0, data: Mapping[str, Any] | None = None) -> Study:
    """FactorVAE against beta-VAE on dSprites: reconstruction beside the FactorVAE score.

    Args:
        scale: The share of its 300,000 steps; of seeds its square root.
        data: Settings of the data; dSprites by default.

    References:
        Disentangling by Factorising, Kim and Mnih, 2018, https://arxiv.org/abs/1802.05983, figures
        5 and 6.

    Deviations:
        Weights and seeds are as recalled, and were not compared with the paper. The score's
        protocol is that of disentanglement_lib.

    Example:
        >>> len(kim2018().sweep)
        100
    """
    steps = steps_at(300_000, scale)
    methods = chain(
        fixed(method="BetaVAE") * sweep("method.beta", [1.0, 4.0, 6.0, 16.0]),
        fixed(method="FactorVAE") * sweep("method.gamma", [10.0, 20.0, 30.0, 40.0, 50.0, 100.0]),
    )
    base = fixed(
        {"data": "DSprites", **(data or {})}, steps=steps, batch_size=64, **every_tenth(steps)
    )
    return Study(
        product(base, methods, seeds(seeds_at(10, scale))),
        "Kim and Mnih 2018",
        "Does penalizing the total correlation cost less reconstruction than a larger beta?",
        Measuring(("factor_vae_score", "mig", "dci", "active_units", "dimension_kl")),
    )


def chen2018(scale: float = 1.0, data: Mapping[str, Any] | None = None) -> Study:
    """beta-TCVAE against beta-VAE: MIG beside the bound over beta, and total correlation.

    Args:
        scale: The share of its 18,000 steps (50 epochs of dSprites in batches of 2,048); of seeds
            its square root.
        data: Settings of the data; dSprites by default.

    References:
        Isolating Sources of Disentanglement in Variational Autoencoders, Chen et al., 2018,
        https://arxiv.org/abs/1802.04942, figures 3 and 4.

    Deviations:
        Weights and seeds are as recalled, and were not compared with the paper. The net is the
        library's for 64x64 images.

    Example:
        >>> len(chen2018().sweep)
        120
    """
    steps = steps_at(18_000, scale)
    methods = sweep("method", ["BetaVAE", "BetaTCVAE"])
    betas = sweep("method.beta", [1.0, 2.0, 4.0, 6.0, 8.0, 10.0])
    base = fixed(
        {"data": "DSprites", "method.optimizer.lr": 1e-3, **(data or {})},
        steps=steps,
        batch_size=2048,
        **every_tenth(steps),
    )
    return Study(
        product(base, methods, betas, seeds(seeds_at(10, scale))),
        "Chen 2018",
        "Does a penalty on total correlation alone disentangle better at the same bound?",
        Measuring(
            {
                "mig": {},
                "mig_chen2018": {"metric": "mig", "protocol": "chen2018"},
                "gaussian_total_correlation": {},
                "factor_vae_score": {},
                "active_units": {},
            }
        ),
    )


def traeuble2021(scale: float = 1.0, sets: Mapping[str, Mapping[str, Any]] | None = None) -> Study:
    r"""Correlated factors: the large study's methods on data in which two factors go together.

    Training draws combinations near a line with three widths, or all alike (width 10); scores are
    of all combinations, which are alike again. Five sets of six methods, six strengths, four
    widths and five seeds: 3,600 runs. Numbers of models in the order of the released sweep are the
    column ``tags.model``, at every scale.

    Args:
        scale: The share of its 300,000 steps; of seeds and sets its square root.
        sets: Settings of data by the study's letters, see `CORRELATED`, for those that are files,
            such as ``{"A": {"data": "Shapes3D"}}``; by default dSprites alone, which is rendered.

    References:
        On Disentangled Representations Learned from Correlated Data, Träuble et al., 2021,
        https://arxiv.org/abs/2006.07886, section 4; the sweep of the code released with it.

    Deviations:
        The line is the formula of `untwine.data.Correlation`; the released code draws it with a
        brush and blurs it. Without the 660 runs on pairs, whose samplers are not the library's.
        DCI is measured with the fast predictor.

    Example:
        >>> every = {letter: {"data": "DSprites"} for letter in CORRELATED}
        >>> len(traeuble2021(sets=every).sweep), len(traeuble2021().sweep)
        (3600, 720)
    """
    steps = steps_at(300_000, scale)
    chosen: Mapping[str, Any] = {"B": {"data": "DSprites"}} if sets is None else sets
    for letter in chosen:
        if letter not in CORRELATED:
            near = did_you_mean(letter, CORRELATED)
            raise UsageError(f"there is no set {letter!r} of correlated factors{near}")
    points: list[Sweep] = []
    strengths = list(_strengths(steps_at(100_000, scale)))
    count = max(1, round(len(CORRELATED) * math.sqrt(scale)))
    for letter in [name for name in CORRELATED if name in chosen][:count]:
        for place, width in enumerate(_WIDTHS):
            before = len(_WIDTHS) * list(CORRELATED).index(letter) + place
            data = {**chosen[letter], **_line(CORRELATED[letter], width)}
            tags = {"tags.pair": letter, "tags.width": width}
            for number, point in enumerate(strengths):
                for seed in range(seeds_at(5, scale)):
                    model = 5 * (len(strengths) * before + number) + seed
                    points.append(
                        fixed({**data, **point, **tags, "seed": seed, "tags.model": model})
                    )
    return Study(
        fixed(steps=steps, batch_size=64, **every_tenth(steps)) * chain(*points),
        "Traeuble 2021",
        "Is a correlation of two factors learned as one dimension?",
        Measuring(_CLASSIC),
    )


def _line(pair: tuple[str, str], width: float) -> dict[str, Any]:
    """Settings of the sampler that correlates two factors; none where all combinations are alike.

    The released code takes widths from 1 on for uniform.
    """
    if width >= 1:
        return {}
    first, second = pair
    arguments = {"first": first, "second": second, "width": width}
    correlation = {"class_path": "untwine.data.Correlation", "init_args": arguments}
    return {"sampler": "CorrelatedSampler", "sampler.correlations": [correlation]}


PUBLISHED: Mapping[str, Callable[..., Study]] = {
    "locatello2019": locatello2019,
    "locatello2020": locatello2020,
    "kim2018": kim2018,
    "chen2018": chen2018,
    "traeuble2021": traeuble2021,
}
"""Published studies by the names of their papers."""

NAMED: Mapping[str, Callable[..., Study]] = {**PUBLISHED, **EXERCISES}
"""Published studies and the classic exercises by name."""


def published(name: str, scale: float | None = None) -> Study:
    """A published study, or a classic exercise, by its name.

    Args:
        name: One of `PUBLISHED` or `EXERCISES`.
        scale: The share of its steps, above 0 and at most 1; all of it without.

    Raises:
        UsageError: for another name or scale.
    """
    if name not in NAMED:
        raise UsageError(
            f"there is no published study {name!r}{did_you_mean(name, NAMED)} There are "
            f"{', '.join(NAMED)}"
        )
    if scale is not None and not 0 < scale <= 1:
        raise UsageError(f"scale is {scale}: expected a share above 0, at most 1")
    return NAMED[name](1.0 if scale is None else scale)
