"""Codes in blocks and mixture posteriors reduce to the plain VAE, and blocks add up."""

import pytest
import torch
from torch.distributions import Independent, Normal, VonMises

from untwine.data.batches import Images
from untwine.distributions import (
    AngleBlock,
    Blocks,
    BlocksPosterior,
    BlocksPrior,
    CategoricalBlock,
    GaussianBlock,
    GaussianMixture,
    LowRank,
    MixturePosterior,
    OneHot,
    diagonal_normal,
)
from untwine.functional import Linear, block_information, kl, kl_blocks, kl_rule
from untwine.methods import KL, VAE, BlockKL, Context, JointVAE, MixtureVAE, MultiLatentVAE

from ..laws.conftest import make_data

CTX = Context(torch.tensor(0), 60)


def loss(method, x, ctx=CTX):
    torch.manual_seed(0)
    return next(iter(method.moves(Images(x), ctx)))["vae"]


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def x(data):
    return data.observations(range(16))


def same_gradients(a, b):
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


def test_one_gaussian_block_is_the_vae(data, x):
    vae = VAE.build(data, latent_dim=4, seed=0)
    one = MultiLatentVAE.build(data, blocks={"z": GaussianBlock(4)}, seed=0)
    one.load_state_dict(vae.state_dict(), strict=True)
    a, b = loss(vae, x), loss(one, x)
    assert a.total.item() == b.total.item()
    assert b.terms["kl_z"].item() == a.terms["kl"].item()
    a.total.backward()
    b.total.backward()
    same_gradients(vae, one)


def test_two_gaussian_blocks_are_the_vae_of_both(data, x):
    """The same posterior and noise in another order of features: the divergences add up."""
    two = MultiLatentVAE.build(data, latent_dim=4, seed=0)
    q, prior = two.represent(x), two.prior()
    whole = diagonal_normal(q.mean, q.stddev)
    torch.testing.assert_close(
        kl(q, prior), kl(whole, diagonal_normal(*[prior.mean, prior.stddev]))
    )
    z = q.rsample()
    torch.testing.assert_close(q.log_prob(z), whole.log_prob(z))
    torch.testing.assert_close(q.entropy(), whole.entropy())


def test_mixture_of_one_is_the_vae(data, x):
    vae = VAE.build(data, latent_dim=4, seed=0)
    one = VAE.build(data, latent_dim=4, posterior=MixturePosterior(1), seed=0)
    one.load_state_dict(vae.state_dict())
    assert loss(vae, x).total.item() == pytest.approx(loss(one, x).total.item(), rel=1e-6)


@pytest.mark.parametrize("how", ["variational", "convexity", "matched", "approximation"])
def test_mixture_vae_of_one_component_each_is_the_vae(data, x, how):
    vae = VAE.build(data, latent_dim=4, seed=0)
    one = MixtureVAE.build(data, latent_dim=4, components=1, how=how, seed=0)
    one.encoder.load_state_dict(vae.encoder.state_dict())
    one.decoder.load_state_dict(vae.decoder.state_dict())
    with torch.no_grad():
        one.prior.loc.zero_()
    a, b = loss(vae, x), loss(one, x)
    assert a.total.item() == pytest.approx(b.total.item(), rel=1e-6)
    a.total.backward()
    b.total.backward()
    same_gradients(vae.encoder, one.encoder)


def test_exact_choice_has_the_value_of_many_relaxed_ones(data, x):
    method = MixtureVAE.build(data, latent_dim=2, components=3, how="matched", seed=0)
    with torch.no_grad():
        exact = torch.stack([loss_of(method, x, "exact", i) for i in range(100)])
        chosen = torch.stack([loss_of(method, x, "relaxed", i) for i in range(100)])
    error = (exact.var() / 100 + chosen.var() / 100).sqrt()
    assert abs(exact.mean() - chosen.mean()) < 4 * error
    assert exact.std() < chosen.std()


def loss_of(method, x, choice, seed):
    method.choice = choice
    torch.manual_seed(seed)
    return next(iter(method.moves(Images(x), CTX)))["vae"].terms["nll"]


