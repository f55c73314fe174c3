"""The literature's architectures, layer by layer, and those that adapt."""

import pytest
import torch
from torch import nn

from untwine.nets import MLP, Burgess2018, Conv, Locatello2019, default_architecture, mlp_critic


def layers(net):
    found = []
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            found.append((layer.out_channels, layer.kernel_size[0], layer.stride[0]))
        elif isinstance(layer, nn.Linear):
            found.append(layer.out_features)
    return found


def test_locatello_2019_exactly():
    encoder = Locatello2019().encoder((1, 64, 64), 20)
    decoder = Locatello2019().decoder(10, (1, 64, 64))
    assert layers(encoder) == [(32, 4, 2), (32, 4, 2), (64, 2, 2), (64, 2, 2), 256, 20]
    assert layers(decoder) == [256, 1024, (64, 4, 2), (32, 4, 2), (32, 4, 2), (1, 4, 2)]
    # weights and biases by hand: e.g. the first convolution has 32 * (1 * 16) + 32
    assert sum(p.numel() for p in encoder.parameters()) == (
        544 + 16_416 + 8_256 + 16_448 + 262_400 + 5_140
    )
    assert sum(p.numel() for p in decoder.parameters()) == (
        2_816 + 263_168 + 65_600 + 32_800 + 16_416 + 513
    )


def test_the_study_starts_its_weights_as_tensorflow_does():
    torch.manual_seed(0)
    net = Locatello2019(init="glorot").encoder((1, 64, 64), 20)
    assert all((p == 0).all() for n, p in net.named_parameters() if n.endswith("bias"))
    weight = net[-3].weight  # 256 x 1024
    limit = (6 / (256 + 1024)) ** 0.5
    assert weight.abs().max() <= limit
    assert weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.01)
    with pytest.raises(ValueError, match="init is 'he'"):
        Locatello2019(init="he")


def test_burgess_2018_exactly():
    encoder = Burgess2018().encoder((3, 64, 64), 20)
    decoder = Burgess2018().decoder(10, (3, 64, 64))
    assert layers(encoder) == [*[(32, 4, 2)] * 4, 256, 256, 20]
    assert layers(decoder) == [256, 256, 512, *[(32, 4, 2)] * 3, (3, 4, 2)]


def test_factor_vae_critic_exactly():
    critic = mlp_critic(10)
    assert layers(critic) == [1000] * 6 + [2]
    slopes = [m.negative_slope for m in critic if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.2] * 6


@pytest.mark.parametrize(
    "shape",
    [(1, 64, 64), (3, 64, 64), (1, 28, 20), (1, 60, 64), (3, 33, 47), (2, 8, 8), (1, 9, 31)],
)
def test_images_of_any_size_come_back_in_their_size(shape):
    net = Conv(width=4, hidden=(16, 8))
    x = torch.rand(2, *shape)
    assert net.encoder(shape, 6)(x).shape == (2, 6)
    assert net.decoder(3, shape)(torch.randn(2, 3)).shape == x.shape


@pytest.mark.parametrize("shape", [(7,), (1, 28, 28), (4, 5)])
def test_mlp_takes_vectors_and_images(shape):
    net = MLP((16,))
    assert net.encoder(shape, 6)(torch.rand(2, *shape)).shape == (2, 6)
    assert net.decoder(3, shape)(torch.randn(2, 3)).shape == (2, *shape)


@pytest.mark.parametrize(
    ("net", "shape"),
    [(Locatello2019(), (1, 64, 64)), (Conv(4, (16,)), (1, 20, 20)), (MLP((8,)), (7,))],
)
def test_covariates_matter_to_encoder_and_decoder(net, shape):
    torch.manual_seed(0)
    encoder, decoder = net.encoder(shape, 6, covariates=2), net.decoder(3, shape, covariates=2)
    x, z = torch.rand(2, *shape), torch.randn(2, 3)
    a, b = torch.tensor([[1, 0], [1, 0]]), torch.tensor([[0, 1], [0, 1]])
    assert not torch.allclose(encoder(x, a), encoder(x, b))
    assert not torch.allclose(decoder(z, a), decoder(z, b))


def test_the_memory_format_changes_no_value():
    torch.manual_seed(0)
    net = Locatello2019().encoder((1, 64, 64), 20).double()
    x = torch.rand(3, 1, 64, 64).double()
    plain = nn.Sequential(*net).to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(net(x), plain(x))


def test_defaults_fit_the_shape():
    assert isinstance(default_architecture((1, 64, 64)), Locatello2019)
    assert isinstance(default_architecture((3, 32, 32)), Conv)
    assert isinstance(default_architecture((12,)), MLP)
    assert isinstance(default_architecture((1, 4, 4)), MLP)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"shape \(1, 32, 32\); .* images \(C, 64, 64\)"):
        Locatello2019().encoder((1, 32, 32), 4)
    with pytest.raises(ValueError, match="at least 8x8"):
        Conv().decoder(3, (1, 7, 30))
    with pytest.raises(ValueError, match="empty"):
        default_architecture((0,))
