"""Independence, impossibility, axes and goodness, where the answers are known."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Independent, Laplace, MultivariateNormal, Normal, Uniform

import untwine as ut
from untwine import diagnostics as d
from untwine.diagnostics.entanglement import Entanglement, Pushed
from untwine.diagnostics.twins import EntangledTwin
from untwine.functional import ima_contrast
from untwine.methods import VAE

from ..laws.conftest import make_data
from .test_diagnostics_linear import MODEL, ROTATION, Linear

F64 = torch.float64


def normal(dim=3):
    return Independent(Normal(torch.zeros(dim, dtype=F64), torch.ones(dim, dtype=F64)), 1)


def points(n, dim, seed=0, shift=0.0):
    return shift + torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=F64)


# Independence


def polar(z):
    r, t = z.unbind(1)
    return torch.stack([r * t.cos(), r * t.sin()], 1)


def square(z):
    """The conformal map z^2 of the complex plane."""
    a, b = z.unbind(1)
    return torch.stack([a**2 - b**2, 2 * a * b], 1)


def moebius(z):
    """An inversion after a shift, conformal in any dimension."""
    moved = z + 3.0
    return moved / moved.square().sum(1, keepdim=True)


TURN = torch.tensor([[math.cos(0.4), -math.sin(0.4)], [math.sin(0.4), math.cos(0.4)]], dtype=F64)


def separate(z):
    """Components that are bent by themselves, and then turned: x = R (g_1(z_1), g_2(z_2))."""
    return torch.stack([z[:, 0].sinh(), z[:, 1] + z[:, 1] ** 3 / 3], 1) @ TURN.T


def test_polar_coordinates_are_flagged():
    z = torch.stack([points(30, 1).abs()[:, 0] + 1, points(30, 1, 1)[:, 0]], 1)
    found = d.independence_at(polar, z, step=1e-4, sigma=1.0)
    assert found.orthogonal
    assert not found.independent
    expected = z[:, 0].pow(-2).mean().sqrt().item()  # d log s_2 / d z_1 = 1 / r
    torch.testing.assert_close(
        found.stretch, torch.tensor([[0.0, 0.0], [expected, 0.0]], dtype=F64), atol=1e-4, rtol=0
    )
    assert "as in polar coordinates" in str(found)
    assert "z1 changes with z0" in str(found)


@pytest.mark.parametrize(("f", "dim"), [(square, 2), (moebius, 2), (moebius, 4)])
def test_conformal_maps_have_no_contrast_and_are_not_independent(f, dim):
    z = points(20, dim, shift=0.2)
    metric = d.metric_at(f, z, sigma=1.0)
    assert ima_contrast(metric.tensor).abs().max() < 1e-8
    lengths = metric.singular_values
    torch.testing.assert_close(lengths, lengths[:, :1].expand_as(lengths))
    found = d.independence_at(f, z, step=1e-4, sigma=1.0)
    assert found.orthogonal
    assert not found.independent


def test_separate_components_are_independent_with_the_densities_of_the_theory():
    z = points(25, 2)
    found = d.independence_at(separate, z, step=1e-4, sigma=1.0)
    assert found.independent
    assert found.v_distance < 1e-6
    own = torch.stack([z[:, 0].tanh(), 2 * z[:, 1] / (1 + z[:, 1] ** 2)], 1)
    torch.testing.assert_close(
        found.stretch.diagonal(), own.square().mean(0).sqrt(), atol=1e-4, rtol=0
    )

    class Model(Linear):
        def __init__(self):
            self.posterior = 0.01

        def represent(self, x):
            turned = x.double() @ TURN
            a = turned[:, 0].asinh()
            b = turned[:, 1].clone()
            for _ in range(60):  # Newton, for b + b^3 / 3
                b = b - (b + b**3 / 3 - turned[:, 1]) / (1 + b**2)
            return Independent(Normal(torch.stack([a, b], 1), self.posterior), 1)

        def decode(self, z):
            return Independent(Normal(separate(z.double()), 0.1), 1)

        def prior(self):
            return normal(2)

    x = separate(points(10, 2, 3))
    lines = d.seams(Model(), x, dims=[0, 1], steps=9)
    t = torch.linspace(-2, 2, 9, dtype=F64)
    phi = Normal(0.0, 1.0).log_prob(t).exp()
    expected = torch.stack([phi / t.cosh(), phi / (1 + t**2)])
    torch.testing.assert_close(lines.density, expected, atol=1e-6, rtol=0)
    # the density of the first component itself: x_1 = sinh z
    position = lines.images[0] @ TURN[:, 0]
    density = Normal(0.0, 1.0).log_prob(position.asinh()).exp() / (1 + position**2).sqrt()
    torch.testing.assert_close(lines.density[0], density, atol=1e-6, rtol=0)
    assert lines.length[1].item() == pytest.approx(2 * (2 + 8 / 3), rel=0.05)


def test_a_shear_is_not_orthogonal():
    found = d.independence_at(lambda z: torch.stack([z[:, 0] + z[:, 1], z[:, 1]], 1), points(5, 2),
                              sigma=1.0)  # fmt: skip
    assert not found.orthogonal
    assert found.crossing == pytest.approx(math.sqrt(0.5))


def test_sigma_over_beta_of_linear_models():
    x = MODEL.sample(400, seed=2)[1]
    moments = x.T @ x / len(x)
    models = {}
    for beta in (0.5, 2.0):
        best = d.LinearGaussian.best(moments, 3, sigma=1.0, beta=beta)
        models[beta] = Linear(best, beta, diagonal=True)
    found = d.beta_and_sigma(models, x, n=400)
    for place, beta in enumerate((0.5, 2.0)):
        model = models[beta].model
        point = model.rate_distortion(moments, beta=beta)
        assert found.rates[place] == pytest.approx(point.rate, abs=1e-8)
        error = 2 * point.distortion - 8 * math.log(2 * math.pi)
        assert found.sigma[place] == pytest.approx(math.sqrt(error / 8), rel=0.03)
    assert 0 < found.slope < 1
    assert found.sigma[0] < found.sigma[1]
    with pytest.raises(ValueError, match="no models"):
        d.beta_and_sigma({}, x)


class Counted:
    """A code of the first of two factors, as sharp as you say; the second is lost."""

    def __init__(self, scale):
        self.scale = scale

    def represent(self, x):
        x = x.tensor if hasattr(x, "tensor") else x
        return Independent(Normal(x[:, :1].double(), self.scale), 1)

    def decode(self, z):
        return Independent(Normal(z.expand(-1, 2), 1.0), 1)

    def prior(self):
        return normal(1)


def test_what_a_code_glues_together():
    table = np.stack(np.unravel_index(np.arange(60), (6, 10)), 1)
    data = ut.FactorDataset.from_arrays(table.astype(np.float32), table, ["kept", "lost"])
    sharp = d.overlap(Counted(0.01), data)
    assert sharp.perplexity == pytest.approx(10)  # every value of the lost factor
    assert sharp.factors == pytest.approx({"kept": 0.0, "lost": 1.0}, abs=1e-9)
    # only the second entry differs: 2 var of 0..9, over two entries
    assert sharp.distance == pytest.approx(math.sqrt(2 * 8.25 / 2))
    assert sharp.chance == pytest.approx(math.sqrt(2 * (8.25 + 35 / 12) / 2))
    blurred, blind = d.overlap(Counted(1.0), data, samples=20), d.overlap(Counted(1e6), data)
    assert 10 < blurred.perplexity < 60
    assert 0.3 < blurred.factors["kept"] < 0.95
    assert blind.perplexity == pytest.approx(60, rel=1e-4)
    assert blind.factors == pytest.approx({"kept": 1.0, "lost": 1.0}, abs=1e-4)
    assert blind.distance == pytest.approx(blind.chance, rel=1e-4)
    assert "A code stands for 10 of 60 observations" in str(sharp)


def test_overlap_is_what_information_leaves():
    x = MODEL.sample(300, seed=1)[1]
    model = Linear(MODEL, 1.0, diagonal=False)
    found = d.overlap(model, x, samples=4)
    information = d.elbo_parts(model, x, samples=4).mutual_information
    assert found.entropy.value == pytest.approx(math.log(300) - information.value, abs=0.03)
    assert not found.factors
    with pytest.raises(d.NoDensity, match="the overlap is known for Gaussian posteriors"):
        d.overlap(EntangledTwin(model), x[:200])


# Impossibility


PRIORS = {
    "normal": normal(4),
    "shifted": Independent(
        Normal(torch.arange(4.0, dtype=F64), torch.full((4,), 2.0, dtype=F64)), 1
    ),
    "laplace": Independent(Laplace(torch.zeros(4, dtype=F64), torch.ones(4, dtype=F64)), 1),
    "uniform": Independent(Uniform(-torch.ones(4, dtype=F64), torch.ones(4, dtype=F64)), 1),
}


@pytest.mark.parametrize("name", PRIORS)
def test_a_twin_keeps_the_prior_and_mixes_every_dimension(name):
    prior = PRIORS[name]
    g = Entanglement(prior, strength=1.2)
    torch.manual_seed(0)
    z = prior.sample((300,))
    torch.testing.assert_close(g.inverse(g(z)), z, atol=1e-6, rtol=1e-6)
    # p(z) = p(g(z)) |det g'(z)|, at every point: exactly what keeps the prior
    jacobian = g.jacobian(z)
    volume = torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(volume, prior.log_prob(z) - prior.log_prob(g(z)), atol=1e-5, rtol=0)
    assert jacobian.abs().mean(0).min() > 0.02
    found = d.impossibility(prior, n=400, strength=1.2)
    assert found.dependence.min() > 0.02
    assert found.codes_test.p_value > 0.01
    assert "one distribution" in str(found)


def test_a_general_linear_map_does_not_keep_the_prior():
    prior = normal(4)
    torch.manual_seed(0)
    one, two = prior.sample((400,)), prior.sample((400,))
    sheared = two @ torch.tensor(
        [[1.0, 0.8, 0, 0], [0, 1, 0.8, 0], [0, 0, 1, 0.8], [0, 0, 0, 1]], dtype=F64
    )
    assert d.two_sample(one, sheared).p_value < 0.01
    turned = two @ torch.linalg.qr(torch.randn(4, 4, dtype=F64))[0]
    assert d.two_sample(one, turned).p_value > 0.01
    # and of a uniform prior not even a rotation does
    square = PRIORS["uniform"]
    one, two = square.sample((900,))[:, :2], square.sample((900,))[:, :2]
    diagonal = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=F64) / math.sqrt(2)
    assert d.two_sample(one, two @ diagonal).p_value < 0.01


def test_the_two_sample_test_is_calibrated():
    torch.manual_seed(1)
    values = [
        d.two_sample(*torch.randn(2, 40, 2, dtype=F64), permutations=39, seed=k).p_value
        for k in range(100)
    ]
    rejected = np.mean(np.array(values) <= 0.1)
    assert 0.02 < rejected < 0.21  # binomial, 100 draws of 0.1
    mmd = d.two_sample(*torch.randn(2, 50, 3, dtype=F64)).mmd
    assert abs(mmd) < 0.1


def test_density_of_pushed_posteriors():
    torch.manual_seed(0)
    q = MultivariateNormal(points(6, 4), torch.diag_embed(0.3 + torch.rand(6, 4, dtype=F64)))
    g = Entanglement(PRIORS["laplace"])
    pushed = Pushed(q, g)
    z = q.sample()
    volume = torch.linalg.slogdet(g.jacobian(z))[1]
    torch.testing.assert_close(pushed.log_prob(g(z)), q.log_prob(z) - volume, atol=1e-5, rtol=0)
    torch.testing.assert_close(pushed.mean, g(q.mean))


def test_the_twin_of_a_model_has_its_elbo_and_other_scores():
    data = make_data()

    class Perfect(VAE):
        """A code that is the factors."""

    method = Perfect.build(data, latent_dim=3, seed=0)
    factors = torch.from_numpy((data.factors - data.factors.mean(0)) / data.factors.std(0)).float()
    table = {
        x.numpy().tobytes(): f for x, f in zip(data.observations(range(60)), factors, strict=True)
    }

    def encode(x):
        loc = torch.stack([table[one.numpy().tobytes()] for one in x])
        return Independent(Normal(loc, torch.full_like(loc, 0.1)), 1)

    method.represent = lambda x: encode(getattr(x, "x", x))
    found = d.impossibility(method, data, n=60, metrics=["mig", "sap"], strength=1.5, seed=2)
    assert found.elbo_difference < 1e-3
    assert found.codes_test.p_value > 0.01
    assert found.observations_test.p_value > 0.01
    own, twin = found.scores["mig"]
    assert own > twin + 0.1
    assert found.pairs[0] == pytest.approx(1.0, abs=1e-6)
    assert found.pairs[1] < 0.9
    assert "Pairs that differ in one factor tell them apart" in str(found)
    twin = EntangledTwin(method)
    z = method.prior().sample((5,))
    torch.testing.assert_close(
        twin.decode(twin.through(z)).mean, method.decode(z).mean, atol=1e-4, rtol=0
    )
    parts = [d.elbo_parts(m, data.observations(range(20)), samples=1) for m in (method, twin)]
    assert parts[1].total_correlation is None


def test_priors_that_are_not_independent_are_refused():
    with pytest.raises(d.NoDensity, match="not known to be independent"):
        Entanglement(MultivariateNormal(torch.zeros(2), torch.eye(2)))
    with pytest.raises(d.NoDensity, match="no cdf and icdf"):
        Entanglement(Independent(torch.distributions.Gamma(torch.ones(2), torch.ones(2)), 1))
    with pytest.raises(ValueError, match="1 dimension"):
        Entanglement(normal(1))


# Axes


def test_axes_of_a_linear_generator_agree():
    weight = torch.randn(30, 6, dtype=F64, generator=torch.Generator().manual_seed(0))
    net = nn.Linear(6, 30).double()
    net.weight.data = weight
    z = points(50, 6)
    _, values, vectors = torch.linalg.svd(weight)
    kinds = [
        d.local_axes(net, z[0]),
        d.global_axes(net, z),
        d.sefa_axes(net),
        d.ganspace_axes(net, k=6, n=4000),
    ]
    for found in kinds[:3]:
        torch.testing.assert_close(found.strength, values)
        torch.testing.assert_close((found.directions.T @ vectors.T).abs(), torch.eye(6, dtype=F64),
                                   atol=1e-6, rtol=0)  # fmt: skip
    torch.testing.assert_close(kinds[3].strength, values, rtol=0.05, atol=0)
    together = d.compare_axes(kinds[2], kinds[3], k=3)
    assert together.cosines.min() > 0.95
    assert "principal cosines" in str(together)
    convolution = nn.ConvTranspose2d(6, 3, 2).double()
    found = d.sefa_axes(convolution)
    expected = torch.linalg.svdvals(convolution.weight.flatten(1))
    torch.testing.assert_close(found.strength, expected)
    assert (found.strength.diff() <= 0).all()  # the largest first
    images = d.walk(net, z[0], kinds[0], k=2, steps=3)
    along = images[0, 2] - images[0, 1]
    torch.testing.assert_close(along.norm(), 3 * values[0])
    gap = d.generator_gap(net, z[:2], sigma=0.5)
    precision = torch.eye(6, dtype=F64) + weight.T @ weight / 0.25
    torch.testing.assert_close(gap, ut.functional.seam_gap(precision).expand(2))


def test_axes_of_a_method_and_refusals():
    method = VAE.build(make_data(), latent_dim=4, seed=0)
    assert len(d.sefa_axes(method)) == 4
    assert d.ganspace_axes(method, k=2, n=64).directions.shape == (4, 2)
    with pytest.raises(TypeError, match="is a Conv2d; expected a linear layer"):
        d.sefa_axes(nn.Conv2d(1, 1, 3))
    with pytest.raises(ValueError, match="4 and 3 dimensions"):
        d.compare_axes(d.sefa_axes(method), d.sefa_axes(nn.Linear(3, 5)))
    assert d.effective_rank(torch.ones(7)) == pytest.approx(7)


# Goodness


def table(own, other, scale, n=480):
    """Posteriors of x = (y, n), 4 values each: one dimension for y, one for n."""
    rows = torch.arange(n)
    y, nuisance = rows % 4, (rows // 4) % 4
    mean = torch.stack([own * y.double(), other * nuisance.double()], 1)
    q = Independent(Normal(mean, torch.full_like(mean, scale)), 1)
    return q, y.numpy(), nuisance.numpy()


def channel(spacing, scale):
    """I(y; z) of four values at distances, by quadrature."""
    line = torch.linspace(-12, 12 + 3 * spacing, 20_001, dtype=F64)
    each = torch.stack([Normal(k * spacing, scale).log_prob(line).exp() for k in range(4)])
    mixture = each.mean(0)
    terms = torch.special.xlogy(each, each / mixture.clamp(min=1e-300))
    return (terms.mean(0).sum() * (line[1] - line[0])).item()


@pytest.mark.parametrize("other", [0.0, 1.0, 4.0])
def test_a_sufficient_code_is_invariant_as_far_as_it_is_minimal(other):
    q, y, nuisance = table(4.0, other, 0.5)
    found = d.goodness_of(q, y, {"n": nuisance}, samples=10)
    of_y, of_n = channel(4.0, 0.5), channel(other, 0.5)
    total = of_y + of_n  # independent channels
    assert found.sufficient
    for between, truth in (
        (found.task, of_y),
        (found.nuisance["n"], of_n),
        (found.complexity, total),
    ):
        assert between.low.value - 3 * between.low.stderr - 0.01 <= truth <= between.high + 0.03
        assert between.low.value > truth - 0.08
    assert found.complexity.high < total + 0.1
    # I(n; z) <= I(x; z) - I(y; z), here with equality
    assert found.nuisance["n"].low.value <= found.excess + 0.05
    assert found.excess < of_n + 0.15
    assert "what is minimal is invariant" in str(found)


def test_a_code_without_the_task_is_not_sufficient():
    q, y, nuisance = table(0.1, 4.0, 0.5)
    found = d.goodness_of(q, y, {"n": nuisance}, x=torch.from_numpy(y)[:, None].double())
    assert not found.sufficient
    assert found.task.low.value < 0.05
    assert found.available.low.value > 1.0
    assert found.available.low_by == "nearest neighbors of x"
    assert found.available.high == pytest.approx(math.log(4))
    with pytest.raises(ValueError, match="3 labels for 480"):
        d.goodness_of(q, [0, 1, 2])


def test_goodness_of_a_model():
    data = make_data(shape=(7,))
    method = VAE.build(data, latent_dim=2, seed=0)
    found = d.goodness(method, data, "row")
    assert set(found.nuisance) == {"size", "column"}
    assert found.entropy == pytest.approx(math.log(4))
    assert found.complexity.high_by in ("average KL from the prior", "leaving one out")
    with pytest.raises(ValueError, match="y is 9; expected one of size, row, column"):
        d.goodness(method, data, 9)
    points_only = ut.methods.AAE.build(make_data(), latent_dim=2, seed=0)
    with pytest.raises(d.NoDensity, match="is a point"):
        d.goodness(points_only, make_data(), "row")


def test_rotations_of_the_linear_case_are_all_twins_under_full_covariance():
    x = MODEL.sample(50)[1]
    bounds = [
        d.importance_bound(Linear(m), x, samples=2).bound.value
        for m in (MODEL, MODEL.rotated(ROTATION))
    ]
    assert bounds[0] == pytest.approx(bounds[1], abs=1e-4)


def test_figures_of_seams_and_stretch_hold_the_numbers(tmp_path):
    from untwine import plots

    method = VAE.build(make_data(shape=(7,)), latent_dim=3, seed=0)
    lines = d.seams(method, make_data(shape=(7,)), dims=[0, 2], steps=5)
    left, right = plots.seams(lines).axes
    assert [line.get_label() for line in left.lines] == ["z0", "z2"]
    np.testing.assert_allclose(right.lines[1].get_ydata(), lines.density[1].numpy())
    found = d.independence(method, make_data(shape=(7,)), n=5, dims=[0, 1])
    canvas = plots.stretch(found)
    canvas.savefig(tmp_path / "stretch.png")
    shown = [text.get_text() for text in canvas.axes[1].texts]
    assert shown == [f"{v:.2f}" for v in found.stretch.flatten().tolist()]
