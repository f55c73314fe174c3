"""Edits of codes: one factor's value is set, and what that does to every factor is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .choice import Control
from .coding import Coder
from .edited import compared
from .factors import FactorScale, named
from .probe import Probe
from .steering import Lever

__all__ = ["Moves", "edit_effects", "taken_over"]

_DRAWN = 500  # resamples of the effects


@dataclass(frozen=True, repr=False)
class Moves:
    """Factors, what each is moved by in a code, and codes moved by that.

    Attributes:
        coder: Of the method.
        controls: One for each factor that is known and varies.
        levers: How codes are moved, one for each; ``None`` where nothing follows the factor.
        scales: The factors' values.
        probe: What reads images; ``None`` if there is none.
    """

    coder: Coder
    controls: tuple[Control, ...]
    levers: tuple[Lever | None, ...]
    scales: tuple[FactorScale, ...]
    probe: Probe | None = None

    def __getitem__(self, factor: str) -> Control:
        """The control of a factor.

        Raises:
            ValueError: if there is none, with the nearest name.
        """
        return self.controls[named(self.scales, factor)]

    def moved(self, z: Tensor, factor: str, values: np.ndarray) -> Tensor:
        """Codes with other values of a factor; as they were where nothing follows it.

        Args:
            z: ``(B, D)``.
            factor: Its name.
            values: Numbers of the factor, ``(B,)``.
        """
        k = named(self.scales, factor)
        lever = self.levers[k]
        return z if lever is None else _moved(self.coder, self.controls[k], lever, z, values)


def _moved(coder: Coder, control: Control, lever: Lever, z: Tensor, values: np.ndarray) -> Tensor:
    """Codes with other values of a factor.

    Args:
        coder: Of the method.
        control: Of the factor; where it is a one-hot part, that becomes the likeliest class.
        lever: Of the factor.
        z: ``(B, D)``.
        values: Numbers of the factor, ``(B,)``.
    """
    part = next((p for p in coder.parts if p.columns == control.columns), None)
    if part is not None and part.kind == "classes" and control.kind == "part":
        columns = list(part.columns)
        share = torch.from_numpy(lever.curve.at(values)[:, columns])
        code = z.clone()
        code[:, columns] = torch.nn.functional.one_hot(share.argmax(1), len(columns)).to(z)
        return code
    code = torch.from_numpy(lever.moved(_numpy(z), values)).to(z)
    return coder.valid(code) if control.kind != "dimension" else code


def taken_over(coder: Coder, lever: Lever, z: Tensor, donors: Tensor) -> Tensor:
    """Codes ``(B, D)`` that read as those of donors do, of one factor."""
    return coder.valid(torch.from_numpy(lever.like(_numpy(z), _numpy(donors))).to(z))


def edit_effects(
    moves: Moves, z: Tensor, c: Tensor | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What an edit of each factor does to each, see `Controls`, and both ends of its intervals.

    Args:
        moves: With a probe.
        z: Codes that are edited, ``(N, D)``.
        c: Their covariates.
        rng: Draws wanted values and resamples.
    """
    probe, coder, scales = moves.probe, moves.coder, moves.scales
    assert probe is not None
    n, count = len(z), len(scales)
    before = compared(probe, scales, coder.decode(z, c))
    draws = rng.integers(0, n, (_DRAWN, n))
    shuffled = rng.permutation(n)
    result = np.zeros((3, count, count))
    for k, (scale, lever) in enumerate(zip(scales, moves.levers, strict=True)):
        targets = rng.choice(scale.grid if lever is None else lever.curve.knots, n)
        after = compared(probe, scales, coder.decode(moves.moved(z, scale.name, targets), c))
        for j, column in enumerate(scales):
            if j == k:
                against = column.distance(before[:, j], targets)
                change = against - column.distance(after[:, j], targets)
            else:
                against = column.distance(before[:, j], before[shuffled, j])
                change = column.distance(after[:, j], before[:, j])
            ratios = _ratio(change[draws].sum(1), against[draws].sum(1))
            result[0, k, j] = _ratio(change.sum(), against.sum())
            result[1:, k, j] = np.quantile(ratios, [0.025, 0.975])
    return result[0], result[1], result[2]


def _ratio(a: Any, b: Any) -> Any:
    return np.where(b > 0, a / np.where(b > 0, b, 1), 0.0)


def _numpy(z: Tensor) -> np.ndarray:
    return z.detach().double().cpu().numpy()
