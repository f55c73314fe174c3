"""The laws for methods and metrics of others: those that obey, and each that does not."""

from functools import partial
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import Adam

import untwine as ut
from tests.training_toys import DIM
from untwine.data import Images
from untwine.distributions import Point
from untwine.methods import BetaVAE, FactorVAE, Loss, Method, Player
from untwine.metrics.registry import METRICS
from untwine.testing import LawBroken, check_method, check_metric

ROWS = ut.FactorDataset.from_arrays(np.random.default_rng(0).random((40, 6), dtype=np.float32))
BETA = {"beta": 2.0}


class Linear(Method):
    """A linear autoencoder."""

    supervision = Images

    def __init__(self, encoder: nn.Module, decoder: nn.Module, rate: float = 1e-2) -> None:
        super().__init__()
        self.encoder, self.decoder, self.rate = encoder, decoder, rate

    @classmethod
    def parts(cls, data, latent_dim=DIM):
        width = data.shape[0]
        return {"encoder": nn.Linear(width, latent_dim), "decoder": nn.Linear(latent_dim, width)}

    def players(self):
        return {"both": Player((self.encoder, self.decoder), partial(Adam, lr=self.rate))}

    def represent(self, batch):
        return Point(self.encoder(batch.x if isinstance(batch, Images) else batch))

    def error(self, x):
        return ((self.decoder(self.represent(x).mean) - x) ** 2).sum(-1)

    def moves(self, batch, ctx):
        yield {"both": Loss(error=self.error(batch.x))}


class Waiting(Linear):
    def moves(self, batch, ctx):
        error = self.error(batch.x)
        yield {"both": Loss(error=error * (2.0 if error.mean().item() > 0 else 1.0))}


class Unowned(Linear):
    def players(self):
        return {"both": Player((self.encoder,), partial(Adam, lr=self.rate))}


class Still(Linear):
    def moves(self, batch, ctx):
        z = self.represent(batch.x).mean.detach()
        yield {"both": Loss(error=((self.decoder(z) - batch.x) ** 2).sum(-1))}


class Restless(Linear):
    def represent(self, batch):
        z = super().represent(batch).mean
        return Point(z + torch.randn_like(z))


class Forgetful(Linear):
    def __init__(self, encoder: nn.Module, decoder: nn.Module, rate: float = 1e-2) -> None:
        super().__init__(encoder, decoder, rate)
        self.weight = 1.0

    def moves(self, batch, ctx):
        self.weight *= 0.5  # lost with the process
        yield {"both": Loss(error=self.weight * self.error(batch.x) + self.weight)}


@pytest.mark.parametrize(
    ("cls", "data", "settings"),
    [(Linear, ROWS, {"rate": 0.1}), (BetaVAE, None, BETA), (FactorVAE, ROWS, {})],
    ids=["linear", "beta", "factor"],
)
def test_methods_that_obey(cls, data, settings):
    laws = check_method(cls, data, latent_dim=3, settings=settings)
    assert len(laws) == 9
    assert "a run that was stopped ends with the weights of one that was not" in laws


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Waiting, "Waiting|never wait for a value of the device"),
        (Unowned, r"Unowned: its players own every parameter: nobody owns decoder\.weight"),
        (Still, r"Still: every parameter moves: encoder\.weight, encoder\.bias did not change"),
        (Restless, "Restless: codes are .*: represent.* differs from call to call"),
        (Forgetful, "Forgetful: a run that was stopped ends with .*weight.* differ"),
    ],
    ids=["waiting", "unowned", "still", "restless", "forgetful"],
)
def test_a_law_that_is_broken_is_named(cls, message):
    with pytest.raises(LawBroken, match=message):
        check_method(cls, ROWS, latent_dim=3)


def test_a_class_that_is_no_method_is_refused():
    with pytest.raises(TypeError, match="expected a class derived from untwine"):
        check_method(nn.Linear)


@pytest.mark.parametrize("name", ["mig", "dci", "modularity"])
def test_metrics_of_the_library_obey(name):
    assert len(check_metric(name)) == 5


def test_metrics_that_break_a_law_or_need_more(monkeypatch):
    from dataclasses import replace

    upside = replace(METRICS["mig"], name="mig", higher_is_better=False)
    monkeypatch.setitem(METRICS, "mig", upside)
    with pytest.raises(LawBroken, match="mig: a perfect code is on the better side of noise"):
        check_metric("mig")
    with pytest.raises(ValueError, match="active_units needs"):
        check_metric("active_units")
    with pytest.raises(ValueError, match="there is no metric 'mgi'"):
        check_metric("mgi")


def test_methods_of_installed_packages_are_listed_and_named(untwine, folder, monkeypatch):
    import importlib.metadata as metadata

    point = EntryPoint("MyVAE", "mine_of_the_user:MyVAE", "untwine.methods")
    monkeypatch.setattr(
        metadata, "entry_points", lambda group: [point] if "methods" in group else []
    )
    status, out, err = untwine("methods")
    assert (status, err) == (0, "")
    assert "mine_of_the_user.MyVAE" in out
    few = "--data Npz --data.path small.npz --steps 2 --batch_size 8 --no-progress --out run"
    status, out, err = untwine(f"train --method MyVAE {few}")
    assert (status, err) == (0, "")
    assert ut.Run.load(folder / "run", trust=["mine_of_the_user"]).steps == 2
    with pytest.raises(ValueError, match="mine_of_the_user"):  # a spec alone is no word of the user
        ut.Run.load(folder / "run")
