"""Codes in blocks keep the contracts: specifications, capture safety, tools that see one vector."""

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.distributions import (
    AngleBlock,
    CategoricalBlock,
    GaussianBlock,
    GaussianMixture,
    LowRank,
    MixturePosterior,
    OneHotPrior,
)
from untwine.functional import Linear
from untwine.methods import (
    BetaTCVAE,
    BlockKL,
    Context,
    JointVAE,
    MixtureKL,
    MixtureVAE,
    MultiLatentVAE,
)
from untwine.plots.compute import posterior_span, traverse
from untwine.spec import describe, instantiate

from .conftest import make_data
from .test_methods import NoSync

CTX = Context(torch.tensor(0), 60)


def spec():
    return {
        "style": GaussianBlock(3, LowRank(2)),
        "kind": CategoricalBlock(4, straight_through=True, prior=OneHotPrior(4, learned=True)),
        "turn": AngleBlock(2),
        "rest": GaussianBlock(2, prior=GaussianMixture(2, 3)),
    }


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.mark.parametrize(
    "value",
    [
        *spec().values(),
        BlockKL({"a": 4.0, "b": Linear(0.0, 1.0, 5)}, {"a": 3.0}, 2.0),
        MixtureKL("matched", 3.0),
        MixturePosterior(3, LowRank(2), temperature=0.3),
    ],
)
def test_values_are_written_down_and_made_again(value):
    written = describe(value)
    again = instantiate(written)
    assert type(again) is type(value)
    assert describe(again) == written


def test_a_method_is_made_again_from_its_specification(data):
    blocks = {k: v for k, v in spec().items() if k != "rest"}  # whose prior was drawn without seed
    method = MultiLatentVAE.build(data, blocks=blocks, weights={"style": 4.0}, seed=3)
    written = describe(method)
    again = MultiLatentVAE.build(
        data, **{k: instantiate(v) for k, v in written["init_args"].items()}
    )
    for a, b in zip(method.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert again.penalty.weights == {"style": 4.0}


@pytest.mark.parametrize(
    "build",
    [
        lambda data: MultiLatentVAE.build(data, blocks=spec(), seed=0),
        lambda data: MultiLatentVAE.build(data, blocks=spec(), total_correlation=2.0, seed=0),
        lambda data: JointVAE.build(data, latent_dim=3, classes=4, seed=0),
        *[
            lambda data, how=how, choice=choice: MixtureVAE.build(
                data, latent_dim=3, how=how, choice=choice, seed=0
            )
            for how in ("monte_carlo", "variational", "convexity", "matched", "approximation")
            for choice in ("exact", "relaxed")
        ],
    ],
)
def test_every_kind_is_capture_safe_and_learns_all_parameters(build, data):
    method = build(data)
    batch = ut.data.Images(data.observations(range(12)))
    next(iter(method.moves(batch, CTX)))
    with NoSync():
        total = next(iter(method.moves(batch, CTX)))["vae"].total
        total.backward()
    assert torch.isfinite(total)
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_tools_see_one_vector(data, tmp_path):
    method = MultiLatentVAE.build(data, blocks=spec(), seed=0)
    run = ut.fit(method, data, steps=4, batch_size=8, out=tmp_path / "run")
    assert {"vae/kl_style", "vae/kl_turn", "vae/block_tc", "vae/mi_style_kind"} <= set(run.log)
    codes = ut.encode(method, data)
    assert codes.mean.shape == (60, 13)
    assert np.isfinite(codes.mean).all()
    assert codes.stddev is None  # classes and angles are no Gaussians
    moved = traverse(method, data.observations(range(2)), span=posterior_span(codes.mean), steps=3)
    assert moved.images.shape == (2, 13, 3, 1, 16, 16)
    assert method.sample(5).shape == (5, 1, 16, 16)
    back = ut.Run.load(tmp_path / "run", data=data).method
    torch.testing.assert_close(
        back.represent(data.observations(range(3))).mean,
        method.represent(data.observations(range(3))).mean,
    )
    page = ut.report(tmp_path / "run", data=data)
    assert page.exists()


def test_covariates_travel_along():
    from untwine.data import FactorDataset

    c = torch.eye(3)[torch.arange(60) % 3]
    data = FactorDataset.from_arrays(torch.rand(60, 7), covariates=c.numpy())
    method = JointVAE.build(data, latent_dim=2, classes=3, seed=0)
    x = data.observations(range(5))
    assert method.cluster(x, c[:5]).shape == (5, 3)
    assert method.traverse(x, "category", c=c[:5]).shape == (5, 1, 3, 7)
    mixture = MixtureVAE.build(data, latent_dim=2, seed=0)
    batch = ut.data.Images(x, c[:5])
    assert torch.isfinite(next(iter(mixture.moves(batch, CTX)))["vae"].total)


def test_a_prior_of_a_block_starts_from_the_blocks_own_codes(data):
    prior = GaussianMixture(2, 3, init="data")
    blocks = {"a": GaussianBlock(3), "b": GaussianBlock(2, prior=prior)}
    method = MultiLatentVAE.build(data, blocks=blocks, seed=0)
    assert method.prior.starts
    codes = torch.randn(40, 5)
    method.prior.start(codes)
    assert all((codes[:, 3:] == row).all(1).any() for row in method.prior.priors[1].loc)
    assert not (prior.loc == method.prior.priors[1].loc).any()  # the method has a copy
    assert not MultiLatentVAE.build(data, seed=0).prior.starts


def test_priors_made_of_the_encoder_are_refused():
    from untwine.distributions import VampPrior

    with pytest.raises(ValueError, match="fits no block"):
        GaussianBlock(2, prior=VampPrior(2))


def test_penalties_that_need_marginals_say_so(data):
    batch = ut.data.Images(data.observations(range(12)))
    method = BetaTCVAE.build(data, latent_dim=3, posterior=MixturePosterior(2), seed=0)
    with pytest.raises(TypeError, match=r"is a Mixture; expected .* whose marginals are known"):
        next(iter(method.moves(batch, CTX)))


def test_low_rank_posteriors_take_any_penalty(data):
    batch = ut.data.Images(data.observations(range(12)))
    for cls in (BetaTCVAE, ut.methods.DIPVAEII, ut.methods.AnnealedVAE):
        method = cls.build(data, latent_dim=3, posterior=LowRank(1), seed=0)
        assert torch.isfinite(next(iter(method.moves(batch, CTX)))["vae"].total)


def test_moments_are_kept_of_gaussian_codes_only():
    import untwine as ut

    images = make_data()

    gaussian = ut.methods.VAE.build(images, latent_dim=3, seed=0)
    assert ut.encode(gaussian, images).stddev is not None
    with_a_class = ut.methods.JointVAE.build(images, latent_dim=3, seed=0)
    codes = ut.encode(with_a_class, images)
    assert codes.stddev is None
    reason = ut.evaluate(codes, metrics=["mig", "dimension_kl"], progress=False).skipped
    assert "stddev" in reason["dimension_kl"] or "standard" in reason["dimension_kl"]
