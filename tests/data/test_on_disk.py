"""Data larger than memory: the same rows as in memory, from every format, in any process."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from untwine.data import (
    IID,
    FactorDataset,
    Folder,
    FolderOnDisk,
    Loader,
    Npz,
    OnDisk,
    PairsSampler,
)
from untwine.spec import describe, instantiate

zarr = pytest.importorskip("zarr")
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 8, 10, 3), dtype=np.uint8)
VECTORS = RNG.normal(size=(60, 7)).astype(np.float32)
FACTORS = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), 1)
NAMES = ["a", "b", "c"]
KINDS = ("npy", "h5 in one piece", "h5 in pieces", "zarr group", "zarr array")


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("UNTWINE_DATA", str(tmp_path / "kept"))
    return tmp_path / "kept"


def written(folder, kind, x=IMAGES):
    """A data set of one kind of file, and its path."""
    np.save(folder / "factors.npy", FACTORS)
    if kind == "npy":
        np.save(folder / "x.npy", x)
        return OnDisk(folder / "x.npy", folder / "factors.npy", names=NAMES)
    if kind.startswith("h5"):
        packed = {"compression": "gzip", "chunks": (7, *x.shape[1:])} if "pieces" in kind else {}
        with h5py.File(folder / "x.h5", "w") as file:
            file.create_dataset("images", data=x, **packed)
            file["factors"] = FACTORS
        return OnDisk(folder / "x.h5", names=NAMES)
    if kind == "zarr group":
        group = zarr.open_group(str(folder / "x.zarr"), mode="w")
        for name, array in (("images", x), ("factors", FACTORS)):
            made = group.create_array(
                name, shape=array.shape, chunks=(7, *array.shape[1:]), dtype=array.dtype
            )
            made[:] = array
        return OnDisk(folder / "x.zarr", names=NAMES)
    made = zarr.create_array(
        str(folder / "x.zarr"), shape=x.shape, chunks=(7, *x.shape[1:]), dtype=x.dtype
    )
    made[:] = x
    return OnDisk(folder / "x.zarr", folder / "factors.npy", names=NAMES)


@pytest.mark.parametrize("x", [IMAGES, VECTORS], ids=["images", "vectors"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_of_memory(tmp_path, kind, x):
    data = written(tmp_path, kind, x)
    memory = FactorDataset.from_arrays(x, FACTORS, NAMES)
    assert (data.shape, str(data.space)) == (memory.shape, str(memory.space))
    assert (data.factors == memory.factors).all()
    rows = [59, 0, 7, 7, 6, 33, 0]
    assert torch.equal(data.observations(rows), memory.observations(rows))
    assert data.observations([]).shape == (0, *memory.shape)
    again = instantiate(describe(data), FactorDataset)
    assert torch.equal(again.observations(rows), memory.observations(rows))
    with pytest.raises(IndexError):
        data.observations([60])


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_a_function_of_seed_step_and_rank(tmp_path, kind):
    data = written(tmp_path, kind)
    memory = FactorDataset.from_arrays(IMAGES, FACTORS, NAMES)
    whole = Loader(memory, PairsSampler(1), batch_size=8, seed=4)(11)
    shares = [
        Loader(data, PairsSampler(1), batch_size=8, seed=4, rank=rank, world_size=2)(11)
        for rank in (0, 1)
    ]
    assert torch.equal(torch.cat([share.x0 for share in shares]), whole.x0)
    assert torch.equal(torch.cat([share.x1 for share in shares]), whole.x1)


def in_another_process(data, queue):
    queue.put(Loader(data, IID(), batch_size=4, seed=0)(2).x.numpy())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", ["npy", "h5 in pieces"])
def test_processes_read_for_themselves(tmp_path, kind):
    data = written(tmp_path, kind)
    here = Loader(data, IID(), batch_size=4, seed=0)(2).x
    copy = pickle.loads(pickle.dumps(data))
    assert torch.equal(copy.observations([5]), data.observations([5]))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=in_another_process, args=(data, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    there = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert all((x == here.numpy()).all() for x in there)


def test_a_file_larger_than_memory_opens_and_is_read(tmp_path):
    path = tmp_path / "x.npy"
    shape = (40 << 20, 64, 64)  # 160 GiB that are not there
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        start = file.tell()
        try:
            file.truncate(start + int(np.prod(shape)))
        except OSError:
            pytest.skip("the disk has no sparse files")
        file.seek(start + 4096 * 40_000_000)
        file.write(bytes([255]) * 4096)
    data = OnDisk(path)
    assert len(data) == 40 << 20
    x = data.observations([0, 40_000_000])
    assert (x[0].max(), x[1].min()) == (0, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: np.save(f / "x.npy", np.asfortranarray(VECTORS)), "Fortran's order"),
        (lambda f: np.save(f / "x.npy", np.zeros(5)), "expected numbers: vectors"),
        (lambda f: np.save(f / "x.npy", np.array([[{}]])), "could run code"),
        (lambda f: (f / "x.npy").write_bytes(b"text of some kind"), "neither .npy nor HDF5"),
        (lambda f: (f / "x.npy").mkdir(), "no zarr array, nor a group"),
    ],
)
def test_other_files_are_refused(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(ValueError, match=message):
        OnDisk(tmp_path / "x.npy")


def test_missing_arrays_and_rows_are_named(tmp_path):
    data = written(tmp_path, "h5 in pieces")
    with pytest.raises(ValueError, match=r"no array 'z'; it holds \['factors', 'images'\]"):
        OnDisk(tmp_path / "x.h5", x_key="z")
    with pytest.raises(ValueError, match="factors has"):
        OnDisk(tmp_path / "x.h5", names=["one"])
    wrong = VECTORS.copy()
    wrong[31, 2] = np.nan
    data = written(tmp_path, "npy", wrong)
    assert data.observations([30]).isfinite().all()
    with pytest.raises(ValueError, match=r"row 31 of .* expected finite values"):
        data.observations([30, 31])
    data = written(tmp_path, "npy", IMAGES / 100.0)
    with pytest.raises(ValueError, match=r"expected an image of floats in \[0, 1\]"):
        data.observations(range(9))
    written(tmp_path, "npy", VECTORS)
    data = OnDisk(tmp_path / "x.npy")
    os.truncate(tmp_path / "x.npy", 300)
    with pytest.raises(ValueError, match="ends within row 59"):
        data.observations([0, 59])


def test_zarr_from_strangers_runs_and_reads_nothing_else(tmp_path):
    written(tmp_path, "zarr group")
    described = next((tmp_path / "x.zarr" / "images").glob("zarr.json"))
    content = json.loads(described.read_text())
    content["codecs"].append({"name": "numcodecs.pickle", "configuration": {}})
    described.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"packed with 'numcodecs\.pickle', which is not read"):
        OnDisk(tmp_path / "x.zarr")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    written(tmp_path, "zarr group")
    (tmp_path / "x.zarr" / "images" / "link").symlink_to(secret)
    with pytest.raises(ValueError, match="is a symbolic link"):
        OnDisk(tmp_path / "x.zarr")


# Folders


def folder_of_images(root, n=24, mode="RGB"):
    for i in range(n):
        place = root / f"shape{i % 3}" / f"side{i % 2}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = IMAGES[i] if mode == "RGB" else IMAGES[i, :, :, 0]
        Image.fromarray(pixels).save(place / f"{i:03d}.png")
    return root


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_folder_gives_what_folder_gives(tmp_path, mode):
    root = folder_of_images(tmp_path / "set", mode=mode)
    memory, data = Folder(root), FolderOnDisk(root)
    assert (data.shape, str(data.space)) == (memory.shape, str(memory.space))
    assert data.values == memory.values
    assert (data.factors == memory.factors).all()
    rows = [23, 0, 5, 5]
    assert torch.equal(data.observations(rows), memory.observations(rows))
    scaled = FolderOnDisk(root, size=6, names=["shape", "side"])
    assert torch.equal(scaled.observations(rows), Folder(root, size=6).observations(rows))
    again = instantiate(describe(scaled), FactorDataset)
    assert torch.equal(again.observations([3]), scaled.observations([3]))


def test_the_list_of_files_is_kept_until_a_folder_changes(tmp_path, kept, monkeypatch):
    from untwine.data import folder_on_disk

    root = folder_of_images(tmp_path / "set")
    walks = []
    walk = folder_on_disk._walk
    monkeypatch.setattr(folder_on_disk, "_walk", lambda root: walks.append(1) or walk(root))
    assert len(FolderOnDisk(root)) == 24
    assert len(FolderOnDisk(root)) == 24
    assert len(walks) == 1
    Image.fromarray(IMAGES[0]).save(root / "shape0" / "side0" / "new.png")
    assert len(FolderOnDisk(root)) == 25
    (root / "shape0" / "side0" / "new.png").unlink()
    assert len(FolderOnDisk(root)) == 24
    next((kept / "indexes").iterdir()).write_bytes(b"damaged")
    assert len(FolderOnDisk(root)) == 24
    assert len(walks) == 4


def test_images_of_a_folder_that_do_not_fit_are_named(tmp_path):
    root = folder_of_images(tmp_path / "set")
    Image.fromarray(IMAGES[0, :4]).save(root / "shape0" / "side0" / "other.png")
    data = FolderOnDisk(root)
    with pytest.raises(ValueError, match=r"other\.png has 4 x 10 pixels .*: pass size="):
        data.observations(range(25))
    (root / "shape0" / "side0" / "other.png").unlink()
    (root / "shape1" / "side1" / "away.png").symlink_to(tmp_path / "kept")
    outside = tmp_path / "outside.png"
    Image.fromarray(IMAGES[1]).save(outside)
    (root / "shape1" / "side1" / "away.png").unlink()
    (root / "shape1" / "side1" / "away.png").symlink_to(outside)
    with pytest.raises(ValueError, match="leads out of"):
        FolderOnDisk(root).observations(range(25))
    Image.fromarray(IMAGES[1]).save(root / "top.png")
    with pytest.raises(ValueError, match="each level is a factor"):
        FolderOnDisk(root)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        FolderOnDisk(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="there are no images"):
        FolderOnDisk(tmp_path / "empty")


def test_npz_says_the_same(tmp_path):
    np.savez(tmp_path / "x.npz", images=IMAGES, factors=FACTORS)
    data = written(tmp_path, "npy")
    assert torch.equal(Npz(tmp_path / "x.npz").observations([3]), data.observations([3]))


def test_digests_of_large_data_read_pieces(tmp_path, monkeypatch):
    from untwine.data import digests

    data = written(tmp_path, "npy")
    whole = digests.file_digests(data)[str(tmp_path / "x.npy")]
    monkeypatch.setattr(digests, "_LARGE", 1000)
    pieces = digests.file_digests(data)[str(tmp_path / "x.npy")]
    assert (pieces["bytes"], whole.keys()) == (whole["bytes"], {"bytes", "sha256"})
    assert pieces["sha256"] != whole["sha256"]
    assert digests.changed_files(data, {str(tmp_path / "x.npy"): pieces}) == []
    root = folder_of_images(tmp_path / "set")
    monkeypatch.setattr(digests, "_MANY", 10)
    monkeypatch.setattr(digests, "_PIECES", 3)
    before = digests.file_digests(FolderOnDisk(root))
    Image.fromarray(IMAGES[1]).save(root / "shape0" / "side0" / "000.png")
    assert digests.file_digests(FolderOnDisk(root)) != before
