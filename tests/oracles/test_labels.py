"""Losses of few labels, and importance sampling, against enumeration, quadrature and NumPy."""

import numpy as np
import pytest
import torch
from scipy.stats import multinomial
from torch import nn
from torch.distributions import Normal

import untwine.methods as m
from untwine.data import FactorDataset, FewLabels
from untwine.distributions import StandardNormal
from untwine.functional import (
    label_covariance,
    label_cross_entropy,
    label_squares,
    self_normalized,
)
from untwine.methods import Context, Graph, Variable, classify_codes

CTX = Context(torch.tensor(0), 60)


@pytest.fixture
def labelled():
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(40, 5, generator=generator, dtype=torch.float64)
    sizes = torch.tensor([3, 40, 2])
    labels = torch.stack([torch.randint(n, (40,), generator=generator) for n in (3, 40, 2)], 1)
    labels[torch.rand(40, 3, generator=generator) < 0.3] = -1
    return codes, labels, sizes


def test_label_losses_by_hand(labelled):
    codes, labels, sizes = labelled
    cross, squares = np.zeros(40), np.zeros(40)
    for b in range(40):
        for k in range(3):
            if labels[b, k] >= 0:
                v, p = labels[b, k].item() / sizes[k].item(), 1 / (1 + np.exp(-codes[b, k].item()))
                cross[b] -= v * np.log(p) + (1 - v) * np.log(1 - p)
                squares[b] += (p - v) ** 2
    np.testing.assert_allclose(label_cross_entropy(codes, labels, sizes), cross)
    np.testing.assert_allclose(label_squares(codes, labels, sizes), squares)


def test_label_covariance_by_numpy(labelled):
    codes, labels, sizes = labelled
    expected = 0.0
    for k in range(3):
        known = (labels[:, k] >= 0).numpy()
        v = labels[known, k].numpy() / sizes[k].item()
        for j in range(5):
            if j != k:
                expected += np.cov(codes[known, j].numpy(), v, bias=True)[0, 1] ** 2
    assert label_covariance(codes, labels, sizes).item() == pytest.approx(expected, rel=1e-10)


def discrete_model(seed=0, z=6):
    """q(z|x), q(y|x,z) at the observed y, and log p(x,y,z), of one x and a small z."""
    rng = np.random.default_rng(seed)
    q_z = rng.dirichlet(np.ones(z))
    q_y = rng.uniform(0.02, 0.98, z)
    log_p = rng.normal(-5, 1, z)
    return q_z, q_y, log_p


def test_the_supervised_loss_with_every_value_is_exact():
    q_z, q_y, log_p = discrete_model()
    posterior = q_z * q_y / (q_z * q_y).sum()
    ratio = log_p - np.log(q_z * q_y)
    column = lambda a: torch.from_numpy(a)[:, None]  # noqa: E731
    found = self_normalized(column(ratio), column(np.log(q_y)), column(q_z))
    assert found.item() == pytest.approx((posterior * ratio).sum(), rel=1e-12)
    shifted = self_normalized(column(ratio), column(np.log(q_y)) - 900.0, column(q_z))
    assert shifted.item() == pytest.approx(found.item(), rel=1e-9)


def test_samples_of_probability_0_count_for_nothing():
    """However large their weights are, and whatever their values."""
    log_weights = torch.tensor([[-110.0], [0.0]], requires_grad=True)
    probabilities = torch.tensor([[1.0], [0.0]], requires_grad=True)
    for value in (5.0, torch.inf, torch.nan):
        values = torch.tensor([[2.0], [value]], requires_grad=True)
        mean = self_normalized(values, log_weights, probabilities)
        assert mean.item() == 2.0
        gradients = torch.autograd.grad(mean, [values, log_weights, probabilities])
        assert [g.flatten().tolist() for g in gradients] == [[1, 0], [0, 0], [0, 0]]


