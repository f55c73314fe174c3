"""Style-based networks: modulation, noise, averages, path lengths and adaptive augmentation."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from untwine.functional import path_lengths
from untwine.nets import (
    AdaptiveAugment,
    EqualizedConv,
    EqualizedLinear,
    StyleDiscriminator,
    StyleGenerator,
    StyleMapping,
    StyleSynthesis,
    adain,
    batch_deviation,
    follow,
    modulated_conv,
    running_copy,
    style_sizes,
)
from untwine.nets.style import StyleLayer
from untwine.spec import describe, instantiate

from ..laws.test_methods import NoSync

double = torch.float64


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


# Modulation


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulation_is_the_direct_formula_example_by_example(demodulate):
    x = torch.randn(4, 3, 7, 6, dtype=double)
    weight, style = torch.randn(5, 3, 3, 3, dtype=double), torch.randn(4, 3, dtype=double)
    y = modulated_conv(x, weight, style, demodulate=demodulate)
    for b in range(4):
        kernel = weight.clone()
        for i in range(3):
            kernel[:, i] *= style[b, i]
        if demodulate:
            for j in range(5):
                kernel[j] /= math.sqrt((kernel[j] ** 2).sum().item() + 1e-8)
        alone = F.conv2d(x[b : b + 1], kernel, padding=1)[0]
        torch.testing.assert_close(y[b], alone)


def test_modulation_is_a_convolution_in_groups():
    n, inputs, outputs = 3, 4, 5
    x, style = torch.randn(n, inputs, 8, 8, dtype=double), torch.randn(n, inputs, dtype=double)
    weight = torch.randn(outputs, inputs, 1, 1, dtype=double)
    kernels = weight[None] * style[:, None, :, None, None]
    kernels = kernels * (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    groups = F.conv2d(x.reshape(1, -1, 8, 8), kernels.flatten(0, 1), groups=n)
    torch.testing.assert_close(modulated_conv(x, weight, style), groups.reshape(n, outputs, 8, 8))


def test_demodulated_outputs_of_independent_inputs_have_variance_one():
    x, style = torch.randn(64, 16, 16, 16), 3 * torch.rand(64, 16)
    y = modulated_conv(x, torch.randn(8, 16, 3, 3), style)[..., 1:-1, 1:-1]
    assert y.var().item() == pytest.approx(1, abs=0.1)


def test_a_layer_of_adain_is_normalized_after_its_activation():
    layer = StyleLayer(3, 4, 6, (8, 8), "adain").double()
    x, w = torch.randn(2, 3, 8, 8, dtype=double), torch.randn(2, 6, dtype=double)
    h = F.conv2d(x, layer.conv.weight / math.sqrt(27), padding=1)
    h = F.leaky_relu(h, 0.2) * math.sqrt(2)
    style = w @ layer.affine.weight.T / math.sqrt(6) + layer.affine.bias
    expected = adain(h, style[:, :4], style[:, 4:])
    torch.testing.assert_close(layer(x, w, "none"), expected)
    assert layer.affine.bias.tolist() == [1.0] * 4 + [0.0] * 4


# Equalized layers and the mapping network


def test_equalized_layers_keep_the_variance_whatever_the_multiplier():
    x = torch.randn(4000, 64)
    for multiplier in (1.0, 0.01):
        y = EqualizedLinear(64, 32, multiplier=multiplier)(x)
        assert y.var().item() == pytest.approx(1, abs=0.15)
    assert EqualizedLinear(3, 2, bias=1.0, multiplier=0.01)(torch.zeros(1, 3)).tolist() == [[1, 1]]
    y = EqualizedConv(16, 32)(torch.randn(16, 16, 12, 12))[..., 1:-1, 1:-1]
    assert y.var().item() == pytest.approx(1, abs=0.15)


def test_a_step_of_a_slow_layer_is_as_much_smaller():
    """Adam's first step moves every weight by its rate, whatever the gradient."""
    x = torch.ones(1, 4, dtype=double)
    moved = {}
    for multiplier in (1.0, 0.01):
        layer = EqualizedLinear(4, 1, multiplier=multiplier).double()
        before = layer(x).item()
        optimizer = torch.optim.Adam(layer.parameters(), 1e-3)
        layer(x).sum().backward()
        optimizer.step()
        moved[multiplier] = before - layer(x).item()
    assert moved[0.01] == pytest.approx(0.01 * moved[1.0], rel=1e-3)


