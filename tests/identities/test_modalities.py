"""Several modalities: what they reduce to, and what a missing one changes (nothing else)."""

import numpy as np
import pytest
import torch
from torch.distributions import kl_divergence

from untwine.data import FactorDataset, Images, Modalities, Multimodal
from untwine.distributions import (
    GaussianMixture,
    Joint,
    NegativeBinomial,
    StandardNormal,
    diagonal_normal,
)
from untwine.functional import mixture_of_experts, product_of_experts
from untwine.methods import VAE, Context, Model, MultimodalVAE
from untwine.nets import MLP

CTX = Context(torch.tensor(0), 40)
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(40, 6)).astype("f4"), RNG.normal(size=(40, 3)).astype("f4")
COVARIATES = np.eye(2)[np.arange(40) % 2]


def dataset(present=None, covariates=None, names=("a", "b")):
    values = {"a": A, "b": B, "c": A[:, :2]}
    parts = {
        n: FactorDataset.from_arrays(values[n], np.arange(40) % 4, covariates=covariates)
        for n in names
    }
    return Multimodal(parts, present)


def batch_of(data, rows=range(16), present=None):
    rows = np.array(list(rows))
    some = {n: mask[rows] for n, mask in data.present.items()}
    c = None if data.covariates is None else data.covariates[rows].double()
    x = {n: v.double() for n, v in data.observations(rows).items()}
    return Modalities(x, present or some, c)


def loss(method, batch, seed=0):
    torch.manual_seed(seed)
    return next(iter(method.moves(batch, CTX)))["vae"]


@pytest.mark.parametrize("prior", [StandardNormal, GaussianMixture])
@pytest.mark.parametrize("covariates", [None, COVARIATES])
def test_one_modality_is_the_vae(prior, covariates):
    data = dataset(names=("a",), covariates=covariates)
    options = {"latent_dim": 3, "seed": 0}
    many = MultimodalVAE.build(data, prior=prior(3), **options).double()
    vae = VAE(Model(many.encoders["a"], many.decoders["a"], many.prior))
    batch = batch_of(data)
    one = loss(vae, Images(batch.x["a"], batch.c))
    for fusion in ("common", "mixture"):
        many.fusion = fusion
        both = loss(many, batch)
        torch.testing.assert_close(both.total, one.total)
        torch.testing.assert_close(both.terms["kl"], one.terms["kl"])
    q = many.represent({"a": batch.x["a"]}, batch.c)
    torch.testing.assert_close(q.mean, vae.represent(batch.x["a"], batch.c).mean)


def test_common_is_the_sum_over_the_four_directions():
    weights = {"b": 0.5, "b->a": 3.0}
    method = MultimodalVAE.build(
        dataset(), latent_dim=3, seed=0, prior=StandardNormal(3), weights=weights
    ).double()
    batch = batch_of(dataset())
    found = loss(method, batch)
    torch.manual_seed(0)
    expected = {}
    divergence = torch.zeros(16).double()
    for s in "ab":
        q = method.encoders[s](batch.x[s])
        z = q.rsample()
        divergence = divergence + kl_divergence(q, method.prior())
        for t in "ab":
            expected[s, t] = -method.decoders[t](z).log_prob(batch.x[t])
    total = expected["a", "a"] + 0.5 * expected["a", "b"]
    total = total + 3.0 * expected["b", "a"] + 0.5 * expected["b", "b"]
    torch.testing.assert_close(found.total, ((total + divergence) / 2).mean())
    for (s, t), value in expected.items():
        torch.testing.assert_close(found.terms[f"{s}_to_{t}"], value.mean().detach())


@pytest.mark.parametrize("fusion", ["common", "mixture", "product"])
def test_what_stands_in_the_place_of_a_missing_modality_does_not_matter(fusion):
    data = dataset(covariates=COVARIATES)
    method = MultimodalVAE.build(data, latent_dim=3, seed=0, fusion=fusion).double()
    batch = batch_of(data)
    present = {"a": torch.arange(16) % 3 != 0, "b": torch.arange(16) % 3 != 1}
    one = loss(method, Modalities(batch.x, present, batch.c))
    spoilt = {n: torch.where(present[n][:, None], x, torch.inf) for n, x in batch.x.items()}
    two = loss(method, Modalities(spoilt, present, batch.c))
    assert torch.isfinite(one.total)
    torch.testing.assert_close(one.total, two.total)
    totals = [loss(method, Modalities(x, present, batch.c)).total for x in (batch.x, spoilt)]
    gradients = [torch.autograd.grad(total, method.parameters()) for total in totals]
    for g, h in zip(*gradients, strict=True):
        assert torch.isfinite(g).all()
        torch.testing.assert_close(g, h)
    q = method.represent(spoilt, batch.c, present)
    alone = method.represent({"b": batch.x["b"]}, batch.c)
    torch.testing.assert_close(q.mean[0], alone.mean[0])
    torch.testing.assert_close(q.variance[0], alone.variance[0])


