"""Short seeded trainings of LORD and DrNet with bands that a broken objective would miss."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.optim import Adam

import untwine as ut
from untwine.data import Frames, MovingDigits
from untwine.methods import LORD, DrNet
from untwine.metrics._estimators.logistic import fit_logistic
from untwine.nets import AdaIN, Conv

from .test_learning import train


def accuracy(z, y):
    """Of a linear classifier, fitted to every other row, on the rest."""
    z = (z - z.mean(0)) / z.std()
    order = np.random.default_rng(0).permutation(len(z))
    one, two = order[::2], order[1::2]
    return float(np.mean(fit_logistic(z[one], y[one], y.max() + 1).predict(z[two]) == y[two]))


def nearest(z, y, k=3):
    """Of the majority of the k nearest others, for every row."""
    distance = np.linalg.norm(z[:, None] - z[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    votes = y[np.argsort(distance, 1)[:, :k]]
    return float(
        np.mean([np.bincount(row).argmax() == own for row, own in zip(votes, y, strict=True)])
    )


@pytest.fixture(scope="module")
def drawn():
    """Five shapes (the class) at 4 x 3 places (the content)."""
    patterns = np.zeros((5, 4, 4), np.uint8)
    patterns[0] = patterns[1, 1:3] = patterns[2, :, 1:3] = patterns[3, 1:3, 1:3] = 255
    patterns[4, [0, 3]] = 255
    factors = np.stack(np.unravel_index(np.arange(60), (5, 4, 3)), 1)
    x = np.zeros((60, 12, 12), np.uint8)
    for image, (kind, row, column) in zip(x, factors, strict=True):
        top, left = 2 * row + row // 2, 4 * column
        image[top : top + 4, left : left + 4] = patterns[kind]
    return ut.FactorDataset.from_arrays(x, factors, ("kind", "row", "column"))


def test_lord_tells_class_from_content(drawn, seed):
    fast, slow = partial(Adam, lr=2e-2, betas=(0.5, 0.999)), partial(Adam, lr=2e-3)
    method = LORD.build(
        drawn,
        4,
        seed=seed,
        class_dim=8,
        net=AdaIN(16),
        imitation=10.0,
        code_optimizer=fast,
        generator_optimizer=slow,
        encoder_optimizer=slow,
    )
    steps = {"optimize": 300, "amortize": 200}
    ut.fit(method, drawn, steps=steps, batch_size=32, seed=seed, progress=False)
    codes = ut.encode(method, drawn).mean
    kind, row = drawn.factors[:, 0], drawn.factors[:, 1]
    content, label = codes[:, :4], codes[:, 4:]
    # seeds 0, 1, 2
    assert nearest(label, kind) > 0.85  # 1.00, 0.98, 1.00; chance: 0.2
    assert nearest(content, row) > 0.7  # 0.97, 0.92, 0.97; chance: 0.25
    assert nearest(content, kind) < 0.4  # 0.05, 0.02, 0.03
    assert nearest(label, row) < 0.5  # 0.23, 0.23, 0.28
    # the places of the first class, in every class, against the images that are there
    x = drawn.observations(range(60))
    grid = method.swap(x[:12], x[::12])
    wanted = x.reshape(5, 12, 1, 12, 12)
    error = ((grid - wanted) ** 2).mean().item() / x.var().item()
    assert error < 0.7  # 0.01, 0.33, 0.14


@pytest.fixture(scope="module")
def clips():
    patterns = np.zeros((5, 6, 6), np.uint8)
    patterns[0] = patterns[1, 2:4] = patterns[2, :, 2:4] = patterns[3, 2:4, 2:4] = 255
    patterns[4, [0, 1, 4, 5]] = 255
    return MovingDigits(patterns, np.arange(5), length=6, size=16, speed=2, clips=400)


def test_drnet_tells_what_stays_from_what_moves(clips, seed):
    method = DrNet.build(
        clips, 4, seed=seed, content_dim=8, net=Conv(8, (64,)), critic_width=64, predictor_width=64
    )
    train(method, clips, 250, seed, lr=2e-3)
    frames = Frames(clips)
    rows = np.random.default_rng(0).choice(len(frames), 400, replace=False)
    with torch.no_grad():
        z = method.eval().represent(frames.observations(rows)).mean.numpy()
    content, pose = z[:, :8], z[:, 8:]
    kind = frames.factors[rows, 0]
    path = clips.trajectory(rows // 6)[np.arange(400), rows % 6, 0] // 4
    place = path[:, 0] * 3 + path[:, 1]
    # seeds 0, 1, 2
    assert accuracy(content, kind) > 0.65  # 0.84, 0.81, 0.81; chance: 0.2
    assert accuracy(pose, place) > 0.6  # 0.86, 0.80, 0.87; chance: 0.2
    assert accuracy(pose, kind) < 0.45  # 0.28, 0.25, 0.21
    assert accuracy(content, place) < 0.4  # 0.16, 0.20, 0.18
