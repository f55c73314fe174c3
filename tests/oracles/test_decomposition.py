"""The parts of the average KL against an exactly known aggregate posterior."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from untwine.distributions import FullCovariance, StandardNormal, diagonal_normal
from untwine.functional import decompose, log_densities, log_importance_weights
from untwine.methods import Context, TotalCorrelation, Trace

N = 5
LOC = torch.tensor(
    [[-2.0, -1.8], [-1.0, -0.7], [0.1, 0.2], [1.1, 0.8], [2.0, 2.1]], dtype=torch.float64
)
SCALE = torch.tensor(
    [[0.5, 0.4], [0.3, 0.6], [0.5, 0.5], [0.4, 0.3], [0.6, 0.5]], dtype=torch.float64
)


def posterior(index=slice(None)):
    return diagonal_normal(LOC[index], SCALE[index])


def exact():
    """MI, TC, dimension-wise KL and KL of the five posteriors, on a fine grid."""
    grid = np.linspace(-6, 6, 601)
    cell = (grid[1] - grid[0]) ** 2
    a = stats.norm.pdf(grid[None], LOC[:, 0:1].numpy(), SCALE[:, 0:1].numpy())
    b = stats.norm.pdf(grid[None], LOC[:, 1:2].numpy(), SCALE[:, 1:2].numpy())
    each = a[:, :, None] * b[:, None, :]
    q = each.mean(0)
    q0, q1 = a.mean(0), b.mean(0)
    p = stats.norm.pdf(grid)

    def mean_log(density, ratio):
        return float((density * np.log(ratio)).sum() * cell)

    with np.errstate(divide="ignore", invalid="ignore"):
        mi = np.mean([np.nansum(d * np.log(d / q)) * cell for d in each])
        tc = mean_log(q, q / (q0[:, None] * q1[None]))
        step = grid[1] - grid[0]
        dim = float((q0 * np.log(q0 / p)).sum() * step + (q1 * np.log(q1 / p)).sum() * step)
    return mi, tc, dim


def test_the_three_parts_add_up_to_the_kl():
    mi, tc, dim = exact()
    q = posterior()
    closed = -0.5 * (1 + 2 * SCALE.log() - LOC**2 - SCALE**2).sum(1).mean().item()
    assert mi + tc + dim == pytest.approx(closed, abs=1e-6)
    z = q.rsample()
    for estimator in ("mws", "mss"):
        parts = decompose(q, StandardNormal(2).double()(), z, size=N, estimator=estimator)
        total = parts.mutual_information + parts.total_correlation + parts.dimension_kl
        torch.testing.assert_close(total, q.log_prob(z) - StandardNormal(2).double()().log_prob(z))


def test_weighted_sampling_carries_the_constants_that_the_penalty_names():
    """With every example in the batch, the average over it is the aggregate posterior."""
    torch.manual_seed(0)
    q, log_n = posterior(), math.log(N)
    draws = [decompose(q, StandardNormal(2).double()(), q.rsample(), N, "mws") for _ in range(4000)]
    names = ("mutual_information", "total_correlation", "dimension_kl")
    means = [torch.stack([getattr(d, name).mean() for d in draws]).mean().item() for name in names]
    constants = (log_n, log_n, -2 * log_n)  # of D = 2 dimensions
    for mean, value, constant in zip(means, exact(), constants, strict=True):
        assert mean == pytest.approx(value + constant, abs=0.03)
    rules = TotalCorrelation().rules(q, q)
    assert [rule.split(", ")[2] for rule in rules.values()] == [
        "+ log N",
        "+ (D - 1) log N",
        "- D log N",
    ]


def test_stratified_weights_are_on_the_diagonal_and_sum_to_one():
    weights = log_importance_weights(4, 100).exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(weights.diagonal(), torch.full((4,), 1 / 100, dtype=torch.float64))
    off = weights[~torch.eye(4, dtype=torch.bool)].reshape(4, 3)
    assert ((off - 1 / 3).abs() < 1e-12).sum(1).tolist() == [2, 2, 2, 2]
    assert ((off - (100 - 3) / (100 * 3)).abs() < 1e-12).sum(1).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("batch", [2, 3, 4, 5])
def test_stratified_estimate_of_the_aggregate_posterior_is_unbiased(batch):
    """Averaged over all batches in all orders, the estimate of q(z_i) is q(z_i) itself."""
    z = torch.tensor([0.3, -0.4], dtype=torch.float64)
    weights = log_importance_weights(batch, N).exp()
    density = posterior().log_prob(z).exp()
    for i in range(N):
        others = [j for j in range(N) if j != i]
        estimates = [
            (weights[0] * density[[i, *rest]]).sum()
            for rest in itertools.permutations(others, batch - 1)
        ]
        assert torch.stack(estimates).mean().item() == pytest.approx(
            density.mean().item(), rel=1e-12
        )


def test_weighted_sampling_is_its_formula():
    torch.manual_seed(0)
    index = torch.tensor([0, 2, 4])
    q = posterior(index)
    z = q.rsample()
    size = 1000
    parts = decompose(q, StandardNormal(2).double()(), z, size, "mws")
    for i in range(3):
        joint = sum(math.exp(posterior(j).log_prob(z[i])) for j in index) / (size * 3)
        product = math.prod(
            sum(stats.norm.pdf(z[i, d].item(), LOC[j, d].item(), SCALE[j, d].item()) for j in index)
            / (size * 3)
            for d in range(2)
        )
        assert parts.total_correlation[i].item() == pytest.approx(math.log(joint / product))
        assert parts.mutual_information[i].item() == pytest.approx(
            q.log_prob(z)[i].item() - math.log(joint)
        )


def test_stratified_estimate_of_a_large_batch_approaches_the_exact_parts():
    """On a big set the bias of log is small, and all three parts come out right."""
    torch.manual_seed(0)
    mi, tc, dim = exact()
    copies = 400  # every example 400 times: the same aggregate posterior, and N = 2000
    q = diagonal_normal(LOC.repeat(copies, 1), SCALE.repeat(copies, 1))
    parts = decompose(
        q, StandardNormal(2).double()(), q.rsample(), size=N * copies, estimator="mss"
    )
    # among N = 2000 repeated examples the index has log 400 nats more that z does not tell
    assert parts.total_correlation.mean().item() == pytest.approx(tc, abs=0.06)
    assert parts.dimension_kl.mean().item() == pytest.approx(dim, abs=0.12)
    assert parts.mutual_information.mean().item() == pytest.approx(mi, abs=0.06)


def test_full_covariance_marginals():
    torch.manual_seed(0)
    q = FullCovariance()(torch.randn(3, 5, dtype=torch.float64))
    z = torch.randn(4, 2, dtype=torch.float64)
    joint, marginal = log_densities(q, z)
    for i, m, d in itertools.product(range(4), range(3), range(2)):
        sd = math.sqrt(q.covariance_matrix[m, d, d].item())
        assert marginal[i, m, d].item() == pytest.approx(
            stats.norm.logpdf(z[i, d].item(), q.loc[m, d].item(), sd)
        )
        assert joint[i, m].item() == pytest.approx(
            stats.multivariate_normal.logpdf(
                z[i].numpy(), q.loc[m].numpy(), q.covariance_matrix[m].numpy()
            )
        )


def test_total_correlation_weighs_beta_instead_of_one():
    torch.manual_seed(0)
    q = posterior()
    z = q.rsample()
    prior = StandardNormal(2).double()()
    t = Trace(None, x=z, q=q, z=z, p=q, prior=prior)
    ctx = Context(torch.tensor(0), 50)

    def total(**weights):
        terms = TotalCorrelation(**weights)(t, ctx)
        return sum(w * v.mean() for w, v in terms.values())

    kl = (q.log_prob(z) - prior.log_prob(z)).mean()
    tc = decompose(q, prior, z, 50).total_correlation.mean()
    torch.testing.assert_close(total(beta=1.0), kl)
    torch.testing.assert_close(total(beta=6.0), kl + 5 * tc)


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="a batch of 64 and 40 examples"):
        log_importance_weights(64, 40)
    with pytest.raises(ValueError, match="estimator is 'msw'"):
        decompose(posterior(), StandardNormal(2).double()(), LOC, N, "msw")
    with pytest.raises(ValueError, match="estimator is 'exact'"):
        TotalCorrelation(estimator="exact")
