"""Hierarchies of latents against linear-Gaussian chains, whose bounds are known in closed form."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from untwine.data import FactorDataset, Images
from untwine.distributions import Blocks, Chain, Diagonal, Gaussian, diagonal_normal
from untwine.functional import kl, kl_blocks, product
from untwine.methods import (
    VAE,
    Context,
    HierarchicalModel,
    LadderVAE,
    LevelKL,
    Model,
    TopDown,
    VeryDeepVAE,
    play,
)

F64 = torch.float64
CTX = Context(torch.tensor(0), 100)


class LinearChain:
    r"""z_L ~ N(0, I), z_l = A_l z_{l+1} + s_l e, x = A_0 z_1 + s_0 e; all Gaussian.

    Diagonal posteriors of each level given the one above are exact where dimensions are 1.
    """

    def __init__(self, slopes, noises):
        self.slopes, self.noises = slopes, noises  # from x up: one for each level

    @property
    def levels(self):
        return len(self.slopes)

    def precision(self):
        """Of (x, z_1, ..., z_L), as the sum over the factors of their joint density."""
        n = self.levels + 1
        total = np.zeros((n, n))
        total[-1, -1] += 1
        for l, (a, s) in enumerate(zip(self.slopes, self.noises, strict=True)):
            row = np.zeros(n)
            row[l], row[l + 1] = 1, -a
            total += np.outer(row, row) / s**2
        return torch.from_numpy(total)

    def covariance(self):
        return torch.linalg.inv(self.precision())

    def log_evidence(self, x):
        return torch.distributions.Normal(0.0, self.covariance()[0, 0].sqrt()).log_prob(x[:, 0])

    def sample(self, n):
        root = torch.linalg.cholesky(self.covariance())
        return (torch.randn(n, self.levels + 1, dtype=F64) @ root.T)[:, :1]


class LinearDown(TopDown):
    """The chain's way down, with exact or given posteriors q(z_l | z_{l+1}, x)."""

    def __init__(self, chain, posteriors=None):
        super().__init__()
        self.chain = chain
        self.dims = {f"z_{l}": 1 for l in range(chain.levels, 0, -1)}
        self.exact = posteriors or [self._exact(l) for l in range(chain.levels, 0, -1)]
        self.anchor = nn.Parameter(torch.zeros((), dtype=F64))

    def _exact(self, level):
        """Slopes on (x, z_{level+1}) and the deviation of z_level given both."""
        p = self.chain.precision()
        joint = torch.linalg.inv(p)
        known = [0] if level == self.chain.levels else [0, level + 1]
        s = joint[level, known] @ torch.linalg.inv(joint[known][:, known])
        variance = joint[level, level] - s @ joint[known, level]
        return s, variance.sqrt()

    def descend(self, draw, features, rows):
        z = torch.zeros(rows, 1, dtype=F64)
        for place, name in enumerate(self.dims):
            level = self.chain.levels - place
            if place:
                loc = self.chain.slopes[level] * z
                prior = diagonal_normal(loc, torch.full_like(loc, self.chain.noises[level]))
            else:
                prior = diagonal_normal(torch.zeros_like(z), torch.ones_like(z))
            posterior = None
            if features:
                slope, scale = self.exact[place]
                given = torch.cat([features[0], z], 1) if place else features[0]
                posterior = diagonal_normal((given @ slope)[:, None], scale.expand(rows, 1).to(F64))
            z = draw(name, prior, posterior)
        return z

    def output(self, state, c=None):
        return self.chain.slopes[0] * state


TWO = LinearChain([1.5, -0.8], [0.5, 0.7])
THREE = LinearChain([0.9, 1.2, -1.1], [0.4, 0.6, 0.8])


def model(chain, posteriors=None):
    return HierarchicalModel(
        nn.Identity(), LinearDown(chain, posteriors), Gaussian(chain.noises[0])
    )


def elbo(subject, x, samples=1):
    torch.manual_seed(0)
    values = []
    for _ in range(samples):
        t = subject.trace(Images(x))
        values.append(t.p.log_prob(t.x) - kl(t.q, t.prior, t.z))
    return torch.stack(values).mean(0)


