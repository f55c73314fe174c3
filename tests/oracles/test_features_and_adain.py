"""Perceptual distances and adaptive normalization against direct computations."""

import copy

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import nn
from torch.distributions import Independent

from untwine.data import FactorDataset
from untwine.distributions import Laplace
from untwine.methods import LORD
from untwine.nets import VGG16, AdaIN, FrozenNet, MultiScale, adain
from untwine.spec import describe, instantiate

RNG = np.random.default_rng(0)
CHANNELS = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of the first seven convolutions, in the file's format."""
    mean, std = np.array([[0.4, 0.5, 0.6], [0.2, 0.3, 0.25]], np.float32)
    arrays = {"mean": mean, "std": std}
    for i, (a, b) in enumerate(CHANNELS):
        arrays[f"w{i}"] = (RNG.normal(size=(b, a, 3, 3)) / (9 * a) ** 0.5).astype(np.float16)
        arrays[f"b{i}"] = RNG.normal(size=b).astype(np.float16)
    path = tmp_path_factory.mktemp("vgg") / "vgg.npz"
    np.savez(path, **arrays)
    return path


def convolve(x, w, b):
    """Zero-padded 3x3 convolution, channel by channel, and ReLU."""
    y = np.stack(
        [sum(correlate2d(x[c], w[o, c], "same") for c in range(len(x))) for o in range(len(w))]
    )
    return np.maximum(y + b[:, None, None], 0)


def pool(x):
    return x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).max((2, 4))


def by_hand(x, path, normalized=True):
    z = {k: v.astype(np.float64) for k, v in np.load(path).items()}
    h = (x - z["mean"][:, None, None]) / z["std"][:, None, None] if normalized else x
    found = []
    for i in range(3):
        h = convolve(h, z[f"w{i}"], z[f"b{i}"])
        found.append(h)
        if i == 1:
            h = pool(h)
    return found


def test_vgg_layers_by_direct_convolution(weights):
    features = VGG16(weights, layers=["relu1_1", "relu1_2", "relu2_1"]).double()
    x = RNG.random((2, 3, 6, 8))
    found = features(torch.from_numpy(x))
    for n in range(2):
        for layer, expected in zip(found, by_hand(x[n], weights), strict=True):
            np.testing.assert_allclose(layer[n].numpy(), expected, rtol=1e-9, atol=1e-9)


