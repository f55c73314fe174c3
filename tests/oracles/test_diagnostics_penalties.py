"""Penalties of the Jacobian are what the diagnostics measure, and move it."""

import pytest
import torch
from torch import nn
from torch.optim import Adam

import untwine as ut
from untwine import diagnostics as d
from untwine.distributions import Bernoulli, FullCovariance, Gaussian
from untwine.functional import column_cosines, seam_gap
from untwine.methods import KL, VAE, Context, HessianPenalty, OrthogonalJacobian, SeamGap, play

from ..laws.conftest import first_batch, make_data

CTX = Context(torch.tensor(0), 60)
DATA = make_data(shape=(7,))


def linear(likelihood, penalty=None):
    method = VAE.build(
        DATA, 3, net=ut.nets.MLP(hidden=()), likelihood=likelihood, penalty=penalty, seed=0
    )
    with torch.no_grad():  # columns that cross
        weight = method.decoder.net[0].weight
        weight[:, 1] = weight[:, 0] + 0.5 * weight[:, 1]
        weight *= 3
    return method, weight.detach().double()


def test_values_of_a_linear_decoder():
    method, weight = linear(Gaussian(sigma=0.5))
    trace = method.trace(DATA.batch(range(12)))
    gram = weight.T @ weight
    cosines = column_cosines(gram)
    off = (cosines.square().sum() - 3) / 6
    value = OrthogonalJacobian()(trace, CTX).terms["jacobian"]
    torch.testing.assert_close(value.double(), off, atol=1e-6, rtol=0)
    gap = seam_gap(torch.eye(3, dtype=torch.float64) + gram / (2 * 0.25))
    value = SeamGap(beta=2.0)(trace, CTX).terms["seam_gap"]
    torch.testing.assert_close(value.double(), gap, atol=1e-5, rtol=0)


def test_the_penalty_is_what_the_diagnostic_measures():
    x = (DATA.observations(range(8)).sigmoid()).float()
    data = ut.FactorDataset.from_arrays(x)
    method = VAE.build(data, 3, likelihood=Bernoulli(), seed=0)
    q = method.represent(x)
    trace = method.model.trace(x, q)
    at_means = type(trace)(trace.model, x, q, q.mean, trace.p, trace.prior, trace.condition)
    value = SeamGap(beta=4.0)(at_means, CTX).terms["seam_gap"]
    found = d.orthogonality(method, x, beta=4.0)
    assert value.item() == pytest.approx(found.gap.value, abs=1e-5)


@pytest.mark.parametrize("penalty", [OrthogonalJacobian(100.0), SeamGap(100.0)], ids=["cos", "gap"])
def test_it_makes_columns_orthogonal(penalty):
    method, _ = linear(Gaussian(sigma=0.5), KL() + penalty)
    before = d.orthogonality(method, DATA.observations(range(60)), dims=(0, 1, 2))
    optimizer = Adam(method.parameters(), lr=0.02)
    torch.manual_seed(0)
    for _ in range(80):
        list(play(method.moves(DATA.batch(range(60)), CTX), {"vae": optimizer}))
    after = d.orthogonality(method, DATA.observations(range(60)), dims=(0, 1, 2))
    assert before.gap.value > 0.2
    assert after.gap.value < 0.2 * before.gap.value
    assert after.mean_cosine < 0.3 * before.mean_cosine


@pytest.mark.parametrize("name", ["VAE", "AdaGVAE", "MLVAE", "FactorVAE", "FewLabelsVAE"])
def test_any_method_takes_them_with_covariates(name):
    import numpy as np

    c = np.eye(2, dtype=np.float32)[np.arange(60) % 2]
    data = ut.FactorDataset.from_arrays(
        DATA.observations(range(60)), DATA.factors, DATA.space.names, covariates=c
    )
    penalty = KL() + OrthogonalJacobian(examples=4) + SeamGap(examples=4) + HessianPenalty()
    method = getattr(ut.methods, name).build(data, 4, seed=0, penalty=penalty)
    loss = next(iter(method.moves(first_batch(method, data), CTX)))["vae"]
    assert {"jacobian", "seam_gap", "hessian"} <= {n.removesuffix("_shared").split("_style")[0]
            .split("_content")[0] for n in loss.terms}  # fmt: skip
    loss.total.backward()
    assert all(p.grad is not None for p in method.model.decoder.net.parameters() if p.ndim > 1)


def test_columns_without_a_derivative_and_settings_that_cannot_be():
    class Stepped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sign()

        @staticmethod
        def backward(ctx, grad):
            return grad

    with pytest.raises(TypeError, match="without a derivative in forward mode"):
        d.metric_at(lambda z: Stepped.apply(z), torch.zeros(1, 2), sigma=1.0)
    with pytest.raises(ValueError, match="examples is 0"):
        SeamGap(examples=0)
    with pytest.raises(ValueError, match="beta is 0"):
        SeamGap(beta=0.0)
    assert isinstance(FullCovariance(), nn.Module)
