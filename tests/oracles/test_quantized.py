"""Quantized codes, the multiinformation of kernel densities, Hessian penalties: exact cases."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

import untwine.methods as m
from untwine.data import FactorDataset
from untwine.distributions import (
    FiniteScalar,
    GridPrior,
    Quantized,
    ScalarCodebooks,
    UniformGrid,
)
from untwine.functional import (
    hessian_penalty,
    kernel_multiinformation,
    kl,
    second_differences,
)
from untwine.methods import Context, play


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    return FactorDataset.from_arrays(torch.rand(64, 12, generator=generator))


def contexts(steps):
    return [Context(torch.tensor(step), 64) for step in range(steps)]


def test_a_code_is_the_nearest_entry_and_passes_the_gradient():
    head = ScalarCodebooks(latent_dim=2, values=3)
    h = torch.tensor([[0.2, 0.3], [-9.0, -0.3]], requires_grad=True)
    q = head(h)
    assert q.mean.tolist() == [[0.0, 0.5], [-0.5, -0.5]]
    (q.rsample() * torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert h.grad.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert head.codebooks.grad is None  # the decoder's gradient passes the codebooks by


def test_a_value_is_exactly_one_of_the_grid():
    head = ScalarCodebooks(latent_dim=4, values=10)
    z = head(torch.randn(1000, 4)).rsample()
    assert (z[..., None] == head.codebooks).any(-1).all()


def test_finite_scalars_round_to_even_levels():
    q = FiniteScalar(levels=5)(torch.atanh(torch.tensor([[-0.99, -0.6, 0.1, 0.26, 0.8]])))
    assert q.mean.tolist() == [[-1.0, -0.5, 0.0, 0.5, 1.0]]


def test_finite_scalars_have_the_gradient_of_tanh():
    h = torch.tensor([[0.3, -2.0]], requires_grad=True)
    FiniteScalar(levels=12)(h).rsample().sum().backward()
    torch.testing.assert_close(h.grad, 1 - h.detach().tanh() ** 2)


def test_both_terms_of_quantization_are_squares_with_one_gradient_each(data):
    method = m.QLAE.build(data, 2, values=3, seed=0, codebook=0.5, commitment=0.25)
    head = method.encoder.head
    t = method.trace(data.batch(range(8)))
    terms = method.penalty(t, contexts(1)[0])
    square = ((t.q.continuous - t.q.nearest) ** 2).mean(-1)
    for name, weight in {"codebook": 0.5, "commitment": 0.25}.items():
        given_weight, value = terms[name]
        assert given_weight == 12 * weight  # relative to the mean over 12 values
        torch.testing.assert_close(value, square)
    (towards_codes,) = torch.autograd.grad(terms["codebook"][1].sum(), head.codebooks)
    expected = torch.zeros_like(head.codebooks)
    for i, j in itertools.product(range(8), range(2)):
        entry = int((t.q.continuous[i, j] - head.codebooks[j]).abs().argmin())
        expected[j, entry] += head.codebooks[j, entry] - t.q.continuous[i, j].detach()
    torch.testing.assert_close(towards_codes, expected)
    reaches = torch.autograd.grad(
        terms["commitment"][1].sum(), head.codebooks, allow_unused=True, retain_graph=True
    )
    assert reaches == (None,)


def test_every_entry_in_use_moves_in_ten_steps(data):
    torch.manual_seed(0)
    method = m.QLAE.build(data, 3, values=4, seed=0)
    for parameter in method.encoder.net.parameters():  # codes over the whole range of the codebooks
        parameter.data.mul_(3)
    before = method.encoder.head.codebooks.detach().clone()
    players = method.players()
    optimizers = {name: p.optimizer(p.parameters()) for name, p in players.items()}
    used = torch.zeros_like(before, dtype=torch.bool)
    for ctx in contexts(10):
        batch = data.batch(range(64))
        z = method.represent(batch).mean
        used |= (z[..., None] == method.encoder.head.codebooks).any(0)
        list(play(method.moves(batch, ctx), optimizers))
    moved = method.encoder.head.codebooks.detach() != before
    assert used.sum() >= 6
    assert (moved | ~used).all()


def test_codebooks_do_not_decay_and_networks_do(data):
    method = m.QLAE.build(data, 2, seed=0)
    players = method.players()
    decay = {
        name: p.optimizer(p.parameters()).param_groups[0]["weight_decay"]
        for name, p in players.items()
    }
    assert decay == {"autoencoder": 0.1, "codebooks": 0}
    assert players["codebooks"].parameters() == [method.encoder.head.codebooks]


def test_the_grid_prior_is_uniform_over_the_learned_values():
    values = torch.tensor([[0.0, 1.0], [2.0, 6.0]])
    p = UniformGrid(values)
    assert p.mean.tolist() == [0.5, 4.0]
    assert p.variance.tolist() == [0.25, 4.0]
    torch.manual_seed(0)
    z = p.sample((4000,))
    assert set(map(tuple, z.tolist())) == set(itertools.product((0.0, 1.0), (2.0, 6.0)))
    torch.testing.assert_close(z.mean(0), p.mean, atol=0.15, rtol=0)
    assert p.log_prob(torch.tensor([0.0, 6.0])).item() == pytest.approx(-2 * math.log(2))
    assert p.log_prob(torch.tensor([0.5, 6.0])).item() == -math.inf
    q = Quantized(torch.zeros(3, 2), torch.zeros(3, 2))
    torch.testing.assert_close(kl(q, p), torch.full((3,), 2 * math.log(2)))


def test_samples_follow_the_codebooks(data):
    method = m.QLAE.build(data, 2, values=3, seed=0)
    method.encoder.head.codebooks.data.add_(5)
    assert method.prior().sample((50,)).min() >= 4.5


@pytest.mark.parametrize("build", [m.QLAE.build, m.VAE.build])
def test_what_is_not_quantized_is_refused_when_built(data, build):
    from untwine.distributions import Diagonal

    with pytest.raises(TypeError, match="quantize"):
        build(data, 2, posterior=Diagonal(), prior=GridPrior(2))


def test_quantization_of_a_gaussian_code_is_refused(data):
    method = m.VAE.build(data, 2, penalty=m.Quantization())
    with pytest.raises(TypeError, match="Independent, which is not quantized"):
        next(method.moves(data.batch(range(4)), contexts(1)[0]))


def test_codebooks_of_another_width_are_refused(data):
    with pytest.raises(ValueError, match="codebooks for 3 dimensions"):
        m.QLAE.build(data, 2, posterior=ScalarCodebooks(3))


# Multiinformation


def test_independent_codes_have_no_multiinformation():
    grid = torch.tensor(list(itertools.product(range(4), range(3), range(5))), dtype=torch.float64)
    value = kernel_multiinformation(grid)
    torch.testing.assert_close(value, torch.zeros_like(value), atol=1e-6, rtol=0)
    assert kernel_multiinformation(grid, bandwidth="released").mean().abs() > 0.05


def test_two_equal_codes_have_the_entropy_of_one():
    """Values far apart, so that kernels do not overlap: log V nats."""
    z = torch.arange(8.0, dtype=torch.float64).repeat_interleave(50)
    z = torch.stack([z, z], 1)
    value = kernel_multiinformation(z, torch.full((2,), 0.05, dtype=torch.float64))
    torch.testing.assert_close(value.mean(), torch.tensor(math.log(8), dtype=torch.float64))


def test_densities_are_those_of_scipy():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, 2)) @ np.array([[1.0, 0.5], [0.0, 0.3]])
    spread = z.std(0)
    silverman = (4 / (4 * 60)) ** (1 / 6)
    joint = _kde(z, silverman * spread)
    for bandwidth, factor in {"shared": silverman, "released": 1.0}.items():
        marginals = sum(_kde(z[:, [k]], factor * spread[[k]]) for k in range(2))
        value = kernel_multiinformation(torch.tensor(z), bandwidth=bandwidth)
        np.testing.assert_allclose(value, joint - marginals, rtol=1e-4, atol=1e-4)


def _kde(z, h):
    """Log densities at the points, one scipy kernel after the other."""
    density = [np.mean([norm.pdf(a, b, h).prod() for b in z]) for a in z]
    return np.log(density)


# Hessian penalty


@pytest.fixture
def quadratics():
    generator = torch.Generator().manual_seed(1)
    h = torch.randn(3, 4, 4, generator=generator, dtype=torch.float64)
    return h + h.mT


def quadratic(h):
    return lambda z: 0.5 * torch.einsum("bi,mij,bj->bm", z, h, z)


def test_second_differences_are_exact_on_quadratics(quadratics):
    z = torch.randn(5, 4, dtype=torch.float64)
    v = torch.randn(7, 5, 4, dtype=torch.float64)
    exact = torch.einsum("kbi,mij,kbj->kbm", v, quadratics, v)
    torch.testing.assert_close(second_differences(quadratic(quadratics), z, v), exact)


def test_variances_over_all_signs_are_twice_the_off_diagonal_squares(quadratics):
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=4)), dtype=torch.float64)
    z = torch.zeros(1, 4, dtype=torch.float64)
    along = second_differences(quadratic(quadratics), z, signs[:, None])
    off = quadratics - torch.diag_embed(quadratics.diagonal(dim1=1, dim2=2))
    torch.testing.assert_close(along.var(0, correction=0)[0], 2 * (off**2).sum((1, 2)))


def test_the_penalty_estimates_both_variances(quadratics):
    torch.manual_seed(0)
    z, spread = torch.zeros(1, 4, dtype=torch.float64), torch.tensor([1.0, 2.0, 0.5, 1.0])
    scaled = quadratics * spread[:, None] * spread
    off = scaled - torch.diag_embed(scaled.diagonal(dim1=1, dim2=2))
    expected = 2 * (off**2).sum((1, 2)).mean()
    whole = 2 * (scaled**2).sum((1, 2)).mean()
    f, many = quadratic(quadratics), {"probes": 20_000, "epsilon": 0.3}
    plain = hessian_penalty(f, z, spread.double(), **many)
    share = hessian_penalty(f, z, spread.double(), **many, normalized=True)
    assert plain.item() == pytest.approx(expected.item(), rel=0.05)
    assert share.item() == pytest.approx((expected / whole).item(), rel=0.05)


def test_a_sum_of_functions_of_one_dimension_each_is_not_penalized():
    z = torch.randn(6, 3, dtype=torch.float64)
    value = hessian_penalty(lambda z: (z**2).cumsum(1), z, normalized=True)
    torch.testing.assert_close(value, torch.zeros_like(value), atol=1e-12, rtol=0)


def test_penalties_go_with_other_methods_and_with_each_other(data):
    penalty = m.KL(2.0) + m.Multiinformation(1e-3) + m.HessianPenalty(1e-3)
    method = m.AdaGVAE.build(data, 3, penalty=penalty, seed=0)
    from untwine.spec import describe, instantiate

    again = instantiate(describe(penalty))
    assert [type(p) for p in again.parts] == [type(p) for p in penalty.parts]
    batch = m.VAE.supervision(data.observations(range(8)))
    terms = penalty(method.model.trace(batch), contexts(1)[0])
    assert set(terms) == {"kl", "multiinformation", "hessian"}
    with pytest.raises(ValueError, match="both losses have a term 'kl'"):
        (m.KL() + m.KL())(method.model.trace(batch), contexts(1)[0])


def test_tripod_weighs_as_published(data):
    method = m.Tripod.build(data, 3, seed=0)
    (loss,) = next(method.moves(data.batch(range(16)), contexts(1)[0])).values()
    weights = {name: float(weight) for name, weight in loss.weights.items()}
    assert weights == pytest.approx({"nll": 1, "multiinformation": 12e-4, "hessian": 12e-2})
