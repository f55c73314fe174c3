"""Objects of a wrong kind and weights below 0 are refused when something is made of them."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import untwine as ut
import untwine.distributions as d
import untwine.methods as m
from tests.training_toys import Noisy, Points
from untwine.checks import hints_of
from untwine.data import Modalities, Multimodal
from untwine.functional import Linear
from untwine.methods.method import build_parameters
from untwine.nets import MLP, AdaIN, Conv
from untwine.spec import Recorded

DATA = ut.FactorDataset.from_arrays(np.random.default_rng(0).random((20, 4)), np.arange(20) % 4)

IMAGES = ut.FactorDataset.from_arrays(np.zeros((20, 8, 8), np.uint8))


class Bare(nn.Module):
    """A decoder that forgets `Independent`."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 4)

    def forward(self, z):
        return torch.distributions.Normal(self.net(z), 1.0)


def without_independent():
    model = m.Model.of(DATA, 2)
    return ut.fit(m.VAE(m.Model(model.encoder, Bare(), model.prior)), DATA, steps=1)


def fit(method=None, **options):
    return ut.fit(method or Noisy(), Points(), steps=1, progress=False, **options)


def trained_by(optimizer):
    method = Noisy()
    method.players = lambda: {"vae": m.Player((method.encoder, method.decoder), optimizer)}
    return method


class Own(m.VAE):
    """A user's class that passes its options on."""

    def __init__(self, *parts, beta=2.0, **options):
        super().__init__(*parts, **options)
        self.beta = beta


class Lightnings:
    def on_train_start(self, trainer, module): ...


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: m.VAE.build(DATA, penalty="TotalCorrelation"),
            r"penalty is 'TotalCorrelation'; expected a Penalty .* TotalCorrelation\(\.\.\.\)",
        ),
        (
            lambda: m.VAE.build(DATA, penalty=m.TotalCorrelation),
            r"penalty is the class TotalCorrelation; expected an object of it, TotalCorrelation",
        ),
        (
            lambda: m.VAE.build(DATA, likelihood="gaussian"),
            r"likelihood is 'gaussian'; expected a Likelihood .* Gaussian\(\.\.\.\)",
        ),
        (lambda: m.Model.of(DATA, 2, likelihood="gaussian"), r"likelihood is 'gaussian'"),
        (lambda: m.VAE.build(DATA, prior=m.KL()), r"prior is a KL; expected a Prior"),
        (lambda: Own.build(DATA, penalty="KL"), r"penalty is 'KL'; expected a Penalty"),
        (lambda: m.VAE.build(DATA, optimizer="Adam"), r"optimizer is 'Adam'; .* called"),
        (lambda: m.VAE.build(DATA, latent_dim=2.5), r"latent_dim is 2.5; expected an integer"),
        (lambda: m.VAE.build(DATA, latent_dim=10**13), r"latent_dim is 1000.*expected an integer"),
        (lambda: m.VAE.build(DATA, latent_dim=True), r"latent_dim is True; expected an integer"),
        (lambda: m.VAE.build(DATA, seed=-1), r"seed.*-1"),
        (lambda: m.VAE.build(DATA, seed=2**70), r"seed"),
        (lambda: m.VAE(nn.Linear(2, 2)), r"model is a Linear; expected a Model"),
        (lambda: m.Model(lambda x: x, nn.Identity(), nn.Identity()), r"encoder is a function"),
        (lambda: m.VAE.build(torch.rand(20, 4)), r"data is Tensor; expected a FactorDataset"),
        (
            lambda: m.VAE.build(torch.utils.data.TensorDataset(torch.rand(20, 4))),
            r"data is TensorDataset; expected a FactorDataset: FactorDataset.from_arrays",
        ),
        (lambda: ut.encode(object(), DATA), r"method is <object .*represent\(x\)"),
        (lambda: ut.encode(m.VAE, DATA), r"method is <class .*represent\(x\)"),
        (lambda: ut.encode(m.VAE.build(DATA), torch.rand(20, 4)), r"data is Tensor; expected a"),
        (lambda: MLP(hidden="256"), r"hidden is '256'; expected a Sequence"),
        (lambda: MLP(hidden=[2.5]), r"hidden\[0\] is 2.5; expected an integer"),
        (lambda: d.Mixed(["gaussian"], [[0]]), r"parts\[0\] is 'gaussian'; expected a Likelihood"),
        (lambda: m.KL("4"), r"beta is '4'; expected a number or a Schedule"),
        (lambda: ut.fit(m.VAE, DATA, steps=1), r"method is the class VAE; expected a Method"),
        (lambda: ut.fit(nn.Linear(4, 2), DATA, steps=1), r"method is Linear; expected a Method"),
        (lambda: fit(callbacks=[lambda state: None]), r"function, which has none of the hooks"),
        (
            lambda: fit(callbacks=[Lightnings()]),
            r"Lightnings, which has none of the hooks on_start.*LightningCallback\(callback\)",
        ),
        (lambda: fit(callbacks=[ut.training.Callback]), r"the class Callback; expected an object"),
        (
            lambda: fit(callbacks=ut.training.Callback()),
            r"callbacks is a Callback; expected a list",
        ),
        (lambda: fit(sampler="pairs"), r"sampler is 'pairs'; expected a Sampler"),
        (lambda: fit(fabric="cuda"), r"fabric is 'cuda'; expected a Fabric"),
        (lambda: fit(loggers=["wandb"]), r"loggers\[0\] is 'wandb'; expected a Logger"),
        (without_independent, r"'nll' has shape \(64, 4\); .* sum over an example's features"),
    ],
)
def test_a_wrong_kind_is_refused_with_what_was_expected(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: m.VAE.build(DATA, optimizer=torch.optim.SGD),
        lambda: m.VAE.build(DATA, optimizer=partial(torch.optim.SGD, lr=1e-3)),
        lambda: m.VAE.build(DATA, penalty=None, latent_dim=np.int64(3)),
        lambda: m.KL(4),
        lambda: m.KL(Linear(0, 4, 10)),
        lambda: m.KL(np.float32(4)),
        lambda: MLP(hidden=(8,)),
        lambda: MLP(hidden=np.array([8, 8])),
        lambda: d.Gaussian("learned"),
    ],
)
def test_what_a_signature_allows_is_taken(make):
    assert isinstance(make(), m.Method | m.Penalty | MLP | d.Gaussian)


