"""Seeds that are trained at once end as they end alone."""

from functools import partial

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.data import FactorDataset, FewLabelsSampler, PairsSampler
from untwine.functional import Linear
from untwine.methods import KL, TotalCorrelation
from untwine.training import NonFiniteLoss, Unstackable, fit_stacked

SEEDS = (3, 5, 8)


@pytest.fixture(scope="module")
def data():
    factors = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), 1)
    x = factors @ np.random.default_rng(0).standard_normal((3, 6))
    return FactorDataset.from_arrays(x.astype("f4"), factors, ["a", "b", "c"])


def built(name, data, seeds=SEEDS, **options):
    options = {"latent_dim": 3, "net": ut.nets.MLP([8]), **options}
    cls = getattr(ut.methods, name)
    return [cls.build(data, seed=seed, **options).double() for seed in seeds]


def alone(methods, data, seeds=SEEDS, **options):
    return [
        ut.fit(method, data, seed=seed, progress=False, **options)
        for method, seed in zip(methods, seeds, strict=True)
    ]


CASES = {
    "BetaVAE": {"beta": Linear(0.0, 4.0, 10)},
    "BetaTCVAE": {"beta": 6.0},
    "DIPVAEII": {},
    "AnnealedVAE": {"capacity": 5.0, "warmup": 10},
    "AdaGVAE": {"penalty": TotalCorrelation(2.0)},
    "FewLabelsVAE": {"penalty": KL(2.0)},
}
SAMPLERS = {
    "AdaGVAE": PairsSampler(1),
    "FewLabelsVAE": FewLabelsSampler(["a", "b", "c"], labelled=20),
}


@pytest.mark.parametrize("name", CASES)
def test_seeds_at_once_end_as_they_end_alone(name, data):
    options = {"steps": 25, "batch_size": 16, "sampler": SAMPLERS.get(name), "log_every": 10}
    together, singly = built(name, data, **CASES[name]), built(name, data, **CASES[name])
    rows = fit_stacked(together, data, seeds=SEEDS, **options)
    runs = alone(singly, data, **options)
    for one, two, run, log in zip(together, singly, runs, rows, strict=True):
        assert not one.training
        for (key, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-8, msg=lambda m, key=key: key + m)
        assert [row["step"] for row in log] == [row["step"] for row in run.rows] == [1, 10, 20, 25]
        for row, expected in zip(log, run.rows, strict=True):
            terms = {k: v for k, v in expected.items() if "/" in k and k != "images/s"}
            assert {k: row[k] for k in terms} == pytest.approx(terms, rel=1e-6, abs=1e-8)
    assert not torch.equal(*(next(m.parameters()) for m in together[:2]))


def test_the_callers_random_numbers_stay(data, monkeypatch):
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", True)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    fit_stacked(built("VAE", data), data, seeds=SEEDS, steps=2, batch_size=8)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.distributions.Distribution._validate_args


def test_other_optimizers_that_look_at_each_weight_alone(data):
    sgd = partial(torch.optim.SGD, lr=1e-3, momentum=0.9)
    together, singly = (built("VAE", data, optimizer=sgd) for _ in range(2))
    fit_stacked(together, data, seeds=SEEDS, steps=5, batch_size=8)
    alone(singly, data, steps=5, batch_size=8)
    for one, two in zip(together, singly, strict=True):
        torch.testing.assert_close(one.state_dict(), two.state_dict(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("FactorVAE", {}, "has the players vae, critic"),
        ("VAE", {"optimizer": torch.optim.Adafactor}, "Adafactor does not treat each weight alone"),
    ],
)
def test_what_cannot_be_stacked_is_said(name, options, message, data):
    with pytest.raises(Unstackable, match=message):
        fit_stacked(built(name, data, **options), data, seeds=SEEDS, steps=2)


def test_methods_that_are_not_alike_are_refused(data):
    unlike = [*built("VAE", data, SEEDS[:2]), *built("VAE", data, SEEDS[2:], latent_dim=2)]
    with pytest.raises(Unstackable, match="not alike"):
        fit_stacked(unlike, data, seeds=SEEDS, steps=2)
    with pytest.raises(ValueError, match="3 methods and 2 seeds"):
        fit_stacked(built("VAE", data), data, seeds=SEEDS[:2], steps=2)


def test_a_seed_that_is_lost_is_named(data):
    methods = built("VAE", data)
    with torch.no_grad():
        next(methods[1].parameters()).fill_(float("nan"))
    with pytest.raises(NonFiniteLoss, match="with seeds 5"):
        fit_stacked(methods, data, seeds=SEEDS, steps=2)


def test_folders_hold_runs_as_fit_writes_them(data, tmp_path):
    options = {"steps": 4, "batch_size": 8, "log_every": 2}
    path = tmp_path / "data.npz"
    np.savez(path, x=data.observations(np.arange(60)).numpy(), factors=data.factors)
    written = ut.data.Npz(path)
    methods = [ut.methods.VAE.build(written, latent_dim=3, seed=seed) for seed in SEEDS]
    folders = [tmp_path / f"seed{seed}" for seed in SEEDS]
    fit_stacked(methods, written, seeds=SEEDS, out=folders, **options)
    for method, seed, folder in zip(methods, SEEDS, folders, strict=True):
        run = ut.Run.load(folder)
        single = ut.methods.VAE.build(written, latent_dim=3, seed=seed)
        other = ut.fit(single, written, seed=seed, out=tmp_path / f"alone{seed}", progress=False,
                       **options)  # fmt: skip
        assert run.spec == other.spec
        assert run.steps == 4
        torch.testing.assert_close(run.method.state_dict(), method.state_dict())
        torch.testing.assert_close(
            run.method.state_dict(), single.state_dict(), rtol=1e-3, atol=1e-5
        )
        assert [row["step"] for row in run.rows] == [1, 2, 4]
        longer = options | {"steps": 6}
        for one, place in ((method, folder), (single, tmp_path / f"alone{seed}")):
            assert ut.fit(one, written, seed=seed, out=place, progress=False, **longer).steps == 6
        torch.testing.assert_close(method.state_dict(), single.state_dict(), rtol=1e-3, atol=1e-5)
    with pytest.raises(FileExistsError, match="holds a run already"):
        fit_stacked(methods, written, seeds=SEEDS, out=folders, **options)
