"""AAEs of a class and a style: what each phase minimizes, heads, labels, and toys they solve."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus
from torch.optim import Adam

import untwine.methods as m
from untwine.data import FactorDataset, FewLabels, FewLabelsSampler, Loader, default_sampler
from untwine.distributions import HeadsPosterior, HeadsPrior, Point
from untwine.functional import head_repulsion, one_hot, r1_penalty
from untwine.methods import Context, play
from untwine.nets import MLP

from ..laws.conftest import first_batch, make_data

CTX = Context(torch.tensor(0), 60)
SILENT = m.Adversarial(noise=0.0, width=16)
FAMILY = ("ClusteringAAE", "SemiSupervisedAAE", "ReducingAAE", "SemiSupervisedReducingAAE")


@pytest.fixture(scope="module")
def data():
    return make_data(shape=(7,))


def built(name, data, **settings):
    cls = getattr(m, name)
    return cls.build(data, latent_dim=2, seed=0, adversarial=SILENT, **settings).double()


def doubled(batch):
    return type(batch)(
        **{k: v.double() if v is not None and v.is_floating_point() else v
           for k, v in vars(batch).items()}
    )  # fmt: skip


def moves_of(method, batch):
    torch.manual_seed(0)
    return list(method.moves(batch, CTX))


@pytest.mark.parametrize("name", FAMILY)
def test_phases_minimize_what_the_paper_says(data, name):
    """Cross entropies of critics over the same draws; of the encoder with the opposite aim."""
    method = built(name, data)
    batch = doubled(first_batch(method, data))
    told = name.startswith("Semi")
    moves = moves_of(method, batch)
    players = ["autoencoder", "critics", "encoder", *(["classifier"] if told else [])]
    assert [*map(list, moves)] == [[player] for player in players]
    unlabelled = batch.unlabelled if told else batch
    q, style = method.posteriors(unlabelled)
    torch.manual_seed(0)
    real_y, real_s = (prior.sample((len(batch.x),)) for prior in method.priors())
    for part, critic, real, fake in (
        ("class", method.class_critic, real_y.double(), q.mean),
        ("style", method.style_critic, real_s, style.mean),
    ):
        loss = moves[1]["critics"]
        torch.testing.assert_close(loss[f"prior_{part}"], softplus(-critic(real))[:, 0])
        torch.testing.assert_close(loss[f"codes_{part}"], softplus(critic(fake))[:, 0])
        torch.testing.assert_close(
            moves[2]["encoder"][f"fooling_{part}"], softplus(-critic(fake))[:, 0]
        )
    z = method.join(q.mean, style.mean)
    nll = -method.model.decode(z).log_prob(unlabelled.x)
    torch.testing.assert_close(moves[0]["autoencoder"]["nll"], nll)
    if told:
        expected = -method.classify(batch.labelled).log_prob(batch.yl)
        torch.testing.assert_close(moves[3]["classifier"]["classification"], expected)


@pytest.mark.parametrize("name", FAMILY)
def test_the_critics_gradient_stays_with_the_critics(data, name):
    method = built(name, data)
    critics = moves_of(method, doubled(first_batch(method, data)))[1]["critics"]
    of_model = torch.autograd.grad(critics.total, [*method.model.parameters()], allow_unused=True)
    assert of_model == (None,) * len(of_model)


@pytest.mark.parametrize("name", ["SemiSupervisedAAE", "SemiSupervisedReducingAAE"])
def test_labelled_examples_are_decoded_from_their_true_class(data, name):
    method = built(name, data, labelled=0.5)
    batch = doubled(first_batch(method, data))
    weight, value = moves_of(method, batch)[0]["autoencoder"]["nll_labelled"]
    _, style = method.posteriors(batch.labelled)
    p = method.decode(style.mean, y=batch.yl)
    torch.testing.assert_close(value, -p.log_prob(batch.xl))
    assert weight == 0.5
    other = FewLabels(batch.x, batch.xl, (batch.yl + 1) % method.classes)
    _, changed = moves_of(method, other)[0]["autoencoder"]["nll_labelled"]
    assert not torch.allclose(changed, value)


@pytest.mark.parametrize("name", FAMILY)
def test_classes_are_softmax_means_and_nothing_is_drawn(data, name):
    method = built(name, data)
    batch = doubled(first_batch(method, data))
    losses = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        losses.append(next(iter(method.moves(batch, CTX)))["autoencoder"].total)
    assert torch.equal(*losses)


@pytest.mark.parametrize("name", FAMILY)
def test_samples_and_heads_by_class(data, name):
    method = built(name, data).eval()
    k = method.classes
    heads = method.heads()
    assert heads.shape == (k, 7)
    torch.testing.assert_close(
        heads, method.decode(torch.zeros(k, 2).double(), y=torch.arange(k)).mean
    )
    torch.manual_seed(0)
    some = method.sample(5, y=torch.tensor([1, 1, 1, 2, 0]))
    torch.manual_seed(0)
    others = method.sample(5, y=torch.tensor([1, 0, 1, 2, 0]))
    same = (some == others).all(1).tolist()
    assert same == [True, False, True, True, True]
    assert method.sample(4).shape == (4, 7)
    assert isinstance(method, m.Clusters)
    torch.testing.assert_close(method.cluster(data.observations(range(4)).double()).sum(1),
                               torch.ones(4).double())  # fmt: skip
    assert isinstance(method, m.Classifies) == name.startswith("Semi")


@pytest.mark.parametrize("name", ["ReducingAAE", "SemiSupervisedReducingAAE"])
def test_a_reduced_code_is_a_head_and_a_style(data, name):
    method = built(name, data)
    q = method.represent(data.observations(range(6)).double())
    heads = method.model.encoder.head.heads
    expected = q.style + q.category.mean @ heads
    torch.testing.assert_close(q.mean, expected)
    assert q.mean.shape == (6, 2)
    weights, means = method.prior.components()
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / method.classes))
    assert means is heads
    torch.testing.assert_close(
        method.prior.log_joint(expected).logsumexp(1), method.prior().log_prob(expected)
    )
    weight, value = moves_of(method, doubled(first_batch(method, data)))[0]["autoencoder"][
        "repulsion"
    ]
    assert weight == 1
    torch.testing.assert_close(value, head_repulsion(heads, 6.0))


def test_heads_are_pushed_apart_up_to_a_distance():
    w = torch.tensor([[0.0, 0], [0, 1], [5, 0], [0, 0]], dtype=torch.float64, requires_grad=True)
    loss = head_repulsion(w[:3], 3.0)
    assert loss.item() == pytest.approx(2.0)  # of the first two alone
    (slope,) = torch.autograd.grad(loss, w)
    assert slope.tolist() == [[0, 1], [0, -1], [0, 0], [0, 0]]
    (slope,) = torch.autograd.grad(head_repulsion(w, 3.0), w)
    assert slope.isfinite().all()
    torch.manual_seed(0)
    heads = torch.randn(6, 2, requires_grad=True)
    optimizer = torch.optim.SGD([heads], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        head_repulsion(heads, 2.0).backward()
        optimizer.step()
    assert torch.pdist(heads).min() > 1.9


def blobs(n=600, kinds=4, seed=0):
    """Points around as many centers, spread along one direction that all kinds share."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % kinds
    centers = 3 * np.eye(kinds, 8)
    along = rng.normal(size=(n, 1)) * np.array([0, 0, 0, 0, 0, 0, 1.0, 1.0])
    x = centers[y] + along + 0.1 * rng.normal(size=(n, 8))
    return FactorDataset.from_arrays(x.astype(np.float32), y[:, None], names=["kind"])