@pytest.mark.parametrize("chain", [TWO, THREE], ids=["two levels", "three levels"])
def test_with_exact_posteriors_the_bound_is_the_evidence(chain):
    """Every sample's log p(x, z) - log q(z|x) is log p(x), and the bound is, on average."""
    torch.manual_seed(1)
    x = chain.sample(40)
    subject = model(chain)
    q, prior = subject.represent(x), subject.prior()
    assert isinstance(q, Chain)
    z = q.rsample((3,))
    fit = torch.stack([subject.decode(v).log_prob(x) for v in z])
    ratio = fit + prior.log_prob(z) - q.log_prob(z)
    torch.testing.assert_close(ratio, chain.log_evidence(x).expand(3, -1), atol=1e-9, rtol=0)
    many = elbo(subject, x[:1].expand(200_000, 1)).mean()
    assert many.item() == pytest.approx(chain.log_evidence(x[:1]).item(), abs=5e-3)


@pytest.mark.parametrize("chain", [TWO, THREE], ids=["two levels", "three levels"])
def test_the_bound_of_any_linear_posterior_in_closed_form(chain):
    """Antithetic quadratures: an average over Gauss-Hermite nodes is exact for quadratics."""
    torch.manual_seed(2)
    posteriors = []
    for place in range(chain.levels):
        slope = torch.randn(2 if place else 1, dtype=F64) / 2
        posteriors.append((slope, torch.tensor(0.3 + 0.2 * place, dtype=F64)))
    x = chain.sample(5)
    subject = model(chain, posteriors)
    expected, rates = linear_bound(chain, posteriors, x)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    grid = torch.cartesian_prod(*[torch.from_numpy(nodes)] * chain.levels).reshape(-1, chain.levels)
    mass = torch.cartesian_prod(*[torch.from_numpy(weights / weights.sum())] * chain.levels)
    mass = mass.reshape(-1, chain.levels).prod(1)
    for i in range(5):
        noise = iter(grid.T[:, :, None])
        q = subject.represent(x[i : i + 1].expand(len(grid), 1))
        z = q._down(lambda name, part, e=noise: part.mean + part.stddev * next(e), q.batch_shape)[0]
        terms = kl_blocks(q, subject.prior(), z)
        value = subject.decode(z).log_prob(x[i : i + 1]) - sum(terms.values())
        assert (mass @ value).item() == pytest.approx(expected[i].item(), abs=1e-4)
        for name, rate in terms.items():
            assert (mass @ rate).item() == pytest.approx(rates[name][i].item(), abs=1e-4)


def linear_bound(chain, posteriors, x):
    """ELBO and KL of each level, from the moments of (x, z) under q."""
    n, count = len(x), chain.levels
    mean = torch.zeros(n, count, dtype=F64)  # of z_L, ..., z_1
    root = torch.zeros(count, count, dtype=F64)  # rows: loadings on each level's noise
    rates, previous = {}, None
    for place, (slope, scale) in enumerate(posteriors):
        level = count - place
        mean[:, place] = x[:, 0] * slope[0]
        if place:
            mean[:, place] += slope[1] * mean[:, place - 1]
            root[place] = slope[1] * root[place - 1]
            # q's mean less p's is linear in the level above: its square has mean and variance.
            a, s = chain.slopes[level], chain.noises[level]
            away = mean[:, place] - a * mean[:, place - 1]
            spread = ((slope[1] - a) * root[place - 1]).square().sum()
        else:
            s, away, spread = 1.0, mean[:, place], torch.zeros((), dtype=F64)
        rates[f"z_{level}"] = (
            math.log(s) - scale.log() + (scale**2 + away**2 + spread) / (2 * s**2) - 0.5
        )
        root[place, place] = scale
        previous = place
    a, s = chain.slopes[0], chain.noises[0]
    error = (x[:, 0] - a * mean[:, previous]) ** 2 + a**2 * root[previous].square().sum()
    nll = 0.5 * (error / s**2 + math.log(2 * math.pi * s**2))
    return -nll - sum(rates.values()), rates


def test_a_level_that_x_says_nothing_of_collapses():
    """z_2 that z_1 does not depend on: its exact posterior is its prior, and costs nothing."""
    chain = LinearChain([1.5, 0.0], [0.5, 0.7])
    subject = model(chain)
    x = chain.sample(50)
    t = subject.trace(Images(x))
    rates = kl_blocks(t.q, t.prior, t.z)
    assert rates["z_2"].abs().max().item() < 1e-12
    assert rates["z_1"].mean().item() > 0.3