def test_the_mapping_forgets_the_length_of_z():
    mapping, z = StyleMapping(6, 2), torch.randn(5, 6)
    torch.testing.assert_close(mapping(z), mapping(7 * z))
    torch.testing.assert_close(mapping(z)[2:3], mapping(z[2:3]))
    first = mapping.layers[0]
    h = math.sqrt(6) * F.normalize(z)
    for layer in (first, mapping.layers[1]):
        h = F.linear(h, layer.weight * 0.01 / math.sqrt(6), 0.01 * layer.bias)
        h = math.sqrt(2) * F.leaky_relu(h, 0.2)
    torch.testing.assert_close(mapping(z), h)


# Synthesis


@pytest.mark.parametrize("modulation", ["demodulate", "adain"])
@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 28, 20), (3, 60, 64)])
def test_images_of_any_size(shape, modulation):
    sizes = style_sizes(shape)
    net = StyleSynthesis(shape, 5, [4] * len(sizes), modulation)
    assert net.count == 2 * len(sizes) - 1
    w = torch.randn(2, 5)
    assert net(w).shape == (2, *shape)
    assert torch.equal(net(w, "fixed"), net(w[:, None].expand(-1, net.count, -1), "fixed"))
    assert StyleDiscriminator(shape, [4] * len(sizes))(torch.rand(6, *shape)).shape == (6, 1)


def test_each_layer_has_its_style_and_its_noise():
    net = StyleSynthesis((3, 16, 16), 5, [4, 6, 8])
    w = torch.randn(2, net.count, 5)
    before = net(w, "none")
    for i in range(net.count):
        other = w.clone()
        other[:, i] = torch.randn(2, 5)
        assert not torch.allclose(net(other, "none"), before, atol=1e-4), i
    assert torch.equal(net(w, "fresh"), net(w, "none"))  # strengths start at 0
    with torch.no_grad():
        net.layers[0].strength.fill_(0.5)
    assert not torch.equal(net(w, "fresh"), net(w, "fresh"))
    assert torch.equal(net(w, "fixed"), net(w, "fixed"))
    one, two = net(w[:1].expand(2, -1, -1), "fresh")
    assert not torch.equal(one, two)


def test_a_fine_style_does_not_move_what_a_coarse_layer_computes():
    net = StyleSynthesis((3, 16, 16), 5, [4, 6, 8])
    seen = []
    net.layers[2].register_forward_hook(lambda module, inputs, output: seen.append(output))
    w = torch.randn(2, net.count, 5)
    other = w.clone()
    other[:, 3:] = torch.randn(2, 2, 5)
    net(w, "none")
    net(other, "none")
    assert torch.equal(*seen)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"images.*of at least 8x8"):
        style_sizes((3, 7, 9))
    with pytest.raises(ValueError, match="modulation is 'both'"):
        StyleSynthesis((3, 16, 16), 5, [4, 4, 4], "both")
    for cls in (StyleDiscriminator, lambda shape, widths: StyleSynthesis(shape, 5, widths)):
        with pytest.raises(ValueError, match="expected 3, one for each"):
            cls((3, 16, 16), [4, 4])
    net = StyleSynthesis((3, 16, 16), 5, [4, 4, 4])
    with pytest.raises(ValueError, match=r"expected \(B, 5\) or \(B, 5, 5\)"):
        net(torch.randn(2, 4))
    with pytest.raises(ValueError, match="noise is 'some'"):
        net(torch.randn(2, 5), "some")


# The discriminator


def test_the_deviation_of_a_batch():
    h = torch.randn(8, 2, 3, 3, dtype=double)
    feature = batch_deviation(h, 4)[:, 2]
    for i in range(8):
        members = h[[j for j in range(8) if j % 2 == i % 2]]
        expected = members.std(0, correction=0).mean()
        torch.testing.assert_close(feature[i], expected.expand(3, 3), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        batch_deviation(h[:5], 4)[:, 2].std(), h.new_zeros(())
    )  # groups of 1
    alike = batch_deviation(h[:1].expand(4, -1, -1, -1))[:, 2]
    assert alike.max() < 1e-3


def test_without_groups_logits_are_independent():
    net = StyleDiscriminator((3, 16, 16), [4, 4, 4], group=1)
    x = torch.rand(4, 3, 16, 16)
    torch.testing.assert_close(net(x)[1:2], net(x[1:2]))


# The averaged copy


def test_a_running_copy_follows_as_an_exponential_average():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).double()
    twin = running_copy(net)
    assert not list(twin.parameters())
    assert set(twin.state_dict()) == set(net.state_dict())
    expected = {n: p.detach().clone() for n, p in net.named_parameters()}
    for decay in (0.9, torch.tensor(0.5, dtype=double)):
        with torch.no_grad():
            for p in net.parameters():
                p.add_(torch.randn_like(p))
        net(torch.randn(8, 2, dtype=double))
        follow(twin, net, decay)
        for name, p in net.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * p.detach()
            torch.testing.assert_close(twin.state_dict()[name], expected[name])
        assert torch.equal(twin[1].running_mean, net[1].running_mean)
    x = torch.randn(4, 2, dtype=double, requires_grad=True)
    (slope,) = torch.autograd.grad(twin.eval()(x).sum(), x)
    assert slope.shape == x.shape


