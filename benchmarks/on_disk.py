"""Data larger than memory: training from a file of 40 GB, and opening a folder of 200,000 images.

    python benchmarks/on_disk.py --work FOLDER

The file is sparse (all of its images are black), so that it takes no room; steps from it and from
an array in memory take turns, and each kind's median counts. The folder's images are 8 x 8, in 200
subfolders. What was made in FOLDER is deleted.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from common import RESULTS, parser, table
from PIL import Image

import untwine as ut
from untwine import methods, nets

ROWS = 3_300_000  # of 12,288 bytes: 40.6 GB


def resident() -> float:
    """Memory of this process, in GB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def sparse(path: Path) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (ROWS, 64, 64, 3)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + ROWS * 64 * 64 * 3)


def steps(data: ut.FactorDataset, seed: int, count: int) -> list[float]:
    """Seconds of CPU of reading a batch and of a step of a small VAE, one after another."""
    method = methods.VAE.build(data, latent_dim=10, net=nets.Conv(8, hidden=(128,)), seed=0)
    loader = ut.data.Loader(data, ut.data.IID(), batch_size=64, seed=seed)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3)
    context = methods.Context(torch.tensor(0), len(data))
    seconds = []
    for step in range(count):
        start = time.process_time()
        for move in method.moves(loader(step), context):
            for loss in move.values():
                optimizer.zero_grad()
                loss.total.backward()
                optimizer.step()
        seconds.append(time.process_time() - start)
    return seconds


def folder(root: Path) -> tuple[float, float]:
    """Seconds on the clock to open 200,000 images for the first time, and the second."""
    for i in range(200):
        place = root / f"{i:03d}"
        place.mkdir(parents=True)
        first = place / "0000.png"
        Image.new("L", (8, 8), i).save(first)
        content = first.read_bytes()
        for j in range(1, 1000):
            (place / f"{j:04d}.png").write_bytes(content)
    times = []
    for _ in range(2):
        start = time.perf_counter()
        data = ut.data.FolderOnDisk(root)
        times.append(time.perf_counter() - start)
    assert len(data) == 200_000
    assert round(255 * data.observations([199_999]).max().item()) == 199
    return times[0], times[1]


def main() -> None:
    options = parser(__doc__ or "", work=Path("on_disk"), out=RESULTS / "on_disk.md")
    arguments = options.parse_args()
    torch.set_num_threads(1)
    work: Path = arguments.work
    work.mkdir(parents=True)
    os.environ["UNTWINE_DATA"] = str(work / "kept")
    try:
        sparse(work / "x.npy")
        disk = ut.data.OnDisk(work / "x.npy")
        rounds = [steps(disk, seed, 16) for seed in range(1)]
        peak = resident()
        memory = ut.FactorDataset.from_arrays(np.zeros((20_000, 64, 64, 3), np.uint8))
        others = []
        for seed in range(2, 5):
            rounds.append(steps(disk, seed, 16))
            others.append(steps(memory, seed, 16))
        from_disk = np.median(np.concatenate([r[4:] for r in rounds[1:]]))
        from_memory = np.median(np.concatenate([r[4:] for r in others]))
        first, second = folder(work / "images")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    rows = [
        ["a step from 20,000 images in memory, CPU", f"{1e3 * from_memory:.1f} ms"],
        ["a step from the file of 40.6 GB, CPU", f"{1e3 * from_disk:.1f} ms"],
        ["ratio", f"{from_disk / from_memory:.3f}"],
        ["memory of the process that trains from the file", f"{peak:.2f} GB"],
        ["200,000 images, opened for the first time", f"{first:.1f} s"],
        ["opened again", f"{second:.1f} s"],
    ]
    lines = [
        "# Data larger than memory",
        "",
        "`python benchmarks/on_disk.py --work FOLDER`: a small VAE, batches of 64 images of",
        "3 x 64 x 64, one thread; the file is sparse, the images of the folder are 8 x 8.",
        "",
        *table(["what", "takes"], rows),
    ]
    arguments.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
