"""The table of docs/public_bugs.md: each number that it gives of others, and of this library.

What others compute is written down anew, in the few lines that matter; nothing is imported. The two
numbers that a test expects are those of its row.
"""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import adjusted_mutual_info_score

from untwine import metrics
from untwine.data import FactorDataset, FactorSpace, PairsSampler
from untwine.distributions import GaussianMixture, StandardNormal, diagonal_normal
from untwine.functional import (
    cross_entropy_to,
    decompose,
    density_ratio,
    log_densities,
    permute_dims,
)
from untwine.methods import (
    DIP,
    KL,
    QLAE,
    Capacity,
    Context,
    FactorVAE,
    MixtureBound,
    Trace,
    play,
)
from untwine.metrics._estimators.neighbors import neighbor_information, spread_ties

PAGE = Path(__file__).parents[2] / "docs/public_bugs.md"


@cache
def rows():
    """By test, what the row says: the number of others, and the right one."""
    table = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[4].startswith("`test_"):
            theirs, right = (float(cell.split()[0].replace(",", "")) for cell in cells[2:4])
            table[cells[4].strip("`")] = theirs, right
    return table


@pytest.fixture
def said(request):
    """The two numbers of a test's row."""
    return rows()[request.node.originalname]


def near(value, tolerance=1e-3):
    return pytest.approx(value, rel=tolerance, abs=tolerance, nan_ok=True)


def test_every_row_has_a_test_and_every_test_a_row():
    tests = {name for name in globals() if name.startswith("test_") and "every_row" not in name}
    assert set(rows()) == tests
    assert len(tests) >= 15


def trace(loc, scale):
    """What a penalty sees of posteriors."""
    q = diagonal_normal(loc, scale)
    torch.manual_seed(0)
    return Trace(None, loc, q, q.rsample(), None, StandardNormal(loc.shape[1])(), None)


CTX = Context(torch.tensor(0), 1000)


def vectors(n=64, dim=5):
    x = np.random.default_rng(0).normal(size=(n, dim)).astype(np.float32)
    return FactorDataset.from_arrays(x, np.arange(n)[:, None] % 2, ["a"])


# Total correlation


def test_stratified_weights(said):
    """Posteriors of 1,000 examples, all apart in both dimensions: the TC is log 1000."""
    n, batch = 1000, 10
    loc = torch.arange(float(batch)).double()[:, None].expand(-1, 2) * 100
    q = diagonal_normal(loc, torch.ones_like(loc))
    torch.manual_seed(0)
    z = q.rsample()
    joint, marginal = log_densities(q, z)
    other = batch - 1
    weights = torch.full((batch * batch,), 1 / other).double()
    weights[::batch] = 1 / n  # a stride of the width goes down the first column
    weights[1::batch] = (n - other) / (n * other)
    weights = weights.reshape(batch, batch).log()
    weights[other - 1, 0] = math.log((n - other) / (n * other))
    product = torch.logsumexp(marginal + weights[..., None], 1).sum(-1)
    theirs = (torch.logsumexp(joint + weights, 1) - product).mean().item()
    ours = decompose(q, StandardNormal(2).double()(), z, n, "mss").total_correlation.mean().item()
    assert (theirs, ours) == (near(said[0]), near(said[1]))
    assert said[1] == near(math.log(n))


def test_sums_of_densities_that_underflow(said):
    """A batch of 64 that is alike in 100 dimensions: the exponential comes before the sum."""
    torch.manual_seed(0)
    loc = torch.zeros(64, 100)
    q = diagonal_normal(loc, torch.ones_like(loc))
    z = q.rsample()
    joint, marginal = log_densities(q, z)
    theirs = (joint.exp().sum(1).log() - marginal.exp().sum(1).log().sum(1)).mean().item()
    ours = decompose(q, StandardNormal(100)(), z, 64, "mss").total_correlation.mean().item()
    assert (theirs, ours) == (said[0], near(said[1], 0.05))


def test_determinant_that_underflows(said):
    """25 pairs of codes of variance 1/2 with a correlation of .917."""
    correlation = np.kron(np.eye(25), [[1, 0.917], [0.917, 1]])
    codes = np.random.default_rng(0).multivariate_normal(np.zeros(50), correlation / 2, 40_000)
    product, determinant = np.prod(codes.var(0)), np.linalg.det(np.cov(codes.T))
    theirs = 0.5 * np.log(product / determinant) if product > 1e-10 and determinant > 0 else 0.0
    ours = float(metrics.gaussian_total_correlation(codes))
    assert (theirs, ours) == (said[0], near(said[1], 0.01))
    assert -0.5 * 25 * math.log(1 - 0.917**2) == near(said[1], 0.01)


