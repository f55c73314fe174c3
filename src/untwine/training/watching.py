"""Codes and traversals through training: which dimensions are used, and when one falls silent."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import FactorDataset, Loader, Subset
from ..encoding import Codes, batch_of, evaluating, posterior_of
from ..methods.abilities import Decodes
from ..methods.method import Loss
from ..metrics import dimension_kl
from ..reading import expanded, open_npz, parse_json, read_text
from .callbacks import Callback, State
from .files import explained, replace_file

__all__ = ["RateWatch", "TraversalFrames", "read_frames", "read_rates"]

_RATES, _FRAMES = "rates.jsonl", "traversals"
_SILENT, _ALIVE = 0.01, 0.1  # nats
_SIDE = 64


class RateWatch(Callback):
    r"""Notes :math:`D_{KL}(q(z_j|x) \,\|\, p(z_j))` of each dimension every ``n`` steps.

    Written to the run's folder, if it has one, as ``rates.jsonl``; read back with `read_rates`. A
    resumed run drops what it will note again. Warns once of a collapse: when every dimension is
    below 0.01 nats, and when one that had 0.1 falls below.

    Args:
        n: Steps from one note to the next.
        rows: Observations, the same ones each time.
        grace: Steps during which silence is no collapse; ten notes by default.
        seed: Of the choice of observations.

    Raises:
        ValueError: if ``n`` or ``rows`` is below 1.
        TypeError: at the start of training, for data that cannot be encoded by rows, or codes
            without a Gaussian posterior and a standard normal prior.

    Warns:
        UserWarning: of a collapse, with what to try.

    Example:
        >>> from untwine import FactorDataset, fit
        >>> from untwine.methods import VAE
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> watch = RateWatch(2, rows=50)
        >>> run = fit(VAE.build(data, 2, seed=0), data, steps=4, callbacks=[watch], progress=False)
        >>> sorted(watch.noted), watch.noted[4].shape
        ([0, 2, 4], (2,))
    """

    def __init__(self, n: int, *, rows: int = 512, grace: int | None = None, seed: int = 0) -> None:
        if n < 1 or rows < 1:
            raise ValueError(f"n and rows are at least 1; got n={n}, rows={rows}")
        self.n, self.rows, self.seed = n, rows, seed
        self.grace = 10 * n if grace is None else grace
        self.noted: dict[int, np.ndarray] = {}
        self._warned: set[int | None] = set()

    def on_start(self, state: State) -> None:
        """Checks that there is something to note, and takes up what was noted before."""
        data = _data(state)
        if state.out is not None and (state.out / _RATES).exists():
            before = read_rates(state.out)
            self.noted = {s: kl for s, kl in before.items() if s <= state.position.done}
        index = np.random.default_rng(self.seed).permutation(len(data))[: self.rows]
        self._index = np.sort(index)
        self._note(state)

    def on_step(self, state: State, losses: Mapping[str, Loss]) -> None:
        """Notes at multiples of ``n``."""
        if state.position.done % self.n == 0:
            self._note(state)

    @torch.no_grad()
    def _note(self, state: State) -> None:
        data, step = _data(state), state.position.done
        if step not in self.noted:
            codes = Codes.of(state.method, Subset(data, self._index), progress=False)
            if codes.stddev is None or codes.facts is None or not codes.facts.standard_normal_prior:
                raise TypeError(
                    f"codes are {codes!r}; rates are of a Gaussian posterior and a standard "
                    "normal prior"
                )
            self.noted[step] = dimension_kl(codes.mean, codes.stddev).parts["kl"]
        self._write(state)
        if step >= self.grace:
            self._look(step)

    def _write(self, state: State) -> None:
        if state.out is None or not state.fabric.is_global_zero:
            return
        lines = (json.dumps({"step": s, "kl": [round(float(v), 6) for v in self.noted[s]]})
                 for s in sorted(self.noted))  # fmt: skip
        replace_file(state.out / _RATES, ("\n".join(lines) + "\n").encode())

    def _look(self, step: int) -> None:
        now = self.noted[step]
        highest = np.max([kl for s, kl in self.noted.items() if s <= step], axis=0)
        lost = np.flatnonzero((now < _SILENT) & (highest >= _ALIVE))
        if (now < _SILENT).all() and None not in self._warned:
            self._warned.add(None)
            warnings.warn(
                f"posterior collapse: at step {step} every dimension carries less than {_SILENT} "
                "nats about the observation. Try a smaller weight of the divergence, or let it "
                "grow: beta: Linear, from 0 to its end over the first steps",
                stacklevel=2,
            )
        fresh = [int(j) for j in lost if int(j) not in self._warned]
        if fresh and None not in self._warned:
            self._warned |= set(fresh)
            names = ", ".join(f"z{j}" for j in fresh)
            warnings.warn(
                f"at step {step} {names} fell below {_SILENT} nats after carrying {_ALIVE} or "
                "more: the weight of the divergence costs dimensions",
                stacklevel=2,
            )


class TraversalFrames(Callback):
    """Keeps what each dimension moves every ``n`` steps: frames of a film of the training.

    One observation is encoded, one dimension after the other is moved from -2 to 2, and what is
    decoded is kept in the run's folder as ``traversals/STEP.npz``; the report shows the film, and
    `read_frames` reads it back.

    Args:
        n: Steps from one frame to the next.
        row: Which observation to begin with.
        positions: Pictures in a row.

    Raises:
        ValueError: if ``n`` is below 1, or there are fewer than two positions.
        TypeError: at the start of training, if the method does not decode, or what it decodes is no
            picture.

    Example:
        >>> frames = TraversalFrames(500, positions=7)
    """

    def __init__(self, n: int, *, row: int = 0, positions: int = 7) -> None:
        if n < 1 or positions < 2:
            raise ValueError(f"n is at least 1 and positions 2; got n={n}, positions={positions}")
        self.n, self.row, self.positions = n, row, positions
        self.taken: dict[int, np.ndarray] = {}

    def on_start(self, state: State) -> None:
        """Takes the first frame, at the beginning of a run."""
        shape = _data(state).shape
        if not isinstance(state.method, Decodes) or not (
            isinstance(shape, tuple) and len(shape) == 3 and shape[0] in (1, 3)
        ):
            raise TypeError(
                f"method is a {type(state.method).__name__}, on observations of shape {shape}; "
                "traversals are of a method that decodes, and of pictures of 1 or 3 channels"
            )
        if state.position.done == 0:
            self._take(state)

    def on_step(self, state: State, losses: Mapping[str, Loss]) -> None:
        """Takes one at multiples of ``n``."""
        if state.position.done % self.n == 0:
            self._take(state)

    @torch.no_grad()
    def _take(self, state: State) -> None:
        data, step = _data(state), state.position.done
        method: Any = state.method
        with evaluating(method):
            batch = batch_of(method, data, [self.row])
            z = posterior_of(method, data, [self.row]).mean
            at = torch.linspace(-2, 2, self.positions).to(z)
            codes = z.repeat(z.shape[1] * self.positions, 1)
            for j in range(z.shape[1]):
                codes[j * self.positions : (j + 1) * self.positions, j] = at
            c = None if batch.c is None else batch.c.repeat(len(codes), 1)
            decoded = method.decode(codes, c=c).mean
        pictures = _small(decoded).reshape(z.shape[1], self.positions, *_small(decoded).shape[1:])
        self.taken[step] = (pictures.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
        if state.out is not None and state.fabric.is_global_zero:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, frames=self.taken[step])
            with explained(state.out / _FRAMES):
                (state.out / _FRAMES).mkdir(exist_ok=True)
            replace_file(state.out / _FRAMES / f"{step:09d}.npz", buffer.getvalue())


def read_rates(path: str | Path) -> dict[int, np.ndarray]:
    """What `RateWatch` noted in a run's folder: by step, nats of each dimension.

    Raises:
        ValueError: if there is nothing, or the file is damaged.
    """
    file = expanded(path) / _RATES
    if not file.exists():
        raise ValueError(f"there is no {file}: train with callbacks=[RateWatch(n)]")
    noted: dict[int, np.ndarray] = {}
    for number, line in enumerate(read_text(file).splitlines(), 1):
        row = parse_json(line)
        fits = isinstance(row, dict) and type(row.get("step")) is int and row.get("kl")
        if not fits or not all(type(v) in (int, float) for v in row["kl"]):
            raise ValueError(f"line {number} of {file} is damaged: delete that line")
        noted[row["step"]] = np.array(row["kl"], np.float64)
    if len({len(kl) for kl in noted.values()}) > 1:
        raise ValueError(f"{file} is damaged: its lines have different numbers of dimensions")
    return noted


def read_frames(path: str | Path) -> dict[int, np.ndarray]:
    """The frames in a run's folder by step: uint8 of ``(D, positions, C, H, W)``.

    Raises:
        ValueError: if there are none, or one is damaged.
    """
    frames = {}
    for file in sorted((expanded(path) / _FRAMES).glob("*.npz")):
        if not file.stem.isdecimal():
            raise ValueError(f"{file} is no frame: expected the number of a step as its name")
        with open_npz(file) as arrays:
            if "frames" not in arrays or len(arrays.header("frames")[0]) != 5:
                raise ValueError(f"{file} is damaged: it has no frames of 5 axes")
            frames[int(file.stem)] = np.asarray(arrays["frames"]).astype(np.uint8)
    if not frames or len({f.shape for f in frames.values()}) > 1:
        raise ValueError(f"there are no frames of one shape in {path}: train with "
                         "callbacks=[TraversalFrames(n)]")  # fmt: skip
    return frames


def _data(state: State) -> FactorDataset:
    """The data set of the loader."""
    loader = state.loader
    if not isinstance(loader, Loader) or not isinstance(loader.data, FactorDataset):
        raise TypeError(
            f"this callback encodes rows of a FactorDataset, but training draws from a "
            f"{type(loader).__name__}: give fit the data set itself"
        )
    return loader.data


def _small(pictures: Tensor) -> Tensor:
    """Pictures of at most 64 pixels on a side."""
    side = max(pictures.shape[-2:])
    if side <= _SIDE:
        return pictures
    scale = _SIDE / side
    return torch.nn.functional.interpolate(pictures, scale_factor=scale, mode="area")
