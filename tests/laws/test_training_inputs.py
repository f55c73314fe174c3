"""What training takes for batches: types that are cast, and what is refused at the start."""

import copy
import warnings

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import untwine as ut
from tests.training_toys import WIDTH, Noisy, Points, Spoiled, equal
from untwine.data import FactorDataset, FewLabelsSampler, Loader, default_sampler
from untwine.data.batches import Images
from untwine.distributions import (
    Categorical,
    Diagonal,
    FullCovariance,
    LowRank,
    Mixed,
    Poisson,
    StudentT,
)
from untwine.methods import VAE
from untwine.training import NonFiniteLoss

PIXELS = FactorDataset.from_arrays(np.zeros((20, 1, 8, 8), np.uint8))


def few_steps(method, loader, **options):
    return ut.fit(method, loader, steps=2, batch_size=16, progress=False, **options)


def loader_of(method, data):
    sampler = method.sampler() or default_sampler(method.supervision)
    if isinstance(sampler, FewLabelsSampler):
        sampler = FewLabelsSampler(sampler.label, labelled=30)
    return Loader(data, sampler, batch_size=16, seed=0)


class Changed:
    """Batches of a loader in another type or of other values."""

    def __init__(self, loader, change):
        self.loader, self.change, self.size = loader, change, loader.size

    def __call__(self, step):
        batch = self.loader(step)
        names = {"x", "x0", "x1", "xl"} & set(batch._parts())
        return type(batch)(**batch._parts() | {n: self.map(batch._parts()[n]) for n in names})

    def map(self, value):
        if isinstance(value, dict):
            return {name: self.map(part) for name, part in value.items()}
        return self.change(value)


def test_double_batches_train_as_single_ones_do(method, images):
    loader, twin = loader_of(method, images), copy.deepcopy(method)
    few_steps(method, loader)
    few_steps(twin, Changed(loader, torch.Tensor.double))
    assert equal(method, twin)


def test_a_method_in_double_trains_and_encodes(method, images):
    method.double()
    few_steps(method, loader_of(method, images))
    assert {p.dtype for p in method.parameters()} == {torch.float64}
    assert np.isfinite(ut.encode(method, images).mean).all()


def test_a_default_type_of_double_trains(cls, images):
    torch.set_default_dtype(torch.float64)
    try:
        method = cls.build(images, latent_dim=4, seed=0)
        few_steps(method, loader_of(method, images))
    finally:
        torch.set_default_dtype(torch.float32)


def test_values_that_the_likelihood_cannot_have_are_refused(method, images, tmp_path):
    if type(method).__name__ == "FStatistic":
        pytest.skip("an embedding has no likelihood")
    loader = Changed(loader_of(method, images), lambda x: x - 1)
    with pytest.raises(ValueError, match=r"-1.*\[0, 1\]"):
        few_steps(method, loader, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_shape_is_refused_with_both_named(method, images):
    loader = Changed(loader_of(method, images), lambda x: x[..., 1:])
    with pytest.raises(ValueError, match=r"15\)|4\)"):
        few_steps(method, loader)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (torch.rand(8, 1, 8, 8).double(), None),
        (torch.rand(8, 1, 8, 8) > 0.5, None),
        (torch.ones(8, 1, 8, 8, dtype=torch.int64), None),
        (torch.full((8, 1, 8, 8), 200, dtype=torch.uint8), None),
        (torch.rand(8, 1, 8, 8).half(), None),
        (torch.full((8, 1, 8, 8), 200), "holds 200, but Bernoulli takes values in"),
        (torch.ones(8, 1, 8, 8, dtype=torch.uint8), "no byte of this batch is above 1"),
        (2 * torch.rand(8, 1, 8, 8) - 1, r"bring \[-1, 1\] there by \(x \+ 1\) / 2"),
        (torch.full((8, 1, 8, 8), torch.nan), "x holds NaN or infinite values"),
        (
            torch.rand(8, 8, 8),
            r"x has shape \(4, 8, 8\), but the decoder was made for observations of shape "
            r"\(1, 8, 8\): expected x of shape \(B, 1, 8, 8\)",
        ),
        (torch.rand(8, 3, 8, 8), r"shape \(4, 3, 8, 8\), but .* of shape \(1, 8, 8\)"),
    ],
)
def test_what_a_torch_dataloader_may_yield(batch, expected):
    method = VAE.build(PIXELS, latent_dim=2, seed=0)
    data = DataLoader(TensorDataset(batch), batch_size=4)
    if expected is None:
        assert few_steps(method, data).steps == 2
        return
    with pytest.raises(ValueError, match=expected):
        few_steps(method, data)