def trained(method, sampler, data, steps, seed):
    loader = Loader(data, sampler, batch_size=64, seed=seed)
    optimizers = {n: p.optimizer(p.parameters()) for n, p in method.players().items()}
    torch.manual_seed(seed)
    for step in range(steps):
        for _ in play(
            method.moves(loader(step), Context(torch.tensor(step), len(data))), optimizers
        ):
            pass
    return method.eval()


FAST = {
    "net": MLP((32,)),
    "adversarial": m.Adversarial(width=32),
    "optimizer": partial(Adam, lr=3e-3, fused=True),
    "critic_optimizer": partial(Adam, lr=2e-3, betas=(0.5, 0.999), fused=True),
    "encoder_optimizer": partial(Adam, lr=1e-3, betas=(0.5, 0.999), fused=True),
}


@pytest.mark.parametrize("seed", [0])
@pytest.mark.parametrize("name", ["SemiSupervisedAAE", "SemiSupervisedReducingAAE"])
def test_one_label_for_each_kind_is_enough_where_kinds_stand_apart(name, seed):
    data = blobs()
    cls = getattr(m, name)
    method = cls.build(
        data, 2, seed=seed, classifier_optimizer=partial(Adam, lr=3e-3, fused=True), **FAST
    )
    sampler = FewLabelsSampler("kind", labelled=4, batch_labelled=4, seed=seed)
    trained(method, sampler, data, 300, seed)
    x, y = data.observations(range(600)), torch.from_numpy(data.factors[:, 0])
    with torch.no_grad():
        right = (method.classify(x).probs.argmax(1) == y).float().mean().item()
        z = method.posteriors(x)[1].mean
    assert right > 0.95
    assert 0.3 < z.std().item() < 3  # the style is near its prior, a standard normal


