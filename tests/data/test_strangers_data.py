"""Files of data from others: nothing outside is read, nothing hangs, nothing is believed."""

from __future__ import annotations

import io
import os
import socket
import struct
import zipfile
import zlib
from contextlib import suppress

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from untwine.data import H5, H5AD, DSprites, FactorDataset, Folder, LPCSprites, Npz, OnBackground
from untwine.reading import check_npy, expanded, memory_limit, open_picture

SECRET = np.arange(400, dtype=np.uint8).reshape(10, 40)
X = np.random.default_rng(0).random((10, 4), np.float32)


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.bin"
    path.write_bytes(SECRET.tobytes())
    return path


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "received"
    folder.mkdir()
    return folder


def external_storage(path, secret):
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "x", (10, 40), np.uint8, external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
        )


def virtual(path, secret):
    with h5py.File(secret.with_suffix(".h5"), "w") as file:
        file["x"] = SECRET
    layout = h5py.VirtualLayout((10, 40), np.uint8)
    layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "x", (10, 40))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("x", layout)


def external_link(path, secret):
    with h5py.File(secret.with_suffix(".h5"), "w") as file:
        file["x"] = SECRET
    with h5py.File(path, "w") as file:
        file["images"] = SECRET
        file["group/more/x"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/x")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (external_storage, "x of .* is stored in other files"),
        (virtual, "x of .* is a virtual array of .*secret.h5"),
        (external_link, "group/more/x of .* is a link to another file .*secret.h5"),
    ],
)
@pytest.mark.parametrize("read", [H5, H5AD])
def test_hdf5_that_reads_other_files_is_refused_by_name(here, secret, make, said, read):
    make(here / "set.h5ad", secret)
    with pytest.raises(ValueError, match=said):
        read(here / "set.h5ad")


def test_links_within_a_file_are_followed(here):
    with h5py.File(here / "set.h5", "w") as file:
        file["group/data"] = X
        file["x"] = h5py.SoftLink("/group/data")
        file["group/up"] = file["group"]  # a cycle
        file["lost"] = h5py.SoftLink("/nowhere")
    assert len(H5(here / "set.h5", x_key="group/data")) == 10


def test_hdf5_that_declares_terabytes_is_refused(here):
    with h5py.File(here / "set.h5", "w") as file:
        file.create_dataset("x", (1 << 30, 1 << 14), np.float64, chunks=(1, 1 << 14))
    with pytest.raises(ValueError, match=r"x of .* takes 131,072 GiB, more than"):
        H5(here / "set.h5")


@pytest.mark.parametrize(
    "content", [b"", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + b"\xff" * 99]
)
def test_damaged_hdf5_is_named(here, content):
    (here / "set.h5").write_bytes(content)
    with pytest.raises(ValueError, match=r"set\.h5 is no HDF5 file, or is damaged"):
        H5(here / "set.h5")


def header(shape, descr="'<f8'", version=1):
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text) + 1)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + b"\n"


BOMBS = {
    "terabytes": (header((1 << 20, 1 << 20)), "takes 8,192 GiB, more than"),
    "more than there is": (header((1000, 1000)) + b"\0" * 100, "takes 8,000,000 bytes, but"),
    "negative": (header((-1, 5)) + b"\0" * 100, "shape"),
    "nothing each": (header((1 << 60,), "'<U0'"), "more than"),
    "no header": (b"\x93NUMPY\x01\x00\xff\xff{", ""),
    "deep header": (header("(" * 300 + ")" * 300), ""),
    "code": (header("__import__('os')"), ""),
    "empty": (b"", ""),
}


@pytest.mark.parametrize("name", BOMBS)
def test_arrays_that_declare_more_than_they_hold(here, name):
    content, said = BOMBS[name]
    with zipfile.ZipFile(here / "set.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", content)
    with pytest.raises(ValueError, match=rf"the array 'x' of .*set\.npz.*{said}"):
        Npz(here / "set.npz")
    (here / "x.npy").write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\.npy.*{said}"):
        check_npy(here / "x.npy")


def test_an_array_that_is_whole_passes(here):
    np.save(here / "x.npy", X)
    assert check_npy(here / "x.npy") == here / "x.npy"


def test_a_size_that_lies_is_found_out(here):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", header((1000, 1000)) + b"\0" * 100)
    content = buffer.getvalue()
    real = len(header((1000, 1000))) + 100
    lie = content.replace(struct.pack("<I", real), struct.pack("<I", 9_000_000))
    (here / "set.npz").write_bytes(lie)
    with pytest.raises(ValueError, match=r"the array 'x' of .*cannot be read"):
        Npz(here / "set.npz")


