"""Axes in a report: frames along them, and sliders where the decoder runs in the page."""

import json
import re

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.data import FactorDataset
from untwine.methods import VAE, LadderVAE
from untwine.report.axes import axes, directions, moving
from untwine.report.findings import find
from untwine.report.subject import Subject

X = np.random.default_rng(0).random((40, 1, 8, 8)).astype(np.float32)


def page(method, data, folder):
    path = ut.report(None, method=method, data=data, n=40, scores=False, out=folder / "page.html")
    return path.read_text(encoding="utf-8")


def test_a_flat_code_has_sliders_for_its_axes(tmp_path):
    data = FactorDataset.from_arrays(X, layout="CHW")
    method = VAE.build(data, latent_dim=4, seed=0, net=ut.nets.MLP((16,)))
    html = page(method, data, tmp_path)
    ways = [json.loads(text) for text in re.findall(r'data-direction="([^"]*)"', html)]
    assert np.shape(ways) == (4, 4)
    np.testing.assert_allclose(np.array(ways) @ np.transpose(ways), np.eye(4), atol=1e-3)
    assert 'id="axes"' in html


def test_levels_have_axes_of_their_own_and_no_sliders(tmp_path):
    data = FactorDataset.from_arrays(X, layout="CHW")
    method = LadderVAE.build(data, levels=(2, 3), seed=0)
    html = page(method, data, tmp_path)
    for name in ("z_2, axis 0", "z_2, axis 1", "z_1, axis 0", "z_1, axis 1"):
        assert f"<b>{name}</b>" in html
    assert "data-direction" not in html


def test_frames_are_those_of_the_decoder():
    data = FactorDataset.from_arrays(X, layout="CHW")
    method = VAE.build(data, latent_dim=3, seed=0, net=ut.nets.MLP((16,))).eval()
    findings = find(method, data, n=40, seed=0)
    subject = Subject(None, method, data, None, True, None)
    [walks] = axes(subject, findings, 0)
    start = walks.images[0, :, 8]
    torch.testing.assert_close(start, start[:1].expand_as(start))  # all begin at one observation
    assert directions([walks]).shape == (3, 3)
    shown = moving([walks])["tiles"]
    assert len(shown["sheets"]) == len(shown["thumbnails"]) == 3
    assert shown["script"]["values"][0][8] == 0
    assert [dim["name"] for dim in shown["dims"]] == ["axis 0", "axis 1", "axis 2"]


@pytest.mark.parametrize("wide", [True, False])
def test_codes_that_are_too_wide_or_no_gaussians_have_none(wide):
    data = FactorDataset.from_arrays(X, layout="CHW")
    if wide:
        method = VAE.build(data, latent_dim=65, seed=0, net=ut.nets.MLP((4,)))
    else:
        method = ut.methods.QLAE.build(data, latent_dim=2, seed=0)
    findings = find(method.eval(), data, n=40, seed=0)
    assert axes(Subject(None, method, data, None, True, None), findings, 0) == []
    assert moving([]) is None
    assert directions([]) is None