# Path lengths


def test_path_lengths_of_a_linear_map():
    matrix = torch.randn(3 * 4 * 4, 5, dtype=double)
    w = torch.randn(6, 5, dtype=double, requires_grad=True)
    images = (w @ matrix.T).reshape(6, 3, 4, 4)
    y = torch.randn_like(images)
    expected = (y.flatten(1) @ matrix).norm(dim=1)
    torch.testing.assert_close(path_lengths(images, w, y), expected)
    codes = w.detach()[:, None].repeat(1, 2, 1).requires_grad_()  # the same map of a sum of layers
    images = (codes.sum(1) @ matrix.T).reshape(6, 3, 4, 4)
    torch.testing.assert_close(path_lengths(images, codes, y), expected)


def test_the_mean_square_of_path_lengths_is_the_squared_norm_of_the_jacobian_per_pixel():
    matrix = torch.randn(3 * 4 * 4, 5, dtype=double)
    w = torch.zeros(20_000, 5, dtype=double, requires_grad=True)
    lengths = path_lengths((w @ matrix.T).reshape(-1, 3, 4, 4), w)
    expected = matrix.square().sum().item() / 16
    assert lengths.square().mean().item() == pytest.approx(expected, rel=0.05)


def test_path_lengths_are_differentiable_in_the_generator():
    scale = torch.tensor(3.0, requires_grad=True)
    w = torch.randn(2, 4, requires_grad=True)
    y = torch.randn(2, 4, 1, 1)
    lengths = path_lengths((scale * w)[:, :, None, None], w, y)
    (slope,) = torch.autograd.grad(lengths.sum(), scale)
    torch.testing.assert_close(slope, y.flatten(1).norm(dim=1).sum())
    net = StyleGenerator(StyleMapping(5, 2), StyleSynthesis((3, 16, 16), 5, [4, 4, 4]))
    codes = net.mapping(torch.randn(2, 5))
    path_lengths(net.synthesis(codes), codes).sum().backward()
    assert all(p.grad is not None for p in net.mapping.parameters())


# Adaptive augmentation


@pytest.fixture
def kornia():
    return pytest.importorskip("kornia")


def test_each_transformation_falls_to_a_share_p_of_the_images(kornia):
    x = torch.rand(4000, 1, 8, 8)
    for kind in ("flip", "rotation", "scale", "translation", "color"):
        changed = AdaptiveAugment([kind], p=0.25)(x[:, :, :, :])
        share = (changed != x).flatten(1).any(1).float().mean().item()
        expected = 0.25 if kind != "color" else 1 - 0.75**2  # brightness and contrast, of grey
        assert share == pytest.approx(expected, abs=0.05), kind
    assert torch.equal(AdaptiveAugment()(x), x)
    flipped = AdaptiveAugment(["flip"], p=1.0)(x)
    assert torch.equal(flipped, x.flip(-1))


def test_p_follows_the_sign_of_real_logits(kornia):
    augment = AdaptiveAugment(target=0.5, images=100)
    sure, even = torch.ones(10, 1), torch.tensor([1.0, -1.0]).repeat(5)[:, None]
    for expected in (0.1, 0.2, 0.3):
        augment.adapt(sure)
        assert augment.p.item() == pytest.approx(expected)
    for expected in (0.2, 0.1, 0.0, 0.0):
        augment.adapt(even)
        assert augment.p.item() == pytest.approx(expected, abs=1e-6)
    for _ in range(12):
        augment.adapt(sure)
    assert augment.p.item() == 1.0
    constant = AdaptiveAugment(p=0.4, images=0)
    constant.adapt(sure)
    assert constant.p.item() == pytest.approx(0.4)


def test_augmentation_waits_for_no_value_and_can_be_written_down(kornia):
    augment, x = AdaptiveAugment(p=0.5), torch.rand(6, 3, 8, 8, requires_grad=True)
    with NoSync():
        y = augment(x)
        augment.adapt(torch.randn(6, 1))
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert slope.isfinite().all()
    assert instantiate(describe(AdaptiveAugment(["flip"], p=0.1))).arguments == {
        "kinds": ["flip"],
        "p": 0.1,
    }
    with pytest.raises(ValueError, match="expected some of 'flip'"):
        AdaptiveAugment(["hue"])
    with pytest.raises(ValueError, match=r"p is 1\.5"):
        AdaptiveAugment(p=1.5)