@pytest.mark.parametrize("where", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_archives_are_named(here, where, save):
    save(here / "set.npz", x=X, factors=np.arange(10))
    content = bytearray((here / "set.npz").read_bytes())
    place = int(len(content) * where)
    (here / "set.npz").write_bytes(content[:place])
    with pytest.raises(ValueError, match=r"set\.npz is no \.npz archive"):
        Npz(here / "set.npz")
    content[place] ^= 0xFF
    (here / "set.npz").write_bytes(content)
    with suppress(ValueError):  # a bit may be of no consequence
        Npz(here / "set.npz")


def make_fifo(path):
    os.mkfifo(path)


def make_socket(path):
    folder = os.getcwd()
    os.chdir(path.parent)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(folder)


def make_device(path):
    path.symlink_to("/dev/zero")


SPECIAL = {make_fifo: "a pipe", make_socket: "a socket", make_device: "a device"}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are POSIX's")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", SPECIAL)
def test_what_is_no_regular_file_is_refused_at_once(here, make):
    said = f"is {SPECIAL[make]}; expected a regular file|leads out of"
    for name, read in (
        ("s.npz", Npz),
        ("s.h5", H5),
        ("s.h5ad", H5AD),
        ("d.npz", DSprites),
        ("l.npz", LPCSprites),
        ("b.png", lambda path: OnBackground(DSprites(), path)[0]),
    ):
        make(here / name)
        with pytest.raises(ValueError, match=rf"{name[0]}\.{name[2:]} .*{said}|{said}"):
            read(here / name)
        (here / name).unlink()
    Image.new("L", (8, 8)).save(here / "0.png")
    make(here / "9.png")
    with pytest.raises(ValueError, match=rf"9\.png ({said})"):
        Folder(here)
    (here / "9.png").unlink()
    make(here / "t.csv")
    with pytest.raises(ValueError, match=rf"t\.csv ({said})"):
        Folder(here, csv="t.csv")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"


def png(width, height, *chunks):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + b"".join(chunk(*c) for c in chunks)


PICTURES = {
    "PostScript": EPS,
    "a bomb": png(60_000, 60_000, (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")),
    "a bomb of text": png(
        8, 8, (b"zTXt", b"a\0\0" + zlib.compress(b"\0" * (1 << 26))), (b"IEND", b"")
    ),
    "no pixels": png(0, 0, (b"IEND", b"")),
    "half": png(8, 8),
    "nothing": b"",
    "a page": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "an icon": b"\0\0\1\0",
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_that_are_none_are_refused_by_name(here, name):
    Image.new("L", (8, 8)).save(here / "0.png")
    (here / "9.png").write_bytes(PICTURES[name])
    with pytest.raises(ValueError, match=r"9\.png cannot be read as an image"):
        Folder(here)


def test_only_listed_formats_are_tried(here):
    for name in ("a.png", "a.jpg", "a.bmp", "a.gif", "a.webp", "a.tif", "a.ppm"):
        Image.new("RGB", (8, 8)).save(here / name)
        with open_picture(here / name) as image:
            assert image.size == (8, 8)
    Image.new("RGB", (8, 8)).save(here / "a.ico")
    with (
        pytest.raises(ValueError, match="cannot be read as an image"),
        open_picture(here / "a.ico"),
    ):
        pass


def test_images_outside_of_the_folder_are_refused_unless_asked_for(here, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "private.png")
    Image.new("L", (8, 8)).save(here / "0.png")
    (here / "1.png").symlink_to(tmp_path / "private.png")
    with pytest.raises(ValueError, match=r"1\.png leads out of .*private\.png.*outside=True"):
        Folder(here)
    assert len(Folder(here, outside=True)) == 2
    (here / "1.png").unlink()
    for path in ("../private.png", tmp_path / "private.png"):
        (here / "t.csv").write_text(f"file,kind\n0.png,0\n{path},1\n")
        with pytest.raises(ValueError, match=r"private\.png leads out of"):
            Folder(here, csv="t.csv")
        assert len(Folder(here, csv="t.csv", outside=True)) == 2
    (tmp_path / "t.csv").write_text("file,kind\n0.png,0\n")
    (here / "t.csv").unlink()
    (here / "t.csv").symlink_to(tmp_path / "t.csv")
    with pytest.raises(ValueError, match=r"t\.csv leads out of"):
        Folder(here, csv="t.csv")
    assert len(Folder(here, csv=tmp_path / "t.csv")) == 1
    (here / "8.png").symlink_to(here / "9.png")
    (here / "9.png").symlink_to(here / "8.png")
    with pytest.raises(ValueError, match=r"[89]\.png"):
        Folder(here)


def test_links_within_the_folder_are_followed(here):
    Image.new("L", (8, 8)).save(here / "0.png")
    (here / "1.png").symlink_to("0.png")
    (here / "d.png").mkdir()
    assert len(Folder(here)) == 2


TABLES = {
    "": "has the columns",
    "kind\n1\n": "one of them must name the images",
    "file,kind\n": "a header but no rows",
    "file,kind\n0.png\n": "row 1 of .* has 1 cells; expected 2",
    "file,kind\nnowhere.png,1\n": "which is not there",
    "file,kind,kind\n0.png,1,2\n": "two columns of .* are named 'kind'",
    "file,kind\n0.png,inf\n": "'kind' is infinite",
    "file,kind\n0.png,-7\n": "'kind' is -7",
    "file,kind\n0\0.png,1\n": "not there|no table",
    'file,kind\n0.png,"' + "a" * 200_000 + '"\n': "no table of comma-separated values",
}


@pytest.mark.parametrize("text", TABLES)
def test_tables_that_make_no_sense(here, text):
    Image.new("L", (8, 8)).save(here / "0.png")
    (here / "t.csv").write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=TABLES[text]):
        Folder(here, csv="t.csv")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_tables_in_other_encodings_are_named(here, encoding):
    Image.new("L", (8, 8)).save(here / "0.png")
    (here / "t.csv").write_bytes("file,größe\n0.png,1\n".encode(encoding))
    with pytest.raises(ValueError, match=r"t\.csv is not in UTF-8"):
        Folder(here, csv="t.csv")
    (here / "t.csv").write_bytes("file,größe\n0.png,1\n".encode("utf-8-sig"))
    assert Folder(here, csv="t.csv").space.names == ("größe",)


def test_names_in_other_encodings_are_named(here):
    with h5py.File(here / "set.h5", "w") as file:
        file["x"], file["factors"] = X, np.zeros((10, 1), int)
        file["names"] = np.array(["größe".encode("latin-1")])
    with pytest.raises(ValueError, match=r"the text b'gr\\xf6\\xdfe' is not in UTF-8"):
        H5(here / "set.h5")


def test_images_that_fill_memory_are_refused_before_they_are_read(here):
    Image.new("L", (8, 8)).save(here / "0.png")
    side = int(memory_limit() ** 0.5) + 1
    with pytest.raises(ValueError, match=r"the 1 images of .* take .* GiB, more than"):
        Folder(here, size=side)
    for size in (0, -3, (8, 0)):
        with pytest.raises(ValueError, match="expected at least 1 pixel"):
            Folder(here, size=size)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"x": X.astype(np.float64) * 1e300}, "single precision, which ends at 3.4e"),
        ({"x": X, "covariates": np.full(10, -1e39)}, "covariates has values that are nan or inf"),
        (
            {"x": X, "factors": pd.DataFrame(np.zeros((10, 2), int), columns=["a", "a"])},
            "two factors are named 'a'",
        ),
        ({"x": X, "factors": {"a": np.zeros(10, int)}, "names": ["a", "b"]}, "names has 2"),
        ({"x": X, "factors": np.full(10, 2**63, np.uint64)}, "'label'"),
        ({"x": X, "factors": np.full(10, 1e30)}, "'label'"),
        ({"x": X, "factors": np.zeros(10, int), "sizes": [-4]}, "size -4"),
    ],
)
def test_values_that_do_not_fit_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        FactorDataset.from_arrays(**arguments)


def test_columns_named_twice_are_refused(here):
    np.savez(here / "set.npz", x=X, a=np.zeros(10, int))
    with pytest.raises(ValueError, match="factors_key names 'a' twice"):
        Npz(here / "set.npz", factors_key=["a", "a"])


def test_homes_that_are_not_there_are_named():
    with pytest.raises(ValueError, match="'~nosuchuser/x' begins with the home of a user"):
        expanded("~nosuchuser/x")
    with pytest.raises(ValueError, match="null character"):
        Npz("a\0b")
    with pytest.raises(ValueError, match="~nosuchuser"):
        Folder("~nosuchuser")
