"""Short seeded trainings of methods with clusters, on four clusters that come in two pairs.

Bands are meant to hold for every seed, instruction set and number of threads; how much of
`make test-machines` has been run is in docs/robustness.md.
"""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

import untwine as ut
import untwine.methods as m
from untwine.distributions import Gaussian, GaussianMixture

LABEL = np.arange(600) % 4


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    centers = np.array([[4.0, 1.5, 0.0], [4.0, -1.5, 0.0], [-4.0, 0.0, 1.5], [-4.0, 0.0, -1.5]])
    h = centers[LABEL] + 0.3 * rng.normal(size=(600, 3))
    x = h @ rng.normal(size=(3, 12)) + 0.1 * rng.normal(size=(600, 12))
    return ut.FactorDataset.from_arrays(x.astype(np.float32), LABEL[:, None], names=("cluster",))


def train(cls, data, seed, steps=300, **options):
    method = cls.build(
        data,
        latent_dim=3,
        seed=seed,
        likelihood=Gaussian(0.3),
        optimizer=partial(torch.optim.Adam, lr=2e-3),
        **options,
    )
    sampler = None
    if method.supervision is ut.data.FewLabels:
        sampler = ut.data.FewLabelsSampler("cluster", labelled=12)
    ut.fit(method, data, steps=steps, batch_size=64, seed=seed, progress=False, sampler=sampler)
    return method


def agreement(shares, label=LABEL):
    return adjusted_rand_score(label, shares.argmax(1).numpy())


def test_vade_finds_the_clusters(data, seed):
    method = train(m.VaDE, data, seed, components=4)
    x = data.observations(range(600))
    assert agreement(method.cluster(x)) > 0.9  # recorded: 1.0
    assert method.prior.effective_components(method.represent(x).mean) > 3.5


def test_a_learned_tree_has_the_pairs_above_the_clusters(data, seed):
    options = {"tree": 4, "init": "kmeans", "pretrain": True, "agglomerate": True}
    method = train(m.HierarchicalMixtureVAE, data, seed, **options)
    x = data.observations(range(600))
    assert len(method.prior.levels) == 2
    assert agreement(method.cluster(x, level=0), LABEL // 2) > 0.9  # recorded: 1.0
    assert agreement(method.cluster(x)) > 0.7  # recorded: 1.0


def test_twelve_labels_name_the_clusters(data, seed):
    method = train(m.LabelledMixtureVAE, data, seed)
    found = method.classify(data.observations(range(600))).probs.argmax(1).numpy()
    assert np.mean(found == LABEL) > 0.9  # recorded: 1.0; chance: 0.25


def test_pseudo_inputs_that_are_learned_fit_better_than_fixed_ones(data, seed):
    def bound(trainable):
        method = train(m.VampVAE, data, seed, components=8, trainable=trainable, steps=500)
        torch.manual_seed(0)
        batch = ut.data.Images(data.observations(range(600)))
        with torch.no_grad():
            (move,) = method.moves(batch, m.Context(torch.tensor(0), 600))
        return move["vae"].total.item()

    assert bound(True) < bound(False)


def test_a_mixture_prior_beats_the_standard_normal_on_clusters(data, seed):
    """The bound is lower with a prior that can be where the codes are."""

    def bound(prior):
        method = train(m.VAE, data, seed, prior=prior, steps=600)
        torch.manual_seed(0)
        batch = ut.data.Images(data.observations(range(600)))
        with torch.no_grad():
            (move,) = method.moves(batch, m.Context(torch.tensor(0), 600))
        return move["vae"].total.item()

    torch.manual_seed(seed)
    assert bound(GaussianMixture(3, 4)) < bound(None) - 0.2
