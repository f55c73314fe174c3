"""Penalties and priors in methods that are no VAE: M2, M1+M2, generalized M2, Mathieu 2016."""

import math

import pytest
import torch
from torch.distributions import kl_divergence

import untwine as ut
import untwine.methods as m
from untwine.data import FewLabels
from untwine.data.batches import Groups
from untwine.distributions import GaussianMixture, LaplacePrior, VampPrior
from untwine.methods import Context, Graph, Variable
from untwine.methods.penalty import Trace

from ..laws.conftest import make_data

CTX = Context(torch.tensor(0), 60)
PENALTIES = {
    "capacity": lambda: m.Capacity(gamma=2.0),
    "total correlation": lambda: m.TotalCorrelation(beta=6.0),
    "covariance": lambda: m.DIP("I"),
}


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def few(data):
    x = data.observations(range(24)).double()
    return FewLabels(x[:16], x[16:], torch.from_numpy(data.factors[16:24, 0]))


@pytest.fixture(scope="module")
def pairs(data):
    x, y = data.observations(range(16)).double(), torch.from_numpy(data.factors[:16:2, 0])
    return Groups(x.unflatten(0, (8, 2)), torch.zeros(8, 3, dtype=torch.bool), None, y)


def seeded(function):
    torch.manual_seed(3)
    return function()


def test_m2_weighs_its_divergence_by_hand(data, few):
    method = m.M2.build(data, 4, seed=0, penalty=m.KL(3.0)).double()
    found = seeded(lambda: next(method.moves(few, CTX))["m2"]).terms

    def by_hand():
        y = torch.eye(3).double()[few.yl]
        q = method.encoder(few.xl, y)
        nll = math.log(3) - method.decoder(q.rsample(), y).log_prob(few.xl)
        labelled = nll + 3 * kl_divergence(q, method.prior())
        every = torch.eye(3).double().repeat_interleave(16, 0)
        x = few.x.repeat(3, 1, 1, 1)
        q = method.encoder(x, every)
        nll = math.log(3) - method.decoder(q.rsample(), every).log_prob(x)
        each = (nll + 3 * kl_divergence(q, method.prior())).reshape(3, 16)
        share = method.classify(few.x).probs.mT
        return labelled.mean(), (share * (each + share.log())).sum(0).mean()

    labelled, unlabelled = seeded(by_hand)
    torch.testing.assert_close(found["labelled"], labelled)
    torch.testing.assert_close(found["unlabelled"], unlabelled)


@pytest.mark.parametrize("name", ["total correlation", "covariance"])
def test_penalties_of_a_batch_see_every_class_alike(data, few, name):
    penalty = m.TotalCorrelation(beta=6.0) if name == "total correlation" else m.DIP("I")
    method = m.M2.build(data, 4, seed=0, penalty=penalty).double()
    found = seeded(lambda: next(method.moves(few, CTX))["m2"]).terms["unlabelled"]

    def by_hand():
        method.encoder(few.xl, torch.eye(3).double()[few.yl]).rsample()  # the labelled part's draw
        every, x = torch.eye(3).double().repeat_interleave(16, 0), few.x.repeat(3, 1, 1, 1)
        q = method.encoder(x, every)
        z = q.rsample()
        p = method.decoder(z, every)
        terms = penalty(Trace(method.model, x, q, z, p, method.prior()), Context(CTX.step, 180))
        cost = -p.log_prob(x) + math.log(3)
        for term in terms.values():
            weight, value = term if isinstance(term, tuple) else (1.0, term)
            cost = cost + weight * value
        share = method.classify(few.x).probs.mT
        return (share * (cost.reshape(3, 16) + share.log())).sum(0).mean()

    torch.testing.assert_close(found, seeded(by_hand))


def test_m2_and_the_graph_of_m2_take_the_same_prior(data, few):
    prior = GaussianMixture(4, 5, spread=2.0)
    m2 = m.M2.build(data, 4, seed=0, alpha=0.6, labelled=0.3, prior=prior).double()
    graph = Graph(
        z=Variable(dim=4, given=("x", "y"), prior=GaussianMixture(4, 5, spread=2.0)),
        y=Variable(classes=3, supervised="size"),
    )
    twin = m.GeneralizedM2.build(data, graph=graph, seed=1, alpha=2.0, gamma=0.3).double()
    assert twin.priors["z_"] is not graph.variables["z"].prior
    twin.priors["z_"].load_state_dict(m2.prior.state_dict())
    twin.recognition["z_"].load_state_dict(m2.encoder.state_dict())
    twin.recognition["y_"].load_state_dict(m2.classifier.state_dict())
    twin.decoder.load_state_dict(m2.decoder.state_dict())
    one, two = (seeded(lambda t=t: next(t.moves(few, CTX))["m2"]) for t in (m2, twin))
    torch.testing.assert_close(one.total, two.total, rtol=1e-6, atol=1e-6)
    assert twin.sample(3).shape == (3, 1, 16, 16)


