"""Metrics as objects that take codes batch by batch, for training loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from ..metrics.registry import entry
from ..metrics.score import Score

__all__ = ["Disentanglement"]

_TORCHMETRICS = (
    "compute_on_cpu",
    "compute_with_cache",
    "dist_sync_fn",
    "dist_sync_on_step",
    "distributed_available_fn",
    "process_group",
    "sync_on_compute",
)


class Disentanglement(Metric):
    r"""Any metric of `untwine.metrics` as a `torchmetrics.Metric`.

    Batches of codes and factors are gathered, over all processes where there are several, and
    scored together: these scores are not means of batch scores. It works inside a
    ``MetricCollection``, whose members then share what they have gathered, and in
    ``LightningModule.log``.

    Args:
        metric: The metric's name, such as ``"mig"``.
        part: Report this part of the score, such as ``"completeness"`` of ``"dci"``, instead of
            its value.
        points: Score at most this many of the gathered rows, drawn without replacement; all if
            ``None``.
        seed: Of that draw, and of the metric if it takes one.
        protocol: The metric's own settings; and torchmetrics' (``sync_on_compute``, ...).

    Shape:
        - codes: ``(B, D)``
        - factors: ``(B, K)``

    Attributes:
        score: The whole `Score` of the last ``compute``.

    Raises:
        ValueError: for an unknown metric, one that asks for more than codes and factors, and a
            part that the score does not have or that is not one number.

    Example:
        >>> mig = Disentanglement("mig", bins=4)
        >>> factors = torch.cartesian_prod(torch.arange(4), torch.arange(4))
        >>> for f in factors.split(5):
        ...     mig.update(f.float(), f)
        >>> mig.compute()
        tensor(1.)
    """

    is_differentiable = False
    full_state_update = False
    codes: list[Tensor]
    factors: list[Tensor]

    def __init__(
        self,
        metric: str = "mig",
        *,
        part: str | None = None,
        points: int | None = None,
        seed: int = 0,
        **protocol: Any,
    ) -> None:
        super().__init__(**{k: protocol.pop(k) for k in _TORCHMETRICS if k in protocol})
        self.entry = entry(metric)
        missing = [need for need in self.entry.needs if need != "factors"]
        if missing:
            raise ValueError(
                f"{metric} needs {', '.join(missing)}, which a training loop does not hand over: "
                f"call untwine.metrics.{metric} itself"
            )
        if points is not None and points < 1:
            raise ValueError(f"points is {points}; expected at least 1, or None for all")
        self.entry.refuse_unknown(protocol)
        self.part, self.points, self.seed, self.protocol = part, points, seed, protocol
        self.score: Score | None = None
        self.add_state("codes", default=[], dist_reduce_fx="cat")
        self.add_state("factors", default=[], dist_reduce_fx="cat")

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        """Whether a larger score is better; ``None`` where neither direction is a quality."""
        return self.entry.higher_is_better

    @property
    def plot_lower_bound(self) -> float | None:  # type: ignore[override]
        """The smallest possible value, if there is one."""
        return self.entry.low if np.isfinite(self.entry.low) else None

    @property
    def plot_upper_bound(self) -> float | None:  # type: ignore[override]
        """The largest possible value, if there is one."""
        return self.entry.high if np.isfinite(self.entry.high) else None

    def update(self, codes: Tensor, factors: Tensor) -> None:
        """Takes one batch.

        Raises:
            ValueError: if the batch has more codes than factors, or the reverse.
        """
        codes, factors = torch.as_tensor(codes), torch.as_tensor(factors)
        if len(codes) != len(factors):
            raise ValueError(
                f"codes has {len(codes)} rows but factors has {len(factors)}: row i of both must "
                "belong to the same observation"
            )
        self.codes.append(codes.detach().reshape(len(codes), -1))
        self.factors.append(factors.detach().reshape(len(factors), -1))

    def compute(self) -> Tensor:
        """The score, or the chosen part of it, of everything gathered since the last reset."""
        if len(self.codes) == 0:
            raise ValueError(f"{self.entry.name} has seen no batch yet: call update first")
        codes, factors = dim_zero_cat(self.codes).cpu(), dim_zero_cat(self.factors).cpu()
        if self.points is not None and self.points < len(codes):
            rows = np.random.default_rng(self.seed).permutation(len(codes))[: self.points]
            codes, factors = codes[rows], factors[rows]
        self.score = self.entry.call(codes, factors, seed=self.seed, settings=self.protocol)
        return torch.tensor(self._number(self.score), device=self.device)

    def _number(self, score: Score) -> float:
        if self.part is None:
            return score.value
        if self.part not in score.parts:
            raise ValueError(
                f"{score.name} has no part {self.part!r}; it has {', '.join(score.parts)}"
            )
        value = np.asarray(score.parts[self.part])
        if value.size != 1:
            raise ValueError(
                f"part {self.part!r} of {score.name} has shape {value.shape}; expected one number"
            )
        return float(value.reshape(()))

    def __repr__(self) -> str:
        settings = "".join(f", {k}={v!r}" for k, v in self.protocol.items())
        return f"Disentanglement({self.entry.name!r}{settings})"