@pytest.mark.parametrize("fusion", ["common", "mixture"])
def test_an_example_of_one_modality_is_worth_as_much_as_any(fusion):
    """Examples that have only one modality give that modality's VAE."""
    data = dataset()
    method = MultimodalVAE.build(
        data, latent_dim=3, seed=0, fusion=fusion, prior=StandardNormal(3)
    ).double()
    present = {"a": torch.ones(16, dtype=torch.bool), "b": torch.zeros(16, dtype=torch.bool)}
    batch = batch_of(data, present=present)
    vae = VAE(Model(method.encoders["a"], method.decoders["a"], method.prior))
    one, two = loss(method, batch), loss(vae, Images(batch.x["a"]))
    torch.testing.assert_close(one.terms["nll"], two.terms["nll"])
    if fusion == "common":
        torch.testing.assert_close(one.total, two.total)


def test_product_of_experts_is_the_closed_form():
    """The normalized product of densities, by quadrature over one dimension."""
    locs = torch.tensor([[[0.7], [2.0]], [[-1.0], [0.3]]], dtype=torch.float64)
    scales = torch.tensor([[[0.5], [1.0]], [[2.0], [0.4]]], dtype=torch.float64)
    q = [diagonal_normal(loc, scale) for loc, scale in zip(locs, scales, strict=True)]
    grid = torch.linspace(-12, 12, 40_001, dtype=torch.float64)
    for present in ([True, True], [True, False], [False, True]):
        p = product_of_experts(q, torch.tensor([present] * 2))
        for row in range(2):
            log = -0.5 * grid**2
            for expert, there in zip(q, present, strict=True):
                if there:
                    base = expert.base_dist
                    log = log - 0.5 * ((grid - base.loc[row]) / base.scale[row]) ** 2
            density = log.softmax(0)
            mean = (density * grid).sum()
            torch.testing.assert_close(p.mean[row, 0], mean, atol=1e-8, rtol=0)
            variance = (density * (grid - mean) ** 2).sum()
            torch.testing.assert_close(p.variance[row, 0], variance, atol=1e-6, rtol=0)


def test_mixture_of_experts_is_the_weighted_mean_of_densities():
    q = [diagonal_normal(torch.zeros(2, 3), torch.ones(2, 3)),
         diagonal_normal(torch.ones(2, 3), 2 * torch.ones(2, 3))]  # fmt: skip
    z = torch.randn(2, 3)
    mix = mixture_of_experts(q, torch.tensor([[1.0, 3.0], [1.0, 0.0]]))
    first = torch.log(0.25 * q[0].log_prob(z).exp() + 0.75 * q[1].log_prob(z).exp())[0]
    torch.testing.assert_close(mix.log_prob(z)[0], first)
    torch.testing.assert_close(mix.log_prob(z)[1], q[0].log_prob(z)[1])
    torch.testing.assert_close(mix.mean[:, 0], torch.tensor([0.75, 0.0]))


def test_product_bounds_are_those_of_its_subsets():
    data = dataset(names=("a", "b", "c"))
    method = MultimodalVAE.build(data, latent_dim=3, seed=0, fusion="product", subsets=0).double()
    batch = batch_of(data)
    found = loss(method, batch)
    torch.manual_seed(0)
    experts = [method.encoders[n](batch.x[n]) for n in "abc"]
    total = torch.zeros(16).double()
    for subset in ("abc", "a", "b", "c"):
        q = product_of_experts(experts, torch.tensor([[n in subset for n in "abc"]] * 16))
        z = q.rsample()
        total = total + kl_divergence(q, method.prior())
        total = total - sum(method.decoders[n](z).log_prob(batch.x[n]) for n in subset)
    torch.testing.assert_close(found.total, (total / 4).mean())


