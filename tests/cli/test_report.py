"""The report is one complete page: all is in it, nothing is loaded, and it says the truth."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.distributions import Independent, Normal

import untwine as ut
from untwine.data import FactorDataset
from untwine.methods import VAE, BetaTCVAE, Method
from untwine.report import compare, report
from untwine.report.findings import _varied, find
from untwine.report.settings import hyperparameters, plain_text, written
from untwine.report.sheets import png, shrunk

from ..oracles.controls_toys import Known, made, world

SECTIONS = [
    "traversals",
    "scores",
    "factors",
    "kl",
    "why",
    "reconstructions",
    "samples",
    "training",
    "repeat",
]
NASTY = "a<script>alert(1)</script>\"'&{{ 7*7 }}--> x"


class Page(HTMLParser):
    """Every element with its attributes, and the text of scripts and of the rest."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open else self.text).append(data)

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(k) == v for k, v in attributes.items())
        ]

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def section(self, name: str) -> str:
        return self.html.split(f'<section id="{name}"')[1].split("</section>")[0]


def _blobs(n: int = 240, channels: int = 1) -> FactorDataset:
    """Blobs at 6 x 5 places in two sizes, 16 x 16 pixels."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, size, n) for size in (6, 5, 2)], 1)
    y, x = np.mgrid[:16, :16]
    across, down, size = factors.T[:, :, None, None]
    distance = (x - 2 - 2.4 * across) ** 2 + (y - 3 - 2.4 * down) ** 2
    images = np.exp(-distance / (3 + 4 * size)).astype(np.float32)
    images = np.repeat(images[:, None], channels, 1)
    return FactorDataset.from_arrays(images, factors, ["posX", "posY", "size"])


def _fit(method: Method, data: Any, out: Path, **options: Any) -> ut.Run:
    options = {"steps": 4, "batch_size": 16, "log_every": 1, "checkpoint_every": 2} | options
    return ut.fit(method, data, out=out, progress=False, **options)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ut.Run:
    data = _blobs()
    method = BetaTCVAE.build(data, latent_dim=4, beta=3.0, seed=0)
    return _fit(method, data, tmp_path_factory.mktemp("run") / "tc", steps=30)


@pytest.fixture(scope="module")
def page(run: ut.Run) -> Page:
    path = ut.report(run, n=200)
    assert path == run.path / "report.html"  # type: ignore[operator]
    return Page(path)


def test_everything_is_there(page: Page) -> None:
    names = [*SECTIONS[:5], "edits", "interventions", "axes", *SECTIONS[5:]]
    assert [s["id"] for s in page.all("section")] == names
    assert [a["href"] for a in page.all("a")][1:] == [f"#{name}" for name in names]
    assert "Not shown" not in page.words()
    assert len(page.all("svg", role="img")) >= 5 + 2
    words = page.words()
    for expected in ("BetaTCVAE", "Arrays", "β, the weight of the total correlation", "posX (6)"):
        assert expected in words, expected


def test_nothing_is_loaded(page: Page) -> None:
    assert not re.search(r"https?:", page.html)
    assert not page.all("base")
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "video", "audio", "source"), tag
        for name in ("src", "href", "xlink:href", "srcset", "poster", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value)
    for target in re.findall(r"url\(([^)]*)\)", page.html):
        assert target.strip("\"' ").startswith(("#", "data:")), target
    assert not re.search(r"@import|fetch\(|XMLHttpRequest|WebSocket|import\(", page.html)
    assert len(page.html) < 5_000_000


def sheets_of(page: Page) -> list[str]:
    of_dimensions = page.section("traversals")
    found = [i["src"] for i in page.all("img") if "Traversals from" in (i.get("alt") or "")]
    return [uri for uri in found if uri in of_dimensions]


def test_every_picture_decodes_and_has_its_size(page: Page) -> None:
    data = json.loads(page.html.split('<script type="application/json">')[1].split("</script>")[0])
    frames, width, height = data["frames"], data["width"], data["height"]
    assert (width, height) == (16, 16)
    pictures = re.findall(r'"(data:image/[^"]+)"', page.html)
    assert len(pictures) >= 6 + 6 + 20 + 20
    for uri in pictures:
        assert uri.startswith("data:image/png;base64,")
        Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2], validate=True))).verify()
    sheets = sheets_of(page)
    assert len(sheets) == len(data["initial"]) == 6
    for uri in sheets:
        assert _decode(uri).size == (frames * width, 4 * height)
    assert all(0 <= frame < frames for start in data["initial"] for frame in start)
    assert np.shape(data["values"]) == (4, frames)
    assert (np.diff(data["values"]) > 0).all()


def test_frames_are_the_decoders(run: ut.Run, page: Page) -> None:
    """Each row's first frame decodes the start's code with that dimension at its lowest value."""
    data = json.loads(page.html.split('<script type="application/json">')[1].split("</script>")[0])
    names = re.findall(r'"row"><b>z(\d)</b>', page.section("traversals"))
    sheet = np.asarray(_decode(sheets_of(page)[0]).convert("L")) / 255
    index = np.random.default_rng([0, 1]).choice(240, 20, replace=False)
    with torch.no_grad():
        z = run.method.represent(run.data.observations(index[:1])).mean
        for row, j in enumerate(map(int, names)):
            moved = z.clone()
            moved[0, j] = data["values"][row][0]
            expected = run.method.decode(moved).mean[0, 0].numpy()
            np.testing.assert_allclose(sheet[16 * row : 16 * row + 16, :16], expected, atol=0.005)


def test_dimensions_are_in_the_order_of_their_divergence(page: Page) -> None:
    strengths = re.findall(r"KL&nbsp;([\d.]+)&nbsp;nats", page.html)
    assert len(strengths) == 4
    assert [float(s) for s in strengths] == sorted(map(float, strengths), reverse=True)


def test_scores_stand_with_their_protocols_and_in_the_run(run: ut.Run, page: Page) -> None:
    scores = run.scores
    assert scores is not None
    section = page.section("scores")
    for name, score in scores["scores"].items():
        assert f">{name}<" in section
        assert f"{score['value']:.3f}" in section or f"{score['value']:.0f}" in section
    assert {"mig", "dci", "sap", "factor_vae_score", "dimension_kl"} <= set(scores["scores"])
    for setting in ("equal-width bins", "locatello2019", "seed"):
        assert setting in section, setting
    assert section.count("<details>") == len(scores["scores"])


def test_labels_and_ids(page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    for image in page.all("img"):
        assert image.get("alt") is not None
    for target in re.findall(r'(?:href="|url\()#([\w.-]+)', page.html):
        assert target in ids, target
    for canvas in page.all("canvas"):
        assert canvas["tabindex"] == "0" if canvas["role"] == "slider" else canvas["role"] == "img"
        assert canvas["aria-label"]
    assert page.all("html", lang="en")
    assert page.all("label", **{"for": "position"})


def test_the_command_and_the_spec_are_those_of_the_run(run: ut.Run, page: Page) -> None:
    section = page.section("repeat")
    assert run.command in page.words()
    assert "batch_size: 16" in section
    given = re.findall(r'<tr class="given"><th scope="row">(\w+)', section)
    assert given == ["latent_dim", "seed", "beta"]


def test_the_same_run_gives_the_same_page(run: ut.Run, page: Page, tmp_path: Path) -> None:
    again = report(run.path, data=run.data, method=_like(run), n=200, out=tmp_path / "again.html")
    assert again.read_text(encoding="utf-8") == page.html


def test_kept_scores_are_shown_unless_they_are_of_other_weights(
    run: ut.Run, page: Page, tmp_path: Path
) -> None:
    folder = run.path
    assert folder is not None
    kept = (folder / "scores.json").read_text()
    try:
        changed = json.loads(kept)
        changed["scores"] = {"mig": changed["scores"]["mig"] | {"value": 0.12345}}
        (folder / "scores.json").write_text(json.dumps(changed))
        path = report(run, n=100, out=tmp_path / "kept.html")
        assert "0.123" in Page(path).section("scores")
        assert ">sap<" not in Page(path).section("scores")
        changed["weights"] = "0" * 64  # of other weights, however new the file is
        (folder / "scores.json").write_text(json.dumps(changed))
        path = report(run, n=100, out=tmp_path / "old.html")
        assert ">sap<" in Page(path).section("scores")
        before = (folder / "scores.json").read_text()
        assert "not asked for" in Page(report(run, n=100, out=path, scores=False)).words()
        assert (folder / "scores.json").read_text() == before
    finally:
        (folder / "scores.json").write_text(kept)


def test_scores_on_other_data_are_not_kept_and_the_page_says_so(
    run: ut.Run, page: Page, tmp_path: Path
) -> None:
    folder = run.path
    assert folder is not None
    kept = (folder / "scores.json").read_text()
    (folder / "scores.json").unlink()
    other = run.data.subset(np.arange(120))
    try:
        words = Page(report(run, data=other, n=100, out=tmp_path / "a.html")).words()
        assert "on other data" in words
        report(folder, method=_like(run), data=other, n=100, out=tmp_path / "b.html")
        report(run, method=_like(run), n=100, out=tmp_path / "c.html")
        assert not (folder / "scores.json").exists()
        same = _blobs()  # another object with the same content
        report(folder, method=_like(run), data=same, n=100, out=tmp_path / "d.html")
        assert (folder / "scores.json").exists()
        assert "on other data" not in page.words()
    finally:
        (folder / "scores.json").write_text(kept)


def test_an_unfinished_run_is_shown_and_called_so(tmp_path: Path) -> None:
    data = _blobs()
    run = _fit(VAE.build(data, latent_dim=2, seed=0), data, tmp_path / "run", steps=4)
    assert run.path is not None
    (run.path / "model.safetensors").unlink()
    path = ut.report(run.path, method=VAE.build(data, latent_dim=2, seed=0), data=data, n=100)
    words = Page(path).words()
    assert "This run has not finished." in words
    assert "after 4 steps of 4 planned" in words
    assert run.scores is None  # scores of half a training are not kept


@pytest.mark.parametrize("name", ut.methods.__all__)
def test_every_method_has_a_report(name: str, tmp_path: Path) -> None:
    data = _blobs(120, channels=3)
    cls = getattr(ut.methods, name)
    if cls.supervision is ut.data.Modalities:
        data = ut.data.Multimodal({"one": data, "two": _blobs(120, channels=1)})
    method = cls.build(data, latent_dim=3, seed=0)
    _fit(method, data, tmp_path / "run", steps=2)
    run = ut.Run(tmp_path / "run", method=method.eval(), data=data)
    page = Page(ut.report(run, n=80, scores=False))
    swaps = issubclass(cls, ut.methods.Swaps)
    levels = isinstance(method, ut.methods.HasLevels)
    edits = len(page.all("section", id="edits"))  # but of codes of thousands of dimensions
    shown = [*SECTIONS[:5], *["edits", "interventions"] * edits]
    mixes = isinstance(method, ut.methods.MixesStyles)
    shown += [*["levels"] * levels, *["styles"] * mixes, *["swaps"] * swaps, *SECTIONS[5:]]
    # axes are those of Gaussian codes, of levels and of W
    assert [s["id"] for s in page.all("section") if s["id"] != "axes"] == shown
    assert len([i for i in page.all("img") if i.get("class") == "swaps"]) == swaps
    assert len([i for i in page.all("img") if i.get("class") == "levels"]) == levels
    draws = hasattr(method, "decode") and cls.supervision is not ut.data.Modalities
    assert edits == (draws and name != "VeryDeepVAE")
    assert (len(page.all("canvas")) >= 3) == draws
    reasons = re.findall(r"Not shown: ([^<]*)\.<", page.html)
    assert "not asked for" in reasons
    other = {"GaussianMixtureVAE": "prior", "InfoGANCR": "prior", "LORD": "posterior"}
    if not draws:
        assert any("decode" in reason or "modalities" in reason for reason in reasons)
    if name in other:
        assert any(other[name] in reason for reason in reasons)


def test_edits_of_a_perfect_code_are_the_truth(tmp_path: Path) -> None:
    data = world()
    out = tmp_path / "page.html"
    page = Page(ut.report(None, method=made(Known, data), data=data, out=out, scores=False))
    section = page.section("edits")
    for k, name in enumerate(("shape", "scale", "place")):
        cells = re.findall(
            r"<t[hd][^>]*>([^<]*)</t", section.split(f">{name}<")[1].split("</tr>")[0]
        )
        assert cells[0] == ("" if k == 0 else "+") + f"z{k}"
        assert float(cells[1]) > 0.99
        assert cells[4:] == ["1.00", "1.00 to 1.00"]
    assert len(page.all("img", **{"class": "edits"})) == 1


def test_interventions_say_what_moves_what(tmp_path: Path) -> None:
    """Dimension 0 is the shape, 1 the place and 2 nothing: the scale is not in the code."""
    data = world()

    class Blind(Known):
        def decode(self, z: Tensor, *, c: Any = None, y: Any = None) -> Any:
            return super().decode(torch.stack([z[:, 0], torch.ones(len(z)), z[:, 1]], 1))

        def represent(self, batch: Any) -> Any:
            z = super().represent(batch).mean
            return ut.distributions.Point(z[:, [0, 2, 1]])

    blobs = FactorDataset.from_arrays(
        np.concatenate([data.observations(np.arange(96)).numpy()] * 3),
        {name: np.tile(data.factors[:, k], 3) for k, name in enumerate(data.space.names)},
        kinds={"shape": "nominal", "scale": "ordinal", "place": "ordinal"},
    )
    out = tmp_path / "page.html"
    page = Page(ut.report(None, method=made(Blind, blobs), data=blobs, out=out, scores=False))
    section = page.section("interventions")
    assert "z0 moves shape and nothing else" in section
    assert "z1 moves place and nothing else" in section
    assert "nothing moves scale further than reading and model err." in section
    cells = re.findall(r'<td class="effect([^"]*)" style="--e: ([\d.]+)"[^>]*><span>', section)
    effects = np.array([float(shade) for _, shade in cells]).reshape(3, 3)
    assert [name.strip() for name, _ in cells] == ["answers", *[""] * 4, "answers", *[""] * 3]
    assert effects[0, 0] > 0.5
    assert effects[1, 2] > 0.5
    assert effects.sum() == effects[0, 0] + effects[1, 2]
    assert "1.00</td><td>1.00</td></tr>" in section  # all of it on one, whatever the rest is
    errors = section.split('class="errors"')[1].split("</tr>")[0]
    shape, scale, place = map(float, re.findall(r"<td>([\d.]+)</td>", errors))
    assert shape == 0
    assert scale > 0.5
    assert place == 0


def test_a_sentence_of_effects() -> None:
    from untwine.report.interventions import sentence
    from untwine.use import Effects

    def said(low: list[list[float]]) -> str:
        table = np.array(low)
        shape = dict.fromkeys(("effect", "low", "high", "additive"), table)
        none = np.zeros(table.shape[1])
        return sentence(
            Effects(
                names=("a", "b", "c"), dims=tuple(range(len(table))), values=table, **shape,
                roundtrip=none, reading=none, level=0.95,
            )
        )  # fmt: skip

    assert said([[0.0, 0.5, 0.4], [0.9, 0.1, 0.05]]) == (
        "z1 moves a and nothing else; z0 moves b and c."  # the largest effects first
    )
    assert said([[0.0] * 3]).startswith("No dimension moves any factor")
    assert said([[0.5, 0, 0]] * 6) == (
        "z0 moves a and nothing else; z1 moves a and nothing else; z2 moves a and nothing else; "
        "z3 moves a and nothing else; 2 more dimensions move something; "
        "nothing moves b and c further than reading and model err."
    )


def test_the_section_of_fairness_finds_takes_out_and_judges(tmp_path: Path) -> None:
    """Dimension 2 is the group, dimension 1 the outcome that goes with it in 9 of 10 rows."""
    rng = np.random.default_rng(0)
    group, other = rng.integers(0, 2, 2000), rng.integers(0, 3, 2000)
    outcome = np.where(rng.random(2000) < 0.9, group, 1 - group)
    x = np.stack([other, outcome, group], 1) + 0.05 * rng.normal(size=(2000, 3))
    data = FactorDataset.from_arrays(
        x.astype("f4"), {"other": other, "outcome": outcome, "group": group}
    )

    class Itself(VAE):
        def represent(self, batch: Any) -> Any:
            return ut.distributions.Point(ut.data.Batch.of(batch).x)

    method = Itself.build(data, latent_dim=3)
    options: dict[str, Any] = {"method": method, "data": data, "scores": False, "n": 2000}
    page = Page(ut.report(None, out=tmp_path / "a.html", sensitive="group", **options))
    section = page.section("attribute")

    def cells(row: str) -> list[str]:
        part = section.split(f">{row}<")[1].split("</tr>")[0]
        return re.findall(r"<td[^>]*>([^<]*)</td", part)

    assert re.findall(r">(z\d)<", section)[0] == "z2"
    assert float(cells("share")[0]) > 0.9
    assert float(cells("shuffled")[0]) < 0.1
    linear, strong, chance = map(float, cells("as it is"))
    assert min(linear, strong) > 0.98
    assert 0.45 < chance < 0.6
    assert float(cells("least squares")[0]) < chance + 0.1
    assert ">other<" not in section.split("parity")[-1]  # it has three values
    accuracy, _, parity, shuffled, *_ = map(float, cells("outcome")[1:])
    assert accuracy > 0.98
    assert 0.7 < parity < 0.9  # 0.9 - 0.1
    assert shuffled < 0.1
    assert not Page(ut.report(None, out=tmp_path / "b.html", **options)).all(
        "section", id="attribute"
    )
    with pytest.raises(ValueError, match="group"):
        ut.report(None, out=tmp_path / "c.html", sensitive="grupp", **options)


def test_swaps_are_the_methods_own_and_of_clips_too(tmp_path: Path) -> None:
    clips = ut.data.MovingDigits(
        np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8),
        np.arange(20) % 4,
        size=16,
        length=6,
        clips=30,
    )
    method = ut.methods.DrNet.build(clips, latent_dim=3, seed=0).eval()
    page = Page(
        report(None, method=method, data=clips, n=20, out=tmp_path / "page.html", scores=False)
    )
    (image,) = [i for i in page.all("img") if i.get("class") == "swaps"]
    assert image["alt"] == "Grid of swaps: rows give the content, columns the pose"
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))))
    assert drawn.shape[:2] == (9 * 18 - 2, 9 * 18 - 2)  # eight and eight, and those beside them

    found = find(method, clips, n=20, seed=0)
    assert found.swaps == image["src"]
    assert found.swapped == ("content", "pose")


def test_blocks_of_gaussians_have_divergences() -> None:
    data = _blobs(120, channels=1)
    method = ut.methods.MLVAE.build(data, latent_dim=4, seed=0)
    found = find(method.eval(), data, n=60, seed=0)
    mean, stddev = found.codes.mean, found.codes.stddev
    by_hand = (0.5 * (mean**2 + stddev**2 - 1) - np.log(stddev)).mean(0)
    assert found.which.measure == "KL"
    np.testing.assert_allclose(found.which.strength, by_hand, rtol=1e-4)


def test_swaps_take_observations_of_different_classes() -> None:
    data = FactorDataset.from_arrays(np.zeros((40, 3)), np.arange(40) // 10, ["kind"])
    for half in _varied(data, "kind", 16, np.random.default_rng(0)):
        assert len(half) == 8
        assert sorted(data.factors[half[:4], 0]) == [0, 1, 2, 3]


def test_vectors_covariates_and_no_factors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = FactorDataset.from_arrays(
        rng.normal(size=(150, 30)).astype(np.float32),
        covariates=rng.integers(0, 2, (150, 2)).astype(np.float32),
    )
    run = _fit(VAE.build(data, latent_dim=70), data, tmp_path / "run", steps=2)
    page = Page(ut.report(run, n=100))
    assert "no factor of this data is known and varies" in page.words()
    assert ">gaussian_total_correlation<" in page.section("scores") or ">active_units<" in page.html
    assert len(page.html) < 5_000_000
    assert not page.all("figure", **{"class": "tile quiet telling"})
    assert len(page.all("canvas")) == 70


def test_constant_and_unknown_factors_are_left_out(tmp_path: Path) -> None:
    blobs = _blobs(120)
    factors = np.column_stack([blobs.factors, np.zeros(120, int), -np.ones(120, int)])
    factors[:40, 0] = -1
    images = blobs.observations(np.arange(120)).numpy()
    names = ["posX", "posY", "size", "constant", "unknown"]
    data = FactorDataset.from_arrays(images, factors, names, [6, 5, 2, 1, 3])
    run = _fit(VAE.build(data, latent_dim=2), data, tmp_path / "run", steps=2)
    page = Page(ut.report(run, n=100))
    assert "Not shown" not in page.section("factors")
    assert "constant" not in page.section("factors")
    assert ">mig<" in page.section("scores")


def test_names_of_others_are_text_and_nothing_else(tmp_path: Path) -> None:
    blobs = _blobs(120)
    images = blobs.observations(np.arange(120)).numpy()
    data = FactorDataset.from_arrays(images, blobs.factors, [NASTY, "posX", "posY"])
    run = _fit(VAE.build(data, latent_dim=2), data, tmp_path / "run", steps=2)
    page = Page(ut.report(run, n=100))
    assert "<script>alert" not in page.html
    assert NASTY in " ".join(page.text)
    # three of data (traversals, axes, the live decoder), the decoder's weights, and the program
    assert len(page.all("script")) == 5
    assert page.html.count("</script>") == 5


class Bare(nn.Module):
    """A representation from another library: no decoder, no prior, no record of its making."""

    def represent(self, x: Tensor) -> Independent:
        return Independent(Normal(x.flatten(1)[:, :3], 0.5), 1)


def test_anything_with_represent_has_a_page_without_a_run(tmp_path: Path) -> None:
    page = Page(report(None, method=Bare(), data=_blobs(), out=tmp_path / "bare.html", n=100))
    words = page.words()
    assert "Bare has no decode(z)" in words
    assert "a method without a run" in words
    assert "there is no log of a training" in words
    assert not page.all("canvas")
    assert ">mig<" in page.section("scores")


def test_observations_that_cannot_be_drawn(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((100, 5, 8, 8)).astype(np.float32)
    data = FactorDataset.from_arrays(x, np.arange(100)[:, None] % 4, layout="CHW")

    class Five(Bare):
        def decode(self, z: Tensor) -> Independent:
            return Independent(Normal(torch.zeros(len(z), 5, 8, 8), 1.0), 3)

    page = Page(report(None, method=Five(), data=data, out=tmp_path / "five.html", n=60))
    assert page.words().count("(5, 8, 8) cannot be drawn") == 3


def test_refusals(run: ut.Run, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no spec\.yaml"):
        report(tmp_path)
    with pytest.raises(ValueError, match="give method=, data= and out="):
        report(None, method=Bare())
    with pytest.raises(ValueError, match="made by hand"):
        report(run.path)
    with pytest.raises(TypeError, match="a FactorDataset"):
        report(run, data=[1, 2, 3])
    nowhere = ut.Run(None, method=run.method, data=run.data, spec=run.spec)
    with pytest.raises(ValueError, match="out="):
        report(nowhere)
    assert not (tmp_path / "report.html").exists()


def test_the_package_can_be_called_like_the_function(
    run: ut.Run, page: Page, tmp_path: Path
) -> None:
    import sys

    path = sys.modules["untwine.report"](run, n=50, out=tmp_path / "p.html", scores=False)
    assert path.exists()


def test_settings_in_words() -> None:
    method = BetaTCVAE.build(_blobs(), latent_dim=2, beta=5.0, seed=3)
    rows = {row.name: row for row in hyperparameters(method)}
    assert rows["beta"].value == "5.0"
    assert rows["beta"].given
    assert not rows["gamma"].given
    assert rows["gamma"].value == "1.0"
    assert rows["gamma"].meaning.startswith("γ")
    assert rows["optimizer"].value == "Adam(lr=0.0001, fused=True)"
    assert hyperparameters(Bare()) == []
    assert written([1, {"a": None}, "b"]) == "[1, {a: None}, b]"
    assert plain_text(r"A :math:`\frac{1}{N}` b") == "A frac1N b"


def test_pictures_survive_as_png() -> None:
    rng = np.random.default_rng(0)
    gray = np.repeat(rng.integers(0, 256, (5, 7, 1)), 3, 2).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(_decode(png(gray)).convert("RGB")), gray)
    few = rng.integers(0, 256, (15, 1, 3)).repeat(9, 1).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(_decode(png(few)).convert("RGB")), few)
    clear = np.dstack([gray, rng.integers(0, 256, (5, 7))]).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(_decode(png(clear))), clear)
    assert shrunk(gray, 7) is gray
    np.testing.assert_allclose(shrunk(np.full((2, 40, 20, 3), 9, np.uint8), 10), 9)


def _decode(uri: str | None) -> Image.Image:
    assert uri is not None
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def _like(run: ut.Run) -> Method:
    return BetaTCVAE.build(run.data, latent_dim=4, beta=3.0, seed=0)


def test_a_log_of_thousands_of_terms_has_few_curves(tmp_path: Path) -> None:
    run = _fit(VAE.build(_blobs(), latent_dim=2, seed=0), _blobs(), tmp_path / "run", steps=2)
    row = {"step": 1, "stage": "fit", "seconds": 0.1}
    terms = {f"vae/term{k}": 1e308 if k == 2 else k for k in range(3000)}
    (run.path / "log.jsonl").write_text(json.dumps({**row, **terms}) + "\n")
    page = Page(report(run.path, method=run.method, data=run.data, n=50, scores=False))
    text = " ".join(page.text)
    assert "2,952 further terms are in log.jsonl" in text
    assert "vae/term47" in page.html
    assert "vae/term48" not in page.html


def test_runs_side_by_side(tmp_path: Path) -> None:
    """The factor in the first of two columns is told by one dimension, whose name is there."""
    factors = np.arange(200) % 4
    x = np.stack([factors / 4, np.random.default_rng(0).random(200)], 1)
    data = FactorDataset.from_arrays(x.astype(np.float32), factors[:, None], names=("row",))
    runs = []
    for size in (2, 3):
        method = VAE.build(data, latent_dim=size, seed=0)
        runs.append(ut.fit(method, data, steps=3, out=tmp_path / f"d{size}", progress=False))
    report(runs[1], n=100, scores=False)
    page = Page(compare(runs, tmp_path / "both.html", n=100))
    assert len(page.all("canvas")) <= 5
    assert len({i["name"] for i in page.all("input", type="radio")}) == 2
    assert [a["href"] for a in page.all("a") if a["href"] != "#main"] == ["d3/report.html"]
    turned = page.html.split("Which knob turns what")[1].split("</section>")[0]
    for run, match in zip(runs, re.findall(r"<b>(z\d) (\d+) %</b>", turned), strict=True):
        found = find(run.method, run.data, n=100, seed=0)
        assert found.which.share is not None
        share = found.which.share[:, 0]
        assert match == (f"z{share.argmax()}", f"{100 * share.max():.0f}")
    assert "mig" in page.html.split('<h2 id="h-scores">')[1]
    assert not re.search(r"https?:", page.html)
    with pytest.raises(ValueError, match="1 runs to compare; expected two or more"):
        compare(runs[:1], tmp_path / "one.html")