def blocks(seed=0, batch=6, dtype=torch.float64):
    spec = {
        "style": GaussianBlock(3, LowRank(2)),
        "kind": CategoricalBlock(4),
        "turn": AngleBlock(2),
        "rest": GaussianBlock(2, prior=GaussianMixture(2, 3)),
    }
    g = torch.Generator().manual_seed(seed)
    head = BlocksPosterior(spec)
    h = torch.randn(batch, head.features(13), generator=g, dtype=dtype)
    return head(h), BlocksPrior(spec).to(dtype)()


def test_divergences_of_blocks_sum_to_that_of_the_whole():
    q, p = blocks()
    assert q.names == ("style", "kind", "turn", "rest")
    assert q.event_shape == (13,)
    z = q.rsample()
    each = kl_blocks(q, p, z)
    torch.testing.assert_close(kl(q, p, z), sum(each.values()))
    for name, value in each.items():
        torch.testing.assert_close(value, kl(q[name], p[name], z[:, q.slices[name]]))
        assert value.shape == (6,)
    assert [kl_rule(q[n], p[n]) for n in q.names] == ["closed form"] * 3 + ["monte carlo"]
    assert kl_rule(q, p) == "monte carlo"
    assert BlockKL().rules(q, p) == {
        "kl_style": "closed form",
        "kl_kind": "closed form",
        "kl_turn": "closed form",
        "kl_rest": "monte carlo",
    }
    assert KL().rules(q["style"], p["style"]) == {"kl": "closed form"}


def test_blocks_are_the_product_of_their_parts():
    q, _ = blocks()
    torch.manual_seed(0)
    z = q.rsample((5,))
    torch.manual_seed(0)
    each = [q[n].rsample((5,)) for n in q.names]
    assert torch.equal(z, torch.cat(each, -1))
    torch.testing.assert_close(q.log_prob(z), sum(q[n].log_prob(v) for n, v in q.split(z).items()))
    exact = q.snap(z)
    assert set(exact[..., q.slices["kind"]].unique().tolist()) == {0.0, 1.0}
    assert torch.equal(exact[..., q.slices["turn"]], z[..., q.slices["turn"]])
    kind = q["kind"]
    assert isinstance(kind, OneHot)
    angle = q["turn"].angle(z[..., q.slices["turn"]])
    torch.testing.assert_close(
        q["turn"].log_prob(z[..., q.slices["turn"]]),
        VonMises(q["turn"].loc, q["turn"].concentration).log_prob(angle).sum(-1),
    )
    assert q.mean.shape == q.stddev.shape == (6, 13)
    assert q.has_rsample
    with pytest.raises(KeyError, match="no block 'styl'"):
        q["styl"]


def test_expanded_to_a_batch():
    spec = {
        "kind": CategoricalBlock(3),
        "turn": AngleBlock(2),
        "mix": GaussianBlock(2, MixturePosterior(2)),
    }
    head = BlocksPosterior(spec)
    h = torch.randn(head.features(9), dtype=torch.float64)
    q = head(h[None])
    wide = q.expand((4, 1))
    assert wide.batch_shape == (4, 1)
    z = wide.rsample()
    assert z.shape == (4, 1, 9)
    torch.testing.assert_close(wide.log_prob(z), q.log_prob(z))
    torch.testing.assert_close(wide.stddev[2], q.stddev)


def test_extreme_features_keep_finite_gradients():
    head = BlocksPosterior({"turn": AngleBlock(), "kind": CategoricalBlock(2)})
    prior = BlocksPrior({"turn": AngleBlock(), "kind": CategoricalBlock(2)})()
    h = torch.tensor(
        [[a, 1e-3, c, k, -k] for a in (1e-3, 50.0) for c in (-90.0, 0.0, 1e5) for k in (0.0, 60.0)],
        requires_grad=True,
    )
    q = head(h)
    z = q.rsample()
    (kl(q, prior) + q.log_prob(z) + q.entropy() + z.sum(-1)).sum().backward()
    assert torch.isfinite(z).all()
    assert torch.isfinite(q.stddev).all()
    assert torch.isfinite(h.grad).all()


