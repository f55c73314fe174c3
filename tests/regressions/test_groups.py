"""Short seeded trainings on groups and pairs, with bands that a broken objective would miss.

The digits are scikit-learn's, 8x8. Bands are meant to hold for every seed, instruction
set and number of threads; how much of `make test-machines` has been run is in docs/robustness.md.
"""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch.optim import Adam

import untwine as ut
import untwine.methods as m
from untwine import nets

from ..laws.conftest import make_data

ADAM = partial(Adam, lr=2e-3)


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    data = ut.FactorDataset.from_arrays(x[:, None].reshape(-1, 1, 8, 8), y, ["digit"])
    rows = np.random.default_rng(0).permutation(len(y))
    return data, rows[:1200], rows[1200:]


def fitted(method, data, steps, batch_size, seed):
    ut.fit(method, data, steps=steps, batch_size=batch_size, seed=seed, progress=False)
    method.eval()
    return method


def accuracy(codes, y, train, test):
    model = LogisticRegression(max_iter=500).fit(codes[train], y[train])
    return model.score(codes[test], y[test])


@torch.no_grad()
def of_groups(method, x, y, rows, size, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 10, 800)
    picked = np.stack([rng.choice(rows[y[rows] == k], size) for k in kinds])
    return method.accumulate(x[torch.from_numpy(picked)]).mean.numpy(), kinds


@pytest.mark.parametrize("cls", [m.MLVAE, m.GVAE])
def test_the_content_of_groups_knows_the_class_and_the_style_does_less(digits, cls, seed):
    data, train, test = digits
    method = cls.build(
        data, latent_dim=12, content_dim=6, seed=seed, net=nets.MLP((128,)), optimizer=ADAM
    )
    fitted(method, data.subset(train), 800, 16, seed)
    x, y = data.observations(range(len(data))), data.factors[:, 0]
    with torch.no_grad():
        z = method.represent(x).mean.numpy()
    content = accuracy(z[:, :6], y, train, test)
    style = accuracy(z[:, 6:], y, train, test)
    assert content > 0.7
    assert style < content - 0.15
    scores = []
    for size in (1, 10):
        a, kinds = of_groups(method, x, y, train, size, 1)
        b, held = of_groups(method, x, y, test, size, 2)
        scores.append(LogisticRegression(max_iter=500).fit(a, kinds).score(b, held))
    assert scores[1] > 0.95
    assert scores[1] > scores[0]


def test_swaps_across_classes_have_the_class_of_s(digits, seed):
    data, train, test = digits
    critic = partial(Adam, lr=1e-3, betas=(0.5, 0.999))
    method = m.Mathieu2016.build(
        data,
        latent_dim=10,
        specified_dim=6,
        seed=seed,
        net=nets.MLP((128,)),
        penalty=m.KL(3.0),
        optimizer=partial(Adam, lr=1e-3),
        critic_optimizer=critic,
    )
    fitted(method, data.subset(train), 600, 64, seed)
    x, y = data.observations(range(len(data))), data.factors[:, 0]
    with torch.no_grad():
        z = method.represent(x).mean.numpy()
    assert accuracy(z[:, :6], y, train, test) > 0.8
    assert accuracy(z[:, 6:], y, train, test) < 0.45
    pixels = x.flatten(1).numpy()
    judge = LogisticRegression(max_iter=500).fit(pixels[train], y[train])
    one, two = test[:250], test[250:500]
    one, two = one[y[one] != y[two]], two[y[one] != y[two]]
    with torch.no_grad():
        seen = judge.predict(method.swap(x[one], x[two]).mean.flatten(1).numpy())
    assert (seen == y[one]).mean() > 0.6
    assert (seen == y[two]).mean() < 0.15


def test_the_f_statistic_embeds_classes_it_can_find_again(digits, seed):
    data, train, test = digits
    method = m.FStatistic.build(
        data, latent_dim=8, dimensions=2, seed=seed, net=nets.MLP((128,)), optimizer=ADAM
    )
    fitted(method, data.subset(train), 300, 20, seed)
    with torch.no_grad():
        z = method.represent(data.observations(range(len(data)))).mean.numpy()
    y, z = data.factors[:, 0], (z - z.mean(0)) / z.std(0)
    assert KNeighborsClassifier(1).fit(z[train], y[train]).score(z[test], y[test]) > 0.9


def test_pairs_with_one_change_leave_the_other_dimensions_shared(seed):
    data = make_data()
    options = {"latent_dim": 4, "seed": seed, "net": nets.MLP((128,)), "optimizer": ADAM}
    method = m.AdaGVAE.build(data, changed=1, **options)
    pairs = ut.data.Loader(data, ut.data.PairsSampler(1), batch_size=32, seed=seed)
    fitted(method, pairs, 400, 32, seed)
    batch = pairs(1000)
    with torch.no_grad():
        a, b = method.represent(batch.x0).mean, method.represent(batch.x1).mean
    apart = (a - b).abs().sort(1).values
    assert apart[:, -1].mean() > 4 * apart[:, 0].mean()


def test_slow_codes_change_in_fewer_dimensions(seed):
    """Share of the L1 norm of a step that its largest dimension has, beside a VAE's."""
    data = make_data()
    steps = ut.data.Loader(data, ut.data.LaplacePairsSampler(1.0), batch_size=32, seed=seed)
    one = ut.data.Loader(data, ut.data.PairsSampler(1), batch_size=256, seed=0)(0)
    shares = []
    for gamma in (0.0, 10.0):
        options = {"latent_dim": 4, "seed": seed, "net": nets.MLP((128,)), "optimizer": ADAM}
        method = m.SlowVAE.build(data, gamma=gamma, **options)
        fitted(method, steps, 500, 32, seed)
        with torch.no_grad():
            step = (method.represent(one.x0).mean - method.represent(one.x1).mean).abs()
        shares.append((step.max(1).values / step.sum(1)).mean().item())
    assert shares[1] > shares[0]