def test_sum_over_dimensions_after_the_constant(said):
    """Four posteriors of 1,000 that are all apart in four dimensions: the TC is 3 log 1000."""
    n, loc = 1000, 100 * torch.arange(4.0)[:, None].expand(-1, 4)
    q = diagonal_normal(loc, torch.ones(4, 4))
    torch.manual_seed(0)
    z = q.rsample()
    joint, marginal = log_densities(q, z)
    constant = torch.tensor([4.0 * n]).log()
    # The sum binds to the logarithm, not to the difference: (B, D) is taken from (B,).
    product = torch.logsumexp(marginal, 1) - constant.sum(-1)
    theirs = ((torch.logsumexp(joint, 1) - constant) - product).mean().clamp(min=0).item()
    ours = decompose(q, StandardNormal(4)(), z, n, "mss").total_correlation.mean().item()
    assert (theirs, ours) == (said[0], near(said[1]))
    assert said[1] == near(3 * math.log(n))
    with pytest.raises(RuntimeError):  # and with another batch than 4 it cannot be computed at all
        torch.logsumexp(joint[:3], 1) - product


# FactorVAE


def test_critic_that_teaches_the_encoder(said):
    """What the critic's loss adds to the gradient of the codes, relative to the TC's."""
    torch.manual_seed(0)
    z, critic = torch.randn(64, 4, requires_grad=True), torch.nn.Linear(4, 2)
    shuffled = permute_dims(z).detach()
    verdict = critic(z)
    vae = torch.autograd.grad(density_ratio(verdict).mean(), z, retain_graph=True)[0]
    loss = 0.5 * (cross_entropy_to(verdict, 0) + cross_entropy_to(critic(shuffled), 1)).mean()
    theirs = (torch.autograd.grad(loss, z)[0].norm() / vae.norm()).item()
    data = vectors()
    method = FactorVAE.build(data, latent_dim=3, critic_width=8, seed=0)
    moves = method.moves(data.batch(range(64)), CTX)
    next(moves)
    (loss,) = next(moves).values()
    gradients = torch.autograd.grad(loss.total, list(method.model.parameters()), allow_unused=True)
    ours = sum(0 if g is None else g.norm().item() for g in gradients)
    assert (theirs, ours) == (near(said[0], 0.02), said[1])


def test_dimensions_permuted_within_an_example(said):
    """Dependence that is left between two equal dimensions: their correlation."""
    torch.manual_seed(0)
    z = torch.randn(2000, 1).repeat(1, 2)
    within = torch.stack([row[torch.randperm(2)] for row in z])
    theirs, ours = (np.corrcoef(t.numpy().T)[0, 1] for t in (within, permute_dims(z)))
    assert (theirs, ours) == (near(said[0]), near(said[1], 0.06))


def test_step_counter_of_two_optimizers(said):
    """Updates of the encoder in a training of 300 steps."""
    steps, theirs = 0, 0
    while steps < 300:
        theirs += 1
        steps += 2  # each of the two optimizers counts
    data = vectors()
    method = FactorVAE.build(data, latent_dim=2, critic_width=8, seed=0)
    players = method.players()
    optimizers = {name: p.optimizer(p.parameters()) for name, p in players.items()}
    for step in range(30):
        list(play(method.moves(data.batch(range(8)), Context(torch.tensor(step), 64)), optimizers))
    parameter = next(method.model.encoder.parameters())
    ours = 10 * optimizers["vae"].state[parameter]["step"].item()
    assert (theirs, ours) == said


# DIP-VAE


def test_mean_variance_as_a_scalar(said):
    """Codes at the prior: the covariance of q(z) is the identity, and nothing is to be paid."""
    loc, variance = torch.zeros(64, 3), torch.ones(64, 3)
    covariance = torch.cov(loc.T) + torch.diag(variance).mean(0)  # a number, added everywhere
    off = covariance - torch.diag(covariance.diagonal())
    theirs = 10 * ((covariance.diagonal() - 1) ** 2).sum() + 5 * (off**2).sum()
    ours = DIP("II", lambda_od=5.0, lambda_d=10.0)(trace(loc, variance.sqrt()), CTX)
    assert (theirs.item(), float(ours.terms["dip"])) == (near(said[0]), near(said[1]))


def test_covariance_over_the_wrong_axis(said):
    """Four examples with one and the same mean, (3, -3), and unit variances: covariance I."""
    loc, log_variance = torch.tensor([[3.0, -3.0]]).expand(4, -1), torch.zeros(4, 2)
    centered = loc - loc.mean(1, keepdim=True)
    covariance = centered.T @ centered  # of dimensions, and not divided by the batch
    covariance = covariance + torch.diagonal((2 * log_variance).exp(), dim1=0).mean(0)
    off = covariance - torch.diag(covariance.diagonal())
    theirs = 10 * ((covariance.diagonal() - 1) ** 2).sum() + 5 * (off**2).sum()
    ours = DIP("II", lambda_od=5.0, lambda_d=10.0)(trace(loc, log_variance.exp()), CTX)
    assert (theirs.item(), float(ours.terms["dip"])) == (near(said[0]), near(said[1]))