def test_the_distance_is_the_weighted_sum_of_mean_differences(weights):
    features = VGG16(weights, layers=["relu1_2", "relu2_1"], weights=[0.5, 2.0]).double()
    x, y = RNG.random((2, 2, 3, 6, 8))
    found = features.distance(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    for n in range(2):
        (_, a1, a2), (_, b1, b2) = by_hand(x[n], weights), by_hand(y[n], weights)
        expected = 3 * 6 * 8 * (0.5 * np.abs(a1 - b1).mean() + 2.0 * np.abs(a2 - b2).mean())
        assert found[n] == pytest.approx(expected, rel=1e-9)


def test_lord_compares_images_as_its_released_code_does(weights):
    """Colors as they are, means over each layer, pixels beside them: D times that, plus D log 2."""
    features = VGG16(weights, layers=["relu1_2", "relu2_1"], normalized=False).double()
    data = FactorDataset.from_arrays(RNG.random((6, 3, 8, 8)), np.arange(6)[:, None] % 2, ["a"])
    method = LORD.build(data, latent_dim=2, label="a", likelihood=Laplace(), features=features)
    x, y = RNG.random((2, 3, 8, 8)), RNG.random((2, 3, 8, 8))
    p = Independent(torch.distributions.Laplace(torch.from_numpy(y), 1.0), 3)
    terms = method.reconstruction(torch.from_numpy(x), p)
    released = []
    for n in range(2):
        (_, a1, a2), (_, b1, b2) = by_hand(x[n], weights, False), by_hand(y[n], weights, False)
        pairs = (x[n], y[n]), (a1, b1), (a2, b2)
        released.append(sum(np.abs(one - two).mean() for one, two in pairs))
    size = 3 * 8 * 8
    assert terms.total.item() == pytest.approx(size * (np.mean(released) + np.log(2)), rel=1e-9)


def test_vgg_reads_the_layers_the_paper_compares_as_far_as_they_go(weights):
    assert VGG16(weights).layers == ("relu1_2", "relu2_2", "relu3_2")
    grey = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(
        VGG16(weights)(grey)[-1], VGG16(weights)(grey.expand(-1, 3, -1, -1))[-1]
    )


def test_torchvision_files_are_read(weights, tmp_path):
    z = np.load(weights)
    numbers = [0, 2, 5, 7, 10, 12, 14]
    state = {f"features.{k}.weight": torch.from_numpy(z[f"w{i}"]) for i, k in enumerate(numbers)}
    state |= {f"features.{k}.bias": torch.from_numpy(z[f"b{i}"]) for i, k in enumerate(numbers)}
    state["classifier.0.weight"] = torch.zeros(1)
    torch.save(state, tmp_path / "vgg16.pth")
    one, two = VGG16(weights), VGG16(tmp_path / "vgg16.pth")
    for i in range(6):  # the seventh lies behind the last layer compared
        assert torch.equal(getattr(one, f"w{i}"), getattr(two, f"w{i}"))
    assert two.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


def test_vgg_refuses_what_does_not_fit(weights, tmp_path):
    with pytest.raises(ValueError, match="no layer 'relu4_3' in these 7 convolutions"):
        VGG16(weights, layers=["relu4_3"])
    with pytest.raises(ValueError, match="order of the net"):
        VGG16(weights, layers=["relu2_1", "relu1_1"])
    with pytest.raises(ValueError, match="1 weights for 3 layers"):
        VGG16(weights, weights=[1.0])
    with pytest.raises(ValueError, match="too small for relu3_2"):
        VGG16(weights)(torch.rand(1, 3, 3, 9))
    with pytest.raises(ValueError, match="x has 2 channels; expected images of 1 or 3"):
        VGG16(weights)(torch.rand(1, 2, 8, 8))
    with pytest.raises(ValueError, match="compare images"):
        VGG16(weights).distance(torch.rand(4, 7), torch.rand(4, 7))
    with pytest.raises(FileNotFoundError, match="no file"):
        VGG16(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="expected w0, b0"):
        VGG16(tmp_path / "other.npz")
    np.savez(tmp_path / "wrong.npz", w0=np.zeros((8, 3, 3, 3)), b0=np.zeros(8))
    with pytest.raises(ValueError, match="convolution 0"):
        VGG16(tmp_path / "wrong.npz")


def test_features_are_recorded_and_hold_nothing_to_train(weights):
    for features in (VGG16(str(weights), weights=[1.0, 2.0, 3.0]), MultiScale(2)):
        again = instantiate(describe(features))
        x, y = torch.rand(2, 3, 3, 16, 16)
        assert torch.equal(again.distance(x, y), features.distance(x, y))
        assert not list(features.parameters())
        assert not features.state_dict()  # weights of others are no part of a run


def test_published_weights_tell_an_edge_from_a_blur(shared):
    path = shared / "data/vgg16_imagenet_to_conv3_3_fp16.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not there")
    features = VGG16(path)
    x = torch.zeros(1, 3, 32, 32)
    x[..., 16:] = 1
    moved, grey = x.roll(1, -1), torch.full_like(x, 0.5)
    assert features.distance(x, x) == 0
    assert 0 < features.distance(x, moved) < features.distance(x, grey)


