"""Methods of groups and pairs reduce to the VAE where nothing is shared, or nothing can change."""

import numpy as np
import pytest
import torch

import untwine.methods as m
from untwine.data import Images, Pairs
from untwine.data.batches import Groups
from untwine.distributions import diagonal_normal
from untwine.functional import changed
from untwine.methods import Context

from ..laws.conftest import make_data

CTX = Context(torch.tensor(5), 60)


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def vae(data):
    vae = m.VAE.build(data, latent_dim=4, seed=0).double()
    with torch.no_grad():  # posteriors that differ much between observations
        vae.encoder.net[-1].weight *= 30
    return vae


@pytest.fixture(scope="module")
def x(data):
    return data.observations(range(32)).double()


def like(vae, cls, *extra, **options):
    return cls(vae.model, *extra, **options)


def losses(method, batch):
    torch.manual_seed(0)
    return next(iter(method.moves(batch, CTX)))["vae"]


def groups(x, size, present=None):
    x = x.unflatten(0, (-1, size))
    return Groups(x, torch.zeros(len(x), 3, dtype=torch.bool), present)


@pytest.mark.parametrize("cls", [m.AdaGVAE, m.AdaMLVAE])
@pytest.mark.parametrize("symmetric", [False, True])
def test_adaptive_sharing_on_identical_pairs_is_the_vae(vae, x, cls, symmetric):
    one = losses(like(vae, cls, symmetric=symmetric), Pairs(x, x))
    two = losses(vae, Images(torch.cat([x, x])))
    torch.testing.assert_close(one.total, two.total)


@pytest.mark.parametrize("aggregate", ["average", "geometric"])
def test_known_k_on_identical_pairs_is_the_vae(vae, x, aggregate):
    one = losses(like(vae, m.AdaGVAE, changed=1, aggregate=aggregate), Pairs(x, x))
    torch.testing.assert_close(one.total, losses(vae, Images(torch.cat([x, x]))).total)


def test_a_product_of_identical_posteriors_is_surer(vae, x):
    """With k known, the other dimensions are shared for certain, and evidence adds up."""
    q = like(vae, m.AdaMLVAE, changed=1).infer(Pairs(x, x))[1]
    own = vae.represent(torch.cat([x, x]))
    ratio = (q.variance / own.variance).sort(1).values
    torch.testing.assert_close(ratio, torch.tensor([0.5, 0.5, 0.5, 1.0]).double().expand_as(ratio))


def test_all_dimensions_changed_is_the_vae_on_both(vae, x):
    pairs, both = Pairs(x[:16], x[16:]), Images(x)
    for cls in (m.AdaGVAE, m.AdaMLVAE):
        one = losses(like(vae, cls, changed=4), pairs)
        torch.testing.assert_close(one.total, losses(vae, both).total)


def test_known_k_is_the_adaptive_threshold_where_as_many_exceed_it(vae, x):
    q0, q1 = vae.represent(x[:16]), vae.represent(x[16:])
    q0, q1 = (diagonal_normal(q.mean, q.stddev) for q in (q0, q1))
    for symmetric in (False, True):
        adaptive = changed(q0, q1, symmetric=symmetric)
        for k in (1, 2, 3):
            rows = adaptive.sum(1) == k
            known = changed(q0, q1, k, symmetric=symmetric)
            assert torch.equal(known[rows], adaptive[rows])
            assert (known.sum(1) == k).all()
        assert len(np.unique(adaptive.sum(1))) > 1


def test_the_order_of_a_pair_matters_to_the_asymmetric_divergence_only():
    torch.manual_seed(0)
    a = diagonal_normal(torch.randn(200, 6), torch.rand(200, 6) + 0.1)
    b = diagonal_normal(torch.randn(200, 6), torch.rand(200, 6) + 0.1)
    assert torch.equal(changed(a, b, symmetric=True), changed(b, a, symmetric=True))
    assert not torch.equal(changed(a, b), changed(b, a))


def vae_loss_of_groups(vae, batch, method, seed=0):
    """The group's objective, written out observation by observation."""
    torch.manual_seed(seed)
    content, style = method._posteriors(batch.x, batch.present)
    c, s = content.rsample(), style.rsample()
    nll = kl = count = 0.0
    for g in range(len(batch.x)):
        for i in range(batch.x.shape[1]):
            if batch.present is not None and not batch.present[g, i]:
                continue
            row = g * batch.x.shape[1] + i
            z = torch.cat([c[g], s[row]])[None]
            nll -= vae.decoder(z).log_prob(batch.x[g, i][None]).squeeze()
            mean, std = style.mean[row], style.stddev[row]
            kl += 0.5 * (mean**2 + std**2 - 1 - 2 * std.log()).sum()
            count += 1
        mean, std = content.mean[g], content.stddev[g]
        kl += 0.5 * (mean**2 + std**2 - 1 - 2 * std.log()).sum()
    return (nll + kl) / count


@pytest.mark.parametrize("cls", [m.MLVAE, m.GVAE])
def test_a_group_of_one_is_the_vae(vae, x, cls):
    method = like(vae, cls, 2)
    one = losses(method, groups(x, 1))
    torch.manual_seed(0)
    q = vae.represent(x)
    noise = torch.cat([torch.randn(32, 2, dtype=torch.float64) for _ in "cs"], 1)
    z = q.mean + q.stddev * noise
    kl = torch.distributions.kl_divergence(q, vae.prior())
    expected = (kl - vae.decoder(z).log_prob(x)).mean()
    torch.testing.assert_close(one.total, expected)
    torch.testing.assert_close(method.accumulate(x[:, None]).mean, q.mean[:, :2])
    torch.testing.assert_close(method.accumulate(x[:, None]).stddev, q.stddev[:, :2])