# The VAE


def test_divergence_that_is_cut_off(said):
    """The gradient of the divergence with respect to a mean of 3: 3, unless it is clamped."""
    for capacity, penalty in ((0.0, KL()), (2.0, Capacity(1.0, 2.0, 1))):
        loc = torch.full((8, 1), 3.0, requires_grad=True)
        divergence = (0.5 * loc**2).sum(1).mean()
        theirs = torch.autograd.grad(divergence.clamp(min=0, max=capacity), loc)[0].sum().item()
        loss = penalty(trace(loc, torch.ones(8, 1)), Context(torch.tensor(1), 8))
        ours = torch.autograd.grad(loss.total, loc)[0].sum().item()
        assert (theirs, ours) == said


def test_half_of_the_noise(said):
    """The standard deviation of samples of a unit Gaussian."""
    noise = np.random.default_rng(0).normal(size=100_000)
    theirs = (0.5 * noise * np.exp(0.5 * 0.0) + 0.0).std()
    torch.manual_seed(0)
    ours = diagonal_normal(torch.zeros(100_000, 1), torch.ones(100_000, 1)).rsample().std().item()
    assert (theirs, ours) == (near(said[0], 0.01), near(said[1], 0.01))


# Clusters


def mixture(dim):
    """Two clusters five deviations apart, the second the rarer one."""
    prior = GaussianMixture(dim, 2).double()
    with torch.no_grad():
        prior.loc.zero_()
        prior.loc[1, 0] = 5.0
        prior.log_scale.zero_()
        prior.logits.copy_(torch.tensor([0.6, 0.4]).log())
    return prior


def test_logarithm_of_a_density_that_vanishes(said):
    """The share of the second cluster's points that it gets, in 60 dimensions."""
    prior, rng = mixture(60), np.random.default_rng(0)
    codes = rng.normal(size=(500, 60))
    codes[:, 0] += 5
    scores = [
        np.log(1e-9 + w) + np.log(1e-9 + stats.multivariate_normal.pdf(codes, m, np.eye(60)))
        for w, m in zip((0.6, 0.4), prior.loc.detach().numpy(), strict=True)
    ]
    theirs = np.argmax(scores, 0).mean()
    ours = prior.responsibilities(torch.from_numpy(codes)).argmax(1).double().mean().item()
    assert (theirs, ours) == (said[0], near(said[1], 0.02))


def test_assignments_of_what_is_far_from_all_clusters(said):
    """q(c|x) at (12, 0, ..., 0) in ten dimensions, of the cluster at 5 against that at 0."""
    prior, z = mixture(10), torch.zeros(1, 10, dtype=torch.float64)
    z[0, 0] = 12.0
    log_joint = prior().component_distribution.log_prob(z[:, None]) + prior.logits.log_softmax(0)
    weights = log_joint.exp() + 1e-10
    theirs = (weights / weights.sum(1, keepdim=True))[0, 1].item()
    assert (theirs, prior.responsibilities(z)[0, 1].item()) == (near(said[0]), near(said[1]))
    q = diagonal_normal(z, torch.ones_like(z))
    terms = MixtureBound()(Trace(None, z, q, z, None, prior(), None), CTX).terms
    assert terms["categorical"].item() == near(-math.log(0.4))


def test_index_under_the_name_of_another(said):
    """What is reported as ARI, the adjusted mutual information: every class in four clusters."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, 2000)
    clusters = 4 * truth + rng.integers(0, 4, 2000)
    theirs = adjusted_mutual_info_score(truth, clusters)
    ours = float(metrics.ari(rng.normal(size=(2000, 2)), truth[:, None], clusters=clusters))
    table = np.histogram2d(truth, clusters, (5, 20))[0]
    pairs = [(t * (t - 1) / 2).sum() for t in (table, table.sum(0), table.sum(1))]
    expected = pairs[1] * pairs[2] / (2000 * 1999 / 2)
    assert ours == near((pairs[0] - expected) / ((pairs[1] + pairs[2]) / 2 - expected))
    assert (theirs, ours) == (near(said[0], 0.02), near(said[1], 0.02))


# Metrics


def test_classes_read_as_numbers(said):
    """SAP of a code that tells three classes apart: what other numbers for the classes change."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 3000)
    codes = np.stack([classes - 1 + 0.05 * rng.normal(size=3000), rng.normal(size=3000)], 1)

    def by_regression(y):
        r2 = [LinearRegression().fit(codes[:, [d]], y).score(codes[:, [d]], y) for d in (0, 1)]
        return r2[0] - r2[1]

    renamed = np.array([1, 0, 2])[classes]
    theirs = by_regression(classes) - by_regression(renamed)
    ours = float(metrics.sap(codes, classes[:, None])) - float(metrics.sap(codes, renamed[:, None]))
    assert (theirs, ours) == (near(said[0], 0.02), near(said[1]))


