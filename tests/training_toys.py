"""Small methods and loaders that the tests of training share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal
from torch.optim import SGD, Adam

from untwine.data.batches import Images
from untwine.methods.method import Loss, Method, Player, Stage

WIDTH, DIM = 12, 3


class Points:
    """A loader: batch ``step`` of a stream of vectors, or a process's share of it."""

    size = 256

    def __init__(self, batch_size: int = 16, rank: int = 0, count: int = 1, dtype=torch.float32):
        self.batch_size, self.rank, self.count, self.dtype = batch_size, rank, count, dtype

    def __call__(self, step: int) -> Images:
        generator = torch.Generator().manual_seed(1000 + step)
        x = torch.rand(self.batch_size, WIDTH, generator=generator, dtype=self.dtype)
        share = self.batch_size // self.count
        return Images(x[self.rank * share : (self.rank + 1) * share])


class Toy(Method):
    supervision = Images

    def __init__(self, seed: int = 0, lr: float = 1e-2) -> None:
        super().__init__()
        self.lr = lr
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = nn.Sequential(nn.Linear(WIDTH, 16), nn.Tanh(), nn.Linear(16, 2 * DIM))
            self.decoder = nn.Sequential(nn.Linear(DIM, 16), nn.Tanh(), nn.Linear(16, WIDTH))

    def players(self):
        return {"vae": Player((self.encoder, self.decoder), partial(Adam, lr=self.lr))}

    def represent(self, x: Tensor) -> Distribution:
        mean, log_scale = self.encoder(x).chunk(2, -1)
        return Independent(Normal(mean, log_scale.exp()), 1)


class Plain(Toy):
    """An autoencoder: no noise."""

    def players(self):
        return {"vae": Player((self.encoder, self.decoder), partial(SGD, lr=self.lr, momentum=0.9))}

    def moves(self, batch, ctx):
        x = self.decoder(self.represent(batch.x).mean)
        yield {"vae": Loss(error=((x - batch.x) ** 2).sum(-1))}


class Noisy(Toy):
    """A VAE: the noise must repeat, too."""

    def moves(self, batch, ctx):
        q = self.represent(batch.x)
        x = self.decoder(q.rsample())
        kl = -0.5 * (1 + q.variance.log() - q.mean**2 - q.variance).sum(-1)
        weight = torch.clamp(ctx.step / 10, max=1.0)
        yield {"vae": Loss(nll=((x - batch.x) ** 2).sum(-1), kl=(weight, kl))}


class Spoiled(Noisy):
    """Its loss is not finite from one step on."""

    def __init__(self, at: int, seed: int = 0) -> None:
        super().__init__(seed)
        self.at = at

    def moves(self, batch, ctx):
        for move in super().moves(batch, ctx):
            bad = torch.where(ctx.step >= self.at, torch.nan, 0.0)
            yield {"vae": Loss(**move["vae"].terms, tc=bad)}


class Duel(Toy):
    """Two turns and a simultaneous one."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.critic = nn.Linear(DIM, 1)
        with torch.no_grad():
            self.critic.weight.fill_(0.5)
            self.critic.bias.zero_()
        self.seen: list[Tensor] = []

    def players(self):
        return {**super().players(), "critic": Player((self.critic,), partial(SGD, lr=0.1))}

    def moves(self, batch, ctx):
        z = self.represent(batch.x).mean
        x = self.decoder(z)
        error = ((x - batch.x) ** 2).sum(-1)
        yield {"vae": Loss(error=error, fool=self.critic(z).squeeze(-1) ** 2)}
        z = self.represent(batch.x).mean
        yield {"critic": Loss(tell=(self.critic(z).squeeze(-1) - 1) ** 2)}
        z = self.represent(batch.x).mean
        both = self.critic(z).squeeze(-1)
        yield {"vae": Loss(again=both**2), "critic": Loss(against=both**2)}


class Staged(Noisy):
    """Two stages; before the second one a buffer is set from the data."""

    def __init__(self, seed: int = 0, begun: Callable[[int], None] | None = None) -> None:
        super().__init__(seed)
        self.register_buffer("center", torch.zeros(WIDTH))
        self.begun = begun

    def players(self):
        make = partial(Adam, lr=1e-2)
        return {"encoder": Player((self.encoder,), make), "decoder": Player((self.decoder,), make)}

    def stages(self):
        return (
            Stage("both", self.both),
            Stage("decode", self.decode_only, begin=self.begin, players=("decoder",)),
        )

    def begin(self, batches):
        means = [b.x.mean(0) for b in batches]
        self.center.copy_(torch.stack(means).mean(0))
        self.center.add_(0.01 * torch.randn(WIDTH))
        if self.begun is not None:
            self.begun(len(means))

    def both(self, batch, ctx):
        loss = next(iter(self.moves(batch, ctx)))["vae"]
        yield {"encoder": loss, "decoder": loss}

    def decode_only(self, batch, ctx):
        with torch.no_grad():
            z = self.represent(batch.x).rsample()
        yield {"decoder": Loss(nll=((self.decoder(z) + self.center - batch.x) ** 2).sum(-1))}


def equal(one: nn.Module, two: nn.Module) -> bool:
    """Whether all weights are the same to the last bit."""
    a, b = one.state_dict(), two.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
