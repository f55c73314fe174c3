"""Encoders and decoders as graphs of others: they agree with torch at any batch size."""

import json

import numpy as np
import pytest
import torch

import untwine as ut
import untwine.methods as m
from untwine.data import FactorDataset
from untwine.distributions import (
    AngleBlock,
    CategoricalBlock,
    FullCovariance,
    GaussianBlock,
    NegativeBinomial,
)
from untwine.training.export import TOLERANCE, export_method, graphs

from .conftest import make_data, suited

WITHOUT_DECODER = {"FStatistic"}


@pytest.fixture
def onnx():
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    return pytest.importorskip("onnxruntime")


def conditioned():
    """Counts with two covariates."""
    rng = np.random.default_rng(0)
    c = np.eye(2, dtype=np.float32)[np.arange(60) % 2]
    return FactorDataset.from_arrays(
        rng.poisson(3.0, (60, 6)), np.arange(60) % 3, ("side",), covariates=c
    )


def test_a_run_is_exported_and_the_files_alone_are_enough(onnx, tmp_path):
    data = conditioned()
    method = m.VAE.build(data, latent_dim=3, seed=0, likelihood=NegativeBinomial())
    run = ut.fit(method, data, steps=2, out=tmp_path / "run", progress=False)
    written = run.export("onnx", tmp_path / "onnx")
    assert set(written.files) == {"encoder", "decoder"}
    assert max(written.deviations.values()) < TOLERANCE
    about = json.loads((tmp_path / "onnx/description.json").read_text())
    assert about["decoder"]["inputs"]["z"]["shape"] == ["batch", 3]
    assert set(about["encoder"]["inputs"]) == {"x", "c"}
    rows = data.batch(range(23))  # a batch of another size than any that the export saw
    session = onnx.InferenceSession(written.files["encoder"])
    (z,) = session.run(["z"], {"x": rows.x.float().numpy(), "c": rows.c.numpy()})
    expected = run.method.represent(rows).mean.detach()
    torch.testing.assert_close(torch.from_numpy(z), expected, rtol=0, atol=TOLERANCE)
    session = onnx.InferenceSession(written.files["decoder"])
    (x,) = session.run(["x"], {"z": z, "c": rows.c.numpy()})
    mean = run.method.decode(expected, c=rows.c).mean.detach()
    torch.testing.assert_close(torch.from_numpy(x), mean, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["M2", "FStatistic"])
def test_programs_of_torch_export_and_what_there_is_not(name, tmp_path):
    data = make_data((7,))
    method = getattr(m, name).build(data, latent_dim=3, seed=0).eval()
    written = export_method(method, data.batch(range(8)), "torch", tmp_path)
    if name in WITHOUT_DECODER:
        assert written.refused == {"decoder": f"{name} has no decoder"}
        assert set(written.files) == {"encoder"}
        return
    z, y = torch.randn(11, 3), torch.arange(11) % 3
    program = torch.export.load(written.files["decoder"]).module()
    with torch.no_grad():
        torch.testing.assert_close(program(z, y)[0], method.decode(z, y=y).mean)


def test_masks_of_modalities_are_inputs():
    data = suited(m.MultimodalVAE, make_data())
    method = m.MultimodalVAE.build(data, latent_dim=3, seed=0).eval()
    parts = graphs(method, data.batch(range(8)))
    assert list(parts["encoder"].inputs) == ["one", "two", "one_present", "two_present"]
    assert parts["decoder"].outputs == ("one", "two")
    with torch.no_grad():
        expected = method.represent(data.batch(range(8))).mean
    torch.testing.assert_close(parts["encoder"](parts["encoder"].inputs)[0], expected)


class Shifted(m.VAE):
    """Says something else in a graph than outside."""

    def represent(self, batch, c=None):
        q = super().represent(batch, c)
        shift = 1.0 if torch.compiler.is_compiling() else 0.0
        return type(q)(type(q.base_dist)(q.base_dist.loc + shift, q.base_dist.scale), 1)


def test_a_part_that_deviates_is_not_written(tmp_path):
    data = make_data((7,))
    method = Shifted.build(data, latent_dim=3, seed=0).eval()
    with pytest.raises(ValueError, match=r"encoder of Shifted deviates from torch by .* not writ"):
        export_method(method, data.batch(range(8)), "torch", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    with pytest.raises(ValueError, match="to is 'tflite'; expected one of 'onnx', 'torch'"):
        export_method(method, data.batch(range(8)), "tflite", tmp_path / "out")


@pytest.mark.slow
def test_every_method_is_exported_or_says_why_not(cls, images, tmp_path, onnx):
    method = cls.build(images, latent_dim=4, seed=0).eval()
    written = export_method(method, images.batch(range(8)), "onnx", tmp_path)
    refused = {"decoder"} if cls.__name__ in WITHOUT_DECODER else set()
    assert set(written.refused) == refused
    assert set(written.files) == {"encoder", "decoder"} - refused
    assert all(value <= TOLERANCE for value in written.deviations.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        {"posterior": FullCovariance()},
        {"prior": ut.distributions.GaussianMixture(4, 3)},
        {"likelihood": ut.distributions.DiscretizedLogistics()},
    ],
    ids=str,
)
def test_parts_of_other_kinds_are_exported(arguments, tmp_path, onnx):
    data = make_data()
    method = m.VAE.build(data, latent_dim=4, seed=0, **arguments).eval()
    written = export_method(method, data.batch(range(8)), "onnx", tmp_path)
    assert all(value <= TOLERANCE for value in written.deviations.values())


@pytest.mark.slow
def test_blocks_are_exported(tmp_path, onnx):
    data = make_data()
    blocks = {"s": GaussianBlock(2), "k": CategoricalBlock(3)}
    method = m.MultiLatentVAE.build(data, blocks=blocks, seed=0).eval()
    written = export_method(method, data.batch(range(8)), "onnx", tmp_path)
    assert all(value <= TOLERANCE for value in written.deviations.values())


@pytest.mark.slow
def test_angles_are_not_exported_to_onnx_which_has_no_bessel_functions(tmp_path, onnx):
    data = make_data()
    method = m.MultiLatentVAE.build(data, blocks={"turn": AngleBlock()}, seed=0).eval()
    with pytest.raises(ValueError, match="encoder of MultiLatentVAE cannot be exported to onnx"):
        export_method(method, data.batch(range(8)), "onnx", tmp_path)
