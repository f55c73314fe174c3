"""Structured priors reduce to simpler ones where they should, in any method of the VAE family."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

import untwine as ut
import untwine.methods as m
from untwine import distributions as d
from untwine.data import Factor
from untwine.data.batches import FewLabels, Images
from untwine.methods import Context, play

from ..laws.conftest import first_batch, make_data

CTX = Context(torch.tensor(5), 60)
PRIORS = {
    "learned normal": d.LearnedNormal,
    "Laplace": d.LaplacePrior,
    "box": d.UniformPrior,
    "full mixture": lambda n: d.GaussianMixture(n, 3, covariance="full"),
    "tree": lambda n: d.HierarchicalMixture(n, 4, sigma="trainable"),
    "VampPrior": lambda n: d.VampPrior(5),
    "flow": lambda n: d.FlowPrior(n, transforms=2, hidden=(8,)),
}


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def vae(data):
    return m.VAE.build(data, latent_dim=4, seed=0).double()


@pytest.fixture(scope="module")
def batch(data):
    return Images(data.observations(range(32)).double())


def total(method, batch):
    torch.manual_seed(0)
    return next(iter(next(iter(method.moves(batch, CTX))).values())).total


def of_one(dim=4, components=1):
    """A mixture that is the standard normal."""
    prior = d.GaussianMixture(dim, components, spread=0.0).double()
    return prior


def test_the_bound_with_one_standard_component_is_the_vaes_exactly(vae, batch):
    model = m.Model(vae.encoder, vae.decoder, of_one())
    method = m.GaussianMixtureVAE(model, penalty=m.MixtureBound())
    torch.testing.assert_close(total(method, batch), total(vae, batch))
    method = m.VaDE(m.Model(vae.encoder, vae.decoder, of_one()))
    torch.testing.assert_close(total(method, batch), total(vae, batch))


@pytest.mark.parametrize(
    "prior",
    [
        of_one(),
        of_one(components=3),
        d.HierarchicalMixture(4, [0], spread=0.0).double(),
        d.HierarchicalMixture(4, [[0, 1], [2, 3]], spread=0.0, root=True).double(),
        d.LearnedNormal(4).double(),
    ],
    ids=["one component", "three alike", "one leaf", "leaves alike", "learned normal"],
)
def test_components_at_the_origin_are_the_vaes_one_sample_loss(vae, batch, prior):
    method = m.VAE(m.Model(vae.encoder, vae.decoder, prior))
    torch.manual_seed(0)
    t = vae.trace(batch)
    kl = t.q.log_prob(t.z) - t.prior.log_prob(t.z)
    if isinstance(prior, d.LearnedNormal):
        kl = kl_divergence(t.q, t.prior)
    torch.testing.assert_close(total(method, batch), (-t.p.log_prob(t.x) + kl).mean())


def test_a_tree_of_depth_one_is_the_mixture_vae(vae, batch):
    tree = d.HierarchicalMixture(4, [0, 1, 2]).double()
    mixture = d.GaussianMixture(4, 3).double()
    mixture.loc.data = tree.loc.data
    one = m.HierarchicalMixtureVAE(m.Model(vae.encoder, vae.decoder, tree))
    two = m.GaussianMixtureVAE(m.Model(vae.encoder, vae.decoder, mixture))
    torch.testing.assert_close(total(one, batch), total(two, batch))
    torch.testing.assert_close(one.cluster(batch.x), two.cluster(batch.x))


def test_a_vamp_prior_of_one_input_is_its_posterior(vae, batch, data):
    method = m.VampVAE.build(data, latent_dim=4, components=1, seed=0).double()
    torch.manual_seed(0)
    t = method.trace(batch)
    q = method.encoder(method.prior.pseudo_inputs())
    one = Independent(Normal(q.mean[0], q.stddev[0]), 1)
    torch.testing.assert_close(t.prior.log_prob(t.z), one.log_prob(t.z))


def test_labels_of_one_standard_class_are_a_vaes_loss_and_minus_log_pi(vae, batch):
    prior = d.GaussianMixture(4, 2, spread=0.0).double()
    prior.logits.data[1] = 1.0
    method = m.LabelledMixtureVAE(m.Model(vae.encoder, vae.decoder, prior), Factor("size", 2))
    y = torch.zeros(len(batch.x), dtype=torch.long)
    torch.manual_seed(0)
    labelled, _ = method.bound(batch.x, y)
    log_pi = -math.log(1 + math.e)
    torch.testing.assert_close(labelled.mean(), total(vae, batch) - log_pi)


def test_the_labelled_part_draws_to_the_labels_component_alone(vae, batch):
    prior = d.GaussianMixture(4, 3).double()
    method = m.LabelledMixtureVAE(m.Model(vae.encoder, vae.decoder, prior), Factor("size", 3))
    y = torch.full((len(batch.x),), 2)
    method.bound(batch.x, y)[0].mean().backward()
    moved = prior.loc.grad.abs().sum(1)
    assert moved[2] > 0
    assert moved[:2].sum() == 0
    q = method.represent(batch.x)
    expected = kl_divergence(q, Independent(Normal(prior.loc[2], prior.log_scale[2].exp()), 1))
    torch.testing.assert_close(kl_divergence(q, method.component(y)), expected)
    with pytest.raises(ValueError, match="3 components for 4 classes"):
        m.LabelledMixtureVAE(m.Model(vae.encoder, vae.decoder, prior), Factor("size", 4))


def test_the_labelled_mixtures_terms_are_what_its_equations_say(vae, batch):
    prior = d.GaussianMixture(4, 3, covariance="full").double()
    method = m.LabelledMixtureVAE(
        m.Model(vae.encoder, vae.decoder, prior), Factor("size", 3), alpha=2.0
    )
    few = FewLabels(batch.x, batch.x[:5], torch.tensor([0, 1, 2, 1, 0]))
    torch.manual_seed(0)
    loss = next(iter(method.moves(few, CTX)))["vae"]
    torch.manual_seed(0)
    t = method.trace(few)
    torch.testing.assert_close(loss.terms["nll"], -t.p.log_prob(t.x).mean())
    kl = (t.q.log_prob(t.z) - prior().log_prob(t.z)).mean()
    torch.testing.assert_close(loss.terms["kl"], kl)
    _, z = method.bound(few.xl, few.yl)
    shares = prior.responsibilities(z)[torch.arange(5), few.yl]
    torch.testing.assert_close(loss.terms["classification"], -shares.log().mean())
    assert loss.weights["classification"] == 2.0
    found = method.classify(batch.x)
    torch.testing.assert_close(found.probs, method.cluster(batch.x))


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(
    "cls", ["VAE", "BetaVAE", "FactorVAE", "BetaTCVAE", "DIPVAEII", "AnnealedVAE", "AdaGVAE"]
)
def test_any_method_of_the_family_takes_any_prior(cls, prior, data):
    method = getattr(m, cls).build(data, latent_dim=3, prior=PRIORS[prior](3), seed=0)
    assert type(method.prior) is type(PRIORS[prior](3))
    before = [p.detach().clone() for p in method.prior.parameters()]
    optimizers = {
        name: torch.optim.Adam(player.parameters(), 1e-3)
        for name, player in method.players().items()
    }
    batch = first_batch(method, data)
    for _ in range(2):
        for _, loss in play(method.moves(batch, CTX), optimizers):
            assert torch.isfinite(loss.total)
    for old, new in zip(before, method.prior.parameters(), strict=True):
        assert not torch.equal(old, new)
    assert method.sample(5).shape == (5, *data.shape)


def test_only_priors_with_components_have_clusters(data):
    with pytest.raises(TypeError, match="prior is a StandardNormal, which has no components"):
        m.VAE.build(data, seed=0).cluster(data.observations(range(3)))
    method = m.BetaTCVAE.build(data, latent_dim=3, prior=d.GaussianMixture(3, 4), seed=0)
    assert method.cluster(data.observations(range(3))).shape == (3, 4)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        ("GaussianMixtureVAE", {"components": 4, "init": "kmeans", "pretrain": True}),
        ("GaussianMixtureVAE", {"components": 4, "init": "data", "covariance": "full"}),
        ("HierarchicalMixtureVAE", {"tree": 5, "init": "kmeans", "agglomerate": True}),
        ("VaDE", {"components": 3}),
    ],
)
def test_a_prior_that_starts_from_codes_does_so_once_and_resumes(cls, options, data, tmp_path):
    def fit(steps, out):
        method = getattr(m, cls).build(data, latent_dim=3, seed=0, **options)
        before = method.prior.loc.detach().clone()
        stages = [stage.name for stage in method.stages()]
        asked = dict.fromkeys(stages, 3) | {"fit": steps}
        run = ut.fit(method, data, steps=asked, batch_size=16, out=out, progress=False)
        return run.method.state_dict(), before

    whole, before = fit(8, tmp_path / "one")
    assert (whole["model.prior.loc"] - before).abs().max() > 0.1  # far more than 8 steps of Adam
    fit(4, tmp_path / "two")
    again, _ = fit(8, tmp_path / "two")
    for name, value in whole.items():
        assert torch.equal(value, again[name]), name


def test_a_prior_that_waits_for_nothing_asks_for_no_batch(data):
    def batches():
        raise RuntimeError("a batch was asked for")
        yield

    m.VAE.build(data, seed=0).stages()[0].begin(batches())
    m.GaussianMixtureVAE.build(data, seed=0).stages()[0].begin(batches())
    with pytest.raises(RuntimeError, match="a batch was asked for"):
        m.GaussianMixtureVAE.build(data, init="data", seed=0).stages()[0].begin(batches())
    assert [s.name for s in m.VaDE.build(data, seed=0).stages()] == ["pretrain", "fit"]
