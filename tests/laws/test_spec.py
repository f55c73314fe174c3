"""Objects are written down as plain data and made again from it."""

from enum import IntEnum
from functools import partial

import numpy as np
import pytest
import torch
import yaml
from torch.optim import SGD, Adam

from untwine import data, distributions, nets
from untwine.data import FactorDataset
from untwine.distributions import Gaussian, Prior
from untwine.functional import Linear
from untwine.methods import DIP, KL, BetaVAE, Penalty, TotalCorrelation
from untwine.nets import MLP
from untwine.spec import Recorded, describe, instantiate, locate
from untwine.training import Run, fit


@pytest.mark.parametrize(
    "value",
    [
        KL(4.0),
        KL(beta=Linear(0.0, 4.0, steps=10)),
        TotalCorrelation(6.0, estimator="mws"),
        DIP(kind="I"),
        Gaussian("learned"),
        MLP(hidden=[3, 4]),
    ],
)
def test_round_trip(value):
    spec = describe(value)
    again = instantiate(spec)
    assert type(again) is type(value)
    assert describe(again) == spec


def test_plain_data_and_optimizers():
    plain = {"a": [1, 2.5, None, True, "x"], "b": {"c": []}}
    assert instantiate(describe(plain)) == plain
    spec = describe(partial(Adam, lr=1e-3, betas=(0.5, 0.9)))
    assert spec["init_args"] == {"lr": 1e-3, "betas": [0.5, 0.9]}
    made = instantiate(spec)([torch.nn.Parameter(torch.zeros(2))])
    assert isinstance(made, Adam)
    assert made.defaults["lr"] == 1e-3
    assert (
        instantiate(describe(SGD | None) if False else describe(partial(SGD, lr=1.0))).func is SGD
    )


@pytest.mark.parametrize(
    ("number", "plain"),
    [
        (np.linspace(1, 4, 2)[0], 1.0),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("mws"), "mws"),
        (torch.tensor(3), 3),
        (torch.tensor(0.5), 0.5),
        ([np.int64(3), (np.float64(0.5),)], [3, [0.5]]),
        ({np.str_("z"): np.float64(0.5)}, {"z": 0.5}),
        (IntEnum("Size", "small")(1), 1),
    ],
)
def test_numbers_are_written_as_plain_ones(number, plain):
    spec = describe({"value": number})
    assert spec == {"value": plain}
    assert yaml.safe_load(yaml.safe_dump(spec)) == spec


def test_a_run_of_numpy_numbers_is_written_and_read_again(tmp_path):
    points = FactorDataset.from_arrays(np.random.default_rng(0).random((20, 4)))
    np.savez(tmp_path / "set.npz", x=points.observations(range(20)).numpy())
    data = FactorDataset.from_npz(tmp_path / "set.npz")
    beta, net = np.linspace(1, 4, 2)[0], MLP([np.int64(8)])
    method = BetaVAE.build(
        data,
        latent_dim=np.int64(3),
        beta=beta,
        net=net,
        seed=np.int64(1),
    )
    out = tmp_path / "run"
    fit(method, data, steps=np.int64(2), seed=np.uint8(3), out=out, progress=False)
    again = Run.load(out)
    assert (again.method.penalty.beta, again.method.model.latent_dim) == (1.0, 3)
    assert again.spec["method"]["init_args"]["latent_dim"] == 3
    assert "parts" not in again.spec["method"]


def test_public_paths_are_the_shortest():
    assert describe(KL())["class_path"] == "untwine.methods.KL"
    assert locate("untwine.methods.KL") is KL


def test_a_spec_names_no_function_of_its_choice():
    for path in ("os.system", "subprocess.Popen", "builtins.exec", "torch.nn.Linear"):
        with pytest.raises(ValueError, match="not a class that a spec may name"):
            instantiate({"class_path": path, "init_args": {}})
    with pytest.raises(ValueError, match="derived from Prior"):
        instantiate({"class_path": "untwine.methods.KL"}, base=Prior)
    with pytest.raises(ValueError, match="not a class that a spec may name"):
        instantiate(
            {"class_path": "untwine.methods.KL", "init_args": {"beta": {"class_path": "os.system"}}}
        )
    assert isinstance(instantiate({"class_path": "untwine.methods.KL"}, base=Penalty), KL)


def test_errors_say_what_is_missing():
    with pytest.raises(ImportError, match="no module 'nonesuch'"):
        locate("nonesuch.Thing")
    with pytest.raises(ImportError, match="has no 'KLL'"):
        locate("untwine.methods.KLL")
    with pytest.raises(ValueError, match="Tensor, which cannot be written"):
        describe(torch.zeros(2))

    class Local(Recorded):
        pass

    with pytest.raises(ValueError, match="defined inside a function"):
        describe(Local())


@pytest.mark.parametrize(
    ("room", "name"),
    [
        (room, name)
        for room in (data, distributions, nets)
        for name in room.__all__
        if name != "Data"
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_specs_name_classes_by_their_public_path(room, name):
    """Modules within a room may change; the paths that run folders hold may not."""
    public = getattr(room, name)
    path = f"{room.__name__}.{name}"
    assert describe(public)["class_path"] in (path, f"untwine.{name}")
    assert locate(path) is public
