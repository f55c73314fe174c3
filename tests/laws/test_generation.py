"""Samples of a condition, interpolation and imputation: of every method that has them."""

import numpy as np
import pytest
import torch

import untwine as ut
import untwine.methods as m
from untwine.data import FactorDataset
from untwine.distributions import (
    AngleBlock,
    BlocksPrior,
    CategoricalBlock,
    Conditional,
    Gaussian,
    GaussianBlock,
    GaussianMixture,
    HierarchicalMixture,
    VampPrior,
)
from untwine.methods import Decodes, Model, Samples, SamplesGiven
from untwine.use import condition_of, impute, interpolate, sample, sample_like

from .conftest import make_data, suited

CONDITIONS = {
    **{key: {"size": 3} for key in ("M2", "M1M2", "LORD")},
    **{key: {"size": 3} for key in ("SemiSupervisedAAE", "SemiSupervisedReducingAAE")},
    **{key: {"category": 10} for key in ("JointVAE", "InfoGAN", "ElasticInfoGAN")},
    **{key: {"component": 10} for key in ("GaussianMixtureVAE", "VaDE", "MultimodalVAE")},
    "GeneralizedM2": {"y": 3},
    "LabelledMixtureVAE": {"size": 3, "component": 3},
    "ClusteringAAE": {"class": 30},
    "ReducingAAE": {"class": 20},
    "FewLabelsVAE": {"size": 3, "row": 4, "column": 5},
    "HierarchicalMixtureVAE": {"component": 8},
    "MixtureVAE": {"component": 3},
    "VampVAE": {"component": 100},
}
"""What methods as built by default can be given; others nothing, unless their prior is another."""


def shape_of(x):
    return {k: v.shape for k, v in x.items()} if isinstance(x, dict) else x.shape


def test_every_method_draws_what_it_is_given_or_refuses_in_a_line(method, images):
    name = type(method).__name__
    sizes = dict(method.conditions()) if isinstance(method, SamplesGiven) else {}
    assert sizes == CONDITIONS.get(name, {})
    for condition, size in sizes.items():
        drawn = sample(method, 3, {condition: size - 1}, seed=1)
        assert shape_of(drawn) == shape_of(sample(method, 3, {condition: 0}))
        again = sample(method, 3, {condition: size - 1}, seed=1)
        for one, two in zip(
            drawn.values() if isinstance(drawn, dict) else [drawn],
            again.values() if isinstance(again, dict) else [again],
            strict=True,
        ):
            assert torch.equal(one, two)
            assert torch.isfinite(one).all()
        with pytest.raises(ValueError, match=f"{condition} is {size}; expected a whole number"):
            sample(method, 3, {condition: size})
    if not sizes:
        with pytest.raises(ValueError, match=f"^{name} (draws no|tells nothing)"):
            sample(method, 3, {"class": 0})
    else:
        with pytest.raises(ValueError, match="'nothing' is nothing that samples can be given"):
            sample(method, 3, {"nothing": 0})
    if isinstance(method, Samples | SamplesGiven):
        sample(method, 2)
    else:
        with pytest.raises(ValueError, match="draws no samples"):
            sample(method, 2)


def test_interpolation_begins_and_ends_at_reconstructions(method, images):
    if not isinstance(method, Decodes):
        with pytest.raises(ValueError, match="has no decoder"):
            interpolate(method, images.observations([0]), images.observations([1]))
        return
    a, b = images.batch([0, 1]), images.batch([20, 40])
    if isinstance(method, m.MultimodalVAE):
        with pytest.raises(ValueError, match="several modalities"):
            interpolate(method, a, b)
        return
    way = interpolate(method, a, b, steps=4)
    assert way.shape == (2, 4, 1, 16, 16)
    method.eval()
    with torch.no_grad():
        beside = {}
        if method.classes_beside_code is not None:
            beside["y"] = method.classify(a).probs.argmax(1)
        for batch, place in ((a, 0), (b, -1)):
            expected = method.decode(method.represent(batch).mean, **beside).mean
            torch.testing.assert_close(way[:, place], expected)


@pytest.mark.parametrize(
    ("prior", "means"),
    [
        (GaussianMixture(2, 3, covariance="full"), lambda p: p.loc),
        (HierarchicalMixture(2, [[0, 1], [2, 3]]), lambda p: p.loc),
    ],
    ids=["mixture", "tree"],
)
def test_codes_of_a_component_have_its_mean(prior, means):
    torch.manual_seed(0)
    k = prior.conditions()["component"] - 1
    z = prior.sample_given(40_000, {"component": k})
    assert (z.mean(0) - means(prior)[k]).abs().max() < 0.03
    assert prior.sample_given(5, {}).shape == (5, 2)


