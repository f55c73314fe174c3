"""Style mixing in a report: grids that join codes of rows and columns, by part of the layers."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

import untwine as ut
from untwine.data import FactorDataset
from untwine.methods import VAE, StyleGAN
from untwine.report.axes import axes
from untwine.report.findings import find
from untwine.report.styles import _thirds, styles
from untwine.report.subject import Subject

DATA = FactorDataset.from_arrays(
    np.random.default_rng(0).random((40, 3, 16, 16)).astype(np.float32), layout="CHW"
)


@pytest.fixture(scope="module")
def method():
    return StyleGAN.build(DATA, latent_dim=4, width=4, depth=2, seed=0)


def of(method):
    return Subject(None, method, DATA, None, True, None)


def picture(uri):
    blob = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(blob)).convert("RGB"))


def test_parts_cover_all_layers_once():
    for count in range(1, 20):
        parts = _thirds(count)
        layers = [i for _, first, last in parts for i in range(first, last)]
        assert layers == list(range(count))
        assert len(parts) == min(count, 3)


def test_grids_are_the_same_each_time_and_leave_the_seed_alone(method):
    torch.manual_seed(5)
    one = styles(of(method), 0)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
    assert one == styles(of(method), 0) != styles(of(method), 1)
    assert [part["name"] for part in one] == ["coarse", "middle", "fine"]
    assert [part["first"] for part in one[1:]] == [part["last"] + 1 for part in one[:-1]]
    assert one[-1]["last"] == method.count
    assert {picture(part["picture"]).shape for part in one} == {picture(one[0]["picture"]).shape}


def test_the_page_has_styles_and_axes_of_w(method, tmp_path):
    path = ut.report(None, method=method, data=DATA, n=40, scores=False, out=tmp_path / "p.html")
    html = path.read_text(encoding="utf-8")
    assert 'id="styles"' in html
    assert html.count('<img class="styles"') == 3
    assert re.search(r"<h3>Coarse layers, 1 to \d", html)
    assert 'id="axes"' in html
    assert 'data-direction="' not in html  # its decoder does not run in a page


def test_walks_in_w_are_as_long_as_codes_are_wide(method):
    findings = find(method, DATA, n=40, seed=0)
    [walks] = axes(of(method), findings, 0)
    deviation = method.codes(4000).var(0).mean().sqrt().item()
    assert walks.places[-1] == pytest.approx(3 * deviation, rel=0.2)
    assert walks.places[0] == -walks.places[-1]


def test_other_methods_have_no_styles():
    assert styles(of(VAE.build(DATA, latent_dim=2, seed=0)), 0) is None
