"""Encoders of other libraries: the codes are what they return, and nothing else is taken."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

import untwine as ut
from untwine.distributions import diagonal_normal

SPACE = ut.data.FactorSpace(("row", "column"), (4, 4))
FACTORS = SPACE.factors(np.arange(16))
IMAGES = np.zeros((16, 8, 8), np.uint8)
for i, (row, column) in enumerate(FACTORS):
    IMAGES[i, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 255
DATA = ut.FactorDataset.from_arrays(IMAGES, FACTORS, names=SPACE.names)


def test_a_function_of_the_images_is_evaluated_as_the_code_that_it_is():
    def places(x):  # the true factors, read off the images
        mass = x[:, 0] / x[:, 0].sum((1, 2), keepdim=True)
        at = torch.arange(8.0)
        return torch.stack([mass.sum(2) @ at, mass.sum(1) @ at], 1)

    codes = ut.encode(places, DATA)
    np.testing.assert_allclose(codes.mean, 2 * FACTORS + 0.5, atol=1e-5)
    assert codes.stddev is None
    assert codes.space == DATA.space
    assert ut.evaluate(codes, metrics=["mig"]).scores["mig"].value == pytest.approx(1)


def test_an_estimator_is_given_vectors():
    vectors = DATA.observations(range(16)).flatten(1).numpy()
    pca = PCA(3, random_state=0).fit(vectors)
    np.testing.assert_allclose(ut.encode(pca, DATA).mean, pca.transform(vectors), atol=1e-5)


def test_a_module_is_in_evaluation_mode_and_on_its_type():
    net = nn.Sequential(nn.Conv2d(1, 5, 8), nn.Dropout(0.5)).double().train()
    codes = ut.encode(net, DATA)  # maps of one pixel are codes
    expected = net[0](DATA.observations(range(16)).double()).flatten(1)
    np.testing.assert_allclose(codes.mean, expected.detach().numpy(), atol=1e-5)
    assert net.training


def test_a_distribution_has_its_deviations():
    codes = ut.encode(
        lambda x: diagonal_normal(x.flatten(1)[:, :2], torch.full((len(x), 2), 0.3)), DATA
    )
    assert np.allclose(codes.stddev, 0.3)


@pytest.mark.parametrize(
    ("encoder", "error", "said"),
    [
        (lambda x: (x, x), TypeError, "returns a tuple; expected codes .B, D. or a distribution"),
        (lambda x: x, ValueError, r"shape \(16, 1, 8, 8\) for 16 observations; .* pool maps"),
        (lambda x: x.flatten(1)[:3], ValueError, r"shape \(3, 64\) for 16 observations"),
        (nn.Linear, TypeError, "method is <class .* a module or a function"),
        (3, TypeError, "method is 3; expected .* what has transform"),
    ],
)
def test_what_returns_no_codes_is_refused(encoder, error, said):
    with pytest.raises(error, match=said):
        ut.encode(encoder, DATA)