def test_blocks_hold_a_class_and_draw_the_rest():
    mixture = ut.distributions.Block(2, ut.distributions.Diagonal(), GaussianMixture(2, 3))
    prior = BlocksPrior({"s": GaussianBlock(2), "k": CategoricalBlock(4), "m": mixture})
    assert prior.conditions() == {"k": 4, "m": 3}
    parts = prior().split(prior.sample_given(50, {"k": 2}))
    assert parts["k"].tolist() == [[0, 0, 1, 0]] * 50
    assert parts["s"].std() > 0.5


def test_pseudo_inputs_are_components():
    data = make_data((7,))
    method = m.VAE.build(data, 2, prior=VampPrior(4), seed=0)
    assert method.conditions() == {"component": 4}
    assert sample(method, 3, {"component": 1}).shape == (3, 7)


def test_a_class_of_m2_is_what_its_decoder_is_told():
    data = make_data((7,))
    method = m.M2.build(data, latent_dim=2, seed=0, label="size")
    torch.manual_seed(3)
    z = method.prior.sample_given(5, {})
    expected = method.decode(z, y=torch.full((5,), 2)).mean
    torch.testing.assert_close(sample(method, 5, {"size": 2}, seed=3), expected)
    assert condition_of(method, {"class": "2"}) == {"size": 2}


def test_a_labelled_dimension_is_at_the_target_of_its_loss():
    data = make_data((7,))
    method = m.FewLabelsVAE.build(data, latent_dim=3, seed=0)
    assert torch.sigmoid(torch.tensor(method.code_of(3, 4))).item() == pytest.approx(3 / 4)
    assert m.FewLabelsVAE.build(data, 3, supervised="squares").code_of(3, 4) == 3 / 4
    other = m.FewLabelsVAE.build(data, 3, seed=0, supervised="covariance")
    with pytest.raises(ValueError, match="tells nothing apart"):
        sample(other, 3, {"size": 1})


def test_covariates_reach_the_samples():
    c = np.eye(2, dtype=np.float32)[np.arange(60) % 2]
    data = FactorDataset.from_arrays(make_data((7,)).observations(range(60)), covariates=c)
    method = m.VAE.build(data, 2, seed=0, prior=GaussianMixture(2, 3))
    one, two = (sample(method, 4, {"component": 1}, c=row) for row in ([1.0, 0.0], [0.0, 1.0]))
    assert not torch.allclose(one, two)
    assert torch.equal(sample(method, 4, c=[1.0, 0.0]), sample(method, 4, c=c[:1].repeat(4, 0)))
    with pytest.raises(ValueError, match="expected \\(C,\\), or"):
        sample(method, 4, c=np.ones((3, 2)))


def test_a_part_is_kept_and_the_rest_drawn():
    data = make_data()
    for name, part in (("MLVAE", "content"), ("Mathieu2016", "specified")):
        method = getattr(m, name).build(data, latent_dim=4, seed=0)
        drawn = sample_like(method, data.observations([0, 20]), part, 3)
        assert drawn.shape == (2, 3, 1, 16, 16)
        assert not torch.allclose(drawn[0, 0], drawn[0, 1])
        with pytest.raises(ValueError, match="part is 'nothing'; the code has the parts"):
            sample_like(method, data.observations([0]), "nothing")
    lord = m.LORD.build(data, latent_dim=4, seed=0)
    with pytest.raises(ValueError, match="LORD has no prior over what is beside 'class'"):
        sample_like(lord, data.observations([0]), "class")
    with pytest.raises(ValueError, match="the code of VAE has no named parts"):
        sample_like(m.VAE.build(data, 2), data.observations([0]), "content")


def test_angles_go_round_the_circle():
    data = make_data()
    blocks = {"s": GaussianBlock(1), "turn": AngleBlock()}
    method = m.MultiLatentVAE.build(data, blocks=blocks, seed=0)
    codes = []
    decode = method.decode
    method.decode = lambda z, **beside: codes.append(z) or decode(z, **beside)
    interpolate(method, data.observations([0]), data.observations([50]), 5)
    assert torch.allclose(codes[0][:, 1:].norm(dim=1), torch.ones(5), atol=1e-6)


