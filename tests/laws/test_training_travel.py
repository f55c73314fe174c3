"""A run that travels: read from another folder, without its data, or with its data elsewhere."""

import shutil

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.data import FactorDataset, Modalities, Multimodal, Npz, Split
from untwine.data.outline import of_outline, outline
from untwine.distributions import Categorical, GaussianMixture, NegativeBinomial, Ordinal, VampPrior
from untwine.methods import VAE, BetaVAE
from untwine.training import Run
from untwine.training.plan import make_method, plan

from .conftest import shapes

COUNTS = FactorDataset.from_arrays(
    np.random.default_rng(0).poisson(3.0, (40, 6)), np.arange(40) % 3, covariates=np.eye(40)[:, :2]
)
LEVELS = FactorDataset.from_arrays(np.random.default_rng(0).integers(0, 3, (40, 6)))


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    x = np.random.default_rng(0).random((50, 6), dtype=np.float32)
    np.savez("set.npz", x=x, factors=np.arange(50) % 5, factor_names=["side"])
    data = Split(Npz("set.npz"), 0.8)
    method = BetaVAE.build(data, latent_dim=2, seed=0)
    return ut.fit(method, data, steps=2, out=tmp_path / "run", progress=False)


def codes(method, data):
    with torch.no_grad():
        return method.represent(data.observations(range(5))).mean


def test_a_method_built_for_an_outline_takes_the_weights(method, cls, images):
    twin = cls.build(of_outline(outline(images)), latent_dim=4, seed=1)
    twin.load_state_dict(method.state_dict())
    x = images.observations(range(5))
    with torch.no_grad():
        one, two = method.eval().represent(x).mean, twin.eval().represent(x).mean
        torch.testing.assert_close(one, two, rtol=0, atol=0)
        if cls.supervision is not Modalities and hasattr(method, "decode"):
            assert shapes(method.decode(one).mean) == shapes(twin.decode(two).mean)
            torch.testing.assert_close(method.decode(one).mean, twin.decode(two).mean)


@pytest.mark.parametrize(
    ("data", "arguments"),
    [
        (COUNTS, {"likelihood": NegativeBinomial()}),
        (COUNTS, {"likelihood": NegativeBinomial(dispersion="covariate")}),
        (COUNTS, {"prior": VampPrior(3)}),
        (LEVELS, {"likelihood": Categorical(3)}),
        (LEVELS, {"likelihood": Ordinal(3)}),
        (LEVELS, {"prior": GaussianMixture(2, 3)}),
    ],
)
def test_fitted_values_come_with_the_weights(data, arguments):
    method = VAE.build(data, latent_dim=2, **arguments)
    twin = make_method(plan(method, data, None))
    twin.load_state_dict(method.state_dict())
    z = torch.zeros(3, 2)
    c = None if data.covariates is None else data.covariates[:3]
    with torch.no_grad():
        one, two = method.decode(z, c=c), twin.decode(z, c=c)
        torch.testing.assert_close(one.mean, two.mean, rtol=0, atol=0)
        x = data.observations(range(3))
        torch.testing.assert_close(one.log_prob(x), two.log_prob(x), rtol=0, atol=0)
        torch.testing.assert_close(method.prior().log_prob(z), twin.prior().log_prob(z))


def test_an_outline_is_what_build_asks_for():
    both = Multimodal({"a": COUNTS, "b": LEVELS})
    for data in (COUNTS, LEVELS, both):
        again = of_outline(outline(data))
        assert outline(again) == outline(data)
        assert again.space.names == data.space.names
        assert len(again) == len(data)


def test_weights_and_method_need_no_data(run, tmp_path):
    (tmp_path / "here/set.npz").unlink()
    with pytest.warns(UserWarning, match=r"set.npz.*Run.load\(.*, data=PATH\).*without its data"):
        again = Run.load(tmp_path / "run")
    x = torch.rand(5, 6)
    with torch.no_grad():
        assert torch.equal(again.method.represent(x).mean, run.method.represent(x).mean)
    with pytest.raises(FileNotFoundError, match=r"If it is elsewhere, say where: Run.load\("):
        again.data  # noqa: B018
    lazy = Run(tmp_path / "run")
    with torch.no_grad():
        assert torch.equal(lazy.method.represent(x).mean, run.method.represent(x).mean)


def test_a_path_of_the_data_can_be_given_again(run, tmp_path, recwarn):
    moved = shutil.move(tmp_path / "here/set.npz", tmp_path / "elsewhere.npz")
    again = Run.load(tmp_path / "run", data=moved)
    assert isinstance(again.data, Split)
    assert torch.equal(codes(again.method, again.data), codes(run.method, run.data))
    assert not [w for w in recwarn if "content" in str(w.message)]
    with pytest.raises(FileNotFoundError, match=r"nowhere.npz"):
        Run.load(tmp_path / "run", data=tmp_path / "nowhere.npz")


def test_measure_takes_a_path_of_the_data(run, tmp_path, capsys):
    from untwine.cli.results import measure

    moved = shutil.move(tmp_path / "here/set.npz", tmp_path / "elsewhere.npz")
    arguments = {"metrics": ["active_units"], "no_progress": True}
    assert measure([str(tmp_path / "run")], data=str(moved), **arguments) == 0
    assert "active_units" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match=r"measure RUN --data PATH"):
        measure([str(tmp_path / "run")], **arguments)


def test_other_content_at_the_path_is_pointed_out(run, tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros((50, 6), np.float32))
    with pytest.warns(UserWarning, match=r"the content of .*other.npz has changed"):
        Run.load(tmp_path / "run", data=tmp_path / "other.npz")


def test_a_relative_path_is_found_from_another_folder(run, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    again = Run.load(tmp_path / "run")
    assert torch.equal(codes(again.method, again.data), codes(run.method, run.data))


def test_data_without_a_file_is_given_whole(tmp_path):
    data = ut.data.DSprites()
    run = ut.fit(VAE.build(data, 2, seed=0), data, steps=1, out=tmp_path / "run", progress=False)
    with pytest.raises(ValueError, match=r"DSprites\) names no file: give the data set itself"):
        Run.load(tmp_path / "run", data="dsprites.npz")
    assert Run.load(tmp_path / "run", data=run.data).data is run.data


def test_specs_without_an_outline_need_their_data(run, tmp_path):
    import yaml

    spec = yaml.safe_load((tmp_path / "run/spec.yaml").read_text())
    del spec["method"]["built_for"], spec["data"]["places"]
    (tmp_path / "run/spec.yaml").write_text(yaml.safe_dump(spec))
    assert torch.equal(
        codes(Run.load(tmp_path / "run").method, run.data), codes(run.method, run.data)
    )
    (tmp_path / "here/set.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"If it is elsewhere, say where"):
        Run.load(tmp_path / "run")
