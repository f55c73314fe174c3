"""Snapshots of a prior's components through training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..distributions import ClusteredPrior
from ..methods.abilities import HasPrior
from ..methods.method import Loss
from ..reading import expanded, open_npz
from .callbacks import Callback, State
from .files import make_folder, replace_file

__all__ = ["PriorSnapshots", "Snapshots", "read_snapshots"]

_FOLDER = "prior"


@dataclass(frozen=True)
class Snapshots:
    """A prior's components at several steps.

    Attributes:
        step: Moves made of all stages, ``(T,)``.
        loc: Means, ``(T, K, D)``.
        weights: ``(T, K)``; rows sum to one.
    """

    step: np.ndarray
    loc: np.ndarray
    weights: np.ndarray


class PriorSnapshots(Callback):
    """Notes weights and means of a prior's components every ``n`` steps.

    They are written to the run's folder, if it has one, as ``prior/STEP.npz``, and read back with
    `read_snapshots`; a resumed run writes the same files again. They are kept in ``taken``, too.

    Args:
        n: Steps from one snapshot to the next.

    Raises:
        ValueError: if ``n`` is below 1.
        TypeError: at the start of training, if the method's prior has no components.

    Example:
        >>> from untwine import FactorDataset, fit
        >>> from untwine.methods import GaussianMixtureVAE
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> method = GaussianMixtureVAE.build(data, latent_dim=2, components=3, seed=0)
        >>> snapshots = PriorSnapshots(2)
        >>> run = fit(method, data, steps=4, callbacks=[snapshots], progress=False)
        >>> snapshots.taken.step.tolist(), snapshots.taken.loc.shape
        ([0, 2, 4], (3, 3, 2))
    """

    def __init__(self, n: int) -> None:
        if n < 1:
            raise ValueError(f"snapshots are taken every n steps, n at least 1; got n={n}")
        self.n = n
        self._taken: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def taken(self) -> Snapshots:
        """What this process has taken.

        Raises:
            ValueError: if it has taken none.
        """
        return _stacked(self._taken)

    def on_start(self, state: State) -> None:
        """Takes the first one, at the beginning of a run."""
        prior = state.method.prior if isinstance(state.method, HasPrior) else None
        if not isinstance(prior, ClusteredPrior):
            raise TypeError(f"the prior is {prior!r}; snapshots are of one with components")
        if state.position.done == 0:
            self._take(state)

    def on_step(self, state: State, losses: Mapping[str, Loss]) -> None:
        """Takes one at multiples of ``n``."""
        if state.position.done % self.n == 0:
            self._take(state)

    @torch.no_grad()
    def _take(self, state: State) -> None:
        weights, loc = state.method.prior.components()  # type: ignore[operator, union-attr]
        step = state.position.done
        self._taken[step] = loc.float().cpu().numpy().copy(), weights.float().cpu().numpy().copy()
        if state.out is not None and state.fabric.is_global_zero:
            import io

            buffer = io.BytesIO()
            np.savez(buffer, loc=self._taken[step][0], weights=self._taken[step][1])
            folder = state.out / _FOLDER
            make_folder(folder)
            replace_file(folder / f"{step:09d}.npz", buffer.getvalue())


def read_snapshots(path: str | Path) -> Snapshots:
    """The snapshots in a run's folder, in the order of steps.

    Raises:
        ValueError: if there are none, or one is damaged.
    """
    snapshots = {}
    for file in sorted((expanded(path) / _FOLDER).glob("*.npz")):
        if not file.stem.isdecimal():
            raise ValueError(f"{file} is no snapshot: expected the number of a step as its name")
        with open_npz(file) as arrays:
            for name, dimensions in (("loc", 2), ("weights", 1)):
                if name not in arrays or len(arrays.header(name)[0]) != dimensions:
                    raise ValueError(f"{file} is damaged: it has no {name} of {dimensions} axes")
            snapshots[int(file.stem)] = arrays["loc"], arrays["weights"]
    shapes = {(loc.shape, weights.shape) for loc, weights in snapshots.values()}
    if len(shapes) > 1:
        raise ValueError(f"the snapshots in {path} have different shapes: {sorted(shapes)}")
    return _stacked(snapshots)


def _stacked(found: Mapping[int, tuple[np.ndarray, np.ndarray]]) -> Snapshots:
    if not found:
        raise ValueError("there are no snapshots: train with callbacks=[PriorSnapshots(n)]")
    steps = sorted(found)
    return Snapshots(
        np.array(steps),
        np.stack([found[step][0] for step in steps]),
        np.stack([found[step][1] for step in steps]),
    )
