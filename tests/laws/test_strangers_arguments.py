"""A table of arguments that make no sense: each is refused in a line by the library itself."""

from __future__ import annotations

import os

import numpy as np
import pytest

import untwine.data as A
import untwine.distributions as D

NAN, INF = float("nan"), float("inf")
DATA = A.FactorDataset.from_arrays(np.random.default_rng(0).random((20, 4)), np.arange(20) % 4)
IMAGES = A.FactorDataset.from_arrays(np.zeros((20, 8, 8), np.uint8), np.arange(20) % 4)
CASES = []


def add(f, *argsets):
    for a in argsets:
        CASES.append((f, a))


for c in (
    D.StandardNormal,
    D.LearnedNormal,
    D.LaplacePrior,
    D.UniformPrior,
    D.GaussianMixture,
    D.FlowPrior,
    D.HierarchicalMixture,
):
    add(
        c,
        {"latent_dim": 0},
        {"latent_dim": -3},
        {"latent_dim": 2.5},
        {"latent_dim": 10**13},
        {"latent_dim": True},
        {"latent_dim": "2"},
    )
add(D.LaplacePrior, *({"latent_dim": 2, "scale": v} for v in (-1, 0, NAN, INF, "x")))
add(
    D.UniformPrior,
    *(
        {"latent_dim": 2, **v}
        for v in ({"low": 1}, {"low": NAN}, {"high": INF}, {"edge": -1}, {"edge": NAN})
    ),
)
add(
    D.GaussianMixture,
    *(
        {"latent_dim": 2, **v}
        for v in (
            {"components": 0},
            {"components": 2.5},
            {"spread": -1},
            {"spread": NAN},
            {"spread": INF},
            {"covariance": "x"},
            {"weights": 5},
        )
    ),
)
add(
    D.HierarchicalMixture,
    *(
        {"latent_dim": 2, **v}
        for v in (
            {"tree": 0},
            {"tree": 2.5},
            {"sigma": -1},
            {"sigma": NAN},
            {"sigma": INF},
            {"upper": NAN},
            {"spread": -1},
            {"spread": NAN},
            {"level_weights": [-1]},
            {"combine": "x"},
        )
    ),
)
add(
    D.FlowPrior,
    *(
        {"latent_dim": 2, **v}
        for v in (
            {"transforms": 0},
            {"transforms": -1},
            {"hidden": [-3]},
            {"hidden": [0]},
        )
    ),
)
add(D.VampPrior, {"components": 0}, {"components": 2.5}, {"components": -1})
add(
    D.OneHotPrior,
    {"classes": 2.5},
    {"classes": -1},
    {"classes": 3, "probs": [NAN, 1, 1]},
    {"classes": 3, "probs": [INF, 1, 1]},
)
add(
    D.OneHotPosterior,
    {"temperature": -1},
    {"temperature": INF},
    {"temperature": NAN},
    {"temperature": "x"},
)
add(D.MixturePosterior, {"components": 0}, {"components": 1.5}, {"temperature": INF})
add(D.LowRank, {"rank": 0}, {"rank": 1.5}, {"rank": -1})
add(D.Gaussian, {"sigma": -1}, {"sigma": NAN}, {"sigma": INF}, {"sigma": "x"}, {"sigma": None})
add(D.Laplace, {"scale": INF}, {"scale": NAN}, {"scale": "x"})
add(D.StudentT, {"df": -1}, {"df": NAN}, {"scale": -1}, {"scale": 0}, {"df": INF}, {"scale": INF})
add(
    D.Categorical, {"levels": 1}, {"levels": [2.5]}, {"levels": [-1]}, {"levels": []}, {"levels": 0}
)
add(D.Ordinal, {"levels": 1}, {"levels": [2.5]}, {"levels": []})
add(D.AnglesPrior, {"angles": 0}, {"angles": 1.5})
add(
    D.Mixed,
    {"parts": [], "columns": []},
    {"parts": [D.Gaussian()], "columns": [[-1]]},
    {"parts": [D.Gaussian()], "columns": [[]]},
)
add(
    A.Colored,
    *(
        {"data": IMAGES, **v}
        for v in (
            {"low": -1},
            {"low": 2},
            {"high": NAN},
            {"seed": -1},
            {"seed": 2**70},
            {"low": 0.9, "high": 0.1},
        )
    ),
)
add(A.Split, *({"data": DATA, "fraction": v} for v in (-1, 0, 1, 2, NAN, "x")))
add(
    A.MovingDigits,
    *(
        {"images": IMAGES, **v}
        for v in (
            {"count": 0},
            {"length": 0},
            {"size": 0},
            {"speed": -1},
            {"clips": 0},
            {"clips": 10**12},
            {"seed": -1},
            {"label": "nope"},
            {"length": 2.5},
            {"size": 4},
        )
    ),
)
add(
    A.MovingSprites,
    {"length": 0},
    {"length": -1},
    {"speed": -1},
    {"turn": -1},
    {"length": 2.5},
    {"length": 10**9},
)
add(
    A.FewLabelsSampler,
    {"labelled": -1},
    {"labelled": 1.5},
    {"noise": -1},
    {"noise": NAN},
    {"seed": -1},
    {"bins": 0},
    {"observed": 0},
    {"labels": "x"},
    {"batch_labelled": -1},
    {"labelled": 0},
)
add(
    A.GroupsSampler,
    {"size": 1},
    {"size": 2.5},
    {"size": (0, 3)},
    {"size": (3, 2)},
    {"size": (1, 2, 3)},
    {"shared": []},
)
add(A.LaplacePairsSampler, {"rate": -1}, {"rate": 0}, {"rate": NAN}, {"rate": INF})
add(A.PairsSampler, {"changed": -1}, {"changed": 0}, {"changed": 1.5}, {"changed": "x"})
add(A.ClipsSampler, {"time": "t", "length": 0}, {"time": "t", "length": 1.5}, {"length": 3})
add(
    A.FactorSpace,
    {"names": ("a", "a"), "sizes": (1, 2)},
    {"names": ("a",), "sizes": (-1,)},
    {"names": ("a",), "sizes": (NAN,)},
    {"names": ("a",), "sizes": (2.5,)},
)
add(
    A.Subset,
    {"data": DATA, "indices": [-1]},
    {"data": DATA, "indices": [99]},
    {"data": DATA, "indices": [0.5]},
    {"data": DATA, "indices": []},
)


@pytest.mark.parametrize(
    ("make", "arguments"),
    [pytest.param(*case, id=f"{case[0].__name__}-{i}") for i, case in enumerate(CASES)],
)
def test_it_is_refused(make, arguments):
    with pytest.raises((ValueError, TypeError, IndexError)) as caught:
        make(**arguments)
    trace = caught.value.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    assert f"{os.sep}untwine{os.sep}" in trace.tb_frame.f_code.co_filename
    assert len(str(caught.value)) < 500
