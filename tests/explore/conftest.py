"""Squares that follow their factors, and a method whose code is the factors."""

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal

from untwine.data import FactorDataset
from untwine.methods import VAE


def squares(channels=1, side=16):
    """Squares of three sizes at 4 x 5 places: 60 images of bytes."""
    factors = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), 1)
    images = np.zeros((60, channels, side, side), np.uint8)
    for image, (size, row, column) in zip(images, factors, strict=True):
        image[:, 3 * row : 3 * row + 3 + size, 2 * column : 2 * column + 3 + size] = 255
    return FactorDataset.from_arrays(images, factors, names=("size", "row", "column"))


class Perfect:
    """Codes of vectors are their entries 2, 0 and 1, known well, little and not at all."""

    spread = torch.tensor([0.01, 0.5, 1.0])

    def represent(self, x):
        centered = x - torch.tensor([1.0, 1.5, 2.0])
        mean = centered[:, [2, 0, 1]] * torch.tensor([1.0, 1.0, 0.0])
        return Independent(Normal(mean, self.spread.expand_as(mean)), 1)

    def decode(self, z):
        return Independent(Normal(z[:, [1, 2, 0]], 1.0), 1)

    def prior(self):
        return Independent(Normal(torch.zeros(3), torch.ones(3)), 1)


@pytest.fixture(scope="session")
def data():
    return squares()


@pytest.fixture(scope="session")
def vae(data):
    return VAE.build(data, latent_dim=4, seed=0).eval()
