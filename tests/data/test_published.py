"""Loaders of published files: each on a small file of its format, bit for bit."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from untwine.data import (
    MNIST,
    MPI3D,
    Cars3D,
    CelebA,
    FactorDataset,
    FactorSpace,
    FashionMNIST,
    Rooms3D,
    Shapes3D,
    SmallNORB,
    YaleB,
    mpi3d,
)
from untwine.data.download import Published, data_folder, published_file
from untwine.spec import describe, instantiate

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """Where downloads and converted files go."""
    monkeypatch.setenv("UNTWINE_DATA", str(tmp_path / "kept"))
    return tmp_path / "kept"


def bytes_of(data, rows):
    return data.observations(rows).mul(255).round().byte().numpy()


def said(error):
    """The message, which must be one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


# Downloads


class Server(BaseHTTPRequestHandler):
    files: dict[str, bytes] = {}
    ranges = True
    asked: list[str] = []

    def do_GET(self):
        content = self.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        self.asked.append(asked or "all")
        start = int(asked[6:-1]) if asked and self.ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    Server.files, Server.ranges, Server.asked = {}, True, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


CONTENT = RNG.bytes(3_000_000)
SHA = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def test_a_download_is_kept_and_a_dead_address_passed_over(server):
    Server.files["/set.bin"] = CONTENT
    source = Published("few", "set.bin", "3 MB", (f"{server}/gone", f"{server}/set.bin"), SHA)
    place = published_file(source, None, True, "Few")
    assert place == data_folder() / "few" / "set.bin"
    assert place.read_bytes() == CONTENT
    Server.files.clear()
    assert published_file(source, None, False, "Few") == place  # and not fetched again


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_broke_off_goes_on(server, ranges):
    Server.files["/set.bin"] = CONTENT
    Server.ranges = ranges
    part = data_folder() / "few" / "set.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:1_000_000])
    source = Published("few", "set.bin", "3 MB", (f"{server}/set.bin",), SHA)
    assert published_file(source, None, True, "Few").read_bytes() == CONTENT
    assert Server.asked == ["bytes=1000000-"]
    assert not part.exists()


def test_other_bytes_than_published_are_refused(server):
    Server.files["/set.bin"] = CONTENT[::-1]
    source = Published("few", "set.bin", "3 MB", (f"{server}/set.bin",), SHA)
    with pytest.raises(
        ValueError, match=r"its bytes are sha256:.* published were sha256:"
    ) as error:
        published_file(source, None, True, "Few")
    assert "by hand" in said(error)
    assert list((data_folder() / "few").iterdir()) == []


def test_without_a_network_one_line_says_what_to_do():
    source = Published("few", "set.bin", "3 MB", ("http://127.0.0.1:9/set.bin",), SHA)
    with pytest.raises(ConnectionError, match="could not be downloaded") as error:
        published_file(source, None, True, "Few")
    assert "give path=" in said(error)


@pytest.mark.parametrize("make", [Shapes3D, MPI3D, Cars3D, SmallNORB, MNIST, FashionMNIST])
def test_a_missing_file_says_what_to_do_and_fetches_nothing(make, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"needs its published file .* download=True") as e:
        make()
    said(e)
    with pytest.raises(FileNotFoundError):
        make(path=tmp_path / "none")


# Shapes3D


def shapes3d(path, rows, **changes):
    rooms = Rooms3D()
    f = rooms.factors[rows]
    labels = f * np.array([0.1, 0.1, 0.1, 0.5 / 7, 1, 60 / 14]) + [0, 0, 0, 0.75, 0, -30]
    images = bytes_of(rooms, rows).transpose(0, 2, 3, 1)
    with h5py.File(path, "w") as file:
        for name, array in ({"images": images, "labels": labels} | changes).items():
            file.create_dataset(name, data=array, compression="gzip")
    return images


