"""Traversals, reconstructions and samples are what the decoder says, and leave no trace."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from untwine.data import Batch
from untwine.plots import posterior_span, reconstruct, sample, traversal_grid, traverse


class Model(nn.Module):
    """A linear autoencoder whose decoder is noisy while it is being trained."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 5))
        self.noise = nn.Dropout(0.5)

    def represent(self, batch: Batch | Tensor) -> Normal:
        batch = Batch.of(batch)
        x, c = batch.x, batch.c
        return Normal(x[:, :3] if c is None else x[:, :3] + c, 1.0)

    def decode(self, z: Tensor, c: Tensor | None = None) -> Normal:
        return Normal(self.noise((z if c is None else z - c) @ self.weight), 1.0)

    def prior(self) -> Normal:
        return Normal(torch.zeros(3), 1.0)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return Model()


def test_traversal_is_the_decoder_one_code_at_a_time(model: Model) -> None:
    x = torch.randn(2, 5)
    found = traverse(model, x, span=(-1.0, 3.0), steps=5, dims=[2, 0], batch_size=3)
    assert found.images.shape == (2, 2, 5, 5)
    assert found.dims == (2, 0)
    assert found.values.tolist() == [[-1, 0, 1, 2, 3]] * 2
    model.eval()
    for n in range(2):
        for row, j in enumerate(found.dims):
            for s in range(5):
                z = x[n, :3].clone()
                z[j] = found.values[row, s]
                expected = model.decode(z[None]).mean[0]
                torch.testing.assert_close(found.images[n, row, s], expected.detach())


def test_codes_instead_of_observations_and_a_span_for_each_dimension(model: Model) -> None:
    span = torch.tensor([[-1.0, 1.0], [0.0, 0.5], [2.0, 2.0]])
    found = traverse(model, z=torch.zeros(1, 3), span=span, steps=3)
    assert found.values.tolist() == [[-1, 0, 1], [0, 0.25, 0.5], [2, 2, 2]]
    assert traverse(model, z=torch.ones(1, 3), steps=1).values.tolist() == [[-2], [-2], [-2]]


def test_covariates_reach_encoder_and_decoder(model: Model) -> None:
    x, c = torch.randn(2, 5), torch.randn(2, 3)
    found = traverse(model, x, c=c, steps=3, dims=[1])
    at = found.values[0, 2]
    z = x[:, :3].clone()
    z[:, 1] = at - c[:, 1]
    torch.testing.assert_close(found.images[:, 0, 2], (z @ model.weight).detach())
    torch.testing.assert_close(reconstruct(model, x, c), (x[:, :3] @ model.weight).detach())


def test_the_model_stays_as_it_was(model: Model) -> None:
    model.train()
    images = traverse(model, torch.randn(2, 5)).images
    reconstruct(model, torch.randn(2, 5))
    sample(model, 4)
    assert model.training
    assert model.noise.training
    assert not images.requires_grad
    assert model.weight.grad is None


def test_samples_depend_on_the_seed_alone(model: Model) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = sample(model, 6, seed=1)
    torch.testing.assert_close(torch.rand(3), expected)  # the global generator was not moved
    torch.testing.assert_close(sample(model, 6, seed=1), first)
    assert not torch.equal(sample(model, 6, seed=2), first)
    assert first.shape == (6, 5)


def test_a_methods_own_sample_is_used(model: Model) -> None:
    model.sample = lambda n: torch.full((n, 2), 7.0)  # type: ignore[operator]
    assert sample(model, 3).tolist() == [[7, 7]] * 3


def test_what_is_missing_is_named(model: Model) -> None:
    class Silent:
        """Can do nothing."""

    with pytest.raises(TypeError, match="method is a Silent, which has no decode"):
        traverse(Silent(), z=torch.zeros(1, 2))
    with pytest.raises(TypeError, match="method is a Silent, which has no prior"):
        sample(Silent(), 2)
    with pytest.raises(TypeError, match="either observations x or codes z"):
        traverse(model)
    with pytest.raises(ValueError, match="no dimension 3: codes have 3"):
        traverse(model, z=torch.zeros(1, 3), dims=[3])
    with pytest.raises(ValueError, match="steps is 0"):
        traverse(model, z=torch.zeros(1, 3), steps=0)
    with pytest.raises(ValueError, match=r"span has shape \(2, 2\)"):
        traverse(model, z=torch.zeros(1, 3), span=torch.zeros(2, 2))


def test_span_is_that_of_the_aggregate_posterior() -> None:
    """Means N(0, 3^2) and posteriors of deviation 4 make an aggregate posterior N(0, 5^2)."""
    mean = 3 * np.random.default_rng(0).standard_normal((200_000, 1))
    low, high = posterior_span(mean, np.full_like(mean, 4.0), coverage=0.95)[0]
    assert -low == pytest.approx(5 * 1.959964, rel=0.01)
    assert high == pytest.approx(5 * 1.959964, rel=0.01)
    with pytest.raises(ValueError, match="coverage is 0"):
        posterior_span(mean, coverage=0)


def test_a_traversal_goes_straight_into_its_figure(model: Model) -> None:
    moved = traverse(model, torch.randn(1, 5), steps=5, dims=[2, 0])
    figure = traversal_grid(moved)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["z2", "z0"]
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()][::4] == ["\u22122", "2"]
    with pytest.raises(ValueError, match=r"of 2 codes; expected one: give traversals.images\[0\]"):
        traversal_grid(traverse(model, torch.randn(2, 5)))
