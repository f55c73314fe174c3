"""The explorer without a page: codes, pictures, parts, the map, directions, lines of Python."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import untwine as ut
from untwine.data import FactorDataset
from untwine.explore import Workbench
from untwine.explore.direction import separate
from untwine.explore.upload import MOST_PIXELS, observation
from untwine.methods import M2, MLVAE, MultiLatentVAE, swap
from untwine.plots.pictures import pictures

from .conftest import Perfect, squares


@pytest.fixture(scope="module")
def bench(vae, data):
    return Workbench(vae, data, n=60)


def encoded(picture, kind="PNG"):
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def test_pictures_are_the_means_of_the_likelihood(bench, vae, data):
    start = bench.start(23)
    with torch.no_grad():
        code = vae.represent(data.observations([23])).mean
        expected = pictures(vae.decode(code).mean, 1)
    np.testing.assert_array_equal(start.code, code[0].numpy())
    np.testing.assert_array_equal(bench.decode([start.code]), expected)
    np.testing.assert_array_equal(start.picture, pictures(data.observations([23]), 1)[0])
    assert start.factors == {"size": "1", "row": "0", "column": "3"}


def test_knobs_are_in_the_order_of_what_they_do_and_named_by_what_they_follow():
    factors = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), 1)
    world = FactorDataset.from_arrays(
        factors.astype(np.float32), factors, names=("size", "row", "column")
    )
    knobs = Workbench(Perfect(), world, n=60).knobs
    assert [knob.index for knob in knobs] == [0, 1, 2]
    assert [knob.factor for knob in knobs] == ["column", "size", None]
    assert [knob.follows for knob in knobs] == [True, True, False]
    np.testing.assert_allclose([knob.share for knob in knobs], [1, 1, 0], atol=1e-6)
    variance = Perfect.spread.numpy().astype(float) ** 2
    second_moment = np.array([2.0, 2 / 3, 0.0])  # of five, of three centered levels
    kl = 0.5 * (variance + second_moment - 1 - np.log(variance))
    np.testing.assert_allclose([knob.strength for knob in knobs], kl, rtol=1e-5)
    assert [knob.quiet for knob in knobs] == [False, False, True]
    assert knobs[0].low < -2
    assert knobs[0].high > 2
    assert sum(knobs[0].histogram) == 60


def test_parts_have_the_names_and_columns_of_the_code(data):
    method = MultiLatentVAE.build(
        data,
        seed=0,
        blocks={
            "look": ut.distributions.GaussianBlock(3),
            "turn": ut.distributions.AngleBlock(1),
            "kind": ut.distributions.CategoricalBlock(4),
        },
    )
    parts = Workbench(method, data, n=60).parts
    assert [(p.name, p.columns, p.kind) for p in parts] == [
        ("look", (0, 1, 2), "values"),
        ("turn", (3, 4), "angles"),
        ("kind", (5, 6, 7, 8), "classes"),
    ]


def test_a_part_in_the_place_of_another_is_a_swap(data):
    method = MLVAE.build(data, latent_dim=4, seed=0).eval()
    bench = Workbench(method, data, n=60)
    part = next(p for p in bench.parts if p.name == "content")
    code = bench.start(3).code.copy()
    code[list(part.columns)] = bench.start(41).code[list(part.columns)]
    expected = swap(method, data.observations([3]), data.observations([41]), "content")
    np.testing.assert_array_equal(bench.decode([code]), pictures(expected, 1))


def test_a_class_beside_the_code_is_a_part_of_its_own(data):
    method = M2.build(data, latent_dim=3, seed=0, label="size").eval()
    bench = Workbench(method, data, n=60)
    assert [(p.name, p.kind, len(p.columns)) for p in bench.parts] == [
        ("code", "values", 3),
        ("class", "classes", 3),
    ]
    code = bench.start(5).code.copy()
    code[3:] = [0.1, 0.2, 0.9]
    with torch.no_grad():
        z = torch.from_numpy(code[None, :3])
        expected = pictures(method.decode(z, y=torch.tensor([2])).mean, 1)
    np.testing.assert_array_equal(bench.decode([code]), expected)
    assert bench.inline is None
    assert bench.draw(0).shape == (6,)
    assert bench.draw(0)[3:].sum() == 1


@pytest.mark.parametrize(
    "name", ["InfoGAN", "LORD", "Mathieu2016", "QLAE", "VAEGAN", "VeryDeepVAE"]
)
def test_methods_of_other_families_are_explored(name, data):
    method = getattr(ut.methods, name).build(data, latent_dim=4, seed=0)
    bench = Workbench(method, data, n=60)
    code = bench.start(5).code
    with torch.no_grad():
        expected = pictures(method.decode(torch.from_numpy(code[None])).mean, 1)
    np.testing.assert_array_equal(bench.decode([code]), expected)
    assert bench.decode([bench.draw(1)]).shape == (1, 16, 16, 3)
    columns = [c for part in bench.parts for c in part.columns]
    assert columns in ([], list(range(bench.code_dim)))


def test_covariates_are_those_of_the_observation(data):
    c = np.eye(2, dtype=np.float32)[np.arange(60) % 2]
    world = FactorDataset.from_arrays(
        data.observations(range(60)), data.factors, data.space.names, covariates=c
    )
    method = ut.methods.VAE.build(world, latent_dim=3, seed=0).eval()
    bench = Workbench(method, world, n=60)
    code = bench.start(0).code
    with torch.no_grad():
        for row in (0, 1):
            p = method.decode(torch.from_numpy(code[None]), c=world.batch([row]).c)
            np.testing.assert_array_equal(bench.decode([code], row), pictures(p.mean, 1))
    assert (bench.decode([code], 0) != bench.decode([code], 1)).any()
    assert "c=data.batch([1]).c" in bench.lines(code, 1)


def test_a_picture_of_an_observation_has_its_code(bench, data):
    image = Image.fromarray((data.observations([17])[0, 0].numpy() * 255).astype(np.uint8))
    for kind in ("PNG", "BMP", "TIFF", "GIF"):
        start = bench.encode(encoded(image, kind))
        np.testing.assert_allclose(start.code, bench.start(17).code, atol=1e-6)
    np.testing.assert_array_equal(start.picture, bench.start(17).picture)
    assert start.row is None


def test_a_picture_is_upright_cut_and_without_transparency():
    picture = Image.new("RGBA", (40, 20), (255, 255, 255, 0))
    assert observation(encoded(picture), (3, 8, 8)).max() == 0
    wide = Image.new("RGB", (80, 20), "black")
    wide.paste("white", (30, 0, 50, 20))
    assert observation(encoded(wide), (1, 8, 8)).min() > 0.9
    tall = Image.new("RGB", (20, 20), "black")
    tall.paste("white", (0, 0, 10, 20))
    exif = tall.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    file = io.BytesIO()
    tall.save(file, "JPEG", exif=exif, quality=95)
    turned = observation(file.getvalue(), (1, 8, 8))[0]
    assert turned[:3].min() > 0.9
    assert turned[5:].max() < 0.1


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"<svg/>", b"%!PS-Adobe", b"\x89PNG\r\n\x1a\n" + bytes(99)]
)
def test_what_is_no_picture_is_refused(bench, content):
    with pytest.raises(ValueError, match="the picture cannot be read as an image"):
        bench.encode(content)


def test_a_picture_of_too_many_pixels_is_refused_by_its_header():
    bomb = encoded(Image.new("1", (8000, 8000)))
    assert MOST_PIXELS < 8000 * 8000
    with pytest.raises(ValueError, match=r"64000000|8000 x 8000 pixels"):
        observation(bomb, (1, 8, 8))


def test_codes_that_are_none_are_refused(bench):
    for codes in ([[1, 2]], [], [[np.nan] * 4], [[1e30] * 4], [[0] * 4] * 300, [0, 0, 0, 0]):
        with pytest.raises(ValueError, match=r"codes (have shape|are not finite)"):
            bench.decode(codes)
    for row in (-1, 60):
        with pytest.raises(IndexError, match="observations 0 to 59"):
            bench.start(row)


def test_the_direction_between_groups_of_known_distribution():
    rng = np.random.default_rng(0)
    covariance = np.array([[2.0, 1.2, 0.0], [1.2, 1.0, 0.0], [0.0, 0.0, 0.5]])
    delta = np.array([1.0, 0.0, 0.5])
    a, b = rng.multivariate_normal(np.zeros(3), covariance, (2, 4000))
    direction = separate(a, b + delta)
    np.testing.assert_allclose(direction.step, delta, atol=0.1)
    w = np.linalg.solve(covariance, delta)
    cosine = direction.normal @ w / np.linalg.norm(direction.normal) / np.linalg.norm(w)
    assert cosine > 0.995
    np.testing.assert_allclose(direction.normal @ w, delta @ w, rtol=0.1)
    # of two normals with one covariance, the best rule is right in Phi(d / 2) of all cases
    distance = np.sqrt(delta @ w)
    best = torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(distance / 2)).item()
    assert abs(direction.accuracy - best) < 0.015
    assert direction.share.sum() == pytest.approx(1)


def test_small_and_equal_groups_have_a_direction():
    one = separate(np.zeros((1, 2)), np.array([[3.0, 0.0]]))
    np.testing.assert_array_equal(one.step, [3, 0])
    np.testing.assert_array_equal(one.normal, [3, 0])
    assert np.isnan(one.accuracy)
    same = separate(np.ones((5, 2)), np.ones((5, 2)))
    assert not same.step.any()
    assert not same.share.any()
    with pytest.raises(ValueError, match="expected at least 1 in each"):
        separate(np.zeros((0, 2)), np.ones((1, 2)))


def test_the_map_fills_in_the_background(vae):
    data = squares()
    many = FactorDataset.from_arrays(
        np.tile(data.observations(range(60)).numpy(), (40, 1, 1, 1)),
        np.tile(data.factors, (40, 1)),
        data.space.names,
    )
    bench = Workbench(vae, many, n=2300)
    atlas = bench.atlas
    assert atlas.count == 2000
    atlas.begin()
    atlas._thread.join(60)
    assert atlas.count == len(atlas.rows) == 2300
    assert len(set(atlas.rows.tolist())) == 2300
    expected = ut.encode(vae, many).mean[atlas.rows]
    np.testing.assert_allclose(atlas.mean, expected, atol=1e-6)
    x, y = atlas.column("pc1"), atlas.column("pc2")
    assert x[:2000].var() >= y[:2000].var() >= 0
    assert abs(np.corrcoef(x[:2000], y[:2000])[0, 1]) < 1e-3
    np.testing.assert_array_equal(atlas.column("z2", 2100), atlas.mean[2100:, 2])
    np.testing.assert_array_equal(atlas.color("row"), many.factors[atlas.rows, 1])
    with pytest.raises(ValueError, match=r"axis is 'z9'; expected one of pc1, pc2, z0"):
        atlas.column("z9")
    header, rows = bench.table([0, 2299])
    assert header == ["observation", "size", "row", "column", "z0", "z1", "z2", "z3"]
    assert rows[1][0] == atlas.rows[2299]
    assert rows[1][2] == str(many.factors[atlas.rows[2299], 1])
    with pytest.raises(ValueError, match="points have numbers from 0 to 2299"):
        bench.table([2300])


def test_the_lines_of_python_give_the_picture(tmp_path, monkeypatch, data):
    data_file = tmp_path / "squares.npz"
    np.savez(data_file, images=(data.observations(range(60)).numpy() * 255).astype(np.uint8))
    world = FactorDataset.from_npz(data_file)
    method = ut.methods.VAE.build(world, latent_dim=3, seed=0)
    ut.fit(method, world, steps=2, out=tmp_path / "run", progress=False)
    run = ut.Run.load(tmp_path / "run")
    bench = Workbench(run.method, run.data, run=str(tmp_path / "run"), n=60)
    code = np.round(bench.start(9).code, 4)
    text = bench.lines(code)
    assert len(text.splitlines()) == 5
    names: dict = {}
    exec(text, names)
    np.testing.assert_array_equal(pictures(names["image"], 0), bench.decode([code])[0])


def test_a_film_has_the_frames(bench):
    codes = np.zeros((7, 4))
    codes[:, 1] = np.linspace(-20, 20, 7)
    with Image.open(io.BytesIO(bench.film(codes, milliseconds=80))) as film:
        assert film.n_frames == 7
        assert film.size == (256, 256)
        assert film.info["duration"] == 80
    with pytest.raises(ValueError, match="a film of 121 frames"):
        bench.film(np.zeros((121, 4)))


def test_what_cannot_be_explored_is_refused(vae, data):
    with pytest.raises(TypeError, match=r"expected an object with represent"):
        Workbench(type(vae), data)
    silent = ut.methods.FStatistic.build(data, latent_dim=2)
    with pytest.raises(TypeError, match=r"FStatistic has no decode\(z\)"):
        Workbench(silent, data)
    with pytest.raises(TypeError, match="data is a list"):
        Workbench(vae, [1, 2])
    five = FactorDataset.from_arrays(np.zeros((9, 5, 8, 8), np.float32), layout="CHW")
    with pytest.raises(ValueError, match=r"observations of shape \(5, 8, 8\) cannot be drawn"):
        Workbench(ut.methods.VAE.build(five, latent_dim=2), five)
    with pytest.raises(ValueError, match="n is 1"):
        Workbench(vae, data, n=1)
    with pytest.raises(ValueError, match="a picture can be encoded only where they are images"):
        Workbench(Perfect(), FactorDataset.from_arrays(np.zeros((9, 3), np.float32) + 1)).encode(
            b""
        )