def test_shapes3d_bit_for_bit_with_hues_read_off_the_pixels(tmp_path, kept):
    rows = RNG.permutation(480_000)[:40]
    images = shapes3d(tmp_path / "3dshapes.h5", rows)
    data = Shapes3D(tmp_path)
    assert (bytes_of(data, range(40)) == images.transpose(0, 3, 1, 2)).all()
    assert data.space == Rooms3D.space
    assert (data.space.index(data.factors) == rows).all()
    x = data.observations(range(40)).numpy()
    saturated = x[:, :, 62, 1] > 0.5  # of the floor: red, yellow, green, cyan, blue or magenta
    assert (saturated[data.factors[:, 0] == 0] == [True, False, False]).all()
    assert (saturated[data.factors[:, 0] == 5] == [False, True, True]).all()
    (file,) = (kept / "converted").iterdir()
    before = file.stat().st_mtime_ns
    again = instantiate(describe(data), FactorDataset)
    assert torch.equal(again.observations([3]), data.observations([3]))
    assert file.stat().st_mtime_ns == before  # converted once
    assert isinstance(data.images, np.memmap)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((2, 32, 32, 3), np.uint8)}, "expected uint8"),
        ({"labels": np.zeros((3, 6))}, r"expected \(2, 6\)"),
        ({"labels": np.full((2, 6), 0.05)}, "0.05 for floor_hue in row 0"),
    ],
)
def test_other_shapes3d_are_refused(tmp_path, changes, message):
    shapes3d(tmp_path / "3dshapes.h5", np.arange(2), **changes)
    with pytest.raises(ValueError, match=message):
        Shapes3D(tmp_path / "3dshapes.h5")


# MPI3D


def test_mpi3d_bit_for_bit_and_never_with_the_wrong_sizes(tmp_path, monkeypatch):
    names = mpi3d._SPACES["real"].names
    monkeypatch.setitem(mpi3d._SPACES, "real", FactorSpace(names, (3, 2, 2, 3, 3, 2, 4)))
    monkeypatch.setitem(mpi3d._SPACES, "complex", FactorSpace(names, (2, 2, 2, 3, 3, 2, 4)))
    monkeypatch.setattr(mpi3d, "_ROWS", 100)
    images = RNG.integers(0, 256, (864, 64, 64, 3), dtype=np.uint8)
    for save, name in ((np.savez, "real.npz"), (np.savez_compressed, "packed.npz")):
        save(tmp_path / name, images=images)
        data = MPI3D("real", tmp_path / name)
        assert (len(data), data.shape) == (864, (3, 64, 64))
        assert (
            bytes_of(data, [0, 863, 99, 100]) == images[[0, 863, 99, 100]].transpose(0, 3, 1, 2)
        ).all()
        assert data.factors[4].tolist() == [0, 0, 0, 0, 0, 1, 0]
    with pytest.raises(ValueError, match=r"holds 864 images, but complex has 576 .* is it real\?"):
        MPI3D("complex", tmp_path / "real.npz")
    with pytest.raises(ValueError, match="variant is 'realest'"):
        MPI3D("realest")
    content = (tmp_path / "packed.npz").read_bytes()
    (tmp_path / "broken.npz").write_bytes(content[:5000] + b"\0" * 99 + content[5099:])
    with pytest.raises(ValueError, match=r"damaged|cannot be read"):
        MPI3D("real", tmp_path / "broken.npz")


