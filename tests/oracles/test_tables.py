"""Likelihoods of table columns against scipy and enumeration."""

import numpy as np
import pytest
import torch
from scipy import special, stats

from untwine.data import FactorDataset, Images
from untwine.distributions import Categorical, Gaussian, Mixed, Ordinal, Poisson, StudentT
from untwine.methods import VAE, Context, play
from untwine.spec import describe, instantiate

RNG = np.random.default_rng(0)
H = torch.tensor(RNG.normal(size=(6, 7)))


def test_student_t_against_scipy():
    x = RNG.normal(size=(6, 7)) * 5
    found = StudentT(3.0, 0.7)(H).log_prob(torch.tensor(x))
    expected = stats.t.logpdf(x, 3.0, H.numpy(), 0.7).sum(1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)
    torch.testing.assert_close(StudentT()(H).mean, H)


def test_student_t_learns_scale_and_tails():
    torch.manual_seed(0)
    x = torch.distributions.StudentT(3.0, 0.0, 0.5).sample((20_000, 1))
    likelihood = StudentT("learned", "learned")
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        (-likelihood(torch.zeros_like(x)).log_prob(x)).mean().backward()
        optimizer.step()
    assert likelihood.log_scale.exp().item() == pytest.approx(0.5, rel=0.1)
    assert 2 + likelihood.log_df.exp().item() == pytest.approx(3.0, rel=0.2)


def test_categories_are_a_softmax_per_column():
    levels = [2, 5]
    p = Categorical(levels)(H)
    x = torch.tensor([[0, 4], [1, 0], [1, 1], [0, 2], [1, 3], [0, 0]]).double()
    one = special.log_softmax(H.numpy()[:, :2], 1)[np.arange(6), x[:, 0].int()]
    two = special.log_softmax(H.numpy()[:, 2:], 1)[np.arange(6), x[:, 1].int()]
    np.testing.assert_allclose(p.log_prob(x).numpy(), one + two)
    torch.testing.assert_close(p.mean[:, 1], H[:, 2:].argmax(1).double())
    unknown = x.clone()
    unknown[:, 1] = -1
    np.testing.assert_allclose(p.log_prob(unknown).numpy(), one)


def test_ordinal_is_the_cumulative_logit():
    likelihood = Ordinal([4]).double()
    torch.nn.init.normal_(likelihood.cuts[0])
    cuts = likelihood.cut_points(0).detach().numpy()
    assert (np.diff(cuts) > 0).all()
    eta = H[:, :1]
    p = likelihood(eta)
    cumulative = special.expit(cuts[None] - eta.numpy())
    padded = np.concatenate([np.zeros((6, 1)), cumulative, np.ones((6, 1))], 1)
    np.testing.assert_allclose(p.probs[0].detach().numpy(), np.diff(padded), rtol=1e-9)
    expected = (np.diff(padded) * np.arange(4)).sum(1)
    np.testing.assert_allclose(p.mean[:, 0].detach().numpy(), expected, rtol=1e-9)


def test_ordinal_is_stable_far_out():
    likelihood = Ordinal([3])
    eta = torch.tensor([[-300.0], [300.0]], requires_grad=True)
    value = likelihood(eta).log_prob(torch.tensor([[2.0], [1.0]]))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(eta.grad).all()


def test_samples_follow_the_probabilities():
    torch.manual_seed(0)
    for p in (Categorical([3])(H[:1, :3]), Ordinal([3]).double()(H[:1, :1])):
        drawn = p.sample((20_000,))[:, 0, 0].long()
        share = torch.bincount(drawn, minlength=3) / 20_000
        torch.testing.assert_close(share.double(), p.probs[0][0].detach(), atol=0.02, rtol=0)


def table(n=50):
    return np.stack(
        [
            RNG.normal(size=n),
            RNG.integers(0, 3, n),
            RNG.poisson(4, n),
            RNG.integers(-1, 4, n),
            RNG.normal(size=n),
        ],
        1,
    ).astype(np.float32)


KINDS = [Gaussian(0.5), Categorical([3]), Poisson("none"), Ordinal([4])]
COLUMNS = [[4, 0], [1], [2], [3]]


def test_mixed_columns_are_the_sum_of_their_parts():
    data = FactorDataset.from_arrays(table())
    mixed = Mixed(KINDS, COLUMNS).adapted(data).double()
    assert mixed.features((5,)) == (2 + 3 + 1 + 1,)
    x = data.observations(range(6)).double()
    p = mixed(H)
    parts = [
        mixed.parts[0](H[:, :2]).log_prob(x[:, [4, 0]]),
        mixed.parts[1](H[:, 2:5]).log_prob(x[:, [1]]),
        mixed.parts[2](H[:, 5:6]).log_prob(x[:, [2]]),
        mixed.parts[3](H[:, 6:]).log_prob(x[:, [3]]),
    ]
    torch.testing.assert_close(p.log_prob(x), sum(parts))
    torch.testing.assert_close(p.mean[:, [4, 0]], H[:, :2])
    assert p.sample((3,)).shape == (3, 6, 5)


def test_mixed_tables_train_and_are_written_down():
    data = FactorDataset.from_arrays(table())
    mixed = instantiate(describe(Mixed(KINDS, COLUMNS)))
    method = VAE.build(data, latent_dim=2, likelihood=mixed, seed=0)
    optimizers = {"vae": torch.optim.Adam(method.parameters(), 1e-2)}
    batch = Images(data.observations(range(50)))
    losses = []
    for _ in range(40):
        moves = method.moves(batch, Context(torch.tensor(0), 50))
        losses += [loss.total.item() for _, loss in play(moves, optimizers)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.1
    assert method.decode(torch.zeros(3, 2)).mean.shape == (3, 5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StudentT(df=1.0), "df is 1.0"),
        (lambda: StudentT(scale=0.0), "scale is 0.0"),
        (lambda: StudentT(df="best"), "df is 'best'"),
        (lambda: Categorical(1), "1 levels"),
        (lambda: Mixed([Gaussian()], [[0], [1]]), "1 likelihoods but 2 groups"),
        (lambda: Mixed([Gaussian()], [[0, 2]]), r"columns are \[0, 2\]"),
        (
            lambda: Mixed(KINDS, COLUMNS).adapted(FactorDataset.from_arrays(np.zeros((4, 3)))),
            "likelihoods for 5 columns",
        ),
        (
            lambda: Categorical([2]).adapted(FactorDataset.from_arrays(np.full((4, 1), 2.0))),
            "x holds 2 in column 0, but Categorical takes 0 to 1 there",
        ),
        (lambda: Ordinal(3)(H), "cut points for 1 columns"),
    ],
)
def test_errors_name_the_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()
