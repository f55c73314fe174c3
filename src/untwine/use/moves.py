"""Edits of codes: one factor's value is set, and what that does to every factor is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .choice import Control
from .coding import Coder
from .edited import compared
from .steering import Lever

if TYPE_CHECKING:
    from .controls import Controls

__all__ = ["edit_effects", "moved", "taken_over"]

_DRAWN = 500  # resamples of the effects


def moved(coder: Coder, control: Control, lever: Lever, z: Tensor, values: np.ndarray) -> Tensor:
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
    controls: Controls, z: Tensor, c: Tensor | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What an edit of each factor does to each, see `Controls`, and both ends of its intervals.

    Args:
        controls: With a probe.
        z: Codes that are edited, ``(N, D)``.
        c: Their covariates.
        rng: Draws wanted values and resamples.
    """
    probe, coder, scales = controls.probe, controls.coder, controls.scales
    assert probe is not None
    n, count = len(z), len(scales)
    before = compared(probe, scales, coder.decode(z, c))
    draws = rng.integers(0, n, (_DRAWN, n))
    shuffled = rng.permutation(n)
    result = np.zeros((3, count, count))
    for k, (scale, lever) in enumerate(zip(scales, controls.levers, strict=True)):
        targets = rng.choice(scale.grid if lever is None else lever.curve.knots, n)
        after = compared(probe, scales, coder.decode(controls.moved(z, scale.name, targets), c))
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