def linear(dim=3, width=6, noise=0.5):
    """A linear Gaussian VAE with its exact posterior, and the covariance of its data."""
    torch.manual_seed(0)
    matrix = torch.randn(width, dim, dtype=torch.float64)
    precision = torch.eye(dim, dtype=torch.float64) + matrix.T @ matrix / noise**2
    back = torch.linalg.solve(precision, matrix.T) / noise**2

    class Exact(torch.nn.Module):
        def forward(self, x):
            covariance = torch.linalg.inv(precision).expand(len(x), dim, dim)
            return torch.distributions.MultivariateNormal(x @ back.T, covariance)

    decoder = torch.nn.Linear(dim, width, bias=False).double()
    decoder.weight.data.copy_(matrix)
    model = Model(
        Exact(), Conditional(decoder, Gaussian(noise)), ut.distributions.StandardNormal(dim)
    )
    covariance = matrix @ matrix.T + noise**2 * torch.eye(width, dtype=torch.float64)
    return m.VAE(model), covariance


def test_imputation_of_a_linear_model_is_the_conditional_mean():
    method, covariance = linear()
    x = torch.randn(4, 6, dtype=torch.float64)
    o, u = [0, 1, 2, 4], [3, 5]
    gain = covariance[u][:, o] @ torch.linalg.inv(covariance[o][:, o])
    expected = x[:, o] @ gain.T
    holes = x.clone()
    holes[:, u] = torch.nan
    filled = impute(method, holes, steps=2000)
    assert torch.equal(filled[:, o], x[:, o])
    torch.testing.assert_close(filled[:, u], expected, rtol=1e-6, atol=1e-6)
    drawn = impute(method, holes[:1], steps=60, draws=4000, seed=1)
    assert drawn.shape == (4000, 1, 6)
    spread = covariance[u][:, u] - gain @ covariance[o][:, u]
    assert (drawn[:, 0, u].mean(0) - expected[0]).abs().max() < 0.1
    assert (drawn[:, 0, u].T.cov() - spread).abs().max() < 0.15


def test_what_cannot_be_filled_in_is_refused():
    vectors = make_data((7,))
    method = m.VAE.build(vectors, 2, seed=0)
    x = vectors.observations(range(3))
    with pytest.raises(ValueError, match="missing altogether"):
        impute(method, torch.full_like(x, torch.nan))
    with pytest.raises(ValueError, match=r"missing is torch\.bool of shape"):
        impute(method, x, torch.zeros(3, 1, dtype=torch.bool))
    with pytest.raises(ValueError, match="FStatistic has no decoder"):
        impute(m.FStatistic.build(vectors, 2), x)
    both = suited(m.MultimodalVAE, make_data())
    with pytest.raises(ValueError, match="present="):
        impute(m.MultimodalVAE.build(both, 2), both.batch(range(3)))


def test_the_command_line_draws(tmp_path, monkeypatch, capsys):
    from PIL import Image

    from untwine.cli import main

    monkeypatch.chdir(tmp_path)
    data = make_data()
    np.savez(
        "mine.npz",
        images=data.observations(range(60)).numpy(),
        factors=data.factors,
        factor_names=["size", "row", "column"],
    )
    data = ut.data.Npz("mine.npz")
    method = m.M2.build(data, latent_dim=2, seed=0, label="size")
    few = ut.data.FewLabelsSampler("size", labelled=30)
    ut.fit(method, data, steps=1, batch_size=8, sampler=few, out="run", progress=False)
    assert main(["sample", "run", "--condition", "size=all", "--n", "5", "--out", "grid.png"]) == 0
    assert Image.open("grid.png").width > 100
    assert main(["sample", "run", "--condition", "class=2", "--n", "5", "--out", "two.npy"]) == 0
    expected = sample(ut.Run.load("run").method, 5, {"size": 2})
    np.testing.assert_allclose(np.load("two.npy"), expected.numpy(), rtol=1e-5)
    assert main(["sample", "run", "--between", "0", "50", "--n", "6", "--out", "way.npy"]) == 0
    assert np.load("way.npy").shape == (1, 6, 1, 16, 16)
    assert main(["sample", "run"]) == 0
    capsys.readouterr()
    assert main(["sample", "run", "--condition", "size=9"]) == 2
    assert "size is 9; expected a whole number from 0 to 2" in capsys.readouterr().err
    assert main(["sample", "run", "--condition", "color=all"]) == 2
    assert "'color' is nothing that samples can be given; there are: size" in (
        capsys.readouterr().err
    )
    assert main(["sample", "run", "--like", "content=3"]) == 2
    assert "has no named parts" in capsys.readouterr().err
