"""Parts of the ELBO and bounds of log p(x), against closed forms and quadrature."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

import untwine as ut
from untwine import diagnostics as d
from untwine.diagnostics.bounds import local_posteriors
from untwine.diagnostics.models import encode_for
from untwine.metrics._estimators.aggregate import aggregate_posterior

from .test_diagnostics_linear import MODEL, ROTATION, Linear

F64 = torch.float64
TURNED = MODEL.rotated(ROTATION)


def near(estimate, truth, room=0.0):
    assert abs(estimate.value - truth) <= 3 * estimate.stderr + room, (estimate, truth)


class Table:
    """Posteriors by number: x is (n, 1), the number of the observation."""

    def __init__(self, mean, scale, likelihood=1.0):
        self.mean, self.scale = (torch.as_tensor(v, dtype=F64) for v in (mean, scale))
        self.likelihood = likelihood

    def represent(self, x):
        rows = x[:, 0].long()
        return Independent(Normal(self.mean[rows], self.scale[rows]), 1)

    def decode(self, z):
        return Independent(Normal(z[:, :1], self.likelihood), 1)

    def prior(self):
        dim = self.mean.shape[1]
        return Independent(Normal(torch.zeros(dim, dtype=F64), torch.ones(dim, dtype=F64)), 1)


def numbers(n):
    return ut.FactorDataset.from_arrays(np.arange(n, dtype=np.float32)[:, None])


def test_parts_of_a_small_set_are_exact():
    rng = np.random.default_rng(0)
    mean, scale = 1.5 * rng.normal(size=(12, 2)), np.exp(0.5 * rng.normal(size=(12, 2)))
    mean[:, 1] += 0.8 * mean[:, 0]
    model, data = Table(mean, scale), numbers(12)
    parts = d.elbo_parts(model, data, samples=3000)
    assert parts.exact
    # log q(z) on a grid, by hand
    line = torch.linspace(-14, 14, 561, dtype=F64)
    cell = (line[1] - line[0]).item()
    densities = [Normal(model.mean[:, j, None], model.scale[:, j, None]) for j in (0, 1)]
    each = [p.log_prob(line).exp() for p in densities]
    joint = torch.einsum("na,nb->ab", each[0], each[1]) / 12
    margins = [e.mean(0) for e in each]
    product = margins[0][:, None] * margins[1]
    correlation = cell**2 * torch.special.xlogy(joint, joint / product.clamp(min=1e-300)).sum()
    normal = Normal(0.0, 1.0).log_prob(line).exp()
    dimension = sum(cell * torch.special.xlogy(m, m / normal).sum() for m in margins)
    rate = 0.5 * (model.mean**2 + model.scale**2 - 1 - 2 * model.scale.log()).sum(1).mean()
    near(parts.total_correlation, correlation.item())
    near(parts.dimension_kl, dimension.item())
    near(parts.mutual_information, (rate - correlation - dimension).item())
    near(parts.marginal_kl, (correlation + dimension).item())
    assert parts.kl == d.Estimate(pytest.approx(rate.item(), abs=1e-12), 0.0)
    assert parts.total_correlation.stderr < 0.01
    total = parts.mutual_information.value + parts.marginal_kl.value
    assert total == pytest.approx(parts.kl.value, abs=0.05)
    assert parts.kl_per_dim.sum().item() == pytest.approx(rate.item())
    other = aggregate_posterior(mean, scale, samples=20_000)
    near(parts.mutual_information, other.mutual_information, 0.02)
    near(parts.total_correlation, other.total_correlation, 3 * other.standard_error)
    error = ((torch.arange(12) - model.mean[:, 0]) ** 2 + model.scale[:, 0] ** 2).mean()
    expected = -0.5 * (math.log(2 * math.pi) + error.item())
    near(parts.reconstruction, expected)
    near(parts.elbo, expected - rate.item())


def test_information_of_a_population_is_bracketed_and_its_bias_shown():
    """z is N(0, 1) over the population and q(z|x) = N(x a, 1 - a^2): information is known."""
    generator = torch.Generator().manual_seed(0)
    a = 0.9
    x = torch.randn(4000, 1, generator=generator, dtype=F64)

    class Channel(Table):
        def represent(self, x):
            return Independent(Normal(a * x.double(), math.sqrt(1 - a**2)), 1)

    model = Channel(torch.zeros(1, 1), torch.ones(1, 1))
    data = ut.FactorDataset.from_arrays(x.float().numpy())
    truth = -0.5 * math.log(1 - a**2)
    found = d.elbo_parts(model, data, n=64, samples=8, seed=1)
    assert not found.exact
    room = 3 * found.mutual_information.stderr
    assert found.mutual_information.value < truth + room
    assert found.information_above.value > truth - 3 * found.information_above.stderr
    few, many = (d.elbo_parts(model, data, n=n, samples=4).mutual_information for n in (8, 1000))
    assert few.value < many.value - 0.1
    near(many, truth)
    assert found.halved[0] < found.mutual_information.value
    assert "with half of them" in str(found)


def test_elbo_and_bounds_of_the_linear_model():
    x = TURNED.sample(400, seed=5)[1]
    truth = TURNED.log_prob(x).mean().item()
    moments = x.T @ x / len(x)
    assert truth == pytest.approx(TURNED.log_likelihood(moments), abs=1e-9)
    for diagonal in (True, False):
        found = d.elbo_parts(Linear(TURNED, diagonal=diagonal), x, samples=40)
        kind = "diagonal" if diagonal else "full"
        near(found.elbo, TURNED.elbo(moments, posterior=kind))
        point = TURNED.rate_distortion(moments, posterior=kind)
        assert found.rate == pytest.approx(point.rate, abs=1e-8)
        near(found.reconstruction, -point.distortion)
    exact = d.importance_bound(Linear(TURNED), x, samples=5)
    torch.testing.assert_close(exact.values, TURNED.log_prob(x), atol=1e-4, rtol=0)
    assert exact.effective == pytest.approx(5, abs=1e-3)
    bounds = [
        d.importance_bound(Linear(TURNED, diagonal=True), x, samples=k).bound.value
        for k in (1, 10, 200)
    ]
    assert bounds[0] < bounds[1] < bounds[2] <= truth + 0.01
    assert bounds[2] > truth - 0.05


@pytest.mark.parametrize("start", ["prior", "posterior"])
def test_annealing_brackets_the_linear_log_likelihood(start):
    model = Linear(TURNED, diagonal=True)
    seen = TURNED.sample(8)[1]
    found = d.bidirectional(
        model, seen, n=16, chains=6, temperatures=30, leapfrog=4, start=start, seed=3
    )
    truth = TURNED.log_prob(found.x.double())
    below, above = d.Estimate.of(found.forward - truth), d.Estimate.of(found.reverse - truth)
    assert below.value < 3 * below.stderr + 1e-9
    assert above.value > -3 * above.stderr - 1e-9
    assert (found.reverse - found.forward).mean() < 0.6
    assert 0.3 < found.acceptance <= 1.0
    again = d.bidirectional(
        model, seen, n=16, chains=6, temperatures=30, leapfrog=4, start=start, seed=3
    )
    assert torch.equal(found.forward, again.forward)
    single = d.annealed_bound(model, found.x, chains=6, temperatures=30, leapfrog=4, start=start)
    off = d.Estimate.of(single.forward - truth)
    assert -0.5 < off.value < 3 * off.stderr


class Off(Linear):
    """A diagonal encoder whose scales are twice too large and whose means are shifted."""

    def represent(self, x):
        q = super().represent(x)
        return Independent(Normal(q.mean + 0.3, 2 * q.stddev), 1)


def test_gaps_of_inference_are_told_apart():
    x = TURNED.sample(12, seed=2)[1]
    found = d.inference_gaps(Off(TURNED, diagonal=True), x, steps=150, samples=400)
    precision = TURNED.precision()
    lost = 1.5 * 3 - 3 * math.log(2) + 0.5 * 0.09 * precision.sum().item()
    near(found.amortization, lost, 0.05)
    near(found.approximation, TURNED.seam_gap(), 0.05)
    near(found.log_likelihood, TURNED.log_prob(x).mean().item(), 0.05)
    assert "does not find the best" in str(found)
    full = encode_for(Linear(TURNED), x)
    start = MultivariateNormal(full.q.mean + 0.2, scale_tril=1.5 * full.q.scale_tril)
    best = local_posteriors(full, start=start, steps=200, samples=16)
    torch.testing.assert_close(best.mean, full.q.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(
        best.covariance_matrix, full.q.covariance_matrix, atol=0.05, rtol=0.2
    )


def test_the_curve_of_a_linear_decoder_is_the_closed_form():
    x = TURNED.sample(40, seed=4)[1]
    moments = x.T @ x / len(x)
    betas = [0.5, 2.0]
    found = d.rate_distortion(Linear(TURNED, diagonal=True), x, betas=betas, steps=300, samples=200)
    for point, beta in zip(found, betas, strict=True):
        exact = TURNED.rate_distortion(moments, beta=beta, posterior="diagonal")
        assert point.beta == beta
        assert point.rate == pytest.approx(exact.rate, abs=0.1)
        assert point.distortion == pytest.approx(exact.distortion, abs=0.1)
    assert found[0].rate > found[1].rate


def test_why_dimensions_collapse():
    """Three causes, one in each model; x has variances 9, 4 and 0.25."""
    x = torch.randn(400, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    x = x * torch.tensor([3.0, 2.0, 0.5], dtype=F64)

    class Two(Linear):
        def __init__(self, weight, encoder_off=()):
            weight = torch.tensor(weight, dtype=F64)
            super().__init__(d.LinearGaussian(weight, torch.zeros(3, dtype=F64), 1.0))
            self.off = list(encoder_off)

        def represent(self, x):
            inverse = torch.linalg.inv(self.precision)
            mean = x.double() @ self.model.weight @ inverse
            scale = self.precision.diagonal().rsqrt().expand_as(mean).clone()
            mean[:, self.off], scale[:, self.off] = 0.0, 1.0
            return Independent(Normal(mean, scale), 1)

        def prior(self):
            return Independent(Normal(torch.zeros(2, dtype=F64), 1.0), 1)

    first, second = math.sqrt(8.0), math.sqrt(3.0)
    early = d.activity(Two([[first, 0], [0, 0], [0, 0]]), x)
    assert early.state == ("active", "passive")
    assert "though a dimension would pay" in early.cause[1]
    assert early.residual == pytest.approx(4.0, rel=0.2)
    lag = d.activity(Two([[first, 0], [0, second], [0, 0]], [1]), x)
    assert "lags behind" in lag.cause[1]
    no_use = d.activity(Two([[first, 0], [0, 0], [0, 0]]), x * torch.tensor([1, 0.2, 1.0]))
    assert "there is no use for it" in no_use.cause[1]
    used = d.activity(Two([[first, 0], [0, second], [0, 0]]), x)
    assert used.cause == {}
    assert used.units == 2
    assert used.active == (0, 1)
    assert "1 of 2 dimensions is used" in str(early)


def test_a_dimension_that_is_off_for_some_is_mixed():
    mean = np.zeros((40, 2))
    mean[:, 0] = np.linspace(-2, 2, 40)
    scale = np.full((40, 2), 0.1)
    mean[:20, 1], scale[20:, 1] = 2.0, 1.0
    found = d.activity(Table(mean, scale), numbers(40))
    assert found.state == ("active", "mixed")
    assert "z1 are off for some" in str(found)
    torch.testing.assert_close(found.share, torch.tensor([1.0, 0.5], dtype=F64))


def test_refusals():
    x = TURNED.sample(8)[1]
    with pytest.raises(ValueError, match="start is 'there'"):
        d.annealed_bound(Linear(TURNED), x, start="there")
    with pytest.raises(ValueError, match="beta is 0"):
        d.rate_distortion(Linear(TURNED), x, betas=[0.0])
    with pytest.raises(ValueError, match="samples is 0"):
        d.elbo_parts(Linear(TURNED), x, samples=0)


def test_beta_of_a_schedule_is_what_it_ends_with():
    from untwine.data import FactorDataset
    from untwine.diagnostics.models import beta_of
    from untwine.functional import Linear
    from untwine.methods import BetaVAE

    data = FactorDataset.from_arrays(torch.rand(9, 3))
    assert beta_of(BetaVAE.build(data, beta=Linear(1.0, 4.0, steps=100))) == 4.0