def test_random_subsets_are_never_empty():
    data = dataset(names=("a", "b", "c"))
    method = MultimodalVAE.build(data, latent_dim=2, seed=0, fusion="product", subsets=20).double()
    batch = batch_of(data)
    masks = dict(batch.present)
    bounds = list(method._subsets(method.posteriors(batch.x), masks))
    assert len(bounds) == 4 + 20
    assert all(there.all() for _, _, there, _ in bounds)


def test_translation_is_decoding_the_sources_code():
    data = dataset(covariates=COVARIATES)
    method = MultimodalVAE.build(data, latent_dim=3, seed=0)
    x, c = data.observations(range(5)), data.covariates[:5]
    z = method.represent({"a": x["a"]}, c).mean
    p = method.translate(x["a"], "a", "b", c)
    torch.testing.assert_close(p.mean, method.decode(z, c=c)["b"].mean)
    both = method.translate(x, ["a", "b"], "b", c)
    torch.testing.assert_close(both.mean, method.decode(method.represent(x, c).mean, c=c)["b"].mean)
    assert isinstance(method.decode(z, c=c), Joint)
    assert method.cluster(x, c).shape == (5, 10)
    assert {n: v.shape for n, v in method.sample(4, c=c[:4]).items()} == {"a": (4, 6), "b": (4, 3)}


def test_covariates_that_are_missing_are_asked_for():
    counts = FactorDataset.from_arrays(RNG.poisson(3, (40, 5)), covariates=COVARIATES)
    vae = VAE.build(counts, latent_dim=2, likelihood=NegativeBinomial())
    with pytest.raises(ValueError, match=r"take 2 covariates .* none was given: pass c"):
        vae.represent(counts.observations([0]))
    with pytest.raises(ValueError, match="but 3 were given"):
        vae.represent(counts.observations([0]), torch.zeros(1, 3))
    plain = VAE.build(FactorDataset.from_arrays(A), latent_dim=2)
    with pytest.raises(ValueError, match="made for data without any: leave c out"):
        plain.represent(torch.tensor(A), torch.zeros(40, 2))
    several = MultimodalVAE.build(dataset(covariates=COVARIATES), latent_dim=2)
    with pytest.raises(ValueError, match="take 2 covariates"):
        several.represent({"a": torch.tensor(A)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultimodalVAE.build(dataset(), fusion="sum"), "fusion is 'sum'"),
        (lambda: MultimodalVAE.build(dataset(), nets={"d": MLP()}), "nets names 'd'"),
        (lambda: MultimodalVAE.build(dataset(), weights={"a->d": 1.0}), "weights names 'a->d'"),
        (
            lambda: MultimodalVAE.build(dataset(), latent_dim=2, prior=StandardNormal(3)),
            r"the prior is over \(3,\) but its code has 2 dimensions",
        ),
        (
            lambda: MultimodalVAE.build(dataset()).represent({"d": torch.zeros(1, 2)}),
            "no modality 'd'",
        ),
        (
            lambda: MultimodalVAE.build(dataset()).translate(torch.tensor(A), "a", "d"),
            "no modality 'd'",
        ),
        (lambda: MultimodalVAE.build(dataset()).represent({}), "x is empty"),
    ],
)
def test_errors_name_the_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_one_modality_is_refused_as_data():
    with pytest.raises(TypeError, match="make Multimodal"):
        MultimodalVAE.build(FactorDataset.from_arrays(A))


def test_parts_of_multimodal_data_keep_rows_together():
    present = {"b": np.arange(40) % 7 != 0}
    data = dataset(present, COVARIATES)
    train, test = data.split(0.75, seed=1)
    assert (len(train), len(test)) == (30, 10)
    some = data.subset([5, 0, 9])
    torch.testing.assert_close(some.observations([1])["a"], torch.tensor(A[:1]))
    assert some.present["b"].tolist() == [True, False, True]
    torch.testing.assert_close(some.covariates, data.covariates[[5, 0, 9]])
    assert some.factors[:, 0].tolist() == [1, 0, 1]
    every = torch.cat([train.observations(range(30))["b"], test.observations(range(10))["b"]])
    torch.testing.assert_close(every.sort(0).values, torch.tensor(B).sort(0).values)