def test_weights_and_probabilities_that_would_underflow_alone():
    even = torch.tensor([[2.0], [5.0]])
    log_weights, probabilities = torch.tensor([[90.0], [0.0]]), torch.tensor([[1.2e-38], [1.0]])
    share = 1 / (1 + np.exp(-(90.0 + np.log(1.2e-38))))
    expected = 2 * share + 5 * (1 - share)
    mean = self_normalized(even, log_weights, probabilities)
    assert mean.item() == pytest.approx(expected, rel=1e-5)


def moments(samples, q_z, q_y, log_p):
    """Mean and variance of the estimate from some draws, summed over every possible draw."""
    ratio = log_p - np.log(q_z * q_y)
    first = np.arange(samples + 1)
    counts = np.stack(np.meshgrid(first, first, indexing="ij"), -1).reshape(-1, 2)
    counts = counts[counts.sum(1) <= samples]
    counts = np.column_stack([counts, samples - counts.sum(1)])
    found = self_normalized(
        torch.from_numpy(ratio)[:, None],
        torch.from_numpy(np.log(q_y))[:, None],
        torch.from_numpy(counts.T / samples),
    ).numpy()
    share = multinomial(samples, q_z).pmf(counts)
    return share @ found, share @ found**2 - (share @ found) ** 2


@pytest.mark.parametrize("seed", range(5))
def test_bias_and_variance_of_importance_sampling_shrink_as_one_over_samples(seed):
    """Without any noise: S draws of three values have few different outcomes."""
    q_z, q_y, log_p = discrete_model(seed, 3)
    ratio = log_p - np.log(q_z * q_y)
    exact = (q_z * q_y * ratio).sum() / (q_z * q_y).sum()
    weight = q_y / (q_z * q_y).sum()
    # the delta method: S bias -> -E[w^2 (v - exact)], S variance -> E[w^2 (v - exact)^2]
    bias_of_one = -(q_z * weight**2 * (ratio - exact)).sum()
    variance_of_one = (q_z * weight**2 * (ratio - exact) ** 2).sum()
    errors = []
    for samples in (16, 64, 256):
        mean, variance = moments(samples, q_z, q_y, log_p)
        errors.append(
            (
                abs(samples * (mean - exact) - bias_of_one),
                abs(samples * variance - variance_of_one),
            )
        )
    for of in zip(*errors, strict=True):
        assert of[2] < 0.35 * of[1] < 0.2 * of[0] + 1e-3  # and the rest as 1/S once more
    assert errors[2][0] < 0.05 * abs(bias_of_one) + 0.01
    assert errors[2][1] < 0.05 * variance_of_one + 0.01
    # the bound on log q(y|x) is one, and is tight where all draws are alike
    assert (q_z * np.log(q_y)).sum() < np.log((q_z * q_y).sum())


def test_what_the_page_says_of_the_number_of_samples():
    q_z, q_y, log_p = discrete_model(0, 3)
    exact = (q_z * q_y * (log_p - np.log(q_z * q_y))).sum() / (q_z * q_y).sum()
    means = [moments(samples, q_z, q_y, log_p)[0] for samples in (1, 5, 10, 50)]
    assert exact == pytest.approx(-3.153, abs=1e-3)
    assert means == pytest.approx([-1.754, -3.080, -3.133, -3.150], abs=1e-3)
    prior_mean = (q_z * (log_p - np.log(q_z * q_y))).sum()
    assert means[0] == pytest.approx(prior_mean)  # one sample: as if the label were not there


@pytest.fixture(scope="module")
def toy():
    rng = np.random.default_rng(0)
    factors = np.stack([np.arange(60) % 3, np.arange(60) % 4], 1)
    x = rng.normal(size=(60, 5)) + factors @ rng.normal(size=(2, 5))
    return FactorDataset.from_arrays(x, factors, ["a", "b"])


def log_softmax(logits):
    return logits - torch.logsumexp(logits, -1, keepdim=True)