def test_mathieu_takes_the_divergence_of_z_alone(data, pairs):
    method = m.Mathieu2016.build(data, 6, specified_dim=2, seed=0, penalty=m.KL(3.0)).double()
    loss = seeded(lambda: next(method.moves(pairs, CTX))["autoencoder"])
    q = method.infer(pairs.x[:, 0])[1]
    assert q.event_shape == (4,)
    expected = kl_divergence(q, method.prior()).mean()
    torch.testing.assert_close(loss.terms["kl"], expected)
    one = m.Mathieu2016.build(data, 6, specified_dim=2, seed=0).double()
    plain = seeded(lambda: next(one.moves(pairs, CTX))["autoencoder"])
    torch.testing.assert_close(loss.total - plain.total, 2 * expected)


def test_a_vamp_prior_encodes_with_the_unspecified_part(data):
    method = m.Mathieu2016.build(data, 6, specified_dim=2, seed=0, prior=VampPrior(4)).double()
    inputs = method.prior.pseudo_inputs()
    expected = method.infer(inputs)[1].mean
    torch.testing.assert_close(method.prior().component_distribution.mean, expected)
    assert len(list(method.prior.parameters())) < len(list(method.encoder.parameters()))


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("cls", [m.M2, m.M1M2, m.Mathieu2016])
def test_penalties_and_priors_train(data, cls, penalty):
    options = {"penalty": PENALTIES[penalty](), "prior": LaplacePrior(6)}
    if cls is m.M1M2:
        options = {"features_dim": 6, **options, "m2_penalty": PENALTIES[penalty]()}
        options["m2_prior"] = GaussianMixture(6, 3)
    if cls is m.Mathieu2016:
        options |= {"specified_dim": 2, "prior": LaplacePrior(4)}
    method = cls.build(data, 6, seed=0, **options)
    sampler = None if cls is m.Mathieu2016 else ut.data.FewLabelsSampler("size", labelled=12)
    run = ut.fit(method, data, sampler=sampler, steps=3, batch_size=8, seed=0, progress=False)
    totals = run.log.filter(like="/total").iloc[-1].dropna()
    assert len(totals)
    assert totals.abs().max() < 1e6


@pytest.mark.parametrize("cls", [m.M2, m.GeneralizedM2, m.Mathieu2016])
def test_priors_that_start_from_codes_do(data, cls):
    def prior():
        return GaussianMixture(4, 3, init="kmeans")

    if cls is m.GeneralizedM2:
        graph = Graph(
            y=Variable(classes=3, supervised="size"),
            z=Variable(dim=4, given=("x", "y"), prior=prior()),
        )
        method = cls.build(data, graph=graph, seed=0)
        held = method.priors["z_"]
    else:
        settings = {"specified_dim": 2} if cls is m.Mathieu2016 else {}
        method = cls.build(data, 6 if settings else 4, seed=0, prior=prior(), **settings)
        held = method.prior
    before = held.loc.detach().clone()
    sampler = None if cls is m.Mathieu2016 else ut.data.FewLabelsSampler("size", labelled=12)
    ut.fit(method, data, sampler=sampler, steps=1, batch_size=30, seed=0, progress=False)
    assert (held.loc - before).abs().max() > 0.05  # one step of Adam moves 0.001


def test_each_part_of_m1m2_has_its_own(data):
    method = m.M1M2.build(
        data,
        4,
        features_dim=6,
        prior=LaplacePrior(6),
        penalty=m.KL(2.0),
        m2_prior=GaussianMixture(4, 3),
        m2_penalty=m.KL(5.0),
    )
    assert isinstance(method.m1.prior, LaplacePrior)
    assert isinstance(method.m2.prior, GaussianMixture)
    assert (method.m1.penalty.beta, method.m2.penalty.beta) == (2.0, 5.0)


def test_priors_that_do_not_fit_are_refused(data):
    with pytest.raises(ValueError, match=r"over \(3,\) but its code has 4 dimensions"):
        m.M2.build(data, 4, prior=LaplacePrior(3))
    with pytest.raises(ValueError, match=r"over \(6,\) but its code has 4 dimensions"):
        m.Mathieu2016.build(data, 6, specified_dim=2, prior=LaplacePrior(6))
    with pytest.raises(ValueError, match="VampPrior, which encodes pseudo-inputs, but q"):
        m.M2.build(data, 4, prior=VampPrior(4))
    with pytest.raises(ValueError, match=r"given x alone, but given is \['x', 'y'\]"):
        Variable(dim=4, given=("x", "y"), prior=VampPrior(4))
    with pytest.raises(ValueError, match=r"prior_given \['y'\]"):
        Variable(dim=4, prior_given=("y",), prior=LaplacePrior(4))
    with pytest.raises(ValueError, match="here dim is None"):
        Variable(classes=4, prior=LaplacePrior(4))
    graph = Graph(
        y=Variable(classes=3, supervised="size"), z=Variable(dim=2, prior=LaplacePrior(3))
    )
    with pytest.raises(ValueError, match=r"over \(3,\) but its code has 2 dimensions"):
        m.GeneralizedM2.build(data, graph=graph)


def test_a_variable_with_a_vamp_prior_is_written_down_and_made_again(data):
    graph = Graph(
        y=Variable(classes=3, supervised="size"),
        z=Variable(dim=2, prior=VampPrior(2)),
    )
    method = m.GeneralizedM2.build(data, graph=graph, seed=0)
    again = m.GeneralizedM2.build(
        data, **ut.spec.instantiate(ut.spec.describe(method)["init_args"])
    )
    assert torch.equal(method.priors["z_"].inputs, again.priors["z_"].inputs)
    assert method.sample(3).shape == (3, 1, 16, 16)
