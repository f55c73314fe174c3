"""Count likelihoods against scipy, enumeration, and their own definitions."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from untwine.data import FactorDataset
from untwine.distributions import NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
from untwine.distributions.counts import CountDistribution, log_negative_binomial
from untwine.methods import VAE
from untwine.nets import MLP
from untwine.spec import describe, instantiate

COUNTS = torch.tensor(np.random.default_rng(0).negative_binomial(2, 0.2, (60, 5)))
DATA = FactorDataset.from_arrays(COUNTS.float(), covariates=np.eye(2)[np.arange(60) % 2])
H = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
X = COUNTS[:4].double()
FAMILIES = [Poisson, NegativeBinomial, ZeroInflatedNegativeBinomial]


def fitted(family, **options):
    return family(**options).adapted(DATA, 2).double()


@pytest.mark.parametrize("theta", [1e-3, 0.05, 1.0, 7.0, 49.9, 50.1, 300.0])
@pytest.mark.parametrize("mean", [1e-3, 0.4, 12.0, 5e4])
def test_negative_binomial_against_scipy(theta, mean):
    x = np.array([0, 1, 2, 10, 300, 20_000])
    expected = stats.nbinom.logpmf(x, theta, theta / (theta + mean))
    found = log_negative_binomial(
        torch.tensor(x, dtype=torch.float64),
        torch.tensor(mean, dtype=torch.float64).log(),
        torch.tensor(theta, dtype=torch.float64).log(),
    )
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_without_dispersion_it_is_the_poisson(kind):
    x = np.array([0, 1, 5, 40, 300])
    for mean in (0.01, 3.0, 300.0):
        found = log_negative_binomial(
            torch.tensor(x, dtype=kind), torch.tensor(mean, dtype=kind).log(), torch.tensor(24.0)
        )
        expected = stats.poisson.logpmf(x, mean)
        tolerance = 2e-4 if kind is torch.float32 else 1e-5
        np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("theta", [0.01, 0.7, 30.0, 60.0, 5e3])
def test_gradients_are_those_of_finite_differences(theta):
    x = torch.tensor([[0.0, 1.0, 7.0], [3.0, 40.0, 2000.0]], dtype=torch.float64)
    log_theta = torch.full((3,), math.log(theta), dtype=torch.float64, requires_grad=True)
    log_mean = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    inputs = (x + 0.5).requires_grad_(), log_mean, log_theta
    assert torch.autograd.gradcheck(log_negative_binomial, inputs, rtol=1e-4)


def test_extreme_parameters_stay_finite_and_have_gradients():
    log_theta = torch.tensor([-80.0, -3.0, 0.0, 5.0, 90.0], requires_grad=True)
    log_mean = torch.tensor([[-60.0], [-5.0], [0.0], [30.0]], requires_grad=True)
    for x in (0.0, 1.0, 1e6):
        value = log_negative_binomial(torch.tensor(x), log_mean, log_theta)
        value.sum().backward()
        assert torch.isfinite(value).all()
    assert torch.isfinite(log_theta.grad).all()
    assert torch.isfinite(log_mean.grad).all()
    everything = CountDistribution(
        torch.tensor([[-90.0, 0.0, 3.0]]), torch.tensor(10.0), torch.tensor(0.0),
        torch.tensor([[-200.0, 200.0, 0.0]]),
    )  # fmt: skip
    assert torch.isfinite(everything.log_prob(torch.tensor([[0.0, 0.0, 4.0]]))).all()
    assert torch.isfinite(everything.log_prob(torch.zeros(1, 3))).all()


@pytest.mark.parametrize("library", ["observed", "none"])
def test_likelihoods_are_those_of_scipy_at_their_means(library):
    poisson = fitted(Poisson, library=library)
    rho = (H + poisson.offset).exp()
    mean = rho / rho.sum(1, keepdim=True) * X.sum(1, keepdim=True) if library == "observed" else rho
    np.testing.assert_allclose(
        poisson(H).log_prob(X).detach().numpy(),
        stats.poisson.logpmf(X.numpy(), mean.numpy()).sum(1),
        rtol=1e-9,
    )
    nb = fitted(NegativeBinomial, library=library)
    theta = nb.log_theta.detach().exp().numpy()
    expected = stats.nbinom.logpmf(X.numpy(), theta, theta / (theta + mean.numpy()))
    found = nb(H).log_prob(X).detach().numpy()
    np.testing.assert_allclose(found, expected.sum(1), rtol=1e-7)


def test_zero_inflation_is_a_mixture_with_zero():
    zinb = fitted(ZeroInflatedNegativeBinomial)
    logits = torch.linspace(-2, 2, 20, dtype=torch.float64).reshape(4, 5)
    p = zinb(torch.cat([H, logits + 3], 1))
    plain = fitted(NegativeBinomial)(H).at(X.sum(1)).log_mean.exp().detach().numpy()
    theta = zinb.log_theta.detach().exp().numpy()
    nb = stats.nbinom.pmf(X.numpy(), theta, theta / (theta + plain))
    pi = 1 / (1 + np.exp(-logits.numpy()))
    expected = np.log(pi * (X.numpy() == 0) + (1 - pi) * nb).sum(1)
    np.testing.assert_allclose(p.log_prob(X).detach().numpy(), expected, rtol=1e-7)


@pytest.mark.parametrize("family", FAMILIES)
def test_probabilities_sum_to_one_and_have_the_stated_moments(family):
    likelihood = fitted(family, library="none")
    p = likelihood(torch.zeros(1, likelihood.features((5,))[0], dtype=torch.float64))
    x = torch.arange(3000, dtype=torch.float64)
    for j in range(5):
        one = CountDistribution(
            p.log_profile[:, [j]], None,
            None if p.log_theta is None else p.log_theta[..., [j]],
            None if p.zero_logits is None else p.zero_logits[:, [j]],
        )  # fmt: skip
        mass = one.log_prob(x[:, None]).exp()
        mean = (mass * x).sum()
        torch.testing.assert_close(mass.sum(), torch.ones_like(mean), atol=1e-7, rtol=0)
        torch.testing.assert_close(mean, one.mean[0, 0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(
            (mass * (x - mean) ** 2).sum(), one.variance[0, 0], atol=1e-3, rtol=1e-3
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_have_the_mean_and_variance(family):
    torch.manual_seed(0)
    likelihood = fitted(family)
    p = likelihood(torch.zeros(2, likelihood.features((5,))[0], dtype=torch.float64)).at(200.0)
    drawn = p.sample((20_000,))
    assert drawn.shape == (20_000, 2, 5)
    torch.testing.assert_close(drawn.mean(0), p.mean.detach(), rtol=0.05, atol=0.3)
    torch.testing.assert_close(drawn.var(0), p.variance.detach(), rtol=0.15, atol=1.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_library_sizes(family):
    likelihood = fitted(family)
    h = torch.randn(4, likelihood.features((5,))[0], dtype=torch.float64)
    p = likelihood(h)
    torch.testing.assert_close(p.profile.sum(1), torch.ones(4, dtype=torch.float64))
    assert p.reference == COUNTS.sum(1).median()
    torch.testing.assert_close(p.log_prob(X), p.at(X.sum(1)).log_prob(X))
    torch.testing.assert_close(p.at(2 * p.reference).mean, 2 * p.mean)
    assert torch.isfinite(p.log_prob(torch.zeros(4, 5, dtype=torch.float64))).all()
    with pytest.raises(ValueError, match="have no library"):
        fitted(family, library="none")(h).at(3.0)


def test_the_offset_is_the_datas_profile_and_theta_its_moment_estimate():
    rng = np.random.default_rng(1)
    share, theta = np.array([0.5, 0.3, 0.2]), np.array([0.5, 2.0, 10.0])
    size = rng.integers(200, 400, (4000, 1))
    x = rng.poisson(rng.gamma(theta, size * share / theta)).astype(np.float32)
    nb = NegativeBinomial().adapted(FactorDataset.from_arrays(x))
    np.testing.assert_allclose(nb.offset.exp(), x[::2].sum(0) / x[::2].sum(), rtol=1e-3)
    none = NegativeBinomial(library="none").adapted(FactorDataset.from_arrays(x))
    np.testing.assert_allclose(none.offset.exp(), x[::2].mean(0), rtol=1e-3)
    np.testing.assert_allclose(none.log_theta.detach().exp(), theta, rtol=0.35)


def test_dispersion_by_covariate():
    nb = fitted(NegativeBinomial, dispersion="covariate")
    torch.nn.init.normal_(nb.by_covariate)
    c = torch.eye(2, dtype=torch.float64)[[0, 1, 1, 0]]
    p = nb(H, c)
    for row in range(4):
        expected = nb.log_theta + nb.by_covariate[int(c[row].argmax())]
        torch.testing.assert_close(p.log_theta[row], expected)
    with pytest.raises(ValueError, match="needs data with covariates"):
        NegativeBinomial(dispersion="covariate").adapted(FactorDataset.from_arrays(COUNTS.float()))
    with pytest.raises(ValueError, match="needs the covariates c"):
        nb(H)


def test_a_likelihood_is_fitted_as_a_copy():
    original = NegativeBinomial()
    one, two = original.adapted(DATA), original.adapted(DATA)
    assert one.log_theta is not two.log_theta
    assert not original.fitted
    with pytest.raises(RuntimeError, match="has not seen data"):
        original(H)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Poisson("total"), "library is 'total'"),
        (lambda: NegativeBinomial(dispersion="cell"), "dispersion is 'cell'"),
        (
            lambda: Poisson().adapted(FactorDataset.from_arrays(COUNTS.float() / 2)),
            r"x holds \d+\.5, but Poisson takes counts: give raw",
        ),
        (
            lambda: Poisson().adapted(FactorDataset.from_arrays(torch.zeros(3, 1, 8, 8))),
            "takes vectors of counts",
        ),
    ],
)
def test_errors_name_the_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_one_cell_of_one_count_in_nats():
    p = CountDistribution(torch.tensor([[0.0]]), torch.tensor(1.0))
    assert p.log_prob(torch.ones(1, 1)).item() == pytest.approx(-1.0)
    assert math.exp(p.at(2.0).log_prob(torch.zeros(1, 1)).item()) == pytest.approx(math.exp(-2))


@pytest.mark.parametrize("inputs", ["log1p", "library"])
def test_encoders_see_logarithms_of_counts_and_covariates_as_they_are(inputs):
    torch.manual_seed(0)
    net = MLP((8,), inputs=inputs).encoder((5,), 3, covariates=2)
    plain = MLP((8,)).encoder((5,), 3, covariates=2)
    plain.load_state_dict(net.state_dict())
    x, c = COUNTS[:6].float(), torch.randn(6, 2)
    scaled = x if inputs == "log1p" else 1e4 * x / x.sum(1, keepdim=True)
    torch.testing.assert_close(net(x, c), plain(scaled.log1p(), c))
    assert torch.isfinite(net(torch.zeros(1, 5), c[:1])).all()
    with pytest.raises(ValueError, match="inputs is 'log'"):
        MLP(inputs="log")


def test_a_count_likelihood_chooses_them_and_says_so_in_the_spec():
    method = VAE.build(DATA, latent_dim=2, likelihood=NegativeBinomial("none", "covariate"), seed=0)
    x, c = COUNTS[:3].float(), DATA.covariates[:3]
    hidden = torch.cat([x.log1p(), c], 1)
    for layer in list(method.encoder.net)[1:]:
        hidden = layer(hidden)
    torch.testing.assert_close(method.represent(x, c).mean, hidden[:, :2])
    written = describe(method)["init_args"]["likelihood"]["init_args"]
    assert written == {"library": "none", "dispersion": "covariate"}
    assert describe(MLP(inputs="library"))["init_args"] == {"inputs": "library"}
    again = instantiate(describe(method)["init_args"]["likelihood"])
    assert again.takes_covariates