def test_a_discrete_latent_variable_before_a_supervised_one_is_summed_over_exactly(toy):
    """z (5 classes) given x; a given z and x; decoder of both: brute force over z."""
    graph = Graph(
        z=Variable(classes=5),
        a=Variable(classes=3, supervised=True, given=("x", "z"), prior_given=("z",)),
    )
    method = m.GeneralizedM2.build(toy, graph=graph, seed=0, alpha=2.0, gamma=0.5).double()
    x, y = toy.observations(range(8)).double(), torch.from_numpy(toy.factors[:8, 0])
    loss = next(method.moves(FewLabels(x, x, y), CTX))["m2"]
    eye = torch.eye(5).double()
    log_qz = log_softmax(method.recognition["z_"](x))
    joint, log_qy, log_px = [], [], []
    for k in range(5):
        z = eye[k].expand(8, 5)
        log_qy.append(log_softmax(method.recognition["a_"](x, z)))
        log_pa = log_softmax(method.priors["a_"](z))
        px = torch.stack(
            [
                method.decoder(torch.cat([z, torch.eye(3).double()[c].expand(8, 3)], 1)).log_prob(x)
                for c in range(3)
            ],
            1,
        )
        log_px.append(px)
        joint.append(px + log_pa - np.log(5))
    joint, log_qy = torch.stack(joint), torch.stack(log_qy)  # (z, B, a)
    every = log_qz.mT.unsqueeze(-1) + log_qy
    unlabelled = -(every.exp() * (joint - every)).sum((0, 2))
    torch.testing.assert_close(loss.terms["unlabelled"], unlabelled.mean())
    rows = torch.arange(8)
    of_y = log_qy[:, rows, y]
    q = (log_qz.mT + of_y).softmax(0)  # q(z|x,y)
    bound = (q * (joint[:, rows, y] - log_qz.mT - of_y)).sum(0)
    jensen = (log_qz.mT.exp() * of_y).sum(0)
    torch.testing.assert_close(loss.terms["labelled"], -(bound + jensen).mean())
    torch.testing.assert_close(loss.terms["classification"], -jensen.mean())
    assert loss.weights["labelled"] == 0.5
    assert loss.weights["classification"] == 1.0


def test_a_continuous_latent_variable_before_a_supervised_one_against_quadrature(toy):
    """z one Gaussian given x, a given z: the mean over repetitions of many samples is near."""
    graph = Graph(
        z=Variable(dim=1), a=Variable(classes=3, supervised=True, given=("z",), decoded=True)
    )
    method = m.GeneralizedM2.build(toy, graph=graph, seed=1, samples=400).double()
    with torch.no_grad():
        method.recognition["a_"][-1].weight.mul_(8)  # classes that depend on z
        x, y = toy.observations(range(4)).double(), torch.from_numpy(toy.factors[:4, 0])
        q = method.recognition["z_"](x)
        nodes, weights = np.polynomial.hermite_e.hermegauss(120)
        nodes, weights = torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
        expected = []
        for b in range(4):
            z = q.mean[b] + q.stddev[b] * nodes[:, None]
            log_qy = log_softmax(method.recognition["a_"](z))[:, y[b]]
            hot = torch.eye(3).double()[y[b]].expand(len(z), 3)
            log_p = method.decoder(z, hot).log_prob(x[b].expand(len(z), -1)) - np.log(3)
            log_p = log_p + Normal(0.0, 1.0).log_prob(z[:, 0])
            log_q = Normal(q.mean[b], q.stddev[b]).log_prob(z)[:, 0]
            share = weights * log_qy.exp()
            bound = (share * (log_p - log_q - log_qy)).sum() / share.sum()
            expected.append((bound + (weights * log_qy).sum()).item())
        torch.manual_seed(0)
        found = [
            next(method.moves(FewLabels(x, x, y), CTX))["m2"].terms["labelled"].item()
            for _ in range(60)
        ]
    spread = np.std(found) / np.sqrt(60)
    assert -np.mean(found) == pytest.approx(np.mean(expected), abs=4 * spread + 0.01)
    assert spread < 0.1


