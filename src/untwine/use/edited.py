"""Edits: images and codes before and after, and the readings of every factor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from .factors import FactorScale
from .probe import Probe

if TYPE_CHECKING:
    import pandas

__all__ = ["Edited", "compared"]


@dataclass(frozen=True, repr=False)
class Edited:
    """What an edit made, and what changed besides.

    Attributes:
        images: After the edit, ``(B, ...)``, means of p(x|z).
        before: The reconstructions of what was edited.
        codes: After, ``(B, D)``; a class that the decoder takes beside the code is its end.
        codes_before: Likewise.
        targets: The values that were asked for, by factor, ``(B,)`` each; empty where the edit
            names no values.
        scales: The factors.
        read: What a probe reads off ``images``, ``(B, K)``; ``None`` without a probe.
        read_before: What it reads off ``before``.
        probe_scores: How well the probe reads held-out real observations, by factor.
    """

    images: Tensor
    before: Tensor
    codes: Tensor
    codes_before: Tensor
    targets: Mapping[str, np.ndarray]
    scales: tuple[FactorScale, ...]
    _: KW_ONLY
    read: np.ndarray | None = None
    read_before: np.ndarray | None = None
    probe_scores: Mapping[str, float] | None = None

    @classmethod
    def of(
        cls,
        images: Tensor,
        before: Tensor,
        codes: tuple[Tensor, Tensor],
        targets: Mapping[str, np.ndarray],
        scales: tuple[FactorScale, ...],
        probe: Probe | None,
    ) -> Edited:
        """Reads both images, if there is a probe.

        Args:
            images: After.
            before: Before.
            codes: After and before.
            targets: By factor.
            scales: The factors.
            probe: Reads them in this order.
        """
        after, start = codes
        if probe is None:
            return cls(images, before, after, start, targets, scales)
        read, read_before = compared(probe, scales, images), compared(probe, scales, before)
        return cls(
            images,
            before,
            after,
            start,
            targets,
            scales,
            read=read,
            read_before=read_before,
            probe_scores=dict(probe.scores),
        )

    def changes(self) -> pandas.DataFrame:
        """A row for each factor: readings before and after, what was asked for, and the probe.

        Columns: ``asked``, the mean distance of the readings to what was asked for before
        (``to_go``) and after (``left``), the mean change of the readings (``changed``), all in
        levels (of names: the share that differs), and ``probe``, the probe's held-out score.

        Raises:
            ValueError: if there was no probe.
        """
        import pandas

        if self.read is None or self.read_before is None or self.probe_scores is None:
            raise ValueError(
                "there was no probe: fit the controls with probe=True to have readings"
            )
        rows = []
        for k, scale in enumerate(self.scales):
            target = self.targets.get(scale.name)
            before, after = self.read_before[:, k], self.read[:, k]
            rows.append(
                {
                    "factor": scale.name,
                    "asked": target is not None,
                    "to_go": np.nan if target is None else scale.distance(before, target).mean(),
                    "left": np.nan if target is None else scale.distance(after, target).mean(),
                    "changed": scale.distance(after, before).mean(),
                    "probe": self.probe_scores.get(scale.name, np.nan),
                }
            )
        return pandas.DataFrame(rows).set_index("factor")

    def __str__(self) -> str:
        words = ", ".join(
            f"{s.name} = {s.written(self.targets[s.name][0])}"
            + (" ..." if np.ptp(self.targets[s.name]) > 0 else "")
            for s in self.scales
            if s.name in self.targets
        )
        head = f"{len(self.images)} edited" + (f": {words}" if words else "")
        if self.read is None:
            return head
        table = self.changes().to_string(float_format=lambda value: f"{value:.2f}", na_rep="")
        return f"{head}\n{table}"

    __repr__ = __str__


def compared(probe: Probe, scales: tuple[FactorScale, ...], x: Tensor) -> np.ndarray:
    """What a probe reads, a column for each of these factors.

    Raises:
        ValueError: for a factor that the probe does not read.
    """
    names = [scale.name for scale in probe.scales]
    for scale in scales:
        if scale.name not in names:
            raise ValueError(
                f"the probe reads {', '.join(names)}, not {scale.name!r}: fit one on this data"
            )
    return probe.read(x)[:, [names.index(scale.name) for scale in scales]]