def test_a_number_that_may_be_negative_is_annotated_as_float():
    class Shift(m.Penalty):
        def __init__(self, weight: "float | ut.functional.Schedule", by: float = -1.0) -> None:
            self.weight, self.by = weight, by

        def __call__(self, t, ctx):
            return m.Loss()

    assert Shift(1.0, by=-2.0).by == -2.0


_OTHERS = {("SlowVAE", "rate"), ("InfoVAE", "alpha")}
"""No weights: a rate, and a number that may be negative; nor is the form of an AAE's critics."""


def weights():
    """Every argument of a method or a penalty that is a weight."""
    names = (
        "weight",
        "beta",
        "alpha",
        "gamma",
        "lambda_od",
        "lambda_d",
        "labelled",
        "decay",
        "info",
    )
    names += ("perceptual", "imitation", "adversarial", "total_correlation", "capacity", "rate")
    for cls in [getattr(m, name) for name in m.__all__]:
        for name in build_parameters(cls):
            other = (cls.__name__, name) in _OTHERS
            other |= name == "adversarial" and cls.__name__.endswith("AAE")
            if name in names and not other:
                yield pytest.param(cls, name, id=f"{cls.__name__}-{name}")


def suited(cls):
    if cls.supervision is Modalities:
        return Multimodal({"one": DATA, "two": DATA})
    return IMAGES if "GAN" in cls.__name__ else DATA


@pytest.mark.parametrize(("cls", "name"), list(weights()))
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_weights_below_zero_are_refused(cls, name, value):
    with pytest.raises(ValueError, match=rf"{name} is (-1|nan|inf)"):
        cls.build(suited(cls), latent_dim=2, **{name: value})


def integers():
    """Every argument of a method that is a whole number."""
    for cls in [getattr(m, name) for name in m.__all__]:
        for name in build_parameters(cls):
            hints = {**hints_of(cls), **hints_of(cls, "parts"), "latent_dim": int, "seed": int}
            if hints.get(name) in (int, int | None):
                yield pytest.param(cls, name, id=f"{cls.__name__}-{name}")


@pytest.mark.parametrize(("cls", "name"), list(integers()))
@pytest.mark.parametrize("value", [-3, 2.5, 10**13, "2", True])
def test_sizes_and_seeds_out_of_range_are_refused(cls, name, value):
    if value == 10**13 and name in ("seed", "warmup"):
        return  # which may be as large
    with pytest.raises((ValueError, TypeError), match=str(value)[:3]) as caught:
        cls.build(suited(cls), **{name: value})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP(hidden=[0]), r"hidden\[0\] is 0; expected an integer from 1"),
        (lambda: MLP(hidden=[8, -3]), r"hidden\[1\] is -3; expected an integer from 1"),
        (lambda: Conv(hidden=[0]), r"hidden\[0\] is 0"),
        (lambda: Conv(width=0), r"width is 0"),
        (lambda: AdaIN(width=4), r"width is 4; expected an integer from 8"),
        (lambda: m.VAE.build(DATA, latent_dim=0), r"latent_dim is 0"),
        (
            lambda: m.VAE.build(DATA, latent_dim=10**6, net=MLP([10**7])),
            r"a layer from 10,000,000 to 2,000,000 features takes 298,023 GiB in training",
        ),
        (lambda: ut.encode(m.VAE.build(DATA), DATA, seed=-1), r"seed is -1"),
        (lambda: fit(seed=-1), r"seed is -1"),
        (lambda: fit(trained_by(partial(torch.optim.Adam, lr=-1.0))), r"learning rate: -1.0"),
        (lambda: fit(trained_by(torch.optim.LBFGS)), r"LBFGS, evaluates the loss several times"),
        (lambda: fit(trained_by(torch.optim.SparseAdam)), r"SparseAdam, takes sparse gradients"),
    ],
)
def test_numbers_that_make_no_sense(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_weights_by_name_and_schedules_are_looked_at():
    with pytest.raises(ValueError, match=r"weights\['z'\] is -1"):
        m.BlockKL(weights={"z": -1.0})
    with pytest.raises(ValueError, match="end is -4"):
        Linear(0.0, -4.0, steps=10)


def test_annotations_of_the_library_can_be_read():
    """What cannot be read is not checked: each such argument names what is imported for types."""
    from untwine.checks import hints_of

    def below(cls):
        return {cls, *(s for c in cls.__subclasses__() for s in below(c))}

    unread = {
        name
        for cls in below(Recorded)
        if cls.__module__.startswith("untwine.methods")
        for name, hint in hints_of(cls).items()
        if hint is not None and str(hint) == "typing.Any"
    }
    assert unread <= {"features"}, unread
