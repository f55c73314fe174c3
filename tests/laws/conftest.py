"""A small data set, and one batch of each kind of supervision."""

import numpy as np
import pytest
import torch

import untwine.methods as methods
from untwine.data import (
    FactorDataset,
    FewLabelsSampler,
    Loader,
    Modalities,
    Multimodal,
    default_sampler,
)


def make_data(shape=(1, 16, 16), n=60, seed=0):
    """Squares of three sizes at 4 x 5 places: 60 images that follow their factors."""
    rng = np.random.default_rng(seed)
    factors = np.stack(np.unravel_index(np.arange(n), (3, 4, 5)), 1)
    if len(shape) == 1:
        mix = rng.normal(size=(3, shape[0]))
        x = ((factors - factors.mean(0)) @ mix / 3).astype(np.float32)
    else:
        x = np.zeros((n, *shape), np.uint8)
        for image, (size, row, column) in zip(x, factors, strict=True):
            top, left = 3 * row, 2 * column
            image[:, top : top + 3 + size, left : left + 3 + size] = 255
    return FactorDataset.from_arrays(x, factors, names=("size", "row", "column"))


def suited(cls, data):
    """The data, or two modalities of it, each missing somewhere, for who learns from several."""
    if cls.supervision is not Modalities:
        return data
    row = np.arange(len(data))
    parts = {"one": data, "two": make_data(shape=(5,), n=len(data), seed=1)}
    return Multimodal(parts, {"one": row % 5 != 0, "two": row % 5 != 1})


def shapes(x):
    """The shape of a tensor, or of each modality's."""
    return {name: part.shape for name, part in x.items()} if isinstance(x, dict) else x.shape


def first_batch(method, data, batch_size=16):
    sampler = method.sampler() or default_sampler(method.supervision)
    if isinstance(sampler, FewLabelsSampler):
        sampler = FewLabelsSampler(sampler.label, labelled=30)
    return Loader(data, sampler, batch_size=batch_size, seed=0)(0)


@pytest.fixture(params=methods.__all__)
def cls(request):
    return getattr(methods, request.param)


@pytest.fixture
def images(cls):
    return suited(cls, make_data())


@pytest.fixture
def method(cls, images):
    torch.manual_seed(0)
    return cls.build(images, latent_dim=4, seed=0)
