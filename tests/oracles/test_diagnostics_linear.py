"""The linear case and the geometry of decoders, where everything is known exactly."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

import untwine as ut
from untwine import diagnostics as d
from untwine.distributions import Bernoulli, Gaussian, StudentT
from untwine.functional import (
    column_cosines,
    fisher_information,
    ima_contrast,
    jacobian,
    parameters_of,
    seam_gap,
    signed_permutation_distance,
)
from untwine.methods import VAE

F64 = torch.float64


def world():
    """Eight dimensions with three latents, and a rotation, as numpy's default_rng(0) draws them."""
    rng = np.random.default_rng(0)
    spectrum = np.array([9, 4, 2.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    basis = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    covariance = torch.from_numpy((basis * spectrum) @ basis.T)
    aligned = torch.from_numpy(basis[:, :3] * np.sqrt(spectrum[:3] - 0.5))
    return covariance, aligned, torch.from_numpy(rotation)


COVARIANCE, ALIGNED, ROTATION = world()
MODEL = d.LinearGaussian(ALIGNED, torch.zeros(8, dtype=F64), math.sqrt(0.5))


def test_best_is_probabilistic_pca():
    best = d.LinearGaussian.best(COVARIANCE, 3)
    assert best.sigma**2 == pytest.approx(0.5)
    torch.testing.assert_close(best.weight @ best.weight.T, ALIGNED @ ALIGNED.T)
    assert best.log_likelihood(COVARIANCE) == pytest.approx(-11.868545, abs=1e-6)
    above = (9 * 4 * 2.5) * 0.5**5
    entropy = -0.5 * (8 * math.log(2 * math.pi) + math.log(above) + 8)
    assert best.log_likelihood(COVARIANCE) == pytest.approx(entropy, abs=1e-9)
    collapsed = d.LinearGaussian.best(COVARIANCE, 5, sigma=math.sqrt(3.0))
    assert (collapsed.weight.norm(dim=0) == 0).tolist() == [False, False, True, True, True]


def test_a_rotation_costs_a_diagonal_posterior_the_seam_gap():
    turned = MODEL.rotated(ROTATION)
    for model, posterior in ((MODEL, "diagonal"), (MODEL, "full"), (turned, "full")):
        assert model.elbo(COVARIANCE, posterior=posterior) == pytest.approx(-11.868545, abs=1e-6)
        assert model.log_likelihood(COVARIANCE) == pytest.approx(-11.868545, abs=1e-6)
    lost = -11.868545 - turned.elbo(COVARIANCE)
    assert lost == pytest.approx(0.1707, abs=1e-4)
    assert lost == pytest.approx(turned.seam_gap(), abs=1e-6)
    assert MODEL.seam_gap() == pytest.approx(0.0, abs=1e-12)
    for beta in (0.5, 4.0):  # the whole objective loses beta times the gap
        one, two = (
            turned.rate_distortion(COVARIANCE, beta=beta, posterior=kind)
            for kind in ("diagonal", "full")
        )
        loss = one.distortion + beta * one.rate - two.distortion - beta * two.rate
        assert loss == pytest.approx(beta * turned.seam_gap(beta), abs=1e-10)


def test_rates_of_the_beta_optimal_encoder():
    for beta, rate in ((0.25, 5.372), (1.0, 3.290), (4.0, 1.443)):
        assert MODEL.rate_distortion(COVARIANCE, beta=beta).rate == pytest.approx(rate, abs=1e-3)
    near = [MODEL.rate_distortion(COVARIANCE, beta=2.0 + h) for h in (-1e-4, 1e-4)]
    slope = (near[1].distortion - near[0].distortion) / (near[1].rate - near[0].rate)
    assert slope == pytest.approx(-2.0, abs=1e-4)
    curve = MODEL.curve(COVARIANCE)
    assert [p.rate for p in curve] == sorted((p.rate for p in curve), reverse=True)


def test_density_and_posterior_are_those_of_bayes():
    turned = MODEL.rotated(ROTATION)
    z, x = turned.sample(200, seed=1)
    mean, covariance = turned.posterior(x)
    posterior = torch.distributions.MultivariateNormal(mean, covariance)
    prior = Independent(Normal(torch.zeros(3, dtype=F64), 1.0), 1)
    likelihood = Independent(Normal(z @ turned.weight.T, turned.sigma), 1)
    bayes = prior.log_prob(z) + likelihood.log_prob(x) - posterior.log_prob(z)
    torch.testing.assert_close(turned.log_prob(x), bayes)


def test_principal_angles():
    a = torch.eye(5, dtype=F64)[:, :2]
    b = a.clone()
    b[:, 1] = torch.tensor([0, math.cos(0.3), math.sin(0.3), 0, 0], dtype=F64)
    angles = d.principal_angles(a, b @ torch.tensor([[2.0, 1.0], [0.0, 3.0]], dtype=F64))
    torch.testing.assert_close(angles, torch.rad2deg(torch.tensor([0.0, 0.3], dtype=F64)))
    tiny = a + 1e-9 * torch.eye(5, dtype=F64)[:, 3:]
    assert d.principal_angles(a, tiny).max().item() == pytest.approx(math.degrees(1e-9), rel=1e-3)


class Linear:
    """A linear VAE of three lines, with its best encoder for a beta."""

    def __init__(self, model, beta=1.0, diagonal=False):
        self.model, self.beta, self.diagonal = model, beta, diagonal
        self.precision = model.precision(beta)

    def represent(self, x):
        inverse = torch.linalg.inv(self.precision)
        mean = (x.double() - self.model.mean) @ self.model.weight @ inverse
        mean = mean / (self.beta * self.model.sigma**2)
        if self.diagonal:
            scale = self.precision.diagonal().rsqrt().expand_as(mean)
            return Independent(Normal(mean, scale), 1)
        return torch.distributions.MultivariateNormal(mean, inverse.expand(len(x), 3, 3))

    def decode(self, z):
        mean = z.double() @ self.model.weight.T + self.model.mean
        return Independent(Normal(mean, self.model.sigma), 1)

    def prior(self):
        return Independent(Normal(torch.zeros(3, dtype=F64), 1.0), 1)


@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_orthogonality_of_a_linear_decoder_is_exact(beta):
    turned = MODEL.rotated(ROTATION)
    x = turned.sample(50)[1]
    for diagonal in (True, False):
        found = d.orthogonality(Linear(turned, beta, diagonal), x, beta=beta, dims=(0, 1, 2))
        assert found.gap.value == pytest.approx(turned.seam_gap(beta), abs=1e-6)
        lost = turned.seam_gap(beta) if diagonal else 0.0
        torch.testing.assert_close(
            found.covariance_kl, torch.full((50,), lost, dtype=F64), atol=1e-6, rtol=0
        )
        assert found.diagonal == diagonal
        columns = turned.weight / turned.weight.norm(dim=0)
        torch.testing.assert_close(found.cosines, (columns.T @ columns).abs(), atol=1e-6, rtol=0)
        best = turned.precision(beta).diagonal().rsqrt()
        torch.testing.assert_close(found.optimal, best, atol=1e-6, rtol=0)
        # V of the rotated decoder is the rotation
        expected = signed_permutation_distance(ROTATION).item()
        assert found.v_distance.mean().item() == pytest.approx(expected, abs=1e-6)
    aligned = d.orthogonality(Linear(MODEL, beta, True), x, beta=beta)
    assert abs(aligned.gap.value) < 1e-6
    assert aligned.v_distance.max() < 1e-3
    assert aligned.angle < 1e-3
    assert f"cost {turned.seam_gap(beta):.4g} nats" in repr(found)


def test_the_seam_gap_becomes_the_contrast_for_a_small_scale():
    weight = MODEL.rotated(ROTATION).weight
    gram = weight.T @ weight
    contrast = ima_contrast(gram).item()
    cosines = column_cosines(gram)
    assert contrast == pytest.approx(-0.5 * torch.linalg.slogdet(cosines)[1].item(), abs=1e-12)
    by_norms = weight.norm(dim=0).log().sum() - 0.5 * torch.linalg.slogdet(gram)[1]
    assert contrast == pytest.approx(by_norms.item(), abs=1e-12)
    gaps = [seam_gap(torch.eye(3, dtype=F64) + gram / s**2).item() for s in (1.0, 0.1, 1e-4)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == pytest.approx(contrast, abs=1e-6)


def test_signed_permutations():
    permutation = torch.eye(4, dtype=F64)[[2, 0, 3, 1]] * torch.tensor([1.0, -1, 1, -1])
    assert signed_permutation_distance(permutation).item() == 0
    angle = 0.2
    turn = torch.eye(4, dtype=F64)
    turn[:2, :2] = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    expected = math.sqrt(4 * (1 - math.cos(angle)))
    found = signed_permutation_distance(torch.stack([turn @ permutation, permutation]))
    torch.testing.assert_close(found, torch.tensor([expected, 0.0], dtype=F64))


CASES = {
    "normal": lambda h: Independent(Normal(h, 0.3), 1),
    "normal of many scales": lambda h: Independent(Normal(h, (0.3 * h).exp() + 0.1), 1),
    "bernoulli": lambda h: Independent(torch.distributions.Bernoulli(logits=h), 1),
    "continuous bernoulli": lambda h: Independent(
        torch.distributions.ContinuousBernoulli(logits=h), 1
    ),
    "poisson": lambda h: Independent(torch.distributions.Poisson(h.exp()), 1),
    "laplace": lambda h: Independent(torch.distributions.Laplace(h, 0.7), 1),
    "student": lambda h: Independent(torch.distributions.StudentT(5.0, h, 0.7), 1),
}


@pytest.mark.parametrize("name", CASES)
def test_fisher_information_is_the_expected_squared_score(name):
    torch.manual_seed(0)
    h = torch.tensor([[-0.7, 0.1, 1.3]], dtype=F64)
    direction = torch.tensor([0.5, -1.0, 0.8], dtype=F64)
    moved = torch.zeros(1, 1, dtype=F64)

    def p(t):
        return CASES[name](h + t * direction)

    columns = jacobian(lambda t: parameters_of(p(t)), moved)
    value = (columns.mT * fisher_information(p(moved)).unsqueeze(1) @ columns).item()
    x = p(moved[0]).sample((200_000,))
    step = 1e-4
    score = (p(moved + step).log_prob(x) - p(moved - step).log_prob(x)) / (2 * step)
    squares = score.flatten().square()
    assert abs(squares.mean().item() - value) < 4 * squares.std().item() / len(squares) ** 0.5


def test_information_of_counts_is_the_expected_squared_score():
    from untwine.distributions.counts import CountDistribution

    torch.manual_seed(0)
    h = torch.tensor([[-0.7, 0.1, 1.3]], dtype=F64)
    direction = torch.tensor([[0.5, -1.0, 0.8]], dtype=F64)
    for theta in (None, torch.tensor([0.3, 0.0, 1.0], dtype=F64)):

        def p(t, theta=theta):
            return CountDistribution((h + t * direction), None, theta)

        value = (fisher_information(p(0.0)) * direction**2).sum().item()
        x = p(0.0).sample((200_000,))[:, 0]
        score = (p(1e-4).log_prob(x) - p(-1e-4).log_prob(x)) / 2e-4
        squares = score.square()
        assert abs(squares.mean().item() - value) < 4 * squares.std().item() / len(squares) ** 0.5


def test_metric_of_a_bernoulli_decoder_is_that_of_its_logits():
    torch.manual_seed(0)
    net = nn.Linear(3, 7).double()
    model = d.Adapter(
        lambda x: Independent(Normal(x[:, :3], 1.0), 1),
        lambda z: Bernoulli()(net(z)),
        modules=(net,),
    )
    z = torch.randn(5, 3, dtype=F64)
    metric = d.metric_at(model, z)
    p = net(z).sigmoid()
    expected = torch.einsum("mi,bm,mj->bij", net.weight, p * (1 - p), net.weight)
    torch.testing.assert_close(metric.tensor, expected.detach())
    assert "Bernoulli" in metric.information
    in_parts = d.metric_at(model, z, rows=2)
    torch.testing.assert_close(in_parts.tensor, metric.tensor)
    v, s = metric.rotations, metric.singular_values
    torch.testing.assert_close(v * s.square().unsqueeze(1) @ v.mT, metric.tensor)


@pytest.fixture(scope="module")
def trained():
    """A linear VAE on data of three strong directions, with two dimensions too many."""
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    deviations = np.sqrt([9, 4, 2.5, 0.3, 0.3, 0.3, 0.3, 0.3])
    x = (rng.normal(size=(500, 8)) * deviations) @ basis.T
    data = ut.FactorDataset.from_arrays(x.astype(np.float32))
    method = VAE.build(
        data,
        latent_dim=5,
        net=ut.nets.MLP(hidden=()),
        likelihood=Gaussian(sigma=0.7),
        seed=0,
    )
    method.double()
    x = data.observations(range(500)).double()
    optimizer = torch.optim.LBFGS(
        [*method.encoder.parameters(), *method.decoder.parameters()],
        max_iter=200,
        line_search_fn="strong_wolfe",
    )

    def loss():
        """The ELBO with its expectation taken exactly, as Lucas et al. train."""
        optimizer.zero_grad()
        q = method.represent(x)
        weight = jacobian(lambda z: method.decode(z).mean, torch.zeros(1, 5, dtype=F64))[0]
        error = (x - method.decode(q.mean).mean).square().sum(1) + q.variance @ weight.square().sum(
            0
        )
        kl = torch.distributions.kl_divergence(q, method.prior().expand(q.batch_shape))
        value = (0.5 * error / 0.7**2 + kl).mean()
        value.backward()
        return value

    optimizer.step(loss)
    method.float()
    return method, data


def test_a_trained_linear_vae_is_probabilistic_pca(trained):
    method, data = trained
    case = d.linear_case(method, data)
    assert len(case.collapsed) == case.expected == 2
    assert case.angles.max() < 0.1
    assert case.alignment.min() > 0.999
    assert case.column_cosine < 0.01
    assert case.elbo <= case.log_likelihood + 1e-9
    assert case.log_likelihood - case.elbo < 0.1
    assert case.log_likelihood <= case.highest
    assert "probabilistic PCA" in str(case)
    found = d.orthogonality(method, data, n=100)
    assert len(found.dims) == 3
    assert found.gap.value < 1e-3
    torch.testing.assert_close(found.learned, found.optimal, atol=1e-2, rtol=0)


def test_what_is_not_linear_or_has_no_density_is_refused(trained):
    _, data = trained
    bent = VAE.build(data, 3, seed=0)
    with pytest.raises(d.NoDensity, match="the decoder is not linear"):
        d.linear_case(bent, data)
    heavy = VAE.build(data, 3, net=ut.nets.MLP(hidden=()), likelihood=StudentT(), seed=0)
    with pytest.raises(d.NoDensity, match=r"of a Gaussian likelihood, but p\(x\|z\) is a StudentT"):
        d.linear_case(heavy, data)
    images = ut.FactorDataset.from_arrays(np.zeros((20, 1, 16, 16), np.uint8), [[0], [1]] * 10)
    for name, reason in (
        ("InfoGAN", "no prior|is a point|no density|no represent"),
        ("LORD", "has no prior"),
        ("QLAE", "point of a grid|is a point"),
        ("AAE", "is a point, a deterministic map"),
    ):
        method = getattr(ut.methods, name).build(images, latent_dim=4, seed=0)
        with pytest.raises(d.NoDensity, match=reason):
            d.orthogonality(method, images)
    with pytest.raises(d.NoDensity, match=r"Linear has no represent"):
        d.orthogonality(nn.Linear(2, 2), images)
    with pytest.raises(ValueError, match="n is 1; expected at least 2"):
        d.orthogonality(bent, data, n=1)
    with pytest.raises(ValueError, match="beta is -1"):
        d.orthogonality(bent, data, beta=-1.0)
    with pytest.raises(d.NoDensity, match="say with sigma= how finely"):
        d.metric_at(nn.Linear(3, 5), torch.zeros(2, 3))