@pytest.mark.parametrize("seed", [0])
@pytest.mark.parametrize("name", ["ClusteringAAE", "ReducingAAE"])
def test_clusters_are_pure_where_kinds_stand_apart(name, seed):
    data = blobs()
    method = getattr(m, name).build(data, 2, clusters=8, seed=seed, **FAST)
    trained(method, default_sampler(m.ClusteringAAE.supervision), data, 500, seed)
    x, y = data.observations(range(600)), torch.from_numpy(data.factors[:, 0])
    q = method.cluster(x)
    counts = one_hot(q.argmax(1), 8).T @ one_hot(y, 4)
    assert counts.max(1).values.sum().item() / 600 > 0.85
    assert q.max(1).values.mean() > 0.7  # soft classes have come to one class each


@pytest.mark.parametrize("name", ["AAE", "ClusteringAAE"])
def test_gradient_penalties_of_critics_of_codes(data, name):
    """Each with its weight, and none where it is not asked for."""
    adversarial = m.Adversarial("wasserstein", noise=0, width=16, gradient_penalty=10.0, r1=4.0)
    method = getattr(m, name).build(data, latent_dim=2, seed=0, adversarial=adversarial)
    (loss,) = moves_of(method, data.batch(range(16)))[1].values()
    ending = "" if name == "AAE" else "_style"
    assert loss.weights[f"gradient_penalty{ending}"] == 10
    assert loss.weights[f"r1{ending}"] == 2
    assert not {f"accuracy{ending}", f"calibration{ending}"} & set(loss)
    torch.manual_seed(0)
    if name == "AAE":
        real = method.prior().sample((16,))
        torch.testing.assert_close(loss["r1"][1], r1_penalty(method.critic, real))
    loss.total.backward()
    plain = getattr(m, name).build(data, latent_dim=2, seed=0)
    (loss,) = moves_of(plain, data.batch(range(16)))[1].values()
    assert not [term for term in loss if "penalty" in term or "r1" in term]
    with pytest.raises(ValueError, match="r1"):
        m.Adversarial(r1=-1.0)


def test_parts_that_do_not_fit_are_named(data):
    with pytest.raises(TypeError, match=r"expected one of the blocks 'class' and 'style'"):
        m.ClusteringAAE(m.Model.of(data, 3))
    with pytest.raises(TypeError, match="expected a HeadsPrior"):
        m.ReducingAAE(m.Model.of(data, 3))
    model = m.ClusteringAAE.build(data, 2, clusters=5).model
    with pytest.raises(ValueError, match=r"the model has 5 classes, but factor 'size' has 3"):
        m.SemiSupervisedAAE(model, data.space.factor("size"))
    with pytest.raises(TypeError, match=r"posterior=HeadsPosterior\(3\)"):
        m.Model.of(data, 3, prior=HeadsPrior(3))
    with pytest.raises(RuntimeError, match="before it is attached"):
        HeadsPrior(3)()
    with pytest.raises(ValueError, match="the heads have 3 dimensions"):
        HeadsPosterior(3).features(2)
    for settings, match in (({"clusters": 1}, "at least 2"), ({"distance": 0.0}, "distance")):
        with pytest.raises(ValueError, match=match):
            m.ReducingAAE.build(data, 2, **settings)
    assert isinstance(m.ReducingAAE.build(data, 2).represent(data.observations([0])), Point)
