"""Decoders in the page: the same pictures as torch's, in a browser, without a network."""

import json
import shutil
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import untwine as ut
from untwine import nets
from untwine.data import FactorDataset
from untwine.distributions import Bernoulli, ContinuousBernoulli, Gaussian
from untwine.methods import LORD, M2, VAE
from untwine.report.inline_decoder import CannotInline, inline_decoder

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
DECODER = Path(ut.__file__).parent / "report/templates/decoder.js"


def images(shape, n=40, covariates=False, seed=0):
    rng = np.random.default_rng(seed)
    factors = np.arange(n)[:, None] % 4
    c = np.eye(2, dtype=np.float32)[np.arange(n) % 2] if covariates else None
    x = rng.random((n, *shape)).astype(np.float32)
    return FactorDataset.from_arrays(x, factors, covariates=c, layout="CHW")


def trained_looking(method, seed=1):
    """Weights and statistics away from where they begin, so that pictures are none of gray."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in method.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.uniform_(0.7, 1.4, generator=generator)
                module.bias.normal_(0, 0.2, generator=generator)
            elif isinstance(module, nn.Linear | nn.ConvTranspose2d):
                module.weight.mul_(2.0)
                module.bias.normal_(0, 0.1, generator=generator)
    return method.eval()


def case(net, shape, likelihood=None, covariates=False):
    data = images(shape, covariates=covariates)
    method = VAE.build(data, latent_dim=5, seed=0, net=net, likelihood=likelihood)
    return trained_looking(method), data


CASES = {
    "Locatello2019": lambda: case(nets.Locatello2019(), (1, 64, 64)),
    "Locatello2019, color": lambda: case(nets.Locatello2019(), (3, 64, 64)),
    "Burgess2018": lambda: case(nets.Burgess2018(), (1, 64, 64)),
    "Conv, odd sizes": lambda: case(nets.Conv(8, (32,)), (3, 21, 30)),
    "DCGAN": lambda: case(nets.DCGAN(8, (32,)), (1, 28, 28)),
    "MLP": lambda: case(nets.MLP((32, 16)), (1, 9, 7)),
    "Gaussian": lambda: case(nets.Conv(8, (32,)), (1, 16, 16), Gaussian()),
    "continuous Bernoulli": lambda: case(nets.Conv(8, (32,)), (1, 16, 16), ContinuousBernoulli()),
    "covariates": lambda: case(nets.Conv(8, (32,)), (1, 16, 16), Bernoulli(), covariates=True),
}


@pytest.fixture(scope="module")
def page():
    playwright = pytest.importorskip("playwright.sync_api", reason="there is no playwright here")
    if BROWSER is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"]
        )
        page = chromium.new_page()
        page.add_script_tag(content=DECODER.read_text(encoding="utf-8"))
        yield page
        chromium.close()


@pytest.mark.parametrize("name", CASES)
def test_the_page_decodes_as_torch_does(name, page):
    method, data = CASES[name]()
    z = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)) * 1.5
    c = None if data.covariates is None else data.batch(range(6)).c
    span = torch.tensor([[-3.0, 3.0]]).expand(5, 2)
    decoder = inline_decoder(method, z, c, spread=span)
    exact = deepcopy(method).double()  # torch's continuous Bernoulli has few digits in single
    with torch.no_grad():
        expected = exact.decode(z.double(), c=None if c is None else c.double()).mean.numpy()
    assert np.ptp(expected) > 0.2
    inputs = z if c is None else torch.cat([z, c], 1)
    np.testing.assert_allclose(decoder.run(inputs).numpy(), expected, atol=2e-4)
    decoded = page.evaluate(
        """([program, text, codes]) => {
          const decode = untwineDecoder.make(program, text);
          return codes.map((code) => [...decode(code)]);
        }""",
        [decoder.program, decoder.text, inputs.tolist()],
    )
    np.testing.assert_allclose(np.reshape(decoded, expected.shape), expected, atol=1e-3)


def test_half_precision_where_it_changes_nothing_and_single_elsewhere():
    method, _ = CASES["Conv, odd sizes"]()
    z = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    assert inline_decoder(method, z).half
    with torch.no_grad():
        for module in method.decoder.modules():
            if isinstance(module, nn.Linear | nn.ConvTranspose2d):
                module.weight.mul_(2.5)
    sharp = inline_decoder(method, z)
    assert not sharp.half
    with torch.no_grad():
        np.testing.assert_allclose(sharp.run(z), method.decode(z).mean, atol=2e-4)
    assert len(sharp.text) == 4 * -(-4 * len(sharp.weights) // 3)


class Twisted(VAE):
    """Its decode is not what its decoder says."""

    def decode(self, z, *, c=None, y=None):
        return super().decode(z.sin(), c=c)


def test_what_no_page_can_decode_is_refused_with_the_reason():
    data = images((1, 16, 16))
    z = torch.randn(4, 5)
    build = {"latent_dim": 5, "seed": 0}
    with pytest.raises(CannotInline, match="given more than the code"):
        inline_decoder(M2.build(data, **build, label="factor0"), z)
    with pytest.raises(CannotInline, match="no simple function"):
        inline_decoder(trained_looking(Twisted.build(data, **build)), z)
    with pytest.raises(CannotInline, match=r"are too many for a page"):
        inline_decoder(VAE.build(data, **build, net=nets.MLP((3000, 2000))), z)
    vectors = FactorDataset.from_arrays(torch.rand(20, 7))
    with pytest.raises(CannotInline, match="observations are no images"):
        inline_decoder(VAE.build(vectors, **build), z)
    lord = LORD.build(data, latent_dim=4, seed=0)
    with pytest.raises(CannotInline):
        inline_decoder(lord, lord.represent(data.observations(range(4))).mean)


def test_the_report_s_sliders_turn_its_own_decoder(page, tmp_path):
    data = images((1, 16, 16), n=60)
    method = trained_looking(VAE.build(data, latent_dim=3, seed=0))
    path = ut.report(None, method=method, data=data, out=tmp_path / "page.html", n=50, scores=False)
    assert len(path.read_bytes()) < 5_000_000
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    seen = page.evaluate(
        """async () => {
          const root = document.querySelector(".live");
          const frame = () => new Promise(requestAnimationFrame);
          const ink = () => {
            const canvas = root.querySelector("canvas");
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return [...data].filter((_, i) => i % 4 === 0);
          };
          const pictures = [];
          const note = async () => {
            await frame();
            await frame();
            pictures.push([[...root.code()], ink()]);
          };
          document.querySelectorAll('input[name="start"]')[2].click();
          await new Promise((done) => setTimeout(done, 300));
          await note();
          const slider = root.querySelector("input");
          slider.value = slider.max;
          slider.dispatchEvent(new Event("input"));
          await note();
          root.querySelector(".live-random").click();
          await note();
          const axis = root.querySelector("input[data-direction]");
          axis.value = axis.max;
          axis.dispatchEvent(new Event("input"));
          await note();
          return pictures;
        }"""
    )
    codes = torch.tensor([code for code, _ in seen])
    with torch.no_grad():
        expected = method.decode(codes).mean.flatten(1) * 255
    shown = np.array([ink for _, ink in seen])
    assert np.abs(shown - expected.numpy()).max() <= 0.5 + 0.26
    assert len({tuple(ink) for _, ink in seen}) == 4
    axis = page.locator(".live input[data-direction]").first
    along = np.array(json.loads(axis.get_attribute("data-direction")))
    moved = (codes[3] - codes[2]).numpy()
    np.testing.assert_allclose(moved, (moved @ along) * along, atol=1e-4)  # and nowhere else
    start = page.evaluate(
        "() => JSON.parse(document.querySelector('.live-program').textContent).starts"
    )
    assert (codes[3].numpy() - np.array(start[2])) @ along == pytest.approx(3, abs=0.02)
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
    assert page.locator(".live input").first.get_attribute("aria-label")
    axis.focus()  # at its end, so that there is room to the left
    before = page.evaluate("() => [...document.querySelector('.live').code()]")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("() => [...document.querySelector('.live').code()]") != before


def test_a_page_with_a_decoder_is_no_larger_than_one_without(tmp_path, monkeypatch):
    data = images((1, 16, 16), n=60)
    method = VAE.build(data, latent_dim=3, seed=0)

    def page():
        out = tmp_path / "page.html"
        ut.report(None, method=method, data=data, out=out, n=50, scores=False)
        return out.read_text().partition('<section id="axes"')[0]  # axes have frames, too

    html = page()
    assert html.count("Traversals from observation") == html.count('name="start"') == 6
    weights = len(html.split('class="live-weights">')[1].split("<")[0])
    sheet = max(len(part.split('"')[0]) for part in html.split('<img src="')[1:])
    monkeypatch.setattr("untwine.report.live._ROOM", weights + 3 * sheet)
    html = page()
    assert html.count("Traversals from observation") == html.count('name="start"') == 3
    program = json.loads(html.split('class="live-program">')[1].split("</script>")[0])
    assert len(program["starts"]) == 3


def test_a_report_without_kernels_keeps_its_sheets(tmp_path):
    data = images((1, 16, 16), n=60)
    method = Twisted.build(data, latent_dim=3, seed=0)
    out = tmp_path / "page.html"
    html = ut.report(None, method=method, data=data, out=out, n=50, scores=False).read_text()
    assert 'class="live"' not in html
    assert "Each row decodes one code" in html
    assert "data:image/png" in html