def test_noise_of_a_column_far_from_zero(said):
    """Classes 0, 1, 2 and a code around them, by the same estimator after either noise."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 2000)
    code = (classes + 0.05 * rng.normal(size=2000))[:, None] + 1e10
    scaled = code / code.std(0)
    size = 1e-10 * np.maximum(1, np.abs(scaled).mean(0))
    noisy = scaled + size * np.random.default_rng(1).normal(size=code.shape)
    theirs = neighbor_information(noisy[:, 0], classes, 3)
    ours = neighbor_information(spread_ties(code, 0)[:, 0], classes, 3)
    assert (theirs, ours) == (near(said[0], 0.05), near(said[1]))


# Quantized codes


def test_codebook_without_a_gradient(said):
    """Entries of two codebooks of three that ten steps move, all of them in use."""
    codebook = torch.linspace(-0.5, 0.5, 3).repeat(2, 1).requires_grad_()
    h = torch.linspace(-0.6, 0.6, 64)[:, None].expand(-1, 2).clone().requires_grad_()
    nearest = (h[..., None] - codebook).abs().argmin(-1, keepdim=True)
    z = codebook.expand(64, -1, -1).gather(-1, nearest)[..., 0]
    z = h + (z - h).detach()
    loss = F.mse_loss(z.detach(), h) + F.mse_loss(h.detach(), z)  # both after the rounding
    gradient = torch.autograd.grad(loss, codebook, allow_unused=True)[0]
    theirs = 0 if gradient is None else int((gradient != 0).sum())
    data = vectors()
    method = QLAE.build(data, 2, values=3, seed=0)
    for parameter in method.encoder.net.parameters():  # codes over the whole of the codebooks
        parameter.data.mul_(2)
    before = method.encoder.head.codebooks.detach().clone()
    optimizers = {n: p.optimizer(p.parameters()) for n, p in method.players().items()}
    for _ in range(10):
        list(play(method.moves(data.batch(range(64)), CTX), optimizers))
    ours = int((method.encoder.head.codebooks.detach() != before).sum())
    assert (theirs, ours) == said


# Data


def test_factor_sizes_that_are_too_small(said):
    """The share of color labels that are right, of 1,036,800 images in a grid of 6, 6, 2, ..."""
    names = ("color", "shape", "size", "height", "background", "first", "second")
    small = FactorSpace(names, (4, 4, 2, 3, 3, 40, 40))
    true = FactorSpace(names, (6, 6, 2, 3, 3, 40, 40))
    rows = np.arange(len(small))
    theirs = (true.factors(rows)[:, 0] == small.factors(rows)[:, 0]).mean()
    ours = (true.factors(np.arange(len(true)))[:: 6 * 1600, 0] < 6).mean()
    assert (theirs, ours) == (near(said[0], 0.01), said[1])
    with pytest.raises((IndexError, ValueError)):  # rows that the sizes leave no place for
        small.factors(np.arange(len(true)))


def test_pairs_that_change_less_than_they_say(said):
    """The share of pairs that differ in two factors, of those drawn for k = 2."""
    rng = np.random.default_rng(0)
    sizes, differ = np.array((3, 6, 40, 32, 32)), []
    for _ in range(4000):
        which = rng.choice(5, rng.choice([1, 2]), replace=False)
        first = rng.integers(0, sizes)
        second = first.copy()
        second[which] = rng.integers(0, sizes[which])
        differ.append((first != second).sum())
    space = FactorSpace(tuple("abcde"), (3, 6, 4, 3, 3))
    factors = space.factors(np.arange(len(space)))
    pairs = PairsSampler(2)(space, factors, 4000, rng)
    ours = ((factors[pairs[:, 0]] != factors[pairs[:, 1]]).sum(1) == 2).mean()
    assert ((np.array(differ) == 2).mean(), ours) == (near(said[0], 0.06), said[1])


# Critics


def test_critic_of_squared_errors(said):
    """What a critic learns from an example that it gets wrong with log odds of 10."""
    logit = torch.tensor(10.0, requires_grad=True)  # the target is 0
    theirs = torch.autograd.grad((logit.sigmoid() - 0) ** 2, logit)[0].item()
    two = torch.stack([logit, torch.zeros(())])[None]
    ours = torch.autograd.grad(cross_entropy_to(two, 1).sum(), logit)[0].item()
    assert (theirs, ours) == (near(said[0], 1e-5), near(said[1]))
