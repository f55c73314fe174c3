"""LORD's and DrNet's losses against what their equations say, term by term."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import untwine as ut
from untwine.data import Clips, ClipsSampler, FactorDataset, Indexed, MovingSprites, Scenes
from untwine.functional import cross_entropy_to, cross_entropy_to_uniform
from untwine.methods import LORD, Context, DrNet, play
from untwine.nets import MLP, Recurrent

from ..laws.conftest import make_data

CTX = Context(torch.tensor(0), 60)


@pytest.fixture(scope="module")
def data():
    return make_data()


def indexed(data, rows=range(8)):
    index = torch.tensor(list(rows))
    return Indexed(data.observations(index), index, torch.from_numpy(data.factors[index, 0]))


def test_lord_without_noise_decay_and_features_is_its_plain_reconstruction(data):
    method = LORD.build(data, 4, seed=0, sigma=0.0, decay=0.0, perceptual=0.0).double()
    batch = indexed(data)
    x = batch.x.double()
    losses = next(iter(method.moves(Indexed(x, batch.index, batch.label), CTX)))
    code = torch.cat([method.contents(batch.index), method.classes(batch.label)], 1)
    logits = method.decoder.net(*method.split(code))
    expected = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / 8
    for loss in losses.values():
        torch.testing.assert_close(loss.total, expected)


def test_lord_adds_noise_to_contents_alone(data):
    method = LORD.build(data, 4, seed=0, sigma=2.0)
    seen = []
    method.decoder.register_forward_pre_hook(lambda m, inputs: seen.append(inputs))
    for _ in range(300):
        next(iter(method.moves(indexed(data), CTX)))
    batch = indexed(data)
    noise = torch.stack([c for c, _ in seen]) - method.contents(batch.index)
    assert noise.std().item() == pytest.approx(2.0, rel=0.05)
    assert abs(noise.mean().item()) < 0.1
    assert all(torch.equal(e, method.classes(batch.label)) for _, e in seen)


def test_lord_decays_contents_and_nothing_else(data):
    method = LORD.build(data, 4, seed=0, decay=0.25)
    losses = next(iter(method.moves(indexed(data), CTX)))
    loss = losses[("codes", "generator")]
    size = loss.total - loss.terms["nll"] - loss.terms["perceptual"]
    expected = 0.25 * (method.contents.weight[:8] ** 2).sum(1).mean()
    torch.testing.assert_close(size, expected, atol=1e-4, rtol=1e-3)


def test_lord_weighs_features_and_imitation(data):
    one = LORD.build(data, 4, seed=0, perceptual=1.0, imitation=1.0)
    two = LORD.build(data, 4, seed=0, perceptual=3.0, imitation=10.0)
    batch = indexed(data)
    a = next(iter(one.amortize(batch, CTX)))[("encoders", "generator")]
    b = next(iter(two.amortize(batch, CTX)))[("encoders", "generator")]
    for name in a.terms:
        torch.testing.assert_close(a.terms[name], b.terms[name])
    assert (a.weights["perceptual"], b.weights["perceptual"]) == (1.0, 3.0)
    assert (a.weights["content"], b.weights["label"]) == (1.0, 10.0)
    z = one.represent(batch.x).mean
    torch.testing.assert_close(
        a.terms["perceptual"], one.features.distance(batch.x, one.decode(z).mean).mean()
    )


def test_lord_says_which_features_it_used(data):
    assert ut.spec.describe(LORD.build(data, seed=0, features=ut.nets.MultiScale(2)))["init_args"][
        "features"
    ] == {"class_path": "untwine.nets.MultiScale", "init_args": {"levels": 2}}
    assert isinstance(LORD.build(data, seed=0).features, ut.nets.MultiScale)
    assert LORD.build(make_data(shape=(7,)), seed=0).features is None


def test_lord_swaps_row_by_row(data):
    method = LORD.build(data, 4, seed=0).eval()
    x = data.observations(range(5))
    grid = method.swap(x[:3], x[3:])
    assert grid.shape == (2, 3, 1, 16, 16)
    c, e = method.split(method.represent(x).mean)
    for m in range(2):
        for n in range(3):
            cell = method.decode(torch.cat([c[n : n + 1], e[3 + m : 4 + m]], 1)).mean[0]
            torch.testing.assert_close(grid[m, n], cell)
    torch.testing.assert_close(method.one_shot(x[3], x[:3]), grid[0])
    both = method.one_shot(x[3:], x[:3])  # two images of a class: their codes' average
    e = e[3:].mean(0).expand(3, -1)
    torch.testing.assert_close(both, method.decode(torch.cat([c[:3], e], 1)).mean)


def test_lord_fits_codes_of_new_images_and_leaves_the_generator_alone(data):
    method = LORD.build(data, 4, seed=0, decay=0.01).eval()
    before = {k: v.clone() for k, v in method.state_dict().items()}
    x = data.observations(range(40, 46))
    first, last = method.fit_codes(x, 0), method.fit_codes(x, 60, lr=0.05)
    assert torch.equal(first, method.represent(x).mean)

    def loss(z):
        size = 0.01 * (method.split(z)[0] ** 2).sum(1)
        far = method.features.distance(x, method.decode(z).mean)
        return (far - method.decode(z).log_prob(x) + size).mean().item()

    with torch.no_grad():
        assert loss(last) < 0.9 * loss(first)
    shared = method.split(method.fit_codes(x, 5, one_class=True))[1]
    assert torch.equal(shared, shared[:1].expand(6, -1))
    for name, value in method.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None for p in method.parameters())


def test_the_uniform_target_in_closed_form():
    logits = torch.randn(50, 3, dtype=torch.float64)
    expected = -logits.log_softmax(1).numpy().sum(1) / 3
    np.testing.assert_allclose(cross_entropy_to_uniform(logits).numpy(), expected)
    undecided = torch.full((4, 2), 0.7, dtype=torch.float64, requires_grad=True)
    loss = cross_entropy_to_uniform(undecided)
    assert loss.tolist() == pytest.approx([math.log(2)] * 4)
    loss.sum().backward()
    assert torch.equal(undecided.grad, torch.zeros(4, 2, dtype=torch.float64))
    # equation 4 with a sigmoid critic of log odds l
    odds = torch.linspace(-4, 4, 9, dtype=torch.float64)
    c = odds.sigmoid()
    two = torch.stack([odds, torch.zeros_like(odds)], 1)
    torch.testing.assert_close(cross_entropy_to_uniform(two), -0.5 * c.log() - 0.5 * (1 - c).log())
    # near an undecided critic it is twice the squared error that the authors' Python code has
    near = torch.tensor([[0.02, 0.0]], dtype=torch.float64)
    excess = cross_entropy_to_uniform(near) - math.log(2)
    torch.testing.assert_close(excess, 2 * (near.softmax(1)[:, 0] - 0.5) ** 2, rtol=1e-3, atol=0.0)


def clips(n=6, frames=4, dim=5, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, frames, dim))).float()


@pytest.fixture
def drnet():
    table, net = _ClipTable(clips(20)), MLP((8,))
    method = DrNet.build(table, 3, seed=0, content_dim=4, net=net, alpha=0.5, beta=2.0)
    return method.eval()  # normalized by running statistics, so that examples stand alone


class _ClipTable(FactorDataset):
    """Clips of vectors, ``(N, T, F)``."""

    def __init__(self, x):
        self.x, self.shape = x, tuple(x.shape[1:])
        self.space = ut.FactorSpace((), ())

    def __len__(self):
        return len(self.x)

    @property
    def factors(self):
        return np.empty((len(self.x), 0), np.int64)

    def observations(self, index, draw=0):
        return self.x[torch.as_tensor(index)]


def test_drnets_loss_is_the_sum_of_its_equations(drnet):
    x = clips()
    torch.manual_seed(3)
    loss = next(iter(drnet.moves(Clips(x), CTX)))["codes"]
    torch.manual_seed(3)
    t = torch.randint(4, (2, 6))
    one = torch.stack([x[i, t[0, i]] for i in range(6)])
    two = torch.stack([x[i, t[1, i]] for i in range(6)])
    hc1, hc2 = drnet.content_encoder(one), drnet.content_encoder(two)
    hp1, hp2 = drnet.pose_encoder(one), drnet.pose_encoder(two)
    y = drnet.decoder.net(torch.cat([hc1, hp2], 1))
    nll = 0.5 * ((y - two) ** 2).sum(1) + 2.5 * math.log(2 * math.pi)
    logits = drnet.critic(torch.cat([hp1, hp2], 1))
    c = (logits[:, 0] - logits[:, 1]).sigmoid()
    adversarial = -0.5 * c.log() - 0.5 * (1 - c).log()
    expected = nll + 0.5 * ((hc1 - hc2) ** 2).sum(1) + 2.0 * adversarial
    torch.testing.assert_close(loss.total, expected.mean())


def test_the_scene_critic_learns_same_from_different_clips(drnet):
    hp1, hp2 = torch.randn(2, 6, 3)
    found = drnet.scene(hp1, hp2)
    same = drnet.critic(torch.cat([hp1, hp2], 1))
    other = drnet.critic(torch.stack([torch.cat([hp1[i], hp2[i - 1]]) for i in range(6)]))
    torch.testing.assert_close(
        found["same"], F.cross_entropy(same, torch.zeros(6).long(), reduction="none")
    )
    torch.testing.assert_close(
        found["different"], F.cross_entropy(other, torch.ones(6).long(), reduction="none")
    )
    # poses that name their clip are told apart
    ids = torch.eye(6)[:, :3] * 3 + torch.arange(6)[:, None]
    optimizer = torch.optim.Adam(drnet.critic.parameters(), 1e-2)
    for _ in range(300):
        loss = sum(v.mean() for v in drnet.scene(ids, ids + 0.01 * torch.randn(6, 3)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1  # undecided: 2 log 2


def test_an_undecided_critic_moves_no_pose(drnet):
    with torch.no_grad():
        last = drnet.critic[-1]
        last.weight[1] = last.weight[0]
        last.bias[1] = last.bias[0]
    pose = torch.randn(6, 6, requires_grad=True)
    cross_entropy_to_uniform(drnet.critic(pose)).sum().backward()
    assert pose.grad.abs().max() < 1e-7
    assert cross_entropy_to(drnet.critic(pose), 0).mean().item() == pytest.approx(math.log(2))


def test_the_lstm_sees_n_poses_and_then_its_own(drnet):
    x, content = clips(), torch.randn(6, 4)
    poses = drnet._frames(drnet.pose_encoder, x)
    foretold = drnet._continue(content, poses[:, :2], 2)
    assert foretold.shape == (6, 3, 3)
    # step by step, with the cells' own arithmetic
    net, state, h = drnet.predictor, None, poses[:, :1]
    for t in range(3):
        y, state = net(torch.cat([h, content[:, None]], -1), state)
        torch.testing.assert_close(foretold[:, t : t + 1], y)
        h = poses[:, t + 1 : t + 2] if t + 1 < 2 else y
    drnet.observed = 2
    with torch.no_grad():
        content = drnet.content_encoder(x[:, 1])
        expected = ((drnet._continue(content, poses[:, :2], 2) - poses[:, 1:]) ** 2).sum((1, 2))
    loss = next(iter(drnet.foretell(Clips(x), CTX)))["predictor"]
    torch.testing.assert_close(loss.total, expected.mean())


def test_recurrent_steps_one_by_one_as_all_at_once():
    net = Recurrent(4, 2, hidden=8, layers=3).double()
    x = torch.randn(5, 6, 4).double()
    whole, (h, c) = net(x)
    assert whole.shape == (5, 6, 2)
    assert h.shape == c.shape == (3, 5, 8)
    state, found = None, []
    for t in range(6):
        y, state = net(x[:, t : t + 1], state)
        found.append(y)
    torch.testing.assert_close(torch.cat(found, 1), whole)
    torch.testing.assert_close(state[0], h)


def test_codes_of_clips_are_one_content_and_all_poses(drnet):
    x = clips()
    z = drnet.represent(x).mean
    assert z.shape == (6, 4 + 4 * 3)
    frames = drnet.represent(x.flatten(0, 1)).mean.reshape(6, 4, 7)
    torch.testing.assert_close(z[:, :4], frames[..., :4].mean(1))
    torch.testing.assert_close(z[:, 4:].reshape(6, 4, 3), frames[..., 4:])
    y = drnet.decode(z).mean
    assert y.shape == x.shape
    torch.testing.assert_close(
        y[:, 2], drnet.decode(torch.cat([z[:, :4], frames[:, 2, 4:]], 1)).mean
    )
    with pytest.raises(ValueError, match="a multiple of 3"):
        drnet.decode(torch.randn(2, 9))


def test_predictions_and_swaps_have_the_shapes_of_frames(drnet):
    x = clips()
    assert drnet.predict(x[:, :1], 7).shape == (6, 7, 5)
    longer, shorter = drnet.predict(x, 7), drnet.predict(x, 3)
    torch.testing.assert_close(longer[:, :3], shorter)
    grid = drnet.swap(x[:2, 0], x[0])
    assert grid.shape == (2, 4, 5)
    z = torch.cat([drnet.content_encoder(x[1:2, 0]), drnet.pose_encoder(x[0, 3:4])], 1)
    torch.testing.assert_close(grid[1, 3], drnet.decode(z).mean[0])
    with pytest.raises(ValueError, match="expected \\(B, n, 5\\)"):
        drnet.predict(x[0], 3)
    with pytest.raises(ValueError, match="steps is 0"):
        drnet.predict(x, 0)


def test_drnet_refuses_clips_it_cannot_learn_from(drnet):
    with pytest.raises(ValueError, match="1 clips of 4 frames"):
        next(iter(drnet.moves(Clips(clips(1)), CTX)))
    with pytest.raises(ValueError, match="6 clips of 1 frames"):
        next(iter(drnet.moves(Clips(clips(6, 1)), CTX)))
    drnet.observed = 4
    with pytest.raises(ValueError, match="nothing is left to foretell"):
        next(iter(drnet.foretell(Clips(clips()), CTX)))
    with pytest.raises(ValueError, match="are frames, and no factor says when"):
        DrNet.build(FactorDataset.from_arrays(np.zeros((4, 16, 16))))
    with pytest.raises(ValueError, match="is a clip already"):
        DrNet.build(MovingSprites(4), time="shape")
    with pytest.raises(ValueError, match="observed is 0"):
        DrNet.build(_ClipTable(clips()), observed=0)


def test_drnet_learns_from_clips_of_images_and_from_scenes_of_any_length():
    sprites = MovingSprites(4).subset(list(range(0, 3000, 100)))
    assert DrNet.build(sprites, 2, seed=0).sampler().time is None
    rng = np.random.default_rng(0)
    scenes = Scenes([rng.random((n, 16, 16)) for n in (9, 5, 3, 12)])
    method = DrNet.build(scenes, 2, seed=0, length=4)
    sampler = method.sampler()
    assert isinstance(sampler, ClipsSampler)
    assert (sampler.time, sampler.length) == ("frame", 4)
    for source, built in ((scenes, method), (sprites, DrNet.build(sprites, 2, seed=0))):
        batch = ut.data.Loader(source, built.sampler(), batch_size=6)(0)
        assert batch.x.shape[:2] == (6, 4)
        players = built.players()
        for stage in built.stages():
            optimizers = {n: players[n].optimizer(players[n].parameters()) for n in stage.players}
            for _, loss in play(stage.moves(batch, CTX), optimizers):
                assert torch.isfinite(loss.total)
        assert built.predict(batch.x[:, :2], 3).shape == (6, 3, *built.shape)