@pytest.mark.parametrize("cls", [m.MLVAE, m.GVAE])
@pytest.mark.parametrize("masked", [False, True])
def test_the_content_of_a_group_is_counted_once(vae, x, cls, masked):
    method = like(vae, cls, 2)
    present = None
    if masked:
        present = torch.arange(4) < torch.tensor([4, 1, 2, 3, 4, 1, 2, 2])[:, None]
    batch = groups(x, 4, present)
    torch.testing.assert_close(losses(method, batch).total, vae_loss_of_groups(vae, batch, method))


def test_padding_does_not_matter(vae, x):
    method = like(vae, m.MLVAE, 2)
    present = torch.arange(4) < torch.tensor([4, 1, 2, 3, 4, 1, 2, 2])[:, None]
    one = losses(method, groups(x, 4, present))
    padded = torch.where(present.flatten()[:, None, None, None], x, torch.zeros_like(x))
    two = losses(method, groups(padded, 4, present))
    torch.testing.assert_close(one.total, two.total)


def test_groups_take_any_penalty_and_prior(data, x):
    from untwine.distributions import GaussianMixture

    options = {"latent_dim": 4, "seed": 0}
    plain = losses(m.MLVAE.build(data, **options).double(), groups(x, 4))
    beta = losses(m.MLVAE.build(data, penalty=m.KL(3.0), **options).double(), groups(x, 4))
    parts = plain.terms
    expected = parts["nll"] + 3 * (parts["kl_content"] + parts["kl_style"])
    torch.testing.assert_close(beta.total, expected)
    one = GaussianMixture(2, components=1, spread=0.0)
    mixed = m.MLVAE.build(data, content_prior=one, penalty=m.TotalCorrelation(6.0), **options)
    terms = losses(mixed.double(), groups(x, 4)).terms
    assert {"tc_content", "tc_style"} <= set(terms)


def test_the_parts_of_a_group_code_have_names(data, x):
    method = m.MLVAE.build(data, latent_dim=5, content_dim=2, seed=0).double()
    q = method.represent(x)
    assert q.names == ("content", "style")
    assert q.slices == {"content": slice(0, 2), "style": slice(2, 5)}
    assert method.label == "size"
    swapped = method.swap(x[:8], x[8:16]).mean
    code = torch.cat([q["content"].mean[:8], q["style"].mean[8:16]], 1)
    torch.testing.assert_close(swapped, method.decode(code).mean)


def test_slow_vae_without_transition_is_the_vae_with_half_the_prior(vae, x):
    slow = losses(like(vae, m.SlowVAE, gamma=0.0), Pairs(x[:16], x[16:]))
    plain = losses(vae, Images(x)).terms
    torch.testing.assert_close(slow.total, 2 * plain["nll"] + plain["kl"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda v: like(v, m.AdaGVAE, changed=0), "changed is 0"),
        (lambda v: like(v, m.AdaGVAE, aggregate="mean"), "aggregate is 'mean'; expected one of"),
        (lambda v: like(v, m.MLVAE, 0), "content_dim is 0"),
        (lambda v: like(v, m.MLVAE, 4), r"content_dim is 4; .* latent_dim, which is 4"),
        (lambda v: like(v, m.SlowVAE, rate=0.0), "rate is 0.0"),
        (lambda v: m.FStatistic(v.encoder, dimensions=0), "dimensions is 0"),
    ],
)
def test_hyperparameters_out_of_range(vae, make, message):
    with pytest.raises(ValueError, match=message):
        make(vae)


def test_what_does_not_fit_is_refused(data, vae, x):
    with pytest.raises(
        ValueError, match="changed is 5; expected a number of dimensions from 1 to 4"
    ):
        losses(like(vae, m.AdaGVAE, changed=5), Pairs(x, x))
    with pytest.raises(ValueError, match=r"present has shape \(8, 3\), but the groups \(8, 4, "):
        losses(like(vae, m.MLVAE, 2), groups(x, 4, torch.ones(8, 3, dtype=torch.bool)))
    with pytest.raises(ValueError, match="no factor 'digit'"):
        m.MLVAE.build(data, label="digit")
    with pytest.raises(ValueError, match="no factor 'digit'"):
        m.Mathieu2016.build(data, label="digit")
    swapping = m.Mathieu2016.build(data, latent_dim=4, seed=0).double()
    with pytest.raises(ValueError, match="groups have one member: two of each class"):
        next(swapping.moves(groups(x, 1), CTX))
    embedding = m.FStatistic.build(data, latent_dim=4, dimensions=5, seed=0).double()
    with pytest.raises(ValueError, match="groups have one member: the F statistic needs two"):
        next(embedding.moves(groups(x, 1), CTX))
    with pytest.raises(ValueError, match="dimensions is 5, but the code has 4"):
        next(embedding.moves(groups(x, 4), CTX))
    full = m.VAE.build(data, latent_dim=4, seed=0)
    with pytest.raises(TypeError, match="content and style"):
        like(full, m.MLVAE, 2).split(torch.distributions.Normal(0.0, 1.0))