def test_mpi3d_places_and_colors_are_read_off_the_pixels(tmp_path, monkeypatch):
    names = mpi3d._SPACES["real"].names
    sizes = (6, 1, 2, 1, 3, 5, 4)
    monkeypatch.setitem(mpi3d._SPACES, "real", FactorSpace(names, sizes))
    colors = RNG.integers(100, 256, (6, 3), dtype=np.uint8)
    images = []
    for color, _, _, _, _, horizontal, vertical in product(*map(range, sizes)):
        image = np.zeros((64, 64, 3), np.uint8)
        image[10 * vertical : 10 * vertical + 8, 10 * horizontal : 10 * horizontal + 8] = colors[
            color
        ]
        images.append(image)
    np.savez_compressed(tmp_path / "real.npz", images=np.stack(images))
    data = MPI3D("real", tmp_path / "real.npz")
    order = RNG.permutation(len(data))[:100]
    for row, x in zip(data.factors[order], bytes_of(data, order), strict=True):
        _, top, left = np.argwhere(x).min(0)
        named = dict(zip(names, row, strict=True))
        assert (named["vertical"], named["horizontal"]) == (top // 10, left // 10)
        assert (x[:, top, left] == colors[named["color"]]).all()


def test_mpi3d_has_the_published_sizes():
    sizes = {name: len(space) for name, space in mpi3d._SPACES.items()}
    assert sizes == {
        "toy": 1_036_800,
        "realistic": 1_036_800,
        "real": 1_036_800,
        "complex": 460_800,
    }


# Cars3D


def a_car(images):
    """A .mat file of images (elevation, azimuth, 128, 128, 3)."""
    file = io.BytesIO()
    savemat(file, {"im": images.transpose(2, 3, 4, 1, 0)})
    return file.getvalue()


def test_cars3d_from_the_archive_and_from_a_folder(tmp_path):
    cars = {n: RNG.integers(0, 256, (4, 24, 128, 128, 3), dtype=np.uint8) for n in (7, 2)}
    with tarfile.open(
        tmp_path / "nips2015-analogy-data.tar.gz", "w:gz", compresslevel=1
    ) as archive:
        for number, images in cars.items():
            content = a_car(images)
            info = tarfile.TarInfo(f"data/cars/car_{number:03d}_mesh.mat")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
            (tmp_path / "cars").mkdir(exist_ok=True)
            (tmp_path / "cars" / f"car_{number:03d}_mesh.mat").write_bytes(content)
        link = tarfile.TarInfo("data/cars/car_009_mesh.mat")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    data, same = Cars3D(tmp_path), Cars3D(tmp_path / "cars")
    assert (len(data), str(data.space)) == (192, "elevation 4, azimuth 24, car 2")
    assert data.values["car"] == ("2", "7")
    row = data.space.index([3, 20, 1])
    expected = Image.fromarray(cars[7][3, 20]).resize((64, 64), Image.Resampling.LANCZOS)
    assert (bytes_of(data, [row])[0].transpose(1, 2, 0) == np.asarray(expected)).all()
    assert torch.equal(data.observations([5, 100]), same.observations([5, 100]))
    (tmp_path / "cars" / "car_001_mesh.mat").write_bytes(b"no matrix")
    with pytest.raises(ValueError, match=r"car_001_mesh.mat is no MATLAB file"):
        Cars3D(tmp_path / "cars")


def test_cars3d_labels_agree_with_real_cars(tmp_path, shared):
    with np.load(shared / "data" / "cars3d_64_webp.npz") as z:
        blob, offsets = z["blob"].tobytes(), z["offsets"]
    for number in (1, 2):
        mosaic = Image.open(io.BytesIO(blob[offsets[number] : offsets[number + 1]])).convert("RGB")
        views = np.asarray(mosaic).reshape(4, 64, 24, 64, 3).transpose(0, 2, 1, 3, 4)
        large = views.repeat(2, axis=2).repeat(2, axis=3)
        (tmp_path / f"car_{number:03d}_mesh.mat").write_bytes(a_car(large))
    data = Cars3D(tmp_path)
    x = data.observations(range(len(data))).numpy().reshape(4, 24, 2, -1)

    def between(one, other):
        return np.abs(one - other).mean()

    next_azimuth = between(x, np.roll(x, 1, axis=1))
    assert next_azimuth < between(x, np.roll(x, 6, axis=1)) / 1.5
    assert between(x[0], x[1]) < between(x[0], x[3])  # elevations in their order
    assert next_azimuth < between(x[:, :, 0], x[:, :, 1])


# SmallNORB


def matrix(array):
    magic = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54}[array.dtype.name]
    lengths = [*array.shape, *[1] * (3 - array.ndim)]
    return struct.pack(f"<{2 + len(lengths)}I", magic, array.ndim, *lengths) + array.tobytes()