def test_training_finds_the_evidence_and_the_collapse():
    """A ladder of linear networks on data of one latent: the top level goes to its prior."""
    torch.manual_seed(0)
    chain = LinearChain([2.0, 0.0], [1.0, 1.0])
    x = chain.sample(4000).float()
    data = FactorDataset.from_arrays(x)
    from untwine.nets import MLP

    method = LadderVAE.build(data, levels=(1, 1), hidden=16, batch_norm=False, net=MLP(()), seed=0)
    opts = {"vae": torch.optim.Adam(method.parameters(), 1e-2)}
    for step in range(600):
        batch = Images(x[torch.randint(4000, (256,))])
        list(play(method.moves(batch, Context(torch.tensor(step), 4000)), opts))
    method.eval()
    with torch.no_grad():
        t = method.trace(Images(x))
        rates = {n: v.mean().item() for n, v in kl_blocks(t.q, t.prior, t.z).items()}
        value = (t.p.log_prob(t.x) - sum(kl_blocks(t.q, t.prior, t.z).values())).mean().item()
    evidence = chain.log_evidence(x.double()).mean().item()
    assert rates["z_2"] < 0.02
    assert rates["z_1"] == pytest.approx(0.5 * math.log(5), abs=0.1)
    assert evidence - 0.06 < value < evidence + 0.03


def test_precision_weighted_combination_is_the_product_of_gaussians():
    torch.manual_seed(0)
    data = FactorDataset.from_arrays(torch.rand(20, 7))
    method = LadderVAE.build(data, levels=(2, 3), seed=0).double().eval()
    x = torch.rand(6, 7, dtype=F64)
    top_down, head = method.model.top_down, Diagonal()
    seen = method.encoder.net(x)
    z_2 = torch.randn(6, 2, dtype=F64)
    found = {}
    values = {"z_2": z_2, "z_1": torch.zeros(6, 3, dtype=F64)}

    def draw(name, p, q):
        found[name] = p, q
        return values[name]

    top_down.descend(draw, (seen,), 6)
    p, q = found["z_1"]
    own = head(seen[:, 4:])
    grid = torch.linspace(-30, 30, 200_001, dtype=F64)
    for j in range(3):
        density = (
            torch.distributions.Normal(own.mean[0, j], own.stddev[0, j]).log_prob(grid)
            + torch.distributions.Normal(p.mean[0, j], p.stddev[0, j]).log_prob(grid)
        ).exp()
        density = density / density.sum()
        mean = (density * grid).sum()
        assert q.mean[0, j].item() == pytest.approx(mean.item(), abs=1e-8)
        variance = (density * (grid - mean) ** 2).sum()
        assert q.variance[0, j].item() == pytest.approx(variance.item(), abs=1e-6)
    again = product(own, p)
    torch.testing.assert_close(q.mean, again.mean)


def test_a_very_deep_vae_of_one_level_is_the_vae():
    """The same networks as a plain model's encoder, decoder and prior: equal terms."""
    torch.manual_seed(0)
    data = FactorDataset.from_arrays((torch.rand(40, 1, 8, 8) > 0.5).float())
    deep = VeryDeepVAE.build(data, latent_dim=3, blocks=(1,), width=8, seed=0).double()
    down = deep.model.top_down
    for parameter in down.parameters():  # no block is at its special beginning
        parameter.data += 0.1 * torch.randn_like(parameter)

    class Encoder(nn.Module):
        def forward(self, x):
            level = down.stages[0][0]
            told = deep.encoder.net(x)[-1]
            state = down.biases[0].expand(len(x), -1, -1, -1)
            h = level.posterior(torch.cat([state, told], 1))
            return Diagonal()(h.flatten(1))

    class Decoder(nn.Module):
        def forward(self, z):
            return deep.decoder(z)

    class Prior(nn.Module):
        def forward(self):
            h = down.stages[0][0].prior(down.biases[0][None])[0, :6, 0, 0]
            return diagonal_normal(h[:3], (h[3:] / 2).exp())

    flat = VAE(Model(Encoder(), Decoder(), Prior()))
    batch = Images(data.observations(range(16)).double())
    losses = []
    for method in (deep, flat):
        torch.manual_seed(3)
        losses.append(next(iter(method.moves(batch, CTX)))["vae"])
    torch.testing.assert_close(losses[0].total, losses[1].total, rtol=0, atol=1e-10)
    torch.testing.assert_close(losses[0].terms["nll"], losses[1].terms["nll"])
    torch.testing.assert_close(losses[0].terms["kl_z_1x1_0"], losses[1].terms["kl"])