def test_every_variable_at_once_against_the_sum_of_its_parts(toy):
    """Discrete supervised i and l, s given both, r given x: brute force with no noise left."""
    graph = Graph(
        r=Variable(dim=2),
        a=Variable(classes=3, supervised=True),
        b=Variable(classes=4, supervised=True),
        s=Variable(dim=2, given=("a", "b")),
    )
    method = m.GeneralizedM2.build(toy, graph=graph, seed=0).double()
    with torch.no_grad():  # posteriors so narrow that a draw is the mean
        for name in ("r_", "s_"):
            layer = [x for x in method.recognition[name].modules() if isinstance(x, nn.Linear)][-1]
            layer.weight[2:], layer.bias[2:] = 0.0, -40.0
        x = toy.observations(range(6)).double()
        found = method.bound(x)
        a, b = (log_softmax(method.recognition[n](x)) for n in ("a_", "b_"))
        r = method.recognition["r_"](x)
        prior = StandardNormal(2)()
        total = -torch.distributions.kl_divergence(r, prior)
        for i in range(3):
            for j in range(4):
                ab = torch.cat([torch.eye(3)[i], torch.eye(4)[j]]).double().expand(6, 7)
                s = method.recognition["s_"](ab)
                share = (a[:, i] + b[:, j]).exp()
                each = (
                    method.decoder(torch.cat([r.mean, s.mean], 1), ab).log_prob(x)
                    - torch.distributions.kl_divergence(s, prior)
                    - np.log(12)
                    - a[:, i]
                    - b[:, j]
                )
                total = total + share * each
    torch.testing.assert_close(found, total, rtol=1e-6, atol=1e-6)


def test_a_continuous_label_is_centered_and_scaled_and_its_density_counted(toy):
    graph = Graph(b=Variable(dim=1, supervised=True), z=Variable(dim=2, given=("x", "b")))
    method = m.GeneralizedM2.build(toy, graph=graph, seed=0).double()
    x, y = toy.observations(range(8)).double(), torch.from_numpy(toy.factors[:8, 1])
    loss = next(method.moves(FewLabels(x, x, y), CTX))["m2"]
    value = ((y - 1.5) / np.sqrt(15 / 12)).double()[:, None]
    assert torch.tensor([0.0, 1, 2, 3]).sub(1.5).div(np.sqrt(15 / 12)).var(correction=0) == (
        pytest.approx(1.0)
    )
    expected = -method.recognition["b_"](x).log_prob(value).mean()
    torch.testing.assert_close(loss.terms["classification"], expected)
    assert method.sizes == {"b": 4}


def test_classifiers_of_codes_agree_with_what_is_obvious():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    codes = 3 * np.eye(3)[truth] + 0.4 * rng.normal(size=(600, 3))
    few = np.concatenate([np.flatnonzero(truth == k)[:3] for k in range(3)])
    for kind in ("logistic", "svm", "self_training", "spreading"):
        found = classify_codes(codes[few], truth[few], kind, unlabelled=codes)(codes)
        assert (found == truth).mean() > 0.98, kind
    two = classify_codes([[0.0], [1.0]], [4, 7], "self_training", unlabelled=[[0.2], [0.9]])
    assert two([[0.1], [0.8]]).tolist() == [4, 7]


def test_spreading_follows_shapes_that_labels_alone_do_not_tell():
    """Two half moons with one label each."""
    from sklearn.datasets import make_moons

    codes, truth = make_moons(400, noise=0.05, random_state=0)
    few = np.array([np.flatnonzero(truth == k)[0] for k in (0, 1)])
    spread = classify_codes(codes[few], truth[few], "spreading", unlabelled=codes)(codes)
    alone = classify_codes(codes[few], truth[few], "svm")(codes)
    assert (spread == truth).mean() > 0.97
    assert (alone == truth).mean() < 0.95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.0], [1.0]], [0, 1], "forest"), "classifier is 'forest'"),
        (([[0.0], [1.0]], [0, -1], "svm"), "known labels of at least two classes"),
        (([[0.0], [1.0]], [1, 1], "svm"), "at least two classes"),
        (([[0.0], [1.0]], [1], "svm"), r"expected \(2,\)"),
        (([[0.0], [1.0]], [0, 1], "spreading"), "unlabelled codes too"),
    ],
)
def test_labels_that_no_classifier_learns_from(arguments, message):
    with pytest.raises(ValueError, match=message):
        classify_codes(*arguments)