def smallnorb(folder, pack=True, **changes):
    made = {}
    for part, stem in (
        ("train", "5x46789x9x18x6x2x96x96-training"),
        ("test", "5x01235x9x18x6x2x96x96-testing"),
    ):
        arrays = {
            "dat": RNG.integers(0, 256, (12, 2, 96, 96), dtype=np.uint8),
            "cat": RNG.integers(0, 5, 12, dtype=np.int32),
            "info": np.stack(
                [
                    RNG.integers(0, n, 12, dtype=np.int32) * step
                    for n, step in ((10, 1), (9, 1), (18, 2), (6, 1))
                ],
                1,
            ),
        } | changes
        for kind, array in arrays.items():
            name = f"smallnorb-{stem}-{kind}.mat"
            content = array if isinstance(array, bytes) else matrix(array)
            if pack:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
            else:
                (folder / name).write_bytes(content)
        made[part] = arrays
    return made


@pytest.mark.parametrize("pack", [True, False])
def test_smallnorb_bit_for_bit(tmp_path, pack):
    made = smallnorb(tmp_path, pack)
    whole = SmallNORB("all", tmp_path, size=96)
    expected = np.concatenate([made["train"]["dat"][:, 0], made["test"]["dat"][:, 0]])
    assert (bytes_of(whole, range(24))[:, 0] == expected).all()
    test = SmallNORB("test", tmp_path)
    info = made["test"]["info"]
    assert (test.factors[:, 0] == made["test"]["cat"]).all()
    assert (test.factors[:, [1, 2, 4]] == info[:, [0, 1, 3]]).all()
    assert (test.factors[:, 3] * 2 == info[:, 2]).all()
    small = Image.fromarray(made["test"]["dat"][5, 0]).resize((64, 64), Image.Resampling.LANCZOS)
    assert (bytes_of(test, [5])[0, 0] == np.asarray(small)).all()
    assert len(SmallNORB.space) == 48_600


