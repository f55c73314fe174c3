"""Averages of the weights along training: exponential ones, and those of the last steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

from ..checks import check_size
from ..spec import Recorded

__all__ = ["EMA", "SWA", "Averaged", "Averaging"]


class Averaging(Recorded, ABC):
    """A way to average weights."""

    start: int
    """Steps of a stage before the first weights that are averaged."""

    @abstractmethod
    def update(self) -> Callable[..., Any]:
        """``(averages, values, count) -> None``, in place; as in `torch.optim.swa_utils`."""


class EMA(Averaging):
    r"""The exponential moving average of the weights.

    .. math::
        \bar\theta_t = d \, \bar\theta_{t-1} + (1 - d) \, \theta_t

    It is `torch.optim.swa_utils.get_ema_multi_avg_fn`, of weights after each step.

    Args:
        decay: :math:`d`, between 0 and 1; it forgets over about :math:`1 / (1 - d)` steps.
        start: Steps of a stage before averaging begins.

    Raises:
        ValueError: for a decay outside [0, 1).

    References:
        Acceleration of Stochastic Approximation by Averaging, Polyak and Juditsky, 1992,
        https://doi.org/10.1137/0330046, of which it is the exponential variant.

    Example:
        >>> EMA(0.9).arguments
        {'decay': 0.9}
    """

    def __init__(self, decay: float = 0.999, start: int = 0) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}; expected a number from 0 to below 1")
        check_size("start", start, least=0)
        self.decay, self.start = decay, start

    def update(self) -> Callable[..., Any]:
        return get_ema_multi_avg_fn(self.decay)


class SWA(Averaging):
    r"""The plain average of the weights after each step, from one step on.

    .. math::
        \bar\theta_T = \frac{1}{T - s} \sum_{t = s + 1}^{T} \theta_t

    It is `torch.optim.swa_utils.get_swa_multi_avg_fn`.

    Args:
        start: :math:`s`, steps of a stage before averaging begins.

    References:
        Averaging Weights Leads to Wider Optima and Better Generalization, Izmailov et al., 2018,
        https://arxiv.org/abs/1803.05407, Algorithm 1.

    Deviations:
        Every step is averaged, at whatever learning rate the schedule gives it; the paper takes
        one set of weights per cycle of a schedule of its own. Statistics of batch normalization
        are those of the last step.

    Example:
        >>> SWA(start=1000).start
        1000
    """

    def __init__(self, start: int = 0) -> None:
        check_size("start", start, least=0)
        self.start = start

    def update(self) -> Callable[..., Any]:
        return get_swa_multi_avg_fn()


class Averaged:
    """The running averages of a module's parameters in a stage.

    Args:
        averaging: How they are averaged.
        module: Whose parameters.
        steps: Steps of the stage that were made already.
        state: Averages that these steps led to, by name, if there are any.
    """

    def __init__(
        self,
        averaging: Averaging,
        module: nn.Module,
        steps: int = 0,
        state: Mapping[str, Tensor] | None = None,
    ) -> None:
        self._update, self._start = averaging.update(), averaging.start
        self._parameters = {n: p for n, p in module.named_parameters() if p.is_floating_point()}
        self._steps = steps
        if state is not None and {n: v.shape for n, v in state.items()} != {
            n: p.shape for n, p in self._parameters.items()
        }:
            raise ValueError("the averaged weights of the checkpoint are those of another model")
        self._values = (
            {}
            if state is None or steps <= self._start
            else {n: state[n].to(p.device, p.dtype).clone() for n, p in self._parameters.items()}
        )

    @property
    def values(self) -> Mapping[str, Tensor]:
        """The averages by name; none before averaging begins."""
        return self._values

    @torch.no_grad()
    def step(self) -> None:
        """Takes the weights of a step that has been made."""
        self._steps += 1
        count = self._steps - self._start - 1  # sets of weights that were averaged before
        if count < 0:
            return
        if count == 0:
            self._values = {n: p.detach().clone() for n, p in self._parameters.items()}
            return
        for averages, values in self._groups():
            self._update(averages, values, count)

    @contextmanager
    def put(self) -> Iterator[None]:
        """Within, the module has the averages as its parameters, if there are any."""
        replaced = self.take()
        try:
            yield
        finally:
            self._copy(replaced)

    @torch.no_grad()
    def take(self) -> dict[str, Tensor]:
        """Gives the module the averages, if there are any; returns what it had."""
        replaced = {n: p.detach().clone() for n, p in self._parameters.items() if n in self._values}
        self._copy(self._values)
        return replaced

    @torch.no_grad()
    def _copy(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self._parameters[name].copy_(value)

    def _groups(self) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        """Averages and values of one device and type each, as torch's functions take them."""
        kinds = {(p.device, p.dtype) for p in self._parameters.values()}
        for kind in sorted(kinds, key=str):
            names = [n for n, p in self._parameters.items() if (p.device, p.dtype) == kind]
            yield [self._values[n] for n in names], [self._parameters[n].data for n in names]