def test_at_first_every_prior_is_standard_normal():
    data = FactorDataset.from_arrays(torch.rand(20, 3, 16, 16))
    method = VeryDeepVAE.build(data, latent_dim=2, blocks=(2, 2, 1), width=8, seed=0)
    q = method.represent(data.observations(range(4)))
    for part in method.prior().given(torch.randn(4, q.event_shape[0])).parts.values():
        assert not part.mean.any()
        assert (part.stddev == 1).all()
    assert method.levels == (
        "z_1x1_0", "z_1x1_1", "z_4x4_0", "z_4x4_1", "z_8x8_0",
    )  # fmt: skip


def test_a_chain_is_the_joint_gaussian():
    chain = model(THREE).prior()
    z = chain.sample((5,))
    assert chain.mean.tolist() == [0.0, 0.0, 0.0]
    covariance = THREE.covariance()[1:, 1:].flip(0, 1)
    joint = MultivariateNormal(torch.zeros(3, dtype=F64), covariance)
    torch.testing.assert_close(chain.log_prob(z), joint.log_prob(z))
    torch.manual_seed(0)
    drawn = chain.sample((50_000,))
    torch.testing.assert_close(torch.cov(drawn.T), covariance, atol=0.1, rtol=0.05)


def test_what_is_known_of_a_chain_stays_and_the_rest_follows_from_it():
    chain = model(TWO).prior()
    top = torch.tensor([[1.0], [-2.0]], dtype=F64)
    z = chain.complete({"z_2": top})
    torch.testing.assert_close(z, torch.cat([top, -0.8 * top], 1))
    torch.manual_seed(0)
    drawn = chain.complete({"z_2": top.expand(2, 1).repeat(20_000, 1)}, "sample")[:, 1]
    assert drawn[::2].mean().item() == pytest.approx(-0.8, abs=0.02)
    assert drawn[::2].std().item() == pytest.approx(0.7, abs=0.02)
    assert chain.complete({}, rows=4).shape == (4, 2)
    with pytest.raises(ValueError, match="nothing is known: say how many rows"):
        chain.complete({})
    flat = Blocks({"a": diagonal_normal(torch.zeros(2), torch.ones(2))})
    assert flat.complete({}, rows=3).shape == (3, 2)


def test_many_samples_of_a_batch_are_each_rows_own():
    torch.manual_seed(0)
    x = THREE.sample(4)
    q = model(THREE).represent(x)
    z = q.rsample((6,))
    whole = q.log_prob(z)
    for i in range(4):
        torch.testing.assert_close(
            model(THREE).represent(x[i : i + 1]).log_prob(z[:, i : i + 1]), whole[:, i : i + 1]
        )
    joined = Chain.joined([model(THREE).represent(x[:1]), model(THREE).represent(x[1:])])
    torch.testing.assert_close(joined.mean, q.mean)
    pairs = q.log_prob(z[0].unsqueeze(1))
    assert pairs.shape == (4, 4)
    torch.testing.assert_close(pairs.diagonal(), whole[0])


def test_free_bits_cost_what_they_say():
    q = Blocks(
        {
            "a": diagonal_normal(torch.full((4, 1), 2.0), torch.ones(4, 1)),
            "b": diagonal_normal(torch.full((4, 1), 0.1), torch.ones(4, 1)),
        }
    )
    prior = Blocks({n: diagonal_normal(torch.zeros(1), torch.ones(1)) for n in ("a", "b")})
    from untwine.methods import Trace

    t = Trace(None, torch.zeros(4, 1), q, q.mean, None, prior)
    loss = LevelKL(beta=3.0, free_bits=0.5)(t, CTX)
    assert loss.total.item() == pytest.approx(3.0 * (2.0 + 0.5))
    assert loss.terms["kl_b"].item() == pytest.approx(0.005)
    assert loss.terms["kl"].item() == pytest.approx(2.005)
    assert LevelKL()(t, CTX).total.item() == pytest.approx(2.005)
