"""Data sets of files: archives, HDF5, annotated matrices, folders of images."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.sparse
import torch
from PIL import Image

from untwine.data import H5, H5AD, FactorDataset, Folder, Npz
from untwine.spec import describe, instantiate

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 10, 8), dtype=np.uint8)
FACTORS = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, -1]])


class Trap:
    """Fails the test that unpickles it."""

    def __reduce__(self):
        return pytest.fail, ("something was unpickled",)


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_npz_finds_its_arrays_and_unpickles_nothing(tmp_path):
    trap = np.empty(1, object)
    trap[0] = Trap()
    path = save(
        tmp_path / "set.npz", images=IMAGES, factors=FACTORS, factor_names=["a", "b"], extra=trap
    )
    data = FactorDataset.from_npz(path)
    assert isinstance(data, Npz)
    assert (data.space.names, data.space.sizes) == (("a", "b"), (3, 2))
    assert (data.factors == FACTORS).all()
    assert torch.equal(data.observations([4]), torch.from_numpy(IMAGES[4:5, None]) / 255)
    with pytest.raises(ValueError, match=r"'extra' .* cannot be read without unpickling"):
        Npz(path, covariates_key="extra")


def test_npz_takes_other_keys_and_columns(tmp_path):
    path = save(
        tmp_path / "set.npz",
        pixels=IMAGES,
        kind=np.array(["cat", "dog"] * 3),
        number=np.arange(6),
        c=np.arange(6.0),
    )
    data = Npz(path, x_key="pixels", factors_key=["kind", "number"], covariates_key="c")
    assert data.space.names == ("kind", "number")
    assert data.factors[:, 0].tolist() == [0, 1] * 3
    assert data.values["kind"] == ("cat", "dog")
    assert data.covariates.shape == (6, 1)
    only = Npz(path, x_key="pixels", factors_key="number", names=["count"], sizes=[10])
    assert (only.space.names, only.space.sizes) == (("count",), (10,))


def test_a_file_is_written_into_a_spec_and_made_again(tmp_path):
    path = save(tmp_path / "set.npz", x=IMAGES, factors=FACTORS)
    spec = describe(FactorDataset.from_npz(path, names=["a", "b"]))
    assert spec == {
        "class_path": "untwine.data.Npz",
        "init_args": {"path": str(path), "names": ["a", "b"]},
    }
    again = instantiate(spec, FactorDataset)
    assert again.space.names == ("a", "b")
    assert torch.equal(again.observations([1]), torch.from_numpy(IMAGES[1:2, None]) / 255)


def test_npz_errors(tmp_path):
    path = save(tmp_path / "set.npz", pictures=IMAGES)
    with pytest.raises(ValueError, match=r"'imgs'; it holds \['pictures'\]: name .* with x_key="):
        Npz(path)
    with pytest.raises(ValueError, match=r"no array 'images'; it holds \['pictures'\]"):
        Npz(path, x_key="images")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*other\.npz"):
        Npz(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError, match="it is a folder"):
        Npz(tmp_path)
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(ValueError, match=r"is no .npz archive"):
        Npz(tmp_path / "text.npz")


def test_h5(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "set.h5"
    with h5py.File(path, "w") as file:
        file["images"] = IMAGES
        file["labels"] = np.stack([np.linspace(0, 0.9, 6), np.arange(6) % 2], axis=1)
        file["factor_names"] = ["hue", "side"]
        file["other/y"] = ["p", "q"] * 3
    data = FactorDataset.from_h5(path)
    assert isinstance(data, H5)
    assert (data.space.names, data.space.sizes) == (("hue", "side"), (6, 2))
    assert data.factors[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert torch.equal(data.observations([5]), torch.from_numpy(IMAGES[5:6, None]) / 255)
    assert H5(path, factors_key=["other/y"]).values["other/y"] == ("p", "q")
    with pytest.raises(ValueError, match=r"no array 'x'; it holds \['factor_names', 'images'"):
        H5(path, x_key="x")
    with pytest.raises(ValueError, match="is no HDF5 file"):
        H5(save(tmp_path / "set.npz", x=IMAGES))


def test_h5ad(tmp_path):
    anndata = pytest.importorskip("anndata")
    import pandas as pd

    counts = scipy.sparse.random(6, 20, 0.3, format="csr", random_state=0, dtype=np.float32)

    def words(values):  # anndata writes text as objects only
        return pd.Index(values, dtype=object)

    obs = pd.DataFrame(
        {
            "type": pd.Categorical.from_codes([1, 0, 1, 0, 1, -1], words(["B", "T"])),
            "donor": pd.Categorical.from_codes([0, 0, 1, 1, 0, 1], words(["d1", "d2"])),
            "depth": np.arange(6.0),
        },
        index=words([f"cell{i}" for i in range(6)]),
    )
    var = pd.DataFrame(index=words([f"gene{i}" for i in range(20)]))
    path = tmp_path / "cells.h5ad"
    anndata.AnnData(counts, obs=obs, var=var, layers={"twice": counts * 2}).write_h5ad(path)
    data = FactorDataset.from_h5ad(path, factors=["type"], covariates=["donor", "depth"])
    assert isinstance(data, H5AD)
    assert data.shape == (20,)
    assert data.factors[:, 0].tolist() == [1, 0, 1, 0, 1, -1]
    assert data.values == {"type": ("B", "T")}
    assert data.covariates.tolist()[2] == [2.0, 0.0, 1.0]  # depth, then donor one-hot
    np.testing.assert_array_equal(data.observations([1, 3]).numpy(), counts.toarray()[[1, 3]])
    assert data.features[19] == "gene19"
    both = H5AD(path, layer="twice")
    assert both.space.names == ("type", "donor")
    np.testing.assert_array_equal(both.observations([0]).numpy(), 2 * counts.toarray()[[0]])
    with pytest.raises(ValueError, match=r"no column 'batch' in obs; its columns are \['type'"):
        H5AD(path, factors=["batch"])
    with pytest.raises(ValueError, match=r"no layer 'raw'; its layers are \['twice'\]"):
        H5AD(path, layer="raw")


@pytest.mark.parametrize(
    ("module", "cls", "extra"),
    [("h5py", H5, "files"), ("anndata", H5AD, "cells")],
)
def test_a_missing_package_names_the_extra(tmp_path, monkeypatch, module, cls, extra):
    (tmp_path / "file").write_text("")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'pip install "untwine\[{extra}\]"'):
        cls(tmp_path / "file")


def picture(path, size=(8, 10), mode="L", value=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    if value is not None:
        image.paste(value, (0, 0, *size))
    image.save(path)
    return np.asarray(image)


def test_folder_takes_factors_from_subfolders(tmp_path):
    pixels = {
        (kind, side, i): picture(tmp_path / kind / side / f"{i}.png")
        for kind in ("dog", "cat")
        for side in ("left", "right")
        for i in range(2)
    }
    data = FactorDataset.from_folder(tmp_path, names=["kind", "side"])
    assert isinstance(data, Folder)
    assert (len(data), data.shape) == (8, (1, 10, 8))
    assert data.values == {"kind": ("cat", "dog"), "side": ("left", "right")}
    row = data.files.index("dog/left/1.png")
    assert data.factors[row].tolist() == [1, 0]
    expected = torch.from_numpy(pixels["dog", "left", 1].copy()) / 255
    assert torch.equal(data.observations([row])[0, 0], expected)
    again = instantiate(describe(data), FactorDataset)
    assert torch.equal(again.observations([row]), data.observations([row]))


def test_folder_of_color_and_size(tmp_path):
    picture(tmp_path / "a.png", (20, 10), "RGB", (255, 0, 51))
    picture(tmp_path / "b.jpg", (9, 30), "L", 255)
    picture(tmp_path / "c.webp", (9, 30), "RGB", (0, 0, 0))
    with pytest.raises(ValueError, match=r"b.jpg has 30 x 9 pixels but .*a.png has 10 x 20"):
        Folder(tmp_path)
    data = Folder(tmp_path, size=6)
    assert data.shape == (3, 6, 6)
    assert data.factors.shape == (3, 0)
    torch.testing.assert_close(data.observations([0])[0, :, 3, 3], torch.tensor([1, 0, 0.2]))
    assert Folder(tmp_path, size=(4, 6), color=False).shape == (1, 4, 6)


def test_dark_files_are_divided_by_255_too(tmp_path):
    picture(tmp_path / "a.png", (4, 4), "L", 1)
    assert Folder(tmp_path).observations([0]).max() == pytest.approx(1 / 255)


def test_folder_with_a_table(tmp_path):
    for name in ("x", "y", "z"):
        picture(tmp_path / "images" / f"{name}.png")
    (tmp_path / "table.csv").write_text(
        "image_id,smiling,age,kind\nimages/z.png,-1,3,old\nimages/x.png,1,,new\nimages/y.png,1,0,\n"
    )
    data = Folder(tmp_path, csv="table.csv")
    assert data.space.names == ("smiling", "age", "kind")
    assert data.factors.tolist() == [[0, 3, 1], [1, -1, 0], [1, 0, -1]]
    assert data.files[0] == "images/z.png"
    (tmp_path / "table.csv").write_text("image_id,age\nimages/w.png,3\n")
    with pytest.raises(FileNotFoundError, match=r"names .*w.png, which is not there"):
        Folder(tmp_path, csv="table.csv")
    (tmp_path / "table.csv").write_text("name,age\nimages/x.png,3\n")
    with pytest.raises(ValueError, match="one of them must name the images"):
        Folder(tmp_path, csv="table.csv")
    (tmp_path / "table.csv").write_text("file,age\nimages/x.png\n")
    with pytest.raises(ValueError, match=r"row 1 of .* has 1 cells; expected 2"):
        Folder(tmp_path, csv="table.csv")


def test_hidden_files_are_passed_over_with_a_warning(tmp_path):
    for kind in ("cat", "dog", ".ipynb_checkpoints", "__MACOSX"):
        picture(tmp_path / kind / "1.png")
    picture(tmp_path / "cat" / "._1.png")
    with pytest.warns(UserWarning, match=r"3 hidden images .* such as .*checkpoints/1.png"):
        data = Folder(tmp_path)
    assert data.files == ("cat/1.png", "dog/1.png")
    assert data.values == {"folder": ("cat", "dog")}
    (tmp_path / "table.csv").write_text("file,kind\n.ipynb_checkpoints/1.png,cat\n")
    assert len(Folder(tmp_path, csv="table.csv")) == 1  # asked for by name
    hidden = tmp_path / ".data" / "cat"
    picture(hidden / "1.png")
    assert len(Folder(tmp_path / ".data")) == 1  # the folder itself was named


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_composited_or_refused(tmp_path, mode):
    image = Image.new("RGBA", (4, 1), (200, 200, 200, 255))
    image.putpixel((1, 0), (255, 255, 255, 0))  # a hidden color
    if mode != "P":
        image.putpixel((2, 0), (100, 100, 100, 51))  # a fifth of it
    file = tmp_path / "a.png"
    image.quantize().save(file) if mode == "P" else image.convert(mode).save(file)
    with pytest.raises(ValueError, match=r"a\.png has transparent pixels.* pass background=255"):
        Folder(tmp_path)
    for background in (0, 90):
        values = Folder(tmp_path, color=False, background=background).observations([0])[0, 0, 0]
        partly = 200 if mode == "P" else 0.2 * 100 + 0.8 * background
        np.testing.assert_allclose(255 * values, [200, background, partly, 200], atol=1)
    color = Folder(tmp_path, color=True, background=(10, 20, 30))
    np.testing.assert_allclose(255 * color.observations([0])[0, :, 0, 1], [10, 20, 30], atol=1e-4)
    Image.new("RGBA", (4, 1), (9, 9, 9, 255)).save(file)  # opaque everywhere
    assert Folder(tmp_path).observations([0]).shape == (1, 3, 1, 4)
    with pytest.raises(ValueError, match="background is 300; expected"):
        Folder(tmp_path, background=300)


def test_folder_errors_name_the_file(tmp_path):
    with pytest.raises(ValueError, match="there are no images in"):
        Folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        Folder(tmp_path / "nowhere")
    picture(tmp_path / "a" / "1.png")
    picture(tmp_path / "2.png")
    with pytest.raises(ValueError, match=r"1.png lies in 1 subfolders but .*2.png in 0"):
        Folder(tmp_path)
    (tmp_path / "2.png").unlink()
    broken = tmp_path / "a" / "0.png"
    broken.write_bytes((tmp_path / "a" / "1.png").read_bytes()[:60])
    with pytest.raises(ValueError, match=r"0.png cannot be read as an image"):
        Folder(tmp_path, color=True)
    broken.write_text("no image")
    with pytest.raises(ValueError, match=r"0.png cannot be read as an image"):
        Folder(tmp_path)
    broken.unlink()
    Image.fromarray(np.full((10, 8), 40_000, np.uint16)).save(broken)
    with pytest.raises(ValueError, match=r"0.png has more than 8 bits per pixel"):
        Folder(tmp_path)


def test_real_faces(shared):
    data = FactorDataset.from_npz(shared / "data" / "cmu_faces_60x64.npz")
    assert (len(data), data.shape) == (624, (1, 60, 64))
    assert len(data.space.names) == 4
    assert 0 < data.observations([0]).mean() < 1
    color = FactorDataset.from_npz(shared / "data" / "emoji_people_32x32.npz")
    assert (len(color), color.shape) == (2664, (3, 32, 32))
    assert len(color.space) == 2664