@pytest.mark.parametrize(
    ("likelihood", "good", "bad", "message"),
    [
        (Poisson(), [[0.0, 3.0]], [[0.5, 3.0]], "holds 0.5, but Poisson takes counts"),
        (Categorical(2), [[1.0, -1.0]], [[1.0, 2.0]], "holds 2 in column 1, but .* 0 to 1 there"),
        (
            Mixed([StudentT(), Categorical(3)], [[0], [1]]),
            [[-5.0, 2.0]],
            [[-5.0, 3.0]],
            r"x holds 3 in column 0, .*within columns \[1\]",
        ),
    ],
)
def test_each_family_says_what_it_cannot_have(likelihood, good, bad, message):
    likelihood.check(torch.tensor(good))
    with pytest.raises(ValueError, match=message):
        likelihood.check(torch.tensor(bad))


def test_a_method_of_parts_by_hand_says_what_the_first_batch_was():
    with pytest.raises(
        ValueError, match=r"first step failed on a batch of Images\(x=\(16, 13\).*float32.*12"
    ):
        few_steps(Noisy(), Changed(Points(), lambda x: torch.cat([x, x[:, :1]], 1)))


def test_a_function_of_the_step_returns_batches():
    class Bare(Points):
        def __call__(self, step):
            return torch.rand(16, WIDTH)

    with pytest.raises(TypeError, match=r"returns a Tensor; expected a batch"):
        few_steps(Noisy(), Bare())
    assert isinstance(Points()(0), Images)


@pytest.mark.parametrize("posterior", [None, Diagonal(), LowRank(1), FullCovariance()])
def test_a_column_of_tens_of_thousands_is_named_and_trains(posterior):
    x = np.random.default_rng(0).normal(size=(200, 5))
    x[:, 3] *= 5e4
    data = FactorDataset.from_arrays(x)
    method = VAE.build(data, latent_dim=2, posterior=posterior, seed=0)
    with torch.no_grad():
        assert torch.isfinite(method.represent(data.observations(range(200))).variance).all()
    with pytest.warns(UserWarning, match=r"column 3 of x goes to .*scale columns first"):
        run = few_steps(method, data)
    assert np.isfinite(run.log["vae/total"]).all()


def test_log_variances_are_bounded_and_otherwise_as_they_were():
    h = torch.tensor([[0.0, 0.0, 3.0, -3.0], [0.0, 0.0, 1e6, -1e6]])
    q = Diagonal()(h)
    expected = torch.tensor([[3.0, -3.0], [40.0, -40.0]]).div(2).exp()
    assert torch.equal(q.stddev, expected)


def test_large_counts_are_what_counts_are():
    data = FactorDataset.from_arrays(np.random.default_rng(0).poisson(5e4, (50, 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few_steps(VAE.build(data, latent_dim=2, likelihood=Poisson(), seed=0), data)


def test_the_advice_names_the_column():
    class Large(Points):
        def __call__(self, step):
            x = super().__call__(step).x
            x[:, 2] *= 5e4
            return Images(x)

    with (
        pytest.warns(UserWarning, match="column 2 of x"),
        pytest.raises(NonFiniteLoss, match=r"In that step's batch column 2 of x goes to 5e\+04|4"),
    ):
        few_steps(Spoiled(at=1), Large())


def test_missing_covariates_say_what_takes_them():
    data = FactorDataset.from_arrays(np.zeros((20, 4)), covariates=np.eye(20)[:, :2])
    method = VAE.build(data, latent_dim=2)
    with pytest.raises(ValueError, match=r"decode\(z, c=c\) and sample\(n, c=c\)"):
        method.sample(3)
    assert method.sample(3, c=data.covariates[:3]).shape == (3, 4)


def test_encoding_under_a_bar_is_the_same():
    data = FactorDataset.from_arrays(np.random.default_rng(0).random((600, 4), dtype=np.float32))
    method = VAE.build(data, latent_dim=2, seed=0)
    shown, plain = ut.encode(method, data, progress=True), ut.encode(method, data)
    assert np.array_equal(shown.mean, plain.mean)
    assert len(shown) == 600
