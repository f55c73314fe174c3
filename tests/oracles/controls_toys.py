"""Worlds whose code, decoder and renderer are known in closed form."""

import numpy as np
import torch

import untwine as ut
from untwine.data import Batch, FactorDataset
from untwine.distributions import Blocks, Point

SIZES = {"shape": 3, "scale": 4, "place": 8}
WORDS = ("square", "ellipse", "heart")


def world():
    """Every combination of three factors, rendered as 8 x 8 images."""
    table = np.stack(np.unravel_index(np.arange(96), tuple(SIZES.values())), 1)
    data = FactorDataset.from_arrays(
        render(table),
        {"shape": table[:, 0], "scale": table[:, 1], "place": table[:, 2]},
        kinds={"shape": "nominal", "scale": "ordinal", "place": "ordinal"},
    )
    data.values = {"shape": WORDS}
    return data


def render(factors):
    """Images that are linear in the coordinates of the factors, places between levels included."""
    factors = torch.as_tensor(factors).float()
    kind = torch.nn.functional.one_hot(factors[:, 0].detach().round().long(), 3).float()
    top = torch.cat([kind, torch.zeros(len(factors), 5)], 1)[:, None]
    scale = (factors[:, 1] / 4)[:, None, None].expand(-1, 1, 8)
    place = (factors[:, 2] / 8)[:, None, None].expand(-1, 6, 8)
    return torch.cat([top, scale, place], 1)[:, None]


def factors_of(x):
    """The inverse of `render`."""
    return torch.stack([x[:, 0, 0, :3].argmax(-1), x[:, 0, 1, 0] * 4, x[:, 0, 2, 0] * 8], 1)


class Known(ut.methods.VAE):
    """A method whose encoder is the inverse of the renderer, and its decoder the renderer."""

    mix = torch.eye(3)
    swap: tuple[int, ...] = (0, 1, 2)

    def represent(self, batch):
        return Point(factors_of(Batch.of(batch).x) @ self.mix)

    def decode(self, z, *, c=None, y=None):
        values = (z @ torch.linalg.inv(self.mix))[:, list(self.swap)]
        limits = torch.tensor([2.0, 3.0, 7.0])
        return Point(render(torch.minimum(values.clamp(min=0), limits)))


class Parts(Known):
    """The same with a named part for the class, one-hot, and one for the rest."""

    def represent(self, batch):
        f = factors_of(Batch.of(batch).x)
        one_hot = torch.nn.functional.one_hot(f[:, 0].long(), 3).float()
        kind = ut.distributions.OneHot((one_hot + 1e-12).log())
        return Blocks({"kind": kind, "rest": Point(f[:, 1:])})

    def decode(self, z, *, c=None, y=None):
        return super().decode(torch.cat([z[:, :3].argmax(1, keepdim=True), z[:, 3:]], 1))


class ExactProbe(ut.use.Probe):
    """Reads factors by the inverse of the renderer."""

    def __init__(self, data):
        super().__init__(torch.nn.Identity(), ut.use.factors.scales_of(data))
        self.scores = dict.fromkeys(data.space.names, 1.0)

    def read(self, x):
        return factors_of(x).double().numpy()


def made(cls, data, **facts):
    method = cls.build(data, latent_dim=3, seed=0)
    for name, value in facts.items():
        setattr(method, name, value)
    return method


def rotation(seed=0):
    """A random one of three dimensions."""
    return torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed)))[0]