def test_smallnorb_azimuths_are_read_off_the_pixels(tmp_path):
    steps = RNG.permutation(18)
    images = np.zeros((18, 2, 96, 96), np.uint8)
    for image, step in zip(images, steps, strict=True):
        angle = 2 * np.pi * step / 18
        for r in range(8, 40):  # a hand of a clock on the left image, noise on the right one
            image[0, round(48 - r * np.cos(angle)), round(48 + r * np.sin(angle))] = 255
        image[1] = RNG.integers(0, 256, (96, 96))
    zeros = np.zeros(18, np.int32)
    info = np.stack([zeros, zeros, 2 * steps.astype(np.int32), zeros], 1)
    smallnorb(tmp_path, dat=images, cat=zeros, info=info)
    data = SmallNORB("train", tmp_path, size=96)
    for row, x in zip(data.factors, bytes_of(data, range(18)), strict=True):
        down, right = np.argwhere(x[0]).mean(0) - 48
        turn = np.arctan2(right, -down) / (2 * np.pi) * 18
        assert row[data.space.position("azimuth")] == round(turn) % 18


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"info": np.ones((12, 4), np.int32)}, "odd azimuths"),
        ({"cat": np.zeros(5, np.int32)}, r"categories \(5,\)"),
        ({"cat": b"\0" * 40}, "no matrix of SmallNORB"),
        ({"dat": matrix(np.zeros((12, 2, 96, 96), np.uint8))[:-7]}, "damaged: uint8"),
        ({"dat": struct.pack("<6I", 0x1E3D4C55, 4, 1 << 31, 1 << 31, 1 << 31, 1 << 31)}, "damaged"),
    ],
)
def test_other_matrices_are_refused(tmp_path, changes, message):
    smallnorb(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        SmallNORB("train", tmp_path)


# MNIST


def idx(array):
    return (
        b"\0\0\x08"
        + bytes([array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


def mnist(folder, images, labels, part="train", pack=True):
    stem = "train" if part == "train" else "t10k"
    for kind, axes, array in (("images", 3, images), ("labels", 1, labels)):
        name = f"{stem}-{kind}-idx{axes}-ubyte"
        if pack:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array), 1))
        else:
            (folder / name).write_bytes(idx(array))


@pytest.mark.parametrize("cls", [MNIST, FashionMNIST])
def test_mnist_bit_for_bit(tmp_path, cls):
    images = RNG.integers(0, 256, (30, 28, 28), dtype=np.uint8)
    labels = RNG.integers(0, 10, 30, dtype=np.uint8)
    mnist(tmp_path, images[:20], labels[:20])
    mnist(tmp_path, images[20:], labels[20:], "test", pack=False)
    data = cls("all", tmp_path)
    assert (data.shape, len(data)) == ((1, 28, 28), 30)
    assert (bytes_of(data, range(30))[:, 0] == images).all()
    assert (data.factors[:, 0] == labels).all()
    assert (cls("test", tmp_path).factors[:, 0] == labels[20:]).all()
    with pytest.raises(ValueError, match="part is 'dev'"):
        cls("dev", tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(labels[:5]))
    with pytest.raises(ValueError, match="the test part has images"):
        cls("test", tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(b"text")
    with pytest.raises(ValueError, match="no IDX file"):
        cls("test", tmp_path)


def test_digits_look_like_their_labels(tmp_path, shared):
    with np.load(shared / "data" / "mnist_t10k.npz") as z:
        images, labels = (z[k] for k in sorted(z.files, key=lambda k: -z[k].ndim)[:2])
    mnist(tmp_path, images.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.uint8), "test")
    data = MNIST("test", tmp_path)
    x, y = data.observations(range(4000)).flatten(1).numpy(), data.factors[:4000, 0]
    means = np.stack([x[:2000][y[:2000] == digit].mean(0) for digit in range(10)])
    nearest = ((x[2000:, None] - means) ** 2).sum(-1).argmin(1)
    assert (nearest == y[2000:]).mean() > 0.7


# CelebA


def celeba(folder, images, zipped):
    names = [f"{i:06d}.jpg" for i in range(1, len(images) + 1)]
    contents = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG")
        contents.append(file.getvalue())
    if zipped:
        with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
            for name, content in zip(names, contents, strict=True):
                archive.writestr(f"img_align_celeba/{name}", content)
    else:
        (folder / "img_align_celeba").mkdir()
        for name, content in zip(names, contents, strict=True):
            (folder / "img_align_celeba" / name).write_bytes(content)
    attributes = RNG.choice([-1, 1], (len(names), 3))
    lines = [
        f"{n} " + " ".join(f"{v:2d}" for v in row) for n, row in zip(names, attributes, strict=True)
    ]
    (folder / "list_attr_celeba.txt").write_text(
        f"{len(names)}\nBald Male Smiling \n" + "\n".join(lines) + "\n"
    )
    people = [3, 1, 3, 2, 1, 4]
    identities = [f"{n} {p}" for n, p in zip(names, people, strict=True)][::-1]
    (folder / "identity_CelebA.txt").write_text("\n".join(identities))
    parts = [0, 0, 0, 1, 2, 2]
    partition = [f"{n} {p}" for n, p in zip(names, parts, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(partition) + "\n")
    decoded = [np.asarray(Image.open(io.BytesIO(content))) for content in contents]
    return attributes, people, decoded


@pytest.mark.parametrize("zipped", [True, False])
def test_celeba_bit_for_bit(tmp_path, zipped):
    images = RNG.integers(0, 256, (6, 218, 178, 3), dtype=np.uint8)
    attributes, people, decoded = celeba(tmp_path, images, zipped)
    data = CelebA(tmp_path, "all")
    assert data.space.names == ("Bald", "Male", "Smiling", "identity")
    assert data.space.sizes == (2, 2, 2, 4)
    assert (data.factors[:, :3] == (attributes == 1)).all()
    assert (data.factors[:, 3] == np.array(people) - 1).all()
    for row in (0, 5):
        square = Image.fromarray(decoded[row][35:183, 15:163])
        small = np.asarray(square.resize((64, 64), Image.Resampling.BILINEAR))
        assert (bytes_of(data, [row])[0].transpose(1, 2, 0) == small).all()
    test = CelebA(tmp_path, "test")
    assert torch.equal(test.observations([0, 1]), data.observations([4, 5]))
    assert (test.factors == data.factors[4:]).all()
    assert len(CelebA(tmp_path)) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list_attr_celeba.txt", "2\nBald Male\n000001.jpg 1 0\n", "line 3 of .* each -1 or 1"),
        ("list_attr_celeba.txt", "9\nBald Male\n000001.jpg 1 -1\n", "says 9 images but lists 1"),
        ("list_attr_celeba.txt", "many", "does not begin with the number"),
        ("identity_CelebA.txt", "000001.jpg 1\n", "no line for 000002.jpg"),
        ("list_eval_partition.txt", "000001.jpg one\n", "line 1 of"),
    ],
)
def test_other_lists_are_refused(tmp_path, name, content, message):
    celeba(tmp_path, np.zeros((6, 218, 178, 3), np.uint8), True)
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        CelebA(tmp_path)


