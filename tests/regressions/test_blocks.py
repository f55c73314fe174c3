"""Short trainings: a class finds clusters without labels, an angle finds a circle."""

from functools import partial

import numpy as np
import torch
from torch.optim import Adam

import untwine as ut
from untwine.distributions import AngleBlock, CategoricalBlock, Gaussian, GaussianBlock
from untwine.methods import MultiLatentVAE
from untwine.nets import MLP

NET = {"net": MLP((64,)), "optimizer": partial(Adam, lr=3e-3)}


def fit(x, start, **settings):
    data = ut.FactorDataset.from_arrays(x.astype(np.float32))
    method = MultiLatentVAE.build(data, seed=start, **NET, **settings)
    ut.fit(method, data, steps=600, seed=start, progress=False)
    return method.eval().represent(torch.from_numpy(x.astype(np.float32)))


def test_a_class_finds_four_clusters(seed):
    """The better of two starts; in one start two clusters may share a class (purity 0.8)."""
    rng = np.random.default_rng(1)
    label = rng.integers(4, size=800)
    centers = 3 * rng.normal(size=(4, 9))
    within = rng.normal(size=(800, 1)) @ rng.normal(size=(1, 9))
    x = centers[label] + within + 0.3 * rng.normal(size=(800, 9))

    def purity(start):
        blocks = {"z": GaussianBlock(2), "k": CategoricalBlock(4)}
        found = fit(x, start, blocks=blocks, weights={"z": 4.0})["k"].mean.argmax(1).numpy()
        table = [[((found == k) & (label == y)).sum() for y in range(4)] for k in range(4)]
        return np.max(table, 1).sum() / len(label)

    purities = [purity(2 * seed + start) for start in (0, 1)]
    assert max(purities) > 0.95
    assert min(purities) > 0.7


def test_an_angle_finds_a_circle(seed):
    """One of three starts, for from one of them the circle may be folded (agreement 0.45)."""
    rng = np.random.default_rng(0)
    true = rng.uniform(0, 2 * np.pi, 600)
    curve = np.stack([np.cos(true), np.sin(true), np.cos(2 * true), np.sin(2 * true)], 1)
    x = curve @ rng.normal(size=(4, 9)) + 0.05 * rng.normal(size=(600, 9))

    def agreement(start):
        q = fit(x, start, blocks={"turn": AngleBlock()}, likelihood=Gaussian(0.3))["turn"]
        assert q.concentration.mean() > 5  # it is certain of where it is on the circle
        found = q.loc.detach().numpy()[:, 0]
        return max(abs(np.exp(1j * (found - s * true)).mean()) for s in (1, -1))

    assert any(agreement(3 * seed + start) > 0.95 for start in range(3))