def test_a_pyramid_in_closed_form():
    x = torch.tensor([[[[4.0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 0, 0], [2, 2, 0, 0]]]])
    x = x.double()
    fine, middle, rest = MultiScale(2)(x)
    # 2x2 means are 1, 1, 2, 0, and their mean is 1
    assert fine[0, 0].tolist() == [[3, -1, 0, 0], [-1, -1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert middle[0, 0].tolist() == [[0, 0], [1, -1]]
    assert rest.item() == 1
    # against black: 16 (6 / 16 + 2 / 4 + 1)
    assert MultiScale(2).distance(x, torch.zeros_like(x)).item() == 6 + 8 + 16
    weighted = MultiScale(2, weights=[1.0, 0.5, 0.25])
    assert weighted.distance(x, torch.zeros_like(x)).item() == 6 + 4 + 4


@pytest.mark.parametrize("shape", [(1, 7, 5), (3, 16, 16), (2, 1, 9)])
def test_a_pyramid_loses_nothing(shape):
    x = torch.rand(2, *shape).double()
    bands = MultiScale(3)(x)
    y = bands[-1]
    for band in bands[-2::-1]:
        up = y.repeat_interleave(2, -1).repeat_interleave(2, -2)
        y = band + up[..., : band.shape[-2], : band.shape[-1]]
    torch.testing.assert_close(y, x)
    constant = MultiScale(3).distance(x, x + 0.5)  # only the coarsest band sees brightness
    assert constant.tolist() == pytest.approx([0.5 * x[0].numel()] * 2)


def test_pyramids_refuse_what_makes_no_sense():
    with pytest.raises(ValueError, match="levels is 0"):
        MultiScale(0)
    with pytest.raises(ValueError, match="2 weights for 3 bands"):
        MultiScale(2, weights=[1.0, 2.0])


def test_a_frozen_net_stays_as_it_was():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten())
    features = FrozenNet(net, ["0", ""])
    x = torch.rand(3, 1, 5, 5)
    before = features(x)
    net.eval()
    torch.testing.assert_close(before[1], net(x))
    with torch.no_grad():
        net[0].weight.mul_(2)
    assert torch.equal(features(x)[0], before[0])
    assert torch.equal(copy.deepcopy(features)(x)[0], before[0])
    x.requires_grad_()
    features.distance(x, torch.zeros_like(x)).sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(p.grad is None for p in net.parameters())
    with pytest.raises(ValueError, match="no module 'fc'"):
        FrozenNet(net, ["fc"])


def test_adain_by_hand():
    x = RNG.normal(size=(2, 3, 4, 5))
    scale, shift = RNG.normal(size=(2, 2, 3))
    found = adain(*map(torch.from_numpy, (x, scale, shift)), eps=1e-3)
    for b in range(2):
        for c in range(3):
            m = x[b, c].sum() / 20
            v = ((x[b, c] - m) ** 2).sum() / 20
            expected = scale[b, c] * (x[b, c] - m) / np.sqrt(v + 1e-3) + shift[b, c]
            np.testing.assert_allclose(found[b, c].numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 28, 20), (1, 60, 64), (2, 9, 31), (1, 8, 8)])
def test_the_adain_nets_fit_any_image(shape):
    net = AdaIN(16)
    x, z, c = torch.rand(2, *shape), torch.randn(2, 5), torch.randn(2, 3)
    assert net.encoder(shape, 6)(x).shape == (2, 6)
    assert net.encoder(shape, 6, covariates=3)(x, c).shape == (2, 6)
    decoder = net.decoder(5, shape, covariates=3)
    assert decoder(z, c).shape == x.shape
    assert not torch.equal(decoder(z, c), decoder(z, c + 1))
    assert not torch.equal(decoder(z, c), decoder(z + 1, c))


def test_the_adain_generator_has_the_papers_layers_at_64():
    decoder = AdaIN(256).decoder(128, (3, 64, 64), covariates=256)
    linear = [m.out_features for m in decoder.content if isinstance(m, nn.Linear)]
    assert linear == [512, 1024, 4096]
    assert [m.kernel_size[0] for m in decoder.convolve] == [3] * 4
    assert [m.out_features for m in decoder.modulate] == [512] * 4
    last = [(m.out_channels, m.kernel_size[0]) for m in decoder.last if isinstance(m, nn.Conv2d)]
    assert last == [(64, 5), (3, 7)]
    encoder = AdaIN(256).encoder((3, 64, 64), 128)
    found = [(m.out_channels, m.kernel_size[0]) for m in encoder if isinstance(m, nn.Conv2d)]
    assert found == [(64, 7), (128, 4), (256, 4), (256, 4), (256, 4)]
    assert [m.in_features for m in encoder if isinstance(m, nn.Linear)] == [4096, 256, 256]


def test_the_class_code_changes_statistics_and_not_places():
    """Scales and shifts act on whole channels: equal feature maps stay equal up to them."""
    decoder = AdaIN(8).decoder(4, (1, 16, 16), covariates=2).double()
    seen = []
    decoder.last.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0]))
    z, c = torch.randn(1, 4).double(), torch.randn(1, 2).double()
    decoder(z, c)
    scale, shift = decoder.modulate[-1](c).chunk(2, -1)
    normal = (seen[0] - shift[:, :, None, None]) / (1 + scale)[:, :, None, None]
    torch.testing.assert_close(normal.mean((2, 3)), torch.zeros(1, 8).double())
    varies = normal.var((2, 3), correction=0)
    assert ((varies > 0.5) | (varies < 1e-6)).all()


def test_adain_without_a_class_is_refused():
    with pytest.raises(ValueError, match="by which an AdaIN generator is modulated"):
        AdaIN().decoder(4, (1, 16, 16))
    with pytest.raises(ValueError, match="at least 8x8"):
        AdaIN().encoder((7,), 4)
    with pytest.raises(ValueError, match="width is 4"):
        AdaIN(4)