def test_missing_and_damaged_photographs_are_named(tmp_path):
    celeba(tmp_path, np.zeros((6, 218, 178, 3), np.uint8), False)
    (tmp_path / "img_align_celeba" / "000004.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"000004\.jpg of .* cannot be read"):
        CelebA(tmp_path)
    (tmp_path / "img_align_celeba" / "000004.jpg").unlink()
    (tmp_path / "img_align_celeba" / "000004.jpg").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match="leads out of"):
        CelebA(tmp_path)


# Yale B


@pytest.mark.parametrize("zipped", [True, False])
def test_yaleb_bit_for_bit(tmp_path, zipped):
    lights = [(0, 0), (-35, 40), (110, -20)]
    images = {}
    for person in (1, 11):
        for azimuth, elevation in lights[: 3 if person == 1 else 2]:
            name = f"yaleB{person:02d}/yaleB{person:02d}_P00A{azimuth:+04d}E{elevation:+03d}.pgm"
            images[name] = RNG.integers(0, 256, (192, 168), dtype=np.uint8)
    extra = {
        "yaleB01/yaleB01_P00_Ambient.pgm",
        "yaleB01/yaleB01_P00A+020E-10.pgm.bad",
        "yaleB01/info.txt",
    }
    root = tmp_path / "CroppedYale"
    for name in [*images, *extra]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name in images:
            Image.fromarray(images[name]).save(root / name)
        else:
            (root / name).write_bytes(b"not read")
    place = root
    if zipped:
        place = tmp_path / "CroppedYale.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for name in [*images, *extra]:
                archive.write(root / name, f"CroppedYale/{name}")
    data = YaleB(place)
    assert (len(data), str(data.space)) == (5, "person 2, azimuth 3, elevation 3")
    assert data.values["azimuth"] == ("-35", "0", "110")
    assert data.values["elevation"] == ("-20", "0", "40")
    rows = [tuple(row) for row in data.factors.tolist()]
    row = rows.index((1, 0, 2))  # person 11, azimuth -35, elevation 40
    face = Image.fromarray(images["yaleB11/yaleB11_P00A-035E+40.pgm"])
    small = np.asarray(face.resize((64, 64), Image.Resampling.LANCZOS))
    assert (bytes_of(data, [row])[0, 0] == small).all()


def test_folders_without_faces_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no image such as yaleB01"):
        YaleB(tmp_path)
    (tmp_path / "file.zip").write_bytes(b"text")
    with pytest.raises(ValueError, match="no archive of Yale B"):
        YaleB(tmp_path / "file.zip")