def test_covariance_against_samples():
    q, _ = blocks(batch=2)
    torch.manual_seed(0)
    exact = torch.stack([torch.cov(z.T) for z in q.sample((100_000,)).unbind(1)])
    torch.testing.assert_close(q.covariance_matrix, exact, rtol=0.05, atol=0.05)
    torch.testing.assert_close(torch.diagonal(q.covariance_matrix, dim1=-2, dim2=-1), q.variance)


def test_information_of_independent_and_of_equal_blocks():
    """A known aggregate: 20 tight, far apart posteriors; then blocks that tell it or do not."""
    n = 20
    far = 100.0 * torch.arange(n, dtype=torch.float64)[:, None]
    same = torch.zeros(n, 1, dtype=torch.float64)

    def q(**locs):
        return Blocks({k: diagonal_normal(v, torch.ones_like(v)) for k, v in locs.items()})

    both = q(a=far, b=far, c=same)
    total, pairs = block_information(both, both.rsample())
    log_n = torch.tensor(float(n), dtype=torch.float64).log()
    torch.testing.assert_close(total.mean(), log_n, rtol=0, atol=1e-9)
    torch.testing.assert_close(pairs["a", "b"].mean(), log_n, rtol=0, atol=1e-9)
    torch.testing.assert_close(pairs["a", "c"], torch.zeros(n).double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(pairs["b", "c"], torch.zeros(n).double(), rtol=0, atol=1e-9)


def test_information_of_a_class_and_a_code_against_its_exact_value():
    """Four posteriors: two classes that tell half of what the code tells; enumerated by hand."""
    far = torch.tensor([0.0, 0.0, 50.0, 100.0], dtype=torch.float64)[:, None]
    logits = torch.tensor([0.0, 0.0, 0.0, 40.0], dtype=torch.float64)
    kind = OneHot(torch.stack([40 - logits, logits], 1))
    q = Blocks({"s": diagonal_normal(far, torch.ones_like(far)), "k": kind})
    _, pairs = block_information(q, q.snap(q.rsample()))
    half = torch.tensor([3 / 4, 1 / 4]).double()
    entropy = -(half * half.log()).sum()  # the code tells the class: I(s; k) = H(k)
    torch.testing.assert_close(pairs["s", "k"].mean(), entropy, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="needs size"):
        block_information(q, q.sample(), estimator="mss")
    with pytest.raises(ValueError, match="expected 'batch'"):
        block_information(q, q.sample(), 100, estimator="exact")


def test_joint_vae_distances_from_its_capacities(data, x):
    method = JointVAE.build(
        data, latent_dim=3, classes=4, gamma=7.0, continuous_capacity=2.0,
        discrete_capacity=50.0, warmup=10, seed=0,
    )  # fmt: skip
    for step, c_z, c_k in ((0, 0.0, 0.0), (5, 1.0, 1.3862944), (100, 2.0, 1.3862944)):
        found = loss(method, x, Context(torch.tensor(step), 60))
        kl_z, kl_k = found.terms["kl_continuous"], found.terms["kl_category"]
        assert found.terms["capacity_continuous"].item() == pytest.approx(abs(kl_z.item() - c_z))
        assert found.terms["capacity_category"].item() == pytest.approx(
            abs(kl_k.item() - c_k), abs=1e-6
        )
        assert found.weights["capacity_category"] == 7.0
        expected = found.terms["nll"] + 7 * (
            found.terms["capacity_continuous"] + found.terms["capacity_category"]
        )
        torch.testing.assert_close(found.total, expected)


def test_weights_and_schedules_by_name(data, x):
    spec = {"s": GaussianBlock(2), "p": GaussianBlock(2)}
    method = MultiLatentVAE.build(
        data, blocks=spec, weights={"s": 3.0, "p": Linear(0.0, 4.0, 8)}, seed=0
    )
    found = loss(method, x, Context(torch.tensor(4), 60))
    assert found.weights["kl_s"] == 3.0
    assert float(found.weights["kl_p"]) == 2.0
    assert found.weights["block_tc"] == 0.0
    assert found.terms["mi_s_p"].item() == pytest.approx(found.terms["block_tc"].item(), abs=1e-5)
    with pytest.raises(ValueError, match="no block 'q'"):
        loss(MultiLatentVAE.build(data, blocks=spec, weights={"q": 1.0}, seed=0), x)
    with pytest.raises(TypeError, match="build the method with blocks"):
        loss(VAE.build(data, latent_dim=2, penalty=BlockKL(), seed=0), x)


def test_the_total_correlation_can_be_penalized(data, x):
    def tc(weight, seed=0):
        method = MultiLatentVAE.build(data, latent_dim=4, total_correlation=weight, seed=seed)
        torch.manual_seed(0)
        optimizer = torch.optim.Adam(method.parameters(), 3e-3)
        for _ in range(60):
            optimizer.zero_grad()
            found = next(iter(method.moves(Images(x), CTX)))["vae"]
            found.total.backward()
            optimizer.step()
        return loss(method, x).terms["block_tc"].item()

    assert tc(100.0) < 0.7 * tc(0.0)


def test_classify_cluster_and_traverse(data, x):
    spec = {"z": GaussianBlock(3), "kind": CategoricalBlock(5), "turn": AngleBlock(2)}
    method = MultiLatentVAE.build(data, blocks=spec, seed=0)
    probs = method.cluster(x)
    assert probs.shape == (16, 5)
    torch.testing.assert_close(probs.sum(1), torch.ones(16))
    torch.testing.assert_close(method.classify(x).probs, method.represent(x)["kind"].mean)
    for name, paths, positions in (("z", 3, 7), ("kind", 1, 5), ("turn", 2, 7)):
        assert method.traverse(x, name, 7).shape == (16, paths, positions, 1, 16, 16)
    torch.testing.assert_close(method.cluster(x, name="kind"), probs)
    with pytest.raises(ValueError, match="'z' is not categorical"):
        method.classify(x, name="z")
    with pytest.raises(ValueError, match="0 categorical blocks"):
        MultiLatentVAE.build(data, seed=0).classify(x)
    with pytest.raises(ValueError, match="at least 2"):
        MultiLatentVAE.build(data, latent_dim=1)


def test_traverse_moves_only_its_path(data, x):
    """Decoded by the identity, a traversal shows its own codes."""
    spec = {"z": GaussianBlock(2), "turn": AngleBlock(2), "kind": CategoricalBlock(3)}
    method = MultiLatentVAE.build(data, blocks=spec, seed=0)
    method.decoder = Seen()
    q = method.represent(x[:1])
    start = torch.cat([q["z"].mean, q["turn"].mode, q["kind"].mode], 1)
    turns = method.traverse(x[:1], "turn", 4)[0]
    quarter = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    torch.testing.assert_close(turns[0, :, 2:4], quarter, atol=1e-6, rtol=0)
    torch.testing.assert_close(turns[1, :, 4:6], quarter, atol=1e-6, rtol=0)
    torch.testing.assert_close(turns[0, :, 4:6], start[:, 4:6].expand(4, -1))
    torch.testing.assert_close(turns[..., :2], start[:, :2].expand(2, 4, -1))
    assert torch.equal(method.traverse(x[:1], "kind")[0, 0, :, 6:], torch.eye(3))
    moved = method.traverse(x[:1], "z", 3, span=1.5)[0]
    assert moved[0, :, 0].tolist() == [-1.5, 0.0, 1.5]
    assert torch.equal(moved[0, :, 1], start[0, 1].expand(3))


class Seen(torch.nn.Module):
    def forward(self, z):
        return Independent(Normal(z, 1.0), 1)


def test_specifications_are_checked():
    with pytest.raises(ValueError, match="no identifier"):
        BlocksPosterior({"a b": GaussianBlock(2)})
    with pytest.raises(ValueError, match="at least one block"):
        BlocksPrior({})
    with pytest.raises(TypeError, match="expected a Block"):
        BlocksPrior({"a": 3})
    with pytest.raises(ValueError, match="the blocks have 2"):
        BlocksPosterior({"a": GaussianBlock(2)}).features(3)
    with pytest.raises(ValueError, match=r"over \(3,\), not \(2,\)"):
        GaussianBlock(2, prior=GaussianMixture(3))
    with pytest.raises(ValueError, match="dim is 0; expected an integer from 1"):
        GaussianBlock(0)
    a, b = (Blocks({n: diagonal_normal(torch.zeros(2), torch.ones(2))}) for n in "ab")
    with pytest.raises(ValueError, match="same specification"):
        kl(a, b)
